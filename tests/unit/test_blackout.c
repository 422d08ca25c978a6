/* SPDX-License-Identifier: ISC
 *
 * When a blackout holds, when it ends, when the next one begins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/when/blackout.h"
#include "relay/when/when_parse.h"
#include "relay/when/zone_file.h"

static struct arena *arena;

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

static void make(const char *text, struct blackout *b)
{
	struct slice zone;
	struct error err;

	if (blackout_parse(slice_str(text), b, &zone, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	b->text = text;
	b->zone = zone.n == 0 ? &zone_utc : zone_load(arena, zone, &err);
	assert_non_null(b->zone);
}

static int64_t at(const char *text)
{
	struct error err;
	int64_t t;

	if (when_parse(slice_str(text), &zone_utc, &t, &err) != 0)
		fail_msg("%s", err.text);
	return t;
}

/* At this time the blackout holds until then (NULL: it does not hold). Where it
 * holds it does not at its end, and a second before that it does. */
static const struct {
	const char *text, *at, *until;
} held[] = {
    {"Mon 07:00-Fri 19:00", "2026-11-30 06:59:59", NULL},
    {"Mon 07:00-Fri 19:00", "2026-11-30 07:00", "2026-12-04 19:00"},
    {"Mon 07:00-Fri 19:00", "2026-12-02 03:00", "2026-12-04 19:00"},
    {"Mon 07:00-Fri 19:00", "2026-12-05 12:00", NULL},
    {"Fri 19:00-Mon 07:00", "2026-12-05 12:00", "2026-12-07 07:00"},
    {"Fri 19:00-Mon 07:00", "2026-12-02 12:00", NULL},
    {"Mon 19:00-Mon 07:00", "2026-12-02 12:00", "2026-12-07 07:00"},
    {"Mon 19:00-Mon 07:00", "2026-11-30 12:00", NULL},
    {"Mon 07:00-Mon 19:00", "2026-11-30 12:00", "2026-11-30 19:00"},
    {"Mon-Fri 07:00-19:00", "2026-12-02 12:00", "2026-12-02 19:00"},
    {"Mon-Fri 07:00-19:00", "2026-12-02 20:00", NULL},
    {"Fri-Mon 07:00-19:00", "2026-12-06 12:00", "2026-12-06 19:00"},
    {"Fri-Mon 07:00-19:00", "2026-12-02 12:00", NULL},
    {"Tue 22:00-02:00", "2026-12-02 01:00", "2026-12-02 02:00"},
    {"Sat-Sun", "2026-12-06 23:59:59", "2026-12-07 00:00"},
    {"Sat-Sun", "2026-12-04 23:59:59", NULL},
    {"wed", "2026-12-02 00:00", "2026-12-03 00:00"},
    {"2026-12-24-2027-01-02", "2026-12-24 00:00", "2027-01-03 00:00"},
    {"2026-12-24-2027-01-02", "2026-12-23 23:59:59", NULL},
    {"2026-12-25", "2026-12-25 12:00", "2026-12-26 00:00"},
    {"2026-12-24 18:00-2026-12-27 06:00", "2026-12-24 18:00",
	"2026-12-27 06:00"},
    {"2026-12-24 18:00-2026-12-27 06:00", "2026-12-24 17:59", NULL},
    /* Spans are on the wall clock. */
    {"Mon-Fri 07:00-19:00 Europe/London", "2026-07-01 06:00",
	"2026-07-01 18:00"},
    {"Mon-Fri 07:00-19:00 Europe/London", "2026-07-01 05:59", NULL},
    {"Fri 19:00-Mon 07:00 Europe/London", "2026-03-28 12:00",
	"2026-03-30 06:00"},
    {"Fri 19:00-Mon 07:00 Europe/London", "2026-10-24 12:00",
	"2026-10-26 07:00"},
    {"2026-03-28-2026-03-29 Europe/London", "2026-03-29 22:59:59",
	"2026-03-29 23:00"},
    /* It begins at a time that is skipped: at the change. */
    {"Sun 01:30-05:00 Europe/London", "2026-03-29 01:00", "2026-03-29 04:00"},
    {"Sun 01:30-05:00 Europe/London", "2026-03-29 00:59:59", NULL},
    /* It begins, or ends, at a time that comes twice: the longer one. */
    {"Sun 01:30-05:00 Europe/London", "2026-10-25 00:30", "2026-10-25 05:00"},
    {"Sat 12:00-Sun 01:30 Europe/London", "2026-10-25 01:29",
	"2026-10-25 01:30"},
    /* It ends at a time that is skipped: at the change. */
    {"Sat 12:00-Sun 01:30 Europe/London", "2026-03-29 00:59:59",
	"2026-03-29 01:00"},
    {"Sun 02:00-02:15 Australia/Lord_Howe", "2026-10-03 15:30", NULL},
    /* The day there is another one than here. */
    {"Mon Pacific/Kiritimati", "2026-11-29 10:00", "2026-11-30 10:00"},
    {"Mon Pacific/Kiritimati", "2026-11-29 09:59:59", NULL},
};

static void a_blackout_holds_until_its_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		struct blackout b;
		struct blackouts list = {&b, 1};
		int64_t t = at(held[i].at), free_s;
		bool holds;

		make(held[i].text, &b);
		holds = blackouts_at(&list, t, &free_s) != NULL;
		if (holds != (held[i].until != NULL))
			fail_msg("%s at %s", held[i].text, held[i].at);
		if (!holds)
			continue;
		if (free_s != at(held[i].until))
			fail_msg("%s at %s: until %lld", held[i].text,
			    held[i].at, (long long)free_s);
		assert_null(blackouts_at(&list, free_s, &t));
		assert_non_null(blackouts_at(&list, free_s - 1, &t));
	}
}

static void blackouts_that_meet_are_one(void **state)
{
	struct blackout b[3];
	struct blackouts list = {b, 3};
	int64_t free_s;

	(void)state;
	make("Mon-Thu 07:00-19:00", &b[0]);
	make("2026-12-02 19:00-2026-12-03 08:00", &b[1]);
	make("Thu 18:00-Fri 09:00", &b[2]);
	assert_ptr_equal(
	    blackouts_at(&list, at("2026-12-02 12:00"), &free_s), &b[0]);
	assert_int_equal(free_s, at("2026-12-04 09:00"));
	assert_ptr_equal(
	    blackouts_at(&list, at("2026-12-02 20:00"), &free_s), &b[1]);
}

static void blackouts_without_a_gap_have_no_end(void **state)
{
	struct blackout b[2];
	struct blackouts list = {b, 2};
	int64_t free_s;

	(void)state;
	make("Mon 00:00-Fri 19:00 Europe/London", &b[0]);
	make("Fri 19:00-Mon 00:00 Europe/London", &b[1]);
	assert_non_null(blackouts_at(&list, at("2026-12-02 12:00"), &free_s));
	assert_int_equal(free_s, INT64_MAX);
}

static void the_next_one_is_known(void **state)
{
	struct blackout b[2];
	struct blackouts list = {b, 2};

	(void)state;
	make("Mon-Thu 07:00-19:00 Europe/London", &b[0]);
	make("2026-12-05", &b[1]);
	assert_int_equal(blackouts_next(&list, at("2026-12-03 06:59:59")),
	    at("2026-12-03 07:00"));
	assert_int_equal(blackouts_next(&list, at("2026-12-03 07:00")),
	    at("2026-12-05 00:00"));
	assert_int_equal(blackouts_next(&list, at("2026-12-05 00:00")),
	    at("2026-12-07 07:00"));
	/* the week in which the clocks go forward */
	assert_int_equal(blackouts_next(&list, at("2026-03-27 12:00")),
	    at("2026-03-30 06:00"));
	list.item = &b[1];
	list.count = 1;
	assert_int_equal(
	    blackouts_next(&list, at("2026-12-05 00:00")), INT64_MAX);
	list.count = 0;
	assert_int_equal(blackouts_next(&list, 0), INT64_MAX);
}

static void what_is_no_blackout_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
	    {"", "is not a time of the week"},
	    {"Mon 07:00", "is not a time"},
	    {"Mon 07:00-Fri", "is not a time"},
	    {"Mon 7:00-Fri 19:00", "is not a time"},
	    {"Mon 07:00-Fri 24:00", "is not a time"},
	    {"Mon-Tue 07:00-Fri 19:00", "is not a time"},
	    {"Mon 07:00-Fri 19:00 ../passwd", "is not a time"},
	    {"Mon 07:00-Fri 19:00Europe/London", "is not a time"},
	    {"Monday 07:00-19:00", "is not a time"},
	    {"2026-12-24 18:00", "is not a time"},
	    {"2026-12-24 18:00-2026-12-27", "is not a time"},
	    {"2026-12-24-2026-12-27 06:00", "is not a time"},
	    {"2026-02-30", "is not a time"},
	    {"Mon 07:00-Mon 07:00", "ends when it begins"},
	    {"Mon-Fri 07:00-07:00", "ends when it begins"},
	    {"2026-12-24-2026-12-23", "ends when it begins"},
	    {"2026-12-24 07:00-2026-12-24 07:00", "ends when it begins"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct blackout b;
		struct slice zone;
		struct error err = {0};

		if (blackout_parse(slice_str(bad[i].text), &b, &zone, &err) ==
		    0)
			fail_msg("%s is taken", bad[i].text);
		if (strstr(err.text, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].text, err.text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_blackout_holds_until_its_end),
	    cmocka_unit_test(blackouts_that_meet_are_one),
	    cmocka_unit_test(blackouts_without_a_gap_have_no_end),
	    cmocka_unit_test(the_next_one_is_known),
	    cmocka_unit_test(what_is_no_blackout_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
