/* SPDX-License-Identifier: ISC
 *
 * The trace block that we prepend to a message: Received-SPF (RFC 7208 9.1)
 * and Authentication-Results (RFC 8601) where there is something to report,
 * and Received (RFC 5321 4.4). Pure.
 */
#ifndef RELAY_MAIL_TRACE_BLOCK_H
#define RELAY_MAIL_TRACE_BLOCK_H

#include "relay/mail/envelope.h"

/* Most bytes of a block, whatever the envelope has. */
enum { TRACE_MAX = 8 << 10 };

/* Our side of it. */
struct trace_names {
	const char *hostname;
	const char *authserv_id;
	const char *id;	   /* of the message, as text */
	const char *token; /* a mark over the id (received.h); "": none */
};

/* Appends the block. A sender that was not judged (e->spf is empty) has no
 * Received-SPF, and without anything to report there is no
 * Authentication-Results either. What came from outside is ASCII, bounded, and
 * ends no field and no comment. */
void trace_print(const struct envelope *e, const struct trace_names *n,
    struct strbuf *out);

#endif
