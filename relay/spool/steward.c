/* SPDX-License-Identifier: ISC
 *
 * The steward keeps spare segments ready, written with zeros and synced, so
 * that a writer overwrites blocks that exist and never meets ENOSPC. It
 * zeroes what was given back, asks the writer to recycle the oldest, makes
 * new files while `max` and the disk allow, and says when there is no space.
 *
 * A part of the file system is left to others: the cutover table and the audit
 * index may be on it, and have to be written when there is no room for mail.
 *
 * Zeroing is paced at 1.25 times what is consumed and at most 150 MB/s:
 * unpaced it costs the writer 17 ms at the 99th percentile. Steward thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <inttypes.h>

#include "relay/base/log.h"
#include "relay/spool/spool_int.h"

enum {
	SLICE = 1 << 20,
	SYNC_EVERY = 4 << 20,
	DENSITY = 93,
	MIN_RATE = 16 << 20,
	MAX_RATE = 150 << 20,
	RETRY_MS = 1000,
	IDLE_MS = 1000,
	SPILL_EVERY_MS = 500,
};

void steward_init(struct spool *s)
{
	mailbox_init(&s->steward.in);
	s->steward.rate = MIN_RATE;
	s->steward.cow =
	    s->c.io->copies_on_write(s->c.io, s->path);
	if (s->steward.cow)
		log_warn("spool.copy_on_write", kv_str("path", s->path),
		    kv_str("effect", "segments are not zeroed ahead; commits "
				     "are slower and may meet a full disk"));
}

void steward_fini(struct spool *s)
{
	mailbox_fini(&s->steward.in);
}

/* ---- zeroing ---- */

static int write_all(struct spool *s, int fd, const void *p, uint64_t n,
    uint64_t off)
{
	ssize_t rc = s->c.io->pwrite(s->c.io, fd, p, n, (int64_t)off);

	if (rc >= 0 && (uint64_t)rc < n)
		errno = ENOSPC;
	return rc >= 0 && (uint64_t)rc == n ? 0 : -1;
}

/* The head goes last: with it, the slot is a spare after a crash too. */
static int finish_spare(struct spool *s, struct segment *seg, int fd)
{
	struct batch_head h = {.lane = LANE_SPARE, .spool_id = s->key.id};
	unsigned char block[BLOCK] = {0}, secret[SUM_SECRET];

	sum_secret(s->key.secret, LANE_SPARE, 0, secret);
	batch_head_put(&h, secret, block);
	if (write_all(s, fd, block, BLOCK, 0) < 0 ||
	    s->c.io->fsync(s->c.io, fd) < 0 ||
	    (s->steward.fresh && spool_sync_directory(s) < 0))
		return -1;
	slotmap_note(s, seg, false);
	pthread_mutex_lock(&s->lock);
	segment_move(s, seg, SEG_SPARE);
	pthread_mutex_unlock(&s->lock);
	s->steward.zeroing = NULL;
	mailbox_wake(&s->journal.in);
	mailbox_wake(&s->bulk.in);
	return 0;
}

static int zero_slice(struct spool *s, struct segment *seg, int fd)
{
	static const unsigned char zeros[SLICE];
	struct steward *st = &s->steward;
	uint64_t n = s->key.segment_bytes - st->zeroed;

	n = n < SLICE ? n : SLICE;
	if (st->cow || n == 0)
		return finish_spare(s, seg, fd);
	if (write_all(s, fd, zeros, n, st->zeroed) < 0)
		return -1;
	st->zeroed += n;
	if (st->zeroed % SYNC_EVERY == 0)
		return s->c.io->fdatasync(s->c.io, fd);
	return 0;
}

/* A new file that could not be filled goes away again; an old one that
 * cannot be written is left alone from now on. */
static void zeroing_failed(struct spool *s, int no, int64_t now_ms)
{
	struct steward *st = &s->steward;
	struct segment *seg = st->zeroing;
	struct strbuf path;
	struct error err;

	st->zeroing = NULL;
	st->retry_ms = now_ms + RETRY_MS;
	error_sys(&err, no, "prepare segment %u", (unsigned)seg->slot);
	if (no == ENOSPC || no == EDQUOT)
		log_warn("spool.no_space", kv_err(&err));
	else
		log_error("spool.prepare_failed", kv_err(&err));
	pthread_mutex_lock(&s->lock);
	if (st->fresh)
		s->seg[seg->slot] = NULL;
	else if (no != ENOSPC && no != EDQUOT)
		segment_move(s, seg, SEG_BROKEN);
	pthread_mutex_unlock(&s->lock);
	segment_close(s, seg);
	if (!st->fresh)
		return;
	strbuf_init(&path, 4096);
	segment_path(s, seg->slot, &path);
	s->c.io->unlink(s->c.io, path.p);
	strbuf_fini(&path);
	mem_free(seg);
}

static void zero_more(struct spool *s, int64_t now_ms)
{
	struct segment *seg = s->steward.zeroing;
	int fd = segment_fd(s, seg), rc = -1, no;

	if (fd >= 0)
		rc = zero_slice(s, seg, fd);
	no = errno;
	if (fd >= 0)
		segment_fd_put(s, seg);
	if (rc < 0)
		zeroing_failed(s, no, now_ms);
}

static void start_zeroing(struct spool *s, struct segment *seg, bool fresh)
{
	s->steward.zeroing = seg;
	s->steward.zeroed = 0;
	s->steward.fresh = fresh;
}

/* ---- where spares come from ---- */

static bool take_dirty(struct spool *s)
{
	struct segment *found = NULL;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->segs && found == NULL; i++)
		if (s->seg[i] != NULL && s->seg[i]->state == SEG_DIRTY &&
		    s->seg[i]->pins == 0)
			found = s->seg[i];
	pthread_mutex_unlock(&s->lock);
	if (found != NULL)
		start_zeroing(s, found, false);
	return found != NULL;
}

static bool bulk_free(const struct segment *seg, int64_t until_us)
{
	return seg != NULL && seg->state == SEG_BULK && seg->refs == 0 &&
	    seg->pins == 0 && !seg->current &&
	    seg->retain_until_us <= until_us;
}

static bool free_bulk(struct spool *s, int64_t until_us)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->segs; i++)
		if (bulk_free(s->seg[i], until_us)) {
			segment_move(s, s->seg[i], SEG_DIRTY);
			s->recycled++;
			found = true;
		}
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* The oldest main segment, if it may be recycled: what it retains is past
 * `until_us`, and the projector is through with it, or must do without. */
static struct segment *oldest(struct spool *s, int64_t until_us,
    bool mail_wins)
{
	struct segment *seg = LIST_FIRST(&s->mains, struct segment, node);

	if (seg == NULL || seg->current || seg->retain_until_us > until_us)
		return NULL;
	if (s->c.projector && !mail_wins &&
	    seg->generation >= s->done.generation)
		return NULL;
	return seg;
}

/* Going round gains something only while the live mail, packed again, would
 * take clearly fewer segments than it does; without this rule a full spool
 * would copy itself for ever. */
static bool gains(struct spool *s)
{
	uint64_t one = s->key.segment_bytes, mains = 0, packed;
	/* The bytes that a segment holds for sure: at its end one record may
	 * not fit, and batches are padded. */
	uint64_t dense =
	    (one - s->record_max - s->inline_max) / 100 * DENSITY;

	list_each(n, &s->mains)
		mains++;
	packed = (s->index.live_bytes + dense - 1) / dense;
	return mains > packed + packed / 8 + 1;
}

enum force { WILLINGLY, RETAINED_GOES, MAIL_WINS };

static void say_forced(struct spool *s, uint64_t generation,
    enum force force)
{
	char text[160];

	snprintf(text, sizeof(text),
	    "space: generation %" PRIu64 " is recycled early: %s", generation,
	    force == MAIL_WINS ? "not yet in the audit index" :
				 "retained mail is given up");
	log_warn("spool.recycled_early", kv_str("what", text));
	op_system_note(s, text);
}

static bool recycle(struct spool *s, enum force force)
{
	int64_t until = force == WILLINGLY ?
	    steady_now_us(s) :
	    INT64_MAX;
	uint64_t generation = 0;
	struct segment *seg;
	bool early = false;

	pthread_mutex_lock(&s->lock);
	seg = oldest(s, until, force == MAIL_WINS);
	if (seg != NULL && !gains(s))
		seg = NULL;
	if (seg != NULL) {
		generation = seg->generation;
		early = force == MAIL_WINS ||
		    seg->retain_until_us > steady_now_us(s);
		carry_choose(s, seg);
	}
	pthread_mutex_unlock(&s->lock);
	if (seg != NULL && early)
		say_forced(s, generation, force);
	return seg != NULL;
}

static bool may_grow(const struct spool *s, int64_t now_ms)
{
	uint64_t one = s->key.segment_bytes, have = 0;

	for (unsigned i = 0; i < s->segs; i++)
		have += s->seg[i] != NULL ? one : 0;
	return now_ms >= s->steward.retry_ms &&
	    (s->c.max_bytes == 0 || have + one <= s->c.max_bytes) &&
	    atomic_load(&s->free_bytes) >= one + one / 4 + s->steward.keep;
}

static bool grow(struct spool *s, int64_t now_ms)
{
	struct segment *seg;
	struct strbuf path;
	uint32_t slot = 0;
	int fd;

	if (!may_grow(s, now_ms))
		return false;
	/* The name of a lost one stays free, in case it is put back. */
	while ((slot < s->segs && s->seg[slot] != NULL) ||
	    slotmap_lost(s, slot))
		slot++;
	if (slot >= s->seg_cap)
		return false;
	strbuf_init(&path, 4096);
	segment_path(s, slot, &path);
	fd = s->c.io->open(s->c.io, path.p, O_RDWR | O_CREAT, 0600);
	strbuf_fini(&path);
	if (fd < 0) {
		s->steward.retry_ms = now_ms + RETRY_MS;
		return false;
	}
	s->c.io->close(s->c.io, fd);
	seg = segment_add(s, slot);
	start_zeroing(s, seg, true);
	return true;
}

static bool find_space(struct spool *s, int64_t now_ms)
{
	int64_t now_us = steady_now_us(s);

	if (free_bulk(s, now_us) || recycle(s, WILLINGLY) || grow(s, now_ms))
		return true;
	atomic_store(&s->low, true);
	if (free_bulk(s, INT64_MAX) || recycle(s, RETAINED_GOES))
		return true;
	atomic_store(&s->pressed, true);
	return atomic_load(&s->spares) <= space_reserve(s) &&
	    recycle(s, MAIL_WINS);
}

/* ---- giving space back ---- */

/* An empty segment: a spare that is more than `spares`, or a dirty one that
 * would become one. Its slot is taken out of the table. */
static struct segment *take_out(struct spool *s)
{
	struct segment *found = NULL;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = s->segs; i > 0 && found == NULL; i--) {
		struct segment *seg = s->seg[i - 1];

		if (seg == NULL || seg->pins > 0)
			continue;
		if (seg->state == SEG_DIRTY ||
		    (seg->state == SEG_SPARE &&
			atomic_load(&s->spares) > (unsigned)s->c.spares))
			found = seg;
	}
	if (found != NULL) {
		segment_move(s, found, SEG_DIRTY);
		s->seg[found->slot] = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

static bool give_one_back(struct spool *s)
{
	struct segment *seg = take_out(s);
	struct strbuf path;

	if (seg == NULL)
		return false;
	segment_close(s, seg);
	strbuf_init(&path, 4096);
	segment_path(s, seg->slot, &path);
	if (s->c.io->unlink(s->c.io, path.p) < 0)
		log_warn("spool.not_given_back", kv_str("file", path.p));
	strbuf_fini(&path);
	mem_free(seg);
	return true;
}

/* Others took of what is kept: what is empty goes, and what holds nothing that
 * is kept; when half of it is gone, so does retained mail. */
static bool give_back(struct spool *s)
{
	uint64_t left = atomic_load(&s->free_bytes), keep = s->steward.keep;

	if (left >= keep ||
	    atomic_load(&s->spares) < (unsigned)s->c.spares)
		return false;
	if (give_one_back(s))
		return true;
	if (carry_wanted(s))
		return false;
	if (free_bulk(s, steady_now_us(s)) || recycle(s, WILLINGLY))
		return true;
	if (left >= keep / 2)
		return false;
	atomic_store(&s->low, true);
	return free_bulk(s, INT64_MAX) || recycle(s, RETAINED_GOES);
}

/* A carry that the writer has no segment for, because a failing disk sealed
 * the last one, would wait for ever for the space that it is to make: then
 * there must be a new file. */
bool steward_work(struct spool *s, int64_t now_ms)
{
	struct steward *st = &s->steward;
	unsigned spares = atomic_load(&s->spares);

	space_measure(s);
	if (st->zeroing == NULL && give_back(s))
		return true;
	if (st->zeroing != NULL || take_dirty(s)) {
		zero_more(s, now_ms);
		atomic_store(&s->no_space, false);
		return true;
	}
	if (spares >= (unsigned)s->c.spares) {
		atomic_store(&s->low, false);
		atomic_store(&s->pressed, false);
		atomic_store(&s->no_space, false);
		return false;
	}
	if (carry_wanted(s) ? spares <= space_reserve(s) && grow(s, now_ms)
			    : find_space(s, now_ms)) {
		atomic_store(&s->no_space, false);
		return true;
	}
	/* With a carry under way there is hope, unless it too is stuck. */
	if (spares <= space_reserve(s) && (!carry_wanted(s) || spares == 0) &&
	    !atomic_exchange(&s->no_space, true)) {
		log_error("spool.full", kv_str("path", s->path));
		mailbox_wake(&s->journal.in);
		mailbox_wake(&s->bulk.in);
	}
	return false;
}

/* ---- pace ---- */

static int pace(struct spool *s, int64_t now_ms)
{
	struct steward *st = &s->steward;
	uint64_t ms = (uint64_t)(now_ms - st->window_ms);

	if (atomic_load(&s->spares) <= space_reserve(s))
		return SLICE / (MAX_RATE / 1000);
	if (ms >= 1000) {
		pthread_mutex_lock(&s->lock);
		st->rate = st->taken / ms * 1250;
		st->taken = 0;
		pthread_mutex_unlock(&s->lock);
		st->window_ms = now_ms;
		if (st->rate < MIN_RATE)
			st->rate = MIN_RATE;
		if (st->rate > MAX_RATE)
			st->rate = MAX_RATE;
	}
	return (int)(SLICE / (st->rate / 1000));
}

int steward_step(struct spool *s, int64_t now_ms)
{
	struct steward *st = &s->steward;

	if (now_ms - st->spill_ms >= SPILL_EVERY_MS) {
		st->spill_ms = now_ms;
		draft_spill_stalled(s, now_ms);
	}
	return steward_work(s, now_ms) ? pace(s, now_ms) : IDLE_MS;
}
