/* SPDX-License-Identifier: ISC
 *
 * The formats of the cutover table: an older one is upgraded and nothing of it
 * is lost, a newer one is refused by name, and the history is a chain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "policy/change/table_make.h"
#include "policy/change_chain.h"
#include "policy/check/table_check.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The first column of the first row, "" when there is none. */
static char *ask(const char *path, const char *sql)
{
	static char value[400];
	sqlite3_stmt *st;
	sqlite3 *db;

	value[0] = '\0';
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL),
	    SQLITE_OK);
	if (sqlite3_step(st) == SQLITE_ROW)
		snprintf(value, sizeof(value), "%s",
		    (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	sqlite3_close(db);
	return value;
}

/* Replaces the table by one of an older format. */
static void make_old(struct table_tmp *t, int format)
{
	static char sql[1 << 16];
	const char *source = getenv("srcdir");
	char path[600];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/tests/data/table-%d.sql",
	    source == NULL ? "." : source, format);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(sql, 1, sizeof(sql) - 1, f);
	sql[n] = '\0';
	fclose(f);
	unlink(t->path);
	run_sql(t->path, sql);
	run_sql(t->path, "PRAGMA journal_mode = WAL");
}

static struct table_checked checked(const char *path)
{
	struct table_checked c;
	struct error err;

	if (table_check(path, true, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static void an_older_table_is_upgraded_behind_a_backup(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	char kept[340];
	struct table_checked c;
	struct error err;
	struct table_row row;

	make_old(t, 1);
	snprintf(kept, sizeof(kept), "%s.format1", t->path);
	assert_int_equal(checked(t->path).format, 1);
	assert_null(table_open(t->path, t->names, &err));
	assert_non_null(strstr(err.text, "format 1"));
	if (table_prepare(t->path, t->c, "test", &err) < 0)
		fail_msg("%s", err.text);
	c = checked(t->path);
	assert_string_equal(c.wrong.text, "");
	assert_int_equal(c.format, 3);
	assert_int_equal(c.rows, 9); /* and the domains of this test */
	assert_int_equal(c.lines, 7);
	assert_int_equal(checked(kept).format, 1);
	assert_string_equal(ask(kept, "SELECT count(*) FROM route"), "4");

	row = table_tmp_get(t, "bob@example.com");
	assert_true(row.held);
	assert_string_equal(row.tags, "client=outlook site=berlin");
	assert_int_equal(row.addresses, 1);
	assert_string_equal(ask(t->path, "SELECT value FROM tag WHERE "
	    "key = 'site' AND address = 'bob@example.com'"), "berlin");
	assert_string_equal(ask(t->path, "SELECT address FROM tag WHERE "
	    "key = '' AND value = 'vip'"), "ann@example.com");
	assert_string_equal(ask(t->path, "SELECT kind FROM change WHERE "
	    "change = 5"), "undo");
	/* A second time there is nothing to do. */
	assert_int_equal(table_prepare(t->path, t->c, "test", &err), 0);
	snprintf(kept, sizeof(kept), "%s.format1-2", t->path);
	assert_int_equal(access(kept, F_OK), -1);
	snprintf(kept, sizeof(kept), "%s.format1", t->path);
	unlink(kept);
	table_tmp_free(t);
}

/* Its rows have no digest: they were not covered then, and the lines keep their
 * hashes. What is changed from now on is covered. */
static void a_table_of_format_2_keeps_its_chain(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct table_checked c;
	struct error err;
	char kept[340], previous[80];

	make_old(t, 2);
	snprintf(kept, sizeof(kept), "%s.format2", t->path);
	snprintf(previous, sizeof(previous), "%s", ask(t->path,
	    "SELECT hex(previous) FROM change WHERE change = 6"));
	assert_int_equal(checked(t->path).format, 2);
	if (table_prepare(t->path, t->c, "test", &err) < 0)
		fail_msg("%s", err.text);
	c = checked(t->path);
	assert_string_equal(c.wrong.text, "");
	assert_int_equal(c.format, 3);
	assert_string_equal(ask(t->path,
	    "SELECT hex(previous) FROM change WHERE change = 6"), previous);
	assert_string_equal(ask(t->path, "SELECT group_concat(change) FROM "
	    "change WHERE rows = x''"), "1,2,3,4,5,6");
	assert_int_equal(checked(kept).format, 2);
	/* Its mark is another than that of the table. */
	assert_string_equal(ask(kept, "SELECT mark <> "
	    "'64ae67fd590dcaca969509bfc93fa90c' FROM about"), "1");
	table_tmp_route(t, "ann@example.com", "cloud");
	assert_string_equal(checked(t->path).wrong.text, "");
	run_sql(t->path, "UPDATE change SET note = '' WHERE change = 3");
	c = checked(t->path);
	assert_non_null(strstr(c.wrong.text, "change 3 was edited"));
	unlink(kept);
	table_tmp_free(t);
}

static void an_upgrade_that_fails_leaves_no_copy(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	char kept[340];
	struct error err;

	make_old(t, 1);
	snprintf(kept, sizeof(kept), "%s.format1", t->path);
	run_sql(t->path, "CREATE TABLE tag_1(in_the_way)");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(table_prepare(t->path, t->c, "test", &err),
		    -1);
		print_message("%s\n", err.text);
		assert_non_null(strstr(err.text, "can not be upgraded"));
		assert_int_equal(access(kept, F_OK), -1);
	}
	run_sql(t->path, "DROP TABLE tag_1");
	assert_int_equal(table_prepare(t->path, t->c, "test", &err), 0);
	assert_int_equal(unlink(kept), 0);
	table_tmp_free(t);
}

static void what_was_changed_before_can_be_undone_after(void **state)
{
	struct change_how how = {.undo = 6, .as_of = -1};
	struct table_tmp *t = table_tmp_new(*state);
	struct change_done done;
	struct error err;
	char kept[340];

	make_old(t, 1);
	assert_int_equal(table_prepare(t->path, t->c, "test", &err), 0);
	done = table_tmp_commit(table_tmp_change(t), &how);
	assert_int_equal(done.recipients, 1);
	assert_string_equal(table_tmp_get(t, "b.bob@example.com").tags,
	    "=odd");
	/* A tag that begins with '=' has no key. */
	assert_string_equal(ask(t->path, "SELECT value FROM tag WHERE "
	    "address = 'b.bob@example.com'"), "=odd");
	assert_string_equal(checked(t->path).wrong.text, "");
	snprintf(kept, sizeof(kept), "%s.format1", t->path);
	unlink(kept);
	table_tmp_free(t);
}

static void a_newer_table_is_refused_by_the_version_that_made_it(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct error err;

	run_sql(t->path, "UPDATE about SET made_by = 'Posthouse 7.5';"
	    "PRAGMA user_version = 4");
	assert_int_equal(table_prepare(t->path, t->c, "test", &err), -1);
	print_message("%s\n", err.text);
	assert_non_null(strstr(err.text, "format 4, made by Posthouse 7.5"));
	assert_non_null(strstr(err.text, "reads up to format 3"));
	table_tmp_free(t);
}

static void tables_that_are_not_known_are_left_alone(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct error err;

	run_sql(t->path, "CREATE TABLE wave(name TEXT PRIMARY KEY);"
	    "INSERT INTO wave VALUES('july')");
	assert_int_equal(table_prepare(t->path, t->c, "test", &err), 0);
	table_tmp_route(t, "ann@example.com", "cloud");
	assert_string_equal(checked(t->path).wrong.text, "");
	assert_string_equal(ask(t->path, "SELECT name FROM wave"), "july");
	table_tmp_free(t);
}

/* A process that is killed while it writes the schema leaves a part of it and
 * SQLite's journal, which takes it back. */
static void a_schema_that_was_cut_short_is_made_anew(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct error err;
	pid_t child;
	int status;

	unlink(t->path);
	child = fork();
	if (child == 0) {
		sqlite3 *db;

		/* With one page of memory they reach the file before the end.
		 */
		sqlite3_open(t->path, &db);
		sqlite3_exec(db, "PRAGMA page_size = 8192; "
		    "PRAGMA cache_size = 1; BEGIN IMMEDIATE; "
		    "CREATE TABLE a(x); INSERT INTO a WITH RECURSIVE n(i) AS "
		    "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
		    "SELECT zeroblob(4000) FROM n", NULL, NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(access(t->path, F_OK) == 0);
	if (table_prepare(t->path, t->c, "test", &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(checked(t->path).wrong.text, "");
	assert_true(table_tmp_get(t, "@example.com").found);
	table_tmp_free(t);
}

/* ---- what is found ----------------------------------------------------- */

/* Each is done to a good table, and must be said. */
static const struct {
	const char *sql, *said;
} spoilt[] = {
	{"UPDATE change SET note = 'other' WHERE change = 2",
	    "change 2 was edited or put in: change 3 does not follow it"},
	{"DELETE FROM change WHERE change = 2", "change 2 was taken out"},
	{"UPDATE change SET recipients = recipients + 1 WHERE change = 1",
	    "change 1 was edited"},
	{"UPDATE change SET who = 'ann', host = '' WHERE change = 2",
	    "change 2 was edited"},
	{"DELETE FROM change WHERE change = 1", "change 1 was taken out"},
	{"DELETE FROM change WHERE change IN (1, 2)",
	    "changes 1 to 2 were taken out"},
	{"INSERT INTO change SELECT 6, time, who, host, command, note, "
	    "recipients, node, kind, wave, previous, rows, decided "
	    "FROM change WHERE change = 5", "change 5 was edited or put in"},
	/* Its digest is a part of the line. */
	{"UPDATE change SET rows = x'' WHERE change = 3",
	    "change 3 was edited"},
	{"UPDATE change SET decided = x'' WHERE change = 4",
	    "change 4 was edited"},
	{"UPDATE log SET new_route = 'third' WHERE change = 3",
	    "the rows of change 3 were edited, taken out or put in (1 rows"},
	/* The newest change too, whose line no other covers. */
	{"UPDATE log SET old_held = 1 WHERE change = 5",
	    "the rows of change 5"},
	{"UPDATE log SET old_tags = NULL WHERE change = 3 ",
	    "the rows of change 3"},
	{"DELETE FROM log WHERE change = 3",
	    "the rows of change 3 were edited, taken out or put in (0 rows; "
	    "its line says 1"},
	{"INSERT INTO log SELECT 3, 'bob@example.com', old_route, old_held, "
	    "old_mailbox, old_tags, old_addresses, new_route, new_held, "
	    "new_mailbox, new_tags, new_addresses FROM log WHERE change = 3",
	    "the rows of change 3"},
	{"INSERT INTO log(change, address) VALUES(9, 'x@example.com')",
	    "the log has rows of change 9, which has no line"},
	{"UPDATE decision SET note = 'other' WHERE decision = 1",
	    "decision 1 was edited or put in: decision 2 does not follow"},
	{"DELETE FROM decision WHERE decision = 2",
	    "decision 2 was taken out"},
	{"INSERT INTO decision SELECT 4, time, who, host, command, about, "
	    "detail, note, x'00' FROM decision WHERE decision = 3",
	    "decision 3 was edited or put in: decision 4"},
	/* The newest ones too, which the next change covers. */
	{"DELETE FROM decision WHERE decision = 3",
	    "change 5 holds the hash of one that is not there, behind "
	    "decision 2"},
	{"UPDATE decision SET who = 'x' WHERE decision = 3",
	    "change 5 holds the hash of one that is not there"},
	{"DELETE FROM tag WHERE value = 'vip'", "the tags of the rows"},
	{"UPDATE tag SET key = 'x' WHERE value = 'vip'",
	    "the tags of the rows"},
	{"UPDATE route SET addresses = '' WHERE address = 'ann@example.com'",
	    "the rewritten addresses"},
	{"PRAGMA journal_mode = DELETE; PRAGMA page_size = 4096; VACUUM",
	    "pages of 4096 bytes"},
};

/* As a command of a wave writes it. */
static void decide(const char *path, const char *note)
{
	static const char insert[] = "INSERT INTO decision(time, who, host, "
	    "command, about, detail, note, previous) VALUES(7, 'ann(1000)', "
	    "'mx', 'wave start', 'july', 'to cloud', ?1, ?2)";
	unsigned char hash[CHAIN_BYTES];
	const char *const none[] = {NULL};
	sqlite3_stmt *st;
	struct error err;
	struct db db;
	int n;

	assert_int_equal(db_open(&db, path, DB_WRITE, none, &err), 0);
	n = chain_newest_decision(&db, hash, &err);
	assert_true(n >= 0);
	assert_int_equal(sqlite3_prepare_v2(db.handle, insert, -1, &st, NULL),
	    SQLITE_OK);
	db_bind_str(st, 1, note);
	sqlite3_bind_blob(st, 2, hash, n, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(st), SQLITE_DONE);
	sqlite3_finalize(st);
	db_close(&db);
}

/* Changes 1 to 5 and decisions 1 to 3, of which change 4 holds the second and
 * change 5 the third. */
static struct table_tmp *with_history(const char *dir)
{
	struct change_row row = {.route = "cloud", .held = -1,
	    .tags = "vip client=apple", .addresses = "cloud=a@tenant.example"};
	struct table_tmp *t = table_tmp_new(dir);

	table_tmp_set(t, "ann@example.com", &row);
	table_tmp_route(t, "ann@example.com", "legacy");
	decide(t->path, "one");
	decide(t->path, "two");
	table_tmp_route(t, "ann@example.com", "cloud");
	decide(t->path, "three");
	table_tmp_route(t, "ann@example.com", "legacy");
	return t;
}

static void a_table_that_is_not_whole_is_known(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
		struct table_tmp *t = with_history(*state);
		struct table_checked c = checked(t->path);

		assert_string_equal(c.wrong.text, "");
		assert_int_equal(c.decisions, 3);
		run_sql(t->path, spoilt[i].sql);
		c = checked(t->path);
		print_message("%s\n", c.wrong.text);
		assert_non_null(strstr(c.wrong.text, spoilt[i].said));
		table_tmp_free(t);
	}
}

static void a_change_says_where_and_of_what_kind_it_was(void **state)
{
	struct change_how how = {.undo = 2, .as_of = -1};
	struct table_tmp *t = table_tmp_new(*state);
	struct table_change c;
	struct error err;
	struct table *r;

	table_tmp_route(t, "ann@example.com", "cloud");
	table_tmp_commit(table_tmp_change(t), &how);
	r = table_open(t->path, t->names, &err);
	assert_int_equal(table_change_get(r, 1, t->a, &c, &err), 1);
	assert_string_equal(c.kind, "seed");
	assert_int_equal(table_change_get(r, 2, t->a, &c, &err), 1);
	assert_string_equal(c.kind, "rows");
	assert_string_equal(c.wave, "");
	assert_int_equal(c.node, t->c->node);
	assert_int_equal(table_change_get(r, 3, t->a, &c, &err), 1);
	assert_string_equal(c.kind, "undo");
	assert_int_equal(c.undid, 2);
	table_close(r);
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_older_table_is_upgraded_behind_a_backup),
	    cmocka_unit_test(a_table_of_format_2_keeps_its_chain),
	    cmocka_unit_test(an_upgrade_that_fails_leaves_no_copy),
	    cmocka_unit_test(what_was_changed_before_can_be_undone_after),
	    cmocka_unit_test(
		a_newer_table_is_refused_by_the_version_that_made_it),
	    cmocka_unit_test(tables_that_are_not_known_are_left_alone),
	    cmocka_unit_test(a_schema_that_was_cut_short_is_made_anew),
	    cmocka_unit_test(a_table_that_is_not_whole_is_known),
	    cmocka_unit_test(a_change_says_where_and_of_what_kind_it_was),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
