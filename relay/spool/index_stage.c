/* SPDX-License-Identifier: ISC
 *
 * The effect of each record on the live messages: staged as new versions, which
 * index_commit() makes the messages or index_drop() drops. The same functions
 * serve the writer and recovery.
 */
#include "relay/spool/spool_int.h"

/* Damage can lose what a total was counted up for: never below zero. */
static void less(uint64_t *total)
{
	if (*total > 0)
		--*total;
}

static void count(struct spool *s, const struct live_state *was,
    const struct live_state *is)
{
	uint64_t(*t)[TOTALS] = s->index.total_next;
	bool lived = was != NULL && dstate_live((enum dstate)was->state);

	live_flow_count(&s->index.flow_next[is->leg], lived,
	    dstate_live((enum dstate)is->state));
	if (was == NULL)
		t[is->leg][T_CREATED]++;
	else
		less(&t[was->leg][dstate_total(was->state)]);
	t[is->leg][dstate_total(is->state)]++;
}

static struct live_state state_of(const struct spool_delivery *d,
    int64_t ahead_us)
{
	return (struct live_state){.rcpt = d->rcpt, .leg = d->leg,
	    .role = d->role, .state = d->state, .uncertain = d->uncertain,
	    .tried = d->attempts > 0,
	    .due_us = d->due_us == 0 ? 0 : d->due_us + ahead_us};
}

static bool any_live(const struct version *v)
{
	for (unsigned i = 0; i < v->n; i++)
		if (dstate_live(v->d[i].state))
			return true;
	return false;
}

static void stage(struct spool *s, struct version *v)
{
	struct version *old = map_get(&s->index.staged, v->id);

	if (old != NULL) {
		list_remove(&old->node);
		version_free(old);
	}
	v->dead = !any_live(v);
	map_put(&s->index.staged, v->id, v);
	list_push_back(&s->index.versions, &v->node);
}

/* The bulk segments of a body. One that is gone is left out: the fetch will
 * say which. */
static void find_bulk(struct spool *s, struct version *v,
    const struct body_place *y)
{
	if (y->extents == 0)
		return;
	v->bulk = NEW_ARRAY(struct segment *, y->extents);
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < y->extents; i++) {
		struct segment *seg = segment_of(s, &y->extent[i]);

		if (seg == NULL)
			continue;
		if (v->bulks == 0 || v->bulk[v->bulks - 1] != seg)
			v->bulk[v->bulks++] = seg;
	}
	pthread_mutex_unlock(&s->lock);
}

/* Of format 1 nothing says how far steady time was ahead. */
static int64_t accept_ahead(struct spool *s, const struct record *rec,
    struct rec_place at)
{
	if (at.seg->format > 1)
		return rec->accept.ahead_us;
	return rec->type == REC_CARRY
	    ? s->steady.now_us - s->steady.wall_us
	    : steady_ahead_us(s, rec->accept.accepted_us);
}

/* For those who look for a message that is over: a segment is read only if it
 * may name its id. */
static void seen(struct spool *s, struct rec_place at, uint64_t id)
{
	struct index *x = &s->index;

	x->seen_in = at.seg;
	if (x->seen_min == 0 || id < x->seen_min)
		x->seen_min = id;
	if (id > x->seen_max)
		x->seen_max = id;
}

static struct version *by_accept(struct spool *s, const struct record *rec,
    struct rec_place at, int64_t ahead_us)
{
	const struct rec_accept *a = &rec->accept;
	struct version *v = version_new(a->id, a->deliveries);

	v->seg = at.seg;
	v->rec = at.off;
	v->rec_bytes = at.bytes;
	v->body_bytes = a->body.bytes;
	for (unsigned i = 0; i < a->deliveries; i++)
		v->d[i] = state_of(&a->delivery[i], ahead_us);
	find_bulk(s, v, &a->body);
	return v;
}

/* The main segment of that generation; NULL: there is none. */
static struct segment *main_of(struct spool *s, uint64_t generation)
{
	struct segment *found = NULL;

	pthread_mutex_lock(&s->lock);
	list_each(n, &s->mains) {
		struct segment *seg = LIST_ENTRY(n, struct segment, node);

		if (seg->generation == generation)
			found = seg;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* It stands where it stood; the states of its deliveries are here. */
static struct version *by_revive(struct spool *s, const struct record *rec,
    struct rec_place at)
{
	struct segment *seg = main_of(s, rec->revive.generation);
	struct version *v;

	if (seg == NULL)
		return NULL;
	v = by_accept(s, rec, at, rec->accept.ahead_us);
	v->seg = seg;
	v->rec = rec->revive.off;
	v->rec_bytes = rec->revive.bytes;
	for (unsigned i = 0; i < v->n; i++) {
		v->d[i].slot = at.seg->slot;
		v->d[i].rec = at.off;
	}
	return v;
}

struct version *version_of(struct spool *s, const struct record *rec,
    struct rec_place at)
{
	return rec->type == REC_REVIVE
	    ? by_revive(s, rec, at)
	    : by_accept(s, rec, at, rec->accept.ahead_us);
}

void index_stage_accept(struct spool *s, const struct record *rec,
    struct rec_place at)
{
	const struct rec_accept *a = &rec->accept;
	bool known = index_has(s, a->id);
	int64_t ahead_us = accept_ahead(s, rec, at);
	struct version *v = by_accept(s, rec, at, ahead_us);

	for (unsigned i = 0; i < v->n && !known; i++)
		count(s, NULL, &v->d[i]);
	v->time_us = s->steady.now_us;
	seen(s, at, a->id);
	summarize_accept(s, a, v, ahead_us);
	stage(s, v);
}

/* The deliveries that are over were counted when they were made. */
bool index_stage_revive(struct spool *s, const struct record *rec,
    struct rec_place at)
{
	struct version *v = NULL;

	if (!index_has(s, rec->accept.id))
		v = by_revive(s, rec, at);
	if (v == NULL)
		return false;
	for (unsigned i = rec->revive.old; i < v->n; i++)
		count(s, NULL, &v->d[i]);
	v->time_us = s->steady.now_us;
	seen(s, at, v->id);
	summarize_accept(s, &rec->accept, v, rec->accept.ahead_us);
	stage(s, v);
	return true;
}

static unsigned created_by(unsigned n, const struct rec_update *u)
{
	for (unsigned i = 0; i < u->updates; i++)
		if (u->update[i].delivery == n)
			n++;
	return n;
}

struct version *version_dup(const struct version *was, unsigned room)
{
	struct version *v = version_new(was->id, room);

	v->n = was->n;
	v->seg = was->seg;
	v->rec = was->rec;
	v->rec_bytes = was->rec_bytes;
	v->body_bytes = was->body_bytes;
	v->bulks = was->bulks;
	v->bulk = was->bulks == 0 ? NULL :
	    mem_dup(was->bulk, was->bulks * sizeof(was->bulk[0]));
	memcpy(v->d, was->d, was->n * sizeof(was->d[0]));
	return v;
}

static struct version *staged_dup(const struct version *was,
    const struct rec_update *u)
{
	return version_dup(was, created_by(was->n, u));
}

/* A copy with room for what the update creates; NULL: not live. */
static struct version *to_change(struct spool *s, const struct rec_update *u)
{
	const struct version *staged = map_get(&s->index.staged, u->id);
	uint32_t number;
	unsigned n;

	if (staged != NULL)
		return staged->dead ? NULL : staged_dup(staged, u);
	number = live_find(&s->index.table, u->id);
	if (number == 0)
		return NULL;
	n = live_count(&s->index.table, number);
	return index_unpack(s, number, created_by(n, u) - n);
}

struct version *version_after(const struct version *was,
    const struct rec_update *u, struct rec_place at)
{
	struct version *v = staged_dup(was, u);

	for (unsigned i = 0; i < u->updates; i++) {
		const struct spool_update *up = &u->update[i];

		if (up->delivery > v->n)
			continue;
		v->n += up->delivery == v->n;
		v->d[up->delivery] = state_of(&up->to, u->ahead_us);
		v->d[up->delivery].slot = at.seg->slot;
		v->d[up->delivery].rec = at.off;
	}
	v->dead = !any_live(v);
	return v;
}

/* One move; returns the old state. */
static uint8_t move(struct spool *s, struct version *v, unsigned number,
    const struct live_state *to)
{
	uint8_t was = D_NONE;

	if (number > v->n)
		return UPDATE_IGNORED;
	if (number == v->n) {
		count(s, NULL, to);
		v->n++;
	} else {
		was = v->d[number].state;
		count(s, &v->d[number], to);
	}
	v->d[number] = *to;
	return was;
}

bool index_stage_update(struct spool *s, struct rec_update *u,
    struct rec_place at)
{
	struct version *v = to_change(s, u);
	int64_t ahead_us = at.seg->format > 1 ? u->ahead_us :
	    steady_ahead_us(s, u->time_us);

	if (v == NULL)
		return false;
	for (unsigned i = 0; i < u->updates; i++) {
		struct live_state to = state_of(&u->update[i].to, ahead_us);

		to.slot = at.seg->slot;
		to.rec = at.off;
		u->old_state[i] = move(s, v, u->update[i].delivery, &to);
	}
	v->time_us = s->steady.now_us;
	seen(s, at, u->id);
	summarize_update(s, u, at, ahead_us);
	stage(s, v);
	return true;
}

/* ---- by the rows of a summary ---- */

static void take_extents(struct spool *s, struct version *v,
    const struct message_row *row)
{
	struct body_place y = {.extent = row->extent,
	    .extents = row->extents};

	find_bulk(s, v, &y);
}

struct version *version_of_row(struct spool *s, struct segment *home,
    const struct message_row *row)
{
	struct segment *seg = row->generation == home->generation ? home :
	    main_of(s, row->generation);
	struct version *v;

	if (seg == NULL)
		return NULL;
	v = version_new(row->id, row->deliveries);
	v->seg = seg;
	v->rec = row->rec;
	v->rec_bytes = row->rec_bytes;
	v->body_bytes = row->body_bytes;
	for (unsigned i = 0; i < v->n; i++)
		v->d[i] = state_of_row(row, i);
	take_extents(s, v, row);
	v->dead = !any_live(v);
	v->time_us = row->over_us;
	return v;
}

struct version *version_after_row(const struct version *was,
    const struct message_row *row)
{
	unsigned n = was->n;
	struct version *v;

	for (unsigned i = 0; i < row->deliveries; i++)
		n += row->place[i].number == n;
	v = version_dup(was, n);
	for (unsigned i = 0; i < row->deliveries; i++) {
		uint32_t number = row->place[i].number;

		if (number > v->n)
			continue;
		v->n += number == v->n;
		v->d[number] = state_of_row(row, i);
	}
	v->dead = !any_live(v);
	v->time_us = row->over_us;
	return v;
}

bool row_lives(const struct message_row *row)
{
	for (unsigned i = 0; i < row->deliveries; i++)
		if (dstate_live(row->delivery[i].state))
			return true;
	return false;
}

bool index_may_take(const struct spool *s, const struct message_row *row,
    uint64_t end)
{
	if (row->rec_bytes >> REC_BITS != 0 ||
	    row->body_bytes >> BODY_BITS != 0 ||
	    (uint64_t)row->rec + row->rec_bytes > end)
		return false;
	for (unsigned i = 0; i < row->deliveries; i++) {
		const struct row_place *at = &row->place[i];

		if (at->rec != 0 &&
		    (at->slot >= s->segs || s->seg[at->slot] == NULL))
			return false;
	}
	return true;
}

void index_take_row(struct spool *s, struct segment *home,
    const struct message_row *row)
{
	struct version *was = row->whole ? NULL : index_copy(s, row->id);
	struct version *v = NULL;

	if (row->whole)
		v = version_of_row(s, home, row);
	else if (was != NULL)
		v = version_after_row(was, row);
	if (v != NULL)
		index_put(s, v);
	version_free(v);
	version_free(was);
}
