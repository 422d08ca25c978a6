/* SPDX-License-Identifier: ISC
 *
 * An assertion that fails ends the process, and the log says which one. Each
 * case runs in a child. A build without assertions does not exist: NDEBUG is
 * the C library's affair.
 */
#define NDEBUG
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/assert.h"
#include "relay/base/log.h"

static const struct clock *the_clock = &clock_system;
static char text[2000];

/* Runs `fn` with file descriptor `to` replaced by a file, or with the log in
 * that file (`to` < 0); fills `text` with it. Returns the wait status. */
static int run(void (*fn)(void), int to)
{
	char path[] = "/tmp/posthouse-assert-XXXXXX";
	int fd = mkstemp(path), status;
	pid_t pid = fork();
	ssize_t n;

	assert_true(fd >= 0 && pid >= 0);
	if (pid == 0) {
		if (to >= 0)
			dup2(fd, to);
		log_setup(to >= 0 ? to : fd, LOG_LV_ERROR, the_clock);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	n = pread(fd, text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	unlink(path);
	return status;
}

static void assert_aborted(int status)
{
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void hold(void)
{
	int asked = 0;

	PH_ASSERT(++asked == 1);
	_exit(asked == 1 ? 7 : 8);
}

static void break_here(void)
{
	int letters = 2;

	PH_ASSERT(letters == 3);
}

static void *break_in_a_thread(void *arg)
{
	break_here();
	return arg;
}

static void break_elsewhere(void)
{
	pthread_t t;

	pthread_create(&t, NULL, break_in_a_thread, NULL);
	pthread_join(t, NULL);
}

static int64_t broken_clock(const struct clock *c)
{
	PH_ASSERT(c == NULL);
	return 0;
}

static void what_holds_is_asked_once_and_costs_nothing(void **state)
{
	int status = run(hold, -1);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_string_equal(text, "");
}

static void what_fails_is_in_the_log_with_its_place(void **state)
{
	static const char line[] =
	    " error assert.failed at=tests/unit/test_assert.c:";
	static void (*const ways[])(void) = {break_here, break_elsewhere};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		assert_aborted(run(ways[i], -1));
		assert_non_null(strstr(text, line));
		assert_non_null(
		    strstr(text, " condition=\"letters == 3\"\n"));
		assert_aborted(run(ways[i], STDERR_FILENO));
		assert_non_null(strstr(text, line));
	}
}

/* The log itself asks a clock that fails: no endless circle, and the second
 * failure is told on standard error. */
static void a_failure_of_the_log_ends_too(void **state)
{
	static const struct clock broken = {broken_clock, broken_clock};

	(void)state;
	the_clock = &broken;
	assert_aborted(run(break_here, STDERR_FILENO));
	the_clock = &clock_system;
	assert_non_null(strstr(text, "assert.failed at=tests/unit/"
				     "test_assert.c:"));
	assert_non_null(strstr(text, ": c == NULL\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_holds_is_asked_once_and_costs_nothing),
	    cmocka_unit_test(what_fails_is_in_the_log_with_its_place),
	    cmocka_unit_test(a_failure_of_the_log_ends_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
