/* SPDX-License-Identifier: ISC
 *
 * Spares: segments that a writer may take at any time.
 *
 * One that was given back is a spare as it is. Its bytes have checksums of a
 * generation that does not count any more, so none of them is believed again
 * and none has to be overwritten first. A new file is allocated whole before
 * it is a spare, so that a full disk is met here and never by a writer.
 *
 * Some are written with zeros while nothing else is to be done. A file system
 * that knows a block as never written has to note the first write in its own
 * journal, so a sync into such blocks takes twice as long: a new segment is
 * written ahead while the daemon is idle. With `wipe`, one that was given back
 * is overwritten, so that no old mail stays on the disk. A segment is no spare
 * meanwhile. To write ahead, one is taken that is more than those that are kept
 * ready; to wipe, while the daemon is idle, one of these too. It is a spare
 * again before the next slice as soon as a writer may need it.
 */
#include <errno.h>
#include <fcntl.h>

#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/spool/spool_int.h"

enum {
	RETRY_MS = 1000, /* after a full disk                */
	SLICE = 256 << 10,
	SYNC_EVERY = 1 << 20,
	IDLE_MS = 1000,	   /* without a sync                      */
	AHEAD_PAUSE_MS = 4, /* 64 MB/s: nothing else is to be done */
	WIPE_PAUSE_MS = 16, /* 16 MB/s                             */
	FAILED_MS = 60000, /* after a write that failed           */
};

static bool no_room(int no)
{
	return no == ENOSPC || no == EDQUOT;
}

/* The head of a spare that holds no mail; the caller syncs. */
static int put_head(struct spool *s, int fd, unsigned flags)
{
	struct batch_head h = {.lane = LANE_SPARE, .flags = (uint8_t)flags,
	    .spool_id = s->key.id};
	unsigned char block[BLOCK] = {0}, secret[SUM_SECRET];
	ssize_t rc;

	sum_secret(s->key.secret, LANE_SPARE, 0, secret);
	batch_head_put(&h, secret, block);
	rc = s->c.io->pwrite(s->c.io, fd, block, BLOCK, 0);
	if (rc >= 0 && rc < BLOCK)
		errno = ENOSPC;
	return rc == BLOCK ? 0 : -1;
}

static void ready(struct spool *s, struct segment *seg)
{
	pthread_mutex_lock(&s->lock);
	segment_move(s, seg, SEG_SPARE);
	pthread_mutex_unlock(&s->lock);
	mailbox_wake(&s->journal.in);
	mailbox_wake(&s->bulk.in);
}

/* All its blocks; `fresh`: and a head, in a file whose name is to stay. */
static int allocate(struct spool *s, struct segment *seg, bool fresh)
{
	struct diskio *io = s->c.io;
	int fd = segment_fd(s, seg), rc, no;

	if (fd < 0)
		return -1;
	rc = io->allocate(io, fd, s->key.segment_bytes);
	if (rc == 0 && fresh)
		rc = put_head(s, fd, 0);
	if (rc == 0)
		rc = io->fsync(io, fd);
	no = errno;
	segment_fd_put(s, seg);
	errno = no;
	if (rc == 0 && fresh)
		rc = spool_sync_directory(s);
	seg->allocated = rc == 0;
	return rc;
}

static void say_failed(const struct segment *seg, int no)
{
	struct error err;

	error_sys(&err, no, "prepare segment %u", (unsigned)seg->slot);
	if (no_room(no))
		log_warn("spool.no_space", kv_err(&err));
	else
		log_error("spool.prepare_failed", kv_err(&err));
}

/* ---- given back ---- */

/* A segment that recovery found may have been cut, or be a copy with holes: it
 * is looked at when there is a use for it. */
static bool may_reuse(const struct spool *s, const struct segment *seg,
    int64_t now_ms)
{
	bool wanted = s->c.wipe ||
	    atomic_load(&s->spares) < (unsigned)s->c.spares;

	return seg != NULL && seg->state == SEG_DIRTY && seg->pins == 0 &&
	    (seg->allocated || (wanted && now_ms >= seg->retry_ms));
}

static struct segment *find_given_back(struct spool *s, int64_t now_ms)
{
	struct segment *found = NULL;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->segs && found == NULL; i++)
		if (may_reuse(s, s->seg[i], now_ms))
			found = s->seg[i];
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Without room it is tried again later; without a disk it is left alone. */
static void reuse_failed(struct spool *s, struct segment *seg, int no,
    int64_t now_ms)
{
	say_failed(seg, no);
	seg->retry_ms = now_ms + RETRY_MS;
	if (no_room(no))
		return;
	pthread_mutex_lock(&s->lock);
	segment_move(s, seg, SEG_BROKEN);
	pthread_mutex_unlock(&s->lock);
	segment_close(s, seg);
}

bool spare_reuse(struct spool *s, int64_t now_ms)
{
	struct segment *seg;

	while ((seg = find_given_back(s, now_ms)) != NULL) {
		if (!seg->allocated && allocate(s, seg, false) < 0) {
			reuse_failed(s, seg, errno, now_ms);
			continue;
		}
		/* On disk before its use: how far generations were given
		 * back. */
		slotmap_note(s, seg, false);
		ready(s, seg);
		return true;
	}
	return false;
}

/* ---- new files ---- */

static bool may_grow(const struct spool *s, int64_t now_ms)
{
	uint64_t one = s->key.segment_bytes, have = 0;
	uint64_t max = atomic_load(&s->max_bytes);

	for (unsigned i = 0; i < s->segs; i++)
		have += s->seg[i] != NULL ? one : 0;
	return now_ms >= s->steward.retry_ms &&
	    (max == 0 || have + one <= max) &&
	    atomic_load(&s->free_bytes) >= one + one / 4 + s->steward.keep;
}

/* The name of a lost one stays free, in case it is put back. */
static uint32_t free_slot(const struct spool *s)
{
	uint32_t slot = 0;

	while ((slot < s->segs && s->seg[slot] != NULL) ||
	    slotmap_lost(s, slot))
		slot++;
	return slot;
}

/* Adds the file of a slot; NULL and errno. */
static struct segment *create(struct spool *s, uint32_t slot)
{
	struct diskio *io = s->c.io;
	struct strbuf path;
	int fd;

	strbuf_init(&path, 4096);
	segment_path(s, slot, &path);
	fd = io->open(io, path.p, O_RDWR | O_CREAT, 0600);
	strbuf_fini(&path);
	if (fd < 0)
		return NULL;
	io->close(io, fd);
	return segment_add(s, slot);
}

/* A file that could not be allocated goes away again. */
static void remove_new(struct spool *s, struct segment *seg)
{
	struct strbuf path;

	pthread_mutex_lock(&s->lock);
	s->seg[seg->slot] = NULL;
	pthread_mutex_unlock(&s->lock);
	segment_close(s, seg);
	strbuf_init(&path, 4096);
	segment_path(s, seg->slot, &path);
	s->c.io->unlink(s->c.io, path.p);
	strbuf_fini(&path);
	mem_free(seg);
}

bool spare_grow(struct spool *s, int64_t now_ms)
{
	struct segment *seg;
	uint32_t slot;

	if (!may_grow(s, now_ms))
		return false;
	slot = free_slot(s);
	if (slot >= s->seg_cap)
		return false;
	seg = create(s, slot);
	if (seg == NULL) {
		s->steward.retry_ms = now_ms + RETRY_MS;
		return false;
	}
	if (allocate(s, seg, true) < 0) {
		say_failed(seg, errno);
		s->steward.retry_ms = now_ms + RETRY_MS;
		remove_new(s, seg);
		return false;
	}
	slotmap_note(s, seg, false);
	ready(s, seg);
	return true;
}

/* ---- overwriting ---- */

void overwrite_look(struct spool *s, int64_t now_ms)
{
	struct overwrite *o = &s->steward.overwrite;
	uint64_t syncs;

	pthread_mutex_lock(&s->lock);
	syncs = s->syncs;
	pthread_mutex_unlock(&s->lock);
	if (syncs != o->syncs)
		o->busy_ms = now_ms;
	o->syncs = syncs;
}

static bool idle(const struct spool *s, int64_t now_ms)
{
	return now_ms - s->steward.overwrite.busy_ms >= IDLE_MS;
}

static bool cold(const struct segment *seg)
{
	return seg != NULL && seg->state == SEG_SPARE && !seg->written;
}

static bool soiled(const struct segment *seg)
{
	return seg != NULL && seg->state == SEG_SPARE && seg->soiled;
}

static struct segment *find(const struct spool *s,
    bool (*fits)(const struct segment *seg))
{
	for (unsigned i = 0; i < s->segs; i++)
		if (fits(s->seg[i]))
			return s->seg[i];
	return NULL;
}

/* The one to overwrite now. To write ahead, all spares that are promised stay
 * there; to wipe, while the daemon is idle, those of the reserve. */
static struct segment *choose(const struct spool *s, int64_t now_ms)
{
	unsigned spares = atomic_load(&s->spares);
	bool more = spares > (unsigned)s->c.spares, rest = idle(s, now_ms);
	struct segment *seg = NULL;

	if (s->c.wipe && (more || (rest && spares > space_reserve(s))))
		seg = find(s, soiled);
	if (seg == NULL && more && rest)
		seg = find(s, cold);
	return seg;
}

/* Is one more file needed, so that one can be written ahead? */
static bool lacks_one(struct spool *s, int64_t now_ms)
{
	bool lacks;

	pthread_mutex_lock(&s->lock);
	lacks = idle(s, now_ms) && find(s, cold) != NULL &&
	    atomic_load(&s->spares) == (unsigned)s->c.spares;
	pthread_mutex_unlock(&s->lock);
	return lacks;
}

/* Pinned, so that it is not taken for one that was given back. */
static void take(struct spool *s, struct segment *seg, int64_t now_ms)
{
	struct overwrite *o = &s->steward.overwrite;

	segment_move(s, seg, SEG_DIRTY);
	seg->pins++;
	o->seg = seg;
	o->wipe = seg->soiled;
	o->at = BLOCK; /* the first block says what it is until the end */
	o->next_ms = now_ms;
}

bool overwrite_begin(struct spool *s, int64_t now_ms)
{
	struct overwrite *o = &s->steward.overwrite;
	struct segment *seg;

	/* Where blocks are copied on write, zeros go elsewhere. */
	if (s->steward.cow || now_ms < o->retry_ms)
		return false;
	pthread_mutex_lock(&s->lock);
	seg = choose(s, now_ms);
	if (seg != NULL)
		take(s, seg, now_ms);
	pthread_mutex_unlock(&s->lock);
	return seg != NULL || (lacks_one(s, now_ms) && spare_grow(s, now_ms));
}

static struct segment *let_go(struct spool *s)
{
	struct segment *seg = s->steward.overwrite.seg;

	pthread_mutex_lock(&s->lock);
	PH_ASSERT(seg->state == SEG_DIRTY && seg->pins == 1);
	seg->pins--;
	pthread_mutex_unlock(&s->lock);
	s->steward.overwrite.seg = NULL;
	return seg;
}

static bool needed(const struct spool *s, int64_t now_ms)
{
	return !idle(s, now_ms) &&
	    (!s->steward.overwrite.wipe ||
		atomic_load(&s->spares) < (unsigned)s->c.spares);
}

static int write_slice(struct spool *s, int fd)
{
	static const unsigned char zeros[SLICE];
	struct overwrite *o = &s->steward.overwrite;
	uint64_t n = s->key.segment_bytes - o->at;
	ssize_t rc;

	n = n < SLICE ? n : SLICE;
	rc = s->c.io->pwrite(s->c.io, fd, zeros, n, (int64_t)o->at);
	if (rc >= 0 && (uint64_t)rc < n)
		errno = ENOSPC;
	if (rc < 0 || (uint64_t)rc < n)
		return -1;
	o->at += n;
	return o->at / SYNC_EVERY != (o->at - n) / SYNC_EVERY ?
	    s->c.io->fdatasync(s->c.io, fd) : 0;
}

/* The head goes last: with it, the segment is clean after a crash too. */
static int finish(struct spool *s, int fd)
{
	struct diskio *io = s->c.io;

	if (io->fdatasync(io, fd) < 0 || put_head(s, fd, SPARE_WRITTEN) < 0)
		return -1;
	return io->fdatasync(io, fd);
}

/* One that cannot be written is left alone from now on. Without room it is as
 * good a spare as before. */
static void failed(struct spool *s, int no, int64_t now_ms)
{
	struct segment *seg = let_go(s);
	struct error err;

	s->steward.overwrite.retry_ms = now_ms + FAILED_MS;
	error_sys(&err, no, "overwrite segment %u", (unsigned)seg->slot);
	log_error("spool.prepare_failed", kv_err(&err));
	if (no == ENOSPC || no == EDQUOT) {
		ready(s, seg);
		return;
	}
	pthread_mutex_lock(&s->lock);
	segment_move(s, seg, SEG_BROKEN);
	pthread_mutex_unlock(&s->lock);
	segment_close(s, seg);
}

static void go_on(struct spool *s, int64_t now_ms)
{
	struct overwrite *o = &s->steward.overwrite;
	struct segment *seg = o->seg;
	bool last = o->at == s->key.segment_bytes;
	int fd = segment_fd(s, seg), rc, no;

	rc = fd < 0 ? -1 : last ? finish(s, fd) : write_slice(s, fd);
	no = errno;
	if (fd >= 0)
		segment_fd_put(s, seg);
	if (rc < 0) {
		failed(s, no, now_ms);
		return;
	}
	o->next_ms = now_ms + (o->wipe ? WIPE_PAUSE_MS : AHEAD_PAUSE_MS);
	if (!last)
		return;
	seg->written = true;
	seg->soiled = false;
	ready(s, let_go(s));
}

bool overwrite_more(struct spool *s, int64_t now_ms)
{
	if (needed(s, now_ms)) {
		ready(s, let_go(s));
		return true;
	}
	if (now_ms < s->steward.overwrite.next_ms)
		return false;
	go_on(s, now_ms);
	return true;
}
