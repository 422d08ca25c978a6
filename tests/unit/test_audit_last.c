/* SPDX-License-Identifier: ISC
 *
 * ledger.db beside the index: killed anywhere, lost, late or without a
 * journal, it knows the last delivery of each recipient in the end, or says
 * since when it does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/audit/delivered/last_delivery.h"
#include "relay/audit/hourfile.h"
#include "relay/base/clock.h"
#include "tests/unit/auditfixture.h"

enum { PEOPLE = 6, APART = 25, MOST_STEPS = 400 };

static int64_t time_of(unsigned i)
{
	return T0 + i * APART * MINUTE;
}

/* A message for each, deferred once and delivered. */
static void mail_for_all(struct fixture *f)
{
	for (unsigned i = 0; i < PEOPLE; i++) {
		uint64_t id = fake_id(time_of(i), i);
		char text[40];
		const char *to[] = {text, NULL};

		snprintf(text, sizeof(text), "U%u@Example.com", i);
		fake_accepted(&f->j, id, time_of(i), "bob@example.org", to,
		    f->cloud);
		sent(f, id, time_of(i) + 500000, D_QUEUED, D_DEFERRED, 1);
		sent(f, id, time_of(i) + 1500000, D_DEFERRED, D_DELIVERED, 2);
	}
}

static bool knows(struct fixture *f, unsigned i)
{
	struct last_delivered m;
	char text[40];

	snprintf(text, sizeof(text), "u%u@example.com", i);
	if (!last_delivery_find(projector_last(f->p), "cloud",
		slice_str(text), &m))
		return false;
	assert_int_equal(m.id, fake_id(time_of(i), i));
	assert_int_equal(m.time_us, time_of(i) + 1500000);
	return true;
}

static unsigned known(struct fixture *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PEOPLE; i++)
		n += knows(f, i);
	return n;
}

/* A process life that ends well; how many it knew. */
static unsigned live(struct fixture *f)
{
	unsigned n;

	open_projector(f);
	for (int i = 0; i < MOST_STEPS; i++)
		steps(f, 1);
	n = known(f);
	assert_int_equal(
	    last_delivery_refill(projector_last(f->p)), LAST_REFILLED);
	close_projector(f);
	return n;
}

static const char *path_of(struct fixture *f, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->index, name);
	return path;
}

static void forget_last(struct fixture *f)
{
	static const char *const names[] = {"ledger.db", "ledger.db-wal",
	    "ledger.db-shm"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlink(path_of(f, names[i]));
}

static void start_again(struct fixture *f)
{
	remove_dir(f->index);
	unlink(f->events);
}

/* ---- killed ------------------------------------------------------------ */

static void die_at(void *arg, size_t at)
{
	if (at == *(size_t *)arg)
		_exit(0);
}

/* Records become visible one by one, with `ms` between: the index commits at
 * each, ledger.db every two seconds. */
static void live_and_die(struct fixture *f, int64_t ms)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		open_projector(f);
		for (size_t v = 0; v <= f->j.n; v++) {
			f->j.visible = v;
			clock_fake_step(&f->clock, ms * 1000);
			projector_step(
			    f->p, clock_mono_ms(&f->clock.clock));
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	f->j.visible = f->j.n;
}

static void killed_anywhere_each_is_known(void **state)
{
	static const int64_t apart_ms[] = {250, 700, 2500};
	struct fixture *f = *state;

	mail_for_all(f);
	for (size_t i = 0; i < ARRAY_LEN(apart_ms); i++)
		for (size_t at = 0; at <= f->j.n; at++) {
			f->j.at_next = die_at;
			f->j.arg = &at;
			live_and_die(f, apart_ms[i]);
			f->j.at_next = NULL;
			assert_int_equal(live(f), PEOPLE);
			assert_all_once(f, PEOPLE, APART * MINUTE);
			start_again(f);
		}
}

/* The index had committed, ledger.db had not; what the journal keeps is read
 * again for it alone. */
static void between_the_two_commits(void **state)
{
	struct fixture *f = *state;
	struct spool_pos cursor;

	mail_for_all(f);
	live_and_die(f, 100);
	open_projector(f);
	cursor = last_delivery_cursor(projector_last(f->p)).pos;
	assert_true(cursor.offset < f->j.rec[f->j.n - 1].pos.offset);
	assert_true(known(f) < PEOPLE);
	steps(f, 20);
	assert_int_equal(known(f), PEOPLE);
	cursor = last_delivery_cursor(projector_last(f->p)).pos;
	assert_int_equal(cursor.offset, f->j.rec[f->j.n - 1].next.offset);
	close_projector(f);
	assert_all_once(f, PEOPLE, APART * MINUTE);
	assert_lines(f, PEOPLE);
}

/* The same, and the journal has it no more: the index has. */
static void between_the_two_commits_and_recycled(void **state)
{
	struct fixture *f = *state;
	int64_t since;

	mail_for_all(f);
	live_and_die(f, 100);
	f->j.first = f->j.n - 1;
	assert_int_equal(live(f), PEOPLE);
	assert_int_equal(count_events(f, "\"event\":\"audit.gap\""), 0);
	assert_all_once(f, PEOPLE, APART * MINUTE);
	open_projector(f);
	since = last_delivery_since(projector_last(f->p));
	assert_int_equal(since, T0 / HOUR * HOUR);
}

/* ---- what is given back ------------------------------------------------ */

static void not_beyond_either(void *arg)
{
	struct fixture *f = arg;

	assert_true(f->j.done.offset <=
		    last_delivery_cursor(projector_last(f->p)).pos.offset);
}

static void the_journal_is_kept_behind_both_cursors(void **state)
{
	struct fixture *f = *state;
	bool behind = false;

	mail_for_all(f);
	f->j.visible = 0;
	f->j.at_done = not_beyond_either;
	f->j.arg = f;
	open_projector(f);
	while (f->j.visible < f->j.n) {
		f->j.visible++;
		steps(f, 1);
		behind = behind || f->j.done.offset <
				       f->j.rec[f->j.visible - 1].pos.offset;
	}
	assert_true(behind);
	steps(f, 20);
	assert_int_equal(f->j.done.offset, f->j.rec[f->j.n - 1].next.offset);
	f->j.at_done = NULL;
}

/* A file that cannot be opened holds the journal only while that has room. */
static void mail_does_not_wait_for_it(void **state)
{
	struct fixture *f = *state;

	mail_for_all(f);
	assert_int_equal(mkdir(f->index, 0750), 0);
	assert_int_equal(mkdir(path_of(f, "ledger.db"), 0750), 0);
	open_projector(f);
	steps(f, 20);
	assert_int_equal(f->j.done.offset, 0);
	assert_int_equal(known(f), PEOPLE); /* in memory */
	f->j.low = true;
	steps(f, 20);
	assert_int_equal(f->j.done.offset, f->j.rec[f->j.n - 1].next.offset);
	assert_int_equal(known(f), 0);
	assert_int_equal(rmdir(path_of(f, "ledger.db")), 0);
	steps(f, MOST_STEPS);
	assert_int_equal(known(f), PEOPLE); /* from the index */
	close_projector(f);
	assert_all_once(f, PEOPLE, APART * MINUTE);
}

/* Locked by another program while it catches up, and the journal is short of
 * room: the index goes on where it stopped. */
static void mail_does_not_wait_while_it_catches_up(void **state)
{
	struct fixture *f = *state;
	sqlite3 *other;

	mail_for_all(f);
	live_and_die(f, 100);
	open_projector(f);
	assert_int_equal(sqlite3_open(path_of(f, "ledger.db"), &other),
	    SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL,
	    NULL), SQLITE_OK);
	f->j.low = true;
	steps(f, 20);
	assert_int_equal(f->j.done.offset, f->j.rec[f->j.n - 1].next.offset);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(other);
	steps(f, MOST_STEPS);
	assert_int_equal(known(f), PEOPLE);
	close_projector(f);
	assert_all_once(f, PEOPLE, APART * MINUTE);
}

/* ---- lost -------------------------------------------------------------- */

static void a_lost_one_is_made_again_from_the_index(void **state)
{
	struct fixture *f = *state;

	mail_for_all(f);
	assert_int_equal(live(f), PEOPLE);
	f->j.first = f->j.n; /* the journal has nothing of it */
	f->j.visible = f->j.n;
	forget_last(f);
	open_projector(f);
	assert_int_equal(known(f), 0);
	assert_true(last_delivery_since(projector_last(f->p)) > time_of(0));
	close_projector(f);
	assert_int_equal(live(f), PEOPLE);
	open_projector(f);
	assert_int_equal(
	    last_delivery_since(projector_last(f->p)), T0 / HOUR * HOUR);
	assert_int_equal(known(f), PEOPLE);
}

/* Killed at any moment of that. */
static void made_again_it_may_be_killed(void **state)
{
	struct fixture *f = *state;

	mail_for_all(f);
	assert_int_equal(live(f), PEOPLE);
	for (int n = 0; n < 12; n++) {
		pid_t pid;
		int status;

		forget_last(f);
		pid = fork();
		if (pid == 0) {
			open_projector(f);
			steps(f, n);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(live(f), PEOPLE);
	}
}

/* An hour that ends while it is read for that is sealed all the same. */
static void made_again_it_holds_no_seal_up(void **state)
{
	enum { MANY = 9000, REST = 4 };
	struct fixture *f = *state;
	struct last_delivered m;
	struct stat st;

	for (unsigned i = 0; i < MANY; i++) {
		uint64_t id = fake_id(T0 + i, i % 16384);
		char text[40];
		const char *to[] = {text, NULL};

		snprintf(text, sizeof(text), "m%u@example.com", i);
		fake_accepted(&f->j, id, T0 + i, "", to, f->cloud);
		sent(f, id, T0 + i, D_QUEUED, D_DELIVERED, 1);
	}
	run(f);
	forget_last(f);
	f->j.first = f->j.n; /* the journal has nothing of it */
	open_projector(f);
	steps(f, 1);
	fake_accepted(&f->j, fake_id(T0 + HOUR, 1), T0 + HOUR, "", ann,
	    f->cloud);
	f->j.visible = f->j.n;
	steps(f, REST);
	assert_int_not_equal(
	    last_delivery_refill(projector_last(f->p)), LAST_REFILLED);
	assert_int_equal(stat(path_of(f, "2026112205.db"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0440);
	steps(f, 40);
	assert_int_equal(
	    last_delivery_refill(projector_last(f->p)), LAST_REFILLED);
	assert_true(last_delivery_find(projector_last(f->p), "cloud",
	    SLICE("m8999@example.com"), &m));
	assert_true(last_delivery_find(projector_last(f->p), "cloud",
	    SLICE("m0@example.com"), &m));
}

static void an_hour_that_cannot_be_read_is_a_hole(void **state)
{
	struct fixture *f = *state;
	char name[HOUR_NAME];
	FILE *file;

	mail_for_all(f);
	assert_int_equal(live(f), PEOPLE);
	forget_last(f);
	hour_name(hour_of(time_of(2)), name);
	unlink(path_of(f, name));
	file = fopen(path_of(f, name), "w");
	assert_non_null(file);
	fputs("this is no database, and long enough to be sure of it", file);
	fclose(file);
	assert_int_equal(live(f), PEOPLE - 3); /* three in that hour */
	open_projector(f);
	assert_true(last_delivery_since(projector_last(f->p)) > T0);
}

/* ---- gaps -------------------------------------------------------------- */

/* It knows since then, and a file that is made again says the same. */
static void after_a_gap_it_knows_since_then(void **state)
{
	struct fixture *f = *state;
	int64_t since;

	mail_for_all(f);
	f->j.bad = f->j.n - 1;
	f->j.bad_no = EIO;
	f->j.bad_for = UINT_MAX;
	assert_int_equal(live(f), PEOPLE - 1);
	open_projector(f);
	since = last_delivery_since(projector_last(f->p));
	assert_true(since > T0);
	close_projector(f);
	forget_last(f);
	f->j.visible = f->j.n - 1;
	assert_int_equal(live(f), PEOPLE - 1);
	open_projector(f);
	assert_true(last_delivery_since(projector_last(f->p)) >= since);
}

/* ---- another spool ----------------------------------------------------- */

static void open_on_spool(struct fixture *f, uint64_t id)
{
	struct spool_origin origin = {.id = id,
	    .end = {1, f->j.rec[f->j.n - 1].next.offset}};
	struct projector_input in = fakejournal_input(&f->j);
	struct error err;

	in.origin = &origin;
	f->p = projector_open_on(&f->conf, &in, f->names, &f->clock.clock,
	    &err);
	assert_non_null(f->p);
}

/* The old one may have had deliveries that nothing tells of; what is known
 * stays. */
static void another_spool_begins_the_knowledge_anew(void **state)
{
	struct fixture *f = *state;
	int64_t since;

	mail_for_all(f);
	open_on_spool(f, 7);
	steps(f, MOST_STEPS);
	since = last_delivery_since(projector_last(f->p));
	close_projector(f);
	open_on_spool(f, 7);
	assert_int_equal(last_delivery_since(projector_last(f->p)), since);
	close_projector(f);

	fakejournal_fini(&f->j);
	fakejournal_init(&f->j);
	fake_accepted(&f->j, fake_id(T0, 9), T0, "bob@example.org", ann,
	    f->cloud);
	open_on_spool(f, 8);
	assert_true(last_delivery_since(projector_last(f->p)) > since);
	since = last_delivery_since(projector_last(f->p));
	steps(f, MOST_STEPS);
	assert_int_equal(known(f), PEOPLE);
	assert_int_equal(last_delivery_since(projector_last(f->p)), since);
	close_projector(f);
	open_on_spool(f, 8);
	assert_int_equal(last_delivery_since(projector_last(f->p)), since);
	assert_int_equal(
	    last_delivery_cursor(projector_last(f->p)).spool, 8);
}

/* Restored together: the index has the new id at once, ledger.db with its next
 * commit, and the start may have ended between. */
static void a_restored_one_goes_on_whenever_it_was_killed(void **state)
{
	struct fixture *f = *state;
	struct spool_origin origin = {.id = 7};
	int64_t since;

	mail_for_all(f);
	origin.end = f->j.rec[f->j.n - 1].next;
	f->j.origin = &origin;
	open_projector(f);
	steps(f, MOST_STEPS);
	since = last_delivery_since(projector_last(f->p));
	close_projector(f);
	origin.former[origin.formers++] = origin.id;
	origin.id = 8;
	for (int start = 0; start < 3; start++) {
		open_projector(f);
		assert_string_equal(projector_era(f->p)->why, "");
		assert_int_equal(
		    last_delivery_since(projector_last(f->p)), since);
		assert_int_equal(known(f), PEOPLE);
		close_projector(f);
	}
}

/* ---- clocks ------------------------------------------------------------ */

/* Set forward by years: what is known stays, and is not pruned. */
static void a_clock_that_is_set_forgets_nothing(void **state)
{
	struct fixture *f = *state;

	mail_for_all(f);
	assert_int_equal(live(f), PEOPLE);
	open_projector(f);
	f->clock.wall += 1000 * DAY_US;
	for (int i = 0; i < 60; i++) {
		f->clock.wall += HOUR_US;
		steps(f, 5);
	}
	assert_int_equal(known(f), PEOPLE);
	f->clock.wall -= 2000 * DAY_US;
	steps(f, 20);
	assert_int_equal(known(f), PEOPLE);
}

static int64_t steady_age; /* of each stamp */

static int64_t on_age(void *arg, int64_t wall_us)
{
	(void)arg;
	(void)wall_us;
	return steady_age;
}

/* The clock was set during a stop: the journal knows how old they are. */
static void the_journal_says_how_old_they_are(void **state)
{
	struct fixture *f = *state;
	struct error err;

	mail_for_all(f);
	assert_int_equal(live(f), PEOPLE);
	f->clock.wall += 1000 * DAY_US;
	for (int old = 0; old < 2; old++) {
		struct projector_input in = fakejournal_input(&f->j);

		in.age_us = on_age;
		steady_age = old ? 1000 * DAY_US : MINUTE;
		f->p = projector_open_on(&f->conf, &in, f->names,
		    &f->clock.clock, &err);
		assert_non_null(f->p);
		for (int hour = 0; hour < 30; hour++) {
			clock_fake_step(&f->clock, HOUR_US);
			steps(f, 5);
		}
		assert_int_equal(known(f), old ? 0 : PEOPLE);
		close_projector(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    killed_anywhere_each_is_known, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    between_the_two_commits, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    between_the_two_commits_and_recycled, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    the_journal_is_kept_behind_both_cursors, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    mail_does_not_wait_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    mail_does_not_wait_while_it_catches_up, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_lost_one_is_made_again_from_the_index, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    made_again_it_may_be_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    made_again_it_holds_no_seal_up, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    an_hour_that_cannot_be_read_is_a_hole, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    after_a_gap_it_knows_since_then, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    another_spool_begins_the_knowledge_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_restored_one_goes_on_whenever_it_was_killed, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_clock_that_is_set_forgets_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    the_journal_says_how_old_they_are, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
