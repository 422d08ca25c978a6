/* SPDX-License-Identifier: ISC
 *
 * What a worker reports of an attempt (or of a lifetime's end, or of an
 * administrator's bounce) becomes new states: by role, by what the sender
 * wants to hear, and by the route as it is by then. A bounce and its DSN are
 * one record of the journal (D3). Queue thread.
 */
#include "relay/daemon/settle_int.h"

#include "relay/mail/actor.h"

static void move_failed(const struct outcome_letter *o, unsigned k,
    struct queue_item *i)
{
	bool over = o->row[k].told || o->row[k].silent || o->why == WHY_ADMIN;

	if (o->row[k].told)
		i->flags |= DF_DSN_SENT;
	/* A lifetime's end keeps the message (D10); so does a failure that
	 * nobody can be told of, and that of a copy (D3). */
	if (o->why == WHY_LIFETIME || i->role == ROLE_COPY || !over)
		i->state = D_PARKED;
	else
		i->state = D_BOUNCED;
}

static void move_outcome(struct settle *s, const struct outcome_letter *o,
    unsigned k, struct queue_item *i)
{
	const struct result *r = &o->row[k].result;

	i->reason = (uint8_t)o->why;
	/* Sticky: what may have been sent may be a duplicate now (D8). */
	if (r->uncertain)
		i->uncertain = UNC_YES;
	if (o->change != 0)
		i->change = o->change;
	if (o->why == WHY_ATTEMPT)
		i->attempts++;
	switch (r->outcome) {
	case OUT_DELIVERED:
		i->state = D_DELIVERED;
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
		i->due_us = queue_next_due(s->queue, i->attempts, o->time_us);
		break;
	}
}

static void outcome_free(struct outcome_letter *o)
{
	spool_draft_free(o->dsn);
	arena_free(o->arena);
	mem_free(o->dsn_items);
	mem_free(o);
}

/* Neither bounced nor told: it is as if the leg had asked for time. */
static void group_failed(struct settle *s, struct group *g)
{
	const struct outcome_letter *o = g->outcome;

	for (unsigned i = 0; i < g->moves.n; i++) {
		struct queue_item *it = &g->moves.move[i].item;

		if (o->why != WHY_ATTEMPT) {
			queue_unclaim(s->queue, o->id, it->number, true);
			continue;
		}
		it->state = D_DEFERRED;
		it->flags &= (uint8_t)~DF_DSN_SENT;
		it->due_us = queue_next_due(s->queue, it->attempts, o->time_us);
	}
	if (o->why == WHY_ATTEMPT && !atomic_load(&s->stop))
		settle_write(s, &g->moves);
}

/* A group is written: the bounce holds and its DSN is ours, or neither. */
static void on_group(struct settle *s, struct spool_op *op)
{
	struct group *g = op->arg;
	const struct accepted_letter *dsn = g->outcome->dsn_items;

	if (op->status == SPOOL_STORED) {
		settle_apply(s, &g->moves);
		queue_insert(s->queue, dsn->id, dsn->size, dsn->item, dsn->n,
		    false, true);
	} else {
		group_failed(s, g);
	}
	settle_moves_fini(&g->moves);
	outcome_free(g->outcome);
	mem_free(g);
	spool_op_free(op);
}

/* Takes both. */
static void post_group(struct settle *s, struct outcome_letter *o,
    struct moves *told)
{
	struct group *g = NEW(struct group);
	struct spool_op *op = settle_op(told);

	g->outcome = o;
	g->moves = *told;
	op->group = o->dsn;
	g->written.fn = on_group;
	settle_post(s, op, &g->written);
}

static void add_detail(struct moves *m, struct move *mv,
    const struct outcome_letter *o, unsigned k)
{
	mv->detail_at = m->details.n;
	if (o->why == WHY_ADMIN)
		actor_pack(&(struct actor){o->who, o->reason}, &m->details);
	else
		result_pack(&o->row[k].result, &m->details);
	mv->detail_n = m->details.n - mv->detail_at;
}

static bool nothing_said(const struct outcome_letter *o, unsigned k)
{
	enum outcome said = o->row[k].result.outcome;

	return said == OUT_UNTRIED ||
	       (o->why != WHY_ATTEMPT && said != OUT_FAILED);
}

/* What the sender is told of goes in the record that holds the DSN; what else
 * the dialog brought is on record whatever becomes of that one: nobody gets a
 * message twice because a notice of another's failure found no room. */
void settle_outcome(struct settle *s, struct outcome_letter *o)
{
	struct moves plain, told;

	if (o->tried)
		queue_leg_result(s->queue, o->leg, o->reached);
	settle_unsettle(s, o);
	settle_moves_init(&plain, o->id, o->time_us);
	settle_moves_init(&told, o->id, o->time_us);
	for (unsigned k = 0; k < o->n; k++) {
		struct moves *m =
		    o->row[k].told && o->dsn != NULL ? &told : &plain;
		struct queue_item item;

		/* Gone meanwhile: nothing is owed any more. */
		if (!queue_get(s->queue, o->id, o->row[k].delivery.number,
			&item))
			continue;
		if (nothing_said(o, k)) {
			queue_unclaim(s->queue, o->id, item.number, true);
			continue;
		}
		move_outcome(s, o, k, &item);
		add_detail(m, settle_move(m, &item), o, k);
	}
	settle_write(s, &plain);
	settle_moves_fini(&plain);
	if (told.n != 0) {
		post_group(s, o, &told);
		return;
	}
	settle_moves_fini(&told);
	outcome_free(o);
}
