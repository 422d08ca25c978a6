/* SPDX-License-Identifier: ISC
 *
 * Turns a worker's report of an attempt (or of a lifetime's end, or of an
 * administrator's bounce) into new states: by role, by what the sender wants
 * to hear, and by the route as it is by then. A notice and what it tells are
 * one record of the journal (D3). Queue thread.
 */
#include "relay/settle/queue_thread_int.h"

#include "relay/base/assert.h"
#include "relay/settle/leg_health.h"
#include "relay/watch/loophint.h"
#include "relay/mail/actor.h"

static void move_failed(const struct outcome_letter *o, unsigned k,
    struct delivery_ref *i)
{
	bool told = o->row[k].told != 0;
	bool over = told || o->row[k].silent || o->why == WHY_ADMIN;

	if (told)
		i->flags |= DF_DSN_SENT;
	/* A lifetime's end keeps the message (D10); so does a failure that no
	 * sender can be told of, and that of a copy (D3). */
	if (o->why == WHY_LIFETIME || i->role == ROLE_COPY || !over)
		i->state = D_PARKED;
	else
		i->state = D_BOUNCED;
}

/* A leg that took some and wants the rest in a transaction of their own gets
 * it at once (D7); one that took none is given time. */
static bool split_on(const struct outcome_letter *o, unsigned k)
{
	if (o->row[k].result.class != CLASS_SPLIT)
		return false;
	for (unsigned i = 0; i < o->n; i++)
		if (o->row[i].result.outcome == OUT_DELIVERED)
			return true;
	return false;
}

/* Notes the leg's answer for this recipient alone; not that the session ends,
 * and not that there are too many. */
static void note_refusal(const struct result *r, struct delivery_ref *i)
{
	bool own = r->stage == STAGE_RCPT && r->code >= 400 &&
		   r->code != 421 && r->class != CLASS_SPLIT;

	if (own)
		i->flags |= DF_REFUSED;
	if (own)
		i->flags &= (uint16_t)~DF_UNHEARD;
	else if ((i->flags & DF_REFUSED) != 0)
		i->flags |= DF_UNHEARD;
}

static void move_outcome(struct queue_thread *s, const struct outcome_letter *o,
    unsigned k, struct delivery_ref *i)
{
	const struct result *r = &o->row[k].result;

	i->reason = (uint8_t)(o->row[k].forged ? WHY_FORGED : o->why);
	/* It stays where it is and goes on as it was. */
	if (o->why == WHY_LATE) {
		i->flags |= DF_DELAY_SENT;
		return;
	}
	/* Sticky: what may have been sent may be a duplicate now (D8). */
	if (r->uncertain)
		i->uncertain = UNC_YES;
	if (o->row[k].bears && o->change > i->change)
		i->change = o->change;
	if (o->why == WHY_ATTEMPT)
		i->attempts++;
	if (r->outcome == OUT_DEFERRED)
		note_refusal(r, i);
	switch (r->outcome) {
	case OUT_DELIVERED:
		i->state = D_DELIVERED;
		if (o->mailbox)
			i->flags |= DF_MAILBOX;
		break;
	case OUT_FAILED:
		move_failed(o, k, i);
		break;
	case OUT_PARKED:
		i->state = D_PARKED;
		break;
	case OUT_DEFERRED:
	case OUT_UNTRIED:
		i->state = D_DEFERRED;
		i->due_us = split_on(o, k) ? 0 : queue_next_due(s->queue,
						     i->attempts, o->time_us);
		break;
	}
}

static void notice_fini(struct outcome_notice *n)
{
	spool_draft_free(n->draft);
	mem_free(n->items);
}

static void outcome_free(struct outcome_letter *o)
{
	for (unsigned i = 0; i < o->notices; i++)
		notice_fini(&o->notice[i]);
	mem_free(o->notice);
	arena_free(o->arena);
	mem_free(o);
}

/* Neither failed nor told: it is as if the leg had asked for time. */
static void defer_again(struct queue_thread *s, struct moves *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct delivery_ref *it = &m->move[i].item;

		it->state = D_DEFERRED;
		it->flags &= (uint16_t)~DF_DSN_SENT;
		it->due_us = queue_next_due(s->queue, it->attempts, m->time_us);
	}
}

/* Recipients that were delivered stay delivered, though the sender cannot be
 * told; the others are tried, or their end is told, another time. */
static void group_failed(struct queue_thread *s, struct group *g)
{
	if (g->notice.what == TOLD_FAILED && g->why == WHY_ATTEMPT)
		defer_again(s, &g->moves);
	if (g->why == WHY_ATTEMPT) {
		if (!atomic_load(&s->stop))
			moves_write(s, &g->moves);
		return;
	}
	for (unsigned i = 0; i < g->moves.n; i++)
		queue_unclaim(s->queue, g->moves.id,
		    g->moves.move[i].item.number, g->why != WHY_LATE);
}

/* A group is written: what it tells holds and its notice is ours, or
 * neither. */
static void on_group(struct queue_thread *s, struct spool_op *op)
{
	struct group *g = op->arg;
	const struct accepted_letter *dsn = g->notice.items;

	if (op->status == SPOOL_STORED) {
		moves_apply(s, &g->moves);
		queue_insert(s->queue, &(struct queue_arrival){dsn->id,
		    dsn->size, dsn->item, dsn->n, .force = true});
		queue_sender(s->queue, dsn->id, dsn->sender);
	} else {
		group_failed(s, g);
	}
	moves_fini(&g->moves);
	notice_fini(&g->notice);
	mem_free(g);
	spool_op_free(op);
}

/* Takes the notice and the moves. */
static void post_group(struct queue_thread *s, enum why why,
    struct outcome_notice *n, struct moves *told)
{
	struct group *g = NEW(struct group);
	struct spool_op *op = moves_op(s, told);

	g->notice = *n;
	g->why = why;
	g->moves = *told;
	*n = (struct outcome_notice){.draft = NULL};
	op->group = g->notice.draft;
	g->written.fn = on_group;
	moves_post(s, op, &g->written);
}

static void add_detail(struct moves *m, struct move *mv,
    const struct outcome_letter *o, unsigned k)
{
	mv->detail_at = m->details.n;
	if (o->why == WHY_ADMIN)
		actor_pack(&(struct actor){o->who, o->reason}, &m->details);
	else if (o->row[k].result.stage != STAGE_NONE)
		result_pack(&o->row[k].result, &m->details);
	mv->detail_n = m->details.n - mv->detail_at;
}

/* The rows that this notice speaks of; 0: those of none. */
static void gather(struct queue_thread *s, const struct outcome_letter *o,
    unsigned notice, struct moves *m)
{
	for (unsigned k = 0; k < o->n; k++) {
		struct delivery_ref item;

		/* Gone meanwhile: nothing is owed any more. */
		if (o->row[k].told != notice ||
		    !queue_get(s->queue, o->id, o->row[k].delivery.number,
			&item))
			continue;
		/* A report ends a claim. */
		PH_ASSERT(queue_claimed(s->queue, o->id, item.number));
		if (!plan_records(o, k)) {
			queue_unclaim(s->queue, o->id, item.number,
			    o->why != WHY_LATE);
			continue;
		}
		if (o->row[k].result.outcome == OUT_DELIVERED)
			loophint_delivered(s->hints, o->id, item.hash,
			    o->leg);
		item.domain = o->row[k].delivery.domain;
		move_outcome(s, o, k, &item);
		add_detail(m, moves_add(m, &item), o, k);
	}
}

/* Results that the sender is told of go in the record that holds the notice;
 * the other results of the dialog are on record whatever becomes of that one:
 * no recipient gets a message twice because a notice of another's failure
 * found no room. Deliveries that the routes of the attempt add stand in the
 * first record, before the results: a message that is over is not planned for
 * any more. */
void outcome_take(struct queue_thread *s, struct outcome_letter *o)
{
	struct moves m;

	leg_outcome(s, o);
	plan_unsettle(s, o);
	moves_init(&m, o->id, o->time_us);
	plan_outcome(s, o, &m);
	m.planned = m.n;
	gather(s, o, 0, &m);
	moves_write(s, &m);
	moves_fini(&m);
	for (unsigned i = 0; i < o->notices; i++) {
		moves_init(&m, o->id, o->time_us);
		gather(s, o, i + 1, &m);
		if (m.n != 0)
			post_group(s, o->why, &o->notice[i], &m);
		else
			moves_fini(&m);
	}
	outcome_free(o);
}
