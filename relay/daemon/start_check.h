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

/* True: users besides root and the daemon's may write the configuration, which
 * is not wrong by itself; "FILE:1: who, and what would keep them out" is in
 * `out`. */
bool start_check_writers(const struct conf *c, struct strbuf *out);

/* Calls `fault` with "FILE:LINE: what is wrong and what would be right" for
 * each. Returns how many there were. */
int start_check(const struct conf *c,
    void (*fault)(void *arg, const char *line), void *arg);

#endif
