/* SPDX-License-Identifier: ISC
 *
 * The bulk lane: bodies that are too large for a batch, or that came while
 * memory was short, stream through here in pieces, at most 1 MiB a sync. Its
 * segments hold no state: an extent that no accepted record names is waste,
 * which is all that an aborted upload leaves. Bulk thread.
 */
#include <errno.h>

#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/spool/spool_int.h"

enum { ROUND_PIECES = 64, PIECE_IOVS = 16, SPARE_WAIT_MS = 200 };

struct written_piece {
	struct spool_draft *draft;
	struct extent extent;
};

struct round { /* one sync */
	struct written_piece w[ROUND_PIECES];
	unsigned n;
	uint64_t bytes;
};

static const unsigned char zeros[BLOCK];

void bulk_init(struct spool *s)
{
	mailbox_init(&s->bulk.in);
	queue_init(&s->bulk.waiting);
}

void bulk_fini(struct spool *s)
{
	mailbox_fini(&s->bulk.in);
}

static uint64_t round_up(uint64_t n)
{
	return (n + BLOCK - 1) / BLOCK * BLOCK;
}

static void seal(struct spool *s)
{
	struct bulk *b = &s->bulk;

	pthread_mutex_lock(&s->lock);
	PH_ASSERT(b->seg->current && b->seg->state == SEG_BULK);
	b->seg->current = false;
	pthread_mutex_unlock(&s->lock);
	b->seg = NULL;
	space_wake(s);
}

static int put_head(struct spool *s, int fd)
{
	struct bulk *b = &s->bulk;
	struct batch_head h = {
	    .lane = LANE_BULK,
	    .spool_id = s->key.id,
	    .generation = b->seg->generation,
	    .time_us = s->c.clock->wall_us(s->c.clock),
	};
	unsigned char block[BLOCK] = {0};

	batch_head_put(&h, b->seg->secret, block);
	return s->c.io->pwrite(s->c.io, fd, block, BLOCK, 0) == BLOCK ? 0 : -1;
}

/* The spares that results and carries need are not for bodies. */
static bool open_segment(struct spool *s)
{
	struct bulk *b = &s->bulk;

	if (b->seg != NULL && b->at + BLOCK >= s->key.segment_bytes)
		seal(s);
	if (b->seg != NULL)
		return true;
	b->seg = segment_take(s, LANE_BULK, b->generation + 1,
	    space_reserve(s));
	if (b->seg == NULL)
		return false;
	b->generation++;
	slotmap_note(s, b->seg, true);
	b->at = 0;
	return true;
}

static ssize_t write_piece(struct spool *s, int fd, struct iovec *iov,
    unsigned n, uint64_t bytes)
{
	struct bulk *b = &s->bulk;
	uint64_t pad = round_up(bytes) - bytes;

	if (b->at == 0) {
		if (put_head(s, fd) < 0)
			return -1;
		b->at = BLOCK;
	}
	if (pad > 0)
		iov[n++] = (struct iovec){(void *)(uintptr_t)zeros, pad};
	return s->c.io->pwritev(s->c.io, fd, iov, (int)n, (int64_t)b->at);
}

/* Writes the next piece of a draft. 0, or -1 and errno. */
static int take_piece(struct spool *s, struct spool_draft *d, int fd,
    struct extent *e)
{
	struct bulk *b = &s->bulk;
	struct iovec iov[PIECE_IOVS + 1];
	uint64_t from = b->at == 0 ? BLOCK : b->at, bytes = 0;
	uint64_t max = s->key.segment_bytes - from;
	unsigned n;
	ssize_t rc;

	pthread_mutex_lock(&d->lock);
	n = draft_peek(d, iov, PIECE_IOVS,
	    max < s->piece_max ? max : s->piece_max);
	pthread_mutex_unlock(&d->lock);
	for (unsigned i = 0; i < n; i++)
		bytes += iov[i].iov_len;
	*e = (struct extent){.slot = b->seg->slot,
	    .generation = b->seg->generation,
	    .off = (uint32_t)from,
	    .bytes = (uint32_t)bytes,
	    .sum = sum_iov(b->seg->secret, iov, n)};
	rc = write_piece(s, fd, iov, n, bytes);
	if (rc >= 0 && (uint64_t)rc != round_up(bytes)) {
		errno = ENOSPC;
		rc = -1;
	}
	if (rc < 0)
		return -1;
	b->at = from + round_up(bytes);
	PH_ASSERT(bytes > 0 && b->at <= s->key.segment_bytes);
	return 0;
}

static void add_extent(struct spool_draft *d, const struct extent *e)
{
	struct body_place *y = &d->place;
	struct segment *seg = d->spool->bulk.seg;

	if (y->extents == d->extent_cap) {
		d->extent_cap = d->extent_cap == 0 ? 8 : d->extent_cap * 2;
		y->extent = mem_resize(y->extent,
		    d->extent_cap * sizeof(*y->extent));
	}
	y->extent[y->extents++] = *e;
	if (d->pins > 0 && d->pin[d->pins - 1] == seg)
		return;
	d->pin = mem_resize(d->pin, (d->pins + 1) * sizeof(*d->pin));
	d->pin[d->pins++] = seg;
	pthread_mutex_lock(&d->spool->lock);
	seg->pins++;
	pthread_mutex_unlock(&d->spool->lock);
}

/* Moves a draft on after the lane has written its bytes. */
static void hand_on(struct spool *s, struct spool_draft *d)
{
	uint64_t enough = spool_memory_tight(s) ? BLOCK : s->piece_max;
	bool more, gone;

	pthread_mutex_lock(&d->lock);
	if (d->lane_status != SPOOL_STORED)
		d->pending = 0;
	more = d->pending >= enough || (d->closed && d->pending > 0);
	gone = d->abandoned;
	if (!more)
		d->bulk_posted = false;
	if (!gone && d->wait_letter && d->pending <= enough) {
		d->wait_letter = false;
		d->letter.status = d->lane_status;
		d->letter.letter.kind = d->wait_kind;
		mailbox_post(d->to, &d->letter.letter);
	}
	if (!gone && d->ready && d->pending == 0)
		draft_ready(d);
	pthread_mutex_unlock(&d->lock);
	if (gone)
		draft_destroy(d);
	else if (more)
		queue_push(&s->bulk.waiting, &d->bulk_post);
}

static void fail(struct spool *s, struct spool_draft *d, int no)
{
	pthread_mutex_lock(&d->lock);
	d->lane_status =
	    no == ENOSPC || no == EDQUOT ? SPOOL_FULL : SPOOL_FAILED;
	pthread_mutex_unlock(&d->lock);
	hand_on(s, d);
}

static void fail_all(struct spool *s, int no)
{
	struct letter_queue q = s->bulk.waiting;
	struct letter *l;

	if (q.head == NULL)
		return;
	queue_init(&s->bulk.waiting);
	while ((l = queue_pop(&q)) != NULL)
		fail(s, CONTAINER_OF(l, struct spool_draft, bulk_post), no);
}

static void write_round(struct spool *s, struct round *r, int fd)
{
	struct bulk *b = &s->bulk;
	unsigned left = b->waiting.n;

	while (left-- > 0 && r->n < ROUND_PIECES &&
	    r->bytes < BULK_SYNC_BYTES &&
	    b->at + BLOCK < s->key.segment_bytes) {
		struct written_piece *w = &r->w[r->n];

		w->draft = CONTAINER_OF(queue_pop(&b->waiting),
		    struct spool_draft, bulk_post);
		if (take_piece(s, w->draft, fd, &w->extent) < 0) {
			struct error err;
			int no = errno;

			error_sys(&err, no, "write bulk segment %u",
			    (unsigned)b->seg->slot);
			log_error("spool.write_failed", kv_err(&err));
			fail(s, w->draft, no);
			continue;
		}
		r->bytes += w->extent.bytes;
		r->n++;
	}
}

static void finish_round(struct spool *s, struct round *r, int sync_no)
{
	for (unsigned i = 0; i < r->n; i++) {
		struct spool_draft *d = r->w[i].draft;

		if (sync_no != 0) {
			fail(s, d, sync_no);
			continue;
		}
		pthread_mutex_lock(&d->lock);
		draft_sent(d, r->w[i].extent.bytes);
		PH_ASSERT(d->pending >= r->w[i].extent.bytes);
		d->pending -= r->w[i].extent.bytes;
		add_extent(d, &r->w[i].extent);
		pthread_mutex_unlock(&d->lock);
		hand_on(s, d);
	}
}

static void sync_lost(struct spool *s, int no)
{
	struct error err;

	error_sys(&err, no, "sync bulk segment %u",
	    (unsigned)s->bulk.seg->slot);
	log_error("spool.sync_failed", kv_err(&err));
	atomic_store(&s->sync_failed, true);
}

static void run_round(struct spool *s)
{
	struct round r = {.n = 0};
	int fd = segment_fd(s, s->bulk.seg), no = 0;

	if (fd < 0) {
		fail_all(s, errno);
		return;
	}
	write_round(s, &r, fd);
	if (r.n > 0 && s->c.io->fdatasync(s->c.io, fd) < 0) {
		no = errno;
		sync_lost(s, no);
	}
	segment_fd_put(s, s->bulk.seg);
	finish_round(s, &r, no);
	if (no != 0)
		seal(s);
	pthread_mutex_lock(&s->lock);
	s->syncs++;
	pthread_mutex_unlock(&s->lock);
}

void bulk_end(struct spool *s)
{
	fail_all(s, EIO);
}

int bulk_step(struct spool *s)
{
	struct bulk *b = &s->bulk;
	struct letter *l, *next;

	for (l = mailbox_take(&b->in); l != NULL; l = next) {
		next = l->next;
		queue_push(&b->waiting, l);
	}
	if (b->waiting.n == 0)
		return -1;
	if (atomic_load(&s->sync_failed)) {
		fail_all(s, EIO);
		return 0;
	}
	if (!open_segment(s)) {
		if (atomic_load(&s->no_space))
			fail_all(s, ENOSPC);
		space_wake(s);
		return SPARE_WAIT_MS;
	}
	run_round(s);
	return 0;
}
