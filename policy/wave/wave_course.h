/* SPDX-License-Identifier: ISC
 *
 * The course of a wave: when each of its slices would be made, as wave_due()
 * decides it, through blackouts and per_hour. Pure.
 */
#ifndef POLICY_WAVE_WAVE_COURSE_H
#define POLICY_WAVE_WAVE_COURSE_H

#include "policy/wave/wave_due.h"
#include "relay/when/slice_limits.h"

enum { COURSE_PARTS = 200, COURSE_SLICES_MAX = 1000000 };

/* Slices that follow one another with no wait but their pause. */
struct course_part {
	uint64_t slices, members;
	int64_t from_us, to_us; /* of the first and the last slice */
	/* Then it waits: for a blackout, or for per_hour; NONE: it ends. */
	enum wave_wait wait;
	int64_t until_us;
	const struct blackout *blackout;
};

struct course_of {
	const struct wave_options *options;
	const struct slice_limits *limits;
	uint64_t members;     /* that will be flipped */
	int64_t from_us;      /* it begins */
	int64_t last_us;      /* its newest slice; 0: none yet */
	int64_t slice_us;     /* what a slice takes; 0: not known */
	struct slice_log log; /* of all waves, in the hour before */
};

struct wave_course {
	struct course_part part[COURSE_PARTS];
	int parts;
	uint64_t slices;
	int64_t end_us; /* of the last slice; INT64_MAX: it would never end */
	bool cut;	/* more parts than there is room for: the last one has
			 * the rest */
};

void wave_course(const struct course_of *of, struct wave_course *course_out);

#endif
