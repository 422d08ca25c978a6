/* SPDX-License-Identifier: ISC
 *
 * How `posthouse-spf` is started: what the program gets, where it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/spf/spf_starter.h"
#include "tests/unit/conf_tmp.h"

enum { TURNS = 2000, TURN_MS = 10 };

static bool gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

static char *read_file(const char *path)
{
	char *text = mem_new(10000);
	FILE *f = fopen(path, "r");

	if (f != NULL) {
		text[fread(text, 1, 9999, f)] = '\0';
		fclose(f);
	}
	return text;
}

static void a_forked_program_gets_its_socket_and_nothing_else(void **state)
{
	void *dir;
	char program[300], out[290], *text;
	struct spf_starter s;
	struct stat st;
	struct error err;
	FILE *f;
	int fds[2], handle;

	(void)state;
	assert_int_equal(conf_tmp_setup(&dir), 0);
	snprintf(program, sizeof(program), "%s/p", (char *)dir);
	snprintf(out, sizeof(out), "%s/out", (char *)dir);
	f = fopen(program, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\nOUT=%s\nls /proc/$$/fd >$OUT.fds\n"
		   "{ cat /proc/$$/environ; "
		   "grep '^.$' $OUT.fds | tr '\\n' ' '; "
		   "stat -Lc %%F /proc/$$/fd/0; } >$OUT.new\n"
		   "mv $OUT.new $OUT\nread line\n",
	    out);
	fclose(f);
	assert_int_equal(chmod(program, 0700), 0);
	setenv("SECRET", "of ours", 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	s = spf_starter_fork(program);
	handle = s.start(&s, fds[1], &err);
	assert_true(handle > 0);
	for (int i = 0; i < TURNS && stat(out, &st) < 0; i++)
		poll(NULL, 0, TURN_MS);
	s.end(&s, handle);
	assert_true(gone(handle));
	text = read_file(out);
	/* Those of two digits are the shell's own. */
	assert_string_equal(text, "0 1 2 socket\n");
	mem_free(text);
	unlink(program);
	unlink(out);
	snprintf(program, sizeof(program), "%s.fds", out);
	unlink(program);
	close(fds[0]);
	close(fds[1]);
	conf_tmp_teardown(&dir);
}

/* In this build folder no such program is beside the test. */
static void a_program_that_is_nowhere_is_named_where_it_should_be(void **state)
{
	char path[SPF_PROGRAM_BYTES];

	(void)state;
	if (access(PH_LIBEXECDIR "/posthouse-spf", X_OK) == 0)
		skip();
	assert_false(spf_program_find(path));
	assert_string_equal(path, PH_LIBEXECDIR "/posthouse-spf");
}

static void the_program_beside_the_running_one_comes_first(void **state)
{
	char path[SPF_PROGRAM_BYTES], want[SPF_PROGRAM_BYTES + 20];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	(void)state;
	assert_true(n > 0);
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	snprintf(want, sizeof(want), "%s/posthouse-spf", path);
	assert_int_equal(symlink("/bin/true", want), 0);
	assert_true(spf_program_find(path));
	unlink(want);
	assert_string_equal(path, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_forked_program_gets_its_socket_and_nothing_else),
	    cmocka_unit_test(
		a_program_that_is_nowhere_is_named_where_it_should_be),
	    cmocka_unit_test(the_program_beside_the_running_one_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
