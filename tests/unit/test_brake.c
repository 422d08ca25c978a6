/* SPDX-License-Identifier: ISC
 *
 * The brake: verdicts of slices, and what becomes of a soak.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/brake/soak.h"
#include "relay/base/mem.h"
#include "relay/base/rng.h"

#define S INT64_C(1000000)
#define NOW (INT64_C(1800000000) * S)

enum { SEEDS = 10000, LOOKS = 500 };

/* ---- the verdict ------------------------------------------------------- */

static const struct {
	struct brake_share slice;
	uint64_t users;
	struct brake_share before;
	enum brake_verdict verdict;
} verdicts[] = {
	{{50, 7}, 7, {1000, 20}, BRAKE_BAD},
	{{6, 3}, 3, {1000, 20}, BRAKE_BAD},
	{{50, 6}, 6, {1000, 20}, BRAKE_INCONCLUSIVE},
	{{7, 3}, 3, {1000, 20}, BRAKE_INCONCLUSIVE},
	{{51, 0}, 0, {1000, 0}, BRAKE_INCONCLUSIVE},
	{{52, 0}, 0, {1000, 0}, BRAKE_GOOD},
	/* Silence. */
	{{0, 0}, 0, {1000, 20}, BRAKE_INCONCLUSIVE},
	{{49, 0}, 0, {1000, 500}, BRAKE_INCONCLUSIVE},
	{{50, 0}, 0, {1000, 500}, BRAKE_GOOD},
	{{0, 0}, 0, {0, 0}, BRAKE_INCONCLUSIVE},
	/* Without a baseline nothing is more than before. */
	{{500, 500}, 400, {0, 0}, BRAKE_INCONCLUSIVE},
	/* One or two mailboxes are no slice. */
	{{50, 40}, 2, {1000, 20}, BRAKE_INCONCLUSIVE},
	{{50, 40}, 3, {1000, 20}, BRAKE_BAD},
	{{2, 2}, 2, {1000, 0}, BRAKE_INCONCLUSIVE},
	/* 49 are few, 50 are not. */
	{{49, 8}, 8, {1000, 20}, BRAKE_INCONCLUSIVE},
	{{50, 8}, 8, {1000, 20}, BRAKE_BAD},
};

static void a_verdict_follows_from_both_shares(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		struct brake_judged j = brake_judge(verdicts[i].slice,
		    verdicts[i].users, verdicts[i].before);

		print_message("%zu\n", i);
		assert_int_equal(j.verdict, verdicts[i].verdict);
		assert_true(j.interval.lower <= j.interval.difference);
		assert_true(j.interval.difference <= j.interval.upper);
	}
}

/* 56 of 70 and 48 of 80: Newcombe's first example, whose interval at 95 % is
 * 0.0524 to 0.3339; at 90 % it lies within. */
static void the_interval_is_newcombes(void **state)
{
	struct brake_interval i =
	    brake_difference((struct brake_share){70, 56},
		(struct brake_share){80, 48});

	(void)state;
	assert_true(i.difference > 0.1999 && i.difference < 0.2001);
	assert_true(i.lower > 0.0765 && i.lower < 0.0766);
	assert_true(i.upper > 0.3136 && i.upper < 0.3137);
}

/* Looked at after each delivery of a slice of which that share fails, against
 * 20 of 1,000: is it ever bad? */
static bool pauses(uint64_t seed, unsigned failing_of_1000)
{
	struct brake_share slice = {0}, before = {1000, 20};
	struct rng_seeded r;

	rng_seeded_init(&r, seed);
	while (slice.tried < LOOKS) {
		slice.tried++;
		slice.failed += rng_below(&r.rng, 1000) < failing_of_1000;
		if (brake_judge(slice, slice.failed, before).verdict ==
		    BRAKE_BAD)
			return true;
	}
	return false;
}

static unsigned pauses_of(unsigned failing_of_1000)
{
	unsigned n = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		n += pauses(seed, failing_of_1000);
	print_message("%u of %u pause where %u of 1,000 fail\n", n, SEEDS,
	    failing_of_1000);
	return n;
}

static void a_slice_as_before_is_stopped_hardly_ever(void **state)
{
	(void)state;
	assert_true(pauses_of(20) <= SEEDS * 2 / 1000);
}

static void a_slice_with_six_times_the_failures_is_stopped(void **state)
{
	(void)state;
	assert_true(pauses_of(120) >= SEEDS * 98 / 100);
}

/* ---- a soak ------------------------------------------------------------ */

static const struct {
	int64_t passed_s; /* of a soak of 100 s */
	enum brake_verdict mail, leg;
	bool shut;
	uint64_t complaints;
	enum soak_end end;
	int64_t until_s; /* since its begin; of a wait */
} soaks[] = {
	{0, BRAKE_INCONCLUSIVE, BRAKE_INCONCLUSIVE, false, 0, SOAK_OPEN, 100},
	/* Good is believed at the end, bad at once. */
	{99, BRAKE_GOOD, BRAKE_GOOD, false, 0, SOAK_OPEN, 100},
	{100, BRAKE_GOOD, BRAKE_GOOD, false, 0, SOAK_GOOD, 0},
	{0, BRAKE_BAD, BRAKE_GOOD, false, 0, SOAK_BAD, 0},
	{100, BRAKE_BAD, BRAKE_GOOD, false, 0, SOAK_BAD, 0},
	/* An open question is waited for, and then it is for a person. */
	{100, BRAKE_INCONCLUSIVE, BRAKE_GOOD, false, 0, SOAK_OPEN, 400},
	{399, BRAKE_INCONCLUSIVE, BRAKE_GOOD, false, 0, SOAK_OPEN, 400},
	{399, BRAKE_GOOD, BRAKE_INCONCLUSIVE, false, 0, SOAK_GOOD, 0},
	{400, BRAKE_INCONCLUSIVE, BRAKE_GOOD, false, 0, SOAK_INCONCLUSIVE, 0},
	/* The leg's own trouble is not the slice's, and no reason to go on. */
	{0, BRAKE_INCONCLUSIVE, BRAKE_BAD, false, 0, SOAK_LEG, 0},
	{0, BRAKE_INCONCLUSIVE, BRAKE_GOOD, true, 0, SOAK_LEG, 0},
	{100, BRAKE_GOOD, BRAKE_GOOD, true, 0, SOAK_LEG, 0},
	{0, BRAKE_BAD, BRAKE_BAD, true, 0, SOAK_BAD, 0},
	/* Complaints. */
	{0, BRAKE_GOOD, BRAKE_GOOD, false, 2, SOAK_OPEN, 100},
	{0, BRAKE_GOOD, BRAKE_GOOD, false, 3, SOAK_COMPLAINTS, 0},
	{100, BRAKE_BAD, BRAKE_GOOD, false, 4, SOAK_COMPLAINTS, 0},
};

static void a_soak_waits_passes_or_stops(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(soaks); i++) {
		const struct soak_moment m = {.now_us = NOW +
			soaks[i].passed_s * S, .began_us = NOW,
		    .soak_us = 100 * S, .mail = soaks[i].mail,
		    .leg = soaks[i].leg, .shut = soaks[i].shut,
		    .complaints = soaks[i].complaints, .complaints_max = 3};
		struct soak_due d = soak_due(&m);

		print_message("%zu\n", i);
		assert_int_equal(d.end, soaks[i].end);
		if (d.end == SOAK_OPEN)
			assert_int_equal(d.until_us,
			    NOW + soaks[i].until_s * S);
	}
}

static void without_a_soak_only_complaints_stop(void **state)
{
	struct soak_moment m = {.now_us = NOW, .began_us = NOW,
	    .mail = BRAKE_BAD, .leg = BRAKE_BAD, .shut = true,
	    .complaints = 1};

	(void)state;
	assert_int_equal(soak_due(&m).end, SOAK_GOOD);
	m.complaints_max = 1;
	assert_int_equal(soak_due(&m).end, SOAK_COMPLAINTS);
}

static void a_clock_that_was_set_back_waits_anew(void **state)
{
	const struct soak_moment m = {.now_us = NOW, .began_us = NOW + 500 * S,
	    .soak_us = 100 * S, .mail = BRAKE_GOOD};

	(void)state;
	assert_int_equal(soak_due(&m).until_us, NOW + 100 * S);
}

static void each_end_has_its_name(void **state)
{
	(void)state;
	for (int e = 0; e < SOAK_ENDS; e++) {
		const char *name = soak_end_text((enum soak_end)e);

		assert_int_equal(soak_end_named(slice_str(name)), e);
	}
	assert_int_equal(soak_end_named(SLICE("better")), -1);
	assert_string_equal(brake_verdict_text(BRAKE_BAD), "bad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_verdict_follows_from_both_shares),
	    cmocka_unit_test(the_interval_is_newcombes),
	    cmocka_unit_test(a_slice_as_before_is_stopped_hardly_ever),
	    cmocka_unit_test(a_slice_with_six_times_the_failures_is_stopped),
	    cmocka_unit_test(a_soak_waits_passes_or_stops),
	    cmocka_unit_test(without_a_soak_only_complaints_stop),
	    cmocka_unit_test(a_clock_that_was_set_back_waits_anew),
	    cmocka_unit_test(each_end_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
