/* SPDX-License-Identifier: ISC
 *
 * ledger.db when it is damaged, newer, or cannot be opened, and a known.db of
 * the versions before: no mail is lost, and it is made again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/unit/lastfixture.h"

enum { FEW = 20000, ROW_MAX = 200 };

static int on_row(void *arg, int n, char **value, char **name)
{
	char *text = arg;
	size_t used = 0;

	(void)name;
	for (int i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, ROW_MAX - used, "%s ",
		    value[i] == NULL ? "null" : value[i]);
	return 0;
}

/* All of it is known from the first moment on. */
static void a_new_one_begins_with_nothing_read(void **state)
{
	char row[ROW_MAX] = "", want[ROW_MAX];
	struct last_delivery *l = open_in(*state);
	sqlite3 *db;

	last_delivery_close(l);
	assert_int_equal(sqlite3_open(file(*state), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "SELECT one, format, length(secret),"
	    " spool, generation, offset, refill, hole FROM state", on_row, row,
	    NULL), SQLITE_OK);
	sqlite3_close(db);
	snprintf(want, sizeof(want), "1 %d 16 0 0 0 %lld 0 ", LAST_FORMAT,
	    (long long)LAST_REFILL_ALL);
	assert_string_equal(row, want);
}

/* Each spoils the file of a process that has ended. */
static void what_is_of_no_use_is_made_anew(void **state)
{
	static const struct {
		const char *spoil, *kept_as;
	} cases[] = {
	    {NULL, "ledger.db.damaged"}, /* no database at all */
	    {"UPDATE state SET format = 70", "ledger.db.newer"},
	    {"DROP TABLE state; CREATE TABLE state(format INT, more TEXT);"
	     " INSERT INTO state VALUES(70, '')", "ledger.db.newer"},
	    {"UPDATE state SET format = 0", "ledger.db.damaged"},
	    {"UPDATE state SET secret = x'00'", "ledger.db.damaged"},
	    {"DELETE FROM state", "ledger.db.damaged"},
	    {"UPDATE leg SET number = 5", "ledger.db.damaged"},
	    {"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage ="
	     " 2 WHERE name = 'delivery'", "ledger.db.damaged"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct last_delivery *l = open_in(*state);

		add(l, "cloud", "ann@example.com", NOW, 1);
		commit(l, NOW);
		last_delivery_refilled(l, LAST_REFILLED, false);
		commit(l, NOW);
		last_delivery_close(l);
		if (cases[i].spoil != NULL)
			alter(*state, cases[i].spoil);
		else
			conf_tmp_write(*state, "ledger.db", "this is no "
			    "database, and long enough to be sure of it: this "
			    "is no database, and long enough to be sure");
		l = open_in(*state);
		if (!there(*state, cases[i].kept_as) ||
		    has(l, "ann@example.com", NOW) ||
		    last_delivery_since(l) != NOW ||
		    last_delivery_refill(l) != LAST_REFILL_ALL)
			fail_msg("case %zu", i);
		add(l, "cloud", "ann@example.com", NOW, 2);
		commit(l, NOW);
		assert_int_equal(last(l, "cloud", "ann@example.com"), 2);
		last_delivery_close(l);
		forget(*state);
	}
}

/* Damage that shows only when the file is used, to a reader or the writer,
 * which another connection makes read it again. */
static void damage_that_shows_later_is_survived(void **state)
{
	for (int who = 0; who < 2; who++) {
		struct last_delivery *l = open_in(*state);
		FILE *f;

		last_delivery_refilled(l, LAST_REFILLED, false);
		add_crowd(l, FEW, NOW);
		last_delivery_close(l);
		l = open_in(*state);
		f = fopen(file(*state), "r+b");
		assert_non_null(f);
		for (long page = 3; page < 60; page++) {
			fseek(f, page * 4096, SEEK_SET);
			fwrite("\xff\xff\xff\xff\xff\xff\xff\xff", 1, 8, f);
		}
		fclose(f);
		alter(*state, "UPDATE state SET offset = offset + 1");
		if (who == 0)
			count(l, FEW);
		for (int i = 0; i < 3; i++)
			add_crowd(l, FEW, NOW);
		assert_true(there(*state, "ledger.db.damaged"));
		assert_int_equal(count(l, FEW), FEW);
		assert_int_equal(last_delivery_refill(l), LAST_REFILL_ALL);
		last_delivery_close(l);
		forget(*state);
	}
}

/* ---- known.db ----------------------------------------------------------- */

static void put_sql(const char *dir, const char *data, const char *name)
{
	const char *top = getenv("srcdir");
	char path[420], text[4096];
	sqlite3 *db;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/tests/data/%s",
	    top == NULL ? "." : top, data);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL,
	    NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void put_known(const char *dir)
{
	put_sql(dir, "known.sql", "known.db");
}

static int format_of(const char *dir)
{
	sqlite3_stmt *q = NULL;
	sqlite3 *db;
	int format;

	assert_int_equal(sqlite3_open(file(dir), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT format FROM state", -1,
	    &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	format = sqlite3_column_int(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return format;
}

/* It keeps its rows and its place, and has the tables of later formats. */
static void one_of_an_older_format_is_brought_up(void **state)
{
	struct last_delivery *l;

	put_sql(*state, "ledger-1.sql", "ledger.db");
	for (int i = 0; i < 2; i++) {
		l = open_in(*state);
		assert_int_equal(last(l, "cloud", "ann@example.com"), 1);
		assert_int_equal(last(l, "legacy", "bob@example.com"), 2);
		assert_int_equal(last_delivery_cursor(l).spool, 7);
		/* For the addresses. */
		assert_int_equal(last_delivery_refill(l), LAST_REFILL_ALL);
		last_delivery_close(l);
		assert_false(there(*state, "ledger.db.damaged"));
		alter(*state, "INSERT OR IGNORE INTO spf_client VALUES(1, 'a',"
		    " 'b', 1); INSERT OR IGNORE INTO forecast VALUES(1, 'a',"
		    " 'b', 1, 0, 0, 0, 0, 0); INSERT OR IGNORE INTO spf_since"
		    " VALUES(1, 1); INSERT OR IGNORE INTO replay(number)"
		    " VALUES(1); INSERT OR IGNORE INTO replay_user VALUES(1,"
		    " 'a', 0); INSERT OR IGNORE INTO replay_mail VALUES(1, 1,"
		    " 0, 'a', 1, 1, 1); INSERT OR IGNORE INTO"
		    " straggler_since VALUES(1, 1); INSERT OR IGNORE INTO"
		    " straggler(client) VALUES('192.0.2.1'); INSERT OR IGNORE"
		    " INTO straggler_day(straggler, day) VALUES(1, 1)");
		assert_int_equal(format_of(*state), LAST_FORMAT);
	}
	forget(*state);
}

static void a_known_db_is_taken_over(void **state)
{
	struct last_delivery *l;

	put_known(*state);
	for (int i = 0; i < 3; i++) {
		l = open_in(*state);
		assert_true(has(l, "ann@example.com", NOW));
		assert_true(has(l, "ann@example.com", NOW + 30 * DAY_US));
		assert_false(has(l, "ann@example.com", NOW + 34 * DAY_US));
		assert_true(has(l, "ann+list@example.com", NOW));
		assert_false(has(l, "bob@example.com", NOW));
		assert_true(last_delivery_known(l, "legacy",
		    SLICE("bob@example.com"), NOW));
		assert_false(there(*state, "known.db"));
		last_delivery_close(l);
		/* An older version ran in between. */
		if (i == 1)
			put_known(*state);
	}
	l = open_in(*state);
	for (int i = 0; i < LAST_PARTS; i++)
		prune(l, NOW + 40 * DAY_US + i * HOUR_US);
	assert_false(has(l, "ann@example.com", NOW));
	last_delivery_close(l);
	forget(*state);
}

static void a_known_db_of_no_use_goes(void **state)
{
	struct last_delivery *l;

	conf_tmp_write(*state, "known.db", "this is no database, and long "
	    "enough to be sure of it: this is no database, and long enough");
	l = open_in(*state);
	assert_false(there(*state, "known.db"));
	add(l, "cloud", "ann@example.com", NOW, 1);
	commit(l, NOW);
	assert_true(has(l, "ann@example.com", NOW));
	last_delivery_close(l);
	forget(*state);
}

/* ---- shortages ---------------------------------------------------------- */

static int (*real_open)(const char *path, int flags, int mode);
static int opens;

static int no_descriptor(const char *path, int flags, int mode)
{
	if (opens-- > 0) {
		errno = EMFILE;
		return -1;
	}
	return real_open(path, flags, mode);
}

/* One that is opened while descriptors are short may only read, or not even
 * that: it is opened again, and what was told meanwhile is not lost. */
static void a_shortage_of_descriptors_passes(void **state)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	real_open = (int (*)(const char *, int, int))vfs->xGetSystemCall(vfs,
	    "open");
	for (int n = 1; n < 12; n++) {
		struct last_delivery *l = open_in(*state);

		commit(l, NOW);
		last_delivery_close(l); /* there is a file */
		vfs->xSetSystemCall(vfs, "open",
		    (sqlite3_syscall_ptr)no_descriptor);
		opens = n;
		l = open_in(*state);
		for (int i = 0; i < 12; i++)
			commit(l, NOW);
		assert_false(last_delivery_waits(l));
		add(l, "cloud", "ann@example.com", NOW, 1);
		commit(l, NOW);
		vfs->xSetSystemCall(vfs, "open", NULL);
		assert_true(has(l, "ann@example.com", NOW));
		add(l, "cloud", "bob@example.com", NOW, 2);
		commit(l, NOW);
		assert_true(has(l, "bob@example.com", NOW));
		last_delivery_close(l);
		assert_false(there(*state, "ledger.db.damaged"));
		forget(*state);
	}
}

/* Opened late, with a cursor that stands before what was folded: the index has
 * the rest. */
static void one_that_is_opened_late_is_read_again(void **state)
{
	char dir[300], moved[310];
	struct last_delivery *l;

	snprintf(dir, sizeof(dir), "%s/audit", (const char *)*state);
	snprintf(moved, sizeof(moved), "%s.away", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	l = open_in(dir);
	last_delivery_refilled(l, LAST_REFILLED, false);
	add(l, "cloud", "ann@example.com", NOW, 1);
	commit(l, NOW);
	last_delivery_close(l);
	index_at.pos.offset += 4096; /* the index went on */
	assert_int_equal(rename(dir, moved), 0);
	l = open_in(dir);
	assert_true(last_delivery_waits(l));
	assert_int_equal(last_delivery_refill(l), LAST_REFILLED);
	assert_int_equal(rename(moved, dir), 0);
	commit(l, NOW + 5);
	assert_false(last_delivery_waits(l));
	assert_int_equal(last_delivery_refill(l), LAST_REFILL_ALL);
	assert_int_equal(last_delivery_since(l), NOW + 5);
	assert_int_equal(last(l, "cloud", "ann@example.com"), 1);
	last_delivery_close(l);
	forget(dir);
	rmdir(dir);
}

static void without_a_file_nobody_is_known(void **state)
{
	struct last_delivery *l = open_in("/nowhere/at/all");

	(void)state;
	commit(l, NOW);
	prune(l, NOW);
	assert_false(has(l, "ann@example.com", NOW));
	last_delivery_close(l);
	last_delivery_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_new_one_begins_with_nothing_read, conf_tmp_setup,
		    conf_tmp_teardown),
		cmocka_unit_test(what_is_of_no_use_is_made_anew),
		cmocka_unit_test(damage_that_shows_later_is_survived),
		cmocka_unit_test(one_of_an_older_format_is_brought_up),
		cmocka_unit_test(a_known_db_is_taken_over),
		cmocka_unit_test(a_known_db_of_no_use_goes),
		cmocka_unit_test(a_shortage_of_descriptors_passes),
		cmocka_unit_test(one_that_is_opened_late_is_read_again),
		cmocka_unit_test(without_a_file_nobody_is_known),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
