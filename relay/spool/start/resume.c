/* SPDX-License-Identifier: ISC
 *
 * Goes on from a checkpoint at a start: reads all of it before any of it is
 * believed, and takes it over only if each segment that it counts on is there.
 * Else the one before it is tried, and then the journal is read as a whole.
 */
#include <fcntl.h>

#include "relay/base/log.h"
#include "relay/spool/start/recover.h"

/* Reads the chunks of a file in order. */
struct chunk_reader {
	struct spool *s;
	int fd;
	int64_t off;
	uint64_t number;
	char *mem;
	size_t cap;
	unsigned char secret[SUM_SECRET];
};

struct resume {
	struct chunk_reader in;
	struct slice rows; /* of the present chunk, that are left */
	struct checkpoint_row row;
	bool has_row;
};

/* ---- chunks ---- */

static bool reader_open(struct chunk_reader *in, struct spool *s,
    const char *name)
{
	struct strbuf path;

	*in = (struct chunk_reader){.s = s};
	strbuf_init(&path, 4096);
	spool_path(s, name, &path);
	in->fd = s->c.io->open(s->c.io, path.p, O_RDONLY, 0);
	strbuf_fini(&path);
	sum_secret(s->key.secret, CHECKPOINT_LANE, 0, in->secret);
	return in->fd >= 0;
}

static void reader_close(struct chunk_reader *in)
{
	if (in->fd >= 0)
		in->s->c.io->close(in->s->c.io, in->fd);
	mem_free(in->mem);
	*in = (struct chunk_reader){.fd = -1};
}

static void rewind_reader(struct chunk_reader *in)
{
	in->off = 0;
	in->number = 0;
}

static bool read_more(struct chunk_reader *in, size_t from, size_t n)
{
	struct diskio *io = in->s->c.io;

	if (from + n > in->cap) {
		in->mem = mem_resize(in->mem, from + n);
		in->cap = from + n;
	}
	return io->pread(io, in->fd, in->mem + from, n, in->off) == (ssize_t)n;
}

/* The next chunk's bytes; false when it is not there or not whole. */
static bool next_chunk(struct chunk_reader *in, enum chunk_kind *kind_out,
    struct slice *bytes_out)
{
	struct chunk_head h;

	if (!read_more(in, 0, CHUNK_HEAD) ||
	    !chunk_get(slice_of(in->mem, CHUNK_HEAD), &h) ||
	    h.number != in->number)
		return false;
	in->off += CHUNK_HEAD;
	if (!read_more(in, CHUNK_HEAD, h.bytes) ||
	    !chunk_valid(slice_of(in->mem, CHUNK_HEAD + h.bytes), &h,
		in->secret))
		return false;
	in->off += h.bytes;
	in->number++;
	*kind_out = h.kind;
	*bytes_out = slice_of(in->mem + CHUNK_HEAD, h.bytes);
	return true;
}

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

/* All chunks, from the first to the last. */
static bool read_all(struct chunk_reader *in, struct found *f)
{
	enum chunk_kind kind;
	struct slice bytes;

	while (next_chunk(in, &kind, &bytes)) {
		if (kind == CHUNK_BEGIN && !take_begin(f, bytes))
			return false;
		if (kind == CHUNK_END)
			return f->begin_mem != NULL && take_end(f, bytes);
	}
	return false;
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

static void restore(struct spool_recovery *r, const struct checkpoint_row *row)
{
	const struct rec_accept *a = &row->record.accept;
	struct spool *s = r->s;
	struct segment *seg = main_at(s, row->slot, row->generation);
	struct version *v;

	if (seg == NULL)
		return; /* carried since, by a record that is replayed */
	replay_adopt_bulk(r, &a->body);
	v = version_of(s, &row->record, (struct rec_place){seg, row->rec,
	    row->rec_bytes, NULL});
	v->body_bytes = row->body_bytes;
	for (unsigned i = 0; i < v->n; i++) {
		v->d[i].slot = row->place[i].slot;
		v->d[i].rec = row->place[i].rec;
	}
	index_restore(s, v);
	version_free(v);
}

static bool restore_rows(struct spool_recovery *r, uint64_t rows)
{
	struct resume *in = r->resume;
	enum chunk_kind kind;
	struct slice bytes;
	uint64_t before = 0;

	live_table_reserve(&r->s->index.table, (uint32_t)rows);
	rewind_reader(&in->in);
	while (next_chunk(&in->in, &kind, &bytes)) {
		while (kind == CHUNK_ROWS && bytes.n > 0) {
			if (checkpoint_get_row(&bytes, &in->row,
				r->s->c.names) < 0 ||
			    in->row.record.accept.id <= before || rows-- == 0)
				return false;
			before = in->row.record.accept.id;
			restore(r, &in->row);
		}
		if (kind == CHUNK_END)
			return rows == 0;
	}
	return false;
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
	}
}

static bool take_over(struct spool_recovery *r, const struct found *f)
{
	if (!restore_begin(r, &f->begin) || !restore_rows(r, f->rows)) {
		index_clear(r->s);
		facts_clear(r->s);
		return false;
	}
	restore_segments(r, f);
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
	good = reader_open(&r->resume->in, r->s, name);
	if (good) {
		good = read_all(&r->resume->in, &f) && fits(r, &f) &&
		    take_over(r, &f);
		log_info("spool.checkpoint", kv_str("file", name),
		    kv_str("used", good ? "yes" : "no"),
		    kv_int("messages", (int64_t)f.rows));
	}
	found_free(&f);
	if (!good)
		checkpoint_leave(r);
	else
		rewind_reader(&r->resume->in);
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
	reader_close(&r->resume->in);
	checkpoint_row_fini(&r->resume->row);
	mem_free(r->resume);
	r->resume = NULL;
}

/* ---- told from it ---- */

static bool next_row(struct spool_recovery *r)
{
	struct resume *in = r->resume;
	enum chunk_kind kind = CHUNK_ROWS;

	while (in->rows.n == 0 || kind != CHUNK_ROWS)
		if (!next_chunk(&in->in, &kind, &in->rows) ||
		    kind == CHUNK_END)
			return false;
	return checkpoint_get_row(&in->rows, &in->row, r->s->c.names) == 0;
}

static bool untouched(const struct checkpoint_row *row,
    const struct version *v)
{
	if (row->generation != v->seg->generation || row->rec != v->rec ||
	    row->record.accept.deliveries != v->n)
		return false;
	for (unsigned i = 0; i < v->n; i++)
		if (row->place[i].rec != v->d[i].rec ||
		    row->place[i].slot != v->d[i].slot)
			return false;
	return true;
}

const struct checkpoint_row *checkpoint_row_of(struct spool_recovery *r,
    const struct version *v)
{
	struct resume *in = r->resume;

	while (in != NULL &&
	    (!in->has_row || in->row.record.accept.id < v->id)) {
		if (!next_row(r)) {
			checkpoint_leave(r);
			return NULL;
		}
		in->has_row = true;
	}
	return in != NULL && in->row.record.accept.id == v->id &&
		untouched(&in->row, v) ? &in->row : NULL;
}
