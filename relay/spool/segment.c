/* SPDX-License-Identifier: ISC
 *
 * Slots: files of one size that hold a main or a bulk segment, a spare, or
 * what was given back. Descriptors are opened on demand and the least
 * recently used is closed beyond 64, since a large spool has hundreds.
 */
#include <errno.h>
#include <fcntl.h>

#include "relay/base/assert.h"
#include "relay/spool/spool_int.h"

void spool_path(const struct spool *s, const char *name, struct strbuf *out)
{
	strbuf_reset(out);
	strbuf_addf(out, "%s/%s", s->path, name);
	strbuf_cstr(out);
}

void segment_path(const struct spool *s, uint32_t slot, struct strbuf *out)
{
	strbuf_reset(out);
	strbuf_addf(out, "%s/seg.%04u", s->path, (unsigned)slot);
	strbuf_cstr(out);
}

struct segment *segment_add(struct spool *s, uint32_t slot)
{
	struct segment *seg = NEW(struct segment);

	seg->slot = slot;
	seg->fd = -1;
	list_node_init(&seg->node);
	list_node_init(&seg->fd_node);
	pthread_mutex_lock(&s->lock);
	s->seg[slot] = seg;
	if (slot >= s->segs)
		s->segs = slot + 1;
	pthread_mutex_unlock(&s->lock);
	return seg;
}

void segments_free(struct spool *s)
{
	for (unsigned i = 0; i < s->segs; i++) {
		if (s->seg[i] == NULL)
			continue;
		segment_close(s, s->seg[i]);
		mem_free(s->seg[i]);
	}
	mem_free(s->seg);
}

/* Under fd_lock. */
static void close_one(struct spool *s, struct segment *seg)
{
	PH_ASSERT(seg->fd_users == 0 && s->fds_open > 0);
	s->c.io->close(s->c.io, seg->fd);
	seg->fd = -1;
	list_remove(&seg->fd_node);
	s->fds_open--;
}

static void close_idle(struct spool *s)
{
	list_each_safe(n, &s->fds) {
		struct segment *seg = LIST_ENTRY(n, struct segment, fd_node);

		if (s->fds_open < FDS_MAX)
			return;
		if (seg->fd_users == 0)
			close_one(s, seg);
	}
}

static int open_one(struct spool *s, struct segment *seg)
{
	struct strbuf path;

	close_idle(s);
	strbuf_init(&path, 4096);
	segment_path(s, seg->slot, &path);
	seg->fd = s->c.io->open(s->c.io, path.p, O_RDWR, 0);
	strbuf_fini(&path);
	if (seg->fd < 0)
		return -1;
	s->fds_open++;
	return 0;
}

int segment_fd(struct spool *s, struct segment *seg)
{
	int fd = -1;

	pthread_mutex_lock(&s->fd_lock);
	if (seg->fd >= 0 || open_one(s, seg) == 0) {
		fd = seg->fd;
		seg->fd_users++;
		list_remove(&seg->fd_node);
		list_push_back(&s->fds, &seg->fd_node);
	}
	pthread_mutex_unlock(&s->fd_lock);
	return fd;
}

void segment_fd_put(struct spool *s, struct segment *seg)
{
	pthread_mutex_lock(&s->fd_lock);
	PH_ASSERT(seg->fd_users > 0);
	seg->fd_users--;
	pthread_mutex_unlock(&s->fd_lock);
}

void segment_close(struct spool *s, struct segment *seg)
{
	pthread_mutex_lock(&s->fd_lock);
	if (seg->fd >= 0)
		close_one(s, seg);
	pthread_mutex_unlock(&s->fd_lock);
}

int segment_read(struct spool *s, struct segment *seg, void *p, size_t n,
    uint64_t off)
{
	char *to = p;
	int fd = segment_fd(s, seg), rc = fd < 0 ? -1 : 0;

	while (rc == 0 && n > 0) {
		ssize_t got =
		    s->c.io->pread(s->c.io, fd, to, n, (int64_t)off);

		if (got <= 0) {
			if (got == 0)
				errno = ENODATA;
			rc = -1;
			break;
		}
		to += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	if (fd >= 0)
		segment_fd_put(s, seg);
	return rc;
}

int segment_zero(struct spool *s, struct segment *seg, uint64_t from,
    uint64_t to)
{
	static const unsigned char zeros[16 * BLOCK];
	int fd = segment_fd(s, seg), no;
	ssize_t put = fd < 0 ? -1 : 0;

	while (put >= 0 && from < to) {
		uint64_t n = to - from;

		if (n > sizeof(zeros))
			n = sizeof(zeros);
		put = s->c.io->pwrite(s->c.io, fd, zeros, n, (int64_t)from);
		if (put >= 0 && (uint64_t)put < n) {
			errno = ENOSPC; /* a short write says no more */
			put = -1;
		}
		from += n;
	}
	no = errno;
	if (fd >= 0)
		segment_fd_put(s, seg);
	errno = no;
	return put < 0 ? -1 : 0;
}

void segment_identity(struct spool *s, struct segment *seg, enum lane lane,
    uint64_t generation)
{
	seg->generation = generation;
	key_sums(s, lane, generation, seg->secret);
}

/* A bulk segment is found again by who names it, so recovery may come to it
 * from dirty. What holds mail goes back to dirty before it is anything else. */
static bool may_move(enum seg_state from, enum seg_state to)
{
	switch (from) {
	case SEG_DIRTY:
		return true;
	case SEG_SPARE:
		return to == SEG_MAIN || to == SEG_BULK || to == SEG_DIRTY;
	case SEG_MAIN:
	case SEG_BULK:
		return to == SEG_DIRTY;
	case SEG_BROKEN:
		break;
	}
	return false;
}

void segment_move(struct spool *s, struct segment *seg, enum seg_state to)
{
	PH_ASSERT(may_move(seg->state, to));
	if (to == SEG_DIRTY)
		PH_ASSERT(seg->refs == 0 && seg->live_bytes == 0 &&
			  seg->live.first == 0);
	PH_ASSERT(seg->state != SEG_SPARE || atomic_load(&s->spares) > 0);
	if (seg->state == SEG_SPARE && to != SEG_SPARE)
		atomic_fetch_sub(&s->spares, 1);
	if (seg->state != SEG_SPARE && to == SEG_SPARE)
		atomic_fetch_add(&s->spares, 1);
	seg->state = to;
}

static struct segment *find_spare(struct spool *s, bool written)
{
	struct segment *any = NULL;

	for (unsigned i = 0; i < s->segs; i++) {
		if (s->seg[i] == NULL || s->seg[i]->state != SEG_SPARE)
			continue;
		if (s->seg[i]->written == written)
			return s->seg[i];
		if (any == NULL)
			any = s->seg[i];
	}
	return any;
}

static void begin_life(struct spool *s, struct segment *seg, enum lane lane,
    uint64_t generation)
{
	PH_ASSERT(seg->live_bytes == 0 && seg->refs == 0);
	segment_move(s, seg, lane == LANE_MAIN ? SEG_MAIN : SEG_BULK);
	segment_identity(s, seg, lane, generation);
	seg->format = FORMAT_VERSION;
	seg->end = seg->batches = seg->id_min = seg->id_max = 0;
	seg->summary = 0;
	seg->retain_until_us = 0;
	seg->first_us = s->c.clock->wall_us(s->c.clock);
	seg->current = seg->written = seg->soiled = true;
	seg->adopted = false;
	if (lane == LANE_MAIN)
		list_push_back(&s->mains, &seg->node);
}

struct segment *segment_take(struct spool *s, enum lane lane,
    uint64_t generation, unsigned leave)
{
	struct segment *seg = NULL;

	pthread_mutex_lock(&s->lock);
	if (atomic_load(&s->spares) > leave)
		seg = find_spare(s, lane == LANE_MAIN);
	if (seg != NULL)
		begin_life(s, seg, lane, generation);
	pthread_mutex_unlock(&s->lock);
	space_wake(s);
	return seg;
}

struct segment *segment_of(struct spool *s, const struct extent *e)
{
	struct segment *seg = e->slot < s->segs ? s->seg[e->slot] : NULL;

	if (seg == NULL || seg->state != SEG_BULK ||
	    seg->generation != e->generation)
		return NULL;
	return seg;
}

int spool_sync_directory(struct spool *s)
{
	struct diskio *io = s->c.io;
	int fd = io->open(io, s->path, O_RDONLY | O_DIRECTORY, 0), rc;

	if (fd < 0)
		return -1;
	rc = io->fsync(io, fd);
	io->close(io, fd);
	return rc;
}
