/* SPDX-License-Identifier: ISC
 *
 * The acts of administrators, as they are asked for: many at a time, and about
 * what there is nothing to do for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/daemon_rig.h"

enum { MANY = 70 };

static const char sender[] = "sue@elsewhere.example";

/* How often `done` was called, and how often it was told that all is well. */
struct told_of {
	unsigned calls, good;
};

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

static void on_done(void *arg, bool ok)
{
	struct told_of *t = arg;

	t->calls++;
	t->good += ok;
}

/* Asks, and does not wait for what comes of it. */
static const char *ask(struct drig *r, struct act_request *act, uint64_t id,
    uint32_t number)
{
	act->done = on_done;
	return act_apply(r->queue_thread, act, id, number);
}

static uint64_t accept_parked(struct drig *r, unsigned n, int leg)
{
	struct spool_delivery d[MANY];

	for (uint32_t i = 0; i < n; i++)
		d[i] = drig_delivery(r, i, leg, ROLE_PRIMARY, D_PARKED);
	return drig_accept(r, sender, n, d, n);
}

/* ---- names ---- */

static void each_act_has_its_name(void **state)
{
	static const struct {
		const char *name;
		int act;
	} cases[] = {{"retry", ACT_RETRY}, {"freeze", ACT_FREEZE},
	    {"thaw", ACT_THAW}, {"park", ACT_PARK}, {"bounce", ACT_BOUNCE},
	    {"delete", ACT_DELETE}, {"", -1}, {"del", -1}, {"deleted", -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(act_parse(slice_str(cases[i].name)),
		    cases[i].act);
}

/* ---- returned to the sender ---- */

/* One message, one way, one word of one administrator: its sender hears of
 * all of them in one notice. */
static void what_is_returned_together_is_one_job(void **state)
{
	struct drig *r = *state;
	struct told_of told = {0, 0};
	struct act_request act = {.what = ACT_BOUNCE, .who = "ann",
	    .reason = "gone", .arg = &told};
	struct result no = drig_result(OUT_FAILED, 0, "");
	uint64_t id = accept_parked(r, MANY, r->legacy);
	struct worker_job *j;

	for (uint32_t i = 0; i < MANY; i++)
		assert_null(ask(r, &act, id, i));
	drig_pump(r);
	assert_int_equal(r->jobs, 1);
	assert_int_equal(told.calls, 0);
	j = r->job[0];
	assert_int_equal(j->kind, JOB_BOUNCE);
	assert_int_equal(j->leg, r->legacy);
	assert_int_equal(j->role, ROLE_PRIMARY);
	assert_string_equal(j->who, "ann");
	assert_string_equal(j->reason, "gone");
	assert_int_equal(j->n, MANY);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(j->row[i].ref.number, i);
	drig_report(r, drig_job(r), WHY_ADMIN, &no, 1);
	drig_pump(r);
	assert_int_equal(told.calls, MANY);
	assert_int_equal(told.good, MANY);
}

/* The first and the second differ in one thing, each time in another. */
static void what_is_returned_otherwise_is_another_job(void **state)
{
	static const struct {
		const char *name;
		bool message, leg;
		const char *who, *reason;
	} cases[] = {
	    {"the message", true, false, "ann", "gone"},
	    {"the leg", false, true, "ann", "gone"},
	    {"the administrator", false, false, "bob", "gone"},
	    {"the reason", false, false, "ann", "left"},
	};
	struct drig *r = *state;
	struct told_of told = {0, 0};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct act_request first = {.what = ACT_BOUNCE, .who = "ann",
		    .reason = "gone", .arg = &told};
		struct act_request second = first;
		struct spool_delivery d[2] = {
		    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_PARKED),
		    drig_delivery(r, 1, cases[i].leg ? r->cloud : r->legacy,
			ROLE_PRIMARY, D_PARKED)};
		uint64_t id = drig_accept(r, sender, 2, d, 2);
		uint64_t other = cases[i].message
				     ? drig_accept(r, sender, 2, d, 2) : id;
		struct worker_job **j = r->job;

		print_message("%s\n", cases[i].name);
		second.who = cases[i].who;
		second.reason = cases[i].reason;
		assert_null(ask(r, &first, id, 0));
		assert_null(ask(r, &second, other, 1));
		drig_pump(r);
		assert_int_equal(r->jobs, 2);
		assert_true(j[0]->n == 1 && j[1]->n == 1);
		assert_true(j[0]->id == id && j[1]->id == other);
		assert_int_equal(j[0]->leg, r->legacy);
		assert_int_equal(j[1]->leg, d[1].leg);
		assert_string_equal(j[0]->who, "ann");
		assert_string_equal(j[1]->who, cases[i].who);
		assert_string_equal(j[0]->reason, "gone");
		assert_string_equal(j[1]->reason, cases[i].reason);
		for (int k = 0; k < 2; k++)
			drig_unclaim(r, drig_job(r), false, true);
		drig_pump(r);
	}
	assert_int_equal(told.calls, 2 * ARRAY_LEN(cases));
	assert_int_equal(told.good, 0); /* none was returned */
}

static void a_copy_is_not_returned(void **state)
{
	struct drig *r = *state;
	struct told_of told = {0, 0};
	struct act_request act = {.what = ACT_BOUNCE, .who = "ann",
	    .reason = "gone", .arg = &told};
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_COPY, D_PARKED);
	uint64_t id = drig_accept(r, sender, 1, &d, 1);
	const char *why = ask(r, &act, id, 0);

	assert_non_null(why);
	assert_non_null(strstr(why, "a copy: "));
	drig_pump(r);
	assert_int_equal(r->jobs, 0);
	assert_int_equal(told.calls, 0);
	assert_int_equal(drig_state(r, id, 0), D_PARKED);
}

/* ---- nothing to do ---- */

static void what_is_over_is_tried_and_nothing_else(void **state)
{
	static const enum act acts[] = {ACT_FREEZE, ACT_THAW, ACT_PARK,
	    ACT_BOUNCE, ACT_DELETE};
	struct drig *r = *state;
	struct told_of told = {0, 0};
	struct act_request act = {.who = "ann", .reason = "", .arg = &told};

	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		act.what = acts[i];
		assert_string_equal(ask(r, &act, 1, 0), "over");
	}
	assert_int_equal(told.calls, 0);
	act.what = ACT_RETRY;
	assert_null(ask(r, &act, 1, 0));
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.good, 1);
}

/* It goes as soon as its leg lets it: no record is worth it. One whose time
 * has not come goes now. */
static void a_retry_is_written_when_it_changes_something(void **state)
{
	struct drig *r = *state;
	struct told_of told = {0, 0};
	struct act_request act = {.what = ACT_RETRY, .who = "ann",
	    .reason = "", .arg = &told};
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED);
	uint64_t due, later;

	r->route = drig_route(r, "legacy");
	queue_leg_suspend(queue_thread_queue(r->queue_thread), r->legacy, true);
	d.due_us = clock_wall_us(r->shared.clock);
	due = drig_accept(r, sender, 1, &d, 1);
	d.due_us += HOUR_S * INT64_C(1000000);
	later = drig_accept(r, sender, 1, &d, 1);
	assert_null(ask(r, &act, due, 0));
	assert_int_equal(told.good, 1); /* at once */
	assert_null(ask(r, &act, later, 0));
	assert_int_equal(told.calls, 1);
	drig_pump(r);
	assert_int_equal(told.good, 2);
	assert_int_equal(drig_item(r, due, 0).reason, 0);
	assert_int_equal(drig_item(r, later, 0).reason, WHY_ADMIN);
	assert_int_equal(r->jobs, 0);
	queue_leg_suspend(queue_thread_queue(r->queue_thread), r->legacy,
	    false);
	drig_pump(r);
	assert_int_equal(r->jobs, 2);
}

/* An old one that was parked has a lifetime again. */
static void a_retry_of_a_parked_one_begins_a_lifetime(void **state)
{
	struct drig *r = *state;
	struct told_of told = {0, 0};
	struct act_request act = {.what = ACT_RETRY, .who = "ann",
	    .reason = "", .arg = &told};
	uint64_t id;
	int64_t now_us;

	r->route = drig_route(r, "legacy");
	id = accept_parked(r, 1, r->legacy);
	drig_later(r, 5 * HOUR_S);
	now_us = clock_wall_us(r->shared.clock);
	assert_null(ask(r, &act, id, 0));
	drig_pump(r);
	assert_int_equal(told.good, 1);
	assert_int_equal(r->jobs, 1);
	assert_int_equal(r->job[0]->kind, JOB_ATTEMPT);
	assert_int_equal(r->job[0]->row[0].ref.created_us, now_us);
	assert_int_equal(r->job[0]->row[0].ref.state, D_QUEUED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(each_act_has_its_name),
	    T(what_is_returned_together_is_one_job),
	    T(what_is_returned_otherwise_is_another_job),
	    T(a_copy_is_not_returned),
	    T(what_is_over_is_tried_and_nothing_else),
	    T(a_retry_is_written_when_it_changes_something),
	    T(a_retry_of_a_parked_one_begins_a_lifetime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
