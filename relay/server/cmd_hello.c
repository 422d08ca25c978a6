/* SPDX-License-Identifier: ISC
 *
 * EHLO and HELO (RFC 5321 4.1.1.1). Either one ends a transaction, as RSET.
 *
 * Commands that come in the same segment behind them are tolerated: a device
 * that never waits for replies can do no harm with it, and its mail is wanted.
 */
#include "relay/mail/ehlo.h"
#include "relay/server/session_int.h"

/* Whatever a device calls itself, nothing depends on it: its words go into our
 * trace field cleaned, and into the audit trail as they are. */
static bool introduce(struct session *s, struct slice name, bool esmtp)
{
	if (name.n == 0)
		return false;
	tx_end(s);
	mem_free(s->helo);
	s->helo = mem_slicedup(name);
	s->esmtp = esmtp;
	return true;
}

static enum next refuse(struct session *s)
{
	return session_refuse(s, 501, "5.5.4", "Say your domain or [address]");
}

enum next cmd_ehlo(struct session *s, const struct smtp_cmd *cmd)
{
	struct ehlo e = {
		.ext = EXT_PIPELINING | EXT_SIZE | EXT_8BITMIME | EXT_SMTPUTF8 |
		       EXT_ENHANCED | EXT_DSN | EXT_CHUNKING,
		.size = s->conf->limits.message_bytes,
	};
	struct strbuf text;
	struct reply r;

	if (!introduce(s, cmd->arg, true))
		return refuse(s);
	if (s->tls != NULL && *session_tls(s) == '\0')
		e.ext |= EXT_STARTTLS;
	if (auth_offered(s)) {
		e.ext |= EXT_AUTH;
		e.auth = AUTH_PLAIN | AUTH_LOGIN;
	}
	strbuf_init(&text, sizeof(r.text));
	ehlo_print(&e, s->conf->hostname, &text);
	reply_set(&r, 250, "", "%s", strbuf_cstr(&text));
	strbuf_fini(&text);
	return session_say(s, &r);
}

enum next cmd_helo(struct session *s, const struct smtp_cmd *cmd)
{
	struct reply r;

	if (!introduce(s, cmd->arg, false))
		return refuse(s);
	reply_set(&r, 250, "", "%s", s->conf->hostname);
	return session_say(s, &r);
}
