/* SPDX-License-Identifier: ISC
 *
 * The cutover table: making it, opening it, reading it, and what is said
 * when that can not be.
 */
#include <fcntl.h>
#include <dirent.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/change/table_copy.h"
#include "policy/change/table_log.h"
#include "policy/change/table_make.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static void a_new_table_has_the_domains_of_the_configuration(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct table_row row = table_tmp_get(t, "@example.com");
	struct stat st;

	assert_true(row.found);
	assert_string_equal(row.route_text, "legacy");
	assert_int_equal(row.route.kind, ROUTE_LEGS);
	assert_int_equal(row.route.leg[0],
	    names_find(t->names, SLICE("legacy")));
	assert_int_equal(row.change, 1);
	assert_false(table_tmp_get(t, "@bare.example").found);
	assert_int_equal(stat(t->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	table_tmp_free(t);
}

static void a_domain_is_seeded_once(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_how how = {.as_of = -1};
	struct change *ch = table_tmp_change(t);
	struct error err;

	table_tmp_route(t, "@reject.example", "cloud");
	assert_int_equal(change_delete(ch, SLICE("@example.com"), &err), 0);
	table_tmp_commit(ch, &how);
	assert_int_equal(table_prepare(t->path, t->c, "test", &err), 0);
	assert_false(table_tmp_get(t, "@example.com").found);
	assert_string_equal(table_tmp_get(t, "@reject.example").route_text,
	    "cloud");
	table_tmp_free(t);
}

/* At the next start, also when it is the only one; when nothing is new, that is
 * no change. */
static void a_domain_that_is_added_later_is_seeded_then(void **state)
{
	static const char text[] = CONF_BASE
	    "domain \"late.example\" { route = \"legacy\" }\n";
	struct table_tmp *t = table_tmp_new(*state);
	struct conf *more = conf_tmp_good(*state, text, t->names);
	struct error err;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    table_prepare(t->path, more, "test", &err), 0);
		assert_string_equal(
		    table_tmp_get(t, "@late.example").route_text, "legacy");
		assert_int_equal(table_tmp_get(t, "@late.example").change, 2);
		assert_int_equal(table_tmp_get(t, "@example.com").change, 1);
	}
	assert_int_equal(table_tmp_route(t, "@late.example", "cloud"), 3);
	conf_unref(more);
	table_tmp_free(t);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void expect_refused(struct table_tmp *t, const char *path,
    const char *why)
{
	struct error err = {0};
	struct table *r = table_open(path, t->names, &err);
	struct change *ch;

	print_message("%s\n", err.text);
	assert_null(r);
	assert_non_null(strstr(err.text, why));
	memset(&err, 0, sizeof(err));
	ch = change_open(path, t->c, &err);
	assert_null(ch);
	assert_non_null(strstr(err.text, why));
	assert_null(strchr(err.text, '\n'));
}

static void a_file_that_is_no_table_is_refused_in_one_sentence(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	char path[320];

	snprintf(path, sizeof(path), "%s/none", (char *)*state);
	expect_refused(t, path, "does not exist");
	write_file(path, "This is a text, and a rather long one at that, so "
	    "that nobody takes it for the head of a database of any kind.");
	expect_refused(t, path, "not an SQLite database");
	unlink(path);
	run_sql(path, "CREATE TABLE x(y)");
	expect_refused(t, path, "not a cutover table of Posthouse");
	unlink(path);
	run_sql(path, "PRAGMA application_id = 1346925680;"
	    "PRAGMA user_version = 7; CREATE TABLE x(y)");
	expect_refused(t, path, "format 7");
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_refused(t, path, "is no file");
	rmdir(path);
	table_tmp_free(t);
}

static void a_table_whose_rows_make_no_sense_gives_no_route(void **state)
{
	static const char *const routes[] = {"", "+", "legacy+",
		"a+b+c+d+e+f+g+h+i",
		"a-leg-whose-name-is-far-too-long-to-be-one"};
	struct table_tmp *t = table_tmp_new(*state);

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		char sql[200];

		snprintf(sql, sizeof(sql), "UPDATE route SET route = '%s' "
		    "WHERE address = '@example.com'", routes[i]);
		run_sql(t->path, sql);
		assert_int_equal(table_tmp_get(t, "@example.com").route.kind,
		    ROUTE_NONE);
	}
	run_sql(t->path, "UPDATE route SET route = 'gone', tags = x'00ff', "
	    "addresses = 'nonsense'");
	assert_int_equal(table_tmp_get(t, "@example.com").route.kind,
	    ROUTE_GONE);
	assert_int_equal(table_tmp_get(t, "@example.com").addresses, 0);
	table_tmp_free(t);
}

struct seen {
	char text[400];
};

static void see(void *arg, uint64_t change, struct slice key)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%d:%.*s ", (int)change,
	    (int)key.n, key.p);
}

static void the_log_is_read_by_cursor_in_slices(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row row = {.route = "cloud", .held = -1};
	struct change_how how = {.create = true, .as_of = -1};
	struct change *ch = table_tmp_change(t);
	struct seen s = {""};
	struct error err;
	struct table *r;

	assert_int_equal(change_set(ch, SLICE("b@example.com"), &row, &err), 0);
	assert_int_equal(change_set(ch, SLICE("a@example.com"), &row, &err), 0);
	assert_int_equal(table_tmp_commit(ch, &how).change, 2);
	assert_int_equal(table_tmp_route(t, "a@example.com", "legacy"), 3);
	r = table_open(t->path, t->names, &err);
	assert_non_null(r);
	assert_int_equal(table_log(r,
	    &(struct table_log_page){1, NULL, 2, see, &s}, &err), 2);
	assert_string_equal(s.text, "2:a@example.com 2:b@example.com ");
	s.text[0] = '\0';
	assert_int_equal(table_log(r,
	    &(struct table_log_page){2, "a@example.com", 9, see, &s}, &err),
	    2);
	assert_string_equal(s.text, "2:b@example.com 3:a@example.com ");
	assert_int_equal(table_log(r,
	    &(struct table_log_page){3, NULL, 9, see, &s}, &err), 0);
	/* Without a key, whatever the key of the page before was. */
	s.text[0] = '\0';
	assert_int_equal(table_log(r,
	    &(struct table_log_page){2, NULL, 9, see, &s}, &err), 1);
	assert_string_equal(s.text, "3:a@example.com ");
	table_close(r);
	table_tmp_free(t);
}

static void a_transaction_sees_one_state_and_the_next_the_change(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct error err;
	struct table_row row;
	struct table *r = table_open(t->path, t->names, &err);
	int64_t version;

	assert_non_null(r);
	version = table_data_version(r);
	assert_int_equal(table_begin(r, &err), 0);
	assert_int_equal(table_change(r, &err), 1);
	table_tmp_route(t, "ann@example.com", "cloud");
	assert_int_equal(table_change(r, &err), 1);
	assert_int_equal(table_get(r, SLICE("ann@example.com"), t->a, &row,
			     &err), 0);
	table_end(r);
	assert_int_not_equal(table_data_version(r), version);
	assert_int_equal(table_begin(r, &err), 0);
	assert_int_equal(table_change(r, &err), 2);
	assert_int_equal(table_get(r, SLICE("ann@example.com"), t->a, &row,
			     &err), 1);
	table_end(r);
	table_close(r);
	table_tmp_free(t);
}

static void a_row_is_found_by_what_a_leg_calls_it(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row row = {.route = "legacy", .held = -1,
		.addresses = "cloud=Ann.X@Tenant.example"};
	struct table_row got;
	struct error err;
	struct table *r;
	int cloud = names_find(t->names, SLICE("cloud"));

	table_tmp_set(t, "ann@example.com", &row);
	r = table_open(t->path, t->names, &err);
	assert_non_null(r);
	assert_int_equal(table_reverse(r,
	    (struct leg_address){SLICE("ann.x@tenant.example"), cloud},
	    t->a, &got, &err), 1);
	assert_string_equal(got.key, "ann@example.com");
	assert_string_equal(got.address[0].address, "Ann.X@Tenant.example");
	assert_int_equal(table_reverse(r,
	    (struct leg_address){SLICE("ann.x@tenant.example"), 0},
	    t->a, &got, &err), 0);
	row.addresses = "cloud=";
	table_tmp_set(t, "ann@example.com", &row);
	assert_int_equal(table_reverse(r,
	    (struct leg_address){SLICE("ann.x@tenant.example"), cloud},
	    t->a, &got, &err), 0);
	table_close(r);
	table_tmp_free(t);
}

static void a_backup_is_a_table_and_a_moved_file_is_noticed(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	char copy[320], part[330];
	struct error err;
	struct table *r, *b;

	snprintf(copy, sizeof(copy), "%s/copy", (char *)*state);
	snprintf(part, sizeof(part), "%s.part", copy);
	assert_int_equal(symlink(t->path, part), 0); /* of a killed backup */
	r = table_open(t->path, t->names, &err);
	assert_non_null(r);
	assert_int_equal(table_change(r, &err), 1);
	assert_int_equal(table_backup(t->path, copy, &err), 0);
	assert_int_equal(table_backup(t->path, copy, &err), -1);
	assert_non_null(strstr(err.text, "File exists"));
	assert_int_equal(access(part, F_OK), -1);
	b = table_open(copy, t->names, &err);
	assert_non_null(b);
	assert_int_equal(table_change(b, &err), 1);
	table_close(b);
	assert_false(table_moved(r));
	assert_int_equal(rename(copy, t->path), 0);
	assert_true(table_moved(r));
	table_close(r);
	table_tmp_free(t);
}

static unsigned files_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void a_checkpoint_empties_the_log_beside_readers(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	unsigned before = files_open();
	struct error err;
	struct table *r = table_open(t->path, t->names, &err);
	struct table_row row;

	assert_non_null(r);
	assert_int_equal(table_change(r, &err), 1);
	table_tmp_route(t, "ann@example.com", "cloud");
	assert_int_equal(table_checkpoint(t->path, &err), 1);
	assert_int_equal(table_log_bytes(t->path), 0);
	assert_int_equal(table_get(r, SLICE("ann@example.com"), t->a, &row,
			     &err), 1);
	table_close(r);
	assert_int_equal(files_open(), before);
	table_tmp_free(t);
}

/* ---- rows by their tags ------------------------------------------------ */

static void add_key(void *arg, struct slice key, const struct table_row *row)
{
	struct strbuf *keys = arg;

	assert_true(row->found);
	strbuf_addsl(keys, slice_head(key, 1));
}

/* Tags of the rows a@ to f@, those that are asked for, and the rows. */
static const char *const borne[] = {"x k=1", "k=2", "x k=2", "k", "x=", "=x"};
static const struct {
	const char *tag[3], *rows;
} asked[] = {
	{{"x"}, "ac"},
	{{"k=2"}, "bc"},
	{{"k"}, "d"},
	{{"x="}, "e"},
	{{"=x"}, "f"},
	{{"none"}, ""},
	{{"k=1", "k=2"}, "abc"},
	{{"x", "x"}, "ac"},
	{{"k", "x", "=x"}, "acdf"},
};

static void expect_rows(struct table_tmp *t, const struct slice *tag,
    unsigned tags, const char *rows)
{
	struct error err;
	struct table *r = table_open(t->path, t->names, &err);

	for (unsigned limit = 1; limit < 8; limit++) {
		struct strbuf keys;
		char after[40] = "";
		int n;

		strbuf_init(&keys, 40);
		do {
			const struct table_page page = {.after =
			    slice_str(after), .limit = limit, .a = t->a,
			    .fn = add_key, .arg = &keys, .tag = tag,
			    .tags = tags};

			n = table_rows(r, &page, &err);
			assert_true(n >= 0);
			if (n > 0)
				snprintf(after, sizeof(after),
				    "%c@example.com", keys.p[keys.n - 1]);
		} while (n == (int)limit);
		assert_string_equal(strbuf_cstr(&keys), rows);
		strbuf_fini(&keys);
	}
	table_close(r);
}

static void rows_are_found_by_any_of_several_tags(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);

	for (size_t i = 0; i < ARRAY_LEN(borne); i++) {
		struct change_row row = {.route = "cloud", .held = -1,
		    .tags = borne[i]};
		char address[40];

		snprintf(address, sizeof(address), "%c@example.com",
		    (char)('a' + i));
		table_tmp_set(t, address, &row);
	}
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		struct slice tag[3];
		unsigned n = 0;

		while (n < 3 && asked[i].tag[n] != NULL) {
			tag[n] = slice_str(asked[i].tag[n]);
			n++;
		}
		expect_rows(t, tag, n, asked[i].rows);
	}
	table_tmp_free(t);
}

/* Each row is a life: what was written to the address, one after the other, by
 * which command; and whether that was a flip. */
static const struct {
	const char *what, *address;
	struct {
		const char *command, *route, *tags;
	} step[3];
	int flipped;
} lives[] = {
	{"nothing", "a@example.com", {{NULL, NULL, NULL}}, 0},
	{"set", "b@example.com", {{"route set", "cloud", NULL}}, 0},
	{"imported", "c@example.com", {{"route import", "cloud", NULL}}, 0},
	{"made by a flip", "d@example.com", {{"flip", "cloud", NULL}}, 1},
	{"flipped", "e@example.com",
	    {{"route set", "legacy", NULL}, {"flip", "cloud", NULL}}, 1},
	{"set anew", "f@example.com",
	    {{"route set", "legacy", NULL}, {"route set", "cloud", NULL}}, 1},
	{"tags alone", "g@example.com",
	    {{"route set", "legacy", NULL}, {"route set", NULL, "x"}}, 0},
	{"tags after the flip", "h@example.com",
	    {{"route set", "legacy", NULL}, {"flip", "cloud", NULL},
		{"route set", NULL, "x"}}, 1},
	{"seeded", "@example.com", {{NULL, NULL, NULL}}, 0},
	{"a domain flipped", "@reject.example",
	    {{"flip", "cloud", NULL}}, 1},
};

static void live(struct table_tmp *t, const char *address,
    const char *command, const struct change_row *row)
{
	const struct change_how how = {.create = true, .as_of = -1};
	const struct change_by who = {.who = "ann", .host = "host",
	    .command = command, .note = ""};
	struct change *ch = table_tmp_change(t);
	struct change_done done;
	struct error err;

	assert_int_equal(change_set(ch, slice_str(address), row, &err), 0);
	assert_int_equal(change_commit(ch, &how, &who, &done, &err), 0);
	change_close(ch);
}

static void who_was_flipped_is_known(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	int64_t now = clock_wall_us(&clock_system);
	struct table *r;
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		struct table_row row;

		print_message("%s\n", lives[i].what);
		for (int k = 0; k < 3 && lives[i].step[k].command != NULL; k++)
			live(t, lives[i].address, lives[i].step[k].command,
			    &(struct change_row){.held = -1,
				.route = lives[i].step[k].route,
				.tags = lives[i].step[k].tags});
		row = table_tmp_get(t, lives[i].address);
		r = table_open(t->path, t->names, &err);
		assert_int_equal(table_begin(r, &err), 0);
		assert_int_equal(table_flipped(r, &row,
				     slice_str(lives[i].address),
				     now - 60000000, &err),
		    lives[i].flipped);
		/* Not since a moment that is still to come. */
		assert_int_equal(table_flipped(r, &row,
				     slice_str(lives[i].address),
				     now + 60000000, &err), 0);
		table_end(r);
		table_close(r);
	}
	table_tmp_free(t);
}

/* ---- waiting for another change ---- */

static void count_waits(void *arg, int64_t limit_ms)
{
	assert_int_equal(limit_ms, 30);
	++*(int *)arg;
}

static void a_change_behind_another_waits_and_says_so(void **state)
{
	static const struct change_how how = {.create = true, .as_of = -1};
	static const struct change_by by = {.who = "ann", .host = "host",
	    .command = "test", .note = ""};
	struct change_row row = {.route = "cloud", .held = -1};
	struct table_tmp *t = table_tmp_new(*state);
	int waits = 0;
	struct change_watch watch = {.arg = &waits, .waits = count_waits,
	    .wait_ms = 30};
	struct change *ch = table_tmp_change(t);
	struct change_done done;
	struct error err;
	sqlite3 *other;

	assert_int_equal(sqlite3_open(t->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL,
			     NULL), SQLITE_OK);
	change_watch(ch, &watch);
	assert_int_equal(change_set(ch, SLICE("ann@example.com"), &row, &err),
	    0);
	assert_int_equal(change_commit(ch, &how, &by, &done, &err), -1);
	assert_int_equal(waits, 1);
	assert_non_null(strstr(err.text, "another change is being made"));
	assert_non_null(strstr(err.text, "--timeout"));
	/* When that one is done, this one may be made all the same. */
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(change_commit(ch, &how, &by, &done, &err), 0);
	assert_int_equal(done.recipients, 1);
	sqlite3_close(other);
	change_close(ch);
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_table_has_the_domains_of_the_configuration),
	    cmocka_unit_test(a_domain_is_seeded_once),
	    cmocka_unit_test(a_domain_that_is_added_later_is_seeded_then),
	    cmocka_unit_test(
		a_file_that_is_no_table_is_refused_in_one_sentence),
	    cmocka_unit_test(a_table_whose_rows_make_no_sense_gives_no_route),
	    cmocka_unit_test(the_log_is_read_by_cursor_in_slices),
	    cmocka_unit_test(
		a_transaction_sees_one_state_and_the_next_the_change),
	    cmocka_unit_test(a_row_is_found_by_what_a_leg_calls_it),
	    cmocka_unit_test(a_backup_is_a_table_and_a_moved_file_is_noticed),
	    cmocka_unit_test(rows_are_found_by_any_of_several_tags),
	    cmocka_unit_test(who_was_flipped_is_known),
	    cmocka_unit_test(a_checkpoint_empties_the_log_beside_readers),
	    cmocka_unit_test(a_change_behind_another_waits_and_says_so),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
