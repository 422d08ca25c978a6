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

void index_init(struct spool *s)
{
	map_init(&s->index.map);
	list_init(&s->index.staged);
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
	struct live *m;

	while ((m = map_next(&s->index.map, &at, NULL)) != NULL) {
		version_free(m->now);
		version_free(m->next);
		mem_free(m);
	}
	map_fini(&s->index.map);
}

static struct version *version_new(unsigned n)
{
	struct version *v =
	    mem_new(sizeof(*v) + n * sizeof(struct live_delivery));

	v->n = n;
	return v;
}

static struct version *latest(struct live *m)
{
	return m->next != NULL ? m->next : m->now;
}

struct version *index_latest(struct spool *s, uint64_t id)
{
	struct live *m = map_get(&s->index.map, id);
	struct version *v = m == NULL ? NULL : latest(m);

	return v == NULL || v->dead ? NULL : v;
}

/* Damage can lose what a total was counted up for: never below zero. */
static void less(uint64_t *total)
{
	if (*total > 0)
		--*total;
}

static void count(struct spool *s, const struct spool_delivery *was,
    const struct spool_delivery *is)
{
	uint64_t(*t)[TOTALS] = s->index.total_next;

	if (was == NULL)
		t[is->leg][T_CREATED]++;
	else
		less(&t[was->leg][dstate_total(was->state)]);
	t[is->leg][dstate_total(is->state)]++;
}

static struct detail_place detail_of(struct rec_place at, struct slice detail)
{
	if (detail.n == 0)
		return (struct detail_place){0};
	return (struct detail_place){
	    .slot = at.seg->slot,
	    .rec = at.off,
	    .bytes = (uint32_t)detail.n,
	    .at = (uint32_t)(detail.p - at.mem),
	};
}

static bool any_live(const struct version *v)
{
	for (unsigned i = 0; i < v->n; i++)
		if (dstate_live(v->d[i].d.state))
			return true;
	return false;
}

static void stage(struct spool *s, struct live *m, struct version *v)
{
	version_free(m->next);
	m->next = v;
	v->dead = !any_live(v);
	if (list_empty(&m->staged))
		list_push_back(&s->index.staged, &m->staged);
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

static struct live *live_new(struct spool *s, uint64_t id)
{
	struct live *m = NEW(struct live);

	m->id = id;
	list_node_init(&m->node);
	list_node_init(&m->staged);
	pthread_mutex_lock(&s->lock); /* fetches look at the map */
	map_put(&s->index.map, id, m);
	pthread_mutex_unlock(&s->lock);
	return m;
}

void index_stage_accept(struct spool *s, const struct record *rec,
    struct rec_place at)
{
	const struct rec_accept *a = &rec->accept;
	int64_t ahead_us = rec->type == REC_CARRY
	    ? s->steady.now_us - s->steady.wall_us
	    : steady_ahead_us(s, a->accepted_us);
	bool known = index_latest(s, a->id) != NULL;
	struct live *m = map_get(&s->index.map, a->id);
	struct version *v = version_new(a->deliveries);

	v->seg = at.seg;
	v->rec = at.off;
	v->rec_bytes = at.bytes;
	v->body_bytes = a->body.bytes;
	v->time_us = s->steady.now_us;
	for (unsigned i = 0; i < a->deliveries; i++) {
		v->d[i].d = a->delivery[i];
		steady_move(&v->d[i].d, ahead_us);
		v->d[i].detail = detail_of(at, a->detail[i]);
		if (!known)
			count(s, NULL, &a->delivery[i]);
	}
	find_bulk(s, v, &a->body);
	stage(s, m != NULL ? m : live_new(s, a->id), v);
}

struct version *version_dup(const struct version *v, unsigned n)
{
	struct version *w = version_new(n);

	memcpy(w, v, sizeof(*v) + v->n * sizeof(v->d[0]));
	w->n = v->n;
	w->bulk = v->bulks == 0 ? NULL :
	    mem_dup(v->bulk, v->bulks * sizeof(v->bulk[0]));
	return w;
}

static unsigned created_by(const struct version *v, const struct rec_update *u)
{
	unsigned n = v->n;

	for (unsigned i = 0; i < u->updates; i++)
		if (u->update[i].delivery == n)
			n++;
	return n;
}

bool index_stage_update(struct spool *s, struct rec_update *u,
    struct rec_place at)
{
	struct version *was = index_latest(s, u->id), *v;

	if (was == NULL)
		return false;
	v = version_dup(was, created_by(was, u));
	for (unsigned i = 0; i < u->updates; i++) {
		const struct spool_update *up = &u->update[i];
		struct live_delivery *ld;
		uint64_t hash = up->to.hash;

		u->old_state[i] = UPDATE_IGNORED;
		if (up->delivery > v->n)
			continue;
		ld = &v->d[up->delivery];
		if (up->delivery == v->n) {
			u->old_state[i] = D_NONE;
			count(s, NULL, &up->to);
			v->n++;
		} else {
			u->old_state[i] = ld->d.state;
			count(s, &ld->d, &up->to);
		}
		if (up->to.hash == 0 && up->delivery < was->n)
			hash = ld->d.hash;
		ld->d = up->to;
		ld->d.hash = hash;
		steady_move(&ld->d, steady_ahead_us(s, u->time_us));
		ld->detail = detail_of(at, up->detail);
	}
	v->time_us = s->steady.now_us;
	stage(s, map_get(&s->index.map, u->id), v);
	return true;
}

static uint64_t version_bytes(const struct version *v)
{
	return (uint64_t)v->rec_bytes + v->body_bytes;
}

static void leave(struct spool *s, const struct version *v)
{
	PH_ASSERT(v->seg->live_bytes >= version_bytes(v));
	PH_ASSERT(s->index.live_bytes >= version_bytes(v));
	v->seg->live_bytes -= version_bytes(v);
	s->index.live_bytes -= version_bytes(v);
	for (unsigned i = 0; i < v->bulks; i++) {
		PH_ASSERT(v->bulk[i]->refs > 0);
		v->bulk[i]->refs--;
	}
}

static void enter(struct spool *s, struct live *m, const struct version *v)
{
	PH_ASSERT(v->seg->state == SEG_MAIN && !v->dead);
	v->seg->live_bytes += version_bytes(v);
	s->index.live_bytes += version_bytes(v);
	for (unsigned i = 0; i < v->bulks; i++)
		v->bulk[i]->refs++;
	if (m->now == NULL || m->now->seg != v->seg ||
	    m->now->rec != v->rec) {
		list_remove(&m->node);
		list_push_back(&v->seg->live, &m->node);
	}
}

static void retain(struct spool *s, const struct version *v)
{
	int64_t until = v->time_us + s->c.retain_us;

	if (until > v->seg->retain_until_us)
		v->seg->retain_until_us = until;
	for (unsigned i = 0; i < v->bulks; i++)
		if (until > v->bulk[i]->retain_until_us)
			v->bulk[i]->retain_until_us = until;
}

static void forget(struct spool *s, struct live *m)
{
	list_remove(&m->node);
	list_remove(&m->staged);
	map_remove(&s->index.map, m->id);
	version_free(m->now);
	version_free(m->next);
	mem_free(m);
}

void index_commit(struct spool *s)
{
	list_each_safe(n, &s->index.staged) {
		struct live *m = LIST_ENTRY(n, struct live, staged);

		PH_ASSERT(m->next != NULL);
		list_remove(&m->staged);
		if (m->now != NULL)
			leave(s, m->now);
		else
			s->index.messages++;
		if (m->next->dead) {
			retain(s, m->next);
			PH_ASSERT(s->index.messages > 0);
			s->index.messages--;
			forget(s, m);
			continue;
		}
		enter(s, m, m->next);
		version_free(m->now);
		m->now = m->next;
		m->next = NULL;
	}
	memcpy(s->index.total, s->index.total_next, sizeof(s->index.total));
}

void index_drop(struct spool *s)
{
	list_each_safe(n, &s->index.staged) {
		struct live *m = LIST_ENTRY(n, struct live, staged);

		list_remove(&m->staged);
		if (m->now == NULL) {
			forget(s, m);
			continue;
		}
		version_free(m->next);
		m->next = NULL;
	}
	memcpy(s->index.total_next, s->index.total, sizeof(s->index.total));
}

/* One that was tried before is under way again only when it is due. */
static bool may_fly(const struct spool_delivery *d, int64_t now_us)
{
	bool waits = d->state == D_QUEUED || d->state == D_DEFERRED;

	return dstate_open(d->state) &&
	       (d->attempts == 0 || (waits && d->due_us <= now_us));
}

void index_mark_uncertain(struct spool *s)
{
	size_t at = 0;
	struct live *m;

	while ((m = map_next(&s->index.map, &at, NULL)) != NULL)
		for (unsigned i = 0; i < m->now->n; i++) {
			struct spool_delivery *d = &m->now->d[i].d;

			if (may_fly(d, s->steady.now_us) &&
			    d->uncertain == UNC_NO)
				d->uncertain = UNC_POSSIBLE;
		}
}
