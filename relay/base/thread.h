/* SPDX-License-Identifier: ISC
 *
 * Threads by their names.
 */
#ifndef RELAY_BASE_THREAD_H
#define RELAY_BASE_THREAD_H

#include <sys/prctl.h>

/* Names the calling thread (or process) as tools show it, e.g. `top -H`; 15
 * characters at most are kept. doc/architecture.md lists the names. */
static inline void thread_name(const char *name)
{
	prctl(PR_SET_NAME, name, 0, 0, 0);
}

#endif
