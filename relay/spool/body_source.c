/* SPDX-License-Identifier: ISC
 *
 * A body as a source, from disk or from memory. From disk: pieces of at most
 * 256 KiB, each with its own checksum, loaded by a reader thread, one ahead of
 * the one that is read.
 *
 * The readers answer to a hub: one mailbox for each loop that reads, shared
 * by its sources and gone with the last of them. A thread without a loop
 * (its mailbox is not attached) may wait, so there next() reads itself.
 */
#include <errno.h>

#include "relay/base/assert.h"
#include "relay/spool/spool_int.h"

struct hub {
	struct list node; /* in spool.hubs */
	struct loop *loop;
	struct mailbox in;
	unsigned refs;
};

struct disk_source {
	struct source source;
	struct spool *spool;
	uint64_t id; /* of the message */
	struct loop *loop;
	struct hub *hub; /* from the first load on */
	struct piece *piece;
	unsigned pieces;
	unsigned at;	 /* the next one to give */
	bool loading;	 /* a reader has `piece[busy]` */
	unsigned busy;
	bool waiting;	 /* `ready` is to be called */
	bool freed;
};

static void on_loaded(void *arg, struct letter *l);

void body_source_tell_unread(struct spool *s, uint64_t id, const char *why)
{
	if (s->c.unread != NULL)
		s->c.unread(s->c.unread_arg, id, why);
}

static struct hub *hub_get(struct spool *s, struct loop *loop)
{
	struct hub *h;

	pthread_mutex_lock(&s->lock);
	list_each(n, &s->hubs) {
		h = LIST_ENTRY(n, struct hub, node);
		if (h->loop == loop) {
			h->refs++;
			pthread_mutex_unlock(&s->lock);
			return h;
		}
	}
	h = NEW(struct hub);
	h->loop = loop;
	h->refs = 1;
	list_push_back(&s->hubs, &h->node);
	pthread_mutex_unlock(&s->lock);
	mailbox_init(&h->in);
	mailbox_attach(&h->in, loop, on_loaded, h);
	return h;
}

static void hub_put(struct spool *s, struct hub *h)
{
	bool last;

	if (h == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	PH_ASSERT(h->refs > 0);
	last = --h->refs == 0;
	if (last)
		list_remove(&h->node);
	pthread_mutex_unlock(&s->lock);
	if (!last)
		return;
	mailbox_fini(&h->in);
	mem_free(h);
}

static struct disk_source *of(struct source *s)
{
	return CONTAINER_OF(s, struct disk_source, source);
}

static bool read_piece(struct spool *s, struct piece *p)
{
	if (segment_read(s, p->seg, p->mem, p->bytes, p->off) < 0)
		return false;
	errno = EBADMSG;
	return sum_bytes(p->seg->secret, p->mem, p->bytes) == p->sum;
}

static void tell_unread(struct spool *s, const struct piece *p, int no)
{
	struct error err;

	if (p->seg == NULL)
		error_set(&err, "the segment that holds its body is gone");
	else
		error_sys(&err, no, "seg.%04u at %u: its body cannot be read",
		    (unsigned)p->seg->slot, (unsigned)p->off);
	body_source_tell_unread(s, of(p->source)->id, err.text);
}

void piece_load(struct spool *s, struct piece *p)
{
	p->done = true;
	p->good = false;
	if (p->seg == NULL) {
		tell_unread(s, p, 0);
		return;
	}
	if (p->mem == NULL)
		p->mem = mem_resize(NULL, p->bytes);
	for (int i = 0; !p->good && i < READ_TRIES; i++)
		p->good = read_piece(s, p);
	if (!p->good)
		tell_unread(s, p, errno);
}

/* Under the lock that the hub's end takes: the box is still rung when the
 * letter was taken already, and with it the last source may have gone. */
void piece_loaded(struct piece *p)
{
	struct disk_source *d = of(p->source);
	struct spool *s = d->spool;

	pthread_mutex_lock(&s->lock);
	mailbox_post(&d->hub->in, &p->letter);
	pthread_mutex_unlock(&s->lock);
}

static void drop(struct piece *p)
{
	mem_free(p->mem);
	p->mem = NULL;
	p->done = p->good = false;
}

static void unpin(struct disk_source *d)
{
	pthread_mutex_lock(&d->spool->lock);
	for (unsigned i = 0; i < d->pieces; i++)
		if (d->piece[i].seg != NULL) {
			PH_ASSERT(d->piece[i].seg->pins > 0);
			d->piece[i].seg->pins--;
		}
	pthread_mutex_unlock(&d->spool->lock);
}

static void destroy(struct disk_source *d)
{
	struct spool *s = d->spool;
	struct hub *h = d->hub;

	unpin(d);
	for (unsigned i = 0; i < d->pieces; i++)
		mem_free(d->piece[i].mem);
	mem_free(d->piece);
	mem_free(d);
	hub_put(s, h);
}

/* By the id and not by the address of `d`: a run under a seed must choose
 * alike each time. The low bits of an id count within its millisecond, and are
 * mostly 0. */
static unsigned reader_of(uint64_t id)
{
	return (unsigned)((id ^ id >> 22) % READERS);
}

static void load(struct disk_source *d, unsigned i)
{
	struct piece *p = &d->piece[i];
	struct mailbox *to;

	if (d->loop == NULL) {
		piece_load(d->spool, p);
		return;
	}
	if (d->hub == NULL)
		d->hub = hub_get(d->spool, d->loop);
	d->loading = true;
	d->busy = i;
	to = &d->spool->reader[reader_of(d->id)].in;
	p->letter.kind = POST_PIECE;
	mailbox_post(to, &p->letter);
}

static void on_loaded(void *arg, struct letter *l)
{
	struct piece *p = CONTAINER_OF(l, struct piece, letter);
	struct disk_source *d = of(p->source);

	(void)arg;
	d->loading = false;
	if (d->freed) {
		destroy(d);
		return;
	}
	if (!d->waiting)
		return;
	if (d->busy != d->at) { /* it was rewound meanwhile */
		drop(p);
		load(d, d->at);
		return;
	}
	d->waiting = false;
	d->source.ready(d->source.ready_arg);
}

static enum source_state disk_next(struct source *s, struct slice *chunk_out)
{
	struct disk_source *d = of(s);
	struct piece *p;

	if (d->at > 0)
		drop(&d->piece[d->at - 1]);
	if (d->at == d->pieces)
		return SOURCE_END;
	p = &d->piece[d->at];
	/* While a reader has it, `done` is the reader's to write. */
	if (!d->loading && !p->done)
		load(d, d->at);
	if (d->loading && (d->busy == d->at || !p->done)) {
		d->waiting = true;
		return SOURCE_WAIT;
	}
	if (!p->good)
		return SOURCE_ERROR;
	*chunk_out = slice_of(p->mem, p->bytes);
	d->at++;
	if (d->at < d->pieces && d->loop != NULL && !d->loading)
		load(d, d->at);
	return SOURCE_CHUNK;
}

static void disk_rewind(struct source *s)
{
	struct disk_source *d = of(s);

	for (unsigned i = 0; i < d->pieces; i++)
		if (!d->loading || i != d->busy)
			drop(&d->piece[i]);
	d->at = 0;
	d->waiting = false;
}

static void disk_free(struct source *s)
{
	struct disk_source *d = of(s);

	d->freed = true;
	if (!d->loading)
		destroy(d);
}

static const struct source_ops disk_ops = {disk_next, disk_rewind, disk_free};

static void set_pieces(struct disk_source *d, struct segment *seg,
    const struct body_place *y)
{
	d->pieces = y->extents > 0 ? y->extents : y->bytes > 0;
	d->piece = NEW_ARRAY(struct piece, d->pieces);
	pthread_mutex_lock(&d->spool->lock);
	if (y->extents == 0 && y->bytes > 0)
		d->piece[0] = (struct piece){.seg = seg, .off = y->off,
		    .bytes = y->bytes, .sum = y->sum};
	for (unsigned i = 0; i < y->extents; i++)
		d->piece[i] = (struct piece){
		    .seg = segment_of(d->spool, &y->extent[i]),
		    .off = y->extent[i].off,
		    .bytes = y->extent[i].bytes,
		    .sum = y->extent[i].sum};
	for (unsigned i = 0; i < d->pieces; i++) {
		d->piece[i].source = &d->source;
		if (d->piece[i].seg != NULL)
			d->piece[i].seg->pins++;
	}
	pthread_mutex_unlock(&d->spool->lock);
}

/* On a reader's thread, which has the first piece under its hand: it comes
 * with the fetch, so a small body never waits. */
struct source *disk_source_new(struct spool *s, struct mailbox *to,
    uint64_t id, struct segment *seg, const struct body_place *y)
{
	struct disk_source *d = NEW(struct disk_source);

	d->source.ops = &disk_ops;
	d->source.size = y->size;
	d->spool = s;
	d->id = id;
	d->loop = to->io.loop;
	set_pieces(d, seg, y);
	if (d->pieces > 0)
		piece_load(s, &d->piece[0]);
	return &d->source;
}

/* ---- a body in memory, for direct delivery ---- */

struct body_source {
	struct source source;
	struct body *body;
	bool head_given;
	struct chunk *next;
};

static enum source_state body_source_next(struct source *s,
    struct slice *chunk_out)
{
	struct body_source *bs = CONTAINER_OF(s, struct body_source, source);

	if (!bs->head_given) {
		bs->head_given = true;
		if (bs->body->head_n > 0) {
			*chunk_out =
			    slice_of(bs->body->head, bs->body->head_n);
			return SOURCE_CHUNK;
		}
	}
	if (bs->next == NULL)
		return SOURCE_END;
	*chunk_out = slice_of(bs->next->data, bs->next->n);
	bs->next = bs->next->next;
	return SOURCE_CHUNK;
}

static void body_source_rewind(struct source *s)
{
	struct body_source *bs = CONTAINER_OF(s, struct body_source, source);

	bs->head_given = false;
	bs->next = bs->body->first;
}

static void body_source_free(struct source *s)
{
	struct body_source *bs = CONTAINER_OF(s, struct body_source, source);

	body_unref(bs->body);
	mem_free(bs);
}

static const struct source_ops body_source_ops = {
	body_source_next, body_source_rewind, body_source_free};

struct source *spool_draft_source(struct spool_draft *d)
{
	struct spool *s = d->spool;
	struct body *b = d->body;
	struct body_source *bs;

	if (d->bulk)
		return NULL;
	if (b->window == 0) {
		if (atomic_fetch_add(&s->window_used, b->bytes) + b->bytes >
		    atomic_load(&s->memory_window)) {
			spool_less(&s->window_used, b->bytes);
			return NULL;
		}
		b->window = b->bytes;
	}
	atomic_fetch_add(&b->refs, 1);
	bs = NEW(struct body_source);
	bs->source.ops = &body_source_ops;
	bs->source.size = b->bytes;
	bs->body = b;
	body_source_rewind(&bs->source);
	return &bs->source;
}
