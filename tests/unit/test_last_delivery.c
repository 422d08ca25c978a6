/* SPDX-License-Identifier: ISC
 *
 * The last deliveries: what is remembered, how long, across restarts, and what
 * goes when there are too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/unit/lastfixture.h"

enum { CROWD = 60000 };

static void it_is_of_a_leg_and_a_recipient(void **state)
{
	struct last_delivery *l = open_in(*state);

	assert_false(has(l, "ann@example.com", NOW));
	add(l, "cloud", "Ann@Example.COM", NOW, 4711);
	/* At once, and after the commit. */
	assert_true(has(l, "ann@example.com", NOW));
	commit(l, NOW);
	assert_true(has(l, "ann@example.com", NOW));
	assert_false(has(l, "bob@example.com", NOW));
	assert_int_equal(last(l, "legacy", "ann@example.com"), 0);
	/* A leg's name does not run into an address. */
	assert_int_equal(last(l, "clouda", "nn@example.com"), 0);
	add(l, "cloud", "not an address", NOW, 1);
	commit(l, NOW);
	last_delivery_close(l);
	l = open_in(*state);
	assert_int_equal(last(l, "cloud", "ann@example.com"), 4711);
	assert_int_equal(
	    last_delivery_cursor(l).pos.offset, index_at.pos.offset);
	last_delivery_close(l);
	forget(*state);
}

static void the_newest_counts_in_any_order(void **state)
{
	static const struct {
		int64_t first, second; /* of the ids 1 and 2 */
		bool between;	       /* a commit            */
		uint64_t last;
	} cases[] = {
	    {NOW, NOW + 1, false, 2}, {NOW, NOW + 1, true, 2},
	    {NOW + 1, NOW, false, 1}, {NOW + 1, NOW, true, 1},
	    {NOW, NOW, false, 2}, {NOW, NOW, true, 2},
	    /* A clock that was wrong. */
	    {NOW + 900 * DAY_US, NOW + 2, true, 2},
	};
	struct last_delivered m;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct last_delivery *l = open_in(*state);

		add(l, "cloud", "ann@example.com", cases[i].first, 1);
		if (cases[i].between)
			commit(l, NOW + 3);
		add(l, "cloud", "ann@example.com", cases[i].second, 2);
		commit(l, NOW + 3);
		assert_true(last_delivery_find(l, "cloud",
		    SLICE("ann@example.com"), &m));
		if (m.id != cases[i].last || m.time_us !=
		    (m.id == 1 ? cases[i].first : cases[i].second))
			fail_msg("case %zu", i);
		last_delivery_close(l);
		forget(*state);
	}
}

/* Subaddresses share a base, and are known each by itself. */
static void a_detail_is_known_by_itself(void **state)
{
	struct conf_domain d = {.name = "example.com", .subaddress = '+'};
	struct conf c = conf_of(30, 90);
	struct separators *s;
	const uint64_t secret[2] = {1, 2};
	struct recipient_key ann, list, other;
	struct last_delivery *l;

	c.domain = &d;
	c.domains = 1;
	s = separators_new(&c);
	ann = recipient_key(s, secret, SLICE("ann@example.com"));
	list = recipient_key(s, secret, SLICE("ann+list@example.com"));
	other = recipient_key(s, secret, SLICE("ann+list@example.org"));
	assert_int_equal(ann.detail, 0);
	assert_int_equal(list.base, ann.base);
	assert_int_not_equal(list.detail, 0);
	assert_int_equal(other.detail, 0);
	assert_int_not_equal(other.base, ann.base);
	separators_free(s);

	l = last_delivery_open(*state, &c, index_at, time_of(NOW));
	add(l, "cloud", "Ann+List@example.com", NOW, 1);
	add(l, "cloud", "ann@example.com", NOW, 2);
	commit(l, NOW);
	assert_int_equal(last(l, "cloud", "ann+list@example.com"), 1);
	assert_int_equal(last(l, "cloud", "ann@example.com"), 2);
	assert_int_equal(last(l, "cloud", "ann+news@example.com"), 0);
	last_delivery_close(l);
	forget(*state);
}

/* Hashes of one file say nothing in another. */
static void each_file_has_a_key_of_its_own(void **state)
{
	sqlite3_stmt *s;
	sqlite3 *db;
	int64_t hash[2];

	for (int i = 0; i < 2; i++) {
		struct last_delivery *l = open_in(*state);

		add(l, "cloud", "ann@example.com", NOW, 1);
		commit(l, NOW);
		last_delivery_close(l);
		assert_int_equal(sqlite3_open(file(*state), &db), SQLITE_OK);
		assert_int_equal(sqlite3_prepare_v2(db,
		    "SELECT recipient FROM delivery", -1, &s, NULL),
		    SQLITE_OK);
		assert_int_equal(sqlite3_step(s), SQLITE_ROW);
		hash[i] = sqlite3_column_int64(s, 0);
		sqlite3_finalize(s);
		sqlite3_close(db);
		forget(*state);
	}
	assert_int_not_equal(hash[0], hash[1]);
}

static void it_ends(void **state)
{
	static const struct {
		int known, again, asked; /* days; again 0: one delivery */
		bool has;
	} cases[] = {
	    {30, 0, 0, true}, {30, 0, 29, true}, {30, 0, 30, true},
	    {30, 0, 31, false}, {30, 0, 400, false}, {30, 1, 31, true},
	    {30, 20, 50, true}, {30, 20, 54, false}, {1, 0, 1, true},
	    {1, 0, 2, false}, {1, 1, 2, true}, {366, 0, 366, true},
	    {366, 0, 403, false}, {0, 0, 0, false},
	    /* The clock was set back. */
	    {30, 0, -400, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct last_delivery *l = open_days(*state, cases[i].known);

		add(l, "cloud", "ann@example.com", NOW, 1);
		if (cases[i].again > 0)
			add(l, "cloud", "ann@example.com",
			    NOW + cases[i].again * DAY_US, 2);
		commit(l, NOW);
		if (has(l, "ann@example.com",
			NOW + cases[i].asked * DAY_US) != cases[i].has)
			fail_msg("case %zu", i);
		last_delivery_close(l);
		forget(*state);
	}
}

static void a_reload_changes_how_long(void **state)
{
	struct last_delivery *l = open_in(*state);
	struct conf c = conf_of(2, 90);

	add(l, "cloud", "ann@example.com", NOW, 1);
	commit(l, NOW);
	last_delivery_configure(l, &c);
	assert_false(has(l, "ann@example.com", NOW + 5 * DAY_US));
	c = conf_of(10, 90);
	last_delivery_configure(l, &c);
	assert_true(has(l, "ann@example.com", NOW + 5 * DAY_US));
	last_delivery_close(l);
	forget(*state);
}

/* A day of prunings leaves nothing of what is older than both settings. */
static void many_are_remembered_and_pruned(void **state)
{
	struct last_delivery *l = open_in(*state);
	int64_t later = NOW + 91 * DAY_US;

	add_crowd(l, CROWD, NOW);
	assert_int_equal(count(l, CROWD), CROWD);
	for (int i = 0; i < LAST_PARTS; i++)
		prune(l, NOW + 89 * DAY_US + i * HOUR_US);
	assert_int_equal(count(l, CROWD), CROWD);
	for (int i = 0; i < LAST_PARTS; i++)
		prune(l, later + i * HOUR_US);
	assert_int_equal(count(l, CROWD), 0);
	assert_true(last_delivery_since(l) >= NOW + DAY_US);
	last_delivery_close(l);
	forget(*state);
}

/* Past the ceiling the oldest go, and it says so. */
static void above_the_ceiling_the_oldest_go(void **state)
{
	enum { MANY = 3000, MOST = 1000 };
	struct last_delivery *l = open_in(*state);
	int left;

	last_delivery_rows_max(l, MOST);
	add_crowd(l, MANY, NOW);
	assert_int_equal(count(l, MANY - MOST), 0);
	assert_int_equal(count(l, MANY), MOST);
	assert_int_equal(last_delivery_since(l), NOW + MANY - MOST);
	/* A row that is known already takes no room. */
	add_crowd(l, MANY, NOW);
	assert_int_equal(count(l, MANY), MOST);
	last_delivery_close(l);
	l = open_in(*state);
	last_delivery_rows_max(l, MOST);
	add(l, "cloud", "new@example.com", NOW + DAY_US, 1);
	commit(l, NOW);
	left = count(l, MANY);
	assert_int_equal(left, MOST - 1);
	assert_int_equal(last(l, "cloud", "new@example.com"), 1);
	last_delivery_close(l);
	forget(*state);
}

static void no_row_goes_for_a_wrong_count(void **state)
{
	enum { MANY = 3000, MOST = 5000 };
	struct last_delivery *l = open_in(*state);

	add_crowd(l, MANY, NOW);
	last_delivery_close(l);
	alter(*state, "UPDATE state SET deliveries = 99999");
	l = open_in(*state);
	last_delivery_rows_max(l, MOST);
	add(l, "cloud", "new@example.com", NOW + DAY_US, 1);
	commit(l, NOW);
	assert_int_equal(count(l, MANY), MANY);
	assert_int_equal(last(l, "cloud", "new@example.com"), 1);
	last_delivery_rows_max(l, MANY);
	commit(l, NOW);
	assert_int_equal(count(l, MANY), MANY - 1);
	last_delivery_close(l);
	forget(*state);
}

/* Several slices, each a sample of the whole: the newer part is left, but for
 * the chances of a slice. */
static void above_a_large_ceiling_the_older_go(void **state)
{
	enum { MANY = 40000, MOST = 20000 };
	struct last_delivery *l = open_in(*state);

	last_delivery_rows_max(l, MOST);
	add_crowd(l, MANY, NOW);
	assert_int_equal(count(l, MANY), MOST);
	assert_true(count(l, MANY / 3) == 0);
	last_delivery_close(l);
	forget(*state);
}

static int64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : 0;
}

/* A recipient is written once, however often mail came meanwhile. */
static void what_comes_between_two_commits_is_one_row(void **state)
{
	struct last_delivery *l = open_in(*state);
	char wal[420];
	int64_t before;

	snprintf(wal, sizeof(wal), "%s-wal", file(*state));
	add(l, "cloud", "ann@example.com", NOW, 1);
	assert_true(last_delivery_due(l, index_at, mono_now_ms + 10000));
	commit(l, NOW);
	assert_false(last_delivery_due(l, index_at, mono_now_ms + 10000));
	before = size_of(wal);
	for (int i = 0; i < 1000; i++) {
		add(l, "cloud", "ann@example.com", NOW + i, (uint64_t)i);
		assert_false(last_delivery_due(l, index_at, mono_now_ms + 100));
	}
	assert_int_equal(size_of(wal), before);
	commit(l, NOW);
	assert_true(size_of(wal) - before < 4 * 4096 + 400);
	assert_int_equal(last(l, "cloud", "ann@example.com"), 999);
	last_delivery_close(l);
	forget(*state);
}

/* ---- since when it knows ------------------------------------------------ */

static void it_says_since_when_it_knows(void **state)
{
	struct last_delivery *l = open_in(*state);
	const int64_t hour = NOW / (DAY_US / 24);

	assert_int_equal(last_delivery_since(l), NOW);
	assert_int_equal(last_delivery_refill(l), LAST_REFILL_ALL);
	last_delivery_refilled(l, hour, false);
	last_delivery_refilled(l, hour - 5, false);
	assert_int_equal(last_delivery_since(l), (hour - 5) * (DAY_US / 24));
	last_delivery_refilled(l, hour - 6, true);
	last_delivery_refilled(l, hour - 7, false);
	assert_int_equal(last_delivery_since(l), (hour - 5) * (DAY_US / 24));
	commit(l, NOW);
	last_delivery_close(l);
	l = open_in(*state);
	assert_int_equal(last_delivery_refill(l), hour - 7);
	assert_int_equal(last_delivery_since(l), (hour - 5) * (DAY_US / 24));
	last_delivery_refilled(l, LAST_REFILLED, false);
	assert_int_equal(last_delivery_since(l), (hour - 5) * (DAY_US / 24));
	last_delivery_gap(l, NOW + 1);
	assert_int_equal(last_delivery_since(l), NOW + 1);
	last_delivery_close(l);
	forget(*state);
}

/* A gap that it is told of while the file cannot be written is in there
 * afterwards, also when all was lost besides. */
static void a_gap_while_it_is_off_is_remembered(void **state)
{
	const int64_t hour = NOW / HOUR_US;

	for (int lost = 0; lost < 2; lost++) {
		struct last_delivery *l = open_in(*state);
		sqlite3 *other;

		last_delivery_refilled(l, hour - 5, false);
		commit(l, NOW);
		assert_int_equal(sqlite3_open(file(*state), &other),
		    SQLITE_OK);
		assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL,
		    NULL, NULL), SQLITE_OK);
		add(l, "cloud", "ann@example.com", NOW, 1);
		commit(l, NOW);
		assert_true(last_delivery_waits(l));
		last_delivery_gap(l, NOW + 1);
		if (lost)
			last_delivery_lost(l, index_at, NOW + 2);
		assert_false(last_delivery_saved(l));
		assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL,
		    NULL), SQLITE_OK);
		sqlite3_close(other);
		commit(l, NOW + 3);
		assert_true(last_delivery_saved(l));
		last_delivery_close(l);
		l = open_in(*state);
		assert_true(last_delivery_since(l) > NOW);
		last_delivery_refilled(l, hour - 6, false);
		assert_true(last_delivery_since(l) > NOW);
		last_delivery_close(l);
		forget(*state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_of_a_leg_and_a_recipient),
		cmocka_unit_test(the_newest_counts_in_any_order),
		cmocka_unit_test(a_detail_is_known_by_itself),
		cmocka_unit_test(each_file_has_a_key_of_its_own),
		cmocka_unit_test(it_ends),
		cmocka_unit_test(a_reload_changes_how_long),
		cmocka_unit_test(many_are_remembered_and_pruned),
		cmocka_unit_test(above_the_ceiling_the_oldest_go),
		cmocka_unit_test(no_row_goes_for_a_wrong_count),
		cmocka_unit_test(above_a_large_ceiling_the_older_go),
		cmocka_unit_test(what_comes_between_two_commits_is_one_row),
		cmocka_unit_test(it_says_since_when_it_knows),
		cmocka_unit_test(a_gap_while_it_is_off_is_remembered),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
