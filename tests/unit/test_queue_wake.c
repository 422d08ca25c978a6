/* SPDX-License-Identifier: ISC
 *
 * The mail that a change of routes wakes, what `--wait` waits for, and what a
 * leg that cannot be reached does to its mail.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/queue/queue_people.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/queue_fix.h"

static void held(struct fixture *f, uint64_t id, uint64_t hash)
{
	struct delivery_ref i = fix_item(f, 0, LEGACY);

	i.hash = hash;
	i.state = D_HELD;
	assert_true(queue_insert(f->q, &(struct queue_arrival){id, 1, &i,
	    .n = 1}));
}

/* As the queue thread does after a resolve: the delivery may go. */
static void release(struct fixture *f, uint64_t id, uint64_t change)
{
	struct delivery_ref i = fix_row(f, id, 0).item;

	i.state = D_QUEUED;
	i.due_us = 0;
	queue_set(f->q, id, &i);
	queue_resolved(f->q, id, change);
}

/* ---- wake-ups ---------------------------------------------------------- */

static void a_change_wakes_those_it_concerns_and_nobody_else(void **state)
{
	struct fixture *f = *state;

	held(f, 1, 50);
	held(f, 2, 51);
	held(f, 3, 50);
	queue_wake(f->q, 50);
	queue_wake(f->q, 77);
	queue_applied(f->q, 2);
	fix_settle(f);
	assert_int_equal(f->resolves, 2);
	assert_int_equal(f->resolve[0], 1);
	assert_int_equal(f->resolve[1], 3);
	assert_int_equal(f->starts, 0);
	release(f, 1, 2);
	queue_resolved(f->q, 3, 2);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	assert_int_equal(f->started[0].id, 1);
	assert_int_equal(fix_row(f, 3, 0).item.change, 2);
	assert_int_equal(fix_row(f, 2, 0).item.change, 1);
	assert_int_equal(f->resolves, 2);
}

/* It leaves the list in which it was ready, and comes back with its route. */
static void a_ready_one_whose_route_is_in_doubt_goes_aside(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ledger_ready(f->ledger, LEGACY), 0);
	fix_put(f, 1, LEGACY, 50);
	assert_int_equal(ledger_ready(f->ledger, LEGACY), 1);
	queue_stale(f->q, 1);
	fix_settle(f);
	assert_int_equal(f->starts, 0);
	assert_int_equal(ledger_ready(f->ledger, LEGACY), 0);
	queue_resolved(f->q, 1, 2);
	assert_int_equal(ledger_ready(f->ledger, LEGACY), 1);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	assert_int_equal(ledger_ready(f->ledger, LEGACY), 0);
}

static void a_queue_that_expects_many_wakes_the_same(void **state)
{
	struct fixture *f = *state;

	struct delivery_ref over = {.state = D_DELIVERED, .hash = 3 << 16};

	queue_expect(f->q, 10000);
	for (uint64_t id = 1; id <= 900; id++) {
		held(f, id, id << 16);
		/* One that is over already is forgotten. */
		assert_true(queue_insert(f->q, &(struct queue_arrival){
		    id + 1000, 1, &over, 1, .force = true}));
	}
	queue_expect(f->q, 1000000); /* too late: nothing changes */
	queue_loaded(f->q);
	queue_loaded(f->q); /* nothing more */
	queue_wake(f->q, UINT64_C(899) << 16);
	queue_wake(f->q, UINT64_C(3) << 16);
	queue_applied(f->q, 2);
	fix_settle(f);
	assert_int_equal(f->resolves, 2);
	assert_int_equal(f->resolve[0], 899); /* in the order of the wake-ups */
	assert_int_equal(f->resolve[1], 3);
	queue_resolved(f->q, 3, 2);
	queue_resolved(f->q, 899, 2);
}

static void a_domain_row_wakes_all(void **state)
{
	struct fixture *f = *state;
	unsigned done = 0;

	for (uint64_t id = 1; id <= 300; id++)
		held(f, id, id);
	queue_wake_all(f->q);
	fix_settle(f);
	while (done < f->resolves) {
		assert_true(f->resolves - done <= 4); /* resolve_max */
		queue_resolved(f->q, f->resolve[done++], 2);
		fix_settle(f);
	}
	assert_int_equal(done, 300);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(f->resolve[i], i + 1);
}

static void nothing_of_a_message_starts_while_its_routes_are_asked(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 1, LEGACY, 50);
	queue_wake(f->q, 50);
	fix_settle(f);
	assert_int_equal(f->resolves, 1);
	assert_int_equal(f->starts, 0);
	fix_later(f, 5);
	assert_int_equal(f->starts, 0);
	queue_resolved(f->q, 1, 2);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
}

static void a_wake_up_waits_for_the_attempt_that_it_meets(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i[2] = {fix_item(f, 0, LEGACY),
	    fix_item(f, 1, CLOUD)};

	i[1].hash = i[0].hash;
	assert_true(queue_insert(f->q, &(struct queue_arrival){1, 1, i, 2,
	    .claimed = true}));
	queue_wake(f->q, i[0].hash);
	fix_settle(f);
	assert_int_equal(f->resolves, 0);
	fix_outcome(f, 1, 0, D_DEFERRED);
	fix_settle(f);
	assert_int_equal(f->resolves, 1);
	/* The other one comes back while the routes are asked. */
	fix_outcome(f, 1, 1, D_DEFERRED);
	fix_settle(f);
	assert_int_equal(f->resolves, 1);
	queue_resolved(f->q, 1, 2);
	fix_settle(f);
	assert_int_equal(f->resolves, 2);
	queue_resolved(f->q, 1, 2);
	fix_settle(f);
	assert_int_equal(f->resolves, 2);
}

static void a_wake_up_during_a_resolve_asks_once_more(void **state)
{
	struct fixture *f = *state;

	held(f, 1, 50);
	queue_wake(f->q, 50);
	fix_settle(f);
	queue_wake(f->q, 50);
	queue_wake(f->q, 50);
	queue_resolved(f->q, 1, 2);
	fix_settle(f);
	assert_int_equal(f->resolves, 2);
	queue_resolved(f->q, 1, 3);
	fix_settle(f);
	assert_int_equal(f->resolves, 2);
}

/* The question was put because of that change, and so no wake-up follows. */
static void an_answer_older_than_the_change_is_asked_for_again(void **state)
{
	struct fixture *f = *state;

	held(f, 1, 50);
	queue_reading(f->q, 5);
	queue_wake(f->q, 50);
	fix_settle(f);
	assert_int_equal(f->resolves, 1);
	queue_resolved(f->q, 1, 4);
	fix_settle(f);
	assert_int_equal(f->resolves, 2);
	release(f, 1, 5);
	fix_settle(f);
	assert_int_equal(f->resolves, 2);
	assert_int_equal(f->starts, 1);
}

static void mail_resolved_before_a_change_is_resolved_anew(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i = fix_item(f, 0, LEGACY);

	queue_applied(f->q, 5);
	i.change = 4;
	assert_true(queue_insert(f->q, &(struct queue_arrival){1, 1, &i,
	    .n = 1}));
	i.change = 5;
	assert_true(queue_insert(f->q, &(struct queue_arrival){2, 1, &i,
	    .n = 1}));
	i.change = 4;
	assert_true(queue_insert(f->q, &(struct queue_arrival){3, 1, &i, 1,
	    .claimed = true}));
	fix_settle(f);
	assert_int_equal(f->resolves, 1);
	assert_int_equal(f->resolve[0], 1);
	fix_outcome(f, 3, 0, D_DEFERRED);
	fix_settle(f);
	assert_int_equal(f->resolves, 2);
	assert_int_equal(f->resolve[1], 3);
}

static void what_cannot_be_resolved_is_tried_again_after_a_while(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 1, LEGACY, 50);
	queue_stale(f->q, 1);
	fix_settle(f);
	queue_resolved(f->q, 1, 0);
	fix_settle(f);
	assert_int_equal(f->resolves, 1);
	assert_int_equal(f->starts, 0);
	fix_later(f, 2);
	assert_int_equal(f->resolves, 2);
	queue_resolved(f->q, 1, 2);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
}

static void what_is_over_is_not_woken(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i[2] = {fix_item(f, 0, LEGACY),
	    fix_item(f, 1, CLOUD)};
	struct queue_counts c;

	i[0].state = D_DELIVERED;
	i[1].state = D_PARKED;
	assert_true(queue_insert(f->q, &(struct queue_arrival){1, 1, i, 2,
	    .force = true}));
	queue_wake(f->q, i[0].hash);
	fix_settle(f);
	assert_int_equal(f->resolves, 0);
	queue_wake(f->q, i[1].hash);
	fix_settle(f);
	assert_int_equal(f->resolves, 1);
	/* It ends while its routes are asked. */
	i[1].state = D_DELETED;
	queue_set(f->q, 1, &i[1]);
	queue_resolved(f->q, 1, 2);
	queue_count(f->q, &c);
	assert_int_equal(c.messages, 0);
	/* The place of that resolve is free again. */
	for (uint64_t id = 2; id < 10; id++)
		held(f, id, 60);
	queue_wake(f->q, 60);
	fix_settle(f);
	assert_int_equal(f->resolves, 5);
}

static void mail_for_one_recipient_is_released_oldest_first(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 1; id <= 4; id++)
		held(f, id, 50);
	queue_wake(f->q, 50);
	fix_settle(f);
	assert_int_equal(f->resolves, 4);
	/* The workers answer in another order. */
	release(f, 3, 2);
	release(f, 2, 2);
	fix_settle(f);
	assert_int_equal(f->starts, 0);
	release(f, 1, 2);
	fix_settle(f);
	assert_int_equal(f->starts, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(f->started[i].id, i + 1);
}

/* Of that recipient, among others that have none under way. */
static unsigned older_of(struct fixture *f, uint64_t hash, uint64_t change)
{
	struct queue_people people;
	unsigned n;

	queue_people_init(&people);
	queue_people_add(&people, 9000);
	queue_people_add(&people, 9001);
	assert_int_equal(queue_older_attempts(f->q, &people, change), 0);
	queue_people_add(&people, hash);
	n = queue_older_attempts(f->q, &people, change);
	queue_people_fini(&people);
	return n;
}

static void attempts_of_an_older_change_are_counted(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 1, LEGACY, 50);
	fix_put(f, 2, LEGACY, 51);
	fix_settle(f);
	assert_int_equal(older_of(f, 50, 1), 0);
	assert_int_equal(older_of(f, 50, 2), 1);
	assert_int_equal(older_of(f, 52, 2), 0);
	assert_int_equal(queue_older_attempts(f->q, NULL, 2), 2);
	queue_wake(f->q, 50);
	queue_applied(f->q, 2);
	fix_outcome(f, 1, 0, D_DEFERRED);
	assert_int_equal(older_of(f, 50, 2), 0);
	/* Begun after the change was applied: nothing to wait for. */
	fix_put(f, 3, LEGACY, 53);
	fix_settle(f);
	queue_resolved(f->q, 1, 2);
	queue_resolved(f->q, 3, 2);
	fix_settle(f);
	assert_true(queue_claimed(f->q, 3, 0));
	assert_int_equal(older_of(f, 53, 2), 0);
	assert_int_equal(queue_older_attempts(f->q, NULL, 2), 1);
}

static void an_attempt_begun_after_a_change_is_not_older(void **state)
{
	struct fixture *f = *state;

	ledger_gate(f->ledger, LEGACY, GATE_STOP, true);
	fix_put(f, 1, LEGACY, 50);
	fix_settle(f);
	queue_wake(f->q, 51); /* another recipient's */
	queue_applied(f->q, 2);
	ledger_gate(f->ledger, LEGACY, GATE_STOP, false);
	fix_settle(f);
	assert_true(queue_claimed(f->q, 1, 0));
	assert_int_equal(older_of(f, 50, 2), 0);
	assert_int_equal(older_of(f, 50, 3), 1);
}

/* A domain's row is walked in slices, and what is ready starts in between:
 * its routes are still those of the change before. */
static void what_the_walk_has_not_reached_is_not_of_the_new_change(
    void **state)
{
	struct fixture *f = *state;

	ledger_gate(f->ledger, LEGACY, GATE_STOP, true);
	fix_put(f, 1, LEGACY, 50);
	fix_put(f, 2, LEGACY, 51);
	fix_settle(f);
	queue_reading(f->q, 2);
	queue_wake_all(f->q);
	queue_applied(f->q, 2);
	assert_true(queue_claim(f->q, 1, 0));
	assert_int_equal(fix_row(f, 1, 0).item.change, 1);
	fix_settle(f);
	/* Woken, and not yet resolved. */
	assert_true(queue_claim(f->q, 2, 0));
	assert_int_equal(fix_row(f, 2, 0).item.change, 1);
}

/* ---- the breaker ------------------------------------------------------- */

/* Starts what is ready and lets it fail, `n` times. */
static void fail_reaching(struct fixture *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned s = f->starts - 1;

		queue_leg_result(f->q, CLOUD, false);
		fix_outcome(f, f->started[s].id, 0, D_DEFERRED);
		ledger_give(f->ledger, CLOUD);
		fix_settle(f);
		if (i + 1 < n && f->starts == s + 1)
			fix_later(f, 41);
	}
}

static void a_leg_that_cannot_be_reached_is_left_alone(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 1, CLOUD, 1);
	fix_put(f, 2, LEGACY, 2);
	fix_settle(f);
	f->started[0] = f->started[f->started[0].leg == CLOUD ? 0 : 1];
	f->starts = 1;
	fail_reaching(f, 4);
	assert_int_equal(queue_leg_breaker(f->q, CLOUD), BREAKER_CLOSED);
	fix_later(f, 41);
	fail_reaching(f, 1);
	assert_int_equal(queue_leg_breaker(f->q, CLOUD), BREAKER_OPEN);
	assert_int_equal(ledger_gates(f->ledger, CLOUD), GATE_BREAKER);
	assert_int_equal(ledger_gates(f->ledger, LEGACY), 0);
	f->starts = 0;
	fix_put(f, 3, CLOUD, 3);
	fix_put(f, 4, CLOUD, 4);
	fix_settle(f);
	assert_int_equal(f->starts, 0);
	assert_int_equal(queue_pull(f->q, 0, CLOUD, 4), 0);
}

static void open_breaker(struct fixture *f)
{
	for (int i = 0; i < 5; i++)
		queue_leg_result(f->q, CLOUD, false);
	assert_int_equal(queue_leg_breaker(f->q, CLOUD), BREAKER_OPEN);
}

static void one_delivery_scouts_and_success_lets_all_go(void **state)
{
	struct fixture *f = *state;

	open_breaker(f);
	for (uint64_t id = 1; id <= 3; id++)
		fix_put(f, id, CLOUD, id);
	fix_later(f, 9);
	assert_int_equal(f->starts, 0);
	fix_later(f, 2);
	assert_int_equal(f->starts, 1);
	assert_int_equal(queue_leg_breaker(f->q, CLOUD), BREAKER_HALF_OPEN);
	fix_later(f, 60);
	assert_int_equal(f->starts, 1);
	queue_leg_result(f->q, CLOUD, true);
	fix_outcome(f, 1, 0, D_DELIVERED);
	assert_int_equal(queue_leg_breaker(f->q, CLOUD), BREAKER_CLOSED);
	assert_int_equal(ledger_gates(f->ledger, CLOUD), 0);
	ledger_give(f->ledger, CLOUD);
	fix_settle(f);
	assert_int_equal(f->starts, 3);
}

static void a_scout_that_fails_or_is_not_made_is_followed_by_another(
    void **state)
{
	struct fixture *f = *state;

	open_breaker(f);
	fix_put(f, 1, CLOUD, 1);
	fix_later(f, 11);
	assert_int_equal(f->starts, 1);
	queue_leg_result(f->q, CLOUD, false);
	fix_outcome(f, 1, 0, D_DEFERRED);
	ledger_give(f->ledger, CLOUD);
	assert_int_equal(queue_leg_breaker(f->q, CLOUD), BREAKER_OPEN);
	fix_later(f, 9);
	assert_int_equal(f->starts, 1);
	fix_later(f, 2);
	assert_int_equal(f->starts, 2);
	queue_unclaim(f->q, 1, 0, false);
	ledger_give(f->ledger, CLOUD);
	assert_int_equal(queue_leg_breaker(f->q, CLOUD), BREAKER_OPEN);
	fix_settle(f);
	assert_int_equal(f->starts, 2);
	fix_later(f, 2);
	assert_int_equal(f->starts, 3);
}

static void a_suspended_leg_takes_nothing_not_even_a_scout(void **state)
{
	struct fixture *f = *state;

	open_breaker(f);
	queue_leg_suspend(f->q, CLOUD, true);
	fix_put(f, 1, CLOUD, 1);
	fix_later(f, 100);
	assert_int_equal(f->starts, 0);
	assert_true(fix_settle(f) >= 1000);
	queue_leg_suspend(f->q, CLOUD, false);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
}

/* All its connections are taken, maybe by workers that keep them idle: these
 * are asked, and one that has nothing to do gets the trial. */
static void a_trial_without_a_connection_asks_for_one(void **state)
{
	struct fixture *f = *state;
	int taken = 0;

	queue_leg_suspend(f->q, CLOUD, true);
	while (ledger_take_trial(f->ledger, CLOUD))
		taken++;
	fix_put(f, 1, CLOUD, 1);
	fix_settle(f);
	assert_int_equal(f->wants[CLOUD], 0);
	queue_leg_trial(f->q, CLOUD);
	fix_settle(f);
	assert_int_equal(f->starts, 0);
	assert_int_equal(f->wants[CLOUD], 1);
	assert_int_equal(queue_pull(f->q, 0, CLOUD, 1), 1);
	assert_int_equal(f->starts, 1);
	while (taken-- > 0)
		ledger_give(f->ledger, CLOUD);
}

static void time_without_the_leg_counts_against_no_lifetime(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 1, CLOUD, 1);
	queue_leg_suspend(f->q, CLOUD, true);
	fix_later(f, 3 * 3600);
	queue_leg_suspend(f->q, CLOUD, false);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	assert_false(f->started[0].expired);
	fix_outcome(f, 1, 0, D_DEFERRED);
	ledger_give(f->ledger, CLOUD);
	fix_later(f, 3601);
	assert_int_equal(f->starts, 2);
	assert_true(f->started[1].expired);
}

static void a_fault_before_the_mail_came_is_not_counted(void **state)
{
	struct fixture *f = *state;

	queue_leg_suspend(f->q, CLOUD, true);
	fix_later(f, 3 * 3600);
	queue_leg_suspend(f->q, CLOUD, false);
	fix_put(f, 1, CLOUD, 1);
	fix_settle(f);
	fix_outcome(f, 1, 0, D_DEFERRED);
	ledger_give(f->ledger, CLOUD);
	fix_later(f, 3601);
	assert_int_equal(f->starts, 2);
	assert_true(f->started[1].expired);
}

static void after_two_weeks_it_counts_though_the_leg_is_down(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 1, CLOUD, 1);
	queue_leg_suspend(f->q, CLOUD, true);
	fix_later(f, 14 * 86400);
	assert_int_equal(f->starts, 0);
	fix_later(f, 3601);
	fix_later(f, 2);
	assert_int_equal(f->starts, 1);
	assert_true(f->started[0].expired);
	assert_false(f->started[0].slot);
}

/* ---- the ledger -------------------------------------------------------- */

static void *take_and_give(void *arg)
{
	struct fixture *f = arg;
	long most = 0;

	for (int i = 0; i < 100000; i++) {
		if (!ledger_take(f->ledger, LEGACY))
			continue;
		if (ledger_used(f->ledger, LEGACY) > most)
			most = ledger_used(f->ledger, LEGACY);
		ledger_give(f->ledger, LEGACY);
	}
	return (void *)most;
}

static void threads_together_never_take_more_than_the_limit(void **state)
{
	struct fixture *f = *state;
	pthread_t t[4];
	void *most;

	for (unsigned i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, take_and_give, f),
		    0);
	for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
		pthread_join(t[i], &most);
		assert_in_range((long)most, 1, 3);
	}
	assert_int_equal(ledger_used(f->ledger, LEGACY), 0);
}

static void a_leg_that_leaves_the_configuration_has_no_slots(void **state)
{
	struct fixture *f = *state;
	struct conf *c = conf_tmp_good(f->dir, CONF_BASE, f->names);

	assert_true(ledger_take(f->ledger, CLOUD));
	ledger_configure(f->ledger, c);
	conf_unref(c);
	assert_int_equal(ledger_limit(f->ledger, CLOUD), 0);
	assert_int_equal(ledger_limit(f->ledger, LEGACY), 20);
	ledger_give(f->ledger, CLOUD);
	assert_false(ledger_take(f->ledger, CLOUD));
	assert_false(ledger_wanted(f->ledger, CLOUD));
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, fix_setup, fix_teardown)
	const struct CMUnitTest tests[] = {
		T(a_change_wakes_those_it_concerns_and_nobody_else),
		T(a_ready_one_whose_route_is_in_doubt_goes_aside),
	    T(a_queue_that_expects_many_wakes_the_same),
		T(a_domain_row_wakes_all),
		T(nothing_of_a_message_starts_while_its_routes_are_asked),
		T(a_wake_up_waits_for_the_attempt_that_it_meets),
		T(a_wake_up_during_a_resolve_asks_once_more),
		T(an_answer_older_than_the_change_is_asked_for_again),
		T(mail_resolved_before_a_change_is_resolved_anew),
		T(what_cannot_be_resolved_is_tried_again_after_a_while),
		T(what_is_over_is_not_woken),
		T(mail_for_one_recipient_is_released_oldest_first),
		T(attempts_of_an_older_change_are_counted),
	    T(an_attempt_begun_after_a_change_is_not_older),
		T(what_the_walk_has_not_reached_is_not_of_the_new_change),
		T(a_leg_that_cannot_be_reached_is_left_alone),
		T(one_delivery_scouts_and_success_lets_all_go),
		T(a_scout_that_fails_or_is_not_made_is_followed_by_another),
		T(a_suspended_leg_takes_nothing_not_even_a_scout),
		T(a_trial_without_a_connection_asks_for_one),
		T(time_without_the_leg_counts_against_no_lifetime),
		T(a_fault_before_the_mail_came_is_not_counted),
		T(after_two_weeks_it_counts_though_the_leg_is_down),
		T(threads_together_never_take_more_than_the_limit),
		T(a_leg_that_leaves_the_configuration_has_no_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
