/* SPDX-License-Identifier: ISC
 *
 * The queue thread recounts itself: a wrong number is logged, once, and ends
 * the process when that has run for an hour.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/log.h"
#include "tests/unit/daemon_rig.h"


static char text[20000];

/* Mail that is ready, says the ledger: one of the wrong numbers that can be
 * made from here. */
static void spoil(struct drig *r)
{
	ledger_set_ready(r->shared.ledger, r->cloud, 1);
}

/* So many minutes at work, the wrong number there from the first on. */
static void work(struct drig *r, int minutes)
{
	spoil(r);
	for (int i = 0; i < minutes; i++) {
		queue_thread_step(r->queue_thread);
		clock_fake_step(&r->clock, MINUTE_US);
	}
}

/* In a child, whose log it returns. */
static int run(struct drig *r, int minutes)
{
	char path[] = "/tmp/posthouse-check-XXXXXX";
	int fd = mkstemp(path), status;
	pid_t pid = fork();
	ssize_t n;

	assert_true(fd >= 0 && pid >= 0);
	if (pid == 0) {
		log_setup(fd, LOG_LV_ERROR, r->shared.clock);
		work(r, minutes);
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

static unsigned lines_of(const char *word)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
		n++;
	return n;
}

static struct drig *with_mail(void)
{
	struct drig *r = drig_new();
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_HELD);

	drig_accept(r, "sender@elsewhere.test", 1, &d, 1);
	return r;
}

static void in_its_first_hour_it_is_told_once(void **state)
{
	struct drig *r = with_mail();

	(void)state;
	assert_int_equal(run(r, 59), 0);
	assert_int_equal(lines_of(" error check.failed "), 1);
	assert_non_null(strstr(text, "1 in the ledger"));
	assert_non_null(strstr(text, "restart the daemon when it suits"));
	drig_free(r);
}

static void later_it_ends_the_process(void **state)
{
	struct drig *r = with_mail();
	int status = run(r, 62);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_int_equal(lines_of(" error check.failed "), 2);
	assert_int_equal(lines_of(" error assert.failed "), 1);
	assert_non_null(strstr(text, "the process ends"));
	drig_free(r);
}

/* However long it runs, nothing is told of sound state. */
static void what_is_right_is_quiet(void **state)
{
	struct drig *r = with_mail();

	(void)state;
	for (int i = 0; i < 100; i++)
		drig_later(r, 300);
	drig_check(r);
	drig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_its_first_hour_it_is_told_once),
		cmocka_unit_test(later_it_ends_the_process),
		cmocka_unit_test(what_is_right_is_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
