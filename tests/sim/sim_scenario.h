/* SPDX-License-Identifier: ISC
 *
 * A run is a list of events drawn from its seed. Each stands for itself, so
 * any part of the list is a run too, and a list that breaks a promise can be
 * made shorter.
 */
#ifndef TESTS_SIM_SIM_SCENARIO_H
#define TESTS_SIM_SIM_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

enum event_kind {
	EV_SESSION, /* a client comes; a: seed of what it does          */
	EV_MOOD,    /* leg a gets a mood drawn from b                   */
	EV_ROUTE,   /* rows b … of a get a route drawn from c           */
	EV_HOLD,    /* rows a … are held                                */
	EV_RELEASE,
	EV_ACT,     /* an administrator's act, drawn from a             */
	EV_LEG,     /* leg a is suspended (b) or resumed                */
	EV_RELOAD,  /* configuration variant a                          */
	EV_DISK,    /* a: which fault; b: when                          */
	EV_CRASH,   /* a: what the disk keeps; b: seed of it            */
	EV_RESTART, /* in order                                         */
	EV_CLOCK,   /* the wall clock is set by a seconds (from -b)     */
	EV_DNS,     /* the resolver fails (a) or works                  */
	EV_KINDS
};

struct sim_event {
	int64_t at_us;
	enum event_kind kind;
	uint32_t a, b, c;
};

enum { EVENTS_MAX = 120 };

/* How many events, in order of time. */
unsigned scenario_draw(uint64_t seed, struct sim_event out[EVENTS_MAX]);
void scenario_text(const struct sim_event *e, char out[100]);
/* Plays those that `keep` says (NULL: all), heals the world, waits for its
 * end, and judges. */
void scenario_play(uint64_t seed, const struct sim_event *e, unsigned n,
    const bool *keep);

#endif
