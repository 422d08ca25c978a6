/* SPDX-License-Identifier: ISC
 *
 * Every setting of the guard against every result, known and unknown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/dsn_guard.h"

static void the_guard_parks_what_may_be_forged(void **state)
{
	/* clang-format off */
	static const struct {
		const char *spf;
		/* off, fail, pass-only; each known, stranger */
		bool parks[3][2];
	} cases[] = {
		{ "",          {{0, 0}, {0, 1}, {1, 1}} },
		{ "pass",      {{0, 0}, {0, 0}, {0, 0}} },
		{ "Pass (x)",  {{0, 0}, {0, 0}, {0, 0}} },
		{ "fail",      {{0, 0}, {1, 1}, {1, 1}} },
		{ "fail;x=y",  {{0, 0}, {1, 1}, {1, 1}} },
		{ "failed",    {{0, 0}, {0, 1}, {1, 1}} },
		{ "softfail",  {{0, 0}, {0, 1}, {1, 1}} },
		{ "neutral",   {{0, 0}, {0, 1}, {1, 1}} },
		{ "none",      {{0, 0}, {0, 1}, {1, 1}} },
		{ "temperror", {{0, 0}, {0, 1}, {1, 1}} },
		{ "permerror", {{0, 0}, {0, 1}, {1, 1}} },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int g = GUARD_OFF; g <= GUARD_PASS_ONLY; g++)
			for (int stranger = 0; stranger < 2; stranger++) {
				print_message("\"%s\" guard %d stranger %d\n",
				    cases[i].spf, g, stranger);
				assert_int_equal(
				    dsn_guard_parks((enum dsn_guard)g,
					cases[i].spf, stranger != 0),
				    cases[i].parks[g][stranger]);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_guard_parks_what_may_be_forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
