/* SPDX-License-Identifier: ISC
 *
 * Legs of the worker's tests: each says what its script tells it.
 */
#ifndef TESTS_UNIT_RIG_LEG_H
#define TESTS_UNIT_RIG_LEG_H

#include "tests/sim/sim_world.h"

/* The first row whose `what` heads the command and that has not been used
 * `times` times (0: always) is the answer. "CONNECT" is the greeting, "." the
 * end of a content, by DATA or BDAT. Without a row: what a good server says.
 *
 * "" is silence; RIG_CLOSE at the end closes the connection after it. */
struct rig_rule {
	const char *what, *answer;
	int times;
};
#define RIG_CLOSE "\x01"

void rig_legs_begin(void);
/* Another script; what was said and taken is forgotten. NULL: a good one. */
void rig_leg_script(int leg, const struct rig_rule *rules);
/* Connections are refused; false: taken again. */
void rig_leg_down(int leg, bool down);
/* Commands of all connections, a line each; contents that it said 250 to. */
const char *rig_leg_said(int leg);
const char *rig_leg_content(int leg);
int rig_leg_taken(int leg);
int rig_leg_connections(int leg); /* ever */
/* Waits until it took so many. */
void rig_leg_takes(int leg, int n);

#endif
