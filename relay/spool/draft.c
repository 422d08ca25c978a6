/* SPDX-License-Identifier: ISC
 *
 * A message being received. A small body stays in memory, from where the
 * writer writes it and a worker may deliver it; a large one, or any when the
 * pool is used up, streams to the bulk lane piece by piece.
 *
 * The pool (limits.body_memory) is a ceiling by three steps. From 3/4 on it is
 * tight: heads and chunks are small, workers read less at once, and drafts
 * that stall go to the lane. From 7/8 on every draft that gets more bytes goes
 * to the lane and takes no more before the lane has them, but for less than a
 * block. The last eighth is for that and for what is read meanwhile. No draft
 * waits for another's memory, only for the lane, which always answers: so a
 * flood slows the others but cannot stop them.
 *
 * The owner's worker adds; the bulk lane takes pieces away; the steward may
 * push a stalled draft to the lane. They meet under the draft's lock. Once
 * the lane has begun, the head is never moved again.
 */
#include <errno.h>

#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/spool/spool_int.h"

enum {
	HEAD_FIRST = 1024,
	HEAD_TIGHT = 16 << 10, /* enough for the header of nearly all mail */
	CHUNK_TIGHT = 4 << 10,
};

static bool over_eighths(const struct spool *s, unsigned n)
{
	return atomic_load(&s->pool_used) >=
	       atomic_load(&s->body_memory) / 8 * n;
}

bool spool_memory_tight(const struct spool *s)
{
	return over_eighths(s, 6);
}

void spool_memory_set(struct spool *s, uint64_t body, uint64_t window)
{
	atomic_store(&s->body_memory, body);
	atomic_store(&s->memory_window, window);
}

/* Only taken bytes are given back: no sum goes below zero. */
void spool_less(_Atomic uint64_t *sum, uint64_t bytes)
{
	uint64_t before = atomic_fetch_sub(sum, bytes);

	PH_ASSERT(before >= bytes);
}

void spool_memory_held(struct spool *s, int64_t bytes)
{
	if (bytes < 0)
		spool_less(&s->pool_used, (uint64_t)-bytes);
	else
		atomic_fetch_add(&s->pool_used, (uint64_t)bytes);
}

static bool must_stream(const struct spool *s)
{
	return over_eighths(s, 7);
}

/* The lane pads each piece to a block, so a client that sends byte by byte
 * would fill the disk 4,096 times as fast as it sends: less than a block waits
 * in memory while there is any. */
static uint64_t least_piece(const struct spool *s)
{
	return over_eighths(s, 8) ? 1 : BLOCK;
}

static struct body *body_new(struct spool *s)
{
	struct body *b = NEW(struct body);

	atomic_init(&b->refs, 1);
	b->spool = s;
	return b;
}

static void body_leave_pool(struct body *b)
{
	spool_less(&b->spool->pool_used, b->pool);
	b->pool = 0;
}

void body_unref(struct body *b)
{
	struct chunk *c, *next;
	unsigned before = atomic_fetch_sub(&b->refs, 1);

	PH_ASSERT(before > 0);
	if (before != 1)
		return;
	body_leave_pool(b);
	spool_less(&b->spool->window_used, b->window);
	for (c = b->first; c != NULL; c = next) {
		next = c->next;
		mem_free(c);
	}
	mem_free(b->head);
	mem_free(b);
}

static void pool_add(struct body *b, size_t n)
{
	b->pool += n;
	atomic_fetch_add(&b->spool->pool_used, n);
}

static size_t add_to_head(struct body *b, struct slice bytes)
{
	size_t max = spool_memory_tight(b->spool) ? HEAD_TIGHT : HEAD_BYTES;
	size_t n = bytes.n, cap = b->head_cap;

	if (b->head_n >= max)
		return 0;
	if (n > max - b->head_n)
		n = max - b->head_n;
	if (b->head_n + n > cap) {
		cap = cap == 0 ? HEAD_FIRST : cap * 2;
		if (cap < b->head_n + n)
			cap = b->head_n + n;
		if (cap > max)
			cap = max;
		b->head = mem_resize(b->head, cap);
		pool_add(b, cap - b->head_cap);
		b->head_cap = cap;
	}
	memcpy(b->head + b->head_n, bytes.p, n);
	b->head_n += n;
	return n;
}

/* A quarter of what is there: a body that stays in memory has few parts. */
static size_t chunk_size(const struct body *b, size_t n)
{
	uint64_t quarter = b->bytes / 4;

	n = n > quarter ? n : quarter;
	if (!spool_memory_tight(b->spool) || n >= CHUNK_BYTES)
		return CHUNK_BYTES;
	return (n + CHUNK_TIGHT - 1) / CHUNK_TIGHT * CHUNK_TIGHT;
}

static size_t add_to_chunk(struct body *b, struct slice bytes)
{
	struct chunk *c = b->last;
	size_t n = bytes.n;

	if (c == NULL || c->n == c->cap) {
		size_t cap = chunk_size(b, n);

		c = mem_resize(NULL, sizeof(*c) + cap);
		*c = (struct chunk){.cap = cap};
		pool_add(b, cap);
		if (b->last != NULL)
			b->last->next = c;
		else
			b->first = c;
		b->last = c;
		b->parts++;
	}
	if (n > c->cap - c->n)
		n = c->cap - c->n;
	memcpy(c->data + c->n, bytes.p, n);
	c->n += n;
	return n;
}

/* The head ends where the first chunk begins. */
static void body_add(struct body *b, struct slice bytes, bool head_open)
{
	uint64_t before = b->bytes;

	b->bytes += bytes.n;
	if (head_open && before == b->head_n)
		bytes = slice_from(bytes, add_to_head(b, bytes));
	while (bytes.n > 0)
		bytes = slice_from(bytes, add_to_chunk(b, bytes));
}

unsigned body_iov(const struct body *b, struct iovec *iov, unsigned max)
{
	unsigned n = 0;

	if (b->head_n > 0)
		iov[n++] = (struct iovec){b->head, b->head_n};
	for (struct chunk *c = b->first; c != NULL && n < max; c = c->next)
		iov[n++] = (struct iovec){c->data, c->n};
	return n;
}

struct spool_draft *spool_draft_new(struct spool *s, uint64_t id,
    struct mailbox *to, void *arg)
{
	struct spool_draft *d = NEW(struct spool_draft);

	d->letter.draft = d;
	d->letter.arg = arg;
	d->post.kind = POST_DRAFT;
	d->bulk_post.kind = POST_BULK;
	d->spool = s;
	d->to = to;
	d->id = id;
	d->body = body_new(s);
	strbuf_init(&d->envelope, ENVELOPE_BYTES);
	pthread_mutex_init(&d->lock, NULL);
	pthread_mutex_lock(&s->drafts_lock);
	list_push_back(&s->drafts, &d->node);
	pthread_mutex_unlock(&s->drafts_lock);
	return d;
}

static void post_to_lane(struct spool_draft *d)
{
	if (d->bulk_posted || d->pending == 0)
		return;
	d->bulk_posted = true;
	mailbox_post(&d->spool->bulk.in, &d->bulk_post);
}

static void spill(struct spool_draft *d)
{
	d->bulk = true;
	d->pending = d->body->bytes;
	post_to_lane(d);
}

/* Space is taken for what has come, not for what was announced: a stranger
 * announces 50 MB for nothing. */
static void count(struct spool_draft *d, uint64_t bytes)
{
	atomic_fetch_add(&d->spool->reserved, bytes);
	d->counted += bytes;
}

static void uncount(struct spool_draft *d)
{
	spool_less(&d->spool->reserved, d->counted);
	d->counted = 0;
}

/* Under the draft's lock. */
static enum spool_add add(struct spool_draft *d, struct slice bytes,
    int wait_kind)
{
	struct spool *s = d->spool;
	uint64_t least = least_piece(s); /* asked once: it may change */
	bool stream;

	PH_ASSERT(!d->closed);
	body_add(d->body, bytes, !d->bulk);
	count(d, bytes.n);
	d->last_add_ms = spool_now_ms(s);
	stream = must_stream(s);
	if (!d->bulk) {
		if (stream || d->body->bytes > s->inline_max ||
		    d->body->parts + 1 >= DRAFT_IOVS)
			spill(d);
	} else {
		d->pending += bytes.n;
		if (d->pending >= (stream ? least : s->piece_max))
			post_to_lane(d);
	}
	if (!d->bulk || wait_kind == 0 ||
	    d->pending < (stream ? least : 2 * s->piece_max + 1))
		return ADD_OK;
	d->wait_letter = true;
	d->wait_kind = wait_kind;
	return ADD_WAIT;
}

enum spool_add spool_draft_add(struct spool_draft *d, struct slice bytes,
    int wait_kind)
{
	enum spool_add rc;

	if (atomic_load(&d->spool->sync_failed))
		return ADD_FAILED;
	if (space_admits(d->spool, bytes.n) == ADMIT_FULL)
		return ADD_FULL;
	pthread_mutex_lock(&d->lock);
	if (d->lane_status == SPOOL_STORED)
		rc = add(d, bytes, wait_kind);
	else
		rc = d->lane_status == SPOOL_FULL ? ADD_FULL : ADD_FAILED;
	pthread_mutex_unlock(&d->lock);
	return rc;
}

enum spool_add spool_draft_expect(const struct spool_draft *d, uint64_t bytes)
{
	return space_admits(d->spool, bytes) == ADMIT_FULL ? ADD_FULL
							     : ADD_OK;
}

struct slice spool_draft_head(const struct spool_draft *d)
{
	return slice_of(d->body->head, d->body->head_n);
}

uint64_t spool_draft_size(const struct spool_draft *d)
{
	return d->body->bytes;
}

uint64_t spool_draft_id(const struct spool_draft *d)
{
	return d->id;
}

/* Under the draft's lock: to the writer, through the lane if need be. */
void draft_ready(struct spool_draft *d)
{
	struct mailbox *writer = &d->spool->journal.in;

	PH_ASSERT(d->closed && !d->answered);
	d->ready = true;
	/* In the lane's hand even when it has synced the last byte: it calls
	 * again, and a letter is posted once. */
	if (d->bulk_posted)
		return;
	if (d->bulk && d->pending > 0 && d->lane_status == SPOOL_STORED)
		post_to_lane(d);
	else if (d->op != NULL)
		mailbox_post(writer, &d->op->letter);
	else
		mailbox_post(writer, &d->post);
}

void spool_draft_sender(struct spool_draft *d, uint64_t sender)
{
	d->sender = sender;
}

void spool_draft_details(struct spool_draft *d, const struct slice *details,
    unsigned n)
{
	PH_ASSERT(d->details == NULL && !d->closed);
	d->details = arena_new();
	d->detail = arena_alloc(d->details, n * sizeof(*d->detail));
	for (unsigned i = 0; i < n; i++) {
		d->detail[i] = slice_of(arena_slicedup(d->details, details[i]),
		    details[i].n);
		d->detail_bytes += details[i].n;
	}
}

void spool_draft_prepare(struct spool_draft *d, struct slice envelope,
    const struct spool_delivery *deliveries, unsigned n)
{
	const struct clock *c = d->spool->c.clock;

	strbuf_addsl(&d->envelope, envelope);
	d->delivery = mem_dup(deliveries, n * sizeof(*deliveries));
	d->deliveries = n;
	d->accepted_us = c->wall_us(c);
	pthread_mutex_lock(&d->lock);
	PH_ASSERT(!d->closed);
	d->closed = true;
	pthread_mutex_unlock(&d->lock);
}

void spool_draft_commit(struct spool_draft *d, struct slice envelope,
    const struct spool_delivery *deliveries, unsigned n, int kind)
{
	spool_draft_prepare(d, envelope, deliveries, n);
	d->kind = kind;
	pthread_mutex_lock(&d->lock);
	/* The draft has one letter: room was told of and heard before. */
	PH_ASSERT(!d->wait_letter && !d->letter.letter.posted);
	draft_ready(d);
	pthread_mutex_unlock(&d->lock);
}

void draft_answer(struct spool_draft *d, enum spool_status status)
{
	PH_ASSERT(d->ready && !d->answered && d->op == NULL);
	d->answered = true;
	if (status == SPOOL_STORED) /* its place on disk counts from here */
		uncount(d);
	d->letter.status = status;
	d->letter.letter.kind = d->kind;
	mailbox_post(d->to, &d->letter.letter);
}

void draft_destroy(struct spool_draft *d)
{
	struct spool *s = d->spool;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < d->pins; i++) {
		PH_ASSERT(d->pin[i]->pins > 0);
		d->pin[i]->pins--;
	}
	pthread_mutex_unlock(&s->lock);
	uncount(d);
	body_leave_pool(d->body);
	body_unref(d->body);
	strbuf_fini(&d->envelope);
	mem_free(d->delivery);
	arena_free(d->details);
	mem_free(d->place.extent);
	mem_free(d->pin);
	pthread_mutex_destroy(&d->lock);
	mem_free(d);
}

void spool_draft_free(struct spool_draft *d)
{
	bool in_lane;

	if (d == NULL)
		return;
	pthread_mutex_lock(&d->spool->drafts_lock);
	list_remove(&d->node);
	pthread_mutex_unlock(&d->spool->drafts_lock);
	pthread_mutex_lock(&d->lock);
	in_lane = d->bulk_posted;
	d->abandoned = true;
	pthread_mutex_unlock(&d->lock);
	if (!in_lane)
		draft_destroy(d);
}

void draft_spill_stalled(struct spool *s, int64_t now_ms)
{
	if (!spool_memory_tight(s))
		return;
	pthread_mutex_lock(&s->drafts_lock);
	list_each(n, &s->drafts) {
		struct spool_draft *d =
		    LIST_ENTRY(n, struct spool_draft, node);

		pthread_mutex_lock(&d->lock);
		if (!d->closed && d->body->bytes > 0 &&
		    now_ms - d->last_add_ms >= STALL_MS) {
			if (d->bulk)
				post_to_lane(d);
			else
				spill(d);
		}
		pthread_mutex_unlock(&d->lock);
	}
	pthread_mutex_unlock(&s->drafts_lock);
}

unsigned draft_peek(struct spool_draft *d, struct iovec *iov, unsigned iovs,
    uint64_t max)
{
	const struct body *b = d->body;
	unsigned n = 0;

	if (d->head_sent < b->head_n)
		iov[n++] = (struct iovec){
		    b->head + d->head_sent, b->head_n - d->head_sent};
	for (struct chunk *c = b->first; c != NULL && n < iovs; c = c->next)
		iov[n++] = (struct iovec){c->data + c->sent, c->n - c->sent};
	for (unsigned i = 0; i < n; i++) {
		if (iov[i].iov_len >= max) {
			iov[i].iov_len = max;
			return i + 1;
		}
		max -= iov[i].iov_len;
	}
	return n;
}

void draft_sent(struct spool_draft *d, uint64_t bytes)
{
	struct body *b = d->body;
	struct chunk *c;
	uint64_t n = b->head_n - d->head_sent;

	n = n < bytes ? n : bytes;
	d->head_sent += n;
	bytes -= n;
	while (bytes > 0 && (c = b->first) != NULL) {
		n = c->n - c->sent < bytes ? c->n - c->sent : bytes;
		c->sent += n;
		bytes -= n;
		if (c->sent < c->n)
			break;
		b->first = c->next;
		if (b->first == NULL)
			b->last = NULL;
		PH_ASSERT(b->pool >= c->cap);
		b->pool -= c->cap;
		spool_less(&d->spool->pool_used, c->cap);
		mem_free(c);
	}
	PH_ASSERT(bytes == 0); /* the lane wrote what it was shown */
}
