/* SPDX-License-Identifier: ISC
 *
 * The trace of a run, as lines; and its end by a fault. A line holds nothing
 * that differs between two runs of one seed.
 */
#ifndef TESTS_SIM_SIM_TRACE_H
#define TESTS_SIM_SIM_TRACE_H

#include "relay/base/attr.h"
#include "relay/base/slice.h"

/* `to_stdout`: each line is printed; else the last ones are kept, for a
 * fault. Text equal to `hide` (a folder's name) is shown as "DIR". */
void trace_setup(bool to_stdout, const char *hide);
/* "12.345678 who what" */
void trace_line(const char *fmt, ...) PH_PRINTF(1, 2);
/* Lines of the daemon's log; the descriptor that log_setup() is given. */
enum { TRACE_LOG_FD = 1900 };
void trace_log(struct slice line);
/* A number that differs when one line does. */
uint64_t trace_sum(void);

/* The run is over, a promise was broken: says why, and the process exits
 * with SIM_FAILED. */
enum { SIM_FAILED = 3 };
PH_NORETURN void sim_fail(const char *fmt, ...) PH_PRINTF(1, 2);

#endif
