/* SPDX-License-Identifier: ISC
 *
 * Whether a receiver's check of DMARC would pass a message (RFC 9989 4.4): by
 * the policy of its From domain, the domains that signed it, and the domain
 * that SPF passes. Signatures are seen, not verified. One thread.
 */
#ifndef RELAY_SPF_DMARC_OUTLOOK_H
#define RELAY_SPF_DMARC_OUTLOOK_H

#include "relay/spf/dmarc_walk.h"

enum dmarc_outlook {
	DMARC_UNCLEAR, /* no From domain is known, or the DNS is silent */
	DMARC_NO_MATTER, /* no record, or its policy is none */
	DMARC_BY_SPF, /* the domain that SPF passes is aligned */
	DMARC_BY_SIGNATURE, /* there is a signature that is aligned */
	DMARC_WOULD_FAIL, /* by the policy, and nothing is aligned */
};

/* The caller's memory; zeroed before its first use. Domains are in normal form
 * and outlive the question. */
struct dmarc_question {
	const char *from;    /* "": not known */
	const char *signers; /* one blank apart (relay/mail/author.h) */
	const char *spf;     /* that SPF passes; "": none */
	bool any_policy; /* is it aligned, whatever the policy is? Then no
			  * outlook is DMARC_NO_MATTER. */
	enum dmarc_policy policy; /* comes with DMARC_WOULD_FAIL */
	void (*done)(void *arg, enum dmarc_outlook outlook);
	void *arg;
	/* Private. */
	struct dmarc *d;
	struct dmarc_wait wait;
	int turns;
};
/* True: *outlook_out is it. False: q->done is called once, later, unless
 * dmarc_outlook_cancel() comes first, which is always safe after this. */
bool dmarc_outlook(struct dmarc *d, struct dmarc_question *q,
    enum dmarc_outlook *outlook_out);
void dmarc_outlook_cancel(struct dmarc_question *q);

#endif
