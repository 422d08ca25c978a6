/* SPDX-License-Identifier: ISC
 *
 * The daemon shuts itself in: from here on it can start no program, write
 * nowhere but where its configuration says, and is refused the system calls
 * that only an intruder would make. What the kernel does not have is left
 * out and told; mail goes on. Main thread, before there is another one.
 */
#ifndef RELAY_DAEMON_SANDBOX_H
#define RELAY_DAEMON_SANDBOX_H

#include "conf/conf.h"

/* The restrictions that hold. */
struct sandbox {
	bool secret;  /* no process of our uid can read our memory */
	bool filter;  /* seccomp                               */
	int landlock; /* its ABI; 0: files are not guarded     */
};

/* Before SQLite is used for the first time: it asks only then where to put
 * what does not fit its memory. */
void sandbox_prepare(const struct conf *c);
/* When all folders exist and all sockets are bound. Logs one event. */
struct sandbox sandbox_enter(const struct conf *c);
/* The same for the process that starts programs, which inherit it: what no
 * program of an administrator needs, no capabilities, no set-user-ID. */
void sandbox_enter_spawner(void);

#endif
