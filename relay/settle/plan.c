/* SPDX-License-Identifier: ISC
 *
 * Turns the routes of a message's recipients into moves: route_plan() says
 * what follows (doc/routing.md). Queue thread.
 */
#include "relay/settle/queue_thread_int.h"

static struct plan_have have_of(const struct delivery_ref *it, bool claimed)
{
	return (struct plan_have){.number = it->number, .leg = it->leg,
	    .role = it->role, .state = it->state, .uncertain = it->uncertain,
	    .claimed = claimed, .pinned = (it->flags & DF_PINNED) != 0,
	    .dsn_sent = (it->flags & DF_DSN_SENT) != 0,
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
static unsigned haves(const struct plan_view *v, uint32_t rcpt,
    struct plan_have have[PLAN_MAX])
{
	uint32_t next = v->n == 0 ? 0 : v->rows[v->n - 1].item.number + 1;
	unsigned k = 0;

	for (unsigned i = 0; i < v->n + v->m->n && k < PLAN_MAX; i++) {
		bool old = i < v->n;
		const struct delivery_ref *it = old ? &v->rows[i].item :
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

static const struct delivery_ref *row_item(const struct plan_view *v,
    uint32_t number)
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
static void hold(struct delivery_ref *i, int64_t now_us)
{
	i->state = D_HELD;
	i->due_us = now_us;
}

static void release(struct delivery_ref *i, int64_t now_us)
{
	if (i->state == D_PARKED)
		i->created_us = now_us;
	else if (i->due_us > 0 && i->due_us < now_us)
		i->created_us += now_us - i->due_us;
	i->state = i->attempts == 0 ? D_QUEUED : D_DEFERRED;
	i->due_us = 0;
}

/* Applies a step to the delivery that it names. */
static enum why step_item(const struct plan_step *st, struct delivery_ref *i,
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
static struct move *step_move(const struct plan_view *v,
    const struct plan_step *st)
{
	struct move *mv = moved(v->m, st->number);
	const struct delivery_ref *old = row_item(v, st->number);

	return mv != NULL || old == NULL ? mv : moves_add(v->m, old);
}

static void add_step(const struct plan_view *v, const struct plan_wanted *w,
    const struct plan_step *st)
{
	struct delivery_ref fresh = {.rcpt = w->rcpt, .leg = st->leg,
	    .role = st->role, .hash = w->hash, .created_us = v->m->time_us};
	struct move *mv;

	if (st->what == PLAN_CREATE) {
		fresh.number = v->m->next_number++;
		mv = moves_add(v->m, &fresh);
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

void plan_rcpt(const struct plan_view *v, const struct plan_wanted *w)
{
	struct plan_have have[PLAN_MAX];
	struct plan_step step[PLAN_MAX];
	unsigned k = haves(v, w->rcpt, have);

	k = route_plan(&w->word.route, w->word.held, have, k, step);
	for (unsigned i = 0; i < k; i++)
		add_step(v, w, &step[i]);
}

struct plan_view plan_view_of(struct queue_thread *s, struct moves *m)
{
	struct plan_view v = {.m = m};

	v.rows = moves_rows(s, m->id, &v.n);
	if (v.n != 0)
		m->next_number = v.rows[v.n - 1].item.number + 1;
	return v;
}

/* ---- the end of an attempt ---- */

/* Of a delay only whether the sender is to be told, or never. */
bool plan_records(const struct outcome_letter *o, unsigned k)
{
	enum outcome said = o->row[k].result.outcome;

	if (o->why == WHY_LATE)
		return o->row[k].told != 0 || o->row[k].silent;
	return said != OUT_UNTRIED &&
	       (o->why == WHY_ATTEMPT || said == OUT_FAILED);
}

static bool is_newer(const struct table_word *word,
    const struct delivery_ref *item)
{
	return word->known && word->change > item->change;
}

/* The plan at one of the attempt's look-ups, the attempt still under way. */
static void plan_word(const struct plan_view *v,
    const struct delivery_ref *item, const struct table_word *word)
{
	struct plan_wanted w = {.rcpt = item->rcpt, .hash = item->hash,
	    .word = *word};

	if (is_newer(word, item))
		plan_rcpt(v, &w);
}

/* Does each leg that the attempt's route names have its delivery? */
static bool all_there(const struct plan_view *v,
    const struct delivery_ref *item, const struct table_word *word)
{
	struct plan_have have[PLAN_MAX];
	unsigned n = haves(v, item->rcpt, have);

	return !word->known || route_served(&word->route, have, n);
}

/* As a rule the queue has planned by the change that the attempt was made
 * under, and there was none since. */
static bool has_news(struct queue_thread *s, const struct outcome_letter *o)
{
	struct delivery_ref item;

	for (unsigned k = 0; k < o->n; k++)
		if (queue_get(s->queue, o->id, o->row[k].delivery.number,
			&item) &&
		    (is_newer(&o->row[k].began, &item) ||
			is_newer(&o->row[k].ended, &item)))
			return true;
	return false;
}

void plan_outcome(struct queue_thread *s, struct outcome_letter *o,
    struct moves *m)
{
	struct plan_view v;
	bool waits = reroute_waits(s, o->id); /* at a stop */

	if (!has_news(s, o))
		return;
	v = plan_view_of(s, m);
	for (unsigned k = 0; k < o->n; k++) {
		const struct delivery_ref *item =
		    row_item(&v, o->row[k].delivery.number);
		const struct table_word *began = &o->row[k].began;

		if (item == NULL || waits || !plan_records(o, k))
			continue;
		plan_word(&v, item, began);
		o->row[k].bears = all_there(&v, item, began);
		plan_word(&v, item, &o->row[k].ended);
	}
}

/* Would the route, as it is by now, do something else with this delivery than
 * leave it alone? */
static bool rerouted(struct queue_thread *s, const struct outcome_letter *o,
    unsigned k)
{
	struct plan_have have[PLAN_MAX];
	struct plan_step step[PLAN_MAX];
	const struct table_word *word = &o->row[k].ended;
	uint32_t number = o->row[k].delivery.number;
	struct moves none = {.id = o->id};
	struct plan_view v = plan_view_of(s, &none);
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
void plan_unsettle(struct queue_thread *s, struct outcome_letter *o)
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
