/* SPDX-License-Identifier: ISC
 *
 * How far an SMTP dialog had come: one set for the client's side, the server's
 * and the audit trail. The journal keeps the names, so the numbers may change.
 */
#ifndef RELAY_MAIL_STAGE_H
#define RELAY_MAIL_STAGE_H

#include <stdbool.h>

#include "relay/base/slice.h"

/* In the order of a dialog. */
enum stage {
	STAGE_NONE,
	STAGE_QUEUE,   /* no dialog: it ended while it was queued */
	STAGE_DNS,     /* the hosts are looked up */
	STAGE_CONNECT,
	STAGE_PROXY,   /* the header of PROXY, from a client */
	STAGE_GREETING,
	STAGE_COMMAND, /* a client's, when it belongs to no other stage */
	STAGE_EHLO,
	STAGE_HELO,    /* from a client EHLO, too */
	STAGE_STARTTLS,
	STAGE_TLS,     /* the handshake */
	STAGE_AUTH,
	STAGE_RESPONSE, /* to a 334 of AUTH; its name is that of AUTH */
	STAGE_XCLIENT, /* the leg is told the client */
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_BDAT,
	STAGE_BODY, /* the content, and the answer to it */
	STAGE_RSET,
	STAGE_IDLE,
	STAGE_QUIT,
	STAGE_DONE, /* of `leg probe`: it went through */
	STAGES
};

/* "rcpt"; "" of STAGE_NONE. */
const char *stage_text(enum stage s);
/* STAGE_NONE when there is no such name. */
enum stage stage_parse(struct slice name);
/* From MAIL to the answer to the content. */
bool stage_transacts(enum stage s);

#endif
