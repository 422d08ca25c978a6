/* SPDX-License-Identifier: ISC
 *
 * Which stragglers are legitimate, when they are quiet, and marks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/straggler/straggler_marks.h"
#include "relay/base/clock.h"

static void legitimate_is_what_somebody_speaks_for(void **state)
{
	static const struct {
		struct straggler_facts f;
		bool legitimate;
	} rows[] = {
		{{.delivered = 0}, false},
		{{.delivered = 9}, false},
		{{.delivered = 9, .proven = 1}, true},
		{{.listed = true}, false},
		{{.delivered = 1, .listed = true}, true},
		{{.mark = STRAGGLER_KEEP}, true},
		{{.delivered = 9, .proven = 9, .mark = STRAGGLER_IGNORE},
		    false},
		{{.delivered = 1, .listed = true, .mark = STRAGGLER_IGNORE},
		    false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("row %zu\n", i);
		assert_int_equal(straggler_legitimate(&rows[i].f),
		    rows[i].legitimate);
	}
}

static void quiet_waits_twice_the_longest_gap(void **state)
{
	static const struct {
		int gap_days, quiet_days, wait_days;
	} rows[] = {
		{0, 14, 14}, {1, 14, 14}, {7, 14, 14}, {8, 14, 16},
		{28, 14, 56}, {30, 14, 60}, {31, 14, 62}, {40, 14, 62},
		{4000, 14, 62}, {40, 90, 90}, {0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct straggler_facts f = {.last_us = 1000 * DAY_US,
		    .gap_us = rows[i].gap_days * DAY_US};
		int64_t quiet = rows[i].quiet_days * DAY_US;
		int64_t at = f.last_us + rows[i].wait_days * DAY_US;

		print_message("row %zu\n", i);
		assert_int_equal(straggler_quiet_at(&f, quiet), at);
		assert_false(straggler_quiet(&f, quiet, at - 1));
		assert_true(straggler_quiet(&f, quiet, at));
	}
}

static void late_is_who_came_after_the_old_answers(void **state)
{
	struct straggler_facts f = {.first_us = 5 * DAY_US};

	(void)state;
	assert_true(straggler_late(&f, 5 * DAY_US));
	assert_true(straggler_late(&f, 4 * DAY_US));
	assert_false(straggler_late(&f, 5 * DAY_US + 1));
	assert_false(straggler_late(&f, 0));
}

static void marks_have_one_form(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1/32", "192.0.2.1"},
		{"192.0.2.0/24", "192.0.2.0/24"},
		{"192.0.2.1/24", NULL},
		{"2001:DB8:0::1", "2001:db8::1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8::/32", "2001:db8::/32"},
		{".Example.NET", ".example.net"},
		{".", NULL},
		{".a b", NULL},
		{"example.net", NULL},
		{"", NULL},
	};
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strbuf b;
		int rc;

		strbuf_init(&b, STRAGGLER_MARKED_MAX);
		rc = straggler_marked_normal(slice_str(rows[i].in), &b, &why);
		print_message("%s\n", rows[i].in);
		assert_int_equal(rc, rows[i].out == NULL ? -1 : 0);
		if (rows[i].out != NULL)
			assert_string_equal(strbuf_cstr(&b), rows[i].out);
		strbuf_fini(&b);
	}
}

static void the_nearest_mark_counts(void **state)
{
	static const struct {
		const char *about;
		enum straggler_mark mark;
	} marks[] = {
		{"192.0.2.0/24", STRAGGLER_IGNORE},
		{"192.0.2.64/26", STRAGGLER_KEEP},
		{"192.0.2.70", STRAGGLER_IGNORE},
		{".example.net", STRAGGLER_IGNORE},
		{".scan.example.net", STRAGGLER_KEEP},
		{"2001:db8::/32", STRAGGLER_KEEP},
	};
	static const struct {
		const char *client, *name, *about;
	} rows[] = {
		{"192.0.2.1", "", "192.0.2.0/24"},
		{"192.0.2.65", "", "192.0.2.64/26"},
		{"192.0.2.70", "", "192.0.2.70"},
		{"192.0.2.70", "a.scan.example.net", "192.0.2.70"},
		{"192.0.2.1", "a.scan.example.net", "192.0.2.0/24"},
		{"198.51.100.1", "a.scan.example.net", ".scan.example.net"},
		{"198.51.100.1", "scan.example.net", ".scan.example.net"},
		{"198.51.100.1", "b.EXAMPLE.net", ".example.net"},
		{"198.51.100.1", "badexample.net", ""},
		{"198.51.100.1", "", ""},
		{"2001:db8::7", "", "2001:db8::/32"},
		{"unknown", "b.example.net", ".example.net"},
	};
	struct straggler_marks *m = straggler_marks_new();

	(void)state;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		assert_int_equal(straggler_marks_add(m,
		    slice_str(marks[i].about), marks[i].mark,
		    SLICE("a note")), 0);
	assert_int_equal(straggler_marks_add(m, SLICE("junk"), STRAGGLER_KEEP,
	    SLICE("")), -1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct straggler_marked got = straggler_marks_find(m,
		    rows[i].client, rows[i].name);

		print_message("%s %s\n", rows[i].client, rows[i].name);
		assert_string_equal(got.about, rows[i].about);
		assert_string_equal(got.note, rows[i].about[0] != '\0'
		    ? "a note" : "");
		assert_int_equal(got.mark == STRAGGLER_UNMARKED,
		    rows[i].about[0] == '\0');
	}
	straggler_marks_free(m);
	straggler_marks_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(legitimate_is_what_somebody_speaks_for),
		cmocka_unit_test(quiet_waits_twice_the_longest_gap),
		cmocka_unit_test(late_is_who_came_after_the_old_answers),
		cmocka_unit_test(marks_have_one_form),
		cmocka_unit_test(the_nearest_mark_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
