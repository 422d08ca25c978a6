/* SPDX-License-Identifier: ISC
 *
 * The service extensions of a peer. Pure.
 */
#ifndef RELAY_MAIL_EHLO_H
#define RELAY_MAIL_EHLO_H

#include "relay/base/strbuf.h"

enum {
	EXT_PIPELINING = 1 << 0, EXT_SIZE = 1 << 1, EXT_8BITMIME = 1 << 2,
	EXT_SMTPUTF8 = 1 << 3, EXT_ENHANCED = 1 << 4, EXT_DSN = 1 << 5,
	EXT_CHUNKING = 1 << 6, EXT_STARTTLS = 1 << 7, EXT_BINARYMIME = 1 << 8,
	EXT_AUTH = 1 << 9, EXT_LIMITS = 1 << 10, EXT_XCLIENT = 1 << 11,
};

enum { AUTH_PLAIN = 1 << 0, AUTH_LOGIN = 1 << 1 };

/* Attributes of XCLIENT that are known; without ADDR it is not offered. */
enum { XCLIENT_NAME = 1 << 0, XCLIENT_ADDR = 1 << 1, XCLIENT_PROTO = 1 << 2,
	XCLIENT_HELO = 1 << 3 };

struct ehlo {
	unsigned ext;
	unsigned xclient;
	unsigned auth;	       /* those mechanisms of AUTH that we know */
	uint64_t size;	       /* SIZE's argument, 0: none         */
	/* RFC 9422 RCPTMAX, MAILMAX, RCPTDOMAINMAX; 0: none */
	int limit_rcpt, limit_mail, limit_domain;
};

/* `text`: the EHLO reply's lines joined by LF, the first being the greeting
 * name. Unknown keywords are passed over. */
void ehlo_parse(struct slice text, struct ehlo *ehlo_out);
/* Lines (LF between) as an EHLO reply's text, `name` first. AUTH is said only
 * with a mechanism, LIMITS only with a limit. */
void ehlo_print(const struct ehlo *e, const char *name, struct strbuf *out);

#endif
