/* SPDX-License-Identifier: ISC
 *
 * A message whose routes were looked up anew: what follows from them is
 * written down and then done. Queue thread.
 */
#include "relay/settle/queue_thread_int.h"

#include "relay/base/assert.h"

/* ---- a resolved message ---- */

/* A message whose moves after a change of route wait for the journal. A new
 * delivery is started when the journal has it and not before: the worker that
 * reads the message for it must find it there. Until then the deliveries are
 * claimed by it; if the journal refuses, nothing has happened. An outcome for
 * the message waits too, since what it creates has the next numbers. */
struct resolving {
	struct written written;
	struct list node; /* of settle.resolving */
	struct moves moves;
	uint64_t change;
	struct letter *outcomes, **tail;
};

static struct resolving *resolving_of(struct queue_thread *s, uint64_t id)
{
	list_each(n, &s->resolving) {
		struct resolving *r = LIST_ENTRY(n, struct resolving, node);

		if (r->moves.id == id)
			return r;
	}
	return NULL;
}

bool reroute_outcome_waits(struct queue_thread *s, struct outcome_letter *o)
{
	struct resolving *r = resolving_of(s, o->id);

	if (r == NULL || atomic_load(&s->stop))
		return false;
	o->letter.next = NULL;
	*r->tail = &o->letter;
	r->tail = &o->letter.next;
	return true;
}

bool reroute_waits(struct queue_thread *s, uint64_t id)
{
	return resolving_of(s, id) != NULL;
}

/* The thread takes them after the letter that it has in hand. */
static void hand_on(struct queue_thread *s, struct resolving *r)
{
	if (r->outcomes == NULL)
		return;
	*s->ready_tail = r->outcomes;
	s->ready_tail = r->tail;
	r->outcomes = NULL;
	r->tail = &r->outcomes;
}

void reroute_end(struct queue_thread *s)
{
	list_each(n, &s->resolving)
		hand_on(s, LIST_ENTRY(n, struct resolving, node));
}

static void on_rerouted(struct queue_thread *s, struct spool_op *op)
{
	struct resolving *r = op->arg;
	struct moves *m = &r->moves;
	bool ok = op->status == SPOOL_STORED;

	if (ok)
		moves_apply(s, m);
	for (unsigned i = 0; i < m->n && !ok; i++)
		queue_unclaim(s->queue, m->id, m->move[i].item.number, false);
	queue_resolved(s->queue, m->id, ok ? r->change : 0);
	list_remove(&r->node);
	hand_on(s, r);
	moves_fini(m);
	mem_free(r);
	spool_op_free(op);
}

/* Takes `m`. */
static void reroute(struct queue_thread *s, struct moves *m, uint64_t change)
{
	struct resolving *r = NEW(struct resolving);

	PH_ASSERT(resolving_of(s, m->id) == NULL); /* one plan at a time */
	*r = (struct resolving){.written = {on_rerouted}, .moves = *m,
	    .change = change};
	r->tail = &r->outcomes;
	list_push_back(&s->resolving, &r->node);
	for (unsigned i = 0; i < m->n; i++)
		queue_claim(s->queue, m->id, m->move[i].item.number);
	moves_post(s, moves_op(s, m), &r->written);
}

static bool waits_for_a_way(const struct delivery_ref *i)
{
	return i->state == D_QUEUED || i->state == D_DEFERRED ||
	       (i->state == D_PARKED && i->reason == WHY_NO_WAY);
}

/* A notice for which there was no way when it was made. What is parked for
 * another reason is an administrator's to send on. */
static bool is_stray(struct queue_thread *s, const struct plan_view *v,
    uint32_t rcpt)
{
	int none = names_find(s->shared->names, SLICE("none"));

	for (unsigned i = 0; i < v->n; i++)
		if (v->rows[i].item.rcpt == rcpt &&
		    v->rows[i].item.leg == none &&
		    waits_for_a_way(&v->rows[i].item))
			return true;
	return false;
}

static struct plan_wanted resolved_rcpt(const struct resolved_letter *l,
    uint32_t i)
{
	return (struct plan_wanted){.rcpt = i, .hash = l->rcpt[i].hash,
	    .word = {.known = true, .held = l->rcpt[i].held,
		.route = l->rcpt[i].route, .change = l->change},
	    .loops = l->rcpt[i].loops, .pinned = l->rcpt[i].pinned};
}

void reroute_resolved(struct queue_thread *s, struct resolved_letter *l)
{
	struct moves m;
	struct plan_view v;

	moves_init(&m, l->id, clock_wall_us(s->shared->clock));
	v = plan_view_of(s, &m);
	for (uint32_t i = 0; v.n != 0 && !l->failed && i < l->n; i++) {
		struct plan_wanted w = resolved_rcpt(l, i);

		if (!w.pinned || is_stray(s, &v, i))
			plan_rcpt(&v, &w);
	}
	if (m.n != 0) {
		reroute(s, &m, l->change);
	} else {
		queue_resolved(s->queue, l->id, l->failed ? 0 : l->change);
		moves_fini(&m);
	}
	mem_free(l);
}
