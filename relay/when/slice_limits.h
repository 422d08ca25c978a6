/* SPDX-License-Identifier: ISC
 *
 * When the next slice of a wave may begin: outside the blackouts, and with room
 * in the sliding hour. The daemon asks before each slice, a rehearsal for all
 * of them. Pure functions, any thread.
 */
#ifndef RELAY_WHEN_SLICE_LIMITS_H
#define RELAY_WHEN_SLICE_LIMITS_H

#include "relay/when/blackout.h"
#include "relay/when/hour_limit.h"

struct slice_limits {
	struct blackouts blackouts;
	uint64_t per_hour; /* members of all waves; 0: any number */
};

/* The slices so far, of all waves, oldest first. */
struct slice_log {
	const struct hour_slice *slice;
	int slices;
};

enum slice_wait { SLICE_NOW, SLICE_BLACKOUT, SLICE_PER_HOUR, SLICE_NEVER };

struct slice_turn {
	int64_t at_s;	      /* of SLICE_NEVER INT64_MAX */
	enum slice_wait wait; /* why it is not now: the first cause */
	const struct blackout *blackout; /* of SLICE_BLACKOUT */
};

/* The first moment, not before `now_s`, for a slice of so many members. NEVER:
 * they are more than the limit of an hour, or blackouts leave no gap. */
struct slice_turn slice_turn(const struct slice_limits *limits,
    const struct slice_log *log, int64_t now_s, uint64_t members);

#endif
