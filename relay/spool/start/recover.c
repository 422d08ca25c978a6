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

#include "relay/base/assert.h"
#include "relay/spool/start/recover.h"

/* ---- what the slots hold ---- */

static void on_name(void *arg, const char *name)
{
	struct spool_recovery *r = arg;
	struct slice digits = slice_str(name);
	uint64_t slot;

	if (!slice_starts(digits, SLICE("seg.")) ||
	    !slice_uint(slice_from(digits, 4), SLOTS_MAX - 1, &slot))
		return;
	r->slots =
	    mem_resize(r->slots, (r->n_slots + 1) * sizeof(*r->slots));
	r->slots[r->n_slots++] = slot;
}

/* -1 and err: it is there and cannot be opened. */
static int size_of(struct spool *s, struct segment *seg, int64_t *size_out,
    struct error *err)
{
	int fd = segment_fd(s, seg), no;

	*size_out = fd < 0 ? -1 : s->c.io->size(s->c.io, fd);
	no = errno;
	if (fd >= 0)
		segment_fd_put(s, seg);
	if (*size_out < 0)
		return error_sys(err, no, "spool segment %s/seg.%04u cannot "
		    "be opened (no segment was changed)", s->path,
		    (unsigned)seg->slot);
	if ((uint64_t)*size_out > s->key.segment_bytes)
		*size_out = (int64_t)s->key.segment_bytes;
	return 0;
}

/* On a file system that copies on write a segment grows as it is written. */
static void check_size(struct spool_recovery *r, const struct segment *seg,
    uint8_t lane)
{
	if (seg->end >= r->s->key.segment_bytes || r->s->steward.cow)
		return;
	if (lane == LANE_MAIN)
		replay_gone(r, seg->generation);
	replay_damage(r, "seg.%04u (generation %" PRIu64 ") was cut to %" PRIu64
	    " of %" PRIu64 " bytes", (unsigned)seg->slot, seg->generation,
	    seg->end, r->s->key.segment_bytes);
}

/* A segment that was given back keeps what it held, so heads of former lives
 * are found as well: the latest life is the one that counts. */
static bool find_head(struct spool_recovery *r, const struct segment *seg,
    struct batch_head *h)
{
	struct batch_head later;

	if (!scan_head_at(&r->sc, 0, h))
		return scan_latest(&r->sc, h);
	if (slotmap_outlived(r->s, seg->slot, h) &&
	    scan_latest(&r->sc, &later) &&
	    !slotmap_outlived(r->s, seg->slot, &later))
		*h = later;
	return true;
}

/* -1 and err when it cannot be opened or read: then it may hold mail, and
 * bodies in other segments that it alone names. */
static int classify(struct spool_recovery *r, struct segment *seg,
    struct error *err)
{
	struct spool *s = r->s;
	struct batch_head h;
	bool found;
	int64_t size;

	if (size_of(s, seg, &size, err) < 0)
		return -1;
	scan_open(&r->sc, seg, (uint64_t)size);
	found = find_head(r, seg, &h);
	if (scan_all_known(&r->sc, err) < 0)
		return -1;
	seg->written = seg->soiled = true;
	seg->end = (uint64_t)size;
	if (!found)
		return 0; /* dirty: not ours, or a body that no record names */
	segment_identity(s, seg, h.lane, h.generation);
	seg->format = h.format;
	seg->before = h.before;
	if (h.lane == LANE_SPARE) {
		seg->written = (h.flags & SPARE_WRITTEN) != 0;
		seg->soiled = false;
	}
	if (h.lane == LANE_BULK) {
		check_size(r, seg, LANE_BULK);
		segment_move(s, seg, SEG_BULK);
		if (h.generation > s->bulk.generation)
			s->bulk.generation = h.generation;
	}
	if (h.lane == LANE_MAIN) {
		segment_move(s, seg, SEG_MAIN);
		if (h.oldest > s->journal.oldest)
			s->journal.oldest = h.oldest;
	}
	return 0;
}

static int by_slot(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int find_slots(struct spool_recovery *r, struct error *err)
{
	struct spool *s = r->s;

	if (s->c.io->list(s->c.io, s->path, on_name, r) < 0)
		return error_sys(err, errno, "read spool %s", s->path);
	if (r->n_slots > 0)
		qsort(r->slots, r->n_slots, sizeof(*r->slots), by_slot);
	/* The table never moves, so pointers into it stay valid; a reload may
	 * let the spool grow, so it has room for all there may be. */
	s->seg_cap = SLOTS_MAX;
	s->seg = NEW_ARRAY(struct segment *, s->seg_cap);
	for (unsigned i = 0; i < r->n_slots; i++)
		if (classify(r, segment_add(s, (uint32_t)r->slots[i]), err) <
		    0)
			return -1;
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

/* The newest heads say which generations were given back; so a segment that is
 * a spare, and still has all that it held, is never replayed. */
static int find_oldest(struct spool_recovery *r, struct segment *seg,
    struct error *err)
{
	struct batch_head h;
	uint64_t off = 0;

	scan_open(&r->sc, seg, seg->end);
	while (off < seg->end) {
		if (!scan_head(&r->sc, off, &h)) {
			off = scan_find(&r->sc, off + BLOCK, 0, &h);
			if (off == 0)
				break;
		}
		if (h.oldest > r->s->journal.oldest)
			r->s->journal.oldest = h.oldest;
		off += batch_span(&h);
	}
	return scan_all_known(&r->sc, err);
}

static void drop_main(struct spool *s, struct segment *seg)
{
	list_remove(&seg->node);
	segment_move(s, seg, SEG_DIRTY);
}

static int order_mains(struct spool_recovery *r, struct error *err)
{
	struct spool *s = r->s;
	int newest = 2;

	/* The newest may be lost, and what it declared with it. */
	if (s->slotmap.oldest > s->journal.oldest)
		s->journal.oldest = s->slotmap.oldest;
	for (unsigned i = 0; i < s->segs; i++)
		if (s->seg[i] != NULL && s->seg[i]->state == SEG_MAIN)
			insert_main(s, s->seg[i]);
	for (struct list *n = s->mains.prev; n != &s->mains && newest > 0;
	     n = n->prev, newest--)
		if (find_oldest(r, LIST_ENTRY(n, struct segment, node), err) <
		    0)
			return -1;
	list_each_safe(n, &s->mains) {
		struct segment *seg = LIST_ENTRY(n, struct segment, node);

		if (seg->generation > s->journal.generation)
			s->journal.generation = seg->generation;
		if (seg->generation < s->journal.oldest)
			drop_main(s, seg);
		else
			check_size(r, seg, LANE_MAIN);
	}
	return 0;
}

/* ---- what is told ---- */

static int read_again(struct spool_recovery *r, const struct version *v,
    struct stored *m, struct error *err)
{
	for (int i = 0; i < READ_TRIES; i++)
		if (stored_read(r->s, i == 0 ? r->windows : NULL, v, m, err) ==
		    0)
			return 0;
	return -1;
}

static void tell_unread(struct spool_recovery *r, uint64_t id,
    const struct error *err)
{
	r->start->unread++;
	if (r->told->unread != NULL)
		r->told->unread(r->told->arg, id, err->text);
}

static void pass_on(struct spool_recovery *r, const struct spool_told *told)
{
	for (unsigned i = 0; i < told->n; i++)
		steady_move(&told->delivery[i], -r->ahead_us);
	r->told->message(r->told->arg, told);
}

/* One that cannot be read now is told all the same, without its envelope:
 * its deliveries wait, and are tried again until it can be read. */
static void tell_guess(struct spool_recovery *r, const struct version *v)
{
	struct spool_told told = {.id = v->id, .n = v->n,
	    .envelope = slice_of("", 0)};

	told.delivery = NEW_ARRAY(struct spool_delivery, v->n);
	for (unsigned i = 0; i < v->n; i++)
		told.delivery[i] = stored_guess(r->s, v->id, &v->d[i]);
	pass_on(r, &told);
	mem_free(told.delivery);
}

/* Without them its recipients are read from its envelope. */
static bool hashes_known(const struct message_row *row)
{
	for (unsigned i = 0; i < row->deliveries; i++)
		if (row->delivery[i].hash == 0)
			return false;
	return true;
}

/* It is as it was when the checkpoint was made. */
static void tell_row(struct spool_recovery *r, uint32_t number,
    const struct message_row *row)
{
	const struct live_table *t = &r->s->index.table;
	struct body_place y = {.extent = row->extent,
	    .extents = row->extents};
	uint32_t at = live_at(t, number)->first;

	for (unsigned i = 0; i < row->deliveries; i++) {
		row->delivery[i].uncertain = live_delivery_at(t, at)->uncertain;
		at = live_delivery_at(t, at)->next;
	}
	origin_check_body(r, row->id, &y);
	pass_on(r, &(struct spool_told){.id = row->id, .size = row->size,
	    .sender = row->sender, .envelope = slice_of("", 0),
	    .delivery = row->delivery, .n = row->deliveries});
}

static void tell_stored(struct spool_recovery *r, uint32_t number)
{
	struct version *v = index_unpack(r->s, number, 0);
	const struct rec_accept *a;
	struct stored m;
	struct error err;

	if (read_again(r, v, &m, &err) < 0) {
		tell_unread(r, v->id, &err);
		tell_guess(r, v);
	} else {
		a = &m.record.accept;
		origin_check_body(r, v->id, &a->body);
		pass_on(r, &(struct spool_told){.id = v->id,
		    .size = a->body.size, .sender = a->sender,
		    .envelope = a->envelope, .delivery = m.delivery,
		    .n = m.n});
		stored_fini(&m);
	}
	version_free(v);
}

static void tell_one(struct spool_recovery *r, uint32_t number)
{
	const struct message_row *row = checkpoint_row_of(r, number);

	if (row != NULL && hashes_known(row))
		tell_row(r, number, row);
	else
		tell_stored(r, number);
}

struct by_id {
	uint64_t id;
	uint32_t number;
};

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = ((const struct by_id *)a)->id;
	uint64_t y = ((const struct by_id *)b)->id;

	return (x > y) - (x < y);
}

/* By number they are in order already, as a checkpoint has them. */
static void tell(struct spool_recovery *r)
{
	const struct live_table *t = &r->s->index.table;
	struct by_id *m = NEW_ARRAY(struct by_id, r->s->index.messages);
	bool sorted = true;
	size_t n = 0;

	for (uint32_t i = 1; i <= t->messages.used; i++) {
		if (!live_is(t, i))
			continue;
		m[n] = (struct by_id){live_at(t, i)->id, i};
		sorted = sorted && (n == 0 || m[n - 1].id < m[n].id);
		n++;
	}
	PH_ASSERT(n == r->s->index.messages);
	if (!sorted)
		qsort(m, n, sizeof(*m), compare_ids);
	r->ahead_us = spool_ahead_us(r->s);
	if (r->told->expect != NULL)
		r->told->expect(r->told->arg, n);
	r->windows = windows_new(r->s);
	for (size_t i = 0; i < n && r->told->message != NULL; i++)
		tell_one(r, m[i].number);
	windows_free(r->windows);
	mem_free(m);
	r->start->messages = n;
}

/* ---- where the writer goes on ---- */

/* The bytes that were found may be in the page cache only: they are synced
 * before anything is built on them. */
static int sync_last(struct spool *s, struct segment *last, struct error *err)
{
	int fd = segment_fd(s, last);
	int rc = fd < 0 ? -1 : s->c.io->fdatasync(s->c.io, fd);

	if (fd >= 0)
		segment_fd_put(s, last);
	if (rc < 0)
		return error_sys(err, errno, "sync spool %s", s->path);
	return 0;
}

/* The next segment says how far `generation`, the newest before it, counts.
 * When that is lost, nothing is known of its batches: should it be put back,
 * all that it has count. */
static void know_before(struct spool_recovery *r, const struct segment *last,
    uint64_t generation)
{
	struct journal *j = &r->s->journal;

	j->before.generation = generation;
	j->before.leap = j->generation > generation;
	if (last != NULL && last->generation == generation) {
		j->before.batches = last->batches;
	} else {
		j->before.batches = generation > 0 ? UINT64_MAX : 0;
		r->clean = r->clean && generation == 0;
	}
}

static int settle(struct spool_recovery *r, struct error *err)
{
	struct spool *s = r->s;
	struct segment *last = list_empty(&s->mains) ? NULL :
	    LIST_ENTRY(s->mains.prev, struct segment, node);
	uint64_t newest = s->journal.generation;

	origin_find(r, last);
	s->journal.declared = s->journal.oldest;
	know_before(r, last, newest);
	if (last == NULL) {
		s->journal.unclean = r->lost > 0;
		return 0;
	}
	/* A segment is of one format: a newer begins a new one. */
	if (r->clean && last->format == FORMAT_VERSION) {
		last->current = true;
		s->journal.seg = last;
		return 0;
	}
	if (sync_last(s, last, err) < 0)
		return -1;
	if (r->clean)
		return 0;
	s->journal.unclean = true;
	index_mark_uncertain(s);
	return 0;
}

static void tell_key(struct spool_recovery *r)
{
	uint64_t key[2];

	key_of_rcpts(r->s, key);
	if (r->told->key != NULL)
		r->told->key(r->told->arg, key);
}

/* Steady time goes on from the last batch. */
static void start_time(struct spool_recovery *r)
{
	r->start->stopped_us = r->s->steady.now_us;
	steady_start(r->s);
	if (r->start->stopped_us != 0)
		r->start->stopped_us -= spool_ahead_us(r->s);
}

static void recovery_end(struct spool_recovery *r)
{
	r->start->lost = r->lost;
	r->start->clean = r->clean;
	r->s->checkpointer.off = r->start->damaged > 0;
	checkpoint_leave(r);
	scan_fini(&r->sc);
	record_fini(&r->record);
	mem_free(r->slots);
}

int recover(struct spool *s, const struct spool_recovered *told,
    struct spool_start *start_out, struct error *err)
{
	static const struct spool_recovered none;
	struct spool_recovery r = {.s = s, .start = start_out, .clean = true,
	    .told = told != NULL ? told : &none};
	int rc;

	*start_out = (struct spool_start){0};
	tell_key(&r);
	scan_init(&r.sc, s);
	record_init(&r.record);
	rc = slotmap_load(s, err);
	if (rc == 0)
		rc = find_slots(&r, err);
	if (rc == 0)
		rc = order_mains(&r, err);
	if (rc == 0) {
		origin_find_lost(&r);
		checkpoint_resume(&r);
		rc = replay_all(&r, err);
	}
	if (rc == 0) {
		start_time(&r);
		rc = settle(&r, err);
	}
	if (rc == 0) {
		origin_keep_unnamed(&r);
		tell(&r);
		slotmap_start(s);
		origin_begin(s);
	}
	recovery_end(&r);
	return rc;
}
