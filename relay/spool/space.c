/* SPDX-License-Identifier: ISC
 *
 * The space of the spool: how much there is, how much is held, and whether
 * more may be taken. A part of the file system is left to others: the cutover
 * table and the audit index may be on it.
 */
#include "relay/spool/spool_int.h"

enum {
	RESERVE = 2,
	FULL_PERCENT = 85,
	PRESSED_PERCENT = 80,
	KEEP_SHARE = 16,	/* of the file system ... */
	KEEP_MAX = 256 << 20,	/* ... and at most */
};

void space_wake(struct spool *s)
{
	mailbox_wake(&s->steward.in);
}

unsigned space_reserve(const struct spool *s)
{
	unsigned wanted = (unsigned)s->c.spares;

	return wanted > RESERVE ? RESERVE : wanted - 1;
}

static uint64_t held_bytes(struct spool *s)
{
	return atomic_load(&s->live_bytes) + atomic_load(&s->bulk_bytes);
}

bool spool_pressed(struct spool *s)
{
	uint64_t capacity = atomic_load(&s->capacity);

	return atomic_load(&s->pressed) ||
	    (capacity != 0 &&
		held_bytes(s) > capacity / 100 * PRESSED_PERCENT);
}

/* Where blocks are copied on write, a segment that is used again takes new
 * ones: the reserve is what the disk has free. */
static bool reserve_gone(struct spool *s)
{
	return s->steward.cow &&
	    atomic_load(&s->free_bytes) <
		space_reserve(s) * s->key.segment_bytes;
}

enum admit space_admits(struct spool *s, uint64_t bytes)
{
	uint64_t held = held_bytes(s) + atomic_load(&s->reserved) + bytes;

	if (atomic_load(&s->no_space) || reserve_gone(s) ||
	    held > atomic_load(&s->capacity) / 100 * FULL_PERCENT)
		return ADMIT_FULL;
	return atomic_load(&s->spares) >= space_reserve(s) ? ADMIT :
							     ADMIT_LATER;
}

static uint64_t slots_in_use(struct spool *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->segs; i++)
		n += s->seg[i] != NULL;
	return n;
}

static uint64_t bulk_bytes(struct spool *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->segs; i++)
		if (s->seg[i] != NULL && s->seg[i]->state == SEG_BULK &&
		    s->seg[i]->refs > 0)
			n += s->key.segment_bytes;
	return n;
}

static uint64_t keep_bytes(struct spool *s)
{
	int64_t total = s->c.io->total(s->c.io, s->path);
	uint64_t keep = total < 0 ? 0 : (uint64_t)total / KEEP_SHARE;

	return keep < KEEP_MAX ? keep : KEEP_MAX;
}

static uint64_t more_than(uint64_t n, uint64_t less)
{
	return n > less ? n - less : 0;
}

void space_measure(struct spool *s)
{
	int64_t free_bytes = s->c.io->space(s->c.io, s->path);
	uint64_t have, ours, max = atomic_load(&s->max_bytes);

	s->steward.keep = keep_bytes(s);
	pthread_mutex_lock(&s->lock);
	have = slots_in_use(s) * s->key.segment_bytes;
	atomic_store(&s->live_bytes, s->index.live_bytes);
	atomic_store(&s->bulk_bytes, bulk_bytes(s));
	pthread_mutex_unlock(&s->lock);
	if (free_bytes < 0)
		free_bytes = 0;
	atomic_store(&s->free_bytes, (uint64_t)free_bytes);
	ours = more_than((uint64_t)free_bytes, s->steward.keep);
	if (max == 0 || max > have + ours)
		max = have + ours;
	atomic_store(&s->capacity, max);
}

/* ---- what a reload may change ---- */

/* A segment knows until when it is kept: its last delivery + retain. */
static void keep_longer(struct spool *s, int64_t by_us)
{
	for (unsigned i = 0; i < s->segs; i++)
		if (s->seg[i] != NULL && s->seg[i]->retain_until_us != 0)
			s->seg[i]->retain_until_us += by_us;
}

void spool_limits_set(struct spool *s, uint64_t max_bytes, int64_t retain_us)
{
	pthread_mutex_lock(&s->lock);
	keep_longer(s, retain_us - atomic_load(&s->retain_us));
	atomic_store(&s->retain_us, retain_us);
	pthread_mutex_unlock(&s->lock);
	atomic_store(&s->max_bytes, max_bytes);
}
