/* SPDX-License-Identifier: ISC
 *
 * Mail that waits for so long that its sender is to be told: found once, and
 * it waits on as before. The fixture's lifetime is an hour.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/queue_fix.h"

enum { DELAY_S = 600 };

static int setup(void **state)
{
	int rc = fix_setup(state);
	struct fixture *f = *state;

	f->conf->dsn.delay_ms = DELAY_S * 1000;
	return rc;
}

/* A message whose attempts wait for `due_s`. */
static void put_waiting(struct fixture *f, uint64_t id, struct delivery_ref *i,
    unsigned n, int64_t due_s)
{
	for (unsigned k = 0; k < n; k++)
		if (i[k].state == D_QUEUED) {
			i[k].state = D_DEFERRED;
			i[k].due_us = i[k].created_us + due_s * SECOND;
		}
	queue_insert(f->q, &(struct queue_arrival){id, 1, i, n, .force = true});
}

static unsigned lates(const struct fixture *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->starts; i++)
		n += f->started[i].late;
	return n;
}

/* The daemon: told, or not asked for. */
static void told(struct fixture *f, uint64_t id, uint32_t number)
{
	struct delivery_ref i;

	assert_true(queue_get(f->q, id, number, &i));
	i.flags |= DF_DELAY_SENT;
	queue_set(f->q, id, &i);
}

static void who_is_told_and_when(void **state)
{
	/* clang-format off */
	static const struct {
		const char *what;
		enum role role;
		enum dstate state;
		uint8_t flags;
		bool late;
	} cases[] = {
		{ "deferred",      ROLE_PRIMARY, D_QUEUED, 0,             true  },
		{ "a copy",        ROLE_COPY,    D_QUEUED, 0,             false },
		{ "held",          ROLE_PRIMARY, D_HELD,   0,             false },
		{ "frozen",        ROLE_PRIMARY, D_FROZEN, 0,             false },
		{ "parked",        ROLE_PRIMARY, D_PARKED, 0,             false },
		{ "told before",   ROLE_PRIMARY, D_QUEUED, DF_DELAY_SENT, false },
		{ "had its end",   ROLE_PRIMARY, D_QUEUED, DF_DSN_SENT,   false },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture *f;
		struct delivery_ref item;

		print_message("%s\n", cases[i].what);
		assert_int_equal(fix_teardown(state), 0);
		assert_int_equal(setup(state), 0);
		f = *state;
		item = fix_item(f, 0, LEGACY);
		item.role = cases[i].role;
		item.state = cases[i].state;
		item.flags = cases[i].flags;
		put_waiting(f, 1, &item, 1, 3000);
		fix_later(f, DELAY_S - 2);
		assert_int_equal(f->starts, 0);
		fix_later(f, 4);
		assert_int_equal(lates(f), cases[i].late);
	}
}

static void it_is_told_once_and_keeps_its_time(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref item = fix_item(f, 0, LEGACY);

	put_waiting(f, 1, &item, 1, 1000);
	fix_later(f, DELAY_S + 2);
	assert_int_equal(f->starts, 1);
	assert_true(f->started[0].late);
	assert_false(f->started[0].slot);
	assert_true(queue_claimed(f->q, 1, 0));
	told(f, 1, 0);
	fix_later(f, 300);
	assert_int_equal(f->starts, 1);
	fix_later(f, 150);
	assert_int_equal(f->starts, 2);
	assert_false(f->started[1].late);
	assert_int_equal(f->started[1].id, 1);
}

/* No room for the notice: asked again, and not as an attempt. */
static void what_could_not_be_told_is_asked_for_again(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref item = fix_item(f, 0, LEGACY);

	put_waiting(f, 1, &item, 1, 1000);
	fix_later(f, DELAY_S + 2);
	assert_int_equal(lates(f), 1);
	queue_unclaim(f->q, 1, 0, false);
	fix_later(f, 2);
	fix_later(f, 2);
	assert_int_equal(lates(f), 2);
	queue_unclaim(f->q, 1, 0, false);
	assert_int_equal(fix_row(f, 1, 0).item.due_us,
	    item.created_us + 1000 * SECOND);
}

/* One notice for all of a message that is late, whatever its legs; what
 * waits behind a leg that is suspended too. */
static void a_message_is_told_of_as_a_whole(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref item[4];

	for (unsigned i = 0; i < 4; i++) {
		item[i] = fix_item(f, i, i % 2 ? CLOUD : LEGACY);
		item[i].rcpt = i;
	}
	item[3].role = ROLE_COPY;
	queue_leg_suspend(f->q, CLOUD, true);
	put_waiting(f, 1, item, 4, 1000);
	fix_later(f, DELAY_S + 2);
	assert_int_equal(f->starts, 1);
	assert_int_equal(f->started[0].n, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(f->started[0].number[i], i);
}

static void without_a_delay_nobody_is_told(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref item = fix_item(f, 0, LEGACY);

	f->conf->dsn.delay_ms = 0;
	put_waiting(f, 1, &item, 1, 3000);
	fix_later(f, 2000);
	assert_int_equal(f->starts, 0);
}

/* Its end is told, not its delay. */
static void what_is_over_is_not_late(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref item = fix_item(f, 0, LEGACY);

	item.created_us -= 4000 * SECOND;
	put_waiting(f, 1, &item, 1, 4000);
	fix_later(f, 2);
	assert_int_equal(lates(f), 0);
}

static void it_is_said_until_when_it_is_tried(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref item = fix_item(f, 0, LEGACY);

	put_waiting(f, 1, &item, 1, 1000);
	assert_int_equal(queue_gives_up_us(f->q, 1, 0),
	    item.created_us + 3600 * SECOND);
	assert_int_equal(queue_gives_up_us(f->q, 1, 7), 0);
	assert_int_equal(queue_gives_up_us(f->q, 2, 0), 0);
	f->conf->soft_bounce = true;
	assert_int_equal(queue_gives_up_us(f->q, 1, 0), 0);
	f->conf->soft_bounce = false;
}

/* More than a slice: none is left out, none comes twice. */
static void many_are_told_one_after_the_other(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 1; id <= 700; id++) {
		struct delivery_ref item = fix_item(f, 0, LEGACY);

		put_waiting(f, id, &item, 1, 3000);
	}
	fix_later(f, DELAY_S + 1);
	assert_in_range(f->starts, 1, 699);
	for (int i = 0; i < 10; i++)
		fix_later(f, 2);
	assert_int_equal(f->starts, 700);
	for (unsigned i = 0; i < 700; i++)
		assert_int_equal(f->started[i].id, i + 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, fix_teardown)
	const struct CMUnitTest tests[] = {
		T(who_is_told_and_when),
		T(it_is_told_once_and_keeps_its_time),
		T(what_could_not_be_told_is_asked_for_again),
		T(a_message_is_told_of_as_a_whole),
		T(without_a_delay_nobody_is_told),
		T(what_is_over_is_not_late),
		T(it_is_said_until_when_it_is_tried),
		T(many_are_told_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
