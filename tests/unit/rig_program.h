/* SPDX-License-Identifier: ISC
 *
 * Programs of the worker's tests: linked instead of the spawner and its runs,
 * so that hooks work in simulated time. The test says which programs there
 * are, what each says and how it ends.
 */
#ifndef TESTS_UNIT_RIG_PROGRAM_H
#define TESTS_UNIT_RIG_PROGRAM_H

#include "relay/spawn/spawn_run.h"

struct rig_program {
	const char *says_first, *says; /* at once, and when it ends */
	enum spawn_fate fate;
	int code;
	int after_s; /* how long it runs */
	bool full;   /* its lane takes no more: it does not start */
};

/* Each run from now on does this; kept by the caller. NULL: there is no such
 * program, as at the beginning. */
void rig_program(enum spawn_row row, const struct rig_program *p);
/* Of each run "run ARGUMENT" and what it was given; "killed" of one that was
 * ended before its time. */
const char *rig_program_given(enum spawn_row row);

#endif
