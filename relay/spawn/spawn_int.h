/* SPDX-License-Identifier: ISC
 *
 * Between the daemon's side of the spawner and its process. Both are one
 * program, so a message is a structure as it is in memory.
 */
#ifndef RELAY_SPAWN_SPAWN_INT_H
#define RELAY_SPAWN_SPAWN_INT_H

#include <sys/types.h>

#include "relay/base/slice.h"
#include "relay/spawn/spawn_table.h"

enum { WITH_INPUT = 1, WITH_OUTPUT = 2, WITH_CONTROL = 4, FDS_MAX = 3 };

/* Its descriptors come along, in the order of the bits above. */
struct spawn_message {
	unsigned row;
	unsigned with;
	char arg[SPAWNER_ARG_MAX + 1];
	char input[SPAWNER_INPUT_MAX]; /* only so much of it as there is */
};

enum { MESSAGE_HEAD = offsetof(struct spawn_message, input) };

/* The process: starts the server, again whenever it dies; returns when the
 * daemon is gone. `lane`: its ends of the sockets. */
void spawn_keep(const struct spawner_config *c, const int lane[LANES]);

struct spawning {
	const struct spawn_program *program;
	const struct spawn_message *message;
	struct slice input;   /* of the message */
	int in, out; /* its descriptors; -1: none */
	_Atomic pid_t *group; /* where the process writes its number */
};

/* The process, leader of a group of its own; or -1. */
pid_t spawn_program_start(const struct spawning *s);

#endif
