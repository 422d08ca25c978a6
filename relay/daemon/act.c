/* SPDX-License-Identifier: ISC
 *
 * What an administrator decides about deliveries. A decision is in the
 * journal, synced, before it is reported (storage.md). Queue thread.
 */
#include "relay/daemon/settle_int.h"

#include "relay/mail/actor.h"

/* Waits for the journal on behalf of whoever asked. */
struct act_wait {
	struct written written;
	struct moves moves;
	void (*done)(void *arg, bool ok);
	void *arg;
};

static bool act_retry(struct queue_item *i)
{
	if (i->state != D_PARKED)
		return false;
	i->state = D_QUEUED;
	i->due_us = 0;
	return true;
}

static bool act_freeze(struct queue_item *i)
{
	if (!dstate_open(i->state) || i->state == D_FROZEN)
		return false;
	i->state = D_FROZEN;
	return true;
}

static bool act_thaw(struct queue_item *i)
{
	if (i->state != D_FROZEN)
		return false;
	i->state = i->attempts == 0 ? D_QUEUED : D_DEFERRED;
	return true;
}

static bool act_park(struct queue_item *i)
{
	if (!dstate_open(i->state))
		return false;
	i->state = D_PARKED;
	return true;
}

static bool act_delete(struct queue_item *i)
{
	if (!dstate_live(i->state))
		return false;
	i->state = D_DELETED;
	return true;
}

static const struct {
	const char *name;
	bool (*apply)(struct queue_item *i);
} acts[] = {
	[ACT_RETRY] = {"retry", act_retry},
	[ACT_FREEZE] = {"freeze", act_freeze},
	[ACT_THAW] = {"thaw", act_thaw},
	[ACT_PARK] = {"park", act_park},
	[ACT_BOUNCE] = {"bounce", NULL},
	[ACT_DELETE] = {"delete", act_delete},
};

int settle_act_parse(struct slice name)
{
	for (unsigned i = 0; i < ARRAY_LEN(acts); i++)
		if (slice_eq(name, slice_str(acts[i].name)))
			return (int)i;
	return -1;
}

/* What goes out again goes by the route as it is now. */
static void act_hold_good(struct settle *s, const struct act_wait *wait)
{
	const struct queue_item *item = &wait->moves.move[0].item;

	settle_apply(s, &wait->moves);
	if (item->state == D_QUEUED || item->state == D_DEFERRED)
		queue_stale(s->queue, wait->moves.id);
}

static void on_act_written(struct settle *s, struct spool_op *op)
{
	struct act_wait *wait = op->arg;
	bool ok = op->status == SPOOL_STORED;

	if (ok)
		act_hold_good(s, wait);
	else
		queue_unclaim(s->queue, wait->moves.id,
		    wait->moves.move[0].item.number, false);
	wait->done(wait->arg, ok);
	settle_moves_fini(&wait->moves);
	mem_free(wait);
	spool_op_free(op);
}

/* Until the journal has it the delivery is in nobody else's hand. */
static void write_act(struct settle *s, const struct settle_act *act,
    uint64_t id, struct queue_item *item)
{
	struct act_wait *wait = NEW(struct act_wait);
	struct moves *m = &wait->moves;
	struct move *mv;
	int64_t now_us = clock_wall_us(s->app->clock);

	wait->written.fn = on_act_written;
	wait->done = act->done;
	wait->arg = act->arg;
	if (act->what == ACT_RETRY)
		item->created_us = now_us;
	item->reason = WHY_ADMIN;
	settle_moves_init(m, id, now_us);
	mv = settle_move(m, item);
	actor_pack(&(struct actor){act->who, act->reason}, &m->details);
	mv->detail_n = m->details.n;
	settle_post(s, settle_op(m), &wait->written);
}

/* The DSN needs the message: a worker reads it and reports an outcome. */
static bool bounce(struct settle *s, const struct settle_act *act,
    uint64_t id, const struct queue_item *item)
{
	struct job_letter *j;

	if (item->role == ROLE_COPY || !dstate_live(item->state) ||
	    !queue_claim(s->queue, id, item->number))
		return false;
	j = settle_job(s, id, &item->number, 1);
	j->kind = JOB_BOUNCE;
	j->leg = item->leg;
	j->role = item->role;
	j->who = mem_strdup(act->who);
	j->reason = mem_strdup(act->reason);
	settle_send_job(s, -1, j);
	act->done(act->arg, true);
	return true;
}

/* Nothing has to be written for it: tried already, being tried, or due. */
static bool reported(const struct settle_act *act)
{
	act->done(act->arg, true);
	return true;
}

bool settle_act(struct settle *s, const struct settle_act *act, uint64_t id,
    uint32_t number)
{
	struct queue_item item;

	if (!queue_get(s->queue, id, number, &item))
		return act->what == ACT_RETRY && reported(act);
	/* In a worker's hand: the dialog cannot be called back. One that does
	 * not go out by itself is there to be returned, or for another act. */
	if (queue_claimed(s->queue, id, number))
		return act->what == ACT_RETRY &&
		       (item.state == D_QUEUED || item.state == D_DEFERRED) &&
		       reported(act);
	if (act->what == ACT_BOUNCE)
		return bounce(s, act, id, &item);
	if (act->what == ACT_RETRY &&
	    (item.state == D_QUEUED || item.state == D_DEFERRED)) {
		queue_retry(s->queue, id, number);
		return reported(act);
	}
	if (!acts[act->what].apply(&item) ||
	    !queue_claim(s->queue, id, number))
		return false;
	write_act(s, act, id, &item);
	return true;
}
