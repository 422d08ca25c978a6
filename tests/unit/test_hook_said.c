/* SPDX-License-Identifier: ISC
 *
 * The output of a program of hook.on_watermark, and when it is asked again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/cutover/watermark/hook_said.h"

enum { NO = HOOK_SAYS_NOTHING, SYNCED = HOOK_SAYS_SYNCED,
	FAILED = HOOK_SAYS_FAILED, MANY = 300 };

static bool is(struct slice s, const char *text)
{
	return slice_eq(s, slice_str(text));
}

static void a_line_is_a_report_or_none(void **state)
{
	static const struct {
		const char *line;
		int word;
		const char *address, *why;
	} cases[] = {
		{ "ann@example.com synced", SYNCED, "ann@example.com", "" },
		{ "  ann@example.com  synced ", SYNCED, "ann@example.com", "" },
		{ "ann@example.com failed no quota left", FAILED,
		    "ann@example.com", "no quota left" },
		{ "ann@example.com failed", FAILED, "ann@example.com", "" },
		{ "ann@example.com failed synced", FAILED, "ann@example.com",
		    "synced" },
		{ "ann@example.com synced not", NO, "", "" },
		{ "ann@example.com failedly", NO, "", "" },
		{ "ann@example.com SYNCED", NO, "", "" },
		{ "ann@example.com", NO, "", "" },
		{ "synced", NO, "", "" },
		{ "ann@example.com\tsynced", NO, "", "" },
		{ "", NO, "", "" },
		{ "   ", NO, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hook_report r = hook_report_read(
		    slice_str(cases[i].line));

		print_message("%s\n", cases[i].line);
		assert_int_equal(r.word, cases[i].word);
		assert_true(is(r.address, cases[i].address));
		assert_true(is(r.why, cases[i].why));
	}
}

static void a_reason_and_a_line_have_an_end(void **state)
{
	struct hook_report r;
	struct strbuf line;

	(void)state;
	strbuf_init(&line, 2 * HOOK_LINE_MAX);
	strbuf_adds(&line, "a@b failed ");
	for (int i = 0; i < MANY; i++)
		strbuf_addc(&line, 'x');
	r = hook_report_read(strbuf_view(&line));
	assert_int_equal(r.word, FAILED);
	assert_int_equal(r.why.n, HOOK_WHY_MAX);
	while (line.n < HOOK_LINE_MAX)
		strbuf_addc(&line, 'x');
	assert_int_equal(hook_report_read(strbuf_view(&line)).word, FAILED);
	strbuf_addc(&line, 'x');
	assert_int_equal(hook_report_read(strbuf_view(&line)).word, NO);
	strbuf_fini(&line);
}

/* ---- lines --------------------------------------------------------------- */

static void on_line(void *arg, struct slice line)
{
	strbuf_addsl(arg, line);
	strbuf_addc(arg, '|');
}

static void bytes_come_in_pieces(void **state)
{
	static const char text[] = "a b synced\n\nc failed\nlast";
	struct hook_lines l = {.fn = on_line};
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 4096);
	l.arg = &out;
	hook_lines_init(&l);
	for (size_t size = 1; size < sizeof(text); size++) {
		strbuf_reset(&out);
		for (size_t at = 0; at < sizeof(text) - 1; at += size)
			hook_lines_take(&l, slice_head(slice_from(
			    slice_str(text), at), size));
		assert_string_equal(strbuf_cstr(&out), "a b synced|c failed|");
		hook_lines_end(&l);
		assert_string_equal(strbuf_cstr(&out),
		    "a b synced|c failed|last|");
	}
	hook_lines_fini(&l);
	strbuf_fini(&out);
}

static void a_line_that_is_too_long_is_dropped(void **state)
{
	struct hook_lines l = {.fn = on_line};
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 4096);
	l.arg = &out;
	hook_lines_init(&l);
	for (int i = 0; i < 3 * HOOK_LINE_MAX; i++)
		hook_lines_take(&l, SLICE("x"));
	hook_lines_take(&l, SLICE(" synced\nshort\n"));
	assert_string_equal(strbuf_cstr(&out), "short|");
	hook_lines_fini(&l);
	strbuf_fini(&out);
}

/* ---- the pause, by a clock that stands ----------------------------------- */

static void the_pause_grows_to_an_hour(void **state)
{
	static const int64_t minutes[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
	const int64_t now = 5000;
	struct hook_pause p = {.next_ms = 0};

	(void)state;
	assert_true(hook_pause_due(&p, 0));
	for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
		int64_t wait = minutes[i] * 60000;

		assert_int_equal(hook_pause_again(&p, now), wait);
		assert_false(hook_pause_due(&p, now));
		assert_false(hook_pause_due(&p, now + wait - 1));
		assert_true(hook_pause_due(&p, now + wait));
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(hook_pause_again(&p, now), 3600000);
	hook_pause_over(&p);
	assert_true(hook_pause_due(&p, now));
	assert_int_equal(hook_pause_again(&p, now), 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_report_or_none),
		cmocka_unit_test(a_reason_and_a_line_have_an_end),
		cmocka_unit_test(bytes_come_in_pieces),
		cmocka_unit_test(a_line_that_is_too_long_is_dropped),
		cmocka_unit_test(the_pause_grows_to_an_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
