/* SPDX-License-Identifier: ISC
 *
 * Makes the event list of a failing seed shorter.
 */
#ifndef TESTS_SIM_SIM_SHRINK_H
#define TESTS_SIM_SIM_SHRINK_H

#include <stdbool.h>
#include <stdint.h>

/* Prints the shortest list that was found, what it breaks, and the command
 * that repeats it. */
void shrink(uint64_t seed);
/* sim_main.c: does that run keep every promise? In a process of its own. */
bool seed_holds(uint64_t seed, const bool *keep, bool quiet);

#endif
