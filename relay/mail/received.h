/* SPDX-License-Identifier: ISC
 *
 * Reads the Received field of our trace block (trace_block.h) again.
 */
#ifndef RELAY_MAIL_RECEIVED_H
#define RELAY_MAIL_RECEIVED_H

#include "relay/base/strbuf.h"

/* A mark over the id stands in a comment behind it: "id ID (t=MARK)". */
#define RECEIVED_TOKEN_START "(t="
enum { RECEIVED_TOKEN = 64 }; /* longest mark that is looked at */

/* The parts of a field that we printed, "by HOST … id ID (t=MARK); DATE":
 * cut out of a header when the mail is seen again. The caller checks the
 * mark. */
struct received_token {
	struct slice id, mark;
	struct slice by;   /* empty: it names no host */
	struct slice date; /* as it is folded; empty: there is none */
};
/* The next one of the header fields in `*rest`, newest first, which is left at
 * what stands below it; a Received field gives at most one. False: there is no
 * other. Pure. */
bool received_token_next(struct slice *rest,
    struct received_token *token_out);
/* The part of the next Received field that says what it came from, up to "by",
 * as it is folded; without the name that the client gave itself, unless that
 * stands in brackets, as some servers write the address. False: there is no
 * other field; one without "from" is passed over. Pure. */
bool received_from_next(struct slice *rest, struct slice *from_out);
/* The first address in such a part, in whatever form servers write it:
 * "[192.0.2.1]", "(192.0.2.1)", "[IPv6:2001:db8::1]". Bytes that may be one;
 * the caller parses it. False: there is none. Pure. */
bool received_from_address(struct slice *from, struct slice *address_out);
/* Appends the message without the marks in its Received fields: it is to be
 * shown to a stranger. All other bytes stay. Pure. */
void received_unmark(struct slice message, struct strbuf *out);

#endif
