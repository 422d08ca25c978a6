/* SPDX-License-Identifier: ISC
 *
 * How many of a lane run at once, and the arguments that there may be.
 */
#include "relay/spawn/spawn_table.h"

#include <string.h>

/* spawn_server.c has a place for each of them. */
const unsigned spawn_lanes[LANES] = {
    [LANE_ALARM] = 1, [LANE_HOOK] = 8, [LANE_HELPER] = 512};

bool spawn_arg_ok(const char *arg)
{
	size_t n = strspn(arg, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n <= SPAWNER_ARG_MAX && arg[n] == '\0';
}
