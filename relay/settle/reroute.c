/* SPDX-License-Identifier: ISC
 *
 * A changed route and the deliveries that are there: route_plan() says what
 * follows (doc/routing.md), here it is written down and then done. Queue
 * thread.
 */
#include "relay/settle/queue_thread_int.h"

/* What takes part in a plan: the rows of a message as the queue has them, and
 * what an earlier plan of the same record makes of them. */
struct view {
	const struct queue_row *rows;
	unsigned n;
	struct moves *m;
};

static struct plan_have have_of(const struct queue_item *it, bool claimed)
{
	return (struct plan_have){.number = it->number, .leg = it->leg,
	    .role = it->role, .state = it->state, .uncertain = it->uncertain,
	    .claimed = claimed, .dsn_sent = (it->flags & DF_DSN_SENT) != 0,
	    .no_route = it->state == D_PARKED &&
			(it->reason == WHY_NO_ROUTE ||
			    it->reason == WHY_NO_WAY ||
			    it->reason == WHY_LOOP)};
}

static struct move *moved(struct moves *m, uint32_t number)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->move[i].item.number == number)
			return &m->move[i];
	return NULL;
}

/* Superseded ones stand for nothing. They are left out because there may be
 * many: one for each flip while the message waited. */
static unsigned haves(const struct view *v, uint32_t rcpt,
    struct plan_have have[PLAN_MAX])
{
	uint32_t next = v->n == 0 ? 0 : v->rows[v->n - 1].item.number + 1;
	unsigned k = 0;

	for (unsigned i = 0; i < v->n + v->m->n && k < PLAN_MAX; i++) {
		bool old = i < v->n;
		const struct queue_item *it = old ? &v->rows[i].item :
			&v->m->move[i - v->n].item;
		const struct move *mv;

		if (it->rcpt != rcpt || (!old && it->number < next))
			continue;
		mv = old ? moved(v->m, it->number) : NULL;
		if (mv != NULL)
			it = &mv->item;
		if (it->state != D_SUPERSEDED)
			have[k++] = have_of(it, old && v->rows[i].claimed);
	}
	return k;
}

static const struct queue_item *row_item(const struct view *v, uint32_t number)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->rows[i].item.number == number)
			return &v->rows[i].item;
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
static struct move *step_move(const struct view *v, const struct plan_step *st)
{
	struct move *mv = moved(v->m, st->number);
	const struct queue_item *old = row_item(v, st->number);

	return mv != NULL || old == NULL ? mv : settle_move(v->m, old);
}

/* What is to be planned for one recipient. */
struct wanted {
	uint32_t rcpt;
	uint64_t hash;
	struct table_word word;
	bool loops;  /* the route names legs, but all had the message */
	bool pinned; /* the leg was chosen once: doc/routing.md, 9 */
};

static void add_step(const struct view *v, const struct wanted *w,
    const struct plan_step *st)
{
	struct queue_item fresh = {.rcpt = w->rcpt, .leg = st->leg,
	    .role = st->role, .hash = w->hash, .created_us = v->m->time_us};
	struct move *mv;

	if (st->what == PLAN_CREATE) {
		fresh.number = v->m->next_number++;
		mv = settle_move(v->m, &fresh);
	} else {
		mv = step_move(v, st);
	}
	if (mv == NULL)
		return;
	mv->item.change = w->word.change;
	mv->item.reason = (uint8_t)step_item(st, &mv->item, v->m->time_us);
	if (st->what == PLAN_PARK && w->loops)
		mv->item.reason = WHY_LOOP;
	if (st->what == PLAN_PARK && w->pinned)
		mv->item.reason = WHY_NO_WAY;
}

static void plan_rcpt(const struct view *v, const struct wanted *w)
{
	struct plan_have have[PLAN_MAX];
	struct plan_step step[PLAN_MAX];
	unsigned k = haves(v, w->rcpt, have);

	k = route_plan(&w->word.route, w->word.held, have, k, step);
	for (unsigned i = 0; i < k; i++)
		add_step(v, w, &step[i]);
}

static struct view view_of(struct settle *s, struct moves *m)
{
	struct view v = {.m = m};

	v.rows = settle_rows(s, m->id, &v.n);
	if (v.n != 0)
		m->next_number = v.rows[v.n - 1].item.number + 1;
	return v;
}

/* ---- a resolved message ---- */

/* Waits for the journal with what a changed route makes of a message. A new
 * delivery is started when the journal has it and not before: whoever reads
 * the message for it must find it there. Until then nobody else has what is
 * there in hand; if the journal refuses, nothing has happened. An outcome for
 * the message waits too, since what it creates has the next numbers. */
struct resolving {
	struct written written;
	struct list node; /* of settle.resolving */
	struct moves moves;
	uint64_t change;
	struct letter *outcomes, **tail;
};

static struct resolving *resolving_of(struct settle *s, uint64_t id)
{
	list_each(n, &s->resolving) {
		struct resolving *r = LIST_ENTRY(n, struct resolving, node);

		if (r->moves.id == id)
			return r;
	}
	return NULL;
}

bool settle_outcome_waits(struct settle *s, struct outcome_letter *o)
{
	struct resolving *r = resolving_of(s, o->id);

	if (r == NULL || atomic_load(&s->stop))
		return false;
	o->letter.next = NULL;
	*r->tail = &o->letter;
	r->tail = &o->letter.next;
	return true;
}

static void take_outcomes(struct settle *s, struct letter *l)
{
	struct letter *next;

	for (; l != NULL; l = next) {
		next = l->next;
		settle_outcome(s, (struct outcome_letter *)l);
	}
}

static void hand_on(struct settle *s, struct resolving *r)
{
	struct letter *l = r->outcomes;

	r->outcomes = NULL;
	r->tail = &r->outcomes;
	take_outcomes(s, l);
}

void settle_resolving_end(struct settle *s)
{
	list_each(n, &s->resolving)
		hand_on(s, LIST_ENTRY(n, struct resolving, node));
}

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
	list_remove(&r->node);
	hand_on(s, r);
	settle_moves_fini(m);
	mem_free(r);
	spool_op_free(op);
}

/* Takes `m`. */
static void reroute(struct settle *s, struct moves *m, uint64_t change)
{
	struct resolving *r = NEW(struct resolving);

	*r = (struct resolving){.written = {on_rerouted}, .moves = *m,
	    .change = change};
	r->tail = &r->outcomes;
	list_push_back(&s->resolving, &r->node);
	for (unsigned i = 0; i < m->n; i++)
		queue_claim(s->queue, m->id, m->move[i].item.number);
	settle_post(s, settle_op(s, m), &r->written);
}

static bool waits_for_a_way(const struct queue_item *i)
{
	return i->state == D_QUEUED || i->state == D_DEFERRED ||
	       (i->state == D_PARKED && i->reason == WHY_NO_WAY);
}

/* A notice for which there was no way when it was made. What is parked for
 * another reason is an administrator's to send on. */
static bool is_stray(struct settle *s, const struct view *v, uint32_t rcpt)
{
	int none = names_find(s->app->names, SLICE("none"));

	for (unsigned i = 0; i < v->n; i++)
		if (v->rows[i].item.rcpt == rcpt &&
		    v->rows[i].item.leg == none &&
		    waits_for_a_way(&v->rows[i].item))
			return true;
	return false;
}

static struct wanted resolved_rcpt(const struct resolved_letter *l, uint32_t i)
{
	return (struct wanted){.rcpt = i, .hash = l->rcpt[i].hash,
	    .word = {.known = true, .held = l->rcpt[i].held,
		.route = l->rcpt[i].route, .change = l->change},
	    .loops = l->rcpt[i].loops, .pinned = l->rcpt[i].pinned};
}

void settle_resolved(struct settle *s, struct resolved_letter *l)
{
	struct moves m;
	struct view v;

	settle_moves_init(&m, l->id, clock_wall_us(s->app->clock));
	v = view_of(s, &m);
	for (uint32_t i = 0; v.n != 0 && !l->failed && i < l->n; i++) {
		struct wanted w = resolved_rcpt(l, i);

		if (!w.pinned || is_stray(s, &v, i))
			plan_rcpt(&v, &w);
	}
	if (m.n != 0) {
		reroute(s, &m, l->change);
	} else {
		queue_resolved(s->queue, l->id, l->failed ? 0 : l->change);
		settle_moves_fini(&m);
	}
	mem_free(l);
}

/* ---- the end of an attempt ---- */

static bool is_newer(const struct table_word *word,
    const struct queue_item *item)
{
	return word->known && word->change > item->change;
}

/* The plan at one of the attempt's look-ups, the attempt still under way. */
static void plan_word(const struct view *v, const struct queue_item *item,
    const struct table_word *word)
{
	struct wanted w = {.rcpt = item->rcpt, .hash = item->hash,
	    .word = *word};

	if (is_newer(word, item))
		plan_rcpt(v, &w);
}

/* Does each leg that the attempt's route names have its delivery? */
static bool all_there(const struct view *v, const struct queue_item *item,
    const struct table_word *word)
{
	struct plan_have have[PLAN_MAX];
	unsigned n = haves(v, item->rcpt, have);

	return !word->known || route_served(&word->route, have, n);
}

/* As a rule the queue has planned by the change that the attempt was made
 * under, and there was none since. */
static bool has_news(struct settle *s, const struct outcome_letter *o)
{
	struct queue_item item;

	for (unsigned k = 0; k < o->n; k++)
		if (queue_get(s->queue, o->id, o->row[k].delivery.number,
			&item) &&
		    (is_newer(&o->row[k].began, &item) ||
			is_newer(&o->row[k].ended, &item)))
			return true;
	return false;
}

void settle_plan(struct settle *s, struct outcome_letter *o, struct moves *m)
{
	struct view v;
	bool waits = resolving_of(s, o->id) != NULL; /* at a stop */

	if (!has_news(s, o))
		return;
	v = view_of(s, m);
	for (unsigned k = 0; k < o->n; k++) {
		const struct queue_item *item =
		    row_item(&v, o->row[k].delivery.number);
		const struct table_word *began = &o->row[k].began;

		if (item == NULL || waits || !settle_said(o, k))
			continue;
		plan_word(&v, item, began);
		o->row[k].bears = all_there(&v, item, began);
		plan_word(&v, item, &o->row[k].ended);
	}
}

/* Would the route, as it is by now, do something else with this delivery than
 * leave it alone? */
static bool rerouted(struct settle *s, const struct outcome_letter *o,
    unsigned k)
{
	struct plan_have have[PLAN_MAX];
	struct plan_step step[PLAN_MAX];
	const struct table_word *word = &o->row[k].ended;
	uint32_t number = o->row[k].delivery.number;
	struct moves none = {.id = o->id};
	struct view v = view_of(s, &none);
	unsigned n = haves(&v, o->row[k].delivery.rcpt, have);

	for (unsigned i = 0; i < n; i++)
		if (have[i].number == number)
			have[i].claimed = false;
	n = route_plan(&word->route, word->held, have, n, step);
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
		       o->row[k].ended.known && rerouted(s, o, k);
	for (unsigned k = 0; k < o->n && open; k++) {
		if (o->row[k].result.outcome != OUT_FAILED)
			continue;
		o->row[k].result.outcome = OUT_DEFERRED;
		o->row[k].told = 0;
	}
	if (open)
		queue_stale(s->queue, o->id);
}
