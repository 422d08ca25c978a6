/* SPDX-License-Identifier: ISC
 *
 * A small process that starts programs for the daemon, which cannot: it is
 * forked before there is a thread, a secret of TLS or a sandbox. It knows one
 * program from the start; by a socket it gets the argument and the input of
 * each run, which come one after the other. When it dies it is started again.
 * When the daemon goes away, in whatever way, the running program is ended and
 * so is it.
 */
#ifndef RELAY_SPAWN_SPAWNER_H
#define RELAY_SPAWN_SPAWNER_H

#include "relay/base/error.h"
#include "relay/base/slice.h"

enum {
	SPAWNER_INPUT_MAX = 8192, /* bytes a run */
	SPAWNER_LIMIT_MS = 60000, /* a run, then it is killed */
	SPAWNER_GRACE_MS = 5000,  /* … when the daemon is gone */
};

struct spawner;

/* Before any thread. `limit_ms`, `grace_ms`: as above; tests have less.
 * `shut_in` is called first thing in the process; NULL: it may do all. */
struct spawner *spawner_new(const char *program, int limit_ms, int grace_ms,
    void (*shut_in)(void), struct error *err) PH_CHECK;
/* Runs the program with `arg` (small letters, digits and -; at most 63) as
 * its only argument and `input` on its standard input, after those that were
 * asked for before. Any thread, never waits. False: it is too long, too many
 * wait, or the spawner is gone. */
bool spawner_run(struct spawner *s, const char *arg, struct slice input)
    PH_CHECK;
void spawner_free(struct spawner *s); /* NULL is fine */

#endif
