/* SPDX-License-Identifier: ISC
 *
 * Reading what is not in memory: live messages for any thread that asks, and
 * pieces of their bodies. Two threads; each takes all requests that wait and
 * serves them in the order of the journal, which the disk likes forty times
 * better than the order of asking. Segments are pinned while they are read
 * from.
 */
#include <errno.h>
#include <stdlib.h>

#include "relay/base/assert.h"
#include "relay/spool/window.h"

enum { RECORD_SANE = 64 << 20 };

void reader_init(struct spool *s)
{
	for (int i = 0; i < READERS; i++)
		mailbox_init(&s->reader[i].in);
}

void reader_fini(struct spool *s)
{
	for (int i = 0; i < READERS; i++)
		mailbox_fini(&s->reader[i].in);
}

/* ---- records ---- */

/* NULL when it is not whole there. */
static char *read_through(const struct spool *s, struct rec_place at,
    size_t *bytes_out)
{
	const char *p = windows_bytes(at.by, at.seg, at.off, RECORD_HEAD);
	struct record_head h;
	struct slice payload;

	if (p == NULL)
		return NULL;
	record_frame(slice_of(p, RECORD_HEAD), &h, &payload);
	*bytes_out = record_span(&h);
	if (h.bytes > s->key.segment_bytes)
		return NULL;
	p = windows_bytes(at.by, at.seg, at.off, *bytes_out);
	if (p == NULL ||
	    !record_valid(slice_of(p, *bytes_out), &h, at.seg->secret))
		return NULL;
	return mem_dup(p, *bytes_out);
}

/* NULL and errno: EBADMSG when the bytes are there and wrong. */
static char *read_alone(struct spool *s, struct segment *seg, uint32_t off,
    size_t *bytes_out)
{
	unsigned char head[RECORD_HEAD];
	struct record_head h;
	struct slice payload;
	char *mem;

	if (segment_read(s, seg, head, sizeof(head), off) < 0)
		return NULL;
	/* The span first, from a frame that claims to be complete. */
	record_frame(slice_of(head, sizeof(head)), &h, &payload);
	if (h.bytes > RECORD_SANE ||
	    off + record_span(&h) > s->key.segment_bytes) {
		errno = EBADMSG;
		return NULL;
	}
	*bytes_out = record_span(&h);
	mem = mem_new(*bytes_out);
	if (segment_read(s, seg, mem, *bytes_out, off) == 0) {
		if (record_valid(slice_of(mem, *bytes_out), &h, seg->secret))
			return mem;
		errno = EBADMSG;
	}
	mem_free(mem);
	return NULL;
}

static char *read_raw(struct spool *s, struct rec_place at, size_t *bytes_out)
{
	char *mem = at.by == NULL ? NULL : read_through(s, at, bytes_out);

	return mem != NULL ? mem : read_alone(s, at.seg, at.off, bytes_out);
}

int read_record(struct spool *s, struct rec_place at, struct record *r,
    char **mem_out, struct error *err)
{
	struct record_head h;
	struct slice payload;
	size_t n;
	char *mem = read_raw(s, at, &n);

	if (mem == NULL)
		return error_sys(err, errno,
		    "seg.%04u at %u: the record cannot be read",
		    (unsigned)at.seg->slot, (unsigned)at.off);
	if (!record_frame(slice_of(mem, n), &h, &payload) ||
	    record_parse(r, &h, payload, at.seg->format, s->c.names) < 0) {
		mem_free(mem);
		return error_sys(err, EBADMSG, "seg.%04u at %u: not a record",
		    (unsigned)at.seg->slot, (unsigned)at.off);
	}
	*mem_out = mem;
	return 0;
}

/* ---- fetches ---- */

struct spool_fetch *spool_fetch_new(uint64_t id, struct mailbox *to, int kind)
{
	struct spool_fetch *f = NEW(struct spool_fetch);

	f->id = id;
	f->to = to;
	f->kind = kind;
	strbuf_init(&f->envelope, ENVELOPE_BYTES * 2);
	return f;
}

void spool_fetch_free(struct spool_fetch *f)
{
	if (f == NULL)
		return;
	for (unsigned i = 0; i < f->deliveries && f->reply != NULL; i++)
		strbuf_fini(&f->reply[i]);
	mem_free(f->reply);
	mem_free(f->delivery);
	strbuf_fini(&f->envelope);
	source_free(f->source);
	if (f->place != NULL)
		mem_free(f->place->body.extent);
	mem_free(f->place);
	mem_free(f);
}

void spool_fetch_post(struct spool *s, struct spool_fetch *f)
{
	f->letter.kind = POST_FETCH;
	mailbox_post(&s->reader[f->lane % READERS].in, &f->letter);
}

static void pin(struct segment *seg, int by)
{
	PH_ASSERT(by > 0 || seg->pins > 0);
	seg->pins += (unsigned)by;
}

void version_pin(struct spool *s, const struct version *v, int by)
{
	pin(v->seg, by);
	for (unsigned i = 0; i < v->n; i++)
		if (v->d[i].rec != 0)
			pin(s->seg[v->d[i].slot], by);
}

static struct version *look_up(struct spool *s, uint64_t id)
{
	struct version *v;

	pthread_mutex_lock(&s->lock);
	v = index_copy(s, id);
	if (v != NULL)
		version_pin(s, v, 1);
	pthread_mutex_unlock(&s->lock);
	return v;
}

static void let_go(struct spool *s, struct version *v)
{
	pthread_mutex_lock(&s->lock);
	version_pin(s, v, -1);
	pthread_mutex_unlock(&s->lock);
	version_free(v);
}

static void fill_deliveries(struct spool *s, struct spool_fetch *f,
    const struct stored *m)
{
	f->deliveries = m->n;
	f->delivery = NEW_ARRAY(struct spool_delivery, m->n);
	f->reply = NEW_ARRAY(struct strbuf, m->n);
	for (unsigned i = 0; i < m->n; i++) {
		f->delivery[i] = m->delivery[i];
		steady_move(&f->delivery[i], -spool_ahead_us(s));
		strbuf_init(&f->reply[i], RECORD_SANE);
		strbuf_addsl(&f->reply[i], m->detail[i]);
	}
}

/* For one that is over: its place, should it be revived. */
static void keep_place(struct spool_fetch *f, const struct version *v,
    const struct rec_accept *a)
{
	struct kept_place *p = NEW(struct kept_place);

	p->place = (struct rec_revive){.generation = v->seg->generation,
	    .off = v->rec, .bytes = v->rec_bytes, .old = v->n};
	p->sender = a->sender;
	p->body = a->body;
	p->body.extent = a->body.extents == 0 ? NULL :
	    mem_dup(a->body.extent, a->body.extents * sizeof(*p->body.extent));
	f->place = p;
}

static bool is_over(const struct version *v)
{
	for (unsigned i = 0; i < v->n; i++)
		if (dstate_live(v->d[i].state))
			return false;
	return true;
}

static int give(struct spool *s, struct spool_fetch *f,
    const struct version *v)
{
	const struct rec_accept *a;
	struct stored m;
	int rc = -1;

	for (int i = 0; rc < 0 && i < READ_TRIES; i++)
		rc = stored_read(s, NULL, v, &m, &f->err);
	if (rc < 0)
		return -1;
	a = &m.record.accept;
	f->accepted_us = a->accepted_us;
	f->size = a->body.size;
	strbuf_addsl(&f->envelope, a->envelope);
	fill_deliveries(s, f, &m);
	f->over = is_over(v);
	if (f->over)
		keep_place(f, v, a);
	if (f->want_body)
		f->source = disk_source_new(s, f->to, f->id, v->seg, &a->body);
	stored_fini(&m);
	return 0;
}

static int fetch_kept(struct spool *s, struct spool_fetch *f)
{
	struct retained r;
	int rc = -1;

	if (retained_find(s, f->id, &r, &f->err) != NULL) {
		rc = give(s, f, r.version);
		retained_let_go(s, &r);
	}
	return rc;
}

static int fetch(struct spool *s, struct spool_fetch *f)
{
	struct version *v = look_up(s, f->id);
	int rc;

	if (v == NULL && f->want_kept)
		return fetch_kept(s, f);
	if (v == NULL)
		return error_set(&f->err, "no such message is in the queue");
	rc = give(s, f, v);
	if (rc < 0)
		body_source_tell_unread(s, f->id, f->err.text);
	let_go(s, v);
	return rc;
}

static void answer_fetch(struct spool *s, struct spool_fetch *f)
{
	f->status = fetch(s, f);
	f->letter.kind = f->kind;
	mailbox_post(f->to, &f->letter);
}

/* ---- the thread ---- */

struct request {
	uint64_t place; /* generation and offset, roughly */
	struct letter *letter;
};

static uint64_t place_of(struct spool *s, struct letter *l)
{
	struct spool_fetch *f;
	struct piece *p;
	const struct live *m;
	uint32_t number;
	uint64_t place = 0;

	if (l->kind == POST_PIECE) {
		p = CONTAINER_OF(l, struct piece, letter);
		return p->seg == NULL ? 0 : p->seg->generation << 32 | p->off;
	}
	f = CONTAINER_OF(l, struct spool_fetch, letter);
	pthread_mutex_lock(&s->lock);
	number = live_find(&s->index.table, f->id);
	if (number != 0) {
		m = live_at(&s->index.table, number);
		place = s->seg[m->slot]->generation << 32 | m->rec;
	}
	pthread_mutex_unlock(&s->lock);
	return place;
}

static int by_place(const void *a, const void *b)
{
	uint64_t x = ((const struct request *)a)->place;
	uint64_t y = ((const struct request *)b)->place;

	return (x > y) - (x < y);
}

static void serve(struct spool *s, struct letter *l)
{
	if (l->kind == POST_FETCH) {
		answer_fetch(s, CONTAINER_OF(l, struct spool_fetch, letter));
	} else {
		struct piece *p = CONTAINER_OF(l, struct piece, letter);

		piece_load(s, p);
		piece_loaded(p);
	}
}

int reader_step(struct spool *s, unsigned which)
{
	struct letter *l = mailbox_take(&s->reader[which].in);
	struct request *r = NULL;
	size_t n = 0, cap = 0;

	for (; l != NULL; l = l->next) {
		if (n == cap) {
			cap = cap == 0 ? 16 : cap * 2;
			r = mem_resize(r, cap * sizeof(*r));
		}
		r[n++] = (struct request){place_of(s, l), l};
	}
	if (n > 1)
		qsort(r, n, sizeof(*r), by_place);
	for (size_t i = 0; i < n; i++)
		serve(s, r[i].letter);
	mem_free(r);
	return n > 0 ? 0 : -1;
}
