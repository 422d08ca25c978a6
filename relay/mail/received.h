/* SPDX-License-Identifier: ISC
 *
 * The trace field that we prepend (RFC 5321 4.4, RFC 3848, RFC 8314).
 */
#ifndef RELAY_MAIL_RECEIVED_H
#define RELAY_MAIL_RECEIVED_H

#include "relay/mail/envelope.h"

enum { RECEIVED_TOKEN = 64 }; /* longest mark that is looked at */

/* Appends "Received: from HELO (NAME [IP])\r\n\tby HOST …;\r\n\tDATE\r\n".
 * Everything from the client is filtered: no CR, LF, NUL, bounded. `token`
 * ("" for none), a mark over the id, goes into the comment after it. */
void received_print(const struct envelope *e, const char *hostname,
    const char *id, const char *token, struct strbuf *out);

/* The parts of a field by received_print(), "by HOST … id ID (t=MARK); DATE":
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
/* Appends the message without the marks in its Received fields: it is to be
 * shown to a stranger. All other bytes stay. Pure. */
void received_unmark(struct slice message, struct strbuf *out);

#endif
