/* SPDX-License-Identifier: ISC
 *
 * Clocks that a restart does not set back: how long a leg was down, and how
 * long a delivery was parked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/settle/downtime.h"
#include "tests/unit/daemon_rig.h"
#include "tests/unit/spool_peek.h"

static const char sender[] = "sender@elsewhere.test";

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

/* ---- the fact ---- */

static void spans_are_written_and_read_again(void **state)
{
	static const struct {
		const char *text;
		unsigned n;
		struct queue_span first;
	} cases[] = {
		{"", 0, {0, 0, 0}},
		{"5+", 1, {5000, INT64_MAX, 0}},
		{"5+7:3 ", 1, {5000, 12000, 3000}},
		{"5+7:3 20+ ", 2, {5000, 12000, 3000}},
		{"5+7:8", 0, {0, 0, 0}}, /* more than it is long */
		{"5+7", 0, {0, 0, 0}},
		{"x+7:3 5+0:0", 1, {5000, 5000, 0}},
		{"99999999999999999999+", 0, {0, 0, 0}},
		{"1+ 2+ 3+ 4+ 5+ 6+ 7+ 8+ 9+ 10+ 11+ 12+ 13+ 14+ 15+ 16+ 17+",
		    QUEUE_SPANS, {1000, INT64_MAX, 0}},
	};
	struct queue_span s[QUEUE_SPANS];
	struct strbuf out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(downtime_parse(slice_str(cases[i].text), s),
		    cases[i].n);
		if (cases[i].n == 0)
			continue;
		assert_true(s[0].from_us == cases[i].first.from_us);
		assert_true(s[0].to_us == cases[i].first.to_us);
		assert_true(s[0].counts_us == cases[i].first.counts_us);
	}
	strbuf_init(&out, 1000);
	assert_int_equal(downtime_parse(SLICE("5+7:3 20+ "), s), 2);
	downtime_print(s, 2, &out);
	assert_true(slice_eq(strbuf_view(&out), SLICE("5+7:3 20+ ")));
	strbuf_fini(&out);
}

/* The longest that there can be fits a fact. */
static void all_spans_fit(void **state)
{
	struct queue_span s[QUEUE_SPANS];
	const int64_t far = INT64_C(4000000000000000), long_us = far / 2;
	struct strbuf out;

	(void)state;
	for (int i = 0; i < QUEUE_SPANS; i++)
		s[i] = (struct queue_span){far, far + long_us, long_us};
	strbuf_init(&out, 1000);
	downtime_print(s, QUEUE_SPANS, &out);
	assert_true(strbuf_ok(&out));
	assert_int_equal(downtime_parse(strbuf_view(&out), s), QUEUE_SPANS);
	assert_true(s[QUEUE_SPANS - 1].counts_us == long_us);
	strbuf_fini(&out);
}

/* ---- a leg that was down ---- */

static void suspend(struct drig *r, bool suspended)
{
	queue_leg_suspend(queue_thread_queue(r->queue_thread), r->legacy,
	    suspended);
	drig_pump(r);
}

static void give_back(struct drig *r)
{
	struct worker_job *j;

	while ((j = drig_job(r)) != NULL)
		drig_unclaim(r, j, false, true);
	drig_pump(r);
}

/* After a while without a leg; and what comes of it then. */
static enum job_kind job_after(struct drig *r, int64_t s)
{
	give_back(r);
	drig_later(r, s);
	assert_int_equal(r->jobs, 1);
	return r->job[0]->kind;
}

/* The rig's lifetime is an hour. */
static void down_time_survives_a_restart(void **state)
{
	static const struct result nothing = {.outcome = OUT_FAILED,
	    .remote = "", .text = "", .tls = "", .address = ""};
	struct drig *r = *state;
	struct spool_delivery d;

	for (int kill = 0; kill < 2; kill++) {
		suspend(r, true);
		d = drig_delivery(r, 0, r->legacy, ROLE_COPY, D_DEFERRED);
		drig_accept(r, sender, 1, &d, 1);
		drig_later(r, 5 * 86400);
		suspend(r, false);
		give_back(r);
		drig_restart(r, kill == 1);
		assert_int_equal(job_after(r, 3500), JOB_ATTEMPT);
		assert_int_equal(job_after(r, 200), JOB_EXPIRED);
		drig_report(r, drig_job(r), WHY_LIFETIME, &nothing, 1);
		drig_pump(r);
	}
}

/* Down when it stopped and suspended when it starts: it was all the time. */
static void a_span_that_lasts_goes_on(void **state)
{
	struct drig *r = *state;
	struct queue_span s[QUEUE_SPANS];
	int64_t since;

	suspend(r, true);
	since = queue_leg_down_since(queue_thread_queue(r->queue_thread),
	    r->legacy);
	assert_true(since > 0);
	drig_restart(r, true);
	assert_int_equal(queue_leg_downs(queue_thread_queue(r->queue_thread),
	    r->legacy, s), 1);
	assert_true(s[0].from_us / 1000 == since / 1000);
	assert_true(s[0].to_us == INT64_MAX);
	suspend(r, true);
	assert_int_equal(queue_leg_downs(queue_thread_queue(r->queue_thread),
	    r->legacy, s), 1);
	suspend(r, false);
	queue_leg_downs(queue_thread_queue(r->queue_thread), r->legacy, s);
	assert_true(s[0].to_us != INT64_MAX);
}

/* ---- parked mail ---- */

/* The clock starts when it is parked, by whomever, and a restart does not
 * set it back. */
static void parked_mail_ends_over_restarts(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_HELD);
	struct spool_stats st;
	uint64_t id;
	bool ok;

	id = drig_accept(r, sender, 1, &d, 1);
	drig_later(r, 20 * 86400);
	assert_true(drig_act(r, ACT_PARK, id, 0, &ok) && ok);
	drig_later(r, 20 * 86400);
	drig_restart(r, true);
	assert_int_equal(drig_state(r, id, 0), D_PARKED);
	drig_later(r, 9 * 86400);
	assert_int_equal(drig_state(r, id, 0), D_PARKED);
	drig_restart(r, false);
	drig_later(r, 2 * 86400);
	drig_later(r, 2);
	assert_int_equal(drig_state(r, id, 0), D_NONE);
	drig_check(r);
	spool_stats(r->shared.spool, &st);
	assert_int_equal(st.leg[r->legacy].total[T_CREATED], 1);
	assert_int_equal(st.leg[r->legacy].total[T_DELETED], 1);
	assert_int_equal(st.live_messages, 0);
}

/* A copy that is not needed any more goes when the steward is pressed. */
static void a_spare_copy_goes_for_space(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[2] = {
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_DELIVERED),
	    drig_delivery(r, 0, r->cloud, ROLE_COPY, D_PARKED)};
	struct spool_delivery wanted =
	    drig_delivery(r, 0, r->cloud, ROLE_COPY, D_PARKED);
	uint64_t spare = drig_accept(r, sender, 1, d, 2), kept;

	kept = drig_accept(r, sender, 1, &wanted, 1);
	drig_later(r, 86400);
	assert_int_equal(drig_state(r, spare, 1), D_PARKED);
	spool_press(r->shared.spool);
	drig_later(r, 2);
	assert_int_equal(drig_state(r, spare, 1), D_NONE);
	assert_int_equal(drig_state(r, kept, 0), D_PARKED);
	drig_check(r);
}

static void frozen_time_is_no_lifetime(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_DEFERRED);
	uint64_t id;
	bool ok;

	d.due_us = d.created_us + INT64_C(1000000000);
	id = drig_accept(r, sender, 1, &d, 1);
	assert_true(drig_act(r, ACT_FREEZE, id, 0, &ok) && ok);
	drig_later(r, 40 * 86400);
	drig_restart(r, false);
	assert_int_equal(drig_state(r, id, 0), D_FROZEN);
	assert_true(drig_act(r, ACT_THAW, id, 0, &ok) && ok);
	assert_int_equal(r->jobs, 1);
	assert_int_equal(r->job[0]->kind, JOB_ATTEMPT);
	assert_int_equal(job_after(r, 3700), JOB_EXPIRED);
}

/* The moment it was held stands in the due time, and stays there. */
static void held_and_then_frozen_it_is_as_young_as_before(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_HELD);
	const int64_t day_us = INT64_C(86400000000);
	int64_t created_us;
	uint64_t id;
	bool ok;

	d.due_us = d.created_us;
	id = drig_accept(r, sender, 1, &d, 1);
	drig_later(r, 86400);
	assert_true(drig_act(r, ACT_FREEZE, id, 0, &ok) && ok);
	assert_true(drig_item(r, id, 0).due_us == d.due_us);
	drig_later(r, 86400);
	assert_true(drig_act(r, ACT_THAW, id, 0, &ok) && ok);
	created_us = drig_item(r, id, 0).created_us;
	assert_true(created_us >= d.created_us + 2 * day_us);
	assert_true(created_us <= clock_wall_us(r->shared.clock));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* ---- clocks that are set ---- */

static const int64_t hour_us = INT64_C(3600000000);

static uint64_t one_that_waits(struct drig *r)
{
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED);
	struct result later = drig_result(OUT_DEFERRED, 450, "later");
	uint64_t id = drig_accept(r, sender, 1, &d, 1);

	drig_report(r, drig_job(r), WHY_ATTEMPT, &later, 1);
	drig_pump(r);
	assert_int_equal(r->jobs, 0);
	return id;
}

/* The next job is of that kind; it is not answered. */
static struct worker_job *next_job(struct drig *r, enum job_kind kind)
{
	assert_int_equal(r->jobs, 1);
	assert_int_equal(r->job[0]->kind, kind);
	return drig_job(r);
}

static void a_clock_that_is_set_ends_no_lifetime(void **state)
{
	static const int64_t by[] = {1000, -1000, -3, 7};
	struct drig *r = *state;
	struct result later = drig_result(OUT_DEFERRED, 450, "later");

	for (size_t i = 0; i < ARRAY_LEN(by); i++) {
		one_that_waits(r);
		r->clock.wall += by[i] * hour_us;
		drig_later(r, 61);
		drig_report(r, next_job(r, JOB_ATTEMPT), WHY_ATTEMPT, &later,
		    1);
		drig_pump(r);
		drig_restart(r, i % 2 == 0);
		drig_later(r, 61);
		drig_report(r, next_job(r, JOB_ATTEMPT), WHY_ATTEMPT, &later,
		    1);
		drig_pump(r);
		drig_later(r, 3600); /* now it is over */
		drig_report(r, next_job(r, JOB_EXPIRED), WHY_LIFETIME,
		    &(struct result){.outcome = OUT_FAILED, .text = "over",
			.stage = STAGE_QUEUE, .remote = "", .tls = "",
			.address = ""}, 1);
		drig_pump(r);
		drig_free(r);
		*state = r = drig_new();
	}
}

/* Held or not, by how much: what is due is due when that time has passed. */
static void a_clock_that_was_set_back_delays_nothing(void **state)
{
	struct drig *r = *state;
	uint64_t id = one_that_waits(r);

	drig_stop(r, false);
	r->clock.wall -= hour_us;
	drig_start(r);
	assert_int_equal(drig_state(r, id, 0), D_DEFERRED);
	drig_later(r, 61);
	mem_free(next_job(r, JOB_ATTEMPT));
}

static void after_a_long_stop_each_is_tried_once_more(void **state)
{
	struct drig *r = *state;
	struct result later = drig_result(OUT_DEFERRED, 450, "later");

	one_that_waits(r);
	drig_stop(r, true);
	r->clock.wall += 3 * hour_us;
	drig_start(r);
	drig_report(r, next_job(r, JOB_ATTEMPT), WHY_ATTEMPT, &later, 1);
	drig_pump(r);
	drig_later(r, 61);
	mem_free(next_job(r, JOB_EXPIRED));
}

static void what_cannot_be_tried_after_a_stop_has_an_end(void **state)
{
	struct drig *r = *state;

	one_that_waits(r);
	drig_stop(r, false);
	r->clock.wall += 3 * hour_us;
	ledger_gate(r->shared.ledger, r->legacy, GATE_DOUBT, true);
	drig_start(r);
	drig_later(r, 3000);
	assert_int_equal(r->jobs, 0);
	drig_later(r, 601);
	mem_free(next_job(r, JOB_EXPIRED));
}

static void what_was_over_before_the_stop_is_over(void **state)
{
	struct drig *r = *state;

	one_that_waits(r);
	ledger_gate(r->shared.ledger, r->legacy, GATE_STOP, true);
	drig_later(r, 3700);
	drig_stop(r, false);
	r->clock.wall += hour_us;
	ledger_gate(r->shared.ledger, r->legacy, GATE_STOP, false);
	drig_start(r);
	mem_free(next_job(r, JOB_EXPIRED));
}

static void a_leg_that_was_down_was_so_whatever_the_clock_says(void **state)
{
	struct drig *r = *state;

	one_that_waits(r);
	suspend(r, true);
	drig_later(r, 3 * 3600);
	suspend(r, false);
	r->clock.wall += 500 * hour_us;
	drig_restart(r, false);
	give_back(r);
	drig_later(r, 61);
	mem_free(next_job(r, JOB_ATTEMPT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_are_written_and_read_again),
		cmocka_unit_test(all_spans_fit),
		T(down_time_survives_a_restart),
		T(a_span_that_lasts_goes_on),
		T(parked_mail_ends_over_restarts),
		T(a_spare_copy_goes_for_space),
		T(frozen_time_is_no_lifetime),
		T(held_and_then_frozen_it_is_as_young_as_before),
		T(a_clock_that_is_set_ends_no_lifetime),
		T(a_clock_that_was_set_back_delays_nothing),
		T(after_a_long_stop_each_is_tried_once_more),
		T(what_cannot_be_tried_after_a_stop_has_an_end),
		T(what_was_over_before_the_stop_is_over),
		T(a_leg_that_was_down_was_so_whatever_the_clock_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
