/* SPDX-License-Identifier: ISC
 *
 * Start: finds out what each slot holds, puts the main lane in order of
 * generation, has it replayed (replay.c), tells what is live and says where
 * the writer goes on. Before any thread.
 */
#include <errno.h>
#include <stdio.h>
#include <inttypes.h>
#include <stdlib.h>

#include "relay/spool/recover.h"

/* ---- what the slots hold ---- */

static void on_name(void *arg, const char *name)
{
	struct recovery *r = arg;
	struct slice digits = slice_str(name);
	uint64_t slot;

	if (!slice_starts(digits, SLICE("seg.")) ||
	    !slice_uint(slice_from(digits, 4), 999999, &slot))
		return;
	r->slots =
	    mem_resize(r->slots, (r->n_slots + 1) * sizeof(*r->slots));
	r->slots[r->n_slots++] = slot;
}

static bool head_at(struct recovery *r, uint64_t off, struct batch_head *h)
{
	const char *p = scan_bytes(&r->sc, off, BATCH_HEAD);
	unsigned char secret[SUM_SECRET];

	if (p == NULL || !batch_head_get(p, h) ||
	    h->spool_id != r->s->key.id)
		return false;
	sum_secret(r->s->key.secret, h->lane, h->generation, secret);
	return batch_head_valid(p, secret);
}

/* The first block is not what it should be: is there a segment behind it? */
static bool find_main(struct recovery *r, struct batch_head *best)
{
	struct batch_head h;
	bool found = false;

	for (uint64_t off = BLOCK; off < r->sc.limit; off += BLOCK)
		if (head_at(r, off, &h) && h.lane == LANE_MAIN &&
		    (!found || h.generation > best->generation)) {
			*best = h;
			found = true;
		}
	return found;
}

static void broken(struct recovery *r, struct segment *seg, const char *what)
{
	segment_move(r->s, seg, SEG_BROKEN);
	replay_damage(r, "seg.%04u cannot be %s and is left alone",
	    (unsigned)seg->slot, what);
}

static void classify(struct recovery *r, struct segment *seg)
{
	struct spool *s = r->s;
	struct batch_head h;
	int fd = segment_fd(s, seg);
	int64_t size = fd < 0 ? -1 : s->c.io->size(s->c.io, fd);

	if (fd >= 0)
		segment_fd_put(s, seg);
	if (size < 0) {
		broken(r, seg, "opened");
		return;
	}
	if ((uint64_t)size > s->key.segment_bytes)
		size = (int64_t)s->key.segment_bytes;
	scan_open(&r->sc, seg, (uint64_t)size);
	if (!head_at(r, 0, &h) && !find_main(r, &h)) {
		/* Dirty: nothing of ours, or a body nobody names. But what
		 * could not be read is nobody's to overwrite. */
		if (r->sc.bad_blocks > 0)
			broken(r, seg, "read");
		return;
	}
	segment_identity(s, seg, h.lane, h.generation);
	seg->end = (uint64_t)size;
	seg->prev_end = h.prev_end;
	if (h.lane == LANE_SPARE)
		segment_move(s, seg, SEG_SPARE);
	if (h.lane == LANE_BULK) {
		segment_move(s, seg, SEG_BULK);
		if (h.generation > s->bulk.generation)
			s->bulk.generation = h.generation;
	}
	if (h.lane == LANE_MAIN) {
		segment_move(s, seg, SEG_MAIN);
		if (h.oldest > s->journal.oldest)
			s->journal.oldest = h.oldest;
	}
}

static int by_slot(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int find_slots(struct recovery *r, struct error *err)
{
	struct spool *s = r->s;
	uint64_t max = s->c.max_bytes / s->key.segment_bytes;

	if (s->c.io->list(s->c.io, s->path, on_name, r) < 0)
		return error_sys(err, errno, "read spool %s", s->path);
	if (r->n_slots > 0)
		qsort(r->slots, r->n_slots, sizeof(*r->slots), by_slot);
	/* A table that never moves: everybody may point into it. */
	s->seg_cap = (unsigned)(max < SLOTS_MIN ? SLOTS_MIN :
		max > SLOTS_MAX			? SLOTS_MAX : max);
	if (r->n_slots > 0 && r->slots[r->n_slots - 1] >= s->seg_cap)
		s->seg_cap = (unsigned)r->slots[r->n_slots - 1] + 1;
	s->seg = NEW_ARRAY(struct segment *, s->seg_cap);
	for (unsigned i = 0; i < r->n_slots; i++)
		classify(r, segment_add(s, (uint32_t)r->slots[i]));
	return 0;
}

/* ---- the order of the main lane ---- */

static void insert_main(struct spool *s, struct segment *seg)
{
	list_each(n, &s->mains)
		if (LIST_ENTRY(n, struct segment, node)->generation >
		    seg->generation) {
			list_insert_before(n, &seg->node);
			return;
		}
	list_push_back(&s->mains, &seg->node);
}

/* The newest heads say which generations were given back; so a segment whose
 * zeroing was cut short is never replayed. */
static void find_oldest(struct recovery *r, struct segment *seg)
{
	struct batch_head h;
	uint64_t off = 0;

	scan_open(&r->sc, seg, seg->end);
	while (off < seg->end) {
		if (!scan_head(&r->sc, off, &h)) {
			off = scan_find(&r->sc, off + BLOCK, 0, &h);
			if (off == 0)
				return;
		}
		if (h.oldest > r->s->journal.oldest)
			r->s->journal.oldest = h.oldest;
		off += batch_span(&h);
	}
}

static void drop_main(struct spool *s, struct segment *seg)
{
	list_remove(&seg->node);
	segment_move(s, seg, SEG_DIRTY);
}

static void order_mains(struct recovery *r)
{
	struct spool *s = r->s;
	int newest = 2;

	for (unsigned i = 0; i < s->segs; i++)
		if (s->seg[i] != NULL && s->seg[i]->state == SEG_MAIN)
			insert_main(s, s->seg[i]);
	for (struct list *n = s->mains.prev; n != &s->mains && newest > 0;
	     n = n->prev, newest--)
		find_oldest(r, LIST_ENTRY(n, struct segment, node));
	list_each_safe(n, &s->mains) {
		struct segment *seg = LIST_ENTRY(n, struct segment, node);

		if (seg->generation > s->journal.generation)
			s->journal.generation = seg->generation;
		if (seg->generation < s->journal.oldest)
			drop_main(s, seg);
	}
}

/* ---- what is told ---- */

static void tell_one(struct recovery *r, uint64_t id)
{
	struct live *m = map_get(&r->s->index.map, id);
	const struct version *v = m->now;
	struct rec_place at = {v->seg, v->rec, v->rec_bytes, NULL};
	struct spool_delivery *d =
	    NEW_ARRAY(struct spool_delivery, v->n);
	char *mem = NULL;
	struct error err;

	for (unsigned i = 0; i < v->n; i++)
		d[i] = v->d[i].d;
	if (read_record(r->s, at, &r->record, &mem, &err) < 0)
		replay_damage(r, "%s", err.text);
	else
		r->told->message(r->told->arg, id, r->record.accept.envelope,
		    d, v->n);
	mem_free(mem);
	mem_free(d);
}

static void tell(struct recovery *r)
{
	struct index *ix = &r->s->index;
	uint64_t *ids = NEW_ARRAY(uint64_t, ix->messages);
	size_t n = 0, at = 0;

	while (map_next(&ix->map, &at, &ids[n]) != NULL)
		n++;
	qsort(ids, n, sizeof(*ids), by_slot);
	for (size_t i = 0; i < n && r->told->message != NULL; i++)
		tell_one(r, ids[i]);
	mem_free(ids);
	r->start->messages = n;
}

/* ---- where the writer goes on ---- */

static int settle(struct recovery *r, struct error *err)
{
	struct spool *s = r->s;
	struct segment *last = list_empty(&s->mains) ? NULL :
	    LIST_ENTRY(s->mains.prev, struct segment, node);
	int fd, rc;

	s->journal.declared = s->journal.oldest;
	if (last == NULL)
		return 0;
	s->journal.prev_end = last->batches;
	if (r->clean) {
		last->current = true;
		s->journal.seg = last;
		return 0;
	}
	/* What was found may be in memory only: nothing is built on it
	 * before it is on the disk. */
	fd = segment_fd(s, last);
	rc = fd < 0 ? -1 : s->c.io->fdatasync(s->c.io, fd);
	if (fd >= 0)
		segment_fd_put(s, last);
	if (rc < 0)
		return error_sys(err, errno, "sync spool %s", s->path);
	s->journal.unclean = true;
	index_mark_uncertain(s);
	return 0;
}

int recover(struct spool *s, const struct spool_recovered *told,
    struct spool_start *start_out, struct error *err)
{
	static const struct spool_recovered nobody;
	struct recovery r = {.s = s,
	    .told = told != NULL ? told : &nobody,
	    .start = start_out,
	    .clean = true};
	int rc;

	*start_out = (struct spool_start){0};
	scan_init(&r.sc, s);
	record_init(&r.record);
	rc = find_slots(&r, err);
	if (rc == 0) {
		order_mains(&r);
		replay_all(&r);
		rc = settle(&r, err);
	}
	if (rc == 0)
		tell(&r);
	start_out->clean = r.clean;
	scan_fini(&r.sc);
	record_fini(&r.record);
	mem_free(r.slots);
	return rc;
}
