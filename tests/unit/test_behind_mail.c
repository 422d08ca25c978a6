/* SPDX-License-Identifier: ISC
 *
 * The priority of a thread that gives way to mail is its own alone.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/post/behind_mail.h"

struct seen {
	int nice, policy;
};

static struct seen look(void)
{
	return (struct seen){getpriority(PRIO_PROCESS, (id_t)gettid()),
	    sched_getscheduler(0)};
}

static void *run(void *arg)
{
	struct seen *seen = arg;

	thread_behind_mail(5);
	*seen = look();
	return NULL;
}

static void only_the_thread_that_asks_is_behind(void **state)
{
	struct seen before = look(), there, after;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, run, &there), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	after = look();
	assert_int_equal(there.policy, SCHED_BATCH);
	assert_int_equal(there.nice,
	    before.nice < 14 ? before.nice + 5 : 19);
	assert_int_equal(after.policy, before.policy);
	assert_int_equal(after.nice, before.nice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_the_thread_that_asks_is_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
