/* SPDX-License-Identifier: ISC
 *
 * Records as libspf2 gets them: no name, no macro and no modifier of a
 * stranger's is in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/attr.h"
#include "relay/spf/guard/rewrite.h"

static struct spf_terms terms;
static const char six[] = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01";

/* clang-format off */
static const struct {
	const char *record;
	bool six, foreign; /* client 2001:db8::1, not 192.0.2.1; local part */
	const char *rewritten, *end;
} cases[] = {
	{ "v=spf1 a mx:x.y ptr include:z.y -exists:%{l}.x.y ~all", false, false,
	  "v=spf1 +a:t030000000.x +mx:t030010000.x +exists:t030020000.x"
	  " +include:t030030000.x -exists:t030040000.x ?exists:m030000000.x ~all", "~all" },
	{ "v=spf1 A/24//64 a/0//0 mx/32//128", false, false,
	  "v=spf1 +a:t030000000.x/24 +a:t030010000.x +mx:t030020000.x ?exists:m030000000.x", NULL },
	{ "v=spf1 A/24//64 a/0//0 mx/32//128", true, false,
	  "v=spf1 +a:t030000000.x//64 +a:t030010000.x +mx:t030020000.x"
	  " ?exists:m030000000.x", NULL },
	{ "v=spf1 ip4:10.0.0.0/8 ip6:2001:db8::/32 -ip4:192.0.2.77/25 a -all", false, false,
	  "v=spf1 ?exists:m030000000.x -ip4:192.0.2.77/25", "-ip4:192.0.2.77/25" },
	{ "v=spf1 ip4:10.0.0.0/8 ?ip6:2001:db8::/32 a -all", true, false,
	  "v=spf1 ?exists:m030000000.x ?ip6:2001:db8::/32", "?ip6:2001:db8::/32" },
	{ "v=spf1 ~ip4:1.2.3.4/0 a", false, false,
	  "v=spf1 ?exists:m030000000.x ~ip4:192.0.2.1", "~ip4:1.2.3.4/0" },
	{ "v=spf1 redirect=x.y a x-y=%{d} exp=e.x", false, false,
	  "v=spf1 +a:t030000000.x ?exists:m030000000.x redirect=t039990000.x", NULL },
	{ "v=spf1 redirect=x.y ?all", false, false,
	  "v=spf1 ?exists:m030000000.x ?all", "?all" },
	{ "v=spf1 exists:%{L}.x.y a:%{s}.x.y a redirect=%{l}.x.y", false, true,
	  "v=spf1 +a:t030020000.x ?exists:m030000000.x", NULL },
	{ "v=spf1", false, false, "v=spf1 ?exists:m030000000.x", NULL },
};
/* clang-format on */

static void a_record_is_written_anew(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rewrite w = {.terms = &terms, .record = 3,
		    .client = cases[i].six ? slice_of(six, 16) :
					     SLICE("\xc0\0\x02\x01"),
		    .foreign_local = cases[i].foreign};
		const struct spf_term *end;
		const char *why;
		struct slice wrong;
		struct strbuf b;

		print_message("%s\n", cases[i].record);
		assert_int_equal(spf_terms_parse(slice_str(cases[i].record),
		    &terms, &why, &wrong), 0);
		strbuf_init(&b, 1024);
		end = rewrite_record(&w, &b);
		assert_string_equal(strbuf_cstr(&b), cases[i].rewritten);
		assert_int_equal(end != NULL, cases[i].end != NULL);
		if (end != NULL)
			assert_true(slice_eq(end->text,
			    slice_str(cases[i].end)));
		strbuf_fini(&b);
	}
}

/* libspf2 compiles at most 511 bytes of a record. */
static void eleven_terms_that_ask_are_written(void **state)
{
	struct rewrite w = {.terms = &terms, .record = 10,
	    .client = slice_of(six, 16)};
	const char *why;
	struct slice wrong;
	struct strbuf b;
	size_t colons = 0;

	(void)state;
	strbuf_init(&b, 4096);
	strbuf_adds(&b, "v=spf1");
	for (int i = 0; i < SPF_TERMS_MAX; i++)
		strbuf_adds(&b, i % 2 ? " mx:a.b//64" : " ip6:2001:db9::/32");
	assert_int_equal(spf_terms_parse(strbuf_view(&b), &terms, &why,
	    &wrong), 0);
	strbuf_reset(&b);
	assert_null(rewrite_record(&w, &b));
	for (size_t i = 0; i < b.n; i++)
		colons += b.p[i] == ':';
	assert_int_equal(colons, GUARD_LOOKUPS_MAX + 1 + 1);
	assert_true(b.n < 511);
	strbuf_fini(&b);
}

static void a_token_comes_back(void **state)
{
	static const char *const others[] = {"", "t", "t030000000", "a.b",
	    "t030000000.xx", "t03000000x.x", "q030000000.x", "t+30000000.x"};
	struct token t = {'x', 10, 99, 9}, back;
	char text[TOKEN_MAX];

	(void)state;
	token_print(&t, text);
	assert_true(token_parse(text, &back));
	assert_int_equal(back.kind, 'x');
	assert_int_equal(back.record, 10);
	assert_int_equal(back.term, 99);
	assert_int_equal(back.host, 9);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(token_parse(others[i], &back));
}

static void bits_are_compared(void **state)
{
	static const struct { const char *a, *b; unsigned bits; bool same; }
	    pairs[] = {
		{ "\xc0\0\x02\x01", "\xc0\0\x02\x01", 32, true },
		{ "\xc0\0\x02\x01", "\xc0\0\x02\x00", 32, false },
		{ "\xc0\0\x02\x01", "\xc0\0\x02\x00", 31, true },
		{ "\xc0\0\x02\x01", "\xc0\0\x03\x01", 24, false },
		{ "\xc0\0\x02\x01", "\xc0\0\x03\x01", 23, true },
		{ "\x80\0\0\0", "\0\0\0\0", 1, false },
		{ "\x80\0\0\0", "\0\0\0\0", 0, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_int_equal(address_within(pairs[i].a, pairs[i].b,
		    pairs[i].bits), pairs[i].same);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_written_anew),
		cmocka_unit_test(eleven_terms_that_ask_are_written),
		cmocka_unit_test(a_token_comes_back),
		cmocka_unit_test(bits_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
