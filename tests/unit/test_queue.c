/* SPDX-License-Identifier: ISC
 *
 * The queue under a clock that the test owns: when what is started, what a
 * change wakes, what a leg that is down does to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/conf_tmp.h"
#include "tests/unit/queue_fix.h"

/* ---- starting ---------------------------------------------------------- */

static void what_is_queued_starts_at_once_and_oldest_first(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 7, LEGACY, 1);
	fix_put(f, 5, LEGACY, 2);
	fix_put(f, 6, LEGACY, 3);
	fix_settle(f);
	assert_int_equal(f->starts, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(f->started[i].id, 5 + i);
		assert_true(f->started[i].slot);
		assert_int_equal(f->started[i].worker, -1);
		assert_false(f->started[i].expired);
	}
	assert_true(queue_claimed(f->q, 5, 0));
	assert_int_equal(ledger_used(f->ledger, LEGACY), 3);
}

static void no_more_starts_than_there_are_slots(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 1; id <= 5; id++)
		fix_put(f, id, CLOUD, id);
	fix_put(f, 9, LEGACY, 9);
	assert_int_equal(fix_settle(f), 100);
	assert_int_equal(f->starts, 3); /* two and the other leg's one */
	assert_int_equal(f->wants[CLOUD], 1);
	assert_int_equal(f->wants[LEGACY], 0);
	assert_int_equal(ledger_ready(f->ledger, CLOUD), 3);
	assert_true(ledger_wanted(f->ledger, CLOUD));
	fix_settle(f);
	assert_int_equal(f->wants[CLOUD], 1); /* not said over and over */
	fix_outcome(f, 1, 0, D_DELIVERED);
	ledger_give(f->ledger, CLOUD);
	assert_false(ledger_wanted(f->ledger, CLOUD));
	fix_settle(f);
	assert_int_equal(f->starts, 4);
	assert_int_equal(f->started[3].id, 3);
}

static void a_leg_gets_its_part_of_the_memory_and_leaves_the_rest(void **state)
{
	struct fixture *f = *state;

	assert_true(ledger_memory_take(f->ledger, CLOUD, 60, 100));
	assert_false(ledger_memory_take(f->ledger, CLOUD, 41, 100));
	assert_true(ledger_memory_take(f->ledger, LEGACY, 100, 100));
	assert_true(ledger_memory_take(f->ledger, CLOUD, 40, 100));
	ledger_memory_give(f->ledger, CLOUD, 60);
	assert_true(ledger_memory_take(f->ledger, CLOUD, 60, 100));
}

static void deliveries_of_one_message_go_together(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i[5];

	for (uint32_t n = 0; n < 5; n++)
		i[n] = fix_item(f, n, n == 1 ? CLOUD : LEGACY);
	i[3].role = ROLE_COPY;
	i[4].state = D_HELD;
	assert_true(queue_insert(f->q, &(struct queue_arrival){8, 1, i,
	    .n = 5}));
	fix_settle(f);
	assert_int_equal(f->starts, 3);
	for (unsigned s = 0; s < 3; s++) {
		const struct started *x = &f->started[s];

		assert_int_equal(x->n, x->role == ROLE_PRIMARY &&
			x->leg == LEGACY ? 2 : 1);
		if (x->n == 2)
			assert_int_equal(x->number[0] + x->number[1], 2);
	}
	assert_false(queue_claimed(f->q, 8, 4));
}

/* Of one recipient at one leg: in hand or waiting for its time. */
static void open_deliveries_of_a_recipient_are_counted(void **state)
{
	struct fixture *f = *state;

	ledger_gate(f->ledger, LEGACY, GATE_STOP, true);
	for (uint64_t id = 1; id <= 3; id++)
		fix_put(f, id, LEGACY, 77);
	fix_put(f, 4, CLOUD, 77);
	fix_put(f, 5, LEGACY, 78);
	assert_true(queue_claim(f->q, 2, 0));
	assert_int_equal(queue_open_at(f->q, 77, LEGACY), 3);
	assert_int_equal(queue_open_at(f->q, 77, CLOUD), 1);
	assert_int_equal(queue_open_at(f->q, 78, LEGACY), 1);
	assert_int_equal(queue_open_at(f->q, 78, CLOUD), 0);
	assert_int_equal(queue_open_at(f->q, 79, LEGACY), 0);
	queue_unclaim(f->q, 2, 0, false);
}

static void a_worker_with_a_free_connection_pulls(void **state)
{
	struct fixture *f = *state;

	ledger_gate(f->ledger, LEGACY, GATE_STOP, true);
	for (uint64_t id = 1; id <= 3; id++)
		fix_put(f, id, LEGACY, id);
	fix_settle(f);
	assert_int_equal(queue_pull(f->q, 2, LEGACY, 4), 0);
	ledger_gate(f->ledger, LEGACY, GATE_STOP, false);
	assert_int_equal(queue_pull(f->q, 2, LEGACY, 2), 2);
	assert_int_equal(f->starts, 2);
	assert_int_equal(f->started[1].worker, 2);
	assert_int_equal(f->started[1].id, 2);
	assert_false(f->started[1].slot);
	assert_int_equal(ledger_used(f->ledger, LEGACY), 0);
	assert_int_equal(queue_pull(f->q, 2, CLOUD, 2), 0);
}

static void what_a_worker_has_in_hand_is_not_started(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i = fix_item(f, 0, LEGACY);

	assert_true(queue_insert(f->q, &(struct queue_arrival){3, 1, &i, 1,
	    .claimed = true}));
	fix_settle(f);
	assert_int_equal(f->starts, 0);
	assert_true(fix_row(f, 3, 0).claimed);
	queue_unclaim(f->q, 3, 0, false);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	queue_unclaim(f->q, 3, 0, true);
	ledger_give(f->ledger, LEGACY);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	fix_later(f, 11);
	assert_int_equal(f->starts, 2);
	queue_unclaim(f->q, 99, 0, true); /* unknown */
}

/* ---- retries ----------------------------------------------------------- */

static void retries_follow_the_steps_and_the_last_repeats(void **state)
{
	static const int waits[] = {10, 20, 40, 40, 40};
	struct fixture *f = *state;

	fix_put(f, 1, LEGACY, 1);
	fix_settle(f);
	for (unsigned i = 0; i < ARRAY_LEN(waits); i++) {
		assert_int_equal(f->starts, i + 1);
		fix_outcome(f, 1, 0, D_DEFERRED);
		ledger_give(f->ledger, LEGACY);
		fix_later(f, waits[i] - 1);
		assert_int_equal(f->starts, i + 1);
		fix_later(f, 2);
	}
	assert_int_equal(fix_row(f, 1, 0).item.attempts, 5);
}

static void jitter_spreads_and_stays_in_its_bounds(void **state)
{
	struct fixture *f = *state;
	struct conf *c = conf_tmp_good(f->dir, CONF_BASE
	    "retry { steps = { \"100s\", \"200s\" } jitter = 20 }\n", f->names);
	int64_t least = INT64_MAX, most = 0;

	queue_configure(f->q, c);
	conf_unref(c);
	for (int i = 0; i < 1000; i++) {
		int64_t w = queue_next_due(f->q, 7, 0);

		least = w < least ? w : least;
		most = w > most ? w : most;
	}
	assert_in_range(least, 160 * SECOND, 164 * SECOND);
	assert_in_range(most, 236 * SECOND, 240 * SECOND);
}

/* The first step before any attempt as after the first, the last for ever. */
static void each_attempt_has_its_step(void **state)
{
	static const int64_t want_s[] = {100, 100, 200, 300, 300};
	struct fixture *f = *state;
	struct conf *c = conf_tmp_good(f->dir, CONF_BASE
	    "retry { steps = { \"100s\", \"200s\", \"300s\" } jitter = 0 }\n",
	    f->names);

	queue_configure(f->q, c);
	conf_unref(c);
	for (unsigned i = 0; i < ARRAY_LEN(want_s); i++)
		assert_int_equal(queue_next_due(f->q, i, 7),
		    want_s[i] * SECOND + 7);
	assert_int_equal(queue_next_due(f->q, 1000, 0), 300 * SECOND);
}

/* Its result is by the routes of that change, and of no later one. */
static void a_job_is_of_the_oldest_change_of_its_deliveries(void **state)
{
	static const uint64_t change[] = {7, 5, 9};
	struct fixture *f = *state;
	struct delivery_ref i[ARRAY_LEN(change)];

	for (unsigned k = 0; k < ARRAY_LEN(change); k++) {
		i[k] = fix_item(f, k, LEGACY);
		i[k].change = change[k];
	}
	assert_true(queue_insert(f->q, &(struct queue_arrival){1, 1, i,
	    .n = ARRAY_LEN(change)}));
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	assert_int_equal(f->started[0].n, ARRAY_LEN(change));
	assert_int_equal(f->started[0].change, 5);
}

/* One dialog is with one server, and what it says of a copy is no news. */
static void a_job_is_of_one_leg_and_one_role(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i[] = {fix_item(f, 0, LEGACY),
	    fix_item(f, 1, CLOUD), fix_item(f, 2, LEGACY),
	    fix_item(f, 3, LEGACY)};

	i[2].role = ROLE_COPY;
	assert_true(queue_insert(f->q, &(struct queue_arrival){1, 1, i,
	    .n = ARRAY_LEN(i)}));
	fix_settle(f);
	assert_int_equal(f->starts, 3);
	for (unsigned k = 0; k < f->starts; k++) {
		const struct started *s = &f->started[k];
		bool both = s->leg == LEGACY && s->role == ROLE_PRIMARY;

		assert_int_equal(s->n, both ? 2 : 1);
		assert_int_equal(s->number[0], both ? 0 :
		    s->leg == CLOUD ? 1 : 2);
		assert_true(!both || s->number[1] == 3);
	}
}

static void a_lifetime_ends_without_an_attempt(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i = fix_item(f, 0, LEGACY);

	i.created_us -= 3599 * SECOND;
	assert_true(queue_insert(f->q, &(struct queue_arrival){1, 1, &i,
	    .n = 1}));
	fix_settle(f);
	assert_false(f->started[0].expired);
	fix_outcome(f, 1, 0, D_DEFERRED);
	ledger_give(f->ledger, LEGACY);
	fix_later(f, 11);
	assert_int_equal(f->starts, 2);
	assert_true(f->started[1].expired);
	assert_false(f->started[1].slot);
	assert_int_equal(ledger_used(f->ledger, LEGACY), 0);
}

static void only_what_is_too_old_of_a_message_ends(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i[2] = {fix_item(f, 0, LEGACY),
	    fix_item(f, 1, LEGACY)};

	i[1].created_us -= 3601 * SECOND;
	assert_true(queue_insert(f->q, &(struct queue_arrival){1, 1, i,
	    .n = 2}));
	fix_settle(f);
	assert_int_equal(f->starts, 2);
	for (unsigned s = 0; s < 2; s++) {
		assert_int_equal(f->started[s].n, 1);
		assert_int_equal(f->started[s].number[0],
		    f->started[s].expired);
	}
}

static void mail_of_a_leg_that_bounces_nothing_has_no_end(void **state)
{
	struct fixture *f = *state;
	struct conf *c = conf_tmp_good(f->dir,
	    "hostname = \"r.example\"\n"
	    "leg \"legacy\" { hosts = \"a.example\" soft_bounce = true }\n"
	    "domain \"example.com\" { }\n", f->names);
	struct delivery_ref i = fix_item(f, 0, LEGACY);

	queue_configure(f->q, c);
	conf_unref(c);
	i.created_us -= 400 * 86400 * SECOND;
	assert_true(queue_insert(f->q, &(struct queue_arrival){1, 1, &i,
	    .n = 1}));
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	assert_false(f->started[0].expired);
}

static void a_clock_that_is_set_ends_no_lifetime_and_no_wait(void **state)
{
	struct fixture *f = *state;
	int64_t due;

	fix_put(f, 1, LEGACY, 1);
	fix_settle(f);
	fix_outcome(f, 1, 0, D_DEFERRED);
	ledger_give(f->ledger, LEGACY);
	due = fix_row(f, 1, 0).item.due_us;
	f->clock.wall += 10 * 365 * 86400 * SECOND;
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	assert_true(fix_row(f, 1, 0).item.due_us >
		    due + 9 * 365 * 86400 * SECOND);
	f->clock.wall -= 20 * 365 * 86400 * SECOND;
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	fix_later(f, 11);
	assert_int_equal(f->starts, 2);
	assert_false(f->started[1].expired);
}

static void an_administrator_makes_it_due_now(void **state)
{
	struct fixture *f = *state;

	fix_put(f, 1, LEGACY, 1);
	fix_settle(f);
	queue_retry(f->q, 1, 0); /* in a worker's hand: nothing */
	fix_outcome(f, 1, 0, D_DEFERRED);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	queue_retry(f->q, 1, 0);
	fix_settle(f);
	assert_int_equal(f->starts, 2);
}

/* A decision about what waits for no time did not come about: since when it
 * is held, frozen or parked stands in its due time. */
static void a_claim_that_ends_leaves_such_times_alone(void **state)
{
	static const enum dstate states[] = {D_HELD, D_FROZEN, D_PARKED};
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_LEN(states); i++) {
		struct delivery_ref item = fix_item(f, 0, LEGACY);
		uint64_t id = 1 + i;

		item.state = (uint8_t)states[i];
		item.due_us = WALL - 7 * SECOND;
		queue_insert(f->q, &(struct queue_arrival){id, 1, &item,
		    .n = 1});
		assert_true(queue_claim(f->q, id, 0));
		queue_unclaim(f->q, id, 0, true);
		assert_int_equal(fix_row(f, id, 0).item.due_us, item.due_us);
	}
}

static void stamps_come_back_as_they_were_given(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i = {.number = 4194303, .rcpt = 1048575, .leg = 255,
	    .role = ROLE_COPY, .state = D_PARKED, .uncertain = UNC_YES,
	    .reason = 63, .flags = 63, .attempts = 32767, .hash = UINT64_MAX,
	    .change = (UINT64_C(1) << 40) - 1, .domain = PERMIT_DOMAIN_MASK,
	    .created_us = WALL - 86400 * SECOND + 7,
	    .due_us = WALL + 86400 * SECOND + 3};
	struct queue_row r;

	assert_true(queue_insert(f->q, &(struct queue_arrival){UINT64_MAX,
	    (UINT64_C(1) << 40) - 1, &i, .n = 1}));
	r = fix_row(f, UINT64_MAX, i.number);
	assert_int_equal(r.item.number, i.number);
	assert_int_equal(r.item.rcpt, i.rcpt);
	assert_int_equal(r.item.leg, i.leg);
	assert_int_equal(r.item.role, i.role);
	assert_int_equal(r.item.state, i.state);
	assert_int_equal(r.item.uncertain, i.uncertain);
	assert_int_equal(r.item.reason, i.reason);
	assert_int_equal(r.item.flags, i.flags);
	assert_int_equal(r.item.attempts, i.attempts);
	assert_true(r.item.hash == i.hash && r.item.change == i.change);
	assert_int_equal(r.item.domain, i.domain);
	assert_int_equal(r.item.created_us, i.created_us);
	assert_int_equal(r.item.due_us, i.due_us);
	assert_int_equal(r.size, (UINT64_C(1) << 40) - 1);
}

/* ---- the end of messages ----------------------------------------------- */

static void a_message_is_forgotten_when_all_of_it_is_over(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i[2] = {fix_item(f, 0, LEGACY),
	    fix_item(f, 1, CLOUD)};
	struct queue_counts c;
	struct queue_row r[4];

	assert_true(queue_insert(f->q, &(struct queue_arrival){1, 1, i,
	    .n = 2}));
	fix_settle(f);
	fix_outcome(f, 1, 0, D_DELIVERED);
	assert_int_equal(queue_message(f->q, 1, r, 4), 2);
	assert_int_equal(r[0].item.state, D_DELIVERED);
	fix_outcome(f, 1, 1, D_PARKED);
	assert_int_equal(queue_message(f->q, 1, r, 4), 2);
	queue_count(f->q, &c);
	assert_int_equal(c.messages, 1);
	assert_int_equal(c.leg[CLOUD].state[D_PARKED], 1);
	assert_int_equal(c.leg[CLOUD].claimed, 0);
	fix_outcome(f, 1, 1, D_DELETED);
	assert_int_equal(queue_message(f->q, 1, r, 4), 0);
	queue_count(f->q, &c);
	assert_int_equal(c.messages + c.deliveries, 0);
	for (int s = 0; s < D_STATES; s++)
		assert_int_equal(c.leg[LEGACY].state[s] +
				     c.leg[CLOUD].state[s], 0);
	queue_set(f->q, 1, &i[0]); /* gone by now */
	assert_int_equal(queue_message(f->q, 1, r, 4), 0);
}

static void a_full_queue_says_no_but_keeps_what_is_accepted(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i = fix_item(f, 0, LEGACY);

	for (uint64_t id = 1; id <= 1000; id++) {
		assert_false(queue_full(f->q));
		fix_put(f, id, LEGACY, id);
	}
	assert_true(queue_full(f->q));
	assert_false(queue_insert(f->q, &(struct queue_arrival){2000, 1, &i,
	    .n = 1}));
	assert_true(queue_insert(f->q, &(struct queue_arrival){2000, 1, &i, 1,
	    .force = true}));
	fix_settle(f);
	fix_outcome(f, 1, 0, D_DELIVERED);
	fix_outcome(f, 2, 0, D_BOUNCED);
	assert_false(queue_full(f->q));
}

static void the_walk_shows_every_message_once_in_order(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i[3] = {fix_item(f, 0, LEGACY),
	    fix_item(f, 1, LEGACY),
	    fix_item(f, 2, CLOUD)};
	struct queue_row r[7];
	struct queue_at at = {0, 0};
	uint64_t seen = 0;
	unsigned n;

	for (uint64_t id = 1; id <= 100; id++)
		assert_true(queue_insert(f->q, &(struct queue_arrival){
		    id * 37 % 101, 1, i, .n = 3}));
	while ((n = queue_walk(f->q, &at, r, 7)) != 0)
		for (unsigned k = 0; k < n; k++, seen++) {
			assert_int_equal(r[k].id, seen / 3 + 1);
			assert_int_equal(r[k].item.number, seen % 3);
		}
	assert_int_equal(seen, 300);
	at = (struct queue_at){50, 2};
	assert_int_equal(queue_walk(f->q, &at, r, 2), 2);
	assert_true(r[0].id == 50 && r[0].item.number == 2);
	assert_true(r[1].id == 51 && r[1].item.number == 0);
	at = (struct queue_at){1000, 0};
	assert_int_equal(queue_walk(f->q, &at, r, 2), 0);
}

static void the_oldest_that_waits_is_found_in_slices(void **state)
{
	struct fixture *f = *state;
	uint64_t oldest[NAMES_MAX] = {0};
	struct queue_at at = {0, 0};
	struct delivery_ref held = fix_item(f, 0, CLOUD);
	int turns = 1;

	ledger_gate(f->ledger, LEGACY, GATE_SUSPENDED, true);
	ledger_gate(f->ledger, CLOUD, GATE_SUSPENDED, true);
	held.state = D_HELD;
	assert_true(queue_insert(f->q, &(struct queue_arrival){5, 1, &held,
	    .n = 1}));
	for (uint64_t id = 10; id < 100; id++)
		fix_put(f, id, LEGACY, id);
	fix_put(f, 100, CLOUD, 100);
	fix_put(f, 101, CLOUD, 101);
	while (queue_oldest(f->q, &at, oldest, 20))
		turns++;
	assert_int_equal(oldest[LEGACY], 10);
	assert_int_equal(oldest[CLOUD], 100);
	assert_int_equal(turns, 5);
}

#define T(t) cmocka_unit_test_setup_teardown(t, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_queued_starts_at_once_and_oldest_first),
		T(no_more_starts_than_there_are_slots),
		T(a_leg_gets_its_part_of_the_memory_and_leaves_the_rest),
		T(deliveries_of_one_message_go_together),
		T(open_deliveries_of_a_recipient_are_counted),
		T(a_worker_with_a_free_connection_pulls),
		T(what_a_worker_has_in_hand_is_not_started),
		T(retries_follow_the_steps_and_the_last_repeats),
		T(jitter_spreads_and_stays_in_its_bounds),
		T(each_attempt_has_its_step),
		T(a_job_is_of_the_oldest_change_of_its_deliveries),
		T(a_job_is_of_one_leg_and_one_role),
		T(a_lifetime_ends_without_an_attempt),
		T(only_what_is_too_old_of_a_message_ends),
		T(mail_of_a_leg_that_bounces_nothing_has_no_end),
		T(a_clock_that_is_set_ends_no_lifetime_and_no_wait),
		T(an_administrator_makes_it_due_now),
		T(a_claim_that_ends_leaves_such_times_alone),
		T(stamps_come_back_as_they_were_given),
		T(a_message_is_forgotten_when_all_of_it_is_over),
		T(a_full_queue_says_no_but_keeps_what_is_accepted),
		T(the_walk_shows_every_message_once_in_order),
		T(the_oldest_that_waits_is_found_in_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
