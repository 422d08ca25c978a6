/* SPDX-License-Identifier: ISC
 *
 * A sender domain that a leg slows: its mail waits there, and no other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/queue_fix.h"

/* Hashes of sender domains. */
enum { SLOW = 0x1001, OTHER = 0x2001, THIRD = 0x3001 };
enum { STEP_S = 10 }; /* the first of the fixture's: 10, 20, 40 */

static void put(struct fixture *f, uint64_t id, int leg, uint64_t sender)
{
	fix_put(f, id, leg, 100 + id);
	queue_sender(f->q, id, sender);
}

static bool was_started(const struct fixture *f, uint64_t id)
{
	for (unsigned i = 0; i < f->starts; i++)
		if (f->started[i].id == id)
			return true;
	return false;
}

/* As the worker says it: before the message's own state. */
static void slowed(struct fixture *f, uint64_t id, int leg, uint64_t sender)
{
	queue_leg_slow(f->q, leg, sender);
	fix_outcome(f, id, 0, D_DEFERRED);
	ledger_give(f->ledger, leg);
}

static void one_domain_waits_and_others_go_on(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref waits;

	put(f, 1, LEGACY, SLOW);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	slowed(f, 1, LEGACY, SLOW);
	put(f, 2, LEGACY, SLOW);
	put(f, 3, LEGACY, OTHER);
	put(f, 4, LEGACY, 0); /* of which nothing is known */
	put(f, 5, CLOUD, SLOW);
	fix_settle(f);
	assert_int_equal(f->starts, 4);
	assert_false(was_started(f, 2));
	waits = fix_row(f, 2, 0).item;
	assert_int_equal(waits.state, D_QUEUED);
	assert_int_equal(waits.attempts, 0);
	assert_int_equal(waits.due_us, f->clock.wall + STEP_S * SECOND);
	fix_later(f, STEP_S - 1);
	assert_int_equal(f->starts, 4);
	ledger_give(f->ledger, LEGACY);
	fix_later(f, 2);
	assert_int_equal(f->starts, 6);
	assert_int_equal(f->started[4].id, 1); /* the oldest first, as ever */
	assert_int_equal(f->started[5].id, 2);
}

static void what_is_ready_already_waits_too(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 1; id <= 3; id++)
		put(f, id, LEGACY, SLOW);
	fix_settle(f);
	assert_int_equal(f->starts, 3); /* all slots */
	for (uint64_t id = 4; id <= 99; id++)
		put(f, id, LEGACY, SLOW);
	put(f, 100, LEGACY, OTHER);
	fix_settle(f);
	slowed(f, 1, LEGACY, SLOW);
	fix_settle(f);
	assert_int_equal(f->starts, 4);
	assert_int_equal(f->started[3].id, 100);
	assert_int_equal(ledger_ready(f->ledger, LEGACY), 0);
	/* A free connection asks; so does what was handed back. */
	ledger_give(f->ledger, LEGACY);
	assert_int_equal(queue_pull(f->q, 0, LEGACY, 4), 0);
	queue_unclaim(f->q, 2, 0, false);
	fix_settle(f);
	assert_int_equal(f->starts, 4);
}

static int64_t wait_us(const struct fixture *f)
{
	return ledger_slowed(f->ledger, LEGACY, SLOW).until_us - f->clock.mono;
}

static void the_wait_grows_until_a_delivery(void **state)
{
	static const int64_t steps[] = {10, 20, 40, 40};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		queue_leg_slow(f->q, LEGACY, SLOW);
		assert_int_equal(wait_us(f), steps[i] * SECOND);
		/* The answer to what was under way already. */
		fix_later(f, steps[i] - 1);
		queue_leg_slow(f->q, LEGACY, SLOW);
		assert_int_equal(wait_us(f), SECOND);
		fix_later(f, 1);
	}
	queue_leg_slow_end(f->q, LEGACY, OTHER);
	queue_leg_slow(f->q, LEGACY, SLOW);
	assert_int_equal(wait_us(f), 40 * SECOND);
	queue_leg_slow_end(f->q, LEGACY, SLOW);
	assert_int_equal(ledger_slowed(f->ledger, LEGACY, SLOW).until_us, 0);
	queue_leg_slow(f->q, LEGACY, SLOW);
	assert_int_equal(wait_us(f), 10 * SECOND);
}

static void an_administrator_ends_the_wait(void **state)
{
	struct fixture *f = *state;

	queue_leg_slow(f->q, LEGACY, SLOW);
	put(f, 1, LEGACY, SLOW);
	fix_settle(f);
	queue_retry(f->q, 1, 0);
	fix_settle(f);
	assert_int_equal(f->starts, 0);
	queue_hurry(f->q, 1, CLOUD);
	queue_hurry(f->q, 77, LEGACY);
	queue_retry(f->q, 1, 0);
	fix_settle(f);
	assert_int_equal(f->starts, 0);
	queue_hurry(f->q, 1, LEGACY);
	queue_retry(f->q, 1, 0);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
}

static void lifetimes_go_on(void **state)
{
	struct fixture *f = *state;

	put(f, 1, LEGACY, SLOW);
	for (int s = 0; s <= 3600; s += 40) {
		assert_int_equal(f->starts, 0);
		queue_leg_slow(f->q, LEGACY, SLOW); /* again, at its end */
		fix_settle(f);
		clock_fake_step(&f->clock, 40 * SECOND);
	}
	queue_leg_slow(f->q, LEGACY, SLOW);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	assert_true(f->started[0].expired);
	assert_int_equal(fix_row(f, 1, 0).item.attempts, 0);
}

static void a_trial_is_not_of_such_a_domain(void **state)
{
	struct fixture *f = *state;

	queue_leg_suspend(f->q, LEGACY, true);
	queue_leg_slow(f->q, LEGACY, SLOW);
	queue_leg_shun(f->q, LEGACY, THIRD);
	put(f, 1, LEGACY, THIRD);
	put(f, 2, LEGACY, SLOW);
	put(f, 3, LEGACY, OTHER);
	queue_leg_trial(f->q, LEGACY);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	assert_int_equal(f->started[0].id, 3);
}

/* A domain without a place is tried sooner; the longest wait keeps its
 * place. */
static void a_flood_of_domains_has_an_end(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	for (int i = 0; i < 4; i++) {
		fix_later(f, 40);
		queue_leg_slow(f->q, LEGACY, SLOW); /* 40 s */
	}
	for (uint64_t sender = 1; sender < 200000; sender += 2) {
		if (sender == SLOW)
			continue;
		queue_leg_slow(f->q, LEGACY, sender);
		assert_int_not_equal(ledger_slowed(f->ledger, LEGACY,
		    sender).until_us, 0);
	}
	for (uint64_t sender = 1; sender < 200000; sender += 2)
		n += ledger_slowed(f->ledger, LEGACY, sender).until_us != 0;
	assert_in_range(n, 128, 1024);
	assert_int_equal(wait_us(f), 40 * SECOND);
	queue_leg_slow(f->q, LEGACY, 0);
	assert_int_equal(ledger_slowed(f->ledger, LEGACY, 0).until_us, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(one_domain_waits_and_others_go_on),
	    T(what_is_ready_already_waits_too),
	    T(the_wait_grows_until_a_delivery),
	    T(an_administrator_ends_the_wait),
	    T(lifetimes_go_on),
	    T(a_trial_is_not_of_such_a_domain),
	    T(a_flood_of_domains_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
