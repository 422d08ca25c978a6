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
    .tags = {"sales wave-1", 12},
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
	    {"tag = 'wave-1'", true},
	    {"tag = 'wave'", false},
	    {"tag like 'wave%'", true},
	    {"tag = ''", false},
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
	    {"", "address, domain, route"},
	    {"tag", "=, != or like"},
	    {"tag =", "a text in quotes"},
	    {"tag = wave", "a text in quotes"},
	    {"tag = 'wave", "the quote does not end"},
	    {"tag == 'x'", "a text in quotes"},
	    {"tag = 'x' tag = 'y'", "the end or 'and', 'or'"},
	    {"tag = 'x' and", "address, domain, route"},
	    {"(tag = 'x'", "a ) is missing"},
	    {"tag = 'x')", "the end or 'and', 'or'"},
	    {"size = '3'", "near 'size"},
	    {"held = 'yes'", "the end or 'and', 'or'"},
	    {"address = 'ann'", "is no address"},
	    {"tag = 'x'; drop table route", "near '; drop"},
	    {"'x'", "address, domain, route"},
	    {"tag = 'x' or 'y'", "address, domain, route"},
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

static void a_tag_that_all_must_bear_is_found(void **state)
{
	static const struct {
		const char *text, *tag;
	} cases[] = {
	    {"tag = 'a'", "a"},
	    {"route = 'x' and tag = 'a' and held", "a"},
	    {"tag = 'a' or tag = 'b'", ""},
	    {"not tag = 'a'", ""},
	    {"tag like 'a'", ""},
	    {"(tag = 'a' or held) and tag = 'b'", "b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err;
		struct where *w = where_parse(slice_str(cases[i].text), &err);

		assert_non_null(w);
		assert_true(slice_eq(where_tag(w), slice_str(cases[i].tag)));
		where_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_expression_selects_by_every_column),
	    cmocka_unit_test(a_wrong_expression_is_refused_with_its_place),
	    cmocka_unit_test(an_expression_has_a_ceiling),
	    cmocka_unit_test(a_tag_that_all_must_bear_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
