/* SPDX-License-Identifier: ISC
 *
 * The transcripts of tests/data/cli that need nothing but a folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/cli_script.h"
#include "tests/unit/conf_tmp.h"

#define SCRIPT(name)                                                    \
	static void name(void **state)                                  \
	{                                                               \
		cli_script_run(*state, #name ".txt");                   \
	}
SCRIPT(leg)
SCRIPT(leg_guide)
SCRIPT(queue)
SCRIPT(route)
SCRIPT(replay)
SCRIPT(restore)
SCRIPT(explain)
SCRIPT(words)
SCRIPT(trace)
SCRIPT(table)
SCRIPT(coexist)
SCRIPT(broken)
SCRIPT(nothing)
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, conf_tmp_setup, \
	    conf_tmp_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(leg),
		TEST(leg_guide),
		TEST(queue),
		TEST(route),
		TEST(replay),
		TEST(restore),
		TEST(explain),
		TEST(words),
		TEST(trace),
		TEST(table),
		TEST(coexist),
		TEST(broken),
		TEST(nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
