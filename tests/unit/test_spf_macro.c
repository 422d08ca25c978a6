/* SPDX-License-Identifier: ISC
 *
 * The macros of SPF: syntax and expansion (RFC 7208 7).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/base/attr.h"
#include "relay/spf/macro.h"

#define LONG_LABEL "a23456789.123456789.123456789.123456789.123456789.12345678"

/* clang-format off */
static const struct {
	enum macro_kind kind;
	const char *text;
	const char *why; /* NULL: well formed */
} checks[] = {
	{ MACRO_DOMAIN, "example.com",       NULL },
	{ MACRO_DOMAIN, "example.com.",      NULL },
	{ MACRO_DOMAIN, "_spf.x-y.a-1",      NULL },
	{ MACRO_DOMAIN, "a.1-",              "a domain does not end with a top-level label" },
	{ MACRO_DOMAIN, "a.-1",              "a domain does not end with a top-level label" },
	{ MACRO_DOMAIN, "1.2.3.4",           "a domain does not end with a top-level label" },
	{ MACRO_DOMAIN, "museum",            "a domain does not end with a top-level label" },
	{ MACRO_DOMAIN, "a..",               "a domain does not end with a top-level label" },
	{ MACRO_DOMAIN, "",                  "a domain is missing" },
	{ MACRO_DOMAIN, "%{d}",              NULL },
	{ MACRO_DOMAIN, "%{d}.",             "a domain does not end with a top-level label" },
	{ MACRO_DOMAIN, "%{d}.com",          NULL },
	{ MACRO_DOMAIN, "%{d}com",           "a domain does not end with a top-level label" },
	{ MACRO_DOMAIN, "x%_y.%%",           NULL },
	{ MACRO_DOMAIN, "%{L3r-+/}.x.y",     NULL },
	{ MACRO_DOMAIN, "%{l128R}",          NULL },
	{ MACRO_DOMAIN, "%{l1234}",          "a macro has a number of more than 3 digits" },
	{ MACRO_DOMAIN, "%{l99999999999999999999}", "a macro has a number of more than 3 digits" },
	{ MACRO_DOMAIN, "%{d0}",             "a macro keeps 0 labels" },
	{ MACRO_DOMAIN, "%{d000}",           "a macro keeps 0 labels" },
	{ MACRO_DOMAIN, "%{c}",              "a macro has an unknown letter" },
	{ MACRO_DOMAIN, "%{}",               "a macro has an unknown letter" },
	{ MACRO_DOMAIN, "%{",                "a macro has an unknown letter" },
	{ MACRO_DOMAIN, "%",                 "a % stands alone" },
	{ MACRO_DOMAIN, "%(d)",              "a % begins no macro" },
	{ MACRO_DOMAIN, "%{d",               "a macro does not end with }" },
	{ MACRO_DOMAIN, "%{d:}",             "a macro does not end with }" },
	{ MACRO_DOMAIN, "%{dr1}",            "a macro does not end with }" },
	{ MACRO_DOMAIN, "a b.com",           "a byte is no printable ASCII" },
	{ MACRO_DOMAIN, "a\xc3.com",         "a byte is no printable ASCII" },
	{ MACRO_STRING, "",                  NULL },
	{ MACRO_STRING, "any:thing/%{d}",    NULL },
	{ MACRO_STRING, "%{t}",              "a macro has an unknown letter" },
	{ MACRO_EXPLAIN, "a b %{c} %{R} %{t}", NULL },
	{ MACRO_EXPLAIN, "a\tb",             "a byte is no printable ASCII" },
	{ MACRO_EXPLAIN, "a\nb",             "a byte is no printable ASCII" },
};

static const struct { const char *text, *expanded; } expansions[] = {
	{ "%{s}",            "Strong-Bad@email.Example.com" },
	{ "%{o}",            "email.Example.com" },
	{ "%{d4}",           "email.Example.com" },
	{ "%{d2}",           "Example.com" },
	{ "%{d1}",           "com" },
	{ "%{dr}",           "com.Example.email" },
	{ "%{d2r}",          "Example.email" },
	{ "%{d1R}",          "email" },
	{ "%{l}",            "Strong-Bad" },
	{ "%{l-}",           "Strong.Bad" },
	{ "%{lr-}",          "Bad.Strong" },
	{ "%{l1r-}",         "Strong" },
	{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.Example.com" },
	{ "%{H}",            "a%20b%26%FF~c" },
	{ "%{h1&}",          NULL },
	{ "%%%_%-",          "% %20" },
	{ "%{o+.e}",         NULL },
	{ "%{o_.}",          "email.Example.com" },
	{ "x",               "x" },
};
/* clang-format on */

static bool value(void *arg, char letter, struct strbuf *to)
{
	static const char *const values[26] = {
		['s' - 'a'] = "Strong-Bad@email.Example.com",
		['l' - 'a'] = "Strong-Bad", ['o' - 'a'] = "email.Example.com",
		['d' - 'a'] = "email.Example.com", ['i' - 'a'] = "192.0.2.3",
		['v' - 'a'] = "in-addr", ['h' - 'a'] = "a b&\xff~c"};

	(void)arg;
	if (values[letter - 'a'] == NULL)
		return false;
	strbuf_adds(to, values[letter - 'a']);
	return true;
}

static void syntax_is_that_of_the_abnf(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		const char *why;
		unsigned letters;
		int got = macro_check(checks[i].kind,
		    slice_str(checks[i].text), &letters, &why);

		print_message("%s\n", checks[i].text);
		assert_int_equal(got, checks[i].why == NULL ? 0 : -1);
		if (checks[i].why != NULL)
			assert_string_equal(why, checks[i].why);
	}
}

static void the_letters_used_are_told(void **state)
{
	const char *why;
	unsigned letters;

	(void)state;
	assert_int_equal(macro_check(MACRO_DOMAIN, SLICE("%{L}%{h2r}.%%.x"),
	    &letters, &why), 0);
	assert_int_equal(letters, macro_bit('l') | macro_bit('h'));
	assert_int_equal(macro_check(MACRO_DOMAIN, SLICE("a.b"), &letters,
	    &why), 0);
	assert_int_equal(letters, 0);
}

static void a_name_has_20_macros_and_a_text_any_number(void **state)
{
	const char *why;
	unsigned letters;
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 4096);
	for (int i = 0; i < MACRO_TERM_MAX; i++)
		strbuf_adds(&b, "%{d}");
	assert_int_equal(macro_check(MACRO_DOMAIN, strbuf_view(&b), &letters,
	    &why), 0);
	strbuf_adds(&b, "%{d}");
	assert_int_equal(macro_check(MACRO_DOMAIN, strbuf_view(&b), &letters,
	    &why), -1);
	assert_int_equal(macro_check(MACRO_EXPLAIN, strbuf_view(&b), &letters,
	    &why), 0);
	strbuf_fini(&b);
}

static void macros_expand_as_the_rfc_shows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expansions); i++) {
		const char *why;
		unsigned letters;
		struct strbuf b;
		struct slice text = slice_str(expansions[i].text);

		print_message("%s\n", expansions[i].text);
		if (expansions[i].expanded == NULL) {
			assert_int_equal(macro_check(MACRO_STRING, text,
			    &letters, &why), -1);
			continue;
		}
		strbuf_init(&b, 4096);
		assert_true(macro_expand(text, value, NULL, &b));
		assert_string_equal(strbuf_cstr(&b), expansions[i].expanded);
		strbuf_fini(&b);
	}
}

static void a_name_is_lower_case_without_a_dot_and_fits(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 4096);
	assert_true(macro_expand_name(SLICE("A.%{d}."), value, NULL, &b));
	assert_string_equal(strbuf_cstr(&b), "a.email.example.com");
	strbuf_reset(&b);
	/* 5 times 58 and a dot, "x.y": the first goes, RFC 7208 7.3. */
	assert_true(macro_expand_name(SLICE(LONG_LABEL "." LONG_LABEL "."
	    LONG_LABEL "." LONG_LABEL "." LONG_LABEL ".x.y"), value, NULL,
	    &b));
	assert_true(b.n <= MACRO_NAME_MAX && b.n > MACRO_NAME_MAX - 10);
	assert_true(slice_case_ends(strbuf_view(&b), SLICE(".12345678.x.y")));
	strbuf_fini(&b);
}

static void an_unknown_value_ends_the_expansion(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 4096);
	assert_false(macro_expand(SLICE("a.%{p}.b"), value, NULL, &b));
	assert_false(macro_expand_name(SLICE("a.%{p}.b"), value, NULL, &b));
	strbuf_fini(&b);
}

static void a_name_that_can_be_asked_has_whole_labels(void **state)
{
	static const struct { const char *name; bool valid; } names[] = {
		{ "a.b", true }, { "a", true }, { "", false },
		{ "a..b", false },
		{ ".a", false }, { "a.", false }, { "a b.c\\\xff", true },
		{ LONG_LABEL, true },
		{ "12345678901234567890123456789012345678901234567890123456789"
		  "0123.x", true },
		{ "12345678901234567890123456789012345678901234567890123456789"
		  "01234.x", false },
	};

	(void)state;
	assert_false(macro_name_valid(SLICE("a\0b.c")));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(macro_name_valid(slice_str(names[i].name)),
		    names[i].valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syntax_is_that_of_the_abnf),
		cmocka_unit_test(the_letters_used_are_told),
		cmocka_unit_test(a_name_has_20_macros_and_a_text_any_number),
		cmocka_unit_test(macros_expand_as_the_rfc_shows),
		cmocka_unit_test(a_name_is_lower_case_without_a_dot_and_fits),
		cmocka_unit_test(an_unknown_value_ends_the_expansion),
		cmocka_unit_test(a_name_that_can_be_asked_has_whole_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
