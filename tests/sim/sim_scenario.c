/* SPDX-License-Identifier: ISC
 *
 * A run as a list of events.
 */
#include "tests/sim/sim_scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/rng.h"

enum { EVENTS_MIN = 15, GAP_S = 20 };

/* clang-format off */
static const struct {
	const char *name;
	unsigned weight;
} kinds[EV_KINDS] = {
	[EV_SESSION] = { "session", 40 },
	[EV_MOOD]    = { "mood",    14 },
	[EV_ROUTE]   = { "route",   12 },
	[EV_HOLD]    = { "hold",     3 },
	[EV_RELEASE] = { "release",  4 },
	[EV_ACT]     = { "act",      8 },
	[EV_LEG]     = { "leg",      3 },
	[EV_RELOAD]  = { "reload",   2 },
	[EV_DISK]    = { "disk",     4 },
	[EV_CRASH]   = { "crash",    4 },
	[EV_RESTART] = { "restart",  2 },
	[EV_CLOCK]   = { "clock",    2 },
	[EV_DNS]     = { "dns",      2 },
};
/* clang-format on */

static enum event_kind draw_kind(struct rng *rng)
{
	uint64_t all = 0, at;

	for (int i = 0; i < EV_KINDS; i++)
		all += kinds[i].weight;
	at = rng_below(rng, all);
	for (int i = 0; i < EV_KINDS; i++) {
		if (at < kinds[i].weight)
			return (enum event_kind)i;
		at -= kinds[i].weight;
	}
	return EV_SESSION;
}

/* Events come in bursts, with minutes between some of them. */
static int64_t draw_gap(struct rng *rng)
{
	switch (rng_below(rng, 4)) {
	case 0:
		return (int64_t)rng_below(rng, 20000);
	case 1:
		return (int64_t)rng_below(rng, 2000000);
	default:
		return (int64_t)rng_below(rng, GAP_S * UINT64_C(1000000));
	}
}

unsigned scenario_draw(uint64_t seed, struct sim_event out[EVENTS_MAX])
{
	struct rng_seeded rng;
	int64_t at = 2000000;
	unsigned n;

	rng_seeded_init(&rng, seed ^ UINT64_C(0x5ce9a710));
	n = EVENTS_MIN + (unsigned)rng_below(&rng.rng, EVENTS_MAX / 2);
	for (unsigned i = 0; i < n; i++) {
		at += draw_gap(&rng.rng);
		out[i] = (struct sim_event){.at_us = at,
		    .kind = draw_kind(&rng.rng),
		    .a = (uint32_t)rng_u64(&rng.rng),
		    .b = (uint32_t)rng_u64(&rng.rng),
		    .c = (uint32_t)rng_u64(&rng.rng)};
	}
	return n;
}

void scenario_text(const struct sim_event *e, char out[100])
{
	snprintf(out, 100, "%9.3f s  %-8s %" PRIu32 " %" PRIu32 " %" PRIu32,
	    (double)e->at_us / 1e6, kinds[e->kind].name, e->a, e->b, e->c);
}
