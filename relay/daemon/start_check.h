/* SPDX-License-Identifier: ISC
 *
 * Checks what a configuration names on this machine: folders, files and
 * addresses. `posthoused -t` reports here what the start would fail with, and
 * what would keep mail waiting for ever. Nothing is created or changed, and
 * the daemon may be running. Main thread, blocking.
 */
#ifndef RELAY_DAEMON_START_CHECK_H
#define RELAY_DAEMON_START_CHECK_H

#include "conf/conf.h"

/* Root may read everything, and the daemon is not root: makes this process
 * the user that owns the spool or the table, with its groups. Returns 1 when
 * it became another user, 0 when there was no need, -1 and err->text. */
int start_check_become(const struct conf *c, struct error *err);

/* Calls `fault` with "FILE:LINE: what is wrong and what would be right" for
 * each. Returns how many there were. */
int start_check(const struct conf *c,
    void (*fault)(void *arg, const char *line), void *arg);

#endif
