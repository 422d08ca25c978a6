/* SPDX-License-Identifier: ISC
 *
 * The login at a leg (RFC 4954), in a dialog and in a probe.
 */
#ifndef RELAY_CLIENT_LOGIN_H
#define RELAY_CLIENT_LOGIN_H

#include "conf/conf.h"
#include "relay/mail/ehlo.h"

/* A login under way, of a dialog or of a probe (RFC 4954). */
struct login {
	const struct conf_leg *leg;
	unsigned offered;   /* AUTH_… of the leg's EHLO */
	unsigned responses; /* given so far */
};

/* NULL, or why there can be no login; then nothing else may be called. */
const char *login_begin(struct login *l, const struct conf_leg *leg,
    const struct ehlo *offers, bool secure);
/* Add a line to `out`. */
void login_command(struct login *l, struct strbuf *out);
void login_respond(struct login *l, struct strbuf *out);
/* Does this reply ask for one more response that there is? */
bool login_has_more(const struct login *l, int code);
/* The text of a reply, or something else when it has the password in it. */
const char *login_hide(const struct login *l, const char *text);

#endif
