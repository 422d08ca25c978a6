/* SPDX-License-Identifier: ISC
 *
 * The trace field that we prepend (RFC 5321 4.4, RFC 3848, RFC 8314).
 */
#ifndef RELAY_MAIL_RECEIVED_H
#define RELAY_MAIL_RECEIVED_H

#include "relay/mail/envelope.h"

/* Appends "Received: from HELO (NAME [IP])\r\n\tby HOST …;\r\n\tDATE\r\n".
 * Everything from the client is filtered: no CR, LF, NUL, bounded. `token`
 * ("" for none) goes into the comment after the id. */
void received_print(const struct envelope *e, const char *hostname,
    const char *id, const char *token, struct strbuf *out);

#endif
