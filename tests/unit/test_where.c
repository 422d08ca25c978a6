/* SPDX-License-Identifier: ISC
 *
 * The expression that selects rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/where.h"

static const struct where_row ann = {
    .address = {"ann@example.com", 15},
    .route = {"legacy+cloud", 12},
    .mailbox = {"mb-ann", 6},
    .tags = {"client=apple-mail held sales wave-1", 35},
    .customer = {"example", 7},
    .waves = {"july-1 w7 ", 10},
    .change = 42,
};

static void an_expression_selects_by_every_column(void **state)
{
	static const struct {
		const char *text;
		bool match;
	} cases[] = {
	    {"address = 'ann@example.com'", true},
	    {"address = 'ANN@Example.COM'", true},
	    {"address = 'bob@example.com'", false},
	    {"address != 'bob@example.com'", true},
	    {"address like 'an%'", true},
	    {"address like '%@EXAMPLE.com'", true},
	    {"address like 'a_n@%'", true},
	    {"address like '%b%'", false},
	    {"domain = 'Example.com'", true},
	    {"domain = 'example.org'", false},
	    {"route = 'legacy+cloud'", true},
	    {"route like '%cloud'", true},
	    {"wave = w7", true},
	    {"wave in (w8, july-1)", true},
	    {"wave = july", false},
	    {"wave like 'july%'", true},
	    {"wave = ''", false},
	    {"not wave = w8", true},
	    {"tag = 'wave-1'", true},
	    {"tag = 'wave'", false},
	    {"tag like 'wave%'", true},
	    {"tag like ''", false},
	    {"mailbox = 'mb-ann'", true},
	    {"mailbox = \"mb-ann\"", true},
	    {"mailbox != ''", true},
	    {"held", false},
	    {"not held", true},
	    {"NOT held AND tag = 'sales'", true},
	    {"tag = 'x' or tag = 'sales' and held", false},
	    {"(tag = 'x' or tag = 'sales') and not held", true},
	    {"tag = 'sales' or held and held", true},
	    {"not (held or tag = 'x')", true},
	    {"not not held", false},
	    {"tag='sales'and(not held)", true},
	    /* words are tags, and values need no quotes */
	    {"sales", true},
	    {"vip", false},
	    {"SALES", false},
	    {"not vip", true},
	    {"wave-1 and not vip", true},
	    {"client=apple-mail and not vip", true},
	    {"client = apple-mail", true},
	    {"client = 'apple-mail'", true},
	    {"client=outlook", false},
	    {"client != outlook", true},
	    {"client != apple-mail", false},
	    {"client like 'apple%'", true},
	    {"client like out%", false},
	    {"client in (outlook, apple-mail)", true},
	    {"client not in (outlook, apple-mail)", false},
	    {"not (vip or client=outlook)", true},
	    {"tag = client=apple-mail", true},
	    {"tag in ('client=apple-mail', vip)", true},
	    {"tag = held", true},
	    {"tag = 'held'", true},
	    {"tag != 'vip'", true},
	    {"tag like client=%", true},
	    {"address = ann@example.com", true},
	    {"address in (bob@example.com, Ann@Example.com)", true},
	    {"domain in (example.org,example.com)", true},
	    {"domain not in (example.org)", true},
	    {"domain=example.com and mailbox=mb-ann", true},
	    {"customer = example", true},
	    {"customer = other", false},
	    {"customer != ''", true},
	    {"route = legacy+cloud", true},
	    {"route = cloud", false},
	    {"leg = cloud", true},
	    {"leg = legacy", true},
	    {"leg = third", false},
	    {"leg like 'cl%'", true},
	    {"leg in (third, cloud)", true},
	    {"held = no", true},
	    {"held=yes", false},
	    {"held != yes", true},
	    {"change = 42", true},
	    {"change != 42", false},
	    {"change > 41 and change < 43", true},
	    {"change > 42", false},
	    {"change >= 42 and change <= 42", true},
	    {"change in (41, 42)", true},
	    {"change not in (41, 42)", false},
	    {"change = '42'", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err;
		struct where *w = where_parse(slice_str(cases[i].text), &err);

		print_message("%s\n", cases[i].text);
		if (w == NULL)
			fail_msg("%s", err.text);
		assert_int_equal(where_match(w, &ann), cases[i].match);
		where_free(w);
	}
}

static void a_wrong_expression_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"", "a tag or one of address, domain, customer"},
	    {"tag", "=, !=, like or in"},
	    {"tag =", "a value is expected"},
	    {"tag = 'wave", "the quote does not end"},
	    {"tag == 'x'", "a value is expected"},
	    {"tag = 'x' tag = 'y'", "the end or 'and', 'or'"},
	    {"tag = 'x' and", "at its end: a tag or one of"},
	    {"", "at its end: a tag or one of"},
	    {"tag = and", "quotes"},
	    {"(tag = 'x'", "a ) is missing"},
	    {"tag = 'x')", "the end or 'and', 'or'"},
	    {"size < 3", "only changes are compared so"},
	    {"held = 'maybe'", "yes or no"},
	    {"address = 'ann'", "is no address"},
	    {"tag = 'x'; drop table route", "near '; drop"},
	    {"'x'", "a tag or one of"},
	    {"tag = 'x' or 'y'", "a tag or one of"},
	    {"and", "near 'and': a tag or one of"},
	    {"vip vip", "the end or 'and', 'or'"},
	    {"client in outlook", "a list in ( )"},
	    {"client in ()", "a value is expected"},
	    {"client in", "a list in ( )"},
	    {"client in 'outlook", "the quote does not end"},
	    {"client not in 'outlook", "the quote does not end"},
	    {"client in (a b)", "a , or ) is missing"},
	    {"client in (a", "a , or ) is missing"},
	    {"client in (a,", "a value is expected"},
	    {"client not = a", "'in' is expected"},
	    {"change = x", "a change's number"},
	    {"change like 4", "changes are numbers"},
	    {"change > -1", "a change's number"},
	    {"route < 3", "only changes"},
	    {"tag = ''", "not tag like '%'"},
	    {"tag != ''", "no tag is empty"},
	    {"vip or tag in (a, '')", "no tag is empty"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		struct where *w = where_parse(slice_str(cases[i].text), &err);

		print_message("%s: %s\n", cases[i].text, err.text);
		assert_null(w);
		assert_non_null(strstr(err.text, cases[i].why));
	}
}

static void a_row_without_tags_has_no_empty_one(void **state)
{
	struct where_row bare = {.tags = {"", 0}};
	struct error err;
	struct where *w = where_parse(SLICE("tag like '%'"), &err);

	(void)state;
	assert_non_null(w);
	assert_true(where_match(w, &ann));
	assert_false(where_match(w, &bare));
	where_free(w);
	assert_null(where_equal(WHERE_TAG, SLICE(""), &err));
}

static void an_expression_has_a_ceiling(void **state)
{
	char text[WHERE_MAX + 10];
	struct error err;
	size_t n = 0;

	(void)state;
	while (n + 8 < WHERE_MAX)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "not ");
	snprintf(text + n, sizeof(text) - n, "held");
	assert_null(where_parse(slice_str(text), &err));
	memset(text, '(', WHERE_MAX);
	assert_null(where_parse(slice_of(text, WHERE_MAX), &err));
	assert_null(where_parse(slice_of(text, WHERE_MAX + 1), &err));
	for (n = 0; n + 16 < WHERE_MAX;)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "held or ");
	snprintf(text + n, sizeof(text) - n, "held");
	assert_null(where_parse(slice_str(text), &err));
}

/* "a b k=v", in a static buffer */
static const char *listed(const struct slice *tag, unsigned n)
{
	static char text[80];

	text[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%s%.*s", i == 0 ? "" : " ", (int)tag[i].n, tag[i].p);
	return text;
}

static void the_tags_that_a_match_needs_are_found(void **state)
{
	static const struct {
		const char *text, *tags, *named;
	} cases[] = {
	    {"tag = 'a'", "a", "a"},
	    {"route = 'x' and tag = 'a' and held", "a", "a"},
	    {"tag = 'a' or tag = 'b'", "a b", "a b"},
	    {"a or b and c", "a b", "a b c"},
	    {"held and (a or b or k=v)", "a b k=v", "a b k=v"},
	    {"a or held", "", "a"},
	    {"k in (x, y) and held", "k=x k=y", "k=x k=y"},
	    {"k not in (x, y)", "", "k=x k=y"},
	    {"not a and (b or c)", "b c", "a b c"},
	    {"not tag = 'a'", "", "a"},
	    {"tag like 'a'", "", ""},
	    {"(tag = 'a' or held) and tag = 'b'", "b", "a b"},
	    {"held and route = 'a'", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err;
		struct where *w = where_parse(slice_str(cases[i].text), &err);

		struct slice tag[WHERE_NODES];

		assert_non_null(w);
		print_message("%s\n", cases[i].text);
		assert_string_equal(listed(tag, where_tags(w, tag)),
		    cases[i].tags);
		assert_string_equal(listed(tag, where_named(w, WHERE_TAG, tag)),
		    cases[i].named);
		where_free(w);
	}
}

static void the_columns_that_are_asked_for_are_known(void **state)
{
	struct error err;
	struct where *w = where_parse(
	    SLICE("not (held or customer = 'x') and route = 'y'"), &err);

	(void)state;
	assert_non_null(w);
	assert_true(where_asks(w, WHERE_CUSTOMER));
	assert_true(where_asks(w, WHERE_ROUTE));
	assert_false(where_asks(w, WHERE_ADDRESS));
	assert_false(where_asks(w, WHERE_TAG));
	where_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_expression_selects_by_every_column),
	    cmocka_unit_test(a_wrong_expression_is_refused_with_its_place),
	    cmocka_unit_test(a_row_without_tags_has_no_empty_one),
	    cmocka_unit_test(an_expression_has_a_ceiling),
	    cmocka_unit_test(the_tags_that_a_match_needs_are_found),
	    cmocka_unit_test(the_columns_that_are_asked_for_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
