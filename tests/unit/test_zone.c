/* SPDX-License-Identifier: ISC
 *
 * The reader of TZif files against glibc's, on the files of this system, and
 * on files that are wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "relay/base/clock.h"
#include "relay/base/rng.h"
#include "relay/base/civil.h"
#include "relay/when/tz_rule.h"
#include "relay/when/zone_file.h"

static const char *const zones[] = {"Africa/Cairo", "Africa/Casablanca",
    "Africa/Johannesburg", "Africa/Lagos", "Africa/Monrovia",
    "America/Argentina/Buenos_Aires", "America/Bogota", "America/Caracas",
    "America/Chicago", "America/Denver", "America/Havana",
    "America/Los_Angeles", "America/Mexico_City", "America/New_York",
    "America/Nuuk", "America/Santiago", "America/Sao_Paulo", "America/St_Johns",
    "Antarctica/Troll", "Asia/Dhaka", "Asia/Gaza", "Asia/Hong_Kong",
    "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Pyongyang",
    "Asia/Tehran", "Asia/Tokyo", "Australia/Adelaide", "Australia/Lord_Howe",
    "Australia/Sydney", "Europe/Berlin", "Europe/Dublin", "Europe/Istanbul",
    "Europe/Lisbon", "Europe/London", "Europe/Moscow", "Pacific/Apia",
    "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati", "UTC"};

static int setup(void **state)
{
	*state = arena_new();
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static const struct zone *load(void **state, const char *name)
{
	struct error err = {0};
	const struct zone *z = zone_load(*state, slice_str(name), &err);

	if (z == NULL)
		fail_msg("%s", err.text);
	return z;
}

static void glibc_uses(const char *name)
{
	char tz[ZONE_NAME_MAX + 1];

	snprintf(tz, sizeof(tz), ":%s", name);
	setenv("TZ", tz, 1);
	tzset();
}

static void utc_to_local_is_as_glibc_has_it(void **state)
{
	struct rng_seeded rng;

	rng_seeded_init(&rng, 7);
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		const struct zone *z = load(state, zones[i]);

		glibc_uses(zones[i]);
		for (int n = 0; n < 500; n++) {
			time_t t = (time_t)rng_below(&rng.rng,
			    (uint64_t)civil_days(CIVIL_YEAR_MAX, 12, 31) *
				DAY_S);
			const struct zone_step *s = zone_at(z, t);
			struct tm tm;

			localtime_r(&t, &tm);
			if (tm.tm_gmtoff != s->offset)
				fail_msg("%s %lld: %ld, not %d", zones[i],
				    (long long)t, tm.tm_gmtoff, s->offset);
			assert_string_equal(tm.tm_zone, zone_abbr(z, s));
		}
	}
}

/* All moments that have a local time, by asking glibc for each offset of a
 * quarter of an hour. */
static int glibc_moments(int64_t local_s, int64_t out[2])
{
	int n = 0;

	for (int64_t off = 15 * HOUR_S; off >= -13 * HOUR_S; off -= 900) {
		time_t t = local_s - off;
		struct tm tm;

		localtime_r(&t, &tm);
		if (tm.tm_gmtoff == off && n < 2)
			out[n++] = t;
	}
	return n;
}

static void same_moments(const struct zone *z, int64_t local_s, int count[3])
{
	int64_t want[2], got[2];
	int n = glibc_moments(local_s, want);
	enum zone_times times = zone_moments(z, local_s, got);

	if (times != (enum zone_times)n)
		fail_msg("%s %lld: %d moments, not %d", z->name,
		    (long long)local_s, n, (int)times);
	for (int i = 0; i < n; i++)
		assert_int_equal(want[i], got[i]);
	if (n == 0) { /* the two seconds are beside one change, around it */
		assert_int_equal(got[0] + 1, got[1]);
		assert_true(zone_local(z, got[0]) < local_s);
		assert_true(zone_local(z, got[1]) > local_s);
	}
	count[n]++;
}

/* Random ones, and those around each clock change until 2040. */
static void local_to_utc_is_as_glibc_has_it(void **state)
{
	struct rng_seeded rng;
	int count[3] = {0};
	const int64_t from = civil_days(1980, 1, 1) * DAY_S;

	rng_seeded_init(&rng, 8);
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		const struct zone *z = load(state, zones[i]);

		glibc_uses(zones[i]);
		for (int n = 0; n < 500; n++)
			same_moments(z,
			    from + (int64_t)rng_below(
				       &rng.rng, (uint64_t)200 * 365 * DAY_S),
			    count);
		for (int s = 1; s < z->steps; s++)
			for (int64_t d = -2 * HOUR_S;
			     d <= 2 * HOUR_S && z->step[s].from > from &&
			     z->step[s].from < from + 60 * 365 * (int64_t)DAY_S;
			     d += 900)
				same_moments(z,
				    z->step[s].from + z->step[s].offset + d,
				    count);
	}
	assert_true(count[ZONE_NONE] > 1000);
	assert_true(count[ZONE_TWICE] > 1000);
}

static const struct {
	const char *zone, *local; /* a date and time */
	enum zone_times times;
	const char *first, *second; /* in the zone */
} changes[] = {
    {"Europe/London", "2026-03-29 00:59", ZONE_ONCE, "2026-03-29T00:59:00Z",
	NULL},
    {"Europe/London", "2026-03-29 01:00", ZONE_NONE, "2026-03-29T00:59:59Z",
	"2026-03-29T02:00:00+01:00"},
    {"Europe/London", "2026-03-29 01:59", ZONE_NONE, "2026-03-29T00:59:59Z",
	"2026-03-29T02:00:00+01:00"},
    {"Europe/London", "2026-10-25 01:30", ZONE_TWICE,
	"2026-10-25T01:30:00+01:00", "2026-10-25T01:30:00Z"},
    {"Europe/London", "2026-10-25 02:00", ZONE_ONCE, "2026-10-25T02:00:00Z",
	NULL},
    {"Europe/Dublin", "2026-03-29 01:30", ZONE_NONE, "2026-03-29T00:59:59Z",
	"2026-03-29T02:00:00+01:00"},
    {"Europe/Dublin", "2099-10-25 01:30", ZONE_TWICE,
	"2099-10-25T01:30:00+01:00", "2099-10-25T01:30:00Z"},
    {"Australia/Lord_Howe", "2026-04-05 01:29", ZONE_ONCE,
	"2026-04-05T01:29:00+11:00", NULL},
    {"Australia/Lord_Howe", "2026-04-05 01:45", ZONE_TWICE,
	"2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30"},
    {"Australia/Lord_Howe", "2026-10-04 02:15", ZONE_NONE,
	"2026-10-04T01:59:59+10:30", "2026-10-04T02:30:00+11:00"},
    {"Australia/Lord_Howe", "2026-10-04 02:30", ZONE_ONCE,
	"2026-10-04T02:30:00+11:00", NULL},
};

static void both_changes_of_a_year(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		const struct zone *z = load(state, changes[i].zone);
		struct civil c;
		char text[ZONE_TEXT_MAX];
		int64_t t[2];

		assert_int_equal(
		    civil_read_date(slice_of(changes[i].local, 10), &c), 0);
		assert_int_equal(
		    civil_read_time(slice_str(changes[i].local + 11), true, &c),
		    0);
		assert_int_equal(
		    zone_moments(z, civil_seconds(&c), t), changes[i].times);
		zone_rfc3339(z, t[0], text);
		assert_string_equal(text, changes[i].first);
		if (changes[i].second == NULL)
			continue;
		zone_rfc3339(z, t[1], text);
		assert_string_equal(text, changes[i].second);
	}
}

/* ---- files made here ----------------------------------------------------- */

/* A file of version 3 with one offset, one abbreviation and this footer. */
static struct slice made(char *p, const char *footer)
{
	static const unsigned char counts[24] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4};
	size_t n = 0;

	for (int block = 0; block < 2; block++) {
		memcpy(p + n, "TZif3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
		memcpy(p + n + 20, counts, 24);
		memcpy(p + n + 44, "\0\0\0\0\0\0LMT", 10);
		n += 54;
	}
	return slice_of(p, n + (size_t)sprintf(p + n, "\n%s\n", footer));
}

static const struct {
	const char *footer;
	int64_t utc_s;
	int offset;
	const char *abbr;
} footers[] = {
    {"", 1000000000, 0, "LMT"},
    {"<+0330>-3:30", 1000000000, 12600, "+0330"},
    /* RFC 9636, 3.3.2: daylight saving time all year */
    {"XXX3EDT4,0/0,J365/23", 1000000000, -14400, "EDT"},
    {"XXX3EDT4,0/0,J365/23", 1798761600, -14400, "EDT"},
    /* … and a change a day before the day that the rule counts from */
    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1774742400 + 3599, -7200, "-02"},
    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1774742400 + 3600, -3600, "-01"},
    /* with J, February 29 is not counted; without, it is day 59 */
    {"AAA0BBB,J60/0,J300/0", 1709251199, 0, "AAA"},
    {"AAA0BBB,J60/0,J300/0", 1709251200, 3600, "BBB"},
    {"AAA0BBB,59/0,J300/0", 1709164800, 3600, "BBB"},
    {"AAA0BBB,59/0,J300/0", 1709164799, 0, "AAA"},
};

static void a_footer_says_what_comes_after(void **state)
{
	char file[400];
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(footers); i++) {
		struct zone *z = zone_parse(
		    *state, "made", made(file, footers[i].footer), &err);
		const struct zone_step *s;

		assert_non_null(z);
		s = zone_at(z, footers[i].utc_s);
		if (s->offset != footers[i].offset)
			fail_msg("%s: %d", footers[i].footer, s->offset);
		assert_string_equal(zone_abbr(z, s), footers[i].abbr);
	}
}

static void what_is_no_footer_is_refused(void **state)
{
	static const char *const bad[] = {"GM0", "GMT", "GMT25", "GMT0BST",
	    "GMT0BST,M3.5.0", "GMT0BST,M13.5.0,M10.5.0",
	    "GMT0BST,M3.6.0,M10.5.0", "GMT0BST,M3.5.7,M10.5.0", "GMT0BST,J0,J5",
	    "GMT0BST,366,J5", "GMT0BST,J1/168,J5", "GMT0BST,J1,J5,", "<GMT0",
	    "GMT0:60", "G\nT0"};
	char file[400];
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (zone_parse(*state, "made", made(file, bad[i]), &err) !=
		    NULL)
			fail_msg("%s is taken", bad[i]);
}

static void a_damaged_file_is_refused(void **state)
{
	static const struct {
		size_t at;
		char byte;
		const char *why;
	} bad[] = {{0, 'X', "does not begin"}, {54, 'X', "does not begin"},
	    {54 + 31, 1, "end is missing"}, {54 + 39, 0, "no offset"},
	    {54 + 35, 1, "end is missing"}, {54 + 44, 64, "out of range"},
	    {54 + 49, 4, "out of range"}, {54 + 53, 'X', "out of range"},
	    {54 + 36, 1, "more entries"}, {54 + 40, 1, "more entries"}};
	char file[400];
	struct error err;
	struct slice whole;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		whole = made(file, "");
		file[bad[i].at] = bad[i].byte;
		assert_null(zone_parse(*state, "made", whole, &err));
		if (strstr(err.text, bad[i].why) == NULL)
			fail_msg("%zu: %s", bad[i].at, err.text);
	}
	whole = made(file, "GMT0");
	for (size_t n = 0; n < whole.n; n++)
		assert_null(
		    zone_parse(*state, "made", slice_head(whole, n), &err));
	assert_non_null(zone_parse(*state, "made", whole, &err));
}

static void leap_seconds_are_refused(void **state)
{
	char file[400];
	struct error err;
	struct slice whole = made(file, "GMT0");

	memmove(file + 108 + 12, file + 108, whole.n - 108);
	memset(file + 108, 0, 12);
	file[54 + 31] = 1;
	assert_null(
	    zone_parse(*state, "made", slice_of(file, whole.n + 12), &err));
	assert_non_null(strstr(err.text, "leap seconds"));
}

static void no_name_leads_out_of_the_folder(void **state)
{
	static const char *const bad[] = {"", "/etc/passwd", "../passwd",
	    "Europe/../../x", "Europe//London", "Europe/", "Europe London",
	    "Europe/London\n", "."};
	struct error err;

	assert_true(zone_name_ok(SLICE("America/Port-au-Prince")));
	assert_true(zone_name_ok(SLICE("Etc/GMT+1")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(zone_name_ok(slice_str(bad[i])));
		assert_null(zone_load(*state, slice_str(bad[i]), &err));
	}
	assert_null(zone_load(*state, SLICE("Europe/Londen"), &err));
	assert_string_equal(err.text,
	    "there is no zone \"Europe/Londen\"; "
	    "write a name of /usr/share/zoneinfo, as \"Europe/London\" or "
	    "\"UTC\"");
	assert_null(zone_load(*state, SLICE("Europe"), &err));
	assert_non_null(zone_load_system(*state, &err));
}

static void dates_and_days_are_each_other(void **state)
{
	struct civil before = {1599, 12, 31, 0, 0, 0};

	(void)state;
	for (int64_t d = civil_days(1600, 1, 1); d < civil_days(2400, 1, 1);
	     d++) {
		struct civil c = civil_of_days(d);
		bool next = c.day == before.day + 1;

		assert_int_equal(civil_days(c.year, c.month, c.day), d);
		assert_true(
		    next ? c.month == before.month
			 : c.day == 1 &&
			       before.day ==
				   civil_month_days(before.year, before.month));
		before = c;
	}
	assert_int_equal(civil_days(1970, 1, 1), 0);
	assert_int_equal(civil_weekday(civil_days(2026, 11, 30)), 1);
	assert_int_equal(civil_weekday(-1), 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		utc_to_local_is_as_glibc_has_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		local_to_utc_is_as_glibc_has_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		both_changes_of_a_year, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_footer_says_what_comes_after, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		what_is_no_footer_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_damaged_file_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		leap_seconds_are_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		no_name_leads_out_of_the_folder, setup, teardown),
	    cmocka_unit_test(dates_and_days_are_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
