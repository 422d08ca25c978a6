/* SPDX-License-Identifier: ISC
 *
 * Goes on from a checkpoint at a start: reads all of it before any of it is
 * believed, and takes it over only if each segment that it counts on is there.
 * Else the one before it is tried, and then the journal is read as a whole.
 */
#include "relay/base/log.h"
#include "relay/spool/start/recover.h"

struct resume {
	struct chunk_file in;
	uint64_t *end; /* by slot: where its segment ended */
	bool has_row;
};

/* ---- the whole of it ---- */

struct found {
	char *begin_mem;
	struct checkpoint_begin begin;
	struct checkpoint_segment *seg;
	uint32_t segs;
	uint64_t rows;
};

static bool take_begin(struct found *f, struct slice bytes)
{
	if (f->begin_mem != NULL)
		return false;
	f->begin_mem = mem_slicedup(bytes);
	return checkpoint_get_begin(slice_of(f->begin_mem, bytes.n),
		   &f->begin) == 0;
}

static bool take_end(struct found *f, struct slice bytes)
{
	struct unpack u;

	unpack_init(&u, bytes);
	f->rows = unpack_u64(&u);
	f->segs = unpack_u32(&u);
	if (u.bad || f->segs > SLOTS_MAX)
		return false;
	f->seg = NEW_ARRAY(struct checkpoint_segment, f->segs);
	for (uint32_t i = 0; i < f->segs && !u.bad; i++)
		f->seg[i] = checkpoint_get_segment(&u);
	return unpack_end(&u);
}

/* The first and the last chunk: what is between is read as it is taken over. */
static bool read_ends(struct chunk_file *in, struct found *f)
{
	enum chunk_kind kind;
	struct slice bytes;

	return chunk_file_next(in, &kind, &bytes) && kind == CHUNK_BEGIN &&
	    take_begin(f, bytes) && chunk_file_last(in, &bytes) &&
	    take_end(f, bytes);
}

static void found_free(struct found *f)
{
	mem_free(f->begin_mem);
	mem_free(f->seg);
}

/* ---- does it fit? ---- */

static struct segment *main_at(struct spool *s, uint32_t slot,
    uint64_t generation)
{
	struct segment *seg = slot < s->segs ? s->seg[slot] : NULL;

	return seg != NULL && seg->state == SEG_MAIN &&
		seg->generation == generation ? seg : NULL;
}

static bool listed(const struct found *f, const struct segment *seg)
{
	for (uint32_t i = 0; i < f->segs; i++)
		if (f->seg[i].lane == LANE_MAIN &&
		    f->seg[i].slot == seg->slot &&
		    f->seg[i].generation == seg->generation)
			return true;
	return false;
}

/* Its batch is there, unless all of its segment was carried since. */
static bool has_batch(struct spool_recovery *r, const struct found *f)
{
	const struct checkpoint_begin *b = &f->begin;
	struct batch_head h;

	list_each(n, &r->s->mains) {
		struct segment *seg = LIST_ENTRY(n, struct segment, node);

		if (seg->generation != b->generation)
			continue;
		scan_open(&r->sc, seg, seg->end);
		return scan_head(&r->sc, b->offset, &h) &&
		    h.number == b->number;
	}
	return b->generation < r->s->journal.oldest;
}

static bool fits(struct spool_recovery *r, const struct found *f)
{
	struct spool *s = r->s;

	if (f->begin.spool_id != s->key.id)
		return false;
	for (uint32_t i = 0; i < f->segs; i++) {
		const struct checkpoint_segment *g = &f->seg[i];

		if (g->lane == LANE_MAIN &&
		    g->generation >= s->journal.oldest && g->batches > 0 &&
		    main_at(s, g->slot, g->generation) == NULL)
			return false;
	}
	list_each(n, &s->mains) {
		const struct segment *seg =
		    LIST_ENTRY(n, struct segment, node);

		if (seg->generation < f->begin.generation && !listed(f, seg))
			return false;
	}
	return has_batch(r, f);
}

/* ---- taken over ---- */

static bool restore(struct spool_recovery *r, const struct message_row *row)
{
	struct segment *seg = main_at(r->s, row->slot, row->generation);
	struct body_place y = {.extent = row->extent,
	    .extents = row->extents};

	if (seg == NULL)
		return true; /* carried since, by a record that is replayed */
	if (!row_lives(row) ||
	    !index_may_take(r->s, row, r->resume->end[row->slot]))
		return false;
	replay_adopt_bulk(r, &y);
	index_restore(r->s, seg, row);
	return true;
}

static bool restore_rows(struct spool_recovery *r, uint64_t rows)
{
	struct chunk_file *in = &r->resume->in;
	int rc;

	live_table_reserve(&r->s->index.table, (uint32_t)rows);
	chunk_file_rewind(in);
	while ((rc = chunk_file_row(in)) > 0) {
		live_soon(&r->s->index.table, chunk_file_ahead(in));
		if (rows-- == 0 || !restore(r, &in->row))
			return false;
	}
	return rc == 0 && rows == 0;
}

static bool restore_begin(struct spool_recovery *r,
    const struct checkpoint_begin *b)
{
	static const struct record_head h = {.type = REC_FACTS};
	struct spool *s = r->s;
	struct index *x = &s->index;

	memset(x->total, 0, sizeof(x->total));
	if (record_totals(b->totals, x->total, s->c.names) < 0 ||
	    record_parse(&r->record, &h, b->facts, FORMAT_VERSION,
		s->c.names) < 0)
		return false;
	memcpy(x->total_next, x->total, sizeof(x->total));
	replay_facts(r);
	s->steady.wall_us = b->wall_us;
	s->steady.now_us = r->before_us = b->now_us;
	return true;
}

static void restore_segments(struct spool_recovery *r, const struct found *f)
{
	struct spool *s = r->s;

	for (uint32_t i = 0; i < f->segs; i++) {
		const struct checkpoint_segment *g = &f->seg[i];
		struct segment *seg =
		    g->slot < s->segs ? s->seg[g->slot] : NULL;

		if (g->id_max > r->start->highest_id)
			r->start->highest_id = g->id_max;
		if (seg == NULL || seg->generation != g->generation ||
		    (seg->state != SEG_MAIN && seg->state != SEG_BULK))
			continue;
		if (g->over_us != 0)
			seg->retain_until_us =
			    g->over_us + atomic_load(&s->retain_us);
		seg->id_min = g->id_min;
		seg->id_max = g->id_max;
		seg->first_us = g->first_us;
		if (g->lane != LANE_MAIN ||
		    g->generation >= f->begin.generation)
			continue;
		seg->end = g->end;
		seg->batches = g->batches;
		seg->summary = g->summary;
	}
}

/* All messages stood in these segments when they were listed. */
static void know_ends(struct spool_recovery *r, const struct found *f)
{
	r->resume->end = NEW_ARRAY(uint64_t, r->s->segs);
	for (uint32_t i = 0; i < f->segs; i++) {
		const struct checkpoint_segment *g = &f->seg[i];

		if (g->lane == LANE_MAIN &&
		    main_at(r->s, g->slot, g->generation) != NULL)
			r->resume->end[g->slot] = g->end;
	}
}

static bool take_over(struct spool_recovery *r, const struct found *f)
{
	know_ends(r, f);
	if (!restore_begin(r, &f->begin) || !restore_rows(r, f->rows)) {
		index_clear(r->s);
		facts_clear(r->s);
		return false;
	}
	restore_segments(r, f);
	/* Another is of no use before another segment was begun. */
	r->s->checkpointer.written = f->begin.generation;
	r->from = f->begin.generation;
	r->from_number = f->begin.number;
	r->from_offset = f->begin.offset;
	return true;
}

static bool resume_from(struct spool_recovery *r, const char *name)
{
	struct found f = {0};
	bool good;

	r->resume = NEW(struct resume);
	good = chunk_file_open(&r->resume->in, r->s, name);
	if (good) {
		good = read_ends(&r->resume->in, &f) && fits(r, &f) &&
		    take_over(r, &f);
		log_info("spool.checkpoint", kv_str("file", name),
		    kv_str("used", good ? "yes" : "no"),
		    kv_int("messages", (int64_t)f.rows));
	}
	found_free(&f);
	if (!good)
		checkpoint_leave(r);
	else
		chunk_file_rewind(&r->resume->in);
	return good;
}

void checkpoint_resume(struct spool_recovery *r)
{
	if (r->lost > 0 || r->start->damaged > 0)
		return; /* all is read, and named */
	if (!resume_from(r, "checkpoint"))
		resume_from(r, "checkpoint.old");
}

void checkpoint_leave(struct spool_recovery *r)
{
	if (r->resume == NULL)
		return;
	chunk_file_close(&r->resume->in);
	mem_free(r->resume->end);
	mem_free(r->resume);
	r->resume = NULL;
}

/* ---- told from it ---- */

const struct message_row *checkpoint_row_of(struct spool_recovery *r,
    uint32_t number)
{
	struct resume *in = r->resume;
	uint64_t id = live_at(&r->s->index.table, number)->id;

	while (in != NULL && (!in->has_row || in->in.row.id < id)) {
		if (chunk_file_row(&in->in) <= 0) {
			checkpoint_leave(r);
			return NULL;
		}
		in->has_row = true;
	}
	return in != NULL && in->in.row.id == id &&
		index_has_row(r->s, number, &in->in.row) ? &in->in.row : NULL;
}
