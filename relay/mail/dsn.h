/* SPDX-License-Identifier: ISC
 *
 * A delivery status notification as bytes (RFC 3464, 6522, 6533). Pure.
 */
#ifndef RELAY_MAIL_DSN_H
#define RELAY_MAIL_DSN_H

#include "relay/mail/envelope.h"
#include "relay/mail/result.h"

struct dsn_recipient {
	const char *original; /* as the sender wrote it (ORCPT or RCPT) */
	const char *orcpt;    /* raw, "" : none */
	const char *action;   /* "failed" "delayed" "relayed" */
	const char *status;   /* "5.1.1" */
	const char *diagnostic; /* "550 5.1.1 …", leg addresses scrubbed; "" */
	const char *remote;	/* MTA that spoke, "" : none */
	int64_t last_attempt_us;
};

struct dsn {
	const char *hostname;
	const char *id;		 /* of the DSN itself */
	const char *about;	 /* id of the message it is about */
	int64_t now_us, arrival_us;
	const char *to;		 /* the original sender */
	const char *envid;	 /* raw xtext, "" : none */
	bool utf8;		 /* RFC 6533 forms */
	const struct dsn_recipient *rcpt;
	unsigned rcpts;
	struct slice header;	 /* header section of the original */
	const char *boundary;	 /* random, from the caller */
};

/* The whole message with its header, CRLF lines, 7-bit unless utf8. */
void dsn_print(const struct dsn *d, struct strbuf *out);

#endif
