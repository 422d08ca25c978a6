/* SPDX-License-Identifier: ISC
 *
 * Which logins are not looked at, by a clock that the test holds; what is
 * remembered of a right one; and recipients in an hour.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/intake/rate_table.h"
#include "relay/login/login_memory.h"
#include "relay/login/throttle.h"

enum { HOME = 11, CAFE = 12, THIEF = 100, ANN = 7, BOB = 8 };

static struct login_who who(uint64_t client, uint64_t name)
{
	return (struct login_who){client, name};
}

static void five_failures_block_a_client_for_a_minute(void **state)
{
	struct throttle *t = throttle_new();

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_false(throttle_blocks(t, who(THIEF, ANN), i * 1000));
		throttle_failed(t, who(THIEF, 1000 + i), i * 1000);
	}
	assert_true(throttle_blocks(t, who(THIEF, ANN), 5000));
	assert_true(throttle_blocks(t, who(THIEF, BOB), 59999));
	assert_false(throttle_blocks(t, who(HOME, ANN), 5000));
	/* The first of the five is a minute old: one more is looked at. */
	assert_false(throttle_blocks(t, who(THIEF, ANN), 60000));
	throttle_failed(t, who(THIEF, ANN), 60000);
	assert_true(throttle_blocks(t, who(THIEF, ANN), 60001));
	assert_false(throttle_blocks(t, who(THIEF, ANN), 61000));
	throttle_free(t);
}

static void a_name_is_blocked_for_strangers_alone(void **state)
{
	struct throttle *t = throttle_new();

	(void)state;
	throttle_passed(t, who(HOME, ANN), 0);
	for (unsigned i = 0; i < 5; i++)
		throttle_failed(t, who(THIEF + i, ANN), DAY_MS - 2000);
	assert_true(throttle_blocks(t, who(CAFE, ANN), DAY_MS - 1000));
	assert_false(throttle_blocks(t, who(CAFE, BOB), DAY_MS - 1000));
	assert_false(throttle_blocks(t, who(HOME, ANN), DAY_MS - 1000));
	/* A day after its last login it is a stranger. */
	assert_true(throttle_blocks(t, who(HOME, ANN), DAY_MS));
	/* Having logged in is no licence: its own failures count. */
	throttle_passed(t, who(HOME, ANN), DAY_MS);
	for (unsigned i = 0; i < 5; i++)
		throttle_failed(t, who(HOME, ANN), DAY_MS);
	assert_true(throttle_blocks(t, who(HOME, ANN), DAY_MS));
	throttle_free(t);
}

static void a_flood_of_names_is_forgotten_and_not_stored(void **state)
{
	struct throttle *t = throttle_new();

	(void)state;
	for (uint64_t i = 0; i < 100000; i++)
		throttle_failed(t, who(i, i << 32 | i), 1);
	for (unsigned i = 0; i < 5; i++)
		throttle_failed(t, who(THIEF, ANN), 2);
	assert_true(throttle_blocks(t, who(THIEF, BOB), 3));
	throttle_free(t);
}

static void a_right_login_is_remembered_for_five_minutes(void **state)
{
	struct login_memory *m = login_memory_new(&rng_system);
	const struct login_proof right = {SLICE("ann"), SLICE("$y$1"),
	    SLICE("secret")};
	const struct login_proof others[] = {
		{SLICE("ann"), SLICE("$y$1"), SLICE("Secret")},
		{SLICE("ann"), SLICE("$y$2"), SLICE("secret")},
		{SLICE("bob"), SLICE("$y$1"), SLICE("secret")},
		{SLICE("ann$"), SLICE("y$1"), SLICE("secret")},
	};

	(void)state;
	assert_false(login_memory_has(m, &right, 0));
	login_memory_put(m, &right, 0);
	assert_true(login_memory_has(m, &right, LOGIN_MEMORY_MS - 1));
	assert_false(login_memory_has(m, &right, LOGIN_MEMORY_MS));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(login_memory_has(m, &others[i], 1));
	login_memory_free(m);
}

static void an_hour_has_so_many_recipients(void **state)
{
	struct rate_table *r = rate_table_new(HOUR_MS);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(rate_table_take(r, ANN, 3, 1000 * i),
		    RATE_TAKEN);
	assert_int_equal(rate_table_take(r, ANN, 3, HOUR_MS - 1),
	    RATE_OVER_FIRST);
	assert_int_equal(rate_table_take(r, ANN, 3, HOUR_MS - 1),
	    RATE_OVER);
	assert_int_equal(rate_table_take(r, BOB, 3, HOUR_MS - 1),
	    RATE_TAKEN);
	assert_int_equal(rate_table_take(r, ANN, 3, HOUR_MS), RATE_TAKEN);
	assert_int_equal(rate_table_take(r, ANN, 0, HOUR_MS), RATE_TAKEN);
	assert_false(rate_table_is_over(r, ANN, 2, HOUR_MS));
	assert_false(rate_table_is_over(r, ANN, 2, HOUR_MS)); /* not counted */
	assert_int_equal(rate_table_take(r, ANN, 2, HOUR_MS), RATE_TAKEN);
	assert_true(rate_table_is_over(r, ANN, 2, 2 * HOUR_MS - 1));
	assert_false(rate_table_is_over(r, ANN, 2, 2 * HOUR_MS));
	rate_table_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_failures_block_a_client_for_a_minute),
		cmocka_unit_test(a_name_is_blocked_for_strangers_alone),
		cmocka_unit_test(a_flood_of_names_is_forgotten_and_not_stored),
		cmocka_unit_test(a_right_login_is_remembered_for_five_minutes),
		cmocka_unit_test(an_hour_has_so_many_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
