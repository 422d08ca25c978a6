/* SPDX-License-Identifier: ISC
 *
 * A changed route and the deliveries that are there: route_plan() says what
 * follows (doc/routing.md), here it is written down and then done. Queue
 * thread.
 */
#include "relay/daemon/settle_int.h"

static unsigned have_of(const struct queue_row *rows, unsigned n,
    uint32_t rcpt, struct plan_have *have)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n && k < PLAN_MAX; i++) {
		const struct queue_item *it = &rows[i].item;

		if (it->rcpt != rcpt)
			continue;
		have[k++] = (struct plan_have){.number = it->number,
		    .leg = it->leg, .role = it->role, .state = it->state,
		    .uncertain = it->uncertain, .claimed = rows[i].claimed,
		    .dsn_sent = (it->flags & DF_DSN_SENT) != 0,
		    .no_route = it->state == D_PARKED &&
				(it->reason == WHY_NO_ROUTE ||
				    it->reason == WHY_NO_WAY ||
				    it->reason == WHY_LOOP)};
	}
	return k;
}

static const struct queue_item *row_item(const struct queue_row *rows,
    unsigned n, uint32_t number)
{
	for (unsigned i = 0; i < n; i++)
		if (rows[i].item.number == number)
			return &rows[i].item;
	return NULL;
}

/* Held time never counts against the lifetime (D10): the moment it was held
 * stands in the due time, which a held delivery has no other use for. What
 * was parked begins a lifetime of its own, as after an administrator's retry:
 * else it would be over before it was tried. */
static void hold(struct queue_item *i, int64_t now_us)
{
	i->state = D_HELD;
	i->due_us = now_us;
}

static void release(struct queue_item *i, int64_t now_us)
{
	if (i->state == D_PARKED)
		i->created_us = now_us;
	else if (i->due_us > 0 && i->due_us < now_us)
		i->created_us += now_us - i->due_us;
	i->state = i->attempts == 0 ? D_QUEUED : D_DEFERRED;
	i->due_us = 0;
}

/* What a step makes of the delivery it names. */
static enum why step_item(const struct plan_step *st, struct queue_item *i,
    int64_t now_us)
{
	switch (st->what) {
	case PLAN_CREATE:
		i->state = st->state;
		if (i->state == D_HELD)
			hold(i, now_us);
		return WHY_ROUTE;
	case PLAN_SUPERSEDE:
		i->state = D_SUPERSEDED;
		return WHY_ROUTE;
	case PLAN_ROLE:
		i->role = st->role;
		if (i->state != D_HELD)
			i->due_us = 0;
		return WHY_ROUTE;
	case PLAN_HOLD:
		hold(i, now_us);
		return WHY_HOLD;
	case PLAN_RELEASE:
		release(i, now_us);
		return WHY_RELEASE;
	case PLAN_PARK:
		i->state = D_PARKED;
		return WHY_NO_ROUTE;
	}
	return WHY_NONE;
}

/* The delivery that a step names: as the steps before left it (one that is
 * released may have changed its role), else as it stands. */
static struct move *step_move(struct moves *m, const struct plan_step *st,
    const struct queue_item *old)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->move[i].item.number == st->number)
			return &m->move[i];
	return old == NULL ? NULL : settle_move(m, old);
}

static void add_step(struct moves *m, const struct resolved_letter *l,
    uint32_t rcpt, const struct plan_step *st, const struct queue_item *old)
{
	struct queue_item fresh = {.rcpt = rcpt, .leg = st->leg,
	    .role = st->role, .hash = l->rcpt[rcpt].hash,
	    .created_us = m->time_us};
	struct move *mv;

	if (st->what == PLAN_CREATE) {
		fresh.number = m->next_number++;
		mv = settle_move(m, &fresh);
	} else {
		mv = step_move(m, st, old);
	}
	if (mv == NULL)
		return;
	mv->item.change = l->change;
	mv->item.reason = (uint8_t)step_item(st, &mv->item, m->time_us);
	if (st->what == PLAN_PARK && l->rcpt[rcpt].loops)
		mv->item.reason = WHY_LOOP;
	if (st->what == PLAN_PARK && l->rcpt[rcpt].pinned)
		mv->item.reason = WHY_NO_WAY;
}

static void plan_rcpt(const struct queue_row *rows, unsigned n,
    const struct resolved_letter *l, uint32_t rcpt, struct moves *m)
{
	struct plan_have have[PLAN_MAX];
	struct plan_step step[PLAN_MAX];
	unsigned k = have_of(rows, n, rcpt, have);

	k = route_plan(&l->rcpt[rcpt].route, l->rcpt[rcpt].held, have, k, step);
	for (unsigned i = 0; i < k; i++)
		add_step(m, l, rcpt, &step[i],
		    row_item(rows, n, step[i].number));
}

/* Waits for the journal with what a changed route makes of a message. A new
 * delivery is started when the journal has it and not before: whoever reads
 * the message for it must find it there. Until then nobody else has what is
 * there in hand; if the journal refuses, nothing has happened. */
struct resolving {
	struct written written;
	struct moves moves;
	uint64_t change;
};

static void on_rerouted(struct settle *s, struct spool_op *op)
{
	struct resolving *r = op->arg;
	struct moves *m = &r->moves;
	bool ok = op->status == SPOOL_STORED;

	if (ok)
		settle_apply(s, m);
	for (unsigned i = 0; i < m->n && !ok; i++)
		queue_unclaim(s->queue, m->id, m->move[i].item.number, false);
	queue_resolved(s->queue, m->id, ok ? r->change : 0);
	settle_moves_fini(m);
	mem_free(r);
	spool_op_free(op);
}

/* Takes `m`. */
static void reroute(struct settle *s, struct moves *m, uint64_t change)
{
	struct resolving *r = NEW(struct resolving);

	*r = (struct resolving){{on_rerouted}, *m, change};
	for (unsigned i = 0; i < m->n; i++)
		queue_claim(s->queue, m->id, m->move[i].item.number);
	settle_post(s, settle_op(m), &r->written);
}

static bool waits_for_a_way(const struct queue_item *i)
{
	return i->state == D_QUEUED || i->state == D_DEFERRED ||
	       (i->state == D_PARKED && i->reason == WHY_NO_WAY);
}

/* A notice for which there was no way when it was made. What is parked for
 * another reason is an administrator's to send on. */
static bool is_stray(struct settle *s, const struct queue_row *rows,
    unsigned n, uint32_t rcpt)
{
	int none = names_find(s->app->names, SLICE("none"));

	for (unsigned i = 0; i < n; i++)
		if (rows[i].item.rcpt == rcpt && rows[i].item.leg == none &&
		    waits_for_a_way(&rows[i].item))
			return true;
	return false;
}

void settle_resolved(struct settle *s, struct resolved_letter *l)
{
	struct moves m;
	unsigned n;
	struct queue_row *rows = settle_rows(s, l->id, &n);

	settle_moves_init(&m, l->id, clock_wall_us(s->app->clock));
	if (n != 0)
		m.next_number = rows[n - 1].item.number + 1;
	for (uint32_t i = 0; n != 0 && !l->failed && i < l->n; i++)
		if (!l->rcpt[i].pinned || is_stray(s, rows, n, i))
			plan_rcpt(rows, n, l, i, &m);
	if (m.n != 0) {
		reroute(s, &m, l->change);
	} else {
		queue_resolved(s->queue, l->id, l->failed ? 0 : l->change);
		settle_moves_fini(&m);
	}
	mem_free(l);
}

/* Would the route, as it is by now, do something else with this delivery than
 * leave it alone? */
static bool rerouted(struct settle *s, const struct outcome_letter *o,
    unsigned k)
{
	struct plan_have have[PLAN_MAX];
	struct plan_step step[PLAN_MAX];
	uint32_t number = o->row[k].delivery.number;
	unsigned n;
	struct queue_row *rows = settle_rows(s, o->id, &n);

	n = have_of(rows, n, o->row[k].delivery.rcpt, have);
	for (unsigned i = 0; i < n; i++)
		if (have[i].number == number)
			have[i].claimed = false;
	n = route_plan(&o->row[k].route, o->row[k].held, have, n, step);
	for (unsigned i = 0; i < n; i++)
		if (step[i].what != PLAN_CREATE && step[i].number == number)
			return true;
	return false;
}

/* The plan runs before a failure is written down (doc/routing.md, 5). If the
 * delivery is to be held, to be superseded, or to be the primary that it was
 * not when it was sent, then nothing is settled: its DSN, if there is one, is
 * not the last word, and the message waits for its new routes. */
void settle_unsettle(struct settle *s, struct outcome_letter *o)
{
	bool open = false;

	for (unsigned k = 0; k < o->n && !open; k++)
		open = o->row[k].result.outcome == OUT_FAILED &&
		       o->row[k].routed && rerouted(s, o, k);
	for (unsigned k = 0; k < o->n && open; k++) {
		if (o->row[k].result.outcome != OUT_FAILED)
			continue;
		o->row[k].result.outcome = OUT_DEFERRED;
		o->row[k].told = 0;
	}
	if (open)
		queue_stale(s->queue, o->id);
}
