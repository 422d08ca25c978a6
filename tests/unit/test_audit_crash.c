/* SPDX-License-Identifier: ISC
 *
 * The projector, killed anywhere: what it took in is there once, and nothing
 * is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "tests/unit/auditfixture.h"

/* ---- restarts ---------------------------------------------------------- */

static void die_at(void *arg, size_t at)
{
	if (at == *(size_t *)arg)
		_exit(0);
}

static void die(void *arg)
{
	if ((*(size_t *)arg)-- == 0)
		_exit(0);
}

/* A process that is gone without a word, at a place the test chose. */
static void run_and_die(struct fixture *f)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		open_projector(f);
		for (size_t n = f->j.n, v = 0; v <= n; v++) {
			if (v < n && (f->j.rec[v].pos.offset & 1) != 0)
				continue; /* a group is synced whole */
			f->j.visible = v;
			steps(f, v % 3 == 0 ? 1 : 0);
			clock_fake_step(&f->clock, v % 2 * 10000);
			projector_step(
			    f->p, clock_mono_ms(&f->clock.clock));
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void killed_anywhere_no_row_is_lost_or_doubled(void **state)
{
	enum { MESSAGES = 5, APART = 25 };
	struct fixture *f = *state;

	usual_mail(f, MESSAGES, APART * MINUTE);
	for (size_t at = 0; at <= f->j.n; at++) {
		f->j.at_next = die_at;
		f->j.arg = &at;
		run_and_die(f);
		f->j.at_next = NULL;
		f->j.visible = f->j.n;
		run(f);
		assert_all_once(f, MESSAGES, APART * MINUTE);
		assert_lines(f, MESSAGES);
		remove_dir(f->index);
		unlink(f->events);
	}
}

static void killed_after_any_commit_no_row_is_lost_or_doubled(void **state)
{
	enum { MESSAGES = 5, APART = 25 };
	struct fixture *f = *state;

	usual_mail(f, MESSAGES, APART * MINUTE);
	for (size_t nth = 0; nth < 12; nth++) {
		size_t left = nth;

		f->j.at_done = die;
		f->j.arg = &left;
		run_and_die(f);
		f->j.at_done = NULL;
		f->j.visible = f->j.n;
		run(f);
		assert_all_once(f, MESSAGES, APART * MINUTE);
		assert_lines(f, MESSAGES);
		remove_dir(f->index);
		unlink(f->events);
	}
}

/* Again and again, never to an end of its own. */
static void a_chain_of_kills_ends_with_everything_once(void **state)
{
	enum { MESSAGES = 12, APART = 11 };
	struct fixture *f = *state;

	usual_mail(f, MESSAGES, APART * MINUTE);
	for (size_t at = 3; at < f->j.n; at += 4) {
		f->j.at_next = die_at;
		f->j.arg = &at;
		run_and_die(f);
	}
	f->j.at_next = NULL;
	f->j.visible = f->j.n;
	run(f);
	assert_all_once(f, MESSAGES, APART * MINUTE);
	assert_lines(f, MESSAGES);
}

/* A bounce and the notification of it, in one record of the journal. */
static void bounce(struct fixture *f)
{
	struct envelope_rcpt rcpt = {.to = "bob@example.org", .orcpt = ""};
	struct envelope e = {.id = fake_id(T0, 2), .accepted_us = T0,
	    .client = "", .client_name = "", .listen = "", .helo = "",
	    .tls = "", .from = "", .envid = "", .message_id = "", .spf = "",
	    .rcpt = &rcpt, .rcpts = 1};
	struct spool_delivery d = now(f, D_QUEUED, 0);

	fake_accepted(&f->j, fake_id(T0, 1), T0, rcpt.to, ann, f->cloud);
	sent(f, fake_id(T0, 1), T0, D_QUEUED, D_BOUNCED, 1);
	f->j.group = true;
	fake_message(&f->j, REC_ACCEPTED, &e, &d, 1);
	f->j.group = false;
}

static void a_group_is_never_cut_by_a_kill(void **state)
{
	struct fixture *f = *state;
	const char *text;

	bounce(f);
	for (size_t at = 0; at <= f->j.n; at++) {
		f->j.at_next = die_at;
		f->j.arg = &at;
		run_and_die(f);
		f->j.at_next = NULL;
		f->j.visible = f->j.n;
		run(f);
		text = trace(f, (struct search){.id = fake_id(T0, 1)});
		assert_int_equal(count(text, "\"event\":\"dsn\""), 1);
		assert_int_equal(count(text, "\"event\":\"bounced\""), 1);
		remove_dir(f->index);
		unlink(f->events);
	}
}

static void a_torn_last_line_is_cut_and_written_whole(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	usual_mail(f, 2, MINUTE);
	run(f);
	assert_int_equal(stat(f->events, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(truncate(f->events, st.st_size - 10), 0);
	remove_dir(f->index); /* so that all is read again */
	run(f);
	assert_lines(f, 2);
	assert_all_once(f, 2, MINUTE);
}

static void a_damaged_newest_file_is_set_aside(void **state)
{
	struct fixture *f = *state;
	char path[128];
	FILE *out;

	usual_mail(f, 3, HOUR);
	run(f);
	snprintf(path, sizeof(path), "%s/2026112207.db", f->index);
	out = fopen(path, "w");
	assert_non_null(out);
	for (int i = 0; i < 8192; i++)
		fputc('x', out);
	fclose(out);
	run(f);
	assert_all_once(f, 3, HOUR);
	snprintf(path, sizeof(path), "%s/2026112207.db.damaged", f->index);
	assert_int_equal(access(path, F_OK), 0);
}

/* A daemon that is far behind and is stopped does not read it all first. */
static void a_stop_without_time_leaves_the_rest_to_the_next_start(void **state)
{
	enum { MESSAGES = 1500, STEP_RECORDS = 1000 };
	struct fixture *f = *state;

	usual_mail(f, MESSAGES, MINUTE / 60);
	open_projector(f);
	steps(f, 1);
	projector_stop(f->p, clock_mono_ms(&f->clock.clock));
	assert_true(f->j.at <= 2 * STEP_RECORDS);
	close_projector(f);
	run(f);
	assert_all_once(f, MESSAGES, MINUTE / 60);
	assert_lines(f, MESSAGES);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* From there on a file that is missing would be a hole. */
static void begins_at_known_figures(struct fixture *f)
{
	char path[96];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/2026112205.db", f->index);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE state SET based = 1", NULL,
	    NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* A crash left the file of an hour before anything was committed in it, and
 * the next start went on in a later one. */
static void an_hour_without_a_commit_is_no_hole(void **state)
{
	enum { MESSAGES = 2, APART = 125 };
	struct fixture *f = *state;
	char path[96];
	FILE *file;

	usual_mail(f, MESSAGES, APART * MINUTE);
	run(f);
	begins_at_known_figures(f);
	snprintf(path, sizeof(path), "%s/2026112206.db", f->index);
	file = fopen(path, "wx");
	assert_non_null(file);
	fclose(file);
	assert_all_once(f, MESSAGES, APART * MINUTE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(killed_anywhere_no_row_is_lost_or_doubled),
		T(killed_after_any_commit_no_row_is_lost_or_doubled),
		T(a_chain_of_kills_ends_with_everything_once),
		T(a_group_is_never_cut_by_a_kill),
		T(a_torn_last_line_is_cut_and_written_whole),
		T(a_damaged_newest_file_is_set_aside),
		T(an_hour_without_a_commit_is_no_hole),
		T(a_stop_without_time_leaves_the_rest_to_the_next_start),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
