/* SPDX-License-Identifier: ISC
 *
 * The limit of file descriptors, and what a configuration needs.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/daemon/descriptors.h"

/* A process of its own has them. */
static long limit_with(rlim_t soft, rlim_t hard)
{
	int status = 0, back[2];
	long got = -1;
	pid_t pid;

	assert_int_equal(pipe(back), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit lim = {soft, hard};

		if (setrlimit(RLIMIT_NOFILE, &lim) == 0)
			got = descriptors_limit();
		if (write(back[1], &got, sizeof(got)) < 0)
			_exit(1);
		getrlimit(RLIMIT_NOFILE, &lim);
		_exit(lim.rlim_cur != hard);
	}
	close(back[1]);
	assert_int_equal(read(back[0], &got, sizeof(got)), sizeof(got));
	close(back[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return got;
}

static void the_limit_is_raised_as_far_as_it_may(void **state)
{
	(void)state;
	assert_int_equal(limit_with(100, 300), 300);
	assert_int_equal(limit_with(300, 300), 300);
}

/* The sum that a refusal names; a limit of so many is enough, of one less is
 * not. */
static long need_of(const struct conf *c, int workers)
{
	struct error err = {.text = ""};
	const char *sum;
	long need;

	assert_int_equal(descriptors_check(c, workers, 0, &err), -1);
	sum = strstr(err.text, " make ");
	assert_non_null(sum);
	need = strtol(sum + strlen(" make "), NULL, 10);
	assert_int_equal(descriptors_check(c, workers, need, &err), 0);
	assert_int_equal(descriptors_check(c, workers, LONG_MAX, &err), 0);
	assert_int_equal(descriptors_check(c, workers, need - 1, &err), -1);
	assert_non_null(strstr(err.text, "raise LimitNOFILE or lower them"));
	return need;
}

static void what_a_configuration_needs_is_summed_up(void **state)
{
	struct conf_leg legs[2] = {{.connections = 20}, {.connections = 30}};
	struct conf c = {.leg = legs, .legs = 2};
	long need;

	(void)state;
	c.limits.connections = 100;
	need = need_of(&c, 3);
	assert_true(need > 100 + 20 + 30);
	c.limits.connections++;
	assert_int_equal(need_of(&c, 3), need + 1);
	legs[1].connections += 7;
	assert_int_equal(need_of(&c, 3), need + 8);
	assert_true(need_of(&c, 4) > need + 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_limit_is_raised_as_far_as_it_may),
		cmocka_unit_test(what_a_configuration_needs_is_summed_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
