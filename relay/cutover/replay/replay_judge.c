/* SPDX-License-Identifier: ISC
 *
 * The judgement of one recipient of one message by its deliveries.
 */
#include "relay/cutover/replay/replay_judge.h"

/* When it ended; it has no other use for a due time. */
static int64_t delivered_us(const struct spool_delivery *d)
{
	return d->due_us != 0 ? d->due_us : d->created_us;
}

static bool in_time(const struct replay_asked *q,
    const struct spool_delivery *d)
{
	int64_t at = delivered_us(d);

	return d->state == D_DELIVERED && at >= q->since_us &&
	       at < q->until_us;
}

/* Once replayed is replayed, whatever became of it: an administrator may have
 * deleted it on purpose. */
static bool counts_there(const struct spool_delivery *d)
{
	return d->state == D_DELIVERED ||
	       dstate_live((enum dstate)d->state) ||
	       (d->flags & DF_REPLAYED) != 0;
}

static void add_target(struct replay_case *c, const struct replay_asked *q,
    uint32_t number, const struct spool_delivery *d)
{
	if (!counts_there(d))
		return;
	c->there = true;
	if ((d->flags & DF_REPLAYED) == 0 || d->created_us < q->started_us)
		return;
	c->ours = true;
	c->number = number;
	c->state = d->state;
}

void replay_case_add(struct replay_case *c, const struct replay_asked *q,
    uint32_t number, const struct spool_delivery *d)
{
	bool routed = (d->flags & DF_PINNED) == 0;

	if (d->leg == q->from_leg && in_time(q, d))
		c->had = true;
	if (d->leg == q->to_leg)
		add_target(c, q, number, d);
	if (routed && d->role == ROLE_PRIMARY &&
	    (d->state == D_DELIVERED || d->state == D_BOUNCED ||
		d->state == D_DELETED))
		c->primary_over = true;
	if (routed && dstate_live((enum dstate)d->state))
		c->open = true;
}

enum replay_verdict replay_judge(const struct replay_case *c)
{
	if (!c->had)
		return REPLAY_NOT;
	if (c->ours)
		return REPLAY_OURS;
	if (c->there)
		return REPLAY_THERE;
	return c->open && !c->primary_over ? REPLAY_WAITS : REPLAY_GO;
}
