/* SPDX-License-Identifier: ISC
 *
 * Delta debugging: parts of the list are left out, halves first, single
 * events last, as long as the rest still fails. Whatever fails counts: a
 * shorter list that breaks another promise is as good a find.
 */
#include "tests/sim/sim_shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim_scenario.h"

enum { RUNS_MAX = 400 };

static unsigned runs;

static bool fails(uint64_t seed, const bool *keep)
{
	return runs++ < RUNS_MAX && !seed_holds(seed, keep, true);
}

/* Leaves out those of the kept ones from `from` on, so many. */
static unsigned leave_out(bool keep[EVENTS_MAX], unsigned n, unsigned from,
    unsigned count)
{
	unsigned at = 0, left = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!keep[i])
			continue;
		if (at >= from && at < from + count) {
			keep[i] = false;
			left++;
		}
		at++;
	}
	return left;
}

static unsigned kept(const bool *keep, unsigned n)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		k += keep[i];
	return k;
}

/* One pass with parts of that size; true: something could go. */
static bool pass(uint64_t seed, bool keep[EVENTS_MAX], unsigned n,
    unsigned size)
{
	bool any = false;

	for (unsigned from = 0; from < kept(keep, n);) {
		bool less[EVENTS_MAX];

		memcpy(less, keep, sizeof(less));
		if (leave_out(less, n, from, size) > 0 && fails(seed, less)) {
			memcpy(keep, less, sizeof(less));
			any = true;
		} else {
			from += size;
		}
	}
	return any;
}

static void print(uint64_t seed, const struct sim_event *e, const bool *keep,
    unsigned n)
{
	const char *comma = "";

	for (unsigned i = 0; i < n; i++) {
		char text[100];

		if (!keep[i])
			continue;
		scenario_text(&e[i], text);
		printf("  %3u %s\n", i, text);
	}
	seed_holds(seed, keep, false);
	printf("repeat: tests/sim/run --seed %" PRIu64 " --trace --keep ",
	    seed);
	for (unsigned i = 0; i < n; i++)
		if (keep[i]) {
			printf("%s%u", comma, i);
			comma = ",";
		}
	printf("%s\n", comma[0] == '\0' ? "," : "");
}

void shrink(uint64_t seed)
{
	struct sim_event e[EVENTS_MAX];
	unsigned n = scenario_draw(seed, e), size = n;
	bool keep[EVENTS_MAX];

	memset(keep, true, sizeof(keep));
	runs = 0;
	while (size > 0) {
		bool any = pass(seed, keep, n, size);

		if (size > 1 || !any)
			size /= 2;
	}
	print(seed, e, keep, n);
}
