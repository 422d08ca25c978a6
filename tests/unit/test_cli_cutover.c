/* SPDX-License-Identifier: ISC
 *
 * The commands by which a cutover is watched and ended: transcripts of them
 * over the files that the daemon keeps, whose rows the scripts write, and over
 * a name server. In place of `posthouse-spf` stands a function.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "relay/observed/observed.h"
#include "relay/spf/spf_starter.h"
#include "relay/straggler/imported.h"
#include "tests/unit/cli_script.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/fakehelper.h"
#include "tests/unit/fakejudge.h"
#include "tests/unit/lastfixture.h"

struct spf_helper *spf_helper_new(const struct spf_helper_config *c)
{
	return fakehelper_new(c->loop, fakejudge, NULL);
}

bool __wrap_spf_program_find(char path_out[SPF_PROGRAM_BYTES]);
bool __wrap_spf_program_find(char path_out[SPF_PROGRAM_BYTES])
{
	strcpy(path_out, "/nowhere/posthouse-spf");
	return true;
}

/* The files, with their tables and without a row. */
static int make_files(void **state)
{
	struct imported *imported;
	struct error err;

	if (conf_tmp_setup(state) != 0)
		return -1;
	assert_true(observed_prepare(*state, NOW));
	last_delivery_close(open_in(*state));
	/* Rows come in the order of keyed hashes. */
	alter(*state, "UPDATE state SET secret = zeroblob(16)");
	imported = imported_open(*state, true, &err);
	assert_non_null(imported);
	imported_close(imported);
	return 0;
}

#define SCRIPT(name)                                                    \
	static void name(void **state)                                  \
	{                                                               \
		cli_script_run(*state, #name ".txt");                   \
	}
SCRIPT(verdict)
SCRIPT(verdict_go)
SCRIPT(verdict_waves)
SCRIPT(verdict_relay)
SCRIPT(straggler)
SCRIPT(straggler_import)
SCRIPT(propagation)
SCRIPT(preflight)
SCRIPT(complaints)
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_files, conf_tmp_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(verdict),
		TEST(verdict_go),
		TEST(verdict_waves),
		TEST(verdict_relay),
		TEST(straggler),
		TEST(straggler_import),
		TEST(propagation),
		TEST(preflight),
		TEST(complaints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
