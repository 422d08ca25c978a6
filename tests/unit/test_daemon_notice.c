/* SPDX-License-Identifier: ISC
 *
 * Notices of delay and of success on record: one record with what they tell,
 * and what holds when that record cannot be written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "relay/mail/envelope.h"
#include "tests/unit/daemon_rig.h"

static const char sender[] = "sue@elsewhere.example";

static int setup(void **state)
{
	struct drig *r = drig_new();

	r->snapshot->conf->dsn.delay_ms = 600 * 1000;
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	drig_free(*state);
	return 0;
}

static void disk_refuses(struct drig *r, bool refuses)
{
	r->disk->fault = refuses ? FAULT_EIO : FAULT_NONE;
	r->disk->fail_mask = 1U << CALL_WRITE;
	r->disk->calls = 0;
	r->disk->fail_at = refuses ? 1 : 0;
	r->disk->fail_on = refuses;
}

static unsigned messages(struct drig *r)
{
	struct queue_counts c;

	queue_count(queue_thread_queue(r->queue_thread), &c);
	return (unsigned)c.messages;
}

/* The next job of the legs is of that kind; those of our notices, which go
 * out, wait. */
static struct worker_job *next_job(struct drig *r)
{
	struct worker_job *j;

	while ((j = drig_job(r)) != NULL && drig_message(r, j->id) == NULL)
		drig_unclaim(r, j, false, true);
	return j;
}

static uint64_t deferred(struct drig *r, const char *from, unsigned notify)
{
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED);
	struct result res = drig_result(OUT_DEFERRED, 450, "later");
	uint64_t id = drig_accept(r, from, 1, &d, 1);

	drig_message(r, id)->notify = notify;
	drig_report(r, drig_job(r), WHY_ATTEMPT, &res, 1);
	drig_pump(r);
	return id;
}

/* Attempts end as the first did, until a notice of delay is asked for. */
static struct worker_job *until_late(struct drig *r)
{
	struct result res = drig_result(OUT_DEFERRED, 450, "later");
	struct worker_job *j;

	for (int i = 0; i < 100; i++) {
		while ((j = next_job(r)) != NULL) {
			if (j->kind == JOB_LATE)
				return j;
			drig_report(r, j, WHY_ATTEMPT, &res, 1);
		}
		drig_later(r, 30);
	}
	return NULL;
}

static int was_told(struct drig *r, uint64_t id)
{
	return drig_item(r, id, 0).flags & (DF_DELAY_SENT | DF_DSN_SENT);
}

static void a_delay_is_told_once_and_on_record(void **state)
{
	struct drig *r = *state;
	uint64_t id = deferred(r, sender, 0);
	struct worker_job *j = until_late(r);
	struct result res = drig_result(OUT_DEFERRED, 450, "later");
	struct delivery_ref before, after;

	assert_non_null(j);
	assert_int_equal(j->n, 1);
	assert_int_equal(j->row[0].ref.leg, r->legacy);
	assert_true(j->row[0].until_us > clock_wall_us(r->shared.clock));
	before = drig_item(r, id, 0);
	drig_report(r, j, WHY_LATE, &res, 1);
	drig_pump(r);
	assert_int_equal(messages(r), 2);
	after = drig_item(r, id, 0);
	assert_int_equal(after.flags & DF_DELAY_SENT, DF_DELAY_SENT);
	assert_int_equal(after.state, D_DEFERRED);
	assert_int_equal(after.attempts, before.attempts);
	assert_int_equal(after.due_us, before.due_us);
	assert_null(until_late(r));
	drig_restart(r, true);
	assert_int_equal(was_told(r, id), DF_DELAY_SENT);
	assert_null(until_late(r));
}

static void who_does_not_want_to_hear_of_it_is_asked_for_once(void **state)
{
	static const struct { const char *from; unsigned notify; } cases[] = {
	    {"", 0}, {sender, NOTIFY_NEVER}, {sender, NOTIFY_FAILURE}};
	struct result res = drig_result(OUT_DEFERRED, 450, "later");

	teardown(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct drig *r;
		uint64_t id;

		setup(state);
		r = *state;
		id = deferred(r, cases[i].from, cases[i].notify);
		drig_report(r, until_late(r), WHY_LATE, &res, 1);
		drig_pump(r);
		assert_int_equal(messages(r), 1);
		assert_int_equal(was_told(r, id), DF_DELAY_SENT);
		assert_null(until_late(r));
		teardown(state);
	}
	setup(state);
}

static void without_room_the_delay_is_told_later(void **state)
{
	struct drig *r = *state;
	uint64_t id = deferred(r, sender, 0);
	struct result res = drig_result(OUT_DEFERRED, 450, "later");
	struct worker_job *j = until_late(r);

	disk_refuses(r, true);
	drig_report(r, j, WHY_LATE, &res, 1);
	drig_pump(r);
	assert_int_equal(messages(r), 1);
	assert_int_equal(was_told(r, id), 0);
	disk_refuses(r, false);
	drig_later(r, 60);
	j = until_late(r);
	assert_non_null(j);
	drig_report(r, j, WHY_LATE, &res, 1);
	drig_pump(r);
	assert_int_equal(messages(r), 2);
	assert_null(next_job(r));
	drig_pump(r);
	assert_null(next_job(r));
	drig_pump(r);
	drig_check(r);
}

/* `once`: the next write fails. */
static uint64_t deliver(struct drig *r, unsigned notify, bool once)
{
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED);
	struct result res = drig_result(OUT_DELIVERED, 250, "ok");
	uint64_t id = drig_accept(r, sender, 1, &d, 1);

	drig_message(r, id)->notify = notify;
	drig_report(r, drig_job(r), WHY_ATTEMPT, &res, 1);
	disk_refuses(r, once);
	r->disk->fail_on = false;
	drig_pump(r);
	assert_int_equal(r->disk->hit, once);
	return id;
}

static void success_is_told_by_us_where_the_leg_does_not(void **state)
{
	static const struct {
		unsigned notify, dsns;
		bool on;
	} cases[] = {{NOTIFY_SUCCESS, 1, false}, {NOTIFY_SUCCESS, 0, true},
	    {0, 0, false}, {NOTIFY_NEVER, 0, false},
	    {NOTIFY_FAILURE | NOTIFY_SUCCESS, 1, false}};
	struct drig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned before = messages(r);
		uint64_t id;

		r->on = cases[i].on;
		id = deliver(r, cases[i].notify, false);
		assert_int_equal(drig_state(r, id, 0), D_NONE);
		assert_int_equal(messages(r) - before, cases[i].dsns);
		assert_null(next_job(r));
	}
	assert_null(next_job(r));
	drig_pump(r);
	assert_null(next_job(r));
	drig_pump(r);
	drig_check(r);
}

/* A message that arrived is never sent again for want of a notice. */
static void without_room_what_was_delivered_stays_delivered(void **state)
{
	struct drig *r = *state;
	uint64_t id = deliver(r, NOTIFY_SUCCESS, true);

	assert_int_equal(drig_state(r, id, 0), D_NONE);
	drig_later(r, 120);
	assert_null(next_job(r));
	assert_int_equal(messages(r), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_delay_is_told_once_and_on_record),
		T(who_does_not_want_to_hear_of_it_is_asked_for_once),
		T(without_room_the_delay_is_told_later),
		T(success_is_told_by_us_where_the_leg_does_not),
		T(without_room_what_was_delivered_stays_delivered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
