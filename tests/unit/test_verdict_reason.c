/* SPDX-License-Identifier: ISC
 *
 * A verdict from facts: GO is what is reached when all is looked at and
 * nothing speaks against it, and anything else is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/verdict/verdict_reason.h"

enum { NOW = 1000 };
static const struct waiver *const nobody[REASONS];

static void all_looked_at(struct verdict_facts *f, struct arena *a)
{
	*f = (struct verdict_facts){.arena = a};
	for (int r = 0; r < REASONS; r++)
		f->looked[r] = "all of it";
}

static void all_looked_at_and_nothing_found_is_go(void **state)
{
	struct arena *a = arena_new();
	struct verdict_facts f;

	(void)state;
	all_looked_at(&f, a);
	for (int r = 0; r < REASONS; r++)
		assert_int_equal(reason_judge(&f, (enum reason_id)r),
		    REASON_OK);
	assert_true(verdict_answer(&f, nobody, NOW).go);
	assert_int_equal(verdict_answer(&f, nobody, NOW).waived, 0);
	arena_free(a);
}

static void nothing_gathered_is_unknown_and_no_go(void **state)
{
	struct verdict_facts f = {0};

	(void)state;
	for (int r = 0; r < REASONS; r++)
		assert_int_equal(reason_judge(&f, (enum reason_id)r),
		    REASON_UNKNOWN);
	assert_false(verdict_answer(&f, nobody, NOW).go);
}

static void each_fact_alone_turns_its_reason_and_the_answer(void **state)
{
	(void)state;
	for (int i = 0; i < FACTS; i++) {
		struct arena *a = arena_new();
		enum reason_id r = fact_reason((enum fact_id)i);
		struct verdict_facts f;
		struct strbuf text;

		print_message("%s\n", fact_says((enum fact_id)i));
		all_looked_at(&f, a);
		facts_add(&f, (enum fact_id)i, SLICE("ann@example.com"), 0);
		assert_int_not_equal(reason_judge(&f, r), REASON_OK);
		for (int k = 0; k < REASONS; k++)
			if (k != (int)r)
				assert_int_equal(reason_judge(&f,
				    (enum reason_id)k), REASON_OK);
		assert_false(verdict_answer(&f, nobody, NOW).go);
		strbuf_init(&text, 1000);
		reason_print(&f, r, 20, &text);
		assert_non_null(strstr(strbuf_cstr(&text), "ann@example.com"));
		strbuf_fini(&text);
		arena_free(a);
	}
}

static void what_cannot_be_read_is_unknown_unless_something_is_no(void **state)
{
	struct arena *a = arena_new();
	struct verdict_facts f;

	(void)state;
	all_looked_at(&f, a);
	f.unread[REASON_ROWS] = "the table: no such file";
	assert_int_equal(reason_judge(&f, REASON_ROWS), REASON_UNKNOWN);
	assert_false(verdict_answer(&f, nobody, NOW).go);
	facts_add(&f, FACT_TO_LEG, SLICE("ann@example.com"), 0);
	assert_int_equal(reason_judge(&f, REASON_ROWS), REASON_NO);
	arena_free(a);
}

static void a_waiver_counts_until_it_ends_and_is_counted(void **state)
{
	struct arena *a = arena_new();
	const struct waiver w = {.reason = REASON_INSIDE, .until_us = NOW + 1};
	const struct waiver *waiver[REASONS] = {[REASON_INSIDE] = &w};
	struct verdict_facts f;

	(void)state;
	all_looked_at(&f, a);
	facts_add(&f, FACT_NO_LOG, SLICE("legacy"), 0);
	assert_true(verdict_answer(&f, waiver, NOW).go);
	assert_int_equal(verdict_answer(&f, waiver, NOW).waived, 1);
	assert_false(verdict_answer(&f, waiver, NOW + 1).go);
	/* It is about its own reason alone. */
	facts_add(&f, FACT_OPEN, SLICE("3"), 0);
	assert_false(verdict_answer(&f, waiver, NOW).go);
	/* One of a reason that is ok is not needed. */
	all_looked_at(&f, a);
	assert_int_equal(verdict_answer(&f, waiver, NOW).waived, 0);
	arena_free(a);
}

static void evidence_names_the_first_and_counts_all(void **state)
{
	struct arena *a = arena_new();
	struct verdict_facts f;
	struct strbuf text;

	(void)state;
	all_looked_at(&f, a);
	for (int i = 0; i < 30; i++)
		facts_add(&f, FACT_TO_LEG, SLICE("ann@example.com"), 0);
	facts_count(&f, FACT_TO_ALIAS, 7, SLICE("bob@example.com"));
	facts_count(&f, FACT_TO_ABSENT, 0, SLICE("not one"));
	assert_int_equal(f.fact[FACT_TO_LEG].n, 30);
	assert_int_equal(f.fact[FACT_TO_LEG].items, EVIDENCE_ITEMS);
	strbuf_init(&text, 1000);
	reason_print(&f, REASON_ROWS, 1, &text);
	assert_string_equal(strbuf_cstr(&text),
	    "rows that lead there: 30 (ann@example.com, …); rows that lead to "
	    "the same server by another leg: 7 (bob@example.com, …)");
	strbuf_fini(&text);
	arena_free(a);
}

static void names_lead_back_to_reasons(void **state)
{
	(void)state;
	for (int r = 0; r < REASONS; r++)
		assert_int_equal(reason_find(slice_str(
		    reason_name((enum reason_id)r))), r);
	assert_int_equal(reason_find(SLICE("row")), -1);
	assert_int_equal(reason_find(SLICE("")), -1);
}

static void a_clock_that_is_set_adds_nothing_that_was_watched(void **state)
{
	static const struct {
		struct watched_span span;
		int64_t since_us, counts_us;
	} cases[] = {
		{{100, 200, 100}, 0, 100}, /* behind it as a whole */
		{{100, 200, 100}, 150, 50},
		{{100, 200, 100}, 200, 0},
		{{100, 200, 100}, 300, 0},
		{{100, 900, 10}, 50, 10},  /* the clock was set forward */
		{{100, 900, 10}, 500, 10},
		{{100, 900, 10}, 895, 5},
		{{100, 90, 10}, 50, 10},   /* … and back */
		{{100, 90, 10}, 95, 0},
		{{100, 200, -5}, 0, 0},	   /* damaged */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("case %zu\n", i);
		assert_int_equal(watched_since(&cases[i].span,
		    cases[i].since_us), cases[i].counts_us);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_looked_at_and_nothing_found_is_go),
		cmocka_unit_test(nothing_gathered_is_unknown_and_no_go),
		cmocka_unit_test(
		    each_fact_alone_turns_its_reason_and_the_answer),
		cmocka_unit_test(
		    what_cannot_be_read_is_unknown_unless_something_is_no),
		cmocka_unit_test(a_waiver_counts_until_it_ends_and_is_counted),
		cmocka_unit_test(evidence_names_the_first_and_counts_all),
		cmocka_unit_test(names_lead_back_to_reasons),
		cmocka_unit_test(
		    a_clock_that_is_set_adds_nothing_that_was_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
