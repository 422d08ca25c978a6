/* SPDX-License-Identifier: ISC
 *
 * Time that does not jump when the wall clock is set.
 */
#ifndef RELAY_SPOOL_STEADY_INT_H
#define RELAY_SPOOL_STEADY_INT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "relay/base/strbuf.h"
#include "relay/spool/format/journal_types.h"

struct spool;

enum { STEADY_JUMPS = 16 };

/* The wall clock said `at_us`, and the next moment `by_us` more. */
struct jump {
	int64_t at_us, by_us;
};

struct steady {
	_Atomic int64_t ahead_us; /* steady minus monotonic, while it runs */
	_Atomic int64_t off_us;	  /* steady minus wall, as the fact says */
	struct jump jump[STEADY_JUMPS]; /* under the lock */
	unsigned jumps;
	int64_t now_us, wall_us; /* of the batch in hand, also in a replay */
	struct strbuf fresh;	 /* the fact in the batch; or empty */
};

void steady_init(struct spool *s);
void steady_fini(struct spool *s);
int64_t steady_now_us(const struct spool *s); /* any thread */
/* Was the wall clock set since the last fact? */
bool steady_moved(const struct spool *s);
/* Reads the clocks for the batch; puts the fact in it if need be. */
void steady_begin_batch(struct spool *s);
void steady_written(struct spool *s); /* the batch is; under the lock */
/* Is it the fact of the clock? Then it counts. */
bool steady_take(struct spool *s, struct slice key, struct slice value);
/* The time of a batch that is replayed; the one before was `before_us`. */
void steady_replay(struct spool *s, int64_t wall_us, int64_t before_us);
void steady_start(struct spool *s); /* after the replay: now */
/* How far steady time was ahead when a record of the batch was stamped. */
int64_t steady_ahead_us(const struct spool *s, int64_t stamped_us);
/* All stamps of a delivery: from one time to another. */
void steady_move(struct spool_delivery *d, int64_t by_us);

#endif
