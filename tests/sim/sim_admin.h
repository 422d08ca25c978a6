/* SPDX-License-Identifier: ISC
 *
 * The administrator: starts, stops and kills the daemon, asks it over its
 * control socket, and changes the cutover table as the command line does.
 * Called by tasks of the world.
 */
#ifndef TESTS_SIM_SIM_ADMIN_H
#define TESTS_SIM_SIM_ADMIN_H

#include <jansson.h>

#include "relay/base/strbuf.h"
#include "tests/fault/fakedisk.h"

struct app;

/* A folder for table, audit index and configuration, anew. */
void daemon_setup(uint64_t seed);
void daemon_remove(void); /* the folder */
const char *daemon_folder(void);
/* Waits until it accepts; false: it refused to start. */
bool daemon_start(void);
void daemon_stop(void); /* in order; waits for its end */
void daemon_crash(enum fake_cut how, uint64_t seed);
bool daemon_up(void);
struct app *daemon_app(void);
void daemon_reload(unsigned variant);
/* unknown = "reject" for our domain. */
bool daemon_refuses_unknown(void);

/* ---- control ---- */

/* Takes `args`. The exit code; -1: there is no daemon, or it died. */
int sim_ctl(const char *command, json_t *args, struct strbuf *rows_out);
/* The lines of JSON that a client sends when it is asked for more, up to a
 * NULL; NULL: it sends none. Kept until the next call. */
void sim_ctl_further(const char *const *lines);
const char *sim_ctl_error(void); /* what the last one said to it */
void sim_ctl_kill(void);

/* ---- the table ---- */

/* Users first … first + n - 1 get that route (NULL: as it is) and hold (-1: as
 * it is). Row `user` -1 is the domain's. False: nothing was changed. */
bool admin_change(int first, int n, const char *route, int held);

#endif
