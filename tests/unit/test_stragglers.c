/* SPDX-License-Identifier: ISC
 *
 * Stragglers that were seen, imported and marked, judged together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "policy/mark/straggler_file.h"
#include "relay/audit/straggler/straggler_counts.h"
#include "relay/base/clock.h"
#include "relay/straggler/imported.h"
#include "relay/straggler/stragglers.h"
#include "tests/unit/lastfixture.h"
#include "tests/unit/table_tmp.h"

#define QUIET (14 * DAY_US)

static struct table_tmp *table;
static struct conf world;

static void seen(struct last_delivery *l, const char *client, int64_t time_us,
    bool delivered)
{
	struct envelope_rcpt to = {.to = "ann@example.com"};
	struct envelope e = {.id = 1, .accepted_us = time_us, .client = client,
	    .client_name = "scan.example.net", .listen = "old-mx",
	    .helo = "", .tls = "", .from = "", .spf = "pass", .came_from = "",
	    .login = "", .proxy = "", .rcpt = &to, .rcpts = 1};
	struct straggler_counts *s = last_delivery_stragglers(l);
	struct straggler_origin from = straggler_origin_of(&e);

	straggler_counts_accepted(s, &e);
	if (delivered)
		straggler_counts_delivered(s, &from, to.to);
	straggler_counts_keep(s);
	index_at.pos.offset += 4096;
	commit(l, NOW);
}

static void mark_as(const char *about, enum straggler_mark mark)
{
	struct straggler_decision d = {.about = &about, .n = 1, .mark = mark,
	    .time_us = NOW, .who = "ann", .host = "h", .command = "c",
	    .note = "why", .words = about};
	struct error err;

	assert_int_equal(straggler_marks_put(table->path, &d, &err), 0);
}

static void import(const char *dir, const char *hash, const char *client,
    const int *days)
{
	struct straggler_row row = {.name = NULL};
	struct error err;
	struct imported *i = imported_open(dir, true, &err);

	assert_non_null(i);
	for (; *days >= 0; days++) {
		straggler_row_seen(&row, NOW + *days * DAY_US);
		row.messages++;
		row.delivered++;
	}
	assert_int_equal(imported_begin(i, &err), 0);
	assert_int_equal(imported_put_client(i, client, &row, &err), 0);
	assert_int_equal(imported_put_inside(i, &(struct imported_inside){
	    "ann@example.com", "a@b.example", row.last_us, 2}, &err), 0);
	assert_int_equal(imported_put_file(i, &(struct imported_file){hash,
	    "mail.log", "postfix", "ann", "", NOW, 10, 3, row.first_us,
	    row.last_us}, &err), 0);
	assert_int_equal(imported_end(i, 0, &err), 0);
	imported_close(i);
	straggler_row_fini(&row);
}

struct found_list {
	char text[2000];
	int n;
};

static bool on_found(void *arg, const struct straggler_found *f)
{
	struct found_list *l = arg;
	size_t at = strlen(l->text);

	snprintf(l->text + at, sizeof(l->text) - at, "%s%s%s@%d",
	    l->n++ > 0 ? " " : "", f->seen.key.client,
	    f->imported ? "*" : "",
	    (int)((f->quiet_at_us - NOW) / DAY_US));
	return true;
}

static struct stragglers *open_all(void)
{
	struct error err;
	struct stragglers *s = stragglers_open(&world, &err);

	if (s == NULL)
		fail_msg("%s", err.text);
	return s;
}

static void assert_restless(int day, const char *want)
{
	struct stragglers *s = open_all();
	struct found_list l = {.n = 0};
	struct straggler_ask ask = {.quiet_us = QUIET, .fn = on_found,
	    .arg = &l};
	struct error err;

	assert_int_equal(stragglers_restless(s, &ask, NOW + day * DAY_US,
	    &err), 0);
	assert_string_equal(l.text, want);
	stragglers_close(s);
}

static int clean(void **state)
{
	char path[400];

	forget(*state);
	if (table != NULL)
		table_tmp_free(table);
	table = table_tmp_new(*state);
	world = *table->c;
	world.table.path = table->path;
	world.audit.path = *state;
	snprintf(path, sizeof(path), "%s/imported.db", (char *)*state);
	unlink(path);
	return 0;
}

static void a_legitimate_one_holds_until_it_is_quiet(void **state)
{
	struct last_delivery *l = open_in(*state);

	seen(l, "192.0.2.1", NOW, true);
	seen(l, "192.0.2.2", NOW, false);
	assert_restless(0, "192.0.2.1@14");
	assert_restless(13, "192.0.2.1@14");
	assert_restless(14, "");
	seen(l, "192.0.2.1", NOW + 20 * DAY_US, false);
	assert_restless(21, "192.0.2.1@60");
	last_delivery_close(l);
}

static void marks_decide(void **state)
{
	struct last_delivery *l = open_in(*state);

	seen(l, "192.0.2.1", NOW, true);
	seen(l, "198.51.100.2", NOW + HOUR_US, false);
	mark_as("192.0.2.0/24", STRAGGLER_IGNORE);
	assert_restless(0, "");
	mark_as("198.51.100.2", STRAGGLER_KEEP);
	assert_restless(0, "198.51.100.2@14");
	mark_as("192.0.2.1", STRAGGLER_KEEP);
	assert_restless(0, "198.51.100.2@14 192.0.2.1@14");
	mark_as("192.0.2.1", STRAGGLER_UNMARKED);
	assert_restless(0, "198.51.100.2@14");
	last_delivery_close(l);
}

/* The decision is in the chain, and damage of the table of marks is told. */
static void a_mark_that_cannot_be_read_is_no_mark(void **state)
{
	struct last_delivery *l = open_in(*state);
	struct error err;
	sqlite3 *db;

	mark_as("192.0.2.1", STRAGGLER_IGNORE);
	assert_int_equal(sqlite3_open(table->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE straggler_mark SET mark = 9",
	    NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_null(stragglers_open(&world, &err));
	last_delivery_close(l);
}

static void logs_say_what_was_before_day_one(void **state)
{
	static const int monthly[] = {-62, -31, -1};
	static const int once[] = {-40, -1};
	struct last_delivery *l = open_in(*state);
	int days[4];

	for (int i = 0; i < 2; i++)
		days[i] = 100 + monthly[i];
	days[2] = -1;
	import(*state, "h1", "192.0.2.7", days);
	days[0] = 100 + once[0];
	days[1] = -1;
	import(*state, "h2", "192.0.2.8", days);
	/* 31 days between the two times: 62 from the last one. */
	assert_restless(100, "192.0.2.7*@131");
	assert_restless(131, "");
	/* Seen here too: its gap is the one that lies between. */
	seen(l, "192.0.2.8", NOW + 95 * DAY_US, true);
	assert_restless(110, "192.0.2.8@157 192.0.2.7*@131");
	mark_as("192.0.2.7", STRAGGLER_IGNORE);
	assert_restless(110, "192.0.2.8@157");
	last_delivery_close(l);
}

static void logs_in_any_order_have_the_same_gap(void **state)
{
	static const int newer[] = {40, 50, -1}, older[] = {10, 12, -1};
	struct last_delivery *l = open_in(*state);

	import(*state, "h1", "192.0.2.7", newer);
	import(*state, "h2", "192.0.2.7", older);
	assert_restless(51, "192.0.2.7*@106");
	last_delivery_close(l);
}

/* ---- inside -------------------------------------------------------------- */

static void on_inside(void *arg, const struct inside_delivery *d)
{
	struct found_list *l = arg;

	snprintf(l->text, sizeof(l->text), "%s %s %d %d", d->to, d->from,
	    (int)((d->time_us - NOW) / DAY_US), (int)d->deliveries);
	l->n++;
}

static void the_last_delivery_inside_is_kept(void **state)
{
	static const int newer[] = {40, 50, -1}, older[] = {10, 12, -1};
	struct last_delivery *l = open_in(*state);
	struct found_list got = {.n = 0};
	struct stragglers *s = open_all();
	struct inside_logs logs;
	struct error err;

	assert_int_equal(stragglers_logs(s, &logs, &err), 0);
	assert_int_equal(logs.files, 0);
	assert_int_equal(stragglers_inside(s, 0, on_inside, &got, &err), 0);
	assert_int_equal(got.n, 0);
	stragglers_close(s);
	import(*state, "h1", "192.0.2.7", newer);
	import(*state, "h2", "192.0.2.7", older);
	s = open_all();
	assert_int_equal(stragglers_logs(s, &logs, &err), 0);
	assert_int_equal(logs.files, 2);
	assert_int_equal(logs.lines, 20);
	assert_int_equal(logs.unread, 6);
	assert_int_equal(logs.first_us, NOW + 10 * DAY_US);
	assert_int_equal(logs.last_us, NOW + 50 * DAY_US);
	assert_int_equal(stragglers_inside(s, NOW + 50 * DAY_US, on_inside,
	    &got, &err), 0);
	assert_int_equal(got.n, 1);
	assert_string_equal(got.text, "ann@example.com a@b.example 50 4");
	assert_int_equal(stragglers_inside(s, NOW + 50 * DAY_US + 1, on_inside,
	    &got, &err), 0);
	assert_int_equal(got.n, 1);
	stragglers_close(s);
	last_delivery_close(l);
}

static void on_row(void *arg, const struct imported_inside *d)
{
	assert_int_equal(d->deliveries, 1);
	++*(int *)arg;
}

static void a_file_twice_counts_once(void **state)
{
	struct error err;
	struct imported *i = imported_open(*state, true, &err);
	struct imported_file f = {"h1", "a", "postfix", "ann", "", NOW, 1, 0,
	    NOW, NOW};
	struct imported_inside d = {"ann@example.com", "", NOW, 1};
	int rows = 0;

	for (int k = 0; k < 2; k++) {
		int rc;

		assert_int_equal(imported_begin(i, &err), 0);
		assert_int_equal(imported_put_inside(i, &d, &err), 0);
		rc = imported_put_file(i, &f, &err);
		assert_int_equal(rc, k);
		assert_int_equal(imported_end(i, -rc, &err), -k);
	}
	imported_close(i);
	i = imported_open(*state, false, &err);
	assert_int_equal(imported_insides(i, 0, on_row, &rows, &err), 0);
	assert_int_equal(rows, 1);
	imported_close(i);
}

static void what_is_missing_or_damaged_is_no_good_news(void **state)
{
	struct last_delivery *l;
	struct error err;

	assert_null(stragglers_open(&world, &err)); /* no ledger.db */
	l = open_in(*state);
	conf_tmp_write(*state, "imported.db", "this is no database, at all");
	assert_null(stragglers_open(&world, &err));
	stragglers_close(NULL);
	last_delivery_close(l);
}

static int end(void **state)
{
	forget(*state);
	table_tmp_free(table);
	return conf_tmp_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_legitimate_one_holds_until_it_is_quiet,
		    clean),
		cmocka_unit_test_setup(marks_decide, clean),
		cmocka_unit_test_setup(a_mark_that_cannot_be_read_is_no_mark,
		    clean),
		cmocka_unit_test_setup(logs_say_what_was_before_day_one, clean),
		cmocka_unit_test_setup(logs_in_any_order_have_the_same_gap,
		    clean),
		cmocka_unit_test_setup(the_last_delivery_inside_is_kept, clean),
		cmocka_unit_test_setup(a_file_twice_counts_once, clean),
		cmocka_unit_test_setup(
		    what_is_missing_or_damaged_is_no_good_news, clean),
	};

	index_at = (struct last_place){7, {1, 4096}};
	return cmocka_run_group_tests(tests, conf_tmp_setup, end);
}
