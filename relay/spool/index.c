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
	summary_init(&s->index.summary);
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
	mem_free(s->index.held);
	live_table_fini(&s->index.table);
	summary_fini(&s->index.summary);
	row_fini(&s->index.row);
}

struct version *version_new(uint64_t id, unsigned n)
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

struct live_state state_of_row(const struct message_row *row,
    unsigned i)
{
	const struct spool_delivery *d = &row->delivery[i];

	return (struct live_state){.slot = row->place[i].slot,
	    .rec = row->place[i].rec, .rcpt = d->rcpt, .leg = d->leg,
	    .role = d->role, .state = d->state, .uncertain = d->uncertain,
	    .tried = d->attempts > 0, .due_us = d->due_us};
}

struct version *index_unpack(struct spool *s, uint32_t number, unsigned extra)
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

	return number == 0 ? NULL : index_unpack(s, number, 0);
}

bool index_staged(struct spool *s, uint64_t id)
{
	return map_get(&s->index.staged, id) != NULL;
}

bool index_staged_in(struct spool *s, const struct segment *seg)
{
	list_each(n, &s->index.versions)
		if (LIST_ENTRY(n, struct version, node)->seg == seg)
			return true;
	return false;
}

bool index_has(struct spool *s, uint64_t id)
{
	const struct version *v = map_get(&s->index.staged, id);

	return v != NULL ? !v->dead : live_find(&s->index.table, id) != 0;
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

static void restore_bulk(struct spool *s, const struct message_row *row)
{
	struct bulk_refs *refs =
	    mem_new(sizeof(*refs) + row->extents * sizeof(refs->seg[0]));

	for (unsigned i = 0; i < row->extents; i++) {
		struct segment *seg = segment_of(s, &row->extent[i]);

		if (seg == NULL ||
		    (refs->n > 0 && refs->seg[refs->n - 1] == seg))
			continue;
		seg->refs++;
		refs->seg[refs->n++] = seg;
	}
	if (refs->n > 0)
		map_put(&s->index.bulk, row->id, refs);
	else
		mem_free(refs);
}

void index_restore(struct spool *s, struct segment *seg,
    const struct message_row *row)
{
	struct live_table *t = &s->index.table;
	uint32_t number = live_add(t, row->id), last = 0;
	uint64_t bytes = (uint64_t)row->rec_bytes + row->body_bytes;
	struct live *m = live_at(t, number);

	m->slot = row->slot;
	m->rec = row->rec;
	m->rec_bytes = row->rec_bytes;
	m->body_bytes = row->body_bytes;
	for (unsigned i = 0; i < row->deliveries; i++) {
		struct live_state state = state_of_row(row, i);

		last = live_more(t, number, last, &state);
	}
	if (row->extents > 0)
		restore_bulk(s, row);
	seg->live_bytes += bytes;
	s->index.live_bytes += bytes;
	s->index.messages++;
	live_list_push(t, &seg->live, number);
}

bool version_has_row(const struct version *v, const struct message_row *row)
{
	bool same = row->generation == v->seg->generation &&
	    row->rec == v->rec && row->deliveries == v->n;

	for (unsigned i = 0; i < v->n && same; i++)
		same = row->place[i].rec == v->d[i].rec &&
		    row->place[i].slot == v->d[i].slot &&
		    row->delivery[i].state == v->d[i].state;
	return same;
}

bool index_has_row(const struct spool *s, uint32_t number,
    const struct message_row *row)
{
	const struct live_table *t = &s->index.table;
	const struct live *m = live_at(t, number);
	uint32_t at = m->first;
	unsigned n = 0;

	if (row->generation != s->seg[m->slot]->generation ||
	    row->rec != m->rec)
		return false;
	for (; at != 0; at = live_delivery_at(t, at)->next, n++) {
		const struct live_delivery *d = live_delivery_at(t, at);

		if (n == row->deliveries || row->place[n].rec != d->rec ||
		    row->place[n].slot != d->slot ||
		    row->delivery[n].state != d->state)
			return false;
	}
	return n == row->deliveries;
}

void index_clear(struct spool *s)
{
	for (unsigned i = 0; i < s->segs; i++) {
		if (s->seg[i] == NULL)
			continue;
		s->seg[i]->live = (struct live_list){0};
		s->seg[i]->live_bytes = s->seg[i]->refs = 0;
	}
	index_fini(s);
	s->index = (struct index){0};
	index_init(s);
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

static void keep_seen(struct index *x, bool good)
{
	struct segment *seg = x->seen_in;

	if (good && seg != NULL) {
		if (seg->id_min == 0 || x->seen_min < seg->id_min)
			seg->id_min = x->seen_min;
		if (x->seen_max > seg->id_max)
			seg->id_max = x->seen_max;
	}
	x->seen_in = NULL;
	x->seen_min = x->seen_max = 0;
}

static void hold(struct index *x, struct segment *seg)
{
	if (x->helds == x->held_cap) {
		x->held_cap = x->held_cap * 2 + 8;
		x->held = mem_resize(x->held,
		    x->held_cap * sizeof(*x->held));
	}
	seg->pins++;
	x->held[x->helds++] = seg;
}

bool index_hold(struct spool *s, const struct body_place *y)
{
	bool all = true;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < y->extents && all; i++)
		all = segment_of(s, &y->extent[i]) != NULL;
	for (unsigned i = 0; i < y->extents && all; i++)
		hold(&s->index, segment_of(s, &y->extent[i]));
	pthread_mutex_unlock(&s->lock);
	return all;
}

static void let_go(struct index *x)
{
	while (x->helds > 0)
		x->held[--x->helds]->pins--;
}

void index_put(struct spool *s, const struct version *v)
{
	if (v->dead)
		bury(s, v);
	else
		settle(s, v);
}

void index_commit(struct spool *s)
{
	summary_keep(&s->index.summary);
	list_each_safe(n, &s->index.versions) {
		struct version *v = LIST_ENTRY(n, struct version, node);

		index_put(s, v);
		if (v->dead)
			summary_over(&s->index.summary, v->id, v->time_us);
		unstage(s, v);
	}
	let_go(&s->index);
	keep_seen(&s->index, true);
	memcpy(s->index.total, s->index.total_next, sizeof(s->index.total));
	memcpy(s->index.flow, s->index.flow_next, sizeof(s->index.flow));
}

void index_drop(struct spool *s)
{
	list_each_safe(n, &s->index.versions)
		unstage(s, LIST_ENTRY(n, struct version, node));
	summary_drop(&s->index.summary);
	let_go(&s->index);
	keep_seen(&s->index, false);
	memcpy(s->index.total_next, s->index.total, sizeof(s->index.total));
	memcpy(s->index.flow_next, s->index.flow, sizeof(s->index.flow));
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
