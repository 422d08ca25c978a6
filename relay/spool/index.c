/* SPDX-License-Identifier: ISC
 *
 * The live messages in memory: where each was last written, what state its
 * deliveries are in, where the last reply of each stands. The same functions
 * serve the writer and recovery: what a record does is said once.
 *
 * A batch is staged as new versions beside the present ones. Fetches see a
 * version only when its batch is synced; a batch that fails leaves nothing.
 */
#include "relay/spool/spool_int.h"

#include "relay/base/assert.h"

struct bulk_refs {
	unsigned n;
	struct segment *seg[];
};

void index_init(struct spool *s)
{
	live_table_init(&s->index.table);
	map_init(&s->index.bulk);
	map_init(&s->index.staged);
	list_init(&s->index.versions);
}

void version_free(struct version *v)
{
	if (v == NULL)
		return;
	mem_free(v->bulk);
	mem_free(v);
}

void index_fini(struct spool *s)
{
	size_t at = 0;
	void *p;

	list_each_safe(n, &s->index.versions)
		version_free(LIST_ENTRY(n, struct version, node));
	while ((p = map_next(&s->index.bulk, &at, NULL)) != NULL)
		mem_free(p);
	map_fini(&s->index.bulk);
	map_fini(&s->index.staged);
	live_table_fini(&s->index.table);
}

static struct version *version_new(uint64_t id, unsigned n)
{
	struct version *v =
	    mem_new(sizeof(*v) + n * sizeof(struct live_state));

	v->id = id;
	v->n = n;
	list_node_init(&v->node);
	return v;
}

struct segment **index_bulk(const struct spool *s, uint64_t id,
    unsigned *n_out)
{
	struct bulk_refs *refs = map_get(&s->index.bulk, id);

	*n_out = refs == NULL ? 0 : refs->n;
	return refs == NULL ? NULL : refs->seg;
}

static struct version *unpack(struct spool *s, uint32_t number, unsigned extra)
{
	const struct live_table *t = &s->index.table;
	const struct live *m = live_at(t, number);
	unsigned n = live_count(t, number), bulks;
	struct segment **bulk = index_bulk(s, m->id, &bulks);
	struct version *v = version_new(m->id, n + extra);

	v->n = n;
	v->seg = s->seg[m->slot];
	v->rec = m->rec;
	v->rec_bytes = (uint32_t)m->rec_bytes;
	v->body_bytes = (uint32_t)m->body_bytes;
	v->bulks = bulks;
	v->bulk = bulks == 0 ? NULL : mem_dup(bulk, bulks * sizeof(*bulk));
	live_get(t, number, v->d);
	return v;
}

struct version *index_copy(struct spool *s, uint64_t id)
{
	uint32_t number = live_find(&s->index.table, id);

	return number == 0 ? NULL : unpack(s, number, 0);
}

bool index_staged(struct spool *s, uint64_t id)
{
	return map_get(&s->index.staged, id) != NULL;
}

bool index_has(struct spool *s, uint64_t id)
{
	const struct version *v = map_get(&s->index.staged, id);

	return v != NULL ? !v->dead : live_find(&s->index.table, id) != 0;
}

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

void index_stage_accept(struct spool *s, const struct record *rec,
    struct rec_place at)
{
	const struct rec_accept *a = &rec->accept;
	int64_t ahead_us = accept_ahead(s, rec, at);
	bool known = index_has(s, a->id);
	struct version *v = version_new(a->id, a->deliveries);

	v->seg = at.seg;
	v->rec = at.off;
	v->rec_bytes = at.bytes;
	v->body_bytes = a->body.bytes;
	v->time_us = s->steady.now_us;
	for (unsigned i = 0; i < a->deliveries; i++) {
		v->d[i] = state_of(&a->delivery[i], ahead_us);
		if (!known)
			count(s, NULL, &v->d[i]);
	}
	find_bulk(s, v, &a->body);
	stage(s, v);
}

static unsigned created_by(unsigned n, const struct rec_update *u)
{
	for (unsigned i = 0; i < u->updates; i++)
		if (u->update[i].delivery == n)
			n++;
	return n;
}

static struct version *staged_dup(const struct version *was,
    const struct rec_update *u)
{
	struct version *v =
	    version_new(was->id, created_by(was->n, u));

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
	return unpack(s, number, created_by(n, u) - n);
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
		const struct spool_update *up = &u->update[i];
		struct live_state to = state_of(&up->to, ahead_us);

		u->old_state[i] = UPDATE_IGNORED;
		if (up->delivery > v->n)
			continue;
		to.slot = at.seg->slot;
		to.rec = at.off;
		if (up->delivery == v->n) {
			u->old_state[i] = D_NONE;
			count(s, NULL, &to);
			v->n++;
		} else {
			u->old_state[i] = v->d[up->delivery].state;
			count(s, &v->d[up->delivery], &to);
		}
		v->d[up->delivery] = to;
	}
	v->time_us = s->steady.now_us;
	stage(s, v);
	return true;
}

static void leave(struct spool *s, const struct live *m)
{
	struct segment *seg = s->seg[m->slot];
	uint64_t bytes = (uint64_t)m->rec_bytes + m->body_bytes;
	unsigned n;
	struct segment **bulk = index_bulk(s, m->id, &n);

	PH_ASSERT(seg->live_bytes >= bytes);
	PH_ASSERT(s->index.live_bytes >= bytes);
	seg->live_bytes -= bytes;
	s->index.live_bytes -= bytes;
	for (unsigned i = 0; i < n; i++) {
		PH_ASSERT(bulk[i]->refs > 0);
		bulk[i]->refs--;
	}
}

static void enter(struct spool *s, const struct version *v)
{
	uint64_t bytes = (uint64_t)v->rec_bytes + v->body_bytes;

	PH_ASSERT(v->seg->state == SEG_MAIN && !v->dead);
	v->seg->live_bytes += bytes;
	s->index.live_bytes += bytes;
	for (unsigned i = 0; i < v->bulks; i++)
		v->bulk[i]->refs++;
}

static void keep_bulk(struct spool *s, const struct version *v)
{
	struct bulk_refs *refs = NULL;

	mem_free(map_remove(&s->index.bulk, v->id));
	if (v->bulks == 0)
		return;
	refs = mem_new(sizeof(*refs) + v->bulks * sizeof(refs->seg[0]));
	refs->n = v->bulks;
	memcpy(refs->seg, v->bulk, v->bulks * sizeof(refs->seg[0]));
	map_put(&s->index.bulk, v->id, refs);
}

static void retain(struct spool *s, const struct version *v)
{
	int64_t until = v->time_us + atomic_load(&s->retain_us);

	if (until > v->seg->retain_until_us)
		v->seg->retain_until_us = until;
	for (unsigned i = 0; i < v->bulks; i++)
		if (until > v->bulk[i]->retain_until_us)
			v->bulk[i]->retain_until_us = until;
}

/* The message becomes the version. */
static void settle(struct spool *s, const struct version *v)
{
	struct live_table *t = &s->index.table;
	uint32_t number = live_find(t, v->id);
	bool moved = number == 0;
	struct live *m;

	if (number != 0) {
		m = live_at(t, number);
		moved = m->slot != v->seg->slot || m->rec != v->rec;
		leave(s, m);
		if (moved)
			live_list_drop(t, &s->seg[m->slot]->live, number);
	} else {
		number = live_add(t, v->id);
		s->index.messages++;
	}
	m = live_at(t, number);
	m->slot = v->seg->slot;
	m->rec = v->rec;
	m->rec_bytes = v->rec_bytes;
	m->body_bytes = v->body_bytes;
	live_put(t, number, v->d, v->n);
	keep_bulk(s, v);
	enter(s, v);
	if (moved)
		live_list_push(t, &v->seg->live, number);
}

/* It is over. */
static void bury(struct spool *s, const struct version *v)
{
	struct live_table *t = &s->index.table;
	uint32_t number = live_find(t, v->id);
	struct live *m;

	retain(s, v);
	if (number == 0)
		return; /* it came and went in one batch */
	m = live_at(t, number);
	leave(s, m);
	live_list_drop(t, &s->seg[m->slot]->live, number);
	mem_free(map_remove(&s->index.bulk, v->id));
	live_remove(t, number);
	PH_ASSERT(s->index.messages > 0);
	s->index.messages--;
}

static void unstage(struct spool *s, struct version *v)
{
	list_remove(&v->node);
	map_remove(&s->index.staged, v->id);
	version_free(v);
}

void index_commit(struct spool *s)
{
	list_each_safe(n, &s->index.versions) {
		struct version *v = LIST_ENTRY(n, struct version, node);

		if (v->dead)
			bury(s, v);
		else
			settle(s, v);
		unstage(s, v);
	}
	memcpy(s->index.total, s->index.total_next, sizeof(s->index.total));
}

void index_drop(struct spool *s)
{
	list_each_safe(n, &s->index.versions)
		unstage(s, LIST_ENTRY(n, struct version, node));
	memcpy(s->index.total_next, s->index.total, sizeof(s->index.total));
}

/* One that was tried before is under way again only when it is due. */
static bool may_fly(const struct live_state *d, int64_t now_us)
{
	bool waits = d->state == D_QUEUED || d->state == D_DEFERRED;

	return dstate_open(d->state) &&
	       (!d->tried || (waits && d->due_us <= now_us));
}

void index_mark_uncertain(struct spool *s)
{
	struct live_table *t = &s->index.table;
	uint32_t at = 0, number;

	while ((number = live_next(t, &at)) != 0)
		for (uint32_t i = live_at(t, number)->first; i != 0;) {
			struct live_delivery *d = live_delivery_at(t, i);
			struct live_state state = live_state_of(d);

			if (may_fly(&state, s->steady.now_us) &&
			    d->uncertain == UNC_NO)
				d->uncertain = UNC_POSSIBLE;
			i = d->next;
		}
}

static void mark_restored(struct live_delivery *d, int64_t now_us)
{
	struct live_state state = live_state_of(d);

	if (!dstate_open(state.state))
		return;
	if (state.uncertain == UNC_NO)
		state.uncertain = UNC_POSSIBLE;
	if (state.state != D_FROZEN)
		state.due_us = now_us; /* since when */
	state.state = D_FROZEN;
	live_state_put(d, &state);
}

void index_mark_restored(struct spool *s)
{
	struct live_table *t = &s->index.table;
	uint32_t at = 0, number;

	while ((number = live_next(t, &at)) != 0)
		for (uint32_t i = live_at(t, number)->first; i != 0;
		     i = live_delivery_at(t, i)->next)
			mark_restored(live_delivery_at(t, i),
			    s->steady.now_us);
}
