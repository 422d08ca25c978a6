/* SPDX-License-Identifier: ISC
 *
 * How a process `posthouse-spf` is started and ended. The daemon asks its
 * spawner, since it may not start one; the command line forks.
 */
#ifndef RELAY_SPF_SPF_STARTER_H
#define RELAY_SPF_SPF_STARTER_H

#include "relay/base/error.h"

struct spawner;

struct spf_starter {
	/* Starts a process whose standard input is the stream socket
	 * `channel`, which stays the caller's. A handle, or -1 and `err`. Does
	 * not wait: the process may still turn out not to start. */
	int (*start)(const struct spf_starter *s, int channel,
	    struct error *err);
	/* Once for each handle: kills the process if it is there, and lets go
	 * of what the handle holds. */
	void (*end)(const struct spf_starter *s, int handle);
	const char *program; /* of the one that forks */
	struct spawner *spawner;
};

/* Borrows `program` or `spawner`. Any thread. */
struct spf_starter spf_starter_fork(const char *program);
struct spf_starter spf_starter_spawn(struct spawner *spawner);

enum { SPF_PROGRAM_BYTES = 4096 };
/* Finds the program: beside the one that runs, then in libexecdir. False: it
 * is in neither; `path_out` is the second place, for a message. */
bool spf_program_find(char path_out[SPF_PROGRAM_BYTES]) PH_CHECK;

#endif
