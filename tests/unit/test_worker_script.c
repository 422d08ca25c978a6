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

WORKER_SCRIPT(queue)
WORKER_SCRIPT(status)
WORKER_SCRIPT(retry)
WORKER_SCRIPT(copies)
WORKER_SCRIPT(talk)
WORKER_SCRIPT(notices)
WORKER_SCRIPT(hold)
WORKER_SCRIPT(outbound)
WORKER_SCRIPT(from_leg)
WORKER_SCRIPT(unknown)
WORKER_SCRIPT(alarms)
WORKER_SCRIPT(replay)
WORKER_SCRIPT(carry)
WORKER_SCRIPT(srs)

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
