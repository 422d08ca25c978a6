/* SPDX-License-Identifier: ISC
 *
 * The end of parked mail (D10): after 30 days, or, of a copy whose primary
 * was delivered, after the 7 days for which delivered mail is retained, or
 * when space runs short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/queue_fix.h"

#define DAY (86400 * SECOND)

/* A message of two recipients at most, as it was `age` ago. */
struct was {
	uint32_t rcpt;
	enum role role;
	enum dstate state;
	int days; /* since it came into that state */
};

static void put(struct fixture *f, uint64_t id, const struct was *w,
    unsigned n)
{
	struct delivery_ref item[4];

	for (unsigned i = 0; i < n; i++) {
		item[i] = fix_item(f, i, i % 2 == 0 ? LEGACY : CLOUD);
		item[i].rcpt = w[i].rcpt;
		item[i].role = (uint8_t)w[i].role;
		item[i].state = (uint8_t)w[i].state;
		item[i].created_us -= 100 * DAY;
		item[i].due_us = f->clock.wall - w[i].days * DAY;
	}
	assert_true(queue_insert(f->q, &(struct queue_arrival){id, 1, item, n,
	    .force = true}));
}

/* Until the walk has been everywhere. */
static void walk(struct fixture *f)
{
	for (int i = 0; i < 3; i++)
		fix_later(f, 2);
}

static void parked_mail_ends_in_its_time(void **state)
{
	static const struct {
		const char *name;
		struct was was[2];
		bool over; /* the one that is named first */
	} cases[] = {
		{"primary, 29 days", {{0, ROLE_PRIMARY, D_PARKED, 29}}, false},
		{"primary, 31 days", {{0, ROLE_PRIMARY, D_PARKED, 31}}, true},
		{"frozen is no end", {{0, ROLE_PRIMARY, D_FROZEN, 31}}, false},
		{"held is no end", {{0, ROLE_PRIMARY, D_HELD, 31}}, false},
		{"a copy, and its primary is parked",
		    {{0, ROLE_COPY, D_PARKED, 8},
			{0, ROLE_PRIMARY, D_PARKED, 8}}, false},
		{"a copy, and its primary was delivered",
		    {{0, ROLE_COPY, D_PARKED, 8},
			{0, ROLE_PRIMARY, D_DELIVERED, 8}}, true},
		{"... not so long ago",
		    {{0, ROLE_COPY, D_PARKED, 8},
			{0, ROLE_PRIMARY, D_DELIVERED, 6}}, false},
		{"... to somebody else",
		    {{0, ROLE_COPY, D_PARKED, 8},
			{9, ROLE_PRIMARY, D_DELIVERED, 8}}, false},
		{"... as a copy too",
		    {{0, ROLE_COPY, D_PARKED, 8},
			{0, ROLE_COPY, D_DELIVERED, 8}}, false},
		{"a primary beside a delivered one",
		    {{0, ROLE_PRIMARY, D_PARKED, 8},
			{0, ROLE_PRIMARY, D_DELIVERED, 8}}, false},
	};
	struct fixture *f = *state;
	unsigned overs = 0;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned n = cases[i].was[1].state == D_NONE ? 1 : 2;

		print_message("%s\n", cases[i].name);
		put(f, i + 1, cases[i].was, n);
		walk(f);
		assert_int_equal(f->overs - overs, cases[i].over);
		if (cases[i].over) {
			assert_int_equal(f->over[overs].id, i + 1);
			assert_int_equal(f->over[overs].number, 0);
			assert_false(f->over[overs].space);
		}
		overs = f->overs;
	}
	assert_int_equal(f->starts, 0);
}

/* The set of recipients that were served grows twice. */
static void the_recipients_of_a_large_message_are_told_apart(void **state)
{
	static const struct was was[] = {
		{0, ROLE_PRIMARY, D_DELIVERED, 8},
		{600, ROLE_PRIMARY, D_DELIVERED, 8},
		{0, ROLE_COPY, D_PARKED, 8},
		{700, ROLE_COPY, D_PARKED, 8}};
	struct fixture *f = *state;

	put(f, 1, was, ARRAY_LEN(was));
	walk(f);
	assert_int_equal(f->overs, 1);
	assert_int_equal(f->over[0].number, 2);
}

static void what_was_parked_before_stamps_counts_from_its_creation(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i = fix_item(f, 0, LEGACY);

	i.state = D_PARKED;
	i.created_us -= 29 * DAY;
	assert_true(queue_insert(f->q, &(struct queue_arrival){1, 1, &i, 1,
	    .force = true}));
	walk(f);
	assert_int_equal(f->overs, 0);
	fix_later(f, 86400);
	walk(f);
	assert_int_equal(f->overs, 1);
}

static void what_somebody_has_in_hand_stays(void **state)
{
	static const struct was old = {0, ROLE_PRIMARY, D_PARKED, 40};
	struct fixture *f = *state;

	put(f, 1, &old, 1);
	assert_true(queue_claim(f->q, 1, 0));
	walk(f);
	assert_int_equal(f->overs, 0);
	queue_unclaim(f->q, 1, 0, false);
	queue_stale(f->q, 1); /* its route is looked up */
	walk(f);
	assert_int_equal(f->overs, 0);
	queue_resolved(f->q, 1, 1);
	walk(f);
	assert_int_equal(f->overs, 1);
}

static void spare_copies_go_when_space_is_short(void **state)
{
	static const struct was spare[2] = {{3, ROLE_COPY, D_PARKED, 1},
	    {3, ROLE_PRIMARY, D_DELIVERED, 1}};
	static const struct was kept[2] = {{3, ROLE_COPY, D_PARKED, 1},
	    {3, ROLE_PRIMARY, D_DEFERRED, -1}};
	struct fixture *f = *state;

	put(f, 1, spare, 2);
	put(f, 2, kept, 2);
	put(f, 3, spare, 2);
	walk(f);
	assert_int_equal(f->overs, 0);
	queue_pressed(f->q, true);
	walk(f);
	assert_int_equal(f->overs, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(f->over[i].id, 1 + 2 * i);
		assert_true(f->over[i].space);
	}
	queue_pressed(f->q, false);
	put(f, 4, spare, 2);
	walk(f);
	assert_int_equal(f->overs, 2);
}

/* However many there are, a step does a slice. */
static void a_step_ends_a_slice_of_many(void **state)
{
	static const struct was old = {0, ROLE_PRIMARY, D_PARKED, 40};
	struct fixture *f = *state;

	for (uint64_t id = 1; id <= 3500; id++)
		put(f, id, &old, 1);
	for (unsigned k = 1; k <= 3; k++) {
		queue_step(f->q);
		assert_int_equal(f->overs, k * 1000);
		clock_fake_step(&f->clock, SECOND);
	}
	walk(f);
	assert_int_equal(f->overs, 3500);
}

/* A delivery to another recipient keeps no parked mail, and a spare copy
 * is kept from the later of both times on. */
static void each_is_kept_from_its_own_time(void **state)
{
	static const struct was old[2] = {{0, ROLE_PRIMARY, D_PARKED, 40},
	    {3, ROLE_PRIMARY, D_DELIVERED, 1}};
	static const struct was spare[2] = {{3, ROLE_COPY, D_PARKED, 1},
	    {3, ROLE_PRIMARY, D_DELIVERED, 40}};
	struct fixture *f = *state;

	put(f, 1, old, 2);
	put(f, 2, spare, 2);
	walk(f);
	assert_int_equal(f->overs, 1);
	assert_int_equal(f->over[0].id, 1);
}

/* Said again and again while the space is short, it goes on where it was. */
static void pressed_again_a_step_goes_on(void **state)
{
	static const struct was old = {0, ROLE_PRIMARY, D_PARKED, 40};
	static const struct was young = {0, ROLE_PRIMARY, D_PARKED, 1};
	struct fixture *f = *state;

	for (uint64_t id = 1; id <= 1500; id++)
		put(f, id, &young, 1);
	put(f, 1501, &old, 1);
	for (unsigned k = 0; k < 2; k++) {
		queue_pressed(f->q, true);
		queue_step(f->q);
		assert_int_equal(f->overs, k);
		clock_fake_step(&f->clock, SECOND);
	}
}

static unsigned ended(const struct fixture *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->starts; i++)
		n += f->started[i].expired;
	return n;
}

/* A leg was down for too long, and all its mail is too old at once. */
static void lifetimes_that_end_together_end_in_parts(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i = fix_item(f, 0, LEGACY);

	i.created_us -= 40 * DAY;
	ledger_gate(f->ledger, LEGACY, GATE_SUSPENDED, true);
	for (uint64_t id = 1; id <= 1200; id++)
		assert_true(queue_insert(f->q, &(struct queue_arrival){id, 1,
		    &i, 1, .force = true}));
	for (unsigned k = 1; k <= 2; k++) {
		fix_settle(f);
		assert_int_equal(ended(f), k * 500);
		clock_fake_step(&f->clock, SECOND);
	}
	/* The gate opens: the leg's three slots are used for the rest, too. */
	ledger_gate(f->ledger, LEGACY, GATE_SUSPENDED, false);
	fix_settle(f);
	assert_int_equal(ended(f), 1200);
	for (uint64_t id = 2001; id <= 3000; id++)
		assert_true(queue_insert(f->q, &(struct queue_arrival){id, 1,
		    &i, 1, .force = true}));
	fix_settle(f);
	assert_int_equal(ended(f), 1500);
	assert_int_equal(f->starts, 1503);
	assert_int_equal(ledger_used(f->ledger, LEGACY), 3);
}

#define T(t) cmocka_unit_test_setup_teardown(t, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(parked_mail_ends_in_its_time),
		T(the_recipients_of_a_large_message_are_told_apart),
		T(what_was_parked_before_stamps_counts_from_its_creation),
		T(what_somebody_has_in_hand_stays),
		T(spare_copies_go_when_space_is_short),
		T(a_step_ends_a_slice_of_many),
		T(each_is_kept_from_its_own_time),
		T(pressed_again_a_step_goes_on),
		T(lifetimes_that_end_together_end_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
