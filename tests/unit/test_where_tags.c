/* SPDX-License-Identifier: ISC
 *
 * Rows are found by their tags or by a walk through all of them, as the
 * expression allows: both must find the same. Random expressions over random
 * rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "policy/row.h"
#include "policy/where.h"
#include "relay/base/mem.h"
#include "relay/mail/addr.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

enum { ROWS = 60, EXPRESSIONS = 3000, PAGE = 7, FOUND_MAX = 4096 };

static unsigned pick(unsigned below)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % below;
}

static const char *one_of(const char *const *list, size_t n)
{
	return list[pick((unsigned)n)];
}

static const char *const tags[] = {"vip", "=vip", "k=", "k=v", "k=v=w", "v",
    "k", "=", "held"};

static void fill(struct table_tmp *t)
{
	static const struct change_how how = {.create = true, .as_of = -1};
	struct change *ch = table_tmp_change(t);
	struct error err;

	for (int i = 0; i < ROWS; i++) {
		char address[40], text[100] = "";
		struct change_row row = {.route = "cloud", .held = i % 3 == 0,
		    .tags = text};

		for (unsigned n = pick(4); n > 0; n--)
			snprintf(text + strlen(text),
			    sizeof(text) - strlen(text), "%s ",
			    one_of(tags, ARRAY_LEN(tags)));
		snprintf(address, sizeof(address), "u%d@example.com", i);
		if (change_set(ch, slice_str(address), &row, &err) < 0)
			fail_msg("%s", err.text);
	}
	table_tmp_commit(ch, &how);
}

/* ---- expressions ------------------------------------------------------- */

static void add_test(struct strbuf *out)
{
	static const char *const tests[] = {"held", "address like 'u1%'",
	    "k = v", "k = ''", "k != 'v=w'", "k in (v, '')", "vip",
	    "tag like 'v%'", "tag like ''", "tag like '%'", "tag = ''"};

	if (pick(2) == 0)
		strbuf_adds(out, one_of(tests, ARRAY_LEN(tests)));
	else
		strbuf_addf(out, "tag %s '%s'", pick(4) == 0 ? "!=" : "=",
		    one_of(tags, ARRAY_LEN(tags)));
}

static void add_expression(struct strbuf *out, unsigned depth)
{
	if (depth == 0 || pick(4) == 0) {
		add_test(out);
		return;
	}
	strbuf_adds(out, pick(5) == 0 ? "not (" : "(");
	add_expression(out, depth - 1);
	strbuf_adds(out, pick(2) == 0 ? " and " : " or ");
	add_expression(out, depth - 1);
	strbuf_adds(out, ")");
}

/* ---- both ways --------------------------------------------------------- */

struct finding {
	const struct where *w;
	struct strbuf *found; /* "KEY KEY …" */
	char last[ADDR_MAX];
};

static void take(void *arg, struct slice key, const struct table_row *row)
{
	struct finding *f = arg;
	struct where_row r = {.address = key, .tags = slice_str(row->tags),
	    .route = slice_str(row->route_text), .held = row->held};

	snprintf(f->last, sizeof(f->last), "%.*s", (int)key.n, key.p);
	if (key.p[0] == '@' || !where_match(f->w, &r))
		return;
	strbuf_addsl(f->found, key);
	strbuf_addc(f->found, ' ');
}

/* Page by page. `n` 0: every row. */
static void find(struct table *t, const struct where *w,
    const struct slice *tag, unsigned n, struct strbuf *found)
{
	struct finding f = {.w = w, .found = found};
	struct table_page page = {.limit = PAGE, .fn = take, .arg = &f,
	    .tag = tag, .tags = n};
	struct error err;
	int rows;

	do {
		page.a = arena_new();
		page.after = slice_str(f.last);
		rows = table_rows(t, &page, &err);
		arena_free(page.a);
		if (rows < 0)
			fail_msg("%s", err.text);
	} while (rows == PAGE);
}

static bool both_find_the_same(struct table *t, const char *text)
{
	struct slice tag[WHERE_NODES];
	struct strbuf walked, tagged;
	struct error err;
	struct where *w = where_parse(slice_str(text), &err);
	unsigned n;

	if (w == NULL) {
		assert_non_null(strstr(err.text, "no tag is empty"));
		return false;
	}
	strbuf_init(&walked, FOUND_MAX);
	strbuf_init(&tagged, FOUND_MAX);
	n = where_tags(w, tag);
	find(t, w, NULL, 0, &walked);
	find(t, w, tag, n, &tagged);
	if (!slice_eq(strbuf_view(&walked), strbuf_view(&tagged)))
		fail_msg("%s\nby a walk: %s\nby tags:   %s", text,
		    strbuf_cstr(&walked), strbuf_cstr(&tagged));
	strbuf_fini(&walked);
	strbuf_fini(&tagged);
	where_free(w);
	return n > 0;
}

static void tags_and_a_walk_find_the_same_rows(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct strbuf text;
	struct error err;
	struct table *r;
	int by_tag = 0;

	fill(t);
	r = table_open(t->path, t->names, &err);
	assert_non_null(r);
	strbuf_init(&text, WHERE_MAX);
	for (int i = 0; i < EXPRESSIONS; i++) {
		strbuf_reset(&text);
		add_expression(&text, 3);
		by_tag += both_find_the_same(r, strbuf_cstr(&text));
	}
	print_message("%d of %d by tags\n", by_tag, EXPRESSIONS);
	assert_in_range(by_tag, EXPRESSIONS / 20, EXPRESSIONS * 19 / 20);
	strbuf_fini(&text);
	table_close(r);
	table_tmp_free(t);
}

/* ---- the table of tags -------------------------------------------------- */

static int64_t number(const char *path, const char *sql)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db;
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

/* Sets that are said often and once, with few tags and with many, short and
 * long, in order and not; tags of few rows and of thousands. */
static unsigned many_tags(unsigned row, struct strbuf *out)
{
	unsigned n = row % 10 == 9 ? 1 + row % 12 : row % 3;

	for (unsigned i = n; i > 0; i--)
		strbuf_addf(out, "k%u=%0*u%s", i, row % 10 == 8 ? 60 : 1,
		    row % 7, row % 2 == 0 ? "  " : ",");
	if (row % 50 != 0)
		return n;
	strbuf_addf(out, " one-%u", row);
	if (n > 0) /* said twice */
		strbuf_addf(out, " k1=%u", row % 7);
	return n + 1;
}

static void each_tag_of_each_row_is_in_the_table_of_tags(void **state)
{
	enum { MANY = 12000 };
	static const struct change_how how = {.create = true, .as_of = -1};
	struct table_tmp *t = table_tmp_new(*state);
	struct change *ch = table_tmp_change(t);
	struct strbuf text;
	unsigned tags_given = 0;

	strbuf_init(&text, 4096);
	for (unsigned i = 0; i < MANY; i++) {
		char address[40];
		struct change_row row = {.route = "cloud", .held = -1};
		struct error err;

		strbuf_reset(&text);
		tags_given += many_tags(i, &text);
		row.tags = strbuf_cstr(&text);
		snprintf(address, sizeof(address), "u%u@example.com",
		    i * 7919 % MANY);
		if (change_set(ch, slice_str(address), &row, &err) < 0)
			fail_msg("%s", err.text);
	}
	table_tmp_commit(ch, &how);
	assert_int_equal(number(t->path, "SELECT count(*) FROM tag"),
	    tags_given);
	assert_int_equal(number(t->path, "SELECT count(*) FROM tag t JOIN"
	    " route r ON r.address = t.address WHERE instr(' ' || r.tags ||"
	    " ' ', ' ' || iif(t.key = '', t.value, t.key || '=' || t.value)"
	    " || ' ') > 0"), tags_given);
	strbuf_fini(&text);
	table_tmp_free(t);
}

/* 64, however they are set apart. */
static void a_row_has_so_many_tags_and_no_more(void **state)
{
	static const char *const ends[] = {"", " ", ", "};
	struct strbuf in, out;
	struct error err;

	(void)state;
	strbuf_init(&in, 1000);
	strbuf_init(&out, 1000);
	for (unsigned n = 63; n <= 65; n++)
		for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
			strbuf_reset(&in);
			strbuf_reset(&out);
			for (unsigned k = 0; k < n; k++)
				strbuf_addf(&in, "%st%u", k == 0 ? "" : ",",
				    10 + k);
			strbuf_adds(&in, ends[i]);
			assert_int_equal(row_tags(strbuf_view(&in), &out,
			    &err), n <= 64 ? 0 : -1);
			if (n <= 64)
				assert_int_equal(out.n, n * 4 - 1);
			else
				assert_string_equal(err.text,
				    "more than 64 tags");
		}
	strbuf_fini(&in);
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tags_and_a_walk_find_the_same_rows),
	    cmocka_unit_test(a_row_has_so_many_tags_and_no_more),
	    cmocka_unit_test(each_tag_of_each_row_is_in_the_table_of_tags),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
