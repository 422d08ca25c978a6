/* SPDX-License-Identifier: ISC
 *
 * The programs that the daemon has its spawner start, and what must be true of
 * them.
 */
#ifndef RELAY_DAEMON_PROGRAMS_H
#define RELAY_DAEMON_PROGRAMS_H

#include "conf/conf.h"
#include "relay/spawn/spawner.h"

/* The daemon's own question: the user that runs the command line may not run
 * these. 0, or -1 with the file, line and what would be right. */
int programs_check(const struct conf *c, struct error *err) PH_CHECK;
/* Checks, then starts the spawner: while there is but this thread, and nothing
 * that it does not need. */
struct spawner *programs_start(const struct conf *c, struct error *err)
    PH_CHECK;

#endif
