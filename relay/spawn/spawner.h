/* SPDX-License-Identifier: ISC
 *
 * A small process that starts programs for the daemon, which cannot: it is
 * forked before there is a thread, a secret of TLS or a sandbox. It knows its
 * programs from the start, a row each; a request names a row.
 *
 * Each program belongs to a lane, and a lane has a socket of its own. As many
 * of a lane run at once as spawn_lanes says; the others wait in the socket, and
 * when that is full the daemon is told so. So no lane waits for another: an
 * alarm is told while hooks hang.
 *
 * When the process dies it is started again, and what it ran is ended. When
 * the daemon goes away, in whatever way, all that runs is ended, and so is it.
 */
#ifndef RELAY_SPAWN_SPAWNER_H
#define RELAY_SPAWN_SPAWNER_H

#include "relay/base/error.h"
#include "relay/base/slice.h"
#include "relay/spawn/spawn_table.h"

/* The program's descriptors; -1: none. They stay the caller's, which closes
 * its copies of the program's ends after the call. */
struct spawn_fds {
	int input;   /* its standard input; none: the end of a file */
	int output;  /* its standard output and error; none: nothing reads
		      * the one, and the other is ours */
	/* One end of a socket pair, of which the caller keeps the other: it
	 * gets a struct spawn_report when the program has ended, or nothing
	 * but the end of file when that is not known. To close it kills the
	 * program and the processes of its group, running or waiting. */
	int control;
};

struct spawner;

/* Before any thread. Copies what it needs of `c`: the process has a copy of
 * all strings from the fork on. */
struct spawner *spawner_new(const struct spawner_config *c, struct error *err)
    PH_CHECK;
void spawner_free(struct spawner *s); /* NULL is fine */
/* Is there such a program? `s` may be NULL. */
bool spawner_has(const struct spawner *s, enum spawn_row row);

/* Both: any thread, and they never wait. `arg` is the program's only argument
 * (small letters, digits and -; at most SPAWNER_ARG_MAX), "" is none. False:
 * there is no such program, something is too long, too many of the lane wait,
 * or the spawner is gone. */

/* Runs the program with `input` on its standard input. */
bool spawner_run(struct spawner *s, enum spawn_row row, const char *arg,
    struct slice input) PH_CHECK;
bool spawner_start(struct spawner *s, enum spawn_row row, const char *arg,
    const struct spawn_fds *fds) PH_CHECK;

#endif
