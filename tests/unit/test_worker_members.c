/* SPDX-License-Identifier: ISC
 *
 * Deliveries to the members of a wave under the true daemon: what selects them,
 * and what ends it. wave_has_recipient() is wrapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/wave/file/wave_file.h"
#include "relay/daemon/app.h"
#include "tests/unit/worker_rig.h"
#include "tests/unit/worker_script.h"

static bool fails, moves; /* the table: cannot be read, is replaced */
static int asked;

int __real_wave_has_recipient(struct wave_file *f, const struct conf *c,
    const char *name, const char *to, struct error *err);
int __wrap_wave_has_recipient(struct wave_file *f, const struct conf *c,
    const char *name, const char *to, struct error *err);

int __wrap_wave_has_recipient(struct wave_file *f, const struct conf *c,
    const char *name, const char *to, struct error *err)
{
	asked++;
	if (fails)
		return error_set(err, "disk I/O error");
	if (moves)
		atomic_fetch_add(&rig_app()->shared.table_epoch, 1);
	return __real_wave_has_recipient(f, c, name, to, err);
}

WORKER_SCRIPT(members)

/* Of three messages to members the first one ends it. */
static void members_unread(void)
{
	fails = true;
	worker_script_run("members_unread.txt");
	CHECK(asked == 1);
}

static void members_moved(void)
{
	moves = true;
	worker_script_run("members_moved.txt");
	CHECK(asked == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(members, NULL),
		RIG_TEST(members_unread, NULL),
		RIG_TEST(members_moved, NULL),
	};

	cmocka_set_test_filter(getenv("WORKER_SCRIPT_ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
