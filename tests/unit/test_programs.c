/* SPDX-License-Identifier: ISC
 *
 * Programs of the configuration, before the first of them is started.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/names.h"
#include "relay/daemon/programs.h"
#include "tests/unit/conf_tmp.h"

enum { TEXT_BYTES = 1000 };

/* Of CONF_BASE and two lines: places that the daemon may write, and a program
 * of the folder. NULL: it may be started; else how it begins, and the end of
 * what is said behind "DIR/posthouse.conf:5: ". */
static void check(const char *dir, const char *setting, const char *program,
    const char *begin, const char *end)
{
	struct names *names = names_new();
	char text[TEXT_BYTES], want[TEXT_BYTES];
	struct error err = {.text = ""};
	struct conf *c;

	snprintf(text, sizeof(text), CONF_BASE
	    "spool { path = \"%s/spool\" } audit { path = \"%s/audit\" } "
	    "table { path = \"%s/table/t.db\" } "
	    "control { socket = \"%s/run/s\" }\n" "%s = \"%s%s\" }\n",
	    dir, dir, dir, dir, setting, program[0] == '\0' ? "" : dir,
	    program);
	c = conf_tmp_good(dir, text, names);
	assert_int_equal(programs_check(c, &err), begin == NULL ? 0 : -1);
	if (begin == NULL) {
		assert_string_equal(err.text, "");
	} else {
		snprintf(want, sizeof(want), "%s/posthouse.conf:5: %s", dir,
		    begin);
		assert_memory_equal(err.text, want, strlen(want));
		assert_non_null(strstr(err.text, end));
	}
	conf_unref(c);
	names_free(names);
}

static void make(const char *dir, const char *name, mode_t mode)
{
	char path[TEXT_BYTES];

	snprintf(path, sizeof(path), "%s%s", dir, name);
	unlink(path);
	conf_tmp_write(dir, name + 1, "#!/bin/sh\n");
	assert_int_equal(chmod(path, mode), 0);
}

static void drop(const char *dir, const char *name)
{
	char path[TEXT_BYTES];

	snprintf(path, sizeof(path), "%s%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

static void a_program_is_a_file_that_can_be_run(void **state)
{
	static const struct {
		const char *setting, *name;
	} settings[] = {
	    {"alarm { exec", "alarm.exec: "},
	    {"hook { on_watermark", "hook.on_watermark: "},
	    {"hook { on_held", "hook.on_held: "},
	};
	const char *dir = *state;

	make(dir, "/good", 0755);
	make(dir, "/plain", 0644);
	make(dir, "/open", 0757);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const char *s = settings[i].setting, *n = settings[i].name;

		check(dir, s, "", NULL, NULL);
		check(dir, s, "/good", NULL, NULL);
		check(dir, s, "/none", n, "/none cannot be run: No such file");
		check(dir, s, "/plain", n, "/plain cannot be run: Permission");
		check(dir, s, "/.", n, "/. is no file; name the program "
				       "itself");
		check(dir, s, "/open", n,
		    "everybody on this machine can write");
	}
	drop(dir, "/good");
	drop(dir, "/plain");
	drop(dir, "/open");
}

/* Each folder that the daemon may write: one who got into it could leave a
 * program there. */
static void a_program_is_where_the_daemon_cannot_write(void **state)
{
	static const struct {
		const char *folder, *program, *of;
	} cases[] = {
	    {"/spool", "/spool/p", "/spool)"},
	    {"/audit", "/audit/p", "/audit)"},
	    {"/table", "/table/p", "/table/t.db)"},
	};
	const char *dir = *state;
	char path[TEXT_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, cases[i].folder);
		assert_int_equal(mkdir(path, 0700), 0);
		make(dir, cases[i].program, 0700);
		check(dir, "alarm { exec", cases[i].program, "alarm.exec: ",
		    cases[i].of);
		drop(dir, cases[i].program);
		assert_int_equal(rmdir(path), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_is_a_file_that_can_be_run),
		cmocka_unit_test(a_program_is_where_the_daemon_cannot_write),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
