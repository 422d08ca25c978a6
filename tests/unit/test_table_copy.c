/* SPDX-License-Identifier: ISC
 *
 * Backups of the cutover table and the way back; and a copy that is put over
 * the table while its write-ahead log remains.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "policy/change/table_copy.h"
#include "policy/change/table_lock.h"
#include "policy/change/table_log.h"
#include "policy/change/table_make.h"
#include "policy/check/table_check.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static void copy_file(const char *from, const char *to)
{
	static char bytes[1 << 20];
	FILE *f = fopen(from, "r"), *g = fopen(to, "w");
	size_t n;

	assert_non_null(f);
	assert_non_null(g);
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		assert_int_equal(fwrite(bytes, 1, n, g), n);
	fclose(f);
	assert_int_equal(fclose(g), 0);
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void expect_file(const char *path, const char *text)
{
	char got[80] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_non_null(fgets(got, sizeof(got), f));
	fclose(f);
	assert_string_equal(got, text);
}

static const char *beside(const struct table_tmp *t, const char *end)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s%s", t->path, end);
	return path;
}

static void drop(const struct table_tmp *t, const char *end)
{
	unlink(beside(t, end));
}

static uint64_t change_of(const struct table_tmp *t)
{
	struct table_checked c;
	struct error err;

	if (table_check(t->path, true, &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(c.wrong.text, "");
	return c.change;
}

static struct table_restored try_restore(struct table_tmp *t,
    const char *name, int want, const char *said)
{
	struct table_source from = {open(name, O_RDONLY), name};
	struct table_restored done;
	struct error err = {0};
	int rc;

	assert_true(from.fd >= 0);
	rc = table_restore(t->path, &from, &done, &err);
	close(from.fd);
	if (rc < 0)
		print_message("%s\n", err.text);
	assert_int_equal(rc, want);
	if (want < 0)
		assert_non_null(strstr(err.text, said));
	return done;
}

static struct table_restored restore(struct table_tmp *t, const char *name,
    int want, const char *said)
{
	struct table_restored done = try_restore(t, name, want, said);

	/* Its own copy is gone either way. */
	assert_int_equal(access(beside(t, ".restoring"), F_OK), -1);
	return done;
}

/* Ann on cloud at change 2; a backup of that; ann on legacy at change 3. */
static struct table_tmp *with_backup(const char *dir, char backup[340])
{
	struct table_tmp *t = table_tmp_new(dir);
	struct error err;

	snprintf(backup, 340, "%s/backup", dir);
	unlink(backup);
	table_tmp_route(t, "ann@example.com", "cloud");
	if (table_backup(t->path, backup, &err) < 0)
		fail_msg("%s", err.text);
	table_tmp_route(t, "ann@example.com", "legacy");
	return t;
}

static void expect_route(struct table_tmp *t, const char *route)
{
	assert_string_equal(table_tmp_get(t, "ann@example.com").route_text,
	    route);
}

static void a_backup_is_one_file(void **state)
{
	char backup[340], log[350];
	struct table_tmp *t = with_backup(*state, backup);

	snprintf(log, sizeof(log), "%s-wal", backup);
	assert_int_equal(access(log, F_OK), -1);
	snprintf(log, sizeof(log), "%s.part", backup);
	assert_int_equal(access(log, F_OK), -1);
	table_tmp_free(t);
}

static void a_restored_table_is_seen_by_those_who_have_it_open(void **state)
{
	char backup[340];
	struct table_tmp *t = with_backup(*state, backup);
	struct table_restored done;
	struct table_row row;
	struct error err;
	struct table *r = table_open(t->path, t->names, &err);

	assert_int_equal(table_begin(r, &err), 0);
	assert_int_equal(table_change(r, &err), 3);
	done = restore(t, backup, 0, NULL);
	assert_int_equal(done.was, 3);
	assert_int_equal(done.is, 2);
	assert_string_equal(done.kept, beside(t, ".before-restore"));
	/* One transaction sees one table. */
	assert_int_equal(table_change(r, &err), 3);
	table_end(r);
	assert_false(table_moved(r));
	assert_int_equal(table_begin(r, &err), 0);
	assert_int_equal(table_change(r, &err), 2);
	assert_int_equal(table_get(r, SLICE("ann@example.com"), t->a, &row,
			     &err), 1);
	assert_string_equal(row.route_text, "cloud");
	table_end(r);
	table_close(r);
	assert_int_equal(change_of(t), 2);
	/* And back: what was kept is a backup as well. */
	done = restore(t, beside(t, ".before-restore"), 0, NULL);
	assert_int_equal(done.is, 3);
	expect_route(t, "legacy");
	drop(t, ".before-restore");
	drop(t, ".before-restore-2");
	table_tmp_free(t);
}

static void what_is_no_backup_leaves_the_table_as_it_is(void **state)
{
	char backup[340], path[340];
	struct table_tmp *t = with_backup(*state, backup);

	snprintf(path, sizeof(path), "%s",
	    conf_tmp_write(*state, "text", "no table at all"));
	restore(t, path, -1, "no");
	/* Half of it. */
	assert_int_equal(truncate(backup, 8192 * 5), 0);
	restore(t, backup, -1, "damaged");
	/* A table in use: its newest changes are in the log. */
	copy_file(t->path, path);
	conf_tmp_write(*state, "text-wal", "changes");
	restore(t, path, -1, "write-ahead log beside it");
	assert_int_equal(change_of(t), 3);
	expect_route(t, "legacy");
	assert_int_equal(access(beside(t, ".before-restore"), F_OK), -1);
	table_tmp_free(t);
}

static void a_table_that_cannot_be_opened_is_replaced(void **state)
{
	char backup[340];
	struct table_tmp *t = with_backup(*state, backup);
	struct table_restored done;

	assert_int_equal(truncate(t->path, 100), 0);
	done = restore(t, backup, 0, NULL);
	assert_string_equal(done.kept, beside(t, ".before-restore"));
	assert_int_equal(change_of(t), 2);
	expect_route(t, "cloud");
	/* Nor is one needed. */
	drop(t, "");
	drop(t, ".before-restore");
	done = restore(t, backup, 0, NULL);
	assert_string_equal(done.kept, "");
	assert_int_equal(access(beside(t, ".before-restore"), F_OK), -1);
	assert_int_equal(change_of(t), 2);
	/* Nothing is kept of an empty file either. */
	assert_int_equal(truncate(t->path, 0), 0);
	write_file(beside(t, "-journal"), "of a table before it");
	restore(t, backup, 0, NULL);
	expect_file(beside(t, "-journal.aside"), "of a table before it");
	drop(t, "-journal.aside");
	assert_int_equal(access(beside(t, ".before-restore"), F_OK), -1);
	assert_int_equal(change_of(t), 2);
	expect_route(t, "cloud");
	table_tmp_free(t);
}

static int64_t asked(const char *path, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *st;
	int64_t n;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

static void a_table_that_is_refused_is_not_replaced(void **state)
{
	static const struct {
		const char *sql, *said;
	} cases[] = {
	    {"PRAGMA user_version = 4", "has format 4"},
	    {"PRAGMA application_id = 7", "not a cutover table of"},
	};
	char backup[340];
	struct table_tmp *t = with_backup(*state, backup);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run_sql(t->path, cases[i].sql);
		restore(t, backup, -1, cases[i].said);
		assert_int_equal(asked(t->path, "SELECT max(change) "
		    "FROM change"), 3);
		assert_int_equal(access(beside(t, ".before-restore"), F_OK),
		    -1);
		run_sql(t->path, "PRAGMA user_version = 3");
	}
	table_tmp_free(t);
}

/* Stands before the C library's. */
static int fail_rename;

int rename(const char *from, const char *to)
{
	if (fail_rename) {
		errno = fail_rename;
		return -1;
	}
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

static void a_table_that_cannot_be_replaced_is_as_it_was(void **state)
{
	char backup[340];
	struct table_tmp *t = with_backup(*state, backup);

	write_file(t->path, "broken");
	write_file(beside(t, "-wal"), "its log");
	write_file(beside(t, ".before-restore-wal"), "that of another day");
	restore(t, backup, -1, ".before-restore-wal");
	expect_file(t->path, "broken");
	expect_file(beside(t, "-wal"), "its log");
	assert_int_equal(access(beside(t, ".before-restore"), F_OK), -1);
	drop(t, ".before-restore-wal");
	fail_rename = ENOSPC;
	restore(t, backup, -1, "No space left");
	expect_file(t->path, "broken");
	expect_file(beside(t, "-wal"), "its log");
	assert_int_equal(access(beside(t, ".before-restore"), F_OK), -1);
	drop(t, "");
	restore(t, backup, -1, "No space left");
	expect_file(beside(t, "-wal"), "its log");
	assert_int_equal(access(t->path, F_OK), -1);
	fail_rename = 0;
	write_file(t->path, "broken");
	restore(t, backup, 0, NULL);
	expect_file(beside(t, ".before-restore"), "broken");
	expect_file(beside(t, ".before-restore-wal"), "its log");
	assert_int_equal(change_of(t), 2);
	drop(t, ".before-restore");
	drop(t, ".before-restore-wal");
	table_tmp_free(t);
}

static void a_killed_restore_leaves_nothing_and_two_do_not_meet(void **state)
{
	char backup[340];
	struct table_tmp *t = with_backup(*state, backup);
	int fd;

	write_file(beside(t, ".restoring"), "half a copy");
	write_file(beside(t, ".restoring-journal"), "and its journal");
	restore(t, backup, 0, NULL);
	assert_int_equal(access(beside(t, ".restoring-journal"), F_OK), -1);
	assert_int_equal(change_of(t), 2);
	drop(t, ".before-restore");
	fd = open(beside(t, ".restoring"), O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	try_restore(t, backup, -1, "another restore");
	assert_int_equal(access(beside(t, ".restoring"), F_OK), 0);
	close(fd);
	drop(t, ".restoring");
	table_tmp_free(t);
}

/* ---- a copy over the table, whose log remains -------------------------- */

/* A handle that stays open keeps the log, as a killed daemon does. */
static void leave_log(struct table_tmp *t, const char *over)
{
	struct error err;
	struct table *r = table_open(t->path, t->names, &err);
	char log[400], kept[340];

	snprintf(kept, sizeof(kept), "%s-kept", t->path);
	snprintf(log, sizeof(log), "%s", beside(t, "-wal"));
	table_tmp_route(t, "ann@example.com", "cloud+legacy");
	assert_true(table_log_bytes(t->path) > 0);
	copy_file(log, kept);
	table_close(r);
	unlink(log);
	unlink(beside(t, "-shm"));
	copy_file(over, t->path);
	copy_file(kept, log);
	unlink(kept);
}

static void a_log_of_another_file_is_noticed_and_set_aside(void **state)
{
	char backup[340], aside[TABLE_ASIDE_PATH];
	struct table_tmp *t = with_backup(*state, backup);
	struct error err = {0};

	leave_log(t, backup);
	assert_true(table_log_foreign(t->path));
	assert_int_equal(symlink(t->path, beside(t, ".link")), 0);
	assert_true(table_log_foreign(beside(t, ".link")));
	drop(t, ".link");
	assert_null(table_open(t->path, t->names, &err));
	print_message("%s\n", err.text);
	assert_non_null(strstr(err.text, "of another file"));
	assert_non_null(strstr(err.text, "table accept"));
	assert_int_equal(table_prepare(t->path, t->c, "test", &err), -1);
	assert_null(change_open(t->path, t->c, &err));
	/* Nothing of the log came into the copy meanwhile. */
	assert_int_equal(table_log_aside(t->path, aside, &err), 1);
	assert_string_equal(aside, beside(t, "-wal.aside"));
	assert_int_equal(change_of(t), 2);
	expect_route(t, "cloud");
	assert_int_equal(table_log_aside(t->path, aside, &err), 0);
	drop(t, "-wal.aside");
	table_tmp_free(t);
}

static void a_restore_replaces_both(void **state)
{
	char backup[340];
	struct table_tmp *t = with_backup(*state, backup);

	leave_log(t, backup);
	restore(t, backup, 0, NULL);
	assert_int_equal(change_of(t), 2);
	assert_int_equal(access(beside(t, ".before-restore-wal"), F_OK), 0);
	drop(t, ".before-restore");
	drop(t, ".before-restore-wal");
	table_tmp_free(t);
}

/* It opened the file that was replaced, and comes too late. */
static void a_program_that_waited_finds_no_table_in_the_old_file(void **state)
{
	char backup[340];
	struct table_tmp *t = with_backup(*state, backup);
	sqlite3 *late;

	leave_log(t, backup);
	assert_int_equal(sqlite3_open(t->path, &late), SQLITE_OK);
	restore(t, backup, 0, NULL);
	assert_int_equal(sqlite3_exec(late, "DELETE FROM route", NULL, NULL,
			     NULL), SQLITE_NOTADB);
	sqlite3_close(late);
	assert_int_equal(change_of(t), 2);
	expect_route(t, "cloud");
	drop(t, ".before-restore");
	drop(t, ".before-restore-wal");
	table_tmp_free(t);
}

static void the_lock_stays_when_another_descriptor_is_closed(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct flock seen = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct table_lock lock;
	struct error err;
	int fd;

	assert_int_equal(table_lock(&lock, t->path, &err), 0);
	close(open(t->path, O_RDONLY));
	fd = open(t->path, O_RDWR);
	assert_int_equal(fcntl(fd, F_OFD_GETLK, &seen), 0);
	assert_int_equal(seen.l_type, F_WRLCK);
	close(fd);
	table_unlock(&lock);
	table_tmp_free(t);
}

/* A copy that was made while the daemon was stopped has the mark of then. */
static void a_cold_copy_is_known_after_the_next_start(void **state)
{
	char backup[340], cold[340];
	struct table_tmp *t = with_backup(*state, backup);
	struct error err;

	snprintf(cold, sizeof(cold), "%s/cold", (char *)*state);
	copy_file(t->path, cold);
	assert_int_equal(table_mark(t->path, &err), 0);
	leave_log(t, cold);
	assert_true(table_log_foreign(t->path));
	drop(t, "-wal");
	drop(t, "-shm");
	/* The same file with its own log is the table. */
	copy_file(cold, t->path);
	assert_int_equal(table_mark(t->path, &err), 0);
	copy_file(t->path, cold);
	leave_log(t, cold);
	assert_false(table_log_foreign(t->path));
	assert_int_equal(change_of(t), 4);
	unlink(cold);
	table_tmp_free(t);
}

/* The daemon is killed between the mark and the checkpoint that brings it into
 * the file. */
static void a_mark_that_is_in_the_log_alone_makes_no_copy(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct error err;
	struct table *r = table_open(t->path, t->names, &err);

	run_sql(t->path, "UPDATE about SET former = mark, "
	    "mark = '0123456789abcdef0123456789abcdef'; "
	    "PRAGMA user_version = 3");
	assert_true(table_log_bytes(t->path) > 0);
	assert_false(table_log_foreign(t->path));
	table_tmp_route(t, "ann@example.com", "cloud");
	assert_int_equal(table_checkpoint(t->path, &err), 1);
	/* The file has it: the former one counts no longer. */
	table_tmp_route(t, "ann@example.com", "legacy");
	assert_false(table_log_foreign(t->path));
	run_sql(t->path, "UPDATE about SET mark = 'x' WHERE former <> ''");
	assert_false(table_log_foreign(t->path));
	table_close(r);
	table_tmp_free(t);
}

/* ---- while others are at work ------------------------------------------ */

/* A restore right after the n-th time from now that the log was emptied, and
 * a reader that needs the file as it is then. */
static struct {
	int n;
	struct table_tmp *t;
	struct table *reader;
	const char *backup;
} meanwhile;

/* Stands before SQLite's own. */
int sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *name, int mode,
    int *log, int *moved)
{
	static int (*next)(sqlite3 *, const char *, int, int *, int *);
	int rc;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, __func__);
	rc = next(db, name, mode, log, moved);
	if (mode == SQLITE_CHECKPOINT_TRUNCATE && meanwhile.n > 0 &&
	    --meanwhile.n == 0) {
		struct error err;

		assert_int_equal(table_begin(meanwhile.reader, &err), 0);
		assert_int_equal(table_change(meanwhile.reader, &err), 3);
		restore(meanwhile.t, meanwhile.backup, 0, NULL);
	}
	return rc;
}

static void a_restore_meanwhile(const char *dir, int n,
    int (*at)(const char *path, struct error *err))
{
	char backup[340];
	struct table_tmp *t = with_backup(dir, backup);
	struct error err;
	struct table *r = table_open(t->path, t->names, &err);

	assert_int_equal(table_mark(t->path, &err), 0);
	run_sql(t->path, "UPDATE about SET former = 'x'; "
	    "PRAGMA user_version = 3");
	meanwhile.n = n;
	meanwhile.t = t;
	meanwhile.reader = r;
	meanwhile.backup = backup;
	assert_true(at(t->path, &err) >= 0);
	assert_int_equal(meanwhile.n, 0);
	assert_false(table_log_foreign(t->path));
	expect_route(t, "cloud");
	table_end(r);
	/* The next time it is settled. */
	assert_int_equal(table_checkpoint(t->path, &err), 1);
	assert_false(table_log_foreign(t->path));
	table_tmp_route(t, "ann@example.com", "legacy");
	assert_false(table_log_foreign(t->path));
	table_close(r);
	drop(t, ".before-restore");
	table_tmp_free(t);
}

static void a_restore_between_log_and_mark_stays_the_table(void **state)
{
	a_restore_meanwhile(*state, 1, table_checkpoint);
	a_restore_meanwhile(*state, 1, table_mark);
	a_restore_meanwhile(*state, 2, table_mark);
}

/* Tags that come and go, one change after the other. */
static void change_on(struct table_tmp *t)
{
	for (int i = 0; i < 300; i++) {
		struct change_row row = {.route = "cloud", .held = -1,
		    .tags = i % 2 == 0 ? "vip client=apple" : "site=berlin"};
		char address[40];

		snprintf(address, sizeof(address), "u%d@example.com", i % 7);
		table_tmp_set(t, address, &row);
	}
}

static void a_table_is_whole_while_it_is_changed(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	int status, looks = 0;
	pid_t child = fork();

	if (child == 0) {
		change_on(t);
		_exit(0);
	}
	for (; waitpid(child, &status, WNOHANG) == 0; looks++)
		change_of(t);
	assert_int_equal(status, 0);
	assert_true(looks > 1);
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_backup_is_one_file),
	    cmocka_unit_test(
		a_restored_table_is_seen_by_those_who_have_it_open),
	    cmocka_unit_test(what_is_no_backup_leaves_the_table_as_it_is),
	    cmocka_unit_test(a_table_that_cannot_be_opened_is_replaced),
	    cmocka_unit_test(a_table_that_is_refused_is_not_replaced),
	    cmocka_unit_test(a_table_that_cannot_be_replaced_is_as_it_was),
	    cmocka_unit_test(
		a_killed_restore_leaves_nothing_and_two_do_not_meet),
	    cmocka_unit_test(a_log_of_another_file_is_noticed_and_set_aside),
	    cmocka_unit_test(a_restore_replaces_both),
	    cmocka_unit_test(
		a_program_that_waited_finds_no_table_in_the_old_file),
	    cmocka_unit_test(the_lock_stays_when_another_descriptor_is_closed),
	    cmocka_unit_test(a_cold_copy_is_known_after_the_next_start),
	    cmocka_unit_test(a_mark_that_is_in_the_log_alone_makes_no_copy),
	    cmocka_unit_test(a_restore_between_log_and_mark_stays_the_table),
	    cmocka_unit_test(a_table_is_whole_while_it_is_changed),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
