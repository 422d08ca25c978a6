/* SPDX-License-Identifier: ISC
 *
 * events.jsonl by itself: what a file that refuses to be written leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "relay/audit/eventlog.h"
#include "relay/base/log.h"

/* A line of a spool that was replaced: its places are above the present
 * one's. */
static const char former[] =
    "{\"pos\":\"50:4096\",\"event\":\"accepted\"}\n";
static const char line[] = "{\"pos\":\"1:4096\",\"event\":\"accepted\"}\n";

static void make_file(char path[], const char *text)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = bytes < l.rlim_max ? bytes : l.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* /dev/full takes nothing and cannot be cut, so the log closes it; what it is
 * opened as next is full as well. */
static void lines_are_wanted_until_they_are_written(void **state)
{
	char path[] = "/tmp/test_eventlog.XXXXXX";
	const struct spool_pos begin = {1, 0}, at = {1, 4096}, next = {1, 8192};
	struct eventlog l;
	struct error err;

	(void)state;
	make_file(path, former);
	eventlog_init(&l, "/dev/full");
	assert_int_equal(eventlog_open(&l, begin, &err), 0);
	assert_true(eventlog_wants(&l, at));
	strbuf_adds(&l.out, line);
	assert_int_equal(eventlog_write(&l, next, &err), -1);
	assert_int_equal(l.fd, -1);
	l.path = path;
	limit_files(sizeof(former) - 1);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(eventlog_wants(&l, at));
		strbuf_adds(&l.out, line);
		assert_int_equal(eventlog_write(&l, next, &err), -1);
	}
	assert_true(eventlog_wants(&l, at));
	limit_files(RLIM_INFINITY);
	strbuf_adds(&l.out, line);
	assert_int_equal(eventlog_write(&l, next, &err), 0);
	assert_false(eventlog_wants(&l, at));
	assert_int_equal(l.size, sizeof(former) + sizeof(line) - 2);
	eventlog_fini(&l);
	unlink(path);
}

/* A file that was closed after a failure may have lines that are not on the
 * disk: they count as synced only once they are. */
static void what_was_not_synced_is_written_to_the_next_file(void **state)
{
	char path[] = "/tmp/test_eventlog.XXXXXX";
	const struct spool_pos begin = {1, 0}, at = {1, 4096}, next = {1, 8192};
	struct eventlog l;
	struct error err;

	(void)state;
	make_file(path, "");
	eventlog_init(&l, path);
	assert_int_equal(eventlog_open(&l, begin, &err), 0);
	strbuf_adds(&l.out, line);
	assert_int_equal(eventlog_write(&l, next, &err), 0);
	assert_false(eventlog_wants(&l, at));
	close(l.fd);
	l.fd = -1;
	assert_int_equal(unlink(path), 0); /* rotated away */
	assert_int_equal(eventlog_reopen(&l, &err), 0);
	assert_true(eventlog_wants(&l, at));
	assert_int_equal(l.size, 0);
	eventlog_fini(&l);
	unlink(path);
}

static void without_a_file_no_line_is_wanted(void **state)
{
	const struct spool_pos begin = {1, 0}, at = {1, 4096};
	struct eventlog l;
	struct error err;

	(void)state;
	eventlog_init(&l, "");
	assert_int_equal(eventlog_open(&l, begin, &err), 0);
	assert_false(eventlog_wants(&l, begin));
	assert_false(eventlog_wants(&l, at));
	eventlog_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_wanted_until_they_are_written),
		cmocka_unit_test(without_a_file_no_line_is_wanted),
		cmocka_unit_test(
		    what_was_not_synced_is_written_to_the_next_file),
	};

	signal(SIGXFSZ, SIG_IGN);
	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
