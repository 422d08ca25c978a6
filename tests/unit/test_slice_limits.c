/* SPDX-License-Identifier: ISC
 *
 * Blackouts and the limit of an hour together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/when/blackout_load.h"
#include "relay/when/slice_limits.h"
#include "relay/when/when_parse.h"

static int64_t at(const char *text)
{
	struct error err;
	int64_t t;

	assert_int_equal(when_parse(slice_str(text), &zone_utc, &t, &err), 0);
	return t;
}

static void both_limits_hold(void **state)
{
	char *text[] = {(char *)"Mon-Fri 07:00-19:00 UTC"};
	struct blackout_texts texts = {text, 1, NULL};
	struct slice_limits limits = {.per_hour = 1000};
	struct arena *a = arena_new();
	struct error err;
	struct hour_slice slice[] = {{at("2026-12-02 06:30"), 900}};
	struct slice_log log = {slice, 1}, nothing = {NULL, 0};
	struct slice_turn turn;

	(void)state;
	assert_int_equal(blackouts_load(a, &texts, &limits.blackouts, &err), 0);
	turn = slice_turn(&limits, &log, at("2026-12-02 06:45"), 100);
	assert_int_equal(turn.wait, SLICE_NOW);
	assert_int_equal(turn.at_s, at("2026-12-02 06:45"));
	/* room comes at 07:30, which is inside the blackout */
	turn = slice_turn(&limits, &log, at("2026-12-02 06:45"), 101);
	assert_int_equal(turn.wait, SLICE_PER_HOUR);
	assert_int_equal(turn.at_s, at("2026-12-02 19:00"));
	turn = slice_turn(&limits, &nothing, at("2026-12-02 07:00"), 101);
	assert_int_equal(turn.wait, SLICE_BLACKOUT);
	assert_int_equal(turn.at_s, at("2026-12-02 19:00"));
	assert_string_equal(turn.blackout->text, text[0]);
	/* the clock jumped back: an hour after the last slice, outside */
	slice[0].at_s = at("2026-12-02 18:30");
	turn = slice_turn(&limits, &log, at("2026-12-02 18:00"), 101);
	assert_int_equal(turn.wait, SLICE_BLACKOUT);
	assert_int_equal(turn.at_s, at("2026-12-02 19:30"));
	turn = slice_turn(&limits, &nothing, at("2026-12-02 20:00"), 1001);
	assert_int_equal(turn.wait, SLICE_NEVER);
	limits.per_hour = 0;
	turn = slice_turn(&limits, &nothing, at("2026-12-02 20:00"), 1001);
	assert_int_equal(turn.wait, SLICE_NOW);
	arena_free(a);
}

static void a_week_without_a_gap_is_refused(void **state)
{
	char *text[] = {(char *)"Mon-Thu", (char *)"Fri-Sun"};
	struct blackout_texts texts = {text, 2, &zone_utc};
	struct slice_limits limits = {.per_hour = 0};
	struct slice_log nothing = {NULL, 0};
	struct arena *a = arena_new();
	struct error err;

	(void)state;
	assert_int_equal(
	    blackouts_load(a, &texts, &limits.blackouts, &err), -1);
	assert_non_null(strstr(err.text, "leave no moment"));
	assert_int_equal(slice_turn(&limits, &nothing, 0, 1).wait, SLICE_NEVER);
	text[1] = (char *)"Fri-Sat Europe/Londen";
	assert_int_equal(
	    blackouts_load(a, &texts, &limits.blackouts, &err), -1);
	assert_non_null(strstr(err.text, "there is no zone \"Europe/Londen\""));
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_limits_hold),
	    cmocka_unit_test(a_week_without_a_gap_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
