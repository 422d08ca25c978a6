/* SPDX-License-Identifier: ISC
 *
 * How long a leg was down, and what that is to lifetimes (D10). The
 * fixture's lifetime is an hour; a leg's absence adds 14 days at most.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/queue_fix.h"

#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

/* The newest of what was started is an attempt, or a lifetime's end. */
static bool ended(const struct fixture *f)
{
	assert_true(f->starts > 0);
	return f->started[f->starts - 1].expired;
}

static void wait_deferred(struct fixture *f, uint64_t id)
{
	fix_outcome(f, id, 0, D_DEFERRED);
	ledger_give(f->ledger, LEGACY);
}

static void suspended(struct fixture *f, int64_t s)
{
	queue_leg_suspend(f->q, LEGACY, true);
	fix_later(f, s);
	queue_leg_suspend(f->q, LEGACY, false);
	fix_settle(f);
}

static void suspended_time_does_not_count(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 1, LEGACY, 1);
	fix_settle(f);
	wait_deferred(f, 1);
	suspended(f, 5 * 86400);
	assert_int_equal(f->starts, 2);
	assert_false(ended(f));
	wait_deferred(f, 1);
	fix_later(f, 3590);
	assert_int_equal(f->starts, 3);
	assert_false(ended(f));
	wait_deferred(f, 1);
	fix_later(f, 3600);
	assert_true(ended(f));
}

static void only_so_much_of_it(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 1, LEGACY, 1);
	fix_settle(f);
	wait_deferred(f, 1);
	queue_leg_suspend(f->q, LEGACY, true);
	fix_later(f, 14 * 86400 + 3590);
	assert_int_equal(f->starts, 1);
	fix_later(f, 60); /* it is not let go: the sweep finds it */
	assert_int_equal(f->starts, 2);
	assert_true(ended(f));
}

static void of_another_leg_it_counts(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 1, CLOUD, 1);
	fix_settle(f);
	fix_outcome(f, 1, 0, D_DEFERRED);
	ledger_give(f->ledger, CLOUD);
	suspended(f, 7200);
	assert_true(ended(f));
}

static void unreachable_time_does_not_count(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 1, LEGACY, 1);
	fix_settle(f);
	wait_deferred(f, 1);
	for (int i = 0; i < 5; i++)
		queue_leg_result(f->q, LEGACY, false);
	assert_int_equal(queue_leg_breaker(f->q, LEGACY), BREAKER_OPEN);
	assert_int_equal(f->downs[LEGACY], 1);
	assert_true(queue_leg_down_since(f->q, LEGACY) == f->clock.wall);
	for (int i = 0; i < 100; i++) {
		fix_later(f, 3600);
		assert_false(ended(f));
		wait_deferred(f, 1);
		queue_leg_result(f->q, LEGACY, false);
	}
	assert_int_equal(f->downs[LEGACY], 1);
	queue_leg_result(f->q, LEGACY, true);
	assert_int_equal(f->downs[LEGACY], 2);
	assert_int_equal(queue_leg_down_since(f->q, LEGACY), 0);
	fix_later(f, 3500);
	assert_false(ended(f));
	wait_deferred(f, 1);
	fix_later(f, 200);
	assert_true(ended(f));
}

/* More times than are remembered: not a second of it is lost. */
static void a_leg_that_comes_and_goes_is_counted_in_full(void **state)
{
	struct fixture *f = *state;
	struct queue_span s[QUEUE_SPANS];
	int64_t sum = 0;
	unsigned n;

	fix_put(f, 1, LEGACY, 1);
	fix_settle(f);
	wait_deferred(f, 1);
	for (int i = 0; i < 200; i++) {
		suspended(f, 600);
		if (f->starts > 1 && queue_claimed(f->q, 1, 0))
			wait_deferred(f, 1);
		fix_later(f, 15);
	}
	n = queue_leg_downs(f->q, LEGACY, s);
	assert_in_range(n, 2, QUEUE_SPANS);
	for (unsigned i = 0; i < n; i++) {
		assert_true(s[i].counts_us <= s[i].to_us - s[i].from_us);
		assert_true(i == 0 || s[i].from_us >= s[i - 1].to_us);
		sum += s[i].counts_us;
	}
	assert_in_range(sum, 200 * 600 * SECOND, 200 * 601 * SECOND);
	assert_false(ended(f));
	fix_later(f, 700);
	assert_true(ended(f));
}

static bool is_same(const struct queue_span *a, const struct queue_span *b)
{
	return a->from_us == b->from_us && a->to_us == b->to_us &&
	       a->counts_us == b->counts_us;
}

/* An hour each and two hours between, but one second behind number `at`. */
static void fill_spans(struct queue_span was[QUEUE_SPANS], int at)
{
	for (int i = 0; i < QUEUE_SPANS; i++) {
		was[i].from_us = WALL - (QUEUE_SPANS - i) * 3 * HOUR;
		was[i].to_us = was[i].from_us + HOUR;
		was[i].counts_us = HOUR - i * SECOND;
	}
	was[at + 1].from_us = was[at].to_us + SECOND;
}

/* The time between the two counts as down: the less of it, the better. */
static void the_two_with_the_least_between_become_one(void **state)
{
	static const int at[] = {0, 5, QUEUE_SPANS - 2};
	struct fixture *f = *state;
	struct queue_span was[QUEUE_SPANS], s[QUEUE_SPANS];

	for (size_t k = 0; k < ARRAY_LEN(at); k++) {
		fill_spans(was, at[k]);
		queue_leg_suspend(f->q, LEGACY, false);
		queue_leg_downs_restore(f->q, LEGACY, was, QUEUE_SPANS);
		queue_leg_suspend(f->q, LEGACY, true);
		assert_int_equal(queue_leg_downs(f->q, LEGACY, s),
		    QUEUE_SPANS);
		was[at[k]].to_us = was[at[k] + 1].to_us;
		was[at[k]].counts_us += was[at[k] + 1].counts_us;
		for (int i = 0; i < QUEUE_SPANS - 1; i++)
			assert_true(is_same(&s[i],
			    &was[i <= at[k] ? i : i + 1]));
		assert_true(s[QUEUE_SPANS - 1].to_us == INT64_MAX);
	}
}

/* The fixture's lifetime and 14 days: nothing that lives is older. */
static void what_no_delivery_has_seen_is_forgotten(void **state)
{
	struct fixture *f = *state;
	const struct queue_span was[] = {
	    {WALL - 30 * DAY, WALL - 20 * DAY, 10 * DAY},
	    {WALL - 19 * DAY, WALL - 14 * DAY - 2 * HOUR, DAY},
	    {WALL - 14 * DAY - HOUR, WALL - 14 * DAY, HOUR},
	    {WALL - 3 * DAY, WALL - 2 * DAY, DAY}};
	struct queue_span s[QUEUE_SPANS];

	queue_leg_downs_restore(f->q, LEGACY, was, ARRAY_LEN(was));
	assert_int_equal(queue_leg_downs(f->q, LEGACY, s), 4);
	queue_leg_suspend(f->q, LEGACY, true);
	assert_int_equal(queue_leg_downs(f->q, LEGACY, s), 3);
	assert_true(is_same(&s[0], &was[2]));
	assert_true(is_same(&s[1], &was[3]));
	assert_true(s[2].to_us == INT64_MAX);
	queue_leg_suspend(f->q, LEGACY, false);
	queue_leg_downs_restore(f->q, LEGACY, was, 1);
	queue_leg_suspend(f->q, LEGACY, true);
	assert_int_equal(queue_leg_downs(f->q, LEGACY, s), 1);
	assert_true(s[0].to_us == INT64_MAX);
}

static void what_is_given_back_counts_as_before(void **state)
{
	struct fixture *f = *state;
	const struct queue_span was[] = {
	    {WALL - 10 * DAY, WALL - 6 * DAY, 2 * DAY},
	    {WALL - 2 * DAY, INT64_MAX, 0}};
	struct queue_span s[QUEUE_SPANS];
	struct delivery_ref i = fix_item(f, 0, LEGACY);

	queue_leg_downs_restore(f->q, LEGACY, was, 2);
	assert_true(queue_leg_down_since(f->q, LEGACY) == WALL - 2 * DAY);
	queue_leg_suspend(f->q, LEGACY, false);
	assert_int_equal(queue_leg_downs(f->q, LEGACY, s), 2);
	assert_true(is_same(&s[0], &was[0]));
	assert_in_range(s[1].to_us, WALL, WALL + SECOND);
	assert_true(s[1].counts_us == s[1].to_us - s[1].from_us);
	/* Half of the first, and the second: three days that do not count. */
	i.created_us = WALL - 8 * DAY;
	assert_true(queue_insert(f->q, &(struct queue_arrival){1, 1, &i,
	    .n = 1}));
	fix_settle(f);
	assert_true(ended(f));
	i.created_us = WALL - 2 * DAY - HOUR / 2;
	assert_true(queue_insert(f->q, &(struct queue_arrival){2, 1, &i,
	    .n = 1}));
	fix_settle(f);
	assert_int_equal(f->starts, 2);
	assert_false(ended(f));
}

static void what_lasts_goes_on_when_it_is_still_suspended(void **state)
{
	struct fixture *f = *state;
	const struct queue_span was = {WALL - 2 * DAY, INT64_MAX, 0};
	struct queue_span s[QUEUE_SPANS];

	queue_leg_downs_restore(f->q, LEGACY, &was, 1);
	queue_leg_suspend(f->q, LEGACY, true);
	assert_int_equal(queue_leg_downs(f->q, LEGACY, s), 1);
	assert_true(s[0].from_us == was.from_us && s[0].to_us == INT64_MAX);
	assert_int_equal(f->downs[LEGACY], 0);
}

#define T(t) cmocka_unit_test_setup_teardown(t, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(suspended_time_does_not_count),
		T(only_so_much_of_it),
		T(of_another_leg_it_counts),
		T(unreachable_time_does_not_count),
		T(a_leg_that_comes_and_goes_is_counted_in_full),
		T(the_two_with_the_least_between_become_one),
		T(what_no_delivery_has_seen_is_forgotten),
		T(what_is_given_back_counts_as_before),
		T(what_lasts_goes_on_when_it_is_still_suspended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
