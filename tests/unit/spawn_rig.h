/* SPDX-License-Identifier: ISC
 *
 * A spawner in its sandbox, and the shell scripts that it runs.
 */
#ifndef TESTS_UNIT_SPAWN_RIG_H
#define TESTS_UNIT_SPAWN_RIG_H

#include <sys/types.h>

#include "relay/spawn/spawner.h"

enum { RIG_LOOKS = 1000, RIG_LOOK_MS = 20, RIG_OUT_BYTES = 1 << 16 };

struct spawn_rig {
	void *dir;
	char program[200], out[200];
	struct spawner *spawner;
	enum spawn_lane second; /* of the second row; LANE_ALARM: helpers' */
	bool no_alarm;		/* the first row has no program */
};

void spawn_rig_init(struct spawn_rig *b);
void spawn_rig_fini(struct spawn_rig *b);
/* A shell script; $OUT stands for a file that the test reads. */
void spawn_rig_write(struct spawn_rig *b, const char *text);
/* Both rows run it; helpers have no limit and no environment. */
void spawn_rig_start(struct spawn_rig *b, int limit_ms, int grace_ms);
/* The program's output, when it is `want` bytes or more; mem_free() it. */
char *spawn_rig_output(const struct spawn_rig *b, size_t want);

bool spawn_rig_gone(long pid);
void spawn_rig_wait_gone(long pid);
void spawn_rig_pause_ms(int ms);
/* The process whose child `pid` is. */
long spawn_rig_parent(long pid);

#endif
