/* SPDX-License-Identifier: ISC
 *
 * Finds what a wave would do, without writing: its members as the table has
 * them now, and its course by the slices on record here. One thread.
 */
#ifndef RELAY_CLI_WAVE_REHEARSAL_H
#define RELAY_CLI_WAVE_REHEARSAL_H

#include "policy/wave/file/wave_file.h"
#include "policy/wave/wave_course.h"
#include "relay/cli/wave/rehearse_hold.h"

enum {
	REHEARSAL_ROUTES = 32,
	REHEARSAL_LEFT_OUT = 1000,
	REHEARSAL_OTHERS = 100,
};

struct rehearsal_route {
	const char *text;
	uint64_t members;
};

struct rehearsal_left_out {
	const char *address, *state, *reason;
};

/* Another wave that is under way; its slices count in wave.per_hour too. */
struct rehearsal_other {
	const char *name, *state;
	int64_t id;
	uint64_t left; /* members that wait for a slice */
};

struct rehearsal {
	struct arena *texts; /* the caller's */
	const struct conf *conf;
	struct names *names;
	struct wave wave;
	struct wave_options options; /* that it would be started with */
	const char *route;
	int64_t from_us; /* when it would begin */

	/* Of the members that are pending: */
	uint64_t moves; /* get the route */
	uint64_t there; /* have it already */
	uint64_t held;	/* of both, held now */
	uint64_t left_out;
	struct rehearsal_route was[REHEARSAL_ROUTES]; /* of those that move */
	int routes;			/* others are not told apart */
	struct rehearsal_left_out *out; /* the first of them */
	int outs;

	struct rehearsal_other other[REHEARSAL_OTHERS]; /* the first of them */
	int others;

	/* Of a hold: what it will keep, or why that is not known. */
	struct hold_expected hold;
	struct error hold_fault; /* text "": it is known */
	uint64_t rowless; /* get the route and have no row: not in `hold` */

	/* The preflight of that target: when it began (0: there is none), and
	 * how many would fail by it. */
	int64_t preflight_us;
	uint64_t unfit;
	const char *preflight_fault; /* why that is not known; "" */

	uint64_t timed;	  /* slices that slice_us is the median of */
	int64_t slice_us; /* a slice takes; 0: not known */
	struct wave_course course;
};

/* Fills what follows from_us. */
int rehearse(
    struct wave_file *f, struct rehearsal *r, struct error *err) PH_CHECK;

#endif
