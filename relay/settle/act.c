/* SPDX-License-Identifier: ISC
 *
 * Carries out an administrator's decisions about deliveries. A decision is in
 * the journal, synced, before it is reported (doc/journal.md, J4). Queue
 * thread.
 */
#include "relay/settle/act.h"

#include "relay/mail/actor.h"
#include "relay/settle/queue_thread_int.h"

/* Waits for the journal on behalf of the caller. */
struct act_wait {
	struct written written;
	struct moves moves;
	bool revived; /* it goes out again, by the route as it is now */
	bool hurried; /* it would have gone out later */
	void (*done)(void *arg, bool ok);
	void *arg;
};

static bool goes_by_itself(const struct delivery_ref *i)
{
	return i->state == D_QUEUED || i->state == D_DEFERRED;
}

/* The acts: each changes a delivery; NULL, or why it cannot. */

static const char *act_retry(struct delivery_ref *i, int64_t now_us)
{
	if (i->state == D_HELD)
		return "held: release its recipient instead";
	if (i->state == D_FROZEN)
		return "frozen: thaw it first";
	if (goes_by_itself(i)) {
		i->due_us = 0;
		return NULL;
	}
	if (i->state != D_PARKED)
		return "over";
	i->state = D_QUEUED;
	i->due_us = 0;
	i->created_us = now_us;
	return NULL;
}

/* The moment it was stopped stands in the due time, as that of a held one
 * does (reroute.c): neither time is of its lifetime. */
static const char *act_freeze(struct delivery_ref *i, int64_t now_us)
{
	if (i->state == D_FROZEN)
		return "frozen already";
	if (!dstate_open(i->state))
		return i->state == D_PARKED ? "parked: it waits already"
					    : "over";
	if (i->state != D_HELD)
		i->due_us = now_us;
	i->state = D_FROZEN;
	return NULL;
}

static const char *act_thaw(struct delivery_ref *i, int64_t now_us)
{
	if (i->state != D_FROZEN)
		return "not frozen";
	if (i->due_us > 0 && i->due_us < now_us)
		i->created_us += now_us - i->due_us;
	i->state = i->attempts == 0 ? D_QUEUED : D_DEFERRED;
	i->due_us = 0;
	return NULL;
}

static const char *act_park(struct delivery_ref *i, int64_t now_us)
{
	(void)now_us;
	if (!dstate_open(i->state))
		return i->state == D_PARKED ? "parked already" : "over";
	i->state = D_PARKED;
	return NULL;
}

static const char *act_delete(struct delivery_ref *i, int64_t now_us)
{
	(void)now_us;
	if (!dstate_live(i->state))
		return "over";
	i->state = D_DELETED;
	return NULL;
}

static const struct {
	const char *name;
	const char *(*apply)(struct delivery_ref *i, int64_t now_us);
} acts[] = {
	[ACT_RETRY] = {"retry", act_retry},
	[ACT_FREEZE] = {"freeze", act_freeze},
	[ACT_THAW] = {"thaw", act_thaw},
	[ACT_PARK] = {"park", act_park},
	[ACT_BOUNCE] = {"bounce", NULL},
	[ACT_DELETE] = {"delete", act_delete},
};

int act_parse(struct slice name)
{
	for (unsigned i = 0; i < ARRAY_LEN(acts); i++)
		if (slice_eq(name, slice_str(acts[i].name)))
			return (int)i;
	return -1;
}

static void act_hold_good(struct queue_thread *s, const struct act_wait *wait)
{
	const struct delivery_ref *item = &wait->moves.move[0].item;

	moves_apply(s, &wait->moves);
	if (wait->hurried)
		queue_retry(s->queue, wait->moves.id, item->number);
	else if (wait->revived)
		queue_stale(s->queue, wait->moves.id);
}

static void on_act_written(struct queue_thread *s, struct spool_op *op)
{
	struct act_wait *wait = op->arg;
	bool ok = op->status == SPOOL_STORED;

	if (ok)
		act_hold_good(s, wait);
	else
		queue_unclaim(s->queue, wait->moves.id,
		    wait->moves.move[0].item.number, false);
	wait->done(wait->arg, ok);
	moves_fini(&wait->moves);
	mem_free(wait);
	spool_op_free(op);
}

/* Claims the delivery until the journal has the record. */
static void write_act(struct queue_thread *s, const struct act_request *act,
    uint64_t id, struct delivery_ref *item, bool went)
{
	struct act_wait *wait = NEW(struct act_wait);
	struct moves *m = &wait->moves;
	struct move *mv;
	int64_t now_us = clock_wall_us(s->shared->clock);

	wait->written.fn = on_act_written;
	wait->done = act->done;
	wait->arg = act->arg;
	wait->hurried = went && act->what == ACT_RETRY;
	wait->revived = !wait->hurried && goes_by_itself(item);
	item->reason = WHY_ADMIN;
	moves_init(m, id, now_us);
	mv = moves_add(m, item);
	actor_pack(&(struct actor){act->who, act->reason}, &m->details);
	mv->detail_n = m->details.n;
	moves_post(s, moves_op(s, m), &wait->written);
}

/* ---- bounces ---- */

/* A bounce is in a worker's hand, and then in the journal's: who asked hears
 * of it when it is back. There are as many as askers leave open at a time. */
struct act_bounce {
	struct list node; /* of settle.bounces */
	uint64_t id;
	uint32_t number;
	void (*done)(void *arg, bool ok);
	void *arg;
};

/* The DSN needs the message: a worker reads it and reports an outcome. */
static void send_bounces(struct queue_thread *s)
{
	struct worker_job *j;

	if (s->bouncing.n == 0)
		return;
	j = jobs_make(s, s->bouncing.id, s->bouncing.number, s->bouncing.n);
	j->kind = JOB_BOUNCE;
	j->leg = s->bouncing.leg;
	j->role = s->bouncing.role;
	j->who = s->bouncing.who;
	j->reason = s->bouncing.reason;
	s->bouncing.who = s->bouncing.reason = NULL;
	s->bouncing.n = 0;
	jobs_send(s, -1, j);
}

static void add_bounce(struct queue_thread *s, const struct act_request *act,
    uint64_t id, const struct delivery_ref *item)
{
	if (s->bouncing.n > 0 &&
	    (s->bouncing.id != id || s->bouncing.leg != item->leg ||
		s->bouncing.role != (enum role)item->role ||
		strcmp(s->bouncing.who, act->who) != 0 ||
		strcmp(s->bouncing.reason, act->reason) != 0))
		send_bounces(s);
	if (s->bouncing.n == 0) {
		s->bouncing.id = id;
		s->bouncing.leg = item->leg;
		s->bouncing.role = (enum role)item->role;
		s->bouncing.who = mem_strdup(act->who);
		s->bouncing.reason = mem_strdup(act->reason);
	}
	if (s->bouncing.n == s->bouncing.cap) {
		s->bouncing.cap = s->bouncing.cap == 0 ? 32
						       : s->bouncing.cap * 2;
		s->bouncing.number = mem_resize(s->bouncing.number,
		    s->bouncing.cap * sizeof(*s->bouncing.number));
	}
	s->bouncing.number[s->bouncing.n++] = item->number;
}

void act_bounces_look(struct queue_thread *s)
{
	send_bounces(s);
	list_each_safe (n, &s->bounces) {
		struct act_bounce *b = LIST_ENTRY(n, struct act_bounce, node);
		struct delivery_ref item;
		bool there;

		if (queue_claimed(s->queue, b->id, b->number))
			continue;
		there = queue_get(s->queue, b->id, b->number, &item);
		list_remove(&b->node);
		b->done(b->arg, !there || item.state == D_BOUNCED);
		mem_free(b);
	}
}

void act_bounces_free(struct queue_thread *s)
{
	mem_free(s->bouncing.who);
	mem_free(s->bouncing.reason);
	mem_free(s->bouncing.number);
	list_each_safe (n, &s->bounces)
		mem_free(LIST_ENTRY(n, struct act_bounce, node));
}

static void expect_bounce(struct queue_thread *s, const struct act_request *act,
    uint64_t id, uint32_t number)
{
	struct act_bounce *b = NEW(struct act_bounce);

	*b = (struct act_bounce){.id = id, .number = number,
	    .done = act->done, .arg = act->arg};
	list_push_back(&s->bounces, &b->node);
}

static const char *bounce(struct queue_thread *s, const struct act_request *act,
    uint64_t id, const struct delivery_ref *item)
{
	if (item->role == ROLE_COPY)
		return "a copy: its sender is never told; park or delete it";
	if (!dstate_live(item->state) ||
	    !queue_claim(s->queue, id, item->number))
		return "over";
	add_bounce(s, act, id, item);
	expect_bounce(s, act, id, item->number);
	return NULL;
}

/* ---- the door ---- */

/* Nothing has to be written for it: tried already, being tried, or due. */
static const char *reported(const struct act_request *act)
{
	act->done(act->arg, true);
	return NULL;
}

/* Due already: it goes as soon as it can. */
static bool is_due(const struct queue_thread *s, const struct delivery_ref *i)
{
	return goes_by_itself(i) &&
	    i->due_us <= clock_wall_us(s->shared->clock);
}

/* A retry is written down as the other acts are: after an unclean end what
 * was due may have been sent, and what was not due was not. */
const char *act_apply(struct queue_thread *s, const struct act_request *act,
    uint64_t id, uint32_t number)
{
	bool retry = act->what == ACT_RETRY, went;
	struct delivery_ref item;
	const char *why;

	if (!queue_get(s->queue, id, number, &item))
		return retry ? reported(act) : "over";
	went = goes_by_itself(&item);
	if (retry)
		queue_hurry(s->queue, id, item.leg);
	/* In a worker's hand: the dialog cannot be called back. One that does
	 * not go out by itself is there to be returned, or for another act. */
	if (queue_claimed(s->queue, id, number))
		return retry && went ? reported(act) : "under way just now";
	if (act->what == ACT_BOUNCE)
		return bounce(s, act, id, &item);
	if (retry && is_due(s, &item)) {
		queue_retry(s->queue, id, number);
		return reported(act);
	}
	why = acts[act->what].apply(&item, clock_wall_us(s->shared->clock));
	if (why == NULL && !queue_claim(s->queue, id, number))
		why = "over";
	if (why == NULL)
		write_act(s, act, id, &item, went);
	return why;
}
