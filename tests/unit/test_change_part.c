/* SPDX-License-Identifier: ISC
 *
 * The functions that a caller adds to a change: what they write is kept and
 * lost with it.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/change/table_log.h"
#include "policy/db.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static const char ann[] = "ann@example.com";

struct added {
	bool fails;
	unsigned calls;
	struct change_done done;
	char route[20]; /* as the table had it when it was called */
};

static const char mark[] = "INSERT INTO seeded VALUES('marked')";

static int add(void *arg, struct db *db, const struct change_done *done,
    struct error *err)
{
	struct added *a = arg;
	sqlite3_stmt *st;

	a->calls++;
	a->done = *done;
	assert_int_equal(sqlite3_prepare_v2(db->handle,
	    "SELECT route FROM route WHERE address = 'ann@example.com'", -1,
	    &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	snprintf(a->route, sizeof(a->route), "%s", db_str(st, 0));
	sqlite3_finalize(st);
	if (db_script(db, mark, err) < 0)
		return -1;
	return a->fails ? error_set(err, "not now") : 0;
}

static bool is_marked(struct table_tmp *t)
{
	struct error err;
	struct db db;
	int64_t n;

	assert_int_equal(db_open(&db, t->path, DB_READ, NULL, &err), 0);
	assert_int_equal(db_int(&db, "SELECT count(*) FROM seeded "
	    "WHERE domain = 'marked'", &n, &err), 0);
	db_close(&db);
	return n != 0;
}

static int flip(struct table_tmp *t, struct added *a, const char *route)
{
	const struct change_part part = {.also = add, .arg = a};
	const struct change_how how = {.as_of = -1, .kind = "wave",
	    .part = &part};
	static const struct change_by by = {.who = "ann", .host = "host",
	    .command = "test", .note = "", .wave = "w1"};
	struct change_row row = {.route = route, .held = -1};
	struct change *ch = table_tmp_change(t);
	struct change_done done;
	struct error err;
	int rc;

	assert_int_equal(change_set(ch, SLICE("ann@example.com"), &row, &err),
	    0);
	rc = change_commit(ch, &how, &by, &done, &err);
	change_close(ch);
	return rc;
}

static void it_is_kept_with_the_change(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct added a = {0};
	struct table_change c;
	struct error err;
	struct table *r;
	uint64_t first = table_tmp_route(t, ann, "legacy");

	assert_int_equal(flip(t, &a, "cloud"), 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.done.change, first + 1);
	assert_int_equal(a.done.recipients, 1);
	assert_string_equal(a.route, "cloud");
	assert_true(is_marked(t));
	r = table_open(t->path, t->names, &err);
	assert_non_null(r);
	assert_int_equal(table_change_get(r, first + 1, t->a, &c, &err), 1);
	assert_string_equal(c.kind, "wave");
	assert_string_equal(c.wave, "w1");
	table_close(r);
	table_tmp_free(t);
}

static void when_it_fails_the_change_is_not_made(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct added a = {.fails = true};

	table_tmp_route(t, ann, "legacy");
	assert_int_equal(flip(t, &a, "cloud"), -1);
	assert_int_equal(a.calls, 1);
	assert_string_equal(table_tmp_get(t, ann).route_text, "legacy");
	assert_false(is_marked(t));
	table_tmp_free(t);
}

static void it_is_done_where_nothing_differs(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct added a = {0};

	table_tmp_route(t, ann, "legacy");
	assert_int_equal(flip(t, &a, "legacy"), 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.done.change, 0);
	assert_int_equal(a.done.same, 1);
	assert_true(is_marked(t));
	table_tmp_free(t);
}

/* ---- a large one ------------------------------------------------------ */

enum { ROWS = 50000 }; /* some megabytes of pages */

/* In place of those that SQLite and the change would call. */
static int64_t syncs, pushes;

int fdatasync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

int sync_file_range(int fd, off64_t at, off64_t bytes, unsigned flags)
{
	pushes++;
	return (int)syscall(SYS_sync_file_range, fd, at, bytes, flags);
}

static struct change *stage_many(struct table_tmp *t, const char *route)
{
	const struct change_row row = {.route = route, .held = -1};
	struct change *ch = table_tmp_change(t);
	struct error err;
	char address[40];

	for (int i = 0; i < ROWS; i++) {
		snprintf(address, sizeof(address), "user%05d@example.com", i);
		assert_int_equal(change_set(ch, slice_str(address), &row,
		    &err), 0);
	}
	return ch;
}

static int look_at_log(void *arg, struct db *db,
    const struct change_done *done, struct error *err)
{
	int64_t *bytes = arg;

	(void)done;
	(void)err;
	*bytes = db_log_bytes(db->path);
	return 0;
}

/* Names it by a symbolic link from here on. */
static void by_link(struct table_tmp *t)
{
	char file[sizeof(t->path)];

	snprintf(file, sizeof(file), "%s", t->path);
	snprintf(t->path + strlen(t->path), 6, ".link");
	assert_int_equal(symlink(file, t->path), 0);
}

static void most_of_it_is_in_the_log_before_it_is_committed(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	const struct change_how make = {.create = true, .as_of = -1};
	int64_t bytes = 0;
	const struct change_part part = {.also = look_at_log, .arg = &bytes};
	const struct change_how flip = {.as_of = -1, .part = &part};
	struct change_done done;

	done = table_tmp_commit(stage_many(t, "legacy"), &make);
	assert_int_equal(done.recipients, ROWS);
	assert_int_equal(db_log_bytes(t->path), 0);
	pushes = 0;
	done = table_tmp_commit(stage_many(t, "cloud"), &flip);
	assert_int_equal(done.recipients, ROWS);
	assert_true(bytes > 1 << 20);
	assert_true(pushes > 0);
	assert_string_equal(table_tmp_get(t, "user49999@example.com")
	    .route_text, "cloud");
	by_link(t);
	bytes = pushes = 0;
	done = table_tmp_commit(stage_many(t, "legacy"), &flip);
	assert_int_equal(done.recipients, ROWS);
	assert_true(bytes > 1 << 20);
	assert_true(pushes > 0);
	unlink(t->path);
	table_tmp_free(t);
}

static int stage_within(void *arg, struct change *ch,
    struct change_done *done, struct error *err)
{
	(void)arg;
	(void)done;
	return db_script(change_db(ch), "INSERT INTO stage(address, route) "
	    "SELECT address, 'cloud' FROM main.route "
	    "WHERE address LIKE 'user%'", err);
}

static int look_for_temporary_file(void *arg, struct db *db,
    const struct change_done *done, struct error *err)
{
	bool *open = arg;
	sqlite3_file *file = NULL;

	(void)done;
	(void)err;
	assert_int_equal(sqlite3_file_control(db->handle, "temp",
	    SQLITE_FCNTL_FILE_POINTER, &file), SQLITE_OK);
	*open = file != NULL && file->pMethods != NULL;
	return 0;
}

/* A disk for temporary files that is full fails no change. */
static void what_is_staged_within_it_is_written_to_no_file(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	const struct change_how make = {.create = true, .as_of = -1};
	bool open = true;
	const struct change_part part = {.stage = stage_within,
	    .also = look_for_temporary_file, .arg = &open};
	const struct change_how flip = {.as_of = -1, .part = &part};
	struct change_done done;

	table_tmp_commit(stage_many(t, "legacy"), &make);
	pushes = 0;
	done = table_tmp_commit(table_tmp_change(t), &flip);
	assert_int_equal(done.recipients, ROWS);
	assert_true(pushes > 0);
	assert_false(open);
	table_tmp_free(t);
}

static int count_of_rows_written(unsigned what, void *arg, void *st,
    void *text)
{
	int *statements = arg;

	(void)what;
	(void)text;
	*statements += strstr(sqlite3_sql(st), "INTO main.route") != NULL;
	return 0;
}

/* A row that goes needs no statement but the one that deletes. */
static void deletions_look_for_no_other_rows(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	const struct change_how how = {.as_of = -1};
	const struct change_row row = {.route = "legacy", .held = -1,
	    .tags = "vip", .addresses = "cloud=ann@tenant.example"};
	struct change *ch;
	int statements = 0;
	struct error err;

	table_tmp_set(t, ann, &row);
	ch = table_tmp_change(t);
	assert_int_equal(change_delete(ch, slice_str(ann), &err), 0);
	sqlite3_trace_v2(change_db(ch)->handle, SQLITE_TRACE_STMT,
	    count_of_rows_written, &statements);
	assert_int_equal(table_tmp_commit(ch, &how).recipients, 1);
	assert_int_equal(statements, 0);
	assert_false(table_tmp_get(t, ann).found);
	table_tmp_free(t);
}

/* Beside the handle of a reader, or the last to close it would do so. */
static void the_log_goes_into_the_file_with_a_sync_a_megabyte(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	const struct change_how make = {.create = true, .as_of = -1};
	struct error err;
	struct table *reader = table_open(t->path, t->names, &err);
	int64_t log;

	assert_non_null(reader);
	table_tmp_commit(stage_many(t, "legacy"), &make);
	log = db_log_bytes(t->path);
	assert_true(log > 3 << 20);
	syncs = 0;
	assert_int_equal(table_checkpoint(t->path, &err), 1);
	/* One of the log and one of the file are SQLite's own. A page that
	 * stands in the log twice is moved once. */
	assert_true(syncs >= 2 + (log >> 21));
	assert_int_equal(db_log_bytes(t->path), 0);
	table_close(reader);
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_kept_with_the_change),
	    cmocka_unit_test(when_it_fails_the_change_is_not_made),
	    cmocka_unit_test(it_is_done_where_nothing_differs),
	    cmocka_unit_test(
		most_of_it_is_in_the_log_before_it_is_committed),
	    cmocka_unit_test(what_is_staged_within_it_is_written_to_no_file),
	    cmocka_unit_test(deletions_look_for_no_other_rows),
	    cmocka_unit_test(
		the_log_goes_into_the_file_with_a_sync_a_megabyte),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
