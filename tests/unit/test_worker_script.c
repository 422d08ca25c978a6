/* SPDX-License-Identifier: ISC
 *
 * The transcripts of tests/data/worker. WORKER_SCRIPT_ONLY in the environment
 * names one of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/worker_rig.h"
#include "tests/unit/worker_script.h"

#define SCRIPT(name)                                                    \
	static void name(void)                                          \
	{                                                               \
		worker_script_run(#name ".txt");                        \
	}
SCRIPT(queue)
SCRIPT(status)
SCRIPT(retry)
SCRIPT(copies)
SCRIPT(talk)
SCRIPT(notices)
SCRIPT(hold)
SCRIPT(outbound)
SCRIPT(from_leg)
SCRIPT(unknown)
SCRIPT(alarms)
SCRIPT(replay)
SCRIPT(carry)
SCRIPT(srs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(queue, NULL),
		RIG_TEST(status, NULL),
		RIG_TEST(retry, NULL),
		RIG_TEST(copies, NULL),
		RIG_TEST(talk, NULL),
		RIG_TEST(notices, NULL),
		RIG_TEST(hold, NULL),
		RIG_TEST(outbound, NULL),
		RIG_TEST(from_leg, NULL),
		RIG_TEST(unknown, NULL),
		RIG_TEST(alarms, NULL),
		RIG_TEST(replay, NULL),
		RIG_TEST(carry, NULL),
		RIG_TEST(srs, NULL),
	};

	cmocka_set_test_filter(getenv("WORKER_SCRIPT_ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
