/* SPDX-License-Identifier: ISC
 *
 * Shared by last_delivery.c, last_add.c, last_ask.c and watermark_post.c.
 */
#ifndef RELAY_AUDIT_DELIVERED_LAST_DELIVERY_INT_H
#define RELAY_AUDIT_DELIVERED_LAST_DELIVERY_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "relay/audit/delivered/last_delivery.h"
#include "relay/audit/delivered/last_fold.h"
#include "relay/audit/delivered/watermark_row.h"
#include "relay/audit/straggler/straggler_counts.h"
#include "relay/base/clock.h"

struct last_delivery {
	char *path, *known_path;
	_Atomic int64_t known_us, keep_us, since_us;
	_Atomic bool damaged; /* a reader found that */

	/* The projector's alone. */
	struct last_file *file; /* NULL: off, until it can be opened again */
	bool off;		/* ... and the log says so                 */
	bool lost;		/* ... and the file's header is not true   */
	bool dirty;		/* the header changed                      */
	struct last_header h;
	struct outcome_fold outcomes;
	int64_t gap_us; /* of the last gap that is in no header yet; 0 */
	int64_t rows_max, tried_ms;

	/* Changed by the projector under the lock, which reads without. */
	pthread_mutex_t lock;
	uint64_t secret[2];
	struct names *legs;
	struct last_fold fold;
	struct watermark_op *op; /* that wait for the next commit */
	size_t ops, op_cap;
	bool hurry; /* a poster waits for them */
	uint64_t marked; /* of the newest DO_MARKED, or the header */
	struct spool_pos taken; /* deliveries of before it are in the fold */
	struct straggler_counts *stragglers;

	/* Of all threads. */
	struct separators *separators;
	struct last_reader *reader; /* NULL: not opened yet */
};

/* The oldest day that retry.known reaches, and how far the day in a known.db
 * may be behind. */
static inline int64_t last_oldest_day(const struct last_delivery *l,
    int64_t now_us)
{
	int64_t days = (atomic_load(&l->known_us) + DAY_US - 1) / DAY_US;

	return now_us / DAY_US - days - days / 10;
}

/* watermark_post.c. Under the lock: the oldest `n` of those that wait go. */
void watermark_ops_drop(struct last_delivery *l, size_t n);
/* Are they waited for, or too many? */
bool watermark_ops_due(struct last_delivery *l);
/* The projector's thread, around a commit: those that wait go into the batch,
 * and the change that they reach into the header; and from the queue when they
 * are written. */
void watermark_ops_take(struct last_delivery *l, struct last_batch *b,
    struct last_header *h);
void watermark_ops_taken(struct last_delivery *l, struct last_batch *b,
    bool written);

#endif
