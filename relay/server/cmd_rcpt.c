/* SPDX-License-Identifier: ISC
 *
 * RCPT (RFC 5321 4.1.1.3) with NOTIFY and ORCPT. Whose recipients are taken
 * is the owner's to say.
 */
#include "relay/server/session_int.h"

static enum next answered(struct session *s, const struct reply *r)
{
	if (r->code < 300)
		s->tx->rcpts++;
	return session_say(s, r);
}

enum next cmd_rcpt(struct session *s, const struct smtp_cmd *cmd)
{
	const struct server_config *c = &s->server->c;
	struct tx *tx = s->tx;
	struct rcpt_to t;
	struct smtp_refusal why;
	struct reply r = {.code = 0};
	bool right = rcpt_to_parse(cmd->arg, tx->utf8, &t, &why) == 0;

	tx_name(s, t.to.text);
	if (!right)
		return session_refuse(s, why.code, why.enh, why.text);
	for (unsigned i = 0; i < t.dropped.n; i++)
		session_repaired(s, t.dropped.why[i]);
	if (tx->rcpts >= s->conf->limits.recipients)
		return session_refuse(s, 452, "4.5.3",
		    "Too many recipients, send the rest again");
	return session_ask(s, c->ops->rcpt(c->arg, s, &t, &r), &r, answered);
}
