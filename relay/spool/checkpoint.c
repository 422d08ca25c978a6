/* SPDX-License-Identifier: ISC
 *
 * The checkpoint: what a start would find out by reading the journal up to a
 * batch. It is made while the writer goes on: its batch is fixed first, then
 * the messages are read one by one, each as it is by then. The replay begins at
 * that batch and applies again what some of them have already; each record
 * gives a whole state, so the last one counts all the same. A message that was
 * recycled from its segment meanwhile was carried by a record that is replayed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "relay/base/log.h"
#include "relay/spool/chunk_file.h"
#include "relay/spool/window.h"

enum { EVERY_MS = 30000, SHARE = 20, LOOK_MS = 1000, IDS = 4096 };

static const char name_now[] = "checkpoint", name_old[] = "checkpoint.old",
    name_new[] = "checkpoint.new";

struct chunk_writer {
	struct spool *s;
	bool at_end; /* the session is over: nothing waits for the thread */
	int fd;
	int64_t at;
	uint64_t number, rows;
	struct strbuf b;
	struct message_row row;
	struct windows *windows;
	struct chunk_file old; /* the checkpoint before */
	unsigned char secret[SUM_SECRET];
};

/* ---- written ---- */

static int flush(struct chunk_writer *w, enum chunk_kind kind)
{
	struct diskio *io = w->s->c.io;

	if (!strbuf_ok(&w->b))
		return -1;
	chunk_end(&w->b, kind, w->number++, w->secret);
	if (io->pwrite(io, w->fd, w->b.p, w->b.n, w->at) != (ssize_t)w->b.n)
		return -1;
	w->at += (int64_t)w->b.n;
	chunk_begin(&w->b);
	return 0;
}

static void pack_facts(struct spool *s, struct strbuf *out)
{
	struct fact f[FACTS_MAX];

	for (unsigned i = 0; i < s->facts; i++)
		f[i] = (struct fact){slice_str(s->fact[i].key),
		    strbuf_view(&s->fact[i].value)};
	record_put_facts(out, true, f, s->facts);
}

/* -1: there is no batch yet. */
static int write_begin(struct chunk_writer *w)
{
	struct spool *s = w->s;
	struct checkpoint_begin c = {.spool_id = s->key.id};
	struct strbuf facts, totals;
	const struct synced_batch *last = &s->journal.last;

	strbuf_init(&facts, CHUNK_MAX);
	strbuf_init(&totals, CHUNK_MAX);
	pthread_mutex_lock(&s->lock);
	c.generation = last->generation;
	c.number = last->number;
	c.offset = last->offset;
	c.wall_us = last->wall_us;
	c.now_us = last->now_us;
	pack_facts(s, &facts);
	record_put_totals(&totals,
	    (const uint64_t(*)[TOTALS])s->index.total, s->c.names,
	    (unsigned)names_count(s->c.names));
	pthread_mutex_unlock(&s->lock);
	c.facts = strbuf_view(&facts);
	c.totals = strbuf_view(&totals);
	checkpoint_put_begin(&w->b, &c);
	strbuf_fini(&facts);
	strbuf_fini(&totals);
	s->checkpointer.written = c.generation;
	return c.generation == 0 ? -1 : flush(w, CHUNK_BEGIN);
}

/* Numbers `from` on; those of a slab are never given up, only used again. */
static size_t some_ids(struct spool *s, uint32_t from, uint64_t *out)
{
	const struct live_table *t = &s->index.table;
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = from; i < from + IDS && i <= t->messages.used; i++)
		if (live_is(t, i))
			out[n++] = live_at(t, i)->id;
	pthread_mutex_unlock(&s->lock);
	return n;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* As they are after a start, and while no number is used again. */
static bool ascending(const uint64_t *ids, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (ids[i] < ids[i - 1])
			return false;
	return true;
}

static uint64_t *all_ids(struct spool *s, size_t *n_out)
{
	uint64_t *ids;
	uint32_t used;

	pthread_mutex_lock(&s->lock);
	used = s->index.table.messages.used;
	pthread_mutex_unlock(&s->lock);
	ids = NEW_ARRAY(uint64_t, used + IDS);
	*n_out = 0;
	for (uint32_t i = 1; i <= used; i += IDS)
		*n_out += some_ids(s, i, ids + *n_out);
	if (!ascending(ids, *n_out))
		qsort(ids, *n_out, sizeof(*ids), by_id);
	return ids;
}

static void put_row(struct chunk_writer *w, const struct version *v,
    const struct stored *m)
{
	const struct rec_accept *a = &m->record.accept;
	struct message_row *row = &w->row;

	row_room(row, m->n, a->body.extents);
	row->id = v->id;
	row->generation = v->seg->generation;
	row->slot = v->seg->slot;
	row->rec = v->rec;
	row->rec_bytes = v->rec_bytes;
	row->body_bytes = v->body_bytes;
	row->size = a->body.size;
	row->sender = a->sender;
	row->whole = true;
	row->deliveries = m->n;
	row->extents = a->body.extents;
	for (unsigned i = 0; i < m->n; i++) {
		row->place[i] = (struct row_place){i, v->d[i].slot,
		    v->d[i].rec};
		row->delivery[i] = m->delivery[i];
	}
	for (unsigned i = 0; i < row->extents; i++)
		row->extent[i] = a->body.extent[i];
	sheet_put(&w->b, row);
	w->rows++;
}

/* As the checkpoint before has it, if nothing became of it since. */
static bool put_old_row(struct chunk_writer *w, const struct version *v)
{
	struct chunk_file *old = &w->old;
	int rc = 1;

	while (old->fd >= 0 && old->last_id < v->id && rc > 0)
		rc = chunk_file_row(old);
	if (rc <= 0)
		chunk_file_close(old);
	if (rc <= 0 || old->fd < 0 || old->last_id != v->id ||
	    !version_has_row(v, &old->row))
		return false;
	for (unsigned i = 0; i < v->n; i++)
		old->row.delivery[i].uncertain = v->d[i].uncertain;
	sheet_put(&w->b, &old->row);
	w->rows++;
	return true;
}

static int read_row(struct chunk_writer *w, const struct version *v)
{
	struct stored m;
	struct error err;
	int rc = stored_read(w->s, w->windows, v, &m, &err);

	if (rc == 0) {
		put_row(w, v, &m);
		stored_fini(&m);
	}
	return rc;
}

/* One that is over by now is left out. */
static int write_row(struct chunk_writer *w, uint64_t id)
{
	struct spool *s = w->s;
	struct version *v;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	v = index_copy(s, id);
	if (v != NULL)
		version_pin(s, v, 1);
	pthread_mutex_unlock(&s->lock);
	if (v == NULL)
		return 0;
	if (!put_old_row(w, v))
		rc = read_row(w, v);
	pthread_mutex_lock(&s->lock);
	version_pin(s, v, -1);
	pthread_mutex_unlock(&s->lock);
	version_free(v);
	return rc;
}

static int end_sheet(struct chunk_writer *w)
{
	int rc;

	if (sheet_empty(&w->b, CHUNK_HEAD))
		return 0;
	sheet_end(&w->b, CHUNK_HEAD, w->s->c.names);
	rc = flush(w, CHUNK_ROWS);
	sheet_begin(&w->b);
	return rc;
}

static int write_some(struct chunk_writer *w, const uint64_t *ids, size_t n)
{
	int rc = 0;

	sheet_begin(&w->b);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = write_row(w, ids[i]);
		if (rc == 0 && w->b.n >= CHUNK_FULL)
			rc = end_sheet(w);
		if (atomic_load(&w->s->stopping) && !w->at_end)
			rc = -1; /* a stop writes one of its own */
	}
	if (rc == 0)
		rc = end_sheet(w);
	chunk_begin(&w->b);
	return rc;
}

static int write_rows(struct chunk_writer *w)
{
	size_t n;
	uint64_t *ids = all_ids(w->s, &n);
	int rc;

	w->windows = windows_new(w->s);
	chunk_file_open(&w->old, w->s, name_now);
	rc = write_some(w, ids, n);
	chunk_file_close(&w->old);
	windows_free(w->windows);
	row_fini(&w->row);
	mem_free(ids);
	return rc;
}

/* When its mail was over is written, not until when that is retained: the next
 * session may have another spool.retain. */
static void put_segment(struct strbuf *b, const struct segment *seg,
    int64_t retain_us)
{
	struct checkpoint_segment g = {
	    .lane = seg->state == SEG_MAIN ? LANE_MAIN : LANE_BULK,
	    .slot = seg->slot, .generation = seg->generation,
	    .end = seg->end, .batches = seg->batches,
	    .summary = seg->summary, .id_min = seg->id_min,
	    .id_max = seg->id_max, .first_us = seg->first_us,
	    .over_us = seg->retain_until_us == 0 ? 0 :
		seg->retain_until_us - retain_us};

	checkpoint_put_segment(b, &g);
}

static int write_end(struct chunk_writer *w)
{
	struct spool *s = w->s;
	uint32_t n = 0;

	pack_u64(&w->b, w->rows);
	pthread_mutex_lock(&s->lock);
	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1)
			pack_u32(&w->b, n);
		for (unsigned i = 0; i < s->segs; i++) {
			const struct segment *seg = s->seg[i];

			if (seg == NULL || (seg->state != SEG_MAIN &&
			    seg->state != SEG_BULK))
				continue;
			n++;
			if (pass == 1)
				put_segment(&w->b, seg,
				    atomic_load(&s->retain_us));
		}
	}
	pthread_mutex_unlock(&s->lock);
	return flush(w, CHUNK_END);
}

static int write_file(struct spool *s, const char *path, bool at_end)
{
	struct diskio *io = s->c.io;
	struct chunk_writer w = {.s = s, .at_end = at_end};
	int rc;

	w.fd = io->open(io, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (w.fd < 0)
		return -1;
	strbuf_init(&w.b, CHUNK_MAX);
	sum_secret(s->key.secret, CHECKPOINT_LANE, 0, w.secret);
	chunk_begin(&w.b);
	rc = write_begin(&w);
	if (rc == 0)
		rc = write_rows(&w);
	if (rc == 0)
		rc = write_end(&w);
	if (rc == 0)
		rc = io->fsync(io, w.fd);
	io->close(io, w.fd);
	strbuf_fini(&w.b);
	return rc;
}

/* The one before stays, until the next. */
static int replace(struct spool *s, bool at_end)
{
	struct diskio *io = s->c.io;
	struct strbuf now, old, new;
	int rc;

	strbuf_init(&now, 4096);
	strbuf_init(&old, 4096);
	strbuf_init(&new, 4096);
	spool_path(s, name_now, &now);
	spool_path(s, name_old, &old);
	spool_path(s, name_new, &new);
	rc = write_file(s, new.p, at_end);
	if (rc == 0 && io->rename(io, now.p, old.p) < 0 && errno != ENOENT)
		rc = -1;
	if (rc == 0)
		rc = io->rename(io, new.p, now.p);
	if (rc == 0)
		rc = spool_sync_directory(s);
	if (rc < 0)
		io->unlink(io, new.p);
	strbuf_fini(&now);
	strbuf_fini(&old);
	strbuf_fini(&new);
	return rc;
}

/* ---- when ---- */

void checkpoint_init(struct spool *s)
{
	mailbox_init(&s->checkpointer.in);
}

void checkpoint_fini(struct spool *s)
{
	mailbox_fini(&s->checkpointer.in);
}

/* A short journal is read as quickly. A damaged one is read at each start, so
 * that the damage is named; where a sync failed, nothing is built on it. */
static bool gains(struct spool *s, bool at_end)
{
	unsigned mains = 0;
	uint64_t generation;

	if (s->c.checkpoint_segments == 0 || s->checkpointer.off ||
	    atomic_load(&s->sync_failed))
		return false;
	pthread_mutex_lock(&s->lock);
	list_each(n, &s->mains)
		mains++;
	generation = s->journal.last.generation;
	pthread_mutex_unlock(&s->lock);
	return mains >= s->c.checkpoint_segments &&
	    (at_end || generation > s->checkpointer.written);
}

int checkpoint_step(struct spool *s, int64_t now_ms)
{
	struct checkpointer *c = &s->checkpointer;
	int64_t took_ms;

	if (now_ms < c->next_ms || !gains(s, false))
		return LOOK_MS;
	if (replace(s, false) < 0 && !atomic_load(&s->stopping))
		log_warn("spool.checkpoint_failed", kv_str("path", s->path));
	took_ms = spool_now_ms(s) - now_ms;
	c->next_ms = now_ms + (took_ms * SHARE > EVERY_MS ? took_ms * SHARE :
							     EVERY_MS);
	return LOOK_MS;
}

void checkpoint_end(struct spool *s)
{
	if (!s->c.look_only && gains(s, true))
		replace(s, true);
}
