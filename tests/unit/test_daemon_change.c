/* SPDX-License-Identifier: ISC
 *
 * By which change of the table a delivery was last planned, as its record
 * says after an attempt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/daemon_rig.h"

static const char sender[] = "sue@elsewhere.example";

static int setup(void **state)
{
	*state = drig_new();
	return 0;
}

static int teardown(void **state)
{
	drig_free(*state);
	return 0;
}

static uint64_t accept_one(struct drig *r)
{
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED);

	return drig_accept(r, sender, 1, &d, 1);
}

static void defer(struct drig *r)
{
	struct result later = drig_result(OUT_DEFERRED, 450, "later");

	drig_report(r, drig_job(r), WHY_ATTEMPT, &later, 1);
	drig_pump(r);
}

/* The attempt looked the route up anew, and all of its legs are there: the
 * record of its result says so, before the queue hears of the change. */
static void a_result_is_of_the_change_that_its_attempt_saw(void **state)
{
	struct drig *r = *state;
	uint64_t id = accept_one(r), before = r->change;

	drig_pump(r);
	assert_int_equal(drig_item(r, id, 0).change, before);
	drig_flip(r, "legacy", false);
	defer(r);
	assert_int_equal(drig_item(r, id, 0).change, before + 1);
	drig_check(r);
}

/* An attempt that began before the change that its delivery was planned by
 * does not take that back. */
static void a_result_of_an_older_change_leaves_the_later_one(void **state)
{
	struct drig *r = *state;
	struct table_word old = drig_word(r);
	uint64_t id;

	drig_flip(r, "legacy", false);
	id = accept_one(r);
	drig_pump(r);
	assert_int_equal(drig_item(r, id, 0).change, old.change + 1);
	r->began = old;
	defer(r);
	assert_int_equal(drig_item(r, id, 0).change, old.change + 1);
	drig_check(r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_result_is_of_the_change_that_its_attempt_saw),
		T(a_result_of_an_older_change_leaves_the_later_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
