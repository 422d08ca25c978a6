/* SPDX-License-Identifier: ISC
 *
 * The Sender Rewriting Scheme: a sender under a domain of ours, where its own
 * domain's SPF record would not believe us (E1), and the way back for bounces.
 *
 *   SRS0=MARK=DAY=host=local@ours     of local@host
 *   SRS1=MARK=fwd==M=D=h=l@ours       of SRS0=M=D=h=l@fwd, and of an SRS1
 *                                     that leads to fwd
 *   srs.ID.DAY.MARK@ours              where those pass 64 octets, or the local
 *                                     part is not ASCII or "" (RFC 5321 4.1.2);
 *                                     the sender is in the record of message
 *                                     ID
 *
 * The first two as other implementations write and read them: MARK is the
 * head of a base64 HMAC-SHA1 over the parts in lower case, DAY two base32
 * letters, the day of 1970 modulo 1024. In the third DAY is the last day (of
 * 1970) on which mail is taken, and MARK is keyed.h's. Pure; any thread.
 */
#ifndef POLICY_SRS_H
#define POLICY_SRS_H

#include "policy/route.h"

struct srs_sender {
	const struct addr *from; /* not the null sender */
	uint64_t id;		 /* of the message */
	int64_t now_us;		 /* wall clock */
};
/* Appends the rewritten address; a sender at our own SRS domain stays as it
 * is. False, and nothing appended: the configuration has no such domain, or
 * the sender's domain has no A-label. */
bool srs_make(const struct conf *c, const struct srs_sender *s,
    struct strbuf *out);

enum srs_verdict {
	SRS_NONE,    /* not at that domain, or a role's address there */
	SRS_ADDRESS, /* good: *back is filled */
	SRS_MESSAGE, /* good: the sender of message *id_out */
	SRS_EXPIRED, /* it was ours, and is too old */
	SRS_FORGED,
};
/* Checks an address at that domain, and finds the sender that it stands for.
 * Mark and age are judged in constant time. `back` is empty before. */
enum srs_verdict srs_check(const struct conf *c, const struct addr *to,
    int64_t now_us, struct strbuf *back, uint64_t *id_out);
/* THE decision for an address there that is not good (rule "srs"). False: it
 * is another address, or leads to a recipient. */
bool srs_refuses(enum srs_verdict verdict, struct decision *decision_out);

#endif
