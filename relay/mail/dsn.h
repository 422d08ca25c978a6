/* SPDX-License-Identifier: ISC
 *
 * A delivery status notification as bytes (RFC 3464, 6522, 6533). Pure.
 */
#ifndef RELAY_MAIL_DSN_H
#define RELAY_MAIL_DSN_H

#include "relay/mail/envelope.h"
#include "relay/mail/result.h"

/* RFC 3464 2.3.3; the worst first. */
enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_RELAYED, DSN_DELIVERED,
	DSN_ACTIONS };

struct dsn_recipient {
	const char *original; /* as the sender wrote it (ORCPT or RCPT) */
	const char *orcpt;    /* raw, "" : none */
	enum dsn_action action;
	const char *status;   /* "5.1.1" */
	const char *diagnostic; /* "550 5.1.1 …", leg addresses scrubbed; "" */
	const char *remote;	/* MTA that spoke, "" : none */
	int64_t last_attempt_us;
	int64_t retry_until_us; /* of DSN_DELAYED; 0: not said */
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
	struct slice whole;	 /* all of it, where RET=FULL wants it and it
				  * is at hand; else empty */
	const char *boundary;	 /* random, from the caller */
};

/* Only a notice of failure brings the whole message back, and only one that
 * can stand in it as it is; else its header (RFC 3461 6.2). */
bool dsn_brings_all(const struct dsn *d);
/* The report with its header, in CRLF lines; 7-bit unless it is utf8 or brings
 * back a message that is not. */
void dsn_print(const struct dsn *d, struct strbuf *out);

#endif
