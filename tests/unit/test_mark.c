/* SPDX-License-Identifier: ISC
 *
 * Marks of watermarks in the table's file: what was put is there after the
 * file was opened again, and is a decision.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "policy/db.h"
#include "policy/mark/mark_file.h"
#include "policy/wave/file/decided.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

enum { TEXT = 4000 };

static struct mark_file *opened(const struct table_tmp *t)
{
	struct error err;
	struct mark_file *f = mark_file_open(t->path, &err);

	if (f == NULL)
		fail_msg("%s", err.text);
	return f;
}

static struct watermark_mark mark(const char *address, const char *leg,
    bool waived, uint64_t change)
{
	return (struct watermark_mark){.address = slice_str(address),
	    .leg = leg, .waived = waived, .change = change,
	    .time_us = 1000 + (int64_t)change, .who = "ann", .host = "host",
	    .command = "watermark synced", .note = "why"};
}

/* The change and time of a mark; 0 of none. */
static uint64_t found(struct mark_file *f, const char *address,
    const char *leg, bool waived)
{
	struct watermark_mark m = mark(address, leg, waived, 0);
	struct error err;
	int rc = mark_get(f, &m, &err);

	assert_in_range(rc, 0, 1);
	if (rc == 0)
		return 0;
	assert_int_equal(m.time_us, 1000 + (int64_t)m.change);
	return m.change;
}

static void on_decided(void *arg, const struct decided *d)
{
	char *text = arg;
	size_t n = strlen(text);

	snprintf(text + n, TEXT - n, "%s|%s|%s|%s|%s|%s|%d\n", d->who, d->host,
	    d->command, d->about, d->detail, d->note, (int)d->time_us);
}

static void decided_is(const struct table_tmp *t, const char *want)
{
	char *text = mem_new(TEXT);
	struct error err;
	struct wave_file *f = wave_file_open(t->path, false, &err);
	const struct decided_page page = {.fn = on_decided, .arg = text};

	assert_non_null(f);
	assert_int_equal(decided_each(f, &page, &err), 0);
	assert_string_equal(text, want);
	wave_file_close(f);
	mem_free(text);
}

static int64_t asked(const struct table_tmp *t, const char *sql)
{
	static const char *const none[DB_STATEMENTS] = {0};
	struct db db;
	struct error err;
	int64_t n = -1;

	assert_int_equal(db_open(&db, t->path, DB_WRITE, none, &err), 0);
	assert_int_equal(db_int(&db, sql, &n, &err), 0);
	db_close(&db);
	return n;
}

static void put_is_found_again(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	const struct watermark_mark marks[] = {
		mark("ann@example.com", "legacy", false, 7),
		mark("ann@example.com", "cloud", true, 8),
		mark("bob@example.com", "legacy", false, 9),
	};
	struct mark_file *f = opened(t);
	int64_t writes = asked(t, "SELECT writes FROM about");
	struct error err;

	assert_int_equal(found(f, "ann@example.com", "legacy", false), 0);
	assert_int_equal(mark_put(f, marks, 3, &err), 0);
	for (int life = 0; life < 2; life++) {
		assert_int_equal(found(f, "ann@example.com", "legacy", false),
		    7);
		assert_int_equal(found(f, "ann@example.com", "cloud", true),
		    8);
		assert_int_equal(found(f, "bob@example.com", "legacy", false),
		    9);
		assert_int_equal(found(f, "ann@example.com", "legacy", true),
		    0);
		assert_int_equal(found(f, "ann@example.com", "cloud", false),
		    0);
		assert_int_equal(found(f, "cid@example.com", "legacy", false),
		    0);
		mark_file_close(f);
		f = opened(t);
	}
	mark_file_close(f);
	/* The file tells a reader that it was written. */
	assert_true(asked(t, "SELECT writes FROM about") > writes);
	decided_is(t, "ann|host|watermark synced|ann@example.com|synced at "
	    "legacy, and more: table mark|why|1007\n");
	table_tmp_free(t);
}

static void a_later_one_stands(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct watermark_mark m = mark("ann@example.com", "legacy", true, 7);
	struct mark_file *f = opened(t);
	struct error err;

	assert_int_equal(mark_put(f, &m, 1, &err), 0);
	m.change = 12;
	m.time_us = 1012;
	assert_int_equal(mark_put(f, &m, 1, &err), 0);
	assert_int_equal(found(f, "ann@example.com", "legacy", true), 12);
	assert_int_equal(mark_put(f, NULL, 0, &err), 0);
	mark_file_close(f);
	assert_int_equal(asked(t, "SELECT count(*) FROM mark WHERE who = 'ann'"
	    " AND host = 'host' AND command = 'watermark synced' AND note ="
	    " 'why'"), 1);
	decided_is(t, "ann|host|watermark synced|ann@example.com|waived at "
	    "legacy|why|1007\n"
	    "ann|host|watermark synced|ann@example.com|waived at "
	    "legacy|why|1012\n");
	table_tmp_free(t);
}

static void a_file_that_is_none_is_refused(void **state)
{
	struct error err = {0};

	conf_tmp_write(*state, "none.db", "this is no database, of some "
	    "length");
	assert_null(mark_file_open(conf_tmp_write(*state, "none.db",
	    "this is no database, but has some bytes all the same"), &err));
	assert_true(err.text[0] != '\0');
	mark_file_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_is_found_again),
		cmocka_unit_test(a_later_one_stands),
		cmocka_unit_test(a_file_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
