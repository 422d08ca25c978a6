/* SPDX-License-Identifier: ISC
 *
 * Runs command lines of `posthouse`, each in a process of its own.
 */
#ifndef TESTS_UNIT_CLI_RIG_H
#define TESTS_UNIT_CLI_RIG_H

struct loop;

enum { CLI_RIG_OUT = 1 << 16 };

/* Runs `line` with DIR/posthouse.conf, and DIR/in as its input when there is
 * such a file; returns its exit code, and in `out`
 * (CLI_RIG_OUT bytes) what it printed, errors included. Words are parted by
 * blanks, but for those inside ' '. `serving`: a loop that runs meanwhile, of
 * the daemon that it asks; NULL: there is none. */
int cli_rig_run(const char *dir, const char *line, struct loop *serving,
    char *out);

#endif
