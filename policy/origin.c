/* SPDX-License-Identifier: ISC
 *
 * Where mail comes from, and what follows.
 */
#include "policy/origin.h"

#include "relay/base/assert.h"

const struct conf_leg *origin_leg(const struct conf *c,
    const struct sockaddr *client)
{
	for (int i = 0; i < c->legs; i++)
		if (conf_nets_have(&c->leg[i].clients, client))
			return &c->leg[i];
	return NULL;
}

bool origin_in_grace(const struct conf *c, struct table *t,
    const struct decision *d, int64_t now_us)
{
	struct error err;

	return table_flipped(t, &d->row, slice_str(d->key),
		   now_us - c->retry.grace_ms * 1000, &err) != 0;
}

void origin_refuse(struct reply *r, bool grace, struct slice to)
{
	if (grace)
		reply_set(r, 451, "4.4.6", "Mail for %.*s loops: the server "
		    "of that mailbox sent it back. The mailbox is being moved, "
		    "try again later", (int)to.n, to.p);
	else
		reply_set(r, 554, "5.4.6", "Mail for %.*s loops: the server "
		    "of that mailbox sent it back", (int)to.n, to.p);
}

void origin_decide(const struct conf *c, struct table *t,
    const struct origin_mail *mail, struct decision *d)
{
	PH_ASSERT(decision_ok(d));
	if (d->verdict != VERDICT_ACCEPT || d->held ||
	    route_without(&d->route, mail->leg))
		return;
	d->verdict = VERDICT_REFUSE;
	d->ask = false;
	origin_refuse(&d->reply, origin_in_grace(c, t, d, mail->now_us),
	    mail->to->text);
	PH_ASSERT(decision_ok(d));
}
