/* SPDX-License-Identifier: ISC
 *
 * Start: finds out what each slot holds and replays the main lane in order
 * of generation, with the same functions that applied it when it was written.
 *
 * A batch that is not whole is either the tail, which nobody was told is
 * safe, or damage. It is damage when a later batch of the generation, or the
 * next generation, says that it was synced: then what can be read of it is
 * used, the rest is named and set aside. Else it is the tail, and is cut.
 * All of this runs before any thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "relay/spool/scan.h"

enum { SET_ASIDE_MAX = 4 << 20 };

struct recovery {
	struct spool *s;
	const struct spool_recovered *told;
	struct spool_start *start;
	struct scan sc;
	struct record record;
	bool clean; /* the last batch has the mark of an orderly end */
	uint64_t *slots;
	unsigned n_slots;
};

static void set_aside(struct recovery *r, struct segment *seg, uint64_t from,
    uint64_t to)
{
	struct spool *s = r->s;
	struct diskio *io = s->c.io;
	size_t n = to - from < SET_ASIDE_MAX ? to - from : SET_ASIDE_MAX;
	char name[64], *raw;
	struct strbuf path;
	int fd;

	snprintf(name, sizeof(name), "damaged.%" PRIu64 ".%" PRIu64,
	    seg->generation, from);
	strbuf_init(&path, 4096);
	spool_path(s, name, &path);
	fd = io->open(io, path.p, O_WRONLY | O_CREAT | O_EXCL, 0600);
	strbuf_fini(&path);
	if (fd < 0)
		return; /* best effort; most often it is there already */
	raw = mem_new(n);
	if (segment_read(s, seg, raw, n, from) == 0 &&
	    io->pwrite(io, fd, raw, n, 0) == (ssize_t)n)
		io->fsync(io, fd);
	io->close(io, fd);
	mem_free(raw);
}

static void damage(struct recovery *r, const char *fmt, ...)
    PH_PRINTF(2, 3);

static void damage(struct recovery *r, const char *fmt, ...)
{
	char line[300];
	va_list ap;

	r->start->damaged++;
	if (r->told->damage == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	r->told->damage(r->told->arg, line);
}

static void damage_at(struct recovery *r, struct segment *seg, uint64_t from,
    uint64_t to, const char *what)
{
	damage(r, "seg.%04u (generation %" PRIu64 "), bytes %" PRIu64
	    " to %" PRIu64 ": %s; set aside",
	    (unsigned)seg->slot, seg->generation, from, to, what);
	set_aside(r, seg, from, to);
}

/* ---- what the slots hold -------------------------------------------------------- */

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
	damage(r, "seg.%04u cannot be %s and is left alone",
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

/* ---- the order of the main lane ----------------------------------------------------- */

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

/* ---- replay ---------------------------------------------------------------------------- */

/* A bulk segment whose head is damaged is known by who names it. */
static void adopt_bulk(struct recovery *r, const struct body_place *y)
{
	struct spool *s = r->s;

	for (unsigned i = 0; i < y->extents; i++) {
		const struct extent *e = &y->extent[i];
		struct segment *seg =
		    e->slot < s->segs ? s->seg[e->slot] : NULL;

		if (e->generation > s->bulk.generation)
			s->bulk.generation = e->generation;
		if (seg == NULL || seg->state != SEG_DIRTY ||
		    seg->generation != 0)
			continue;
		segment_move(s, seg, SEG_BULK);
		segment_identity(s, seg, LANE_BULK, e->generation);
	}
}

static void replay_accept(struct recovery *r, struct rec_place at)
{
	struct rec_accept *a = &r->record.accept;

	if (a->id > r->start->highest_id)
		r->start->highest_id = a->id;
	adopt_bulk(r, &a->body);
	index_stage_accept(r->s, a, at);
}

static void replay_facts(struct recovery *r)
{
	if (r->record.all_facts)
		facts_clear(r->s);
	for (unsigned i = 0; i < r->record.facts; i++)
		fact_set(r->s, r->record.fact[i].key,
		    r->record.fact[i].value);
}

static void replay_totals(struct recovery *r)
{
	uint64_t(*t)[TOTALS] = r->s->index.total_next;

	memset(t, 0, sizeof(r->s->index.total_next));
	if (record_totals(r->record.totals, t, r->s->c.names) < 0)
		damage(r, "a totals record is not one");
}

static void replay_record(struct recovery *r, struct segment *seg,
    const struct scan_record *rec)
{
	struct rec_place at = {seg, (uint32_t)rec->off,
	    (uint32_t)rec->frame.n, rec->frame.p};

	if (record_parse(&r->record, rec->head.type, rec->payload,
		r->s->c.names) < 0) {
		damage_at(r, seg, rec->off, rec->off + rec->frame.n,
		    "not a record");
		return;
	}
	r->clean = r->clean || rec->head.type == REC_CLEAN;
	switch (r->record.type) {
	case REC_GROUP:
		index_stage_update(r->s, &r->record.update, at);
		replay_accept(r, at);
		break;
	case REC_ACCEPTED:
	case REC_CARRY:
		replay_accept(r, at);
		break;
	case REC_UPDATE:
		index_stage_update(r->s, &r->record.update, at);
		break;
	case REC_FACTS:
		replay_facts(r);
		break;
	case REC_TOTALS:
		replay_totals(r);
		break;
	default:
		break;
	}
}

/* `named`: what is no record here was named already. */
static void replay_range(struct recovery *r, struct segment *seg,
    struct scan_range range, bool named)
{
	struct scan_record rec;
	uint64_t from = range.at;
	int rc;

	r->clean = false;
	while ((rc = scan_record(&r->sc, &range, &rec)) != 0) {
		if (rc < 0 && !named)
			damage_at(r, seg, from, range.at,
			    "bytes that are no record");
		else if (rc > 0)
			replay_record(r, seg, &rec);
		from = range.at;
	}
	index_commit(r->s);
}

static bool body_whole(struct recovery *r, const struct scan_record *rec)
{
	const struct body_place *y = &r->record.accept.body;
	const char *p;

	if (rec->head.type != REC_ACCEPTED && rec->head.type != REC_CARRY &&
	    rec->head.type != REC_GROUP)
		return true;
	if (record_parse(&r->record, rec->head.type, rec->payload,
		r->s->c.names) < 0)
		return false;
	if (y->bytes == 0)
		return true;
	p = scan_bytes(&r->sc, y->off, y->bytes);
	return p != NULL &&
	    sum_bytes(r->sc.seg->secret, p, y->bytes) == y->sum;
}

/* Is every byte of the batch there that matters? */
static bool batch_whole(struct recovery *r, uint64_t off,
    const struct batch_head *h)
{
	struct scan_range range = scan_range_of(off, h);
	struct scan_record rec;
	uint32_t n = 0;
	int rc;

	while ((rc = scan_record(&r->sc, &range, &rec)) > 0) {
		if (!body_whole(r, &rec))
			return false;
		n++;
	}
	return rc == 0 && n == h->records;
}

/* How far a segment's batches are known to count. */
struct vouch {
	uint64_t end;	 /* so many were synced; UINT64_MAX: unknown */
	bool sealed;	 /* a later generation exists                */
};

static bool vouched(struct recovery *r, uint64_t off,
    const struct batch_head *h, const struct vouch *v)
{
	struct batch_head next;

	if (v->end != UINT64_MAX)
		return h->number < v->end;
	if (v->sealed)
		return true;
	return scan_find(&r->sc, off + batch_span(h), h->number + 1, &next) !=
	    0;
}

static void replay_batch(struct recovery *r, struct segment *seg,
    uint64_t off, const struct batch_head *h)
{
	if ((h->flags & BATCH_UNCLEAN) != 0)
		index_mark_uncertain(r->s);
	if (h->number == 0)
		seg->first_us = h->time_us;
	replay_range(r, seg, scan_range_of(off, h), false);
	seg->end = off + batch_span(h);
	seg->batches = h->number + 1;
}

/* No head where batch `number` should be. Returns where to go on, 0 at the
 * end of what counts. */
static uint64_t cross_gap(struct recovery *r, struct segment *seg,
    uint64_t at, uint64_t number, const struct vouch *v)
{
	struct batch_head h = {0};
	uint64_t next = scan_find(&r->sc, at + BLOCK, number + 1, &h);
	uint64_t past = next != 0 ? h.number : v->end;
	uint64_t to = next != 0 ? next : r->sc.limit;

	if (next != 0 && v->end != UINT64_MAX && h.number > v->end)
		past = v->end;
	if (past <= number || past == UINT64_MAX)
		return 0; /* the tail */
	damage_at(r, seg, at, to, "a batch whose head cannot be read");
	replay_range(r, seg, (struct scan_range){at, to, number, past}, true);
	seg->end = to;
	seg->batches = past;
	return next;
}

static void replay_segment(struct recovery *r, struct segment *seg,
    const struct vouch *v)
{
	uint64_t limit = seg->end, at = 0, number = 0;
	struct batch_head h;

	scan_open(&r->sc, seg, limit);
	seg->end = seg->batches = 0;
	while (at < limit && number < v->end) {
		if (!scan_head(&r->sc, at, &h) || h.number < number) {
			at = cross_gap(r, seg, at, number, v);
			if (at == 0)
				return;
			number = seg->batches;
			continue;
		}
		if (!vouched(r, at, &h, v) && !batch_whole(r, at, &h))
			return; /* the tail */
		replay_batch(r, seg, at, &h);
		number = h.number + 1;
		at += batch_span(&h);
	}
}

static void check_gap(struct recovery *r, const struct segment *seg,
    const struct segment *next)
{
	if (next == NULL || next->generation == seg->generation + 1)
		return;
	/* One that was opened and never got a batch leaves no trace. */
	if (next->generation == seg->generation + 2 && next->prev_end == 0)
		return;
	damage(r, "generations %" PRIu64 " to %" PRIu64 " are missing",
	    seg->generation + 1, next->generation - 1);
}

static void replay_all(struct recovery *r)
{
	struct spool *s = r->s;

	list_each(n, &s->mains) {
		struct segment *seg = LIST_ENTRY(n, struct segment, node);
		struct segment *next = n->next == &s->mains ? NULL :
		    LIST_ENTRY(n->next, struct segment, node);
		struct vouch v = {UINT64_MAX, next != NULL};

		if (next != NULL && next->generation == seg->generation + 1)
			v.end = next->prev_end;
		check_gap(r, seg, next);
		replay_segment(r, seg, &v);
		if (r->sc.bad_blocks > 0)
			damage(r, "seg.%04u: %u blocks cannot be read",
			    (unsigned)seg->slot, r->sc.bad_blocks);
		if (seg->batches == 0)
			r->clean = false;
		r->start->segments++;
	}
}

/* ---- what is told --------------------------------------------------------------------- */

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
		damage(r, "%s", err.text);
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

/* ---- where the writer goes on ------------------------------------------------------------- */

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
