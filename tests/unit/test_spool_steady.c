/* SPDX-License-Identifier: ISC
 *
 * Ages in the journal: the wall clock is set while it is open and while it is
 * not, and no stamp of a delivery ages by that (relay/spool/steady.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/spool_rig.h"

#define HOUR INT64_C(3600000000)
/* Stamps are as exact as the time that a record waits for its batch, and the
 * rig takes its time. */
#define NEAR INT64_C(120000000)

static int setup(void **state)
{
	struct rig *r = rig_new(12);

	if (!rig_open(r))
		fail_msg("%s", r->err.text);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

/* How old the first message's delivery is, as its reader sees it. */
static int64_t age(struct rig *r)
{
	struct spool_fetch *f = rig_fetch(r, r->m[0].id, false);
	int64_t age_us;

	assert_int_equal(f->status, 0);
	age_us = r->clock.wall - f->delivery[0].created_us;
	spool_fetch_free(f);
	return age_us;
}

static void about(int64_t is, int64_t wanted)
{
	if (is < wanted - NEAR || is > wanted + NEAR)
		fail_msg("%lld s and not %lld s", (long long)is / 1000000,
		    (long long)wanted / 1000000);
}

static void set_clock(struct rig *r, int64_t by_us)
{
	r->clock.wall += by_us;
	spool_look_at_clock(r->spool); /* as the queue thread does */
	rig_pump(r);
}

/* A kill: what was not synced is gone. Returns the rig that goes on. */
static struct rig *killed(struct rig *r)
{
	struct rig *q = rig_over(fakedisk_cut(r->disk, CUT_DROPS_ALL, 1), r);

	rig_free(r);
	if (!rig_open(q))
		fail_msg("%s", q->err.text);
	return q;
}

static void stopped(struct rig *r, int64_t by_us)
{
	rig_close(r);
	r->clock.wall += by_us;
	if (!rig_open(r))
		fail_msg("%s", r->err.text);
}

static void a_clock_that_is_set_ages_nothing(void **state)
{
	static const int64_t by[] = {10 * HOUR, -20 * HOUR, 500 * HOUR};
	struct rig *r = *state;
	int64_t real = HOUR;

	rig_accept(r, 60);
	rig_pump(r);
	clock_fake_step(&r->clock, HOUR);
	for (size_t i = 0; i < ARRAY_LEN(by); i++) {
		set_clock(r, by[i]);
		about(age(r), real);
		stopped(r, 0);
		about(age(r), real);
		set_clock(r, -by[i] / 2);
		*state = r = killed(r);
		about(age(r), real);
		clock_fake_step(&r->clock, HOUR);
		real += HOUR;
		about(age(r), real);
	}
}

static void a_stop_is_measured_by_the_wall_clock(void **state)
{
	struct rig *r = *state;

	rig_accept(r, 60);
	rig_pump(r);
	set_clock(r, 100 * HOUR);
	stopped(r, 5 * HOUR);
	about(age(r), 5 * HOUR);
	about(r->clock.wall - r->start.stopped_us, 5 * HOUR);
	/* … and never backwards. */
	stopped(r, -3 * HOUR);
	about(age(r), 5 * HOUR);
	stopped(r, HOUR);
	about(age(r), 6 * HOUR);
}

/* A delivery written anew beside one that is not: both stay right. */
static void what_is_written_after_a_jump_is_as_old_as_before(void **state)
{
	struct rig *r = *state;

	rig_accept(r, 60);
	rig_pump(r);
	clock_fake_step(&r->clock, HOUR);
	r->clock.wall += 50 * HOUR;
	/* No look at the clock: the batch itself finds it. As the queue, the
	 * rig's record is stamped by the new clock. */
	rig_settle(r, &r->m[0], D_DEFERRED, 0);
	rig_pump(r);
	about(age(r), 0);
	clock_fake_step(&r->clock, HOUR);
	*state = r = killed(r);
	about(age(r), HOUR);
}

static void an_older_journal_is_read_as_it_was(void **state)
{
	struct rig *r = *state;
	struct strbuf fact;

	strbuf_init(&fact, 1024);
	rig_accept(r, 60);
	rig_pump(r);
	assert_false(spool_fact(r->spool, "clock", &fact));
	stopped(r, 7 * HOUR);
	about(age(r), 7 * HOUR);
	assert_false(spool_fact(r->spool, "clock", &fact));
	strbuf_fini(&fact);
}

static void how_long_ago_a_time_was_shown(void **state)
{
	struct rig *r = *state;
	int64_t t0 = r->clock.wall, ahead;

	clock_fake_step(&r->clock, 10 * HOUR);
	about(spool_age_us(r->spool, t0), 10 * HOUR);
	set_clock(r, 240 * HOUR); /* forward for an hour */
	about(spool_age_us(r->spool, t0), 10 * HOUR);
	ahead = r->clock.wall;
	clock_fake_step(&r->clock, HOUR);
	set_clock(r, -240 * HOUR);
	about(spool_age_us(r->spool, t0), 11 * HOUR);
	about(spool_age_us(r->spool, ahead), HOUR);
	stopped(r, 2 * HOUR);
	about(spool_age_us(r->spool, t0), 13 * HOUR);
	about(spool_age_us(r->spool, ahead), 3 * HOUR);
	/* Not yet shown. */
	assert_int_equal(spool_age_us(r->spool, r->clock.wall + 1000 * HOUR),
	    0);
	/* Shown twice: the later time counts. */
	clock_fake_step(&r->clock, 300 * HOUR);
	about(spool_age_us(r->spool, ahead),
	    r->clock.wall - ahead);
}

static void a_clock_that_never_rests_fills_no_journal(void **state)
{
	struct rig *r = *state;
	struct strbuf fact;

	rig_accept(r, 60);
	rig_pump(r);
	for (int i = 0; i < 60; i++)
		set_clock(r, i % 2 ? 1000 * HOUR : -999 * HOUR);
	strbuf_init(&fact, FACT_BYTES);
	assert_true(spool_fact(r->spool, "clock", &fact));
	assert_true(strbuf_ok(&fact));
	strbuf_fini(&fact);
	*state = r = killed(r);
	about(age(r), 0);
}

/* Retained mail and bodies are kept by the same time. */
static void a_jump_gives_no_retained_mail_back(void **state)
{
	struct rig *r = *state;
	struct spool_stats before, after;

	r->spool->c.retain_us = HOUR;
	for (int i = 0; i < 60; i++) {
		struct rig_message *m = rig_accept(r, 3000);

		rig_pump(r);
		rig_settle(r, m, D_DELIVERED, 0);
		rig_pump(r);
	}
	spool_stats(r->spool, &before);
	set_clock(r, 10 * HOUR);
	rig_pump(r);
	spool_stats(r->spool, &after);
	assert_int_equal(after.recycled, before.recycled);
	assert_true(after.segments >= before.segments);
}

/* An hour of the audit index was given up in the second between the jump and
 * the batch that wrote it down. */
static void a_jump_ages_nothing_before_it_is_written_down(void **state)
{
	struct rig *r = *state;
	int64_t t0 = r->clock.wall;

	clock_fake_step(&r->clock, HOUR);
	r->clock.wall += 9600 * HOUR;
	about(spool_age_us(r->spool, t0), HOUR);
	r->clock.wall -= 9600 * HOUR + 10 * HOUR;
	about(spool_age_us(r->spool, t0), HOUR);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_clock_that_is_set_ages_nothing),
	    T(a_stop_is_measured_by_the_wall_clock),
	    T(what_is_written_after_a_jump_is_as_old_as_before),
	    T(an_older_journal_is_read_as_it_was),
	    T(how_long_ago_a_time_was_shown),
	    T(a_jump_ages_nothing_before_it_is_written_down),
	    T(a_clock_that_never_rests_fills_no_journal),
	    T(a_jump_gives_no_retained_mail_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
