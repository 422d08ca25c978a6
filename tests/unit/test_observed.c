/* SPDX-License-Identifier: ISC
 *
 * observed.db is made, read, brought up, and set aside when it is of no use. A
 * reader never takes a file that is not there, or not whole, for an empty one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/observed/observed.h"
#include "tests/unit/conf_tmp.h"

enum { NOW = 1000, LATER = 2000, PATH_BYTES = 4096 };

static const char *path_of(const char *dir, const char *suffix)
{
	static char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/" OBSERVED_NAME "%s", dir, suffix);
	return path;
}

static void forget(const char *dir)
{
	static const char *const suffixes[] = {"", "-wal", "-shm",
	    ".damaged", ".newer"};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		unlink(path_of(dir, suffixes[i]));
}

static void alter(const char *dir, const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path_of(dir, ""), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void it_is_made_once_and_read(void **state)
{
	struct error err;
	struct observed *o = observed_read(*state, &err);

	assert_null(o);
	assert_non_null(strstr(err.text, "No such file"));
	assert_true(observed_prepare(*state, NOW));
	o = observed_open(*state, LATER, &err);
	assert_non_null(o);
	assert_int_equal(observed_since(o), NOW);
	assert_int_equal(observed_do(o, "BEGIN IMMEDIATE; COMMIT", &err), 0);
	assert_int_equal(observed_do(o, "SELECT nonsense", &err), -1);
	assert_non_null(strstr(err.text, "nonsense"));
	observed_close(o);
	o = observed_read(*state, &err);
	assert_non_null(o);
	assert_int_equal(observed_since(o), NOW);
	assert_int_equal(observed_do(o, "DELETE FROM about", &err), -1);
	observed_close(o);
	assert_int_equal(access(path_of(*state, ".damaged"), F_OK), -1);
	forget(*state);
}

/* Another one has removed it while the daemon runs. */
static void a_writer_makes_what_is_missing(void **state)
{
	struct error err;
	struct observed *o = observed_open(*state, NOW, &err);

	assert_non_null(o);
	observed_close(o);
	forget(*state);
	o = observed_open(*state, LATER, &err);
	assert_non_null(o);
	assert_int_equal(observed_since(o), LATER);
	observed_close(o);
	forget(*state);
}

static const struct {
	const char *spoil, *kept_as; /* NULL: no database at all */
} useless[] = {
    {NULL, ".damaged"},
    {"UPDATE about SET format = 0", ".damaged"},
    {"DELETE FROM about", ".damaged"},
    {"UPDATE about SET format = 70", ".newer"},
    {"DROP TABLE about; CREATE TABLE about(format INT, since INT, more TEXT);"
     " INSERT INTO about VALUES(70, 0, '')", ".newer"},
    {"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 90"
     " WHERE name = 'about'", ".damaged"},
};

static void what_is_of_no_use_is_set_aside(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(useless); i++) {
		struct error err;
		struct observed *o;

		assert_true(observed_prepare(*state, NOW));
		if (useless[i].spoil != NULL)
			alter(*state, useless[i].spoil);
		else
			conf_tmp_write(*state, OBSERVED_NAME, "this is no "
			    "database, and long enough to be sure of it: this "
			    "is no database, and long enough to be sure");
		if (observed_read(*state, &err) != NULL ||
		    observed_open(*state, LATER, &err) != NULL)
			fail_msg("case %zu is read", i);
		if (!observed_prepare(*state, LATER) ||
		    access(path_of(*state, useless[i].kept_as), F_OK) != 0)
			fail_msg("case %zu is not set aside", i);
		o = observed_read(*state, &err);
		if (o == NULL || observed_since(o) != LATER)
			fail_msg("case %zu is not made again", i);
		observed_close(o);
		forget(*state);
	}
}

static void it_has_a_ceiling(void **state)
{
	struct error err;
	struct observed *o = observed_open(*state, NOW, &err);
	sqlite3_stmt *s = NULL;

	assert_non_null(o);
	assert_int_equal(sqlite3_prepare_v2(observed_db(o),
	    "PRAGMA max_page_count", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(s, 0), OBSERVED_PAGES_MAX);
	sqlite3_finalize(s);
	observed_close(o);
	forget(*state);
}

static void no_folder_is_an_error(void **state)
{
	struct error err;
	char dir[PATH_BYTES];

	snprintf(dir, sizeof(dir), "%s/none", (const char *)*state);
	assert_false(observed_prepare(dir, NOW));
	assert_null(observed_open(dir, NOW, &err));
	memset(dir, 'a', sizeof(dir) - 1);
	dir[sizeof(dir) - 1] = '\0';
	assert_null(observed_read(dir, &err));
	assert_null(observed_open(dir, NOW, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_made_once_and_read),
	    cmocka_unit_test(a_writer_makes_what_is_missing),
	    cmocka_unit_test(what_is_of_no_use_is_set_aside),
	    cmocka_unit_test(it_has_a_ceiling),
	    cmocka_unit_test(no_folder_is_an_error),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
