/* SPDX-License-Identifier: ISC
 *
 * Times that an administrator writes, and what is said of those that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay/base/civil.h"
#include "relay/when/when_parse.h"
#include "relay/when/zone_file.h"

static const struct zone *london;

static int setup(void **state)
{
	struct error err;

	*state = arena_new();
	london = zone_load(*state, SLICE("Europe/London"), &err);
	return london == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static const struct {
	const char *text;
	bool zoned; /* Europe/London is given */
	const char *utc;
} times[] = {
    {"2026-12-01T20:00:00Z", false, "2026-12-01T20:00:00Z"},
    {"2026-12-01t20:00:00z", false, "2026-12-01T20:00:00Z"},
    {"2026-12-01T20:00:30+01:00", false, "2026-12-01T19:00:30Z"},
    {"2026-12-01 20:00 -03:30", false, "2026-12-01T23:30:00Z"},
    {"  2026-12-01 20:00+01:00 ", true, "2026-12-01T19:00:00Z"},
    {"2026-12-01 20:00", true, "2026-12-01T20:00:00Z"},
    {"2026-06-01 20:00", true, "2026-06-01T19:00:00Z"},
    {"2026-06-01T20:00:59", true, "2026-06-01T19:00:59Z"},
    {"2028-02-29 00:00", true, "2028-02-29T00:00:00Z"},
    /* an offset says which of the two */
    {"2026-10-25T01:30+01:00", true, "2026-10-25T00:30:00Z"},
    {"2026-10-25T01:30+00:00", true, "2026-10-25T01:30:00Z"},
    /* … and also of a time that London skips */
    {"2026-03-29T01:30Z", true, "2026-03-29T01:30:00Z"},
};

static void a_time_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct error err = {0};
		char text[ZONE_TEXT_MAX];
		int64_t t;

		if (when_parse(slice_str(times[i].text),
			times[i].zoned ? london : NULL, &t, &err) != 0)
			fail_msg("%s: %s", times[i].text, err.text);
		zone_rfc3339(&zone_utc, t, text);
		assert_string_equal(text, times[i].utc);
	}
}

static const struct {
	const char *text, *why;
} refused[] = {
    {"tomorrow", "\"tomorrow\" is not a time; write it as "},
    {"", "is not a time"},
    {"2026-12-01", "is not a time"},
    {"2026-12-01 ", "is not a time"},
    {"2026-12-01 20", "is not a time"},
    {"2026-12-01 20:60", "is not a time"},
    {"2026-12-01 24:00", "is not a time"},
    {"2026-12-01 20:00:60", "is not a time"},
    {"2026-12-01 8:00", "is not a time"},
    {"2026-13-01 20:00", "is not a time"},
    {"2026-02-29 20:00", "is not a time"},
    {"2200-01-01 20:00", "is not a time"},
    {"2026-12-01 20:00+1:00", "is not a time"},
    {"2026-12-01 20:00+24:00", "is not a time"},
    {"2026-12-01 20:00+01:00:00", "is not a time"},
    {"2026-12-01 20:00 UTC", "is not a time"},
    {"2026-12-01x20:00Z", "is not a time"},
    {"2026-03-29 01:30",
	"2026-03-29 01:30 does not exist in "
	"Europe/London, where the clocks go forward; the nearest times are "
	"2026-03-29T00:59:59Z and 2026-03-29T02:00:00+01:00"},
    {"2026-10-25 01:30:01", "2026-10-25 01:30:01 comes twice in "
			    "Europe/London, where the clocks go back; write "
			    "2026-10-25T01:30:01+01:00 for the first or "
			    "2026-10-25T01:30:01Z for the second"},
};

static void what_is_no_time_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct error err = {0};
		int64_t t;

		if (when_parse(slice_str(refused[i].text), london, &t, &err) !=
		    -1)
			fail_msg("%s is taken", refused[i].text);
		if (strstr(err.text, refused[i].why) == NULL)
			fail_msg("%s: %s", refused[i].text, err.text);
	}
}

static void without_a_zone_an_offset_is_needed(void **state)
{
	struct error err;
	int64_t t;

	(void)state;
	assert_int_equal(
	    when_parse(SLICE("2026-12-01 20:00"), NULL, &t, &err), -1);
	assert_non_null(strstr(err.text, "needs a zone or an offset"));
}

static void a_date_is_read(void **state)
{
	struct error err;
	int64_t days;

	(void)state;
	assert_int_equal(when_date(SLICE("2026-12-01"), &days, &err), 0);
	assert_int_equal(days, civil_days(2026, 12, 1));
	assert_int_equal(when_date(SLICE("2026-2-30"), &days, &err), -1);
	assert_string_equal(err.text,
	    "\"2026-2-30\" is not a date; write it as "
	    "\"2026-12-01\" (years 1970 to 2199)");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_time_is_read),
	    cmocka_unit_test(what_is_no_time_is_named),
	    cmocka_unit_test(without_a_zone_an_offset_is_needed),
	    cmocka_unit_test(a_date_is_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
