/* SPDX-License-Identifier: ISC
 *
 * Recipients move under the true daemon: waves, holds, slices that are watched,
 * legs that are asked, mail that is delivered to the other leg. Transcripts of
 * tests/data/worker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/worker_rig.h"
#include "tests/unit/worker_script.h"

WORKER_SCRIPT(moves)
WORKER_SCRIPT(moves_hold)
WORKER_SCRIPT(moves_ask)
WORKER_SCRIPT(moves_replay)
WORKER_SCRIPT(moves_programs)
WORKER_SCRIPT(moves_replay_again)
WORKER_SCRIPT(coexist)
WORKER_SCRIPT(shadow)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(moves, NULL),
		RIG_TEST(moves_hold, NULL),
		RIG_TEST(moves_ask, NULL),
		RIG_TEST(moves_replay, NULL),
		RIG_TEST(moves_programs, NULL),
		RIG_TEST(moves_replay_again, NULL),
		RIG_TEST(coexist, NULL),
		RIG_TEST(shadow, NULL),
	};

	cmocka_set_test_filter(getenv("WORKER_SCRIPT_ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
