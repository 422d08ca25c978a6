/* SPDX-License-Identifier: ISC
 *
 * A calendar gives dated waves until all members have one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay/when/calendar.h"
#include "relay/base/civil.h"
#include "relay/when/zone_file.h"

enum { WAVES = 200 };

static struct arena *arena;
static const struct blackouts none;

static int setup(void **state)
{
	*state = arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static const struct zone *zone(const char *name)
{
	struct error err;
	const struct zone *z = zone_load(arena, slice_str(name), &err);

	assert_non_null(z);
	return z;
}

static struct calendar calendar(const char *text)
{
	struct calendar c;
	struct error err;

	if (calendar_parse(slice_str(text), &c, &err) != 0)
		fail_msg("%s", err.text);
	return c;
}

/* The number of waves, or -1. */
static int waves(const struct calendar *c, const struct calendar_when *when,
    uint64_t members, struct calendar_wave w[WAVES], struct error *err)
{
	struct calendar_list list = {w, WAVES, 0};

	return calendar_waves(c, when, members, &list, err) == 0 ? list.count
								 : -1;
}

static void same_wave(
    const struct calendar_wave *w, const char *utc, uint32_t size)
{
	char text[ZONE_TEXT_MAX];

	zone_rfc3339(&zone_utc, w->at_s, text);
	assert_string_equal(text, utc);
	assert_int_equal(w->size, size);
}

static void waves_follow_the_week(void **state)
{
	struct calendar c = calendar("Fri 20:00 83000,  Tue-Thu 20:00 22000");
	int64_t skip = civil_days(2026, 12, 9);
	struct calendar_when when = {
	    zone("Europe/London"), civil_days(2026, 12, 2), &skip, 1, &none};
	struct calendar_wave w[WAVES];
	struct error err;
	int n = waves(&c, &when, 200000, w, &err);

	(void)state;
	assert_int_equal(n, 6);
	same_wave(&w[0], "2026-12-02T20:00:00Z", 22000);
	same_wave(&w[1], "2026-12-03T20:00:00Z", 22000);
	same_wave(&w[2], "2026-12-04T20:00:00Z", 83000);
	same_wave(&w[3], "2026-12-08T20:00:00Z", 22000);
	same_wave(&w[4], "2026-12-10T20:00:00Z", 22000);
	same_wave(&w[5], "2026-12-11T20:00:00Z", 83000);
	/* 171,000 fit into five; one more wants the sixth */
	assert_int_equal(waves(&c, &when, 171000, w, &err), 5);
	assert_int_equal(waves(&c, &when, 171001, w, &err), 6);
	assert_int_equal(waves(&c, &when, 0, w, &err), 0);
}

static void the_time_stays_on_the_wall_clock(void **state)
{
	struct calendar c = calendar("Sat 20:00 5, Sat 06:00 3");
	struct calendar_when when = {
	    zone("Europe/London"), civil_days(2026, 3, 28), NULL, 0, &none};
	struct calendar_wave w[WAVES];
	struct error err;

	(void)state;
	assert_int_equal(waves(&c, &when, 14, w, &err), 4);
	same_wave(&w[0], "2026-03-28T06:00:00Z", 3);
	same_wave(&w[1], "2026-03-28T20:00:00Z", 5);
	same_wave(&w[2], "2026-04-04T05:00:00Z", 3);
	same_wave(&w[3], "2026-04-04T19:00:00Z", 5);
	assert_int_equal(w[3].day, civil_days(2026, 4, 4));
}

/* No calendar for a thousand members from 2026-03-25. */
static const struct {
	const char *calendar, *blackout, *why;
} refused[] = {
    {"Sun 01:30 100", NULL,
	"2026-03-29 01:30 does not exist in "
	"Europe/London, where the clocks go forward; the nearest times are "
	"2026-03-29T00:59:59Z and 2026-03-29T02:00:00+01:00; leave that "
	"date out with --skip 2026-03-29"},
    {"Fri 20:00 100", "Fri 19:00-21:00",
	"2026-03-27 20:00 GMT is inside "
	"the blackout \"Fri 19:00-21:00\"; leave that date out with --skip "
	"2026-03-27"},
    {"Mon-Sun 20:00 4", NULL, "more than 200 waves"},
    {"Sat 12:00 1", NULL, "more than 200 waves"},
};

static void what_cannot_be_is_said_with_its_date(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct calendar c = calendar(refused[i].calendar);
		struct blackout b = {0};
		struct blackouts list = {&b, refused[i].blackout != NULL};
		struct calendar_when when = {zone("Europe/London"),
		    civil_days(2026, 3, 25), NULL, 0, &list};
		struct calendar_wave w[WAVES];
		struct slice name;
		struct error err = {0};

		if (list.count > 0) {
			assert_int_equal(
			    blackout_parse(slice_str(refused[i].blackout), &b,
				&name, &err),
			    0);
			b.text = refused[i].blackout;
			b.zone = when.zone;
		}
		assert_int_equal(waves(&c, &when, 1000, w, &err), -1);
		if (strstr(err.text, refused[i].why) == NULL)
			fail_msg("%s", err.text);
	}
}

static void a_calendar_ends_after_ten_years(void **state)
{
	struct calendar c = calendar("Tue 20:00 1");
	static struct calendar_wave w[CALENDAR_WAVES_MAX];
	struct calendar_list list = {w, CALENDAR_WAVES_MAX, 0};
	struct calendar_when when = {
	    &zone_utc, civil_days(2026, 3, 25), NULL, 0, &none};
	struct error err = {0};

	(void)state;
	assert_int_equal(calendar_waves(&c, &when, 522, &list, &err), 0);
	assert_int_equal(list.count, 522);
	assert_int_equal(calendar_waves(&c, &when, 600, &list, &err), -1);
	assert_non_null(strstr(err.text, "10 years"));
}

static void what_is_no_calendar_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
	    {"", "is not a part of a calendar"},
	    {"Tue", "\"Tue\" is not a part of a calendar; write days"},
	    {"Tue 20:00", "is not a part"},
	    {"Tue 20:00 0", "is not a part"},
	    {"Tue 20:00 22,000", "is not a part"},
	    {"Tue 20:00 22000 x", "is not a part"},
	    {"Tue 20:00 1,,Fri 20:00 1", "\"\" is not a part"},
	    {"Tuesday 20:00 5", "is not a part"},
	    {"Tue-Thx 20:00 5", "is not a part"},
	    {"Tue 20:00:00 5", "is not a part"},
	    {"Mon-Wed 20:00 5, Wed-Fri 20:00 6", "two waves on Wed at 20:00"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct calendar c;
		struct error err = {0};

		if (calendar_parse(slice_str(bad[i].text), &c, &err) == 0)
			fail_msg("%s is taken", bad[i].text);
		if (strstr(err.text, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].text, err.text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(waves_follow_the_week),
	    cmocka_unit_test(the_time_stays_on_the_wall_clock),
	    cmocka_unit_test(what_cannot_be_is_said_with_its_date),
	    cmocka_unit_test(a_calendar_ends_after_ten_years),
	    cmocka_unit_test(what_is_no_calendar_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
