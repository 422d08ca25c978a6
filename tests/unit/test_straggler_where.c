/* SPDX-License-Identifier: ISC
 *
 * Expressions about stragglers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/straggler/straggler_where.h"
#include "relay/base/clock.h"

#define NOW (20000 * DAY_US)

static struct straggler_values values(void)
{
	struct straggler_values v = {
		.text = {SLICE("192.0.2.7"), SLICE("scan7.example.net"),
		    SLICE("ylmf-pc"), SLICE("old-mx"), SLICE(""),
		    SLICE("partner.example 12 - 3 other.example 1")},
		.number = {NOW - 40 * DAY_US, NOW - 2 * DAY_US, 16, 20, 3, 15,
		    -1},
	};

	return v;
}

static void it_selects(void **state)
{
	static const struct {
		const char *text;
		bool matches;
	} rows[] = {
		{"client = 192.0.2.7", true},
		{"client = '192.0.2.7'", true},
		{"client != 192.0.2.7", false},
		{"name like '%.example.NET'", true},
		{"name like \"scan_.example.net\"", true},
		{"name like '%.example'", false},
		{"helo = YLMF-PC", true},
		{"helo=ylmf-pc and listen=old-mx", true},
		{"customer = ''", true},
		{"customer = acme or customer = ''", true},
		{"sender = partner.example", true},
		{"sender = -", true},
		{"sender = 12", false},
		{"sender like '%.example' and not sender = x.example", true},
		{"messages > 15", true},
		{"messages > 16", false},
		{"messages >= 16", true},
		{"messages < 16", false},
		{"messages <= 16", true},
		{"messages != 16", false},
		{"recipients = 20 and refused = 3 and delivered = 15", true},
		{"first < -30d", true},
		{"last < -30d", false},
		{"last>-3d", true},
		{"not last > -1d", true},
		{"not (client = 192.0.2.7 or messages > 1)", false},
		{"client = x or client = y and messages = 16", false},
		{"(client = 192.0.2.7 or client = y) and messages = 16", true},
		{"after > 0", false},
		{"not after > 0", true},
	};
	struct straggler_values v = values();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err;
		struct straggler_where *w = straggler_where_parse(
		    slice_str(rows[i].text), NOW, &err);

		print_message("%s\n", rows[i].text);
		if (w == NULL)
			fail_msg("%s", err.text);
		assert_int_equal(straggler_where_match(w, &v),
		    rows[i].matches);
		straggler_where_free(w);
	}
}

static void after_is_known_or_no_test_is_true(void **state)
{
	struct straggler_values v = values();
	struct error err;
	struct straggler_where *w = straggler_where_parse(
	    SLICE("after >= 50"), NOW, &err);
	struct straggler_where *none = straggler_where_parse(
	    SLICE("messages > 1"), NOW, &err);

	(void)state;
	/* >= is "not <": of an unknown one neither may be true. */
	assert_false(straggler_where_match(w, &v));
	v.number[NUMBER_AFTER] = 49;
	assert_false(straggler_where_match(w, &v));
	v.number[NUMBER_AFTER] = 50;
	assert_true(straggler_where_match(w, &v));
	assert_true(straggler_where_asks_after(w));
	assert_false(straggler_where_asks_after(none));
	straggler_where_free(w);
	straggler_where_free(none);
}

static void faults_are_pointed_at(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"", "at its end"},
		{"colour = red", "near 'colour = red': one of client"},
		{"name", "at its end: =, != or like"},
		{"name < a", "near '< a': =, != or like"},
		{"messages like 3", "near 'like 3': = != <"},
		{"messages > many", "near 'many': a number"},
		{"messages >", "at its end: a value"},
		{"last > yesteryear", "near 'yesteryear': a time"},
		{"(client = a", "at its end: a ) is missing"},
		{"client = a b", "near 'b': the end or"},
		{"client = 'a", "the quote does not end"},
		{"not", "at its end"},
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].text);
		assert_null(straggler_where_parse(slice_str(rows[i].text), NOW,
		    &err));
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s", err.text);
	}
}

static void it_has_ceilings(void **state)
{
	static char text[8000];
	struct error err;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "not ");
	snprintf(text + n, sizeof(text) - n, "client = a");
	assert_null(straggler_where_parse(slice_str(text), NOW, &err));
	assert_non_null(strstr(err.text, "too deeply"));
	for (n = 0; n < 2000;)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "client = a or ");
	snprintf(text + n, sizeof(text) - n, "client = a");
	assert_null(straggler_where_parse(slice_str(text), NOW, &err));
	assert_non_null(strstr(err.text, "too long"));
	memset(text, ' ', sizeof(text));
	assert_null(straggler_where_parse(slice_of(text, sizeof(text)), NOW,
	    &err));
	straggler_where_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_selects),
		cmocka_unit_test(after_is_known_or_no_test_is_true),
		cmocka_unit_test(faults_are_pointed_at),
		cmocka_unit_test(it_has_ceilings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
