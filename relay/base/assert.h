/* SPDX-License-Identifier: ISC
 *
 * States what must hold unless the program itself is wrong. PH_ASSERT() stays
 * on in release builds: a process whose state contradicts itself would go on
 * to write that state to the journal, while a process that ends is started
 * again from a journal that is still right.
 *
 * Input from outside is checked and answered, never asserted: peers, the
 * control socket, the configuration, and every byte that is read from the
 * journal, the table, the index or another file. A damaged record must not end
 * each start.
 */
#ifndef RELAY_BASE_ASSERT_H
#define RELAY_BASE_ASSERT_H

#include "relay/base/attr.h"

/* The condition costs a comparison and may have no effect of its own. */
#define PH_ASSERT(cond)                       \
	(__builtin_expect(!!(cond), 1)        \
		? (void)0                     \
		: assert_failed(#cond, __FILE__, __LINE__))

/* The log is built on code that asserts, so it hands its writer in: log_setup()
 * does. Until then failures are lines on standard error. */
void assert_report_to(void (*fn)(const char *cond, const char *at));

/* Reports `assert.failed` with the condition and its place, then ends the
 * process by SIGABRT. Any thread. */
PH_NORETURN void assert_failed(const char *cond, const char *file, int line)
    __attribute__((cold));

#endif
