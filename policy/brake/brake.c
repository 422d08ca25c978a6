/* SPDX-License-Identifier: ISC
 *
 * Wilson, Newcombe, and the verdict.
 */
#include "policy/brake/brake.h"

#include <math.h>

#include "relay/base/assert.h"

/* The normal distribution's 95th percentile: an interval of 90 %. */
static const double z = 1.645;

/* A share between the ends of its interval. */
struct wilson {
	double share, lower, upper;
};

static struct wilson wilson(struct brake_share s)
{
	double n = (double)s.tried, p, middle, half, over;

	PH_ASSERT(s.failed <= s.tried);
	if (s.tried == 0)
		return (struct wilson){0, 0, 1};
	p = (double)s.failed / n;
	over = 1 + z * z / n;
	middle = (p + z * z / (2 * n)) / over;
	half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / over;
	return (struct wilson){p, middle - half, middle + half};
}

struct brake_interval brake_difference(struct brake_share a,
    struct brake_share b)
{
	struct wilson x = wilson(a), y = wilson(b);
	double d = x.share - y.share;

	return (struct brake_interval){
	    .difference = d,
	    .lower = d - hypot(x.share - x.lower, y.upper - y.share),
	    .upper = d + hypot(x.upper - x.share, y.share - y.lower),
	};
}

struct brake_judged brake_judge(struct brake_share slice, uint64_t users,
    struct brake_share before)
{
	struct brake_judged j = {.interval = brake_difference(slice, before)};
	double more = slice.tried < BRAKE_MIN ? BRAKE_MORE_FEW : BRAKE_MORE;

	if (slice.failed >= BRAKE_FAILED && users >= BRAKE_FAILED &&
	    j.interval.lower > more / 100)
		j.verdict = BRAKE_BAD;
	else if (slice.tried >= BRAKE_MIN &&
		 j.interval.upper < BRAKE_MORE / 100.0)
		j.verdict = BRAKE_GOOD;
	return j;
}

const char *brake_verdict_text(enum brake_verdict v)
{
	static const char *const texts[BRAKE_VERDICTS] = {
	    [BRAKE_INCONCLUSIVE] = "inconclusive",
	    [BRAKE_GOOD] = "good",
	    [BRAKE_BAD] = "bad",
	};

	return texts[v];
}
