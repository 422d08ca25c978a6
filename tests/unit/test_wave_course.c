/* SPDX-License-Identifier: ISC
 *
 * The course of a wave through blackouts, pauses and the limit of an hour.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "policy/wave/wave_course.h"
#include "relay/base/clock.h"
#include "relay/when/blackout_load.h"
#include "relay/when/when_parse.h"

static struct arena *arena;
static struct wave_options options;
static struct slice_limits limits;
static struct wave_course course;

static int setup(void **state)
{
	*state = arena = arena_new();
	options = wave_options_default();
	limits = (struct slice_limits){.per_hour = 0};
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static int64_t at(const char *text)
{
	struct error err;
	int64_t t;

	assert_int_equal(when_parse(slice_str(text), &zone_utc, &t, &err), 0);
	return t * 1000000;
}

static void blackout(const char *text)
{
	char *one = arena_strdup(arena, text);
	struct blackout_texts texts = {&one, 1, &zone_utc};
	struct error err;

	assert_int_equal(
	    blackouts_load(arena, &texts, &limits.blackouts, &err), 0);
}

static void run(uint64_t members, const char *from)
{
	const struct course_of of = {.options = &options,
	    .limits = &limits,
	    .members = members,
	    .from_us = at(from)};

	wave_course(&of, &course);
}

static void slices_follow_their_pauses(void **state)
{
	(void)state;
	options.pause_s = 300;
	run(2500, "2026-12-01 20:00");
	assert_int_equal(course.slices, 3);
	assert_int_equal(course.parts, 1);
	assert_int_equal(course.part[0].members, 2500);
	assert_true(course.part[0].to_us == at("2026-12-01 20:10"));
	assert_true(course.end_us == at("2026-12-01 20:10"));
	assert_int_equal(course.part[0].wait, WAVE_WAIT_NONE);
}

static void a_blackout_parts_them(void **state)
{
	(void)state;
	options.pause_s = 3600;
	blackout("Mon-Fri 07:00-19:00");
	run(14000, "2026-12-01 20:00");
	assert_int_equal(course.slices, 14);
	assert_int_equal(course.parts, 2);
	assert_int_equal(course.part[0].slices, 11); /* 20:00 to 06:00 */
	assert_true(course.part[0].to_us == at("2026-12-02 06:00"));
	assert_int_equal(course.part[0].wait, WAVE_WAIT_BLACKOUT);
	assert_true(course.part[0].until_us == at("2026-12-02 19:00"));
	assert_true(course.part[1].from_us == at("2026-12-02 19:00"));
	assert_true(course.end_us == at("2026-12-02 21:00"));
}

static void an_hour_has_its_limit(void **state)
{
	struct hour_slice before = {at("2026-12-01 19:30") / 1000000, 2500};
	struct course_of of = {.options = &options,
	    .limits = &limits,
	    .members = 6000,
	    .from_us = at("2026-12-01 20:00"),
	    .log = {&before, 1}};

	(void)state;
	limits.per_hour = 3000;
	wave_course(&of, &course);
	/* 500 are free: too few for a slice until 20:30 */
	assert_int_equal(course.part[0].slices, 0);
	assert_int_equal(course.part[0].wait, WAVE_WAIT_HOUR);
	assert_true(course.part[1].from_us == at("2026-12-01 20:30"));
	assert_int_equal(course.part[1].slices, 3);
	assert_true(course.part[2].from_us == at("2026-12-01 21:30"));
	assert_int_equal(course.slices, 6);
	assert_true(course.end_us == at("2026-12-01 21:30"));
}

static void a_slice_takes_its_time(void **state)
{
	struct course_of of = {.options = &options,
	    .limits = &limits,
	    .members = 3000,
	    .from_us = at("2026-12-01 20:00"),
	    .slice_us = 2000000};

	(void)state;
	wave_course(&of, &course);
	assert_true(course.end_us == at("2026-12-01 20:00:06"));
}

static void without_a_gap_it_never_ends(void **state)
{
	struct blackout always = {"always", &zone_utc, 0x7f, 0, 86400};

	(void)state;
	limits.blackouts = (struct blackouts){&always, 1};
	run(10, "2026-12-01 20:00");
	assert_true(course.end_us == INT64_MAX);
	assert_int_equal(course.slices, 0);
}

static void more_parts_than_there_is_room_for(void **state)
{
	(void)state;
	limits.per_hour = 1000;
	run(1000 * (COURSE_PARTS + 50), "2026-12-01 20:00");
	assert_true(course.cut);
	assert_int_equal(course.parts, COURSE_PARTS);
	assert_int_equal(course.slices, COURSE_PARTS + 50);
	assert_int_equal(course.part[COURSE_PARTS - 1].slices, 51);
	run(0, "2026-12-01 20:00");
	assert_int_equal(course.parts, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		slices_follow_their_pauses, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_blackout_parts_them, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		an_hour_has_its_limit, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_slice_takes_its_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		without_a_gap_it_never_ends, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		more_parts_than_there_is_room_for, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
