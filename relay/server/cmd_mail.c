/* SPDX-License-Identifier: ISC
 *
 * MAIL (RFC 5321 4.1.1.2) with SIZE, BODY, SMTPUTF8, RET and ENVID.
 */
#include "relay/server/session_int.h"

static enum next answered(struct session *s, const struct reply *r)
{
	enum next next = session_say(s, r);

	if (r->code >= 300) {
		s->tx->owned = false;
		tx_end(s);
	}
	return next;
}

/* Refuses what needs no question to the owner. The transaction exists already,
 * so that the report can name the sender. */
static enum next refuse(struct session *s, int code, const char *enh,
    const char *text)
{
	struct reply r;

	reply_set(&r, code, enh, "%s", text);
	return answered(s, &r);
}

enum next cmd_mail(struct session *s, const struct smtp_cmd *cmd)
{
	const struct server_config *c = &s->server->c;
	struct mail_from m;
	struct smtp_refusal why;
	struct reply r = {.code = 0};
	bool right = mail_from_parse(cmd->arg, &m, &why) == 0;

	tx_begin(s, m.from.text);
	if (!right)
		return refuse(s, why.code, why.enh, why.text);
	for (unsigned i = 0; i < m.dropped.n; i++)
		session_repaired(s, m.dropped.why[i]);
	s->tx->size = m.size;
	s->tx->utf8 = m.utf8;
	if (m.body == BODY_BINARYMIME)
		return refuse(s, 555, "5.5.4", "BINARYMIME is not offered");
	if (m.size > s->conf->limits.message_bytes)
		return refuse(s, 552, "5.3.4", "Message is too big");
	s->tx->owned = s->tx->offered = true;
	return session_ask(s, c->ops->mail(c->arg, s, &m, &r), &r, answered);
}
