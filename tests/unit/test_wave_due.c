/* SPDX-License-Identifier: ISC
 *
 * wave_due(): what a wave does next, and what it waits for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/wave/wave_due.h"
#include "relay/base/mem.h"

#define S INT64_C(1000000)
#define NOW (INT64_C(1800000000) * S)

static struct wave_due due(const struct wave_moment *m, int64_t slice,
    int64_t pause_s)
{
	struct wave_options o = wave_options_default();
	static const struct slice_limits none;
	struct wave_moment at = *m;

	if (at.limits == NULL)
		at.limits = &none;
	o.slice = (uint64_t)slice;
	o.pause_s = pause_s;
	at.options = &o;
	at.now_us = NOW;
	return wave_due(&at);
}

static void assert_waits(struct wave_due d, enum wave_wait wait, int64_t us)
{
	assert_int_equal(d.step, WAVE_WAIT);
	assert_int_equal(d.wait, wait);
	assert_int_equal(d.until_us, us);
}

static void assert_slice(struct wave_due d, uint64_t limit)
{
	assert_int_equal(d.step, WAVE_MAKE_SLICE);
	assert_int_equal(d.limit, limit);
}

static void a_schedule_is_kept_or_paused(void **state)
{
	struct wave_moment m = {.state = WAVE_SCHEDULED, .pending = 5};

	(void)state;
	m.at_us = NOW + 1;
	assert_waits(due(&m, 10, 0), WAVE_WAIT_TIME, NOW + 1);
	m.at_us = NOW;
	assert_int_equal(due(&m, 10, 0).step, WAVE_BEGIN);
	m.at_us = NOW - 15 * 60 * S;
	assert_int_equal(due(&m, 10, 0).step, WAVE_BEGIN);
	m.at_us--;
	assert_int_equal(due(&m, 10, 0).step, WAVE_LATE);
}

static void only_a_running_wave_does_something(void **state)
{
	(void)state;
	for (int s = 0; s < WAVE_STATES; s++) {
		struct wave_moment m = {.state = (enum wave_state)s,
		    .pending = 5, .at_us = NOW + S};
		enum wave_step step = due(&m, 10, 0).step;

		assert_int_equal(step, s == WAVE_RUNNING     ? WAVE_MAKE_SLICE
				       : s == WAVE_SCHEDULED ? WAVE_WAIT
							     : WAVE_NOTHING);
	}
}

static void the_newest_slice_is_watched_before_the_next(void **state)
{
	static const struct {
		enum wave_watch watch;
		enum wave_step running, paused;
	} cases[] = {
	    {WATCH_OFF, WAVE_MAKE_SLICE, WAVE_NOTHING},
	    {WATCH_DUE, WAVE_SOAK, WAVE_NOTHING},
	    {WATCH_SOAKS, WAVE_WAIT, WAVE_NOTHING},
	    {WATCH_PASSED, WAVE_SOAKED, WAVE_NOTHING},
	    {WATCH_STOPS, WAVE_BRAKE, WAVE_NOTHING},
	    {WATCH_UNTOLD, WAVE_BRAKE_TELL, WAVE_BRAKE_TELL},
	    {WATCH_BACK, WAVE_TAKE_BACK, WAVE_TAKE_BACK},
	};
	struct wave_moment m = {.pending = 5, .watch_us = NOW + 9 * S};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		m.watch = cases[i].watch;
		m.state = WAVE_RUNNING;
		assert_int_equal(due(&m, 10, 0).step, cases[i].running);
		m.state = WAVE_PAUSED;
		assert_int_equal(due(&m, 10, 0).step, cases[i].paused);
	}
	m.state = WAVE_RUNNING;
	m.watch = WATCH_SOAKS;
	m.pending = 0; /* the last slice soaks as well */
	assert_waits(due(&m, 10, 0), WAVE_WAIT_SOAK, NOW + 9 * S);
	/* Held members come first, but not before a stop. */
	m.held = 1;
	assert_int_equal(due(&m, 10, 0).wait, WAVE_WAIT_HELD);
	m.watch = WATCH_STOPS;
	assert_int_equal(due(&m, 10, 0).step, WAVE_BRAKE);
}

static void slices_have_a_pause_between(void **state)
{
	struct wave_moment m = {.state = WAVE_RUNNING, .pending = 25};

	(void)state;
	assert_slice(due(&m, 10, 60), 10);
	m.last_us = NOW - 60 * S;
	assert_slice(due(&m, 10, 60), 10);
	m.last_us = NOW - 59 * S;
	assert_waits(due(&m, 10, 60), WAVE_WAIT_PAUSE, NOW + S);
	/* The clock was set back by a day. */
	m.last_us = NOW + 86400 * S;
	assert_waits(due(&m, 10, 60), WAVE_WAIT_PAUSE, NOW + 60 * S);
	m.last_us = 0;
	m.pending = 3;
	assert_slice(due(&m, 10, 60), 3);
	m.pending = 0;
	assert_int_equal(due(&m, 10, 60).step, WAVE_FINISH);
}

/* NOW is 2027-01-15 08:00:00 UTC, a Friday. */
static void no_slice_begins_in_a_blackout(void **state)
{
	const struct blackout night = {.text = "Fri 07:00-09:00",
	    .zone = &zone_utc, .days = 1 << 5, .begin_s = 7 * 3600,
	    .length_s = 2 * 3600};
	struct slice_limits limits = {.blackouts = {&night, 1}};
	struct wave_moment m = {.state = WAVE_RUNNING, .pending = 25,
	    .limits = &limits};
	struct wave_due d = due(&m, 10, 0);

	(void)state;
	assert_waits(d, WAVE_WAIT_BLACKOUT, NOW + 3600 * S);
	assert_ptr_equal(d.blackout, &night);
	m.pending = 0;
	assert_int_equal(due(&m, 10, 0).step, WAVE_FINISH);
	limits.blackouts.count = 0;
	m.pending = 25;
	assert_slice(due(&m, 10, 0), 10);
}

static void all_waves_share_the_hour(void **state)
{
	const struct hour_slice lately[] = {
	    {NOW / S - 3000, 40}, {NOW / S - 1000, 50}, {NOW / S - 10, 5}};
	const struct slice_limits limits = {.per_hour = 100};
	struct wave_moment m = {.state = WAVE_RUNNING, .pending = 1000,
	    .limits = &limits, .log = {lately, 3}};

	(void)state;
	assert_slice(due(&m, 5, 0), 5);
	assert_waits(due(&m, 6, 0), WAVE_WAIT_HOUR, NOW + 600 * S);
	assert_waits(due(&m, 46, 0), WAVE_WAIT_HOUR, NOW + 2600 * S);
	/* Larger than the hour: it is cut, and waits for a whole one. */
	assert_waits(due(&m, 500, 0), WAVE_WAIT_HOUR, NOW + 3590 * S);
	m.log.slices = 0;
	assert_slice(due(&m, 500, 0), 100);
	m.log.slices = 3;
	m.pending = 5;
	assert_slice(due(&m, 500, 0), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_schedule_is_kept_or_paused),
	    cmocka_unit_test(only_a_running_wave_does_something),
	    cmocka_unit_test(the_newest_slice_is_watched_before_the_next),
	    cmocka_unit_test(slices_have_a_pause_between),
	    cmocka_unit_test(no_slice_begins_in_a_blackout),
	    cmocka_unit_test(all_waves_share_the_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
