/* SPDX-License-Identifier: ISC
 *
 * How many members a sliding hour has room for, and when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay/base/attr.h"
#include "relay/base/clock.h"
#include "relay/base/rng.h"
#include "relay/when/hour_limit.h"

static void a_slice_counts_for_an_hour(void **state)
{
	static const struct hour_slice log[] = {
	    {1000, 500}, {2000, 300}, {3000, 200}};

	(void)state;
	assert_int_equal(hour_room(log, 3, 3000, 1000), 0);
	assert_int_equal(hour_room(log, 3, 3000, 1500), 500);
	assert_int_equal(hour_room(log, 3, 1000 + HOUR_S - 1, 1000), 0);
	assert_int_equal(hour_room(log, 3, 1000 + HOUR_S, 1000), 500);
	assert_int_equal(hour_room(log, 3, 2000 + HOUR_S, 1000), 800);
	assert_int_equal(hour_room(log, 3, 3000 + HOUR_S, 1000), 1000);
	assert_int_equal(hour_room(log, 0, 0, 1000), 1000);
	assert_true(hour_room(log, 3, 3000, 0) == UINT64_MAX);
	/* a clock that was set back makes no room */
	assert_int_equal(hour_room(log, 3, 10, 1000), 0);
	/* a limit that was made smaller meanwhile */
	assert_int_equal(hour_room(log, 3, 3000, 10), 0);
}

static void what_is_stamped_later_counts_as_made_at_a_moment(void **state)
{
	struct hour_slice log[] = {{900, 1}, {1000, 500}, {2000, 300}};

	(void)state;
	hour_log_bound(log, 3, 1000, 950);
	assert_int_equal(log[0].at_s, 900);
	assert_int_equal(log[1].at_s, 950);
	assert_int_equal(log[1].members, 300);
	assert_int_equal(log[2].at_s, 1000);
	assert_int_equal(log[2].members, 500);
	assert_int_equal(hour_room(log, 3, 950 + HOUR_S, 1000), 500);
}

static void the_moment_with_room_is_known(void **state)
{
	static const struct hour_slice log[] = {
	    {1000, 500}, {2000, 300}, {3000, 200}};

	(void)state;
	assert_int_equal(hour_free_at(log, 3, 3000, 1000, 1), 1000 + HOUR_S);
	assert_int_equal(hour_free_at(log, 3, 3000, 1000, 500), 1000 + HOUR_S);
	assert_int_equal(hour_free_at(log, 3, 3000, 1000, 501), 2000 + HOUR_S);
	assert_int_equal(hour_free_at(log, 3, 3000, 1000, 1000), 3000 + HOUR_S);
	assert_true(hour_free_at(log, 3, 3000, 1000, 1001) == INT64_MAX);
	assert_int_equal(hour_free_at(log, 3, 3000, 0, 1001), 3000);
	assert_int_equal(hour_free_at(log, 3, 9000, 1000, 1000), 9000);
}

/* Slices taken whenever they are allowed never break the limit of any hour,
 * and one second earlier each of them would. */
static void no_hour_has_more_than_the_limit(void **state)
{
	enum { SLICES = 400, LIMIT = 30000 };
	static struct hour_slice log[SLICES];
	struct rng_seeded rng;
	int64_t now = 1000000;

	(void)state;
	rng_seeded_init(&rng, 3);
	for (int n = 0; n < SLICES; n++) {
		uint64_t want = 1 + rng_below(&rng.rng, 9000);
		int64_t t = hour_free_at(log, n, now, LIMIT, want);

		if (t > now)
			assert_true(hour_room(log, n, t - 1, LIMIT) < want);
		log[n] = (struct hour_slice){t, want};
		now = t + (int64_t)rng_below(&rng.rng, 300);
	}
	for (int i = 0; i < SLICES; i++) {
		uint64_t sum = 0;

		for (int k = i;
		     k < SLICES && log[k].at_s < log[i].at_s + HOUR_S; k++)
			sum += log[k].members;
		assert_true(sum <= LIMIT);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_slice_counts_for_an_hour),
	    cmocka_unit_test(the_moment_with_room_is_known),
	    cmocka_unit_test(what_is_stamped_later_counts_as_made_at_a_moment),
	    cmocka_unit_test(no_hour_has_more_than_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
