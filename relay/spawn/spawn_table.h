/* SPDX-License-Identifier: ISC
 *
 * The table of programs, the lanes that they run in, and the report of an end.
 */
#ifndef RELAY_SPAWN_SPAWN_TABLE_H
#define RELAY_SPAWN_SPAWN_TABLE_H

#include <stdbool.h>

enum {
	SPAWNER_INPUT_MAX = 8192,	/* bytes, of spawner_run() */
	SPAWNER_ARG_MAX = 63,		/* bytes */
	SPAWNER_LIMIT_MS = 60000,	/* a run, then it is killed */
	SPAWNER_GRACE_MS = 5000,	/* … when the daemon is gone */
};

enum spawn_lane {
	LANE_ALARM,  /* one, in order     */
	LANE_HOOK,   /* eight             */
	LANE_HELPER, /* one or two a worker, for as long as it lives */
	LANES
};

/* A new program is a row here and in relay/daemon/programs.c. */
enum spawn_row { SPAWN_ALARM, SPAWN_SPF, SPAWN_WATERMARK, SPAWN_HELD,
	SPAWN_EXPORT, SPAWN_ROWS };

struct spawn_program {
	const char *path; /* NULL: there is none */
	enum spawn_lane lane;
	int limit_ms; /* 0: it may run for ever */
	bool bare;    /* it gets no environment, else PATH alone */
};

struct spawner_config {
	struct spawn_program program[SPAWN_ROWS];
	int grace_ms;
	/* First thing in the process; NULL: it may do all. */
	void (*shut_in)(void);
};

struct spawn_report {
	int status; /* of waitpid() */
	int late;   /* 1: it was killed at its limit */
};

extern const unsigned spawn_lanes[LANES]; /* how many run at once */

/* May it be an argument? See spawner_run(); "" too. */
bool spawn_arg_ok(const char *arg);

#endif
