/* SPDX-License-Identifier: ISC
 *
 * A program of the spawner's that is watched to its end: up to a megabyte of
 * input, the exit status, and the end of what it wrote. One thread, the
 * loop's; nothing here blocks.
 */
#ifndef RELAY_SPAWN_SPAWN_RUN_H
#define RELAY_SPAWN_SPAWN_RUN_H

#include "relay/base/loop.h"
#include "relay/spawn/spawner.h"

enum {
	SPAWN_RUN_INPUT_MAX = 1 << 20, /* bytes */
	SPAWN_RUN_OUTPUT = 4096,       /* bytes of output that are kept */
};

struct spawn_run;

enum spawn_fate {
	SPAWN_EXITED,	 /* `code`: its exit status                  */
	SPAWN_SIGNALLED, /* `code`: the signal                       */
	SPAWN_LATE,	 /* killed at its limit                      */
	SPAWN_LOST,	 /* the spawner died, or could not start it  */
};

struct spawn_end {
	enum spawn_fate fate;
	int code;
	struct slice output; /* the last of it; borrowed for the call */
};

struct spawn_job {
	enum spawn_row row;
	const char *arg; /* as of spawner_run() */
	struct slice input; /* copied */
	/* Gets all that it writes, as it comes, and nothing is kept; `done`
	 * may follow, and it frees nothing. NULL: the end of it is kept. */
	void (*said)(void *done_arg, struct slice bytes);
	void (*done)(void *done_arg, const struct spawn_end *end);
	void *done_arg;
};

/* `done` is called once, later, unless the run is freed before. A program that
 * does not read its input is no error. Waiting for a place in the lane is part
 * of the run. NULL: as spawner_start(), or there is no descriptor. */
struct spawn_run *spawn_run_new(struct spawner *s, struct loop *loop,
    const struct spawn_job *job, struct error *err) PH_CHECK;
/* Kills the program if it has not ended; no callback follows. Also from inside
 * `done`. NULL is fine. */
void spawn_run_free(struct spawn_run *r);

#endif
