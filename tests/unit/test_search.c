/* SPDX-License-Identifier: ISC
 *
 * Searches of the audit index, over several hours and restarts, and the
 * recount.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/audit/hourfile.h"
#include "relay/audit/leg_states.h"
#include "relay/base/id.h"
#include "relay/base/log.h"
#include "tests/unit/auditfixture.h"

static const char *const both[] = {
	"Ann@example.com", "Cid@Example.com", NULL};

static void attempt(struct fixture *f, uint64_t id, int64_t at, uint32_t rcpt,
    enum dstate old, enum dstate state)
{
	struct spool_delivery d = {.rcpt = rcpt, .leg = f->cloud,
	    .state = (uint8_t)state, .attempts = 1, .change = 7};

	fake_attempt(&f->j, id, at, &d, old);
}

/* A delivery that a change of the route created or ended. */
static void routed(struct fixture *f, uint64_t id, int64_t at,
    uint32_t number, uint16_t leg, enum dstate old, enum dstate state)
{
	struct spool_update u = {.delivery = number,
	    .to = {.leg = leg, .state = (uint8_t)state, .reason = WHY_ROUTE,
		.change = 9}};

	fake_update(&f->j, id, at, old, &u);
}

/* ---- searching --------------------------------------------------------- */

/* An hour each: one delivered at once, one after three hours, one open. */
static void three_hours(struct fixture *f, uint64_t id[3])
{
	static const char *const from[] = {
		"bob@example.org", "Eve@example.org", "bob@example.org"};

	for (unsigned i = 0; i < 3; i++) {
		int64_t at = T0 + i * HOUR;

		id[i] = fake_id(at, i);
		fake_accepted(&f->j, id[i], at, from[i],
		    i == 2 ? both : ann, f->cloud);
		attempt(f, id[i], at + MINUTE, 0, D_QUEUED,
		    i == 0 ? D_DELIVERED : D_DEFERRED);
	}
	attempt(f, id[1], T0 + 4 * HOUR, 0, D_DEFERRED, D_DELIVERED);
	run(f);
}

static void each_key_finds_its_messages(void **state)
{
	struct fixture *f = *state;
	char message_id[64];
	uint64_t id[3];

	three_hours(f, id);
	snprintf(message_id, sizeof(message_id), "%llu@example.org",
	    (unsigned long long)id[1]);
	const struct {
		const char *what;
		struct search q;
		unsigned events;
	} cases[] = {
		{"id", {.id = id[0]}, 2},
		{"id over hours", {.id = id[1]}, 3},
		{"no such id", {.id = id[1] + 1}, 0},
		{"message-id", {.message_id = message_id}, 3},
		{"from", {.from = "bob@example.org"}, 4},
		{"from, other case", {.from = "eve@EXAMPLE.org"}, 3},
		{"to", {.to = "ANN@example.com"}, 7},
		{"second recipient", {.to = "cid@example.com"}, 2},
		{"from and to",
		    {.from = "bob@example.org", .to = "cid@example.com"}, 2},
		{"nobody", {.from = "eve@example.org", .to = "cid@example.com"},
		    0},
		{"client", {.client = "192.0.2.1"}, 7},
		{"another client", {.client = "192.0.2.2"}, 0},
		{"since", {.since_us = T0 + HOUR + 2 * MINUTE}, 2},
		{"to, since", {.to = ann[0], .since_us = T0 + 3 * HOUR}, 3},
		{"until", {.until_us = T0 + MINUTE}, 2},
		{"from, until",
		    {.from = "bob@example.org", .until_us = T0 + MINUTE}, 2},
		{"everything", {.id = 0}, 7},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].what);
		trace(f, cases[i].q);
		assert_int_equal(f->founds, cases[i].events);
		assert_false(f->more);
	}
}

static void events_come_oldest_first_whatever_file_they_are_in(void **state)
{
	struct fixture *f = *state;
	char last[32] = "";
	const char *text, *at;
	uint64_t id[3];

	three_hours(f, id);
	text = trace(f, (struct search){.client = "192.0.2.1"});
	for (at = strstr(text, "\"time\":\""); at != NULL;
	    at = strstr(at + 1, "\"time\":\"")) {
		char now[32];

		snprintf(now, sizeof(now), "%.27s", at + 8);
		assert_true(strcmp(last, now) <= 0);
		memcpy(last, now, sizeof(last));
	}
}

static void too_many_messages_are_cut_and_said(void **state)
{
	struct fixture *f = *state;
	uint64_t id[3];
	const char *text;
	char newest[ID_TEXT];

	/* something happened to id[1] last */
	three_hours(f, id);
	text = trace(f, (struct search){.to = ann[0], .limit = 1});
	assert_true(f->more);
	id_text(id[1], newest);
	assert_int_equal(f->founds, 3);
	assert_int_equal(count(text, newest), f->founds);
}

static void an_upload_across_the_hour_is_found_by_its_id(void **state)
{
	struct fixture *f = *state;
	uint64_t id = fake_id(T0, 1); /* begun at 05:12, ended at 06:12 */

	fake_accepted(&f->j, fake_id(T0, 0), T0, "", ann, f->cloud);
	fake_accepted(&f->j, id, T0 + HOUR, "", ann, f->cloud);
	attempt(f, id, T0 + 2 * HOUR, 0, D_QUEUED, D_DELIVERED);
	run(f);
	trace(f, (struct search){.id = id});
	assert_int_equal(f->founds, 2);
	assert_non_null(strstr(strbuf_cstr(&f->found), ann[0]));
}

/* One leg is done with it in the hour in which it came, the other three hours
 * later. */
static void a_message_is_followed_until_its_last_leg_is_done(void **state)
{
	struct fixture *f = *state;
	uint64_t id = fake_id(T0, 0);

	fake_accepted(&f->j, id, T0, "bob@example.org", ann, f->cloud);
	attempt(f, id, T0 + 1, 0, D_QUEUED, D_DEFERRED);
	routed(f, id, T0 + 2, 1, f->legacy, D_NONE, D_QUEUED);
	routed(f, id, T0 + 3, 1, f->legacy, D_QUEUED, D_SUPERSEDED);
	attempt(f, id, T0 + 3 * HOUR, 0, D_DEFERRED, D_DELIVERED);
	run(f);
	trace(f, (struct search){.from = "bob@example.org"});
	assert_int_equal(f->founds, 5);
	assert_non_null(strstr(strbuf_cstr(&f->found), "\"delivered\""));
}

static bool on_any(void *arg, uint64_t id)
{
	(void)arg;
	return id != 0;
}

static void on_none(void *arg, struct slice object)
{
	(void)arg;
	(void)object;
	fail_msg("an event of no index");
}

static void an_index_that_is_not_there_is_said(void **state)
{
	struct search q = {.id = 1};
	struct error err;

	assert_int_equal(search_run(
	    "/nonexistent/audit", &q, on_none, *state, &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/audit"));
}

/* As at the daemon's stop, which waits for the thread that searches. */
static void a_search_and_a_recount_that_are_stopped_end(void **state)
{
	struct fixture *f = *state;
	_Atomic bool stop = true;
	struct search q = {.stop = &stop};
	struct conserve n = {.stop = &stop};
	struct error err;
	uint64_t id[3];

	three_hours(f, id);
	run(f);
	assert_int_equal(search_run(f->index, &q, on_none, f, &err), -1);
	assert_non_null(strstr(err.text, "stopped"));
	assert_int_equal(conserve_run(f->index, f->names, &n, &err), -1);
	assert_non_null(strstr(err.text, "stopped"));
}

/* One file may take long: it is not read to its end either. */
static void a_walk_through_one_file_that_is_stopped_ends(void **state)
{
	struct fixture *f = *state;
	_Atomic bool stop = false;
	struct hour_key all = {.by = KEY_TIME, .until_us = INT64_MAX};
	struct hourfile *h;
	struct error err;

	for (unsigned i = 0; i < 3000; i++)
		fake_accepted(&f->j, fake_id(T0, i), T0, "", ann, f->cloud);
	run(f);
	h = hourfile_open(f->index, hour_of(T0), HOUR_READ, &err);
	assert_non_null(h);
	hourfile_stop_when(h, &stop);
	assert_int_equal(hourfile_find(h, &all, on_any, NULL), 1);
	stop = true;
	assert_int_equal(hourfile_find(h, &all, on_any, NULL), -1);
	hourfile_close(h);
}

/* ---- files ------------------------------------------------------------- */

static int on_row(void *arg, int cols, char **text, char **name)
{
	(void)cols;
	(void)name;
	snprintf(arg, 64, "%s", text[cols - 1]);
	return 0;
}

static void an_hour_that_is_over_is_sealed_with_its_indexes(void **state)
{
	struct fixture *f = *state;
	char path[96], text[64] = "";
	struct stat st;
	uint64_t id[3];
	sqlite3 *db;

	three_hours(f, id);
	snprintf(path, sizeof(path), "%s/2026112205.db", f->index);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0440);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA journal_mode", on_row, text, NULL);
	assert_string_equal(text, "delete");
	sqlite3_exec(db, "EXPLAIN QUERY PLAN SELECT id FROM recipient"
	    " WHERE address_hash = 1", on_row, text, NULL);
	assert_non_null(strstr(text, "INDEX recipient_address"));
	sqlite3_close(db);
	snprintf(path, sizeof(path), "%s/2026112205.db-wal", f->index);
	assert_int_not_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/2026112209.db", f->index);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void a_quiet_hour_is_sealed_without_new_mail(void **state)
{
	struct fixture *f = *state;
	char path[96];
	struct stat st;

	fake_accepted(&f->j, fake_id(T0, 0), T0, "", ann, f->cloud);
	attempt(f, fake_id(T0, 0), T0, 0, D_QUEUED, D_DELIVERED);
	run(f);
	snprintf(path, sizeof(path), "%s/2026112205.db", f->index);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	clock_fake_step(&f->clock, HOUR);
	run(f);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0440);
}

static void files_are_removed_when_their_time_is_over(void **state)
{
	struct fixture *f = *state;
	uint64_t id[3];

	f->conf.audit.keep_ms = 3 * 3600 * 1000;
	three_hours(f, id);
	clock_fake_step(&f->clock, 4 * HOUR);
	run(f);
	trace(f, (struct search){.id = id[0]});
	assert_int_equal(f->founds, 0);
	trace(f, (struct search){.id = id[2]});
	assert_int_equal(f->founds, 2);
}

static void hour_names_are_read_back(void **state)
{
	static const struct {
		const char *name;
		int64_t hour;
	} cases[] = {
		{"1970010100.db", 0},	 {"2026112205.db", T0 / HOUR},
		{"2024022923.db", 474791}, {"2026023012.db", -1},
		{"2026112224.db", -1},	 {"2026112205.db-wal", -1},
		{"2026112205.dx", -1},	 {"", -1},
		{"20261122 5.db", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[HOUR_NAME];
		int64_t hour = -1;

		print_message("%s\n", cases[i].name);
		if (hour_parse(slice_str(cases[i].name), &hour) != 0)
			hour = -1;
		assert_int_equal(hour, cases[i].hour);
		if (hour < 0)
			continue;
		hour_name(hour, name);
		assert_string_equal(name, cases[i].name);
	}
}

static void hashes_never_change(void **state)
{
	(void)state;
	assert_int_equal(hour_hash(""), 0);
	/* on disk since the first version */
	assert_true(
	    hour_hash("Ann@Example.COM") == hour_hash("ann@example.com"));
	assert_true((uint64_t)hour_hash("ann@example.com") ==
	    UINT64_C(0x153a2ebaf4b79d8a));
	assert_true(hour_hash_message_id(" <a@b> ") == hour_hash("a@b"));
	assert_true(hour_hash_message_id("<a@b") == hour_hash("<a@b"));
}

static void leg_states_survive_any_name(void **state)
{
	static const struct {
		const char *text;
		unsigned lines;
	} cases[] = {
		{"0 cloud primary delivered\n", 1},
		{"0 cloud primary delivered\n1 old server copy parked\n", 2},
		{"7 a b c copy queued", 1},
		{"", 0}, {"\n\n", 0}, {"x cloud primary delivered\n", 0},
		{"0 cloud primary nonsense\n", 0}, {"0 cloud\n", 0},
		{"99999999999 cloud primary queued\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slice text = slice_str(cases[i].text);
		struct recipient_leg l;
		unsigned n = 0;

		print_message("%s\n", cases[i].text);
		while (leg_states_next(&text, &l))
			n++;
		assert_int_equal(n, cases[i].lines);
	}
}

/* ---- the recount ------------------------------------------------------- */

static void assert_total(const struct conserve *c, uint16_t leg,
    const int64_t want[TOTALS])
{
	for (int t = 0; t < TOTALS; t++) {
		print_message("%s\n", total_text((enum total)t));
		assert_int_equal(c->leg[leg].total[t], want[t]);
	}
	assert_int_equal(c->leg[leg].gap, 0);
}

static void totals_add_up_over_hours_and_restarts(void **state)
{
	struct fixture *f = *state;
	uint64_t id = fake_id(T0, 0), other = fake_id(T0, 1);
	struct conserve c;
	char lost[64];

	fake_accepted(&f->j, id, T0, "bob@example.org", both, f->cloud);
	fake_accepted(&f->j, other, T0, "bob@example.org", ann, f->cloud);
	attempt(f, id, T0, 0, D_QUEUED, D_DELIVERED);
	run(f);
	/* the same hour, after a restart: the row has both of its legs */
	attempt(f, other, T0 + MINUTE, 0, D_QUEUED, D_DEFERRED);
	routed(f, other, T0 + MINUTE, 1, f->legacy, D_NONE, D_QUEUED);
	run(f);
	routed(f, other, T0 + 2 * MINUTE, 0, f->cloud, D_DEFERRED,
	    D_SUPERSEDED);
	run(f);
	verify(f, &c, lost);
	assert_total(&c, f->cloud, (int64_t[TOTALS]){[T_CREATED] = 3,
	    [T_DELIVERED] = 1, [T_OPEN] = 1, [T_SUPERSEDED] = 1});
	assert_total(&c, f->legacy,
	    (int64_t[TOTALS]){[T_CREATED] = 1, [T_OPEN] = 1});
	assert_int_equal(c.lost, 0);
	/* and hours later */
	attempt(f, id, T0 + 2 * HOUR, 1, D_QUEUED, D_BOUNCED);
	run(f);
	routed(f, other, T0 + 3 * HOUR, 1, f->legacy, D_QUEUED, D_PARKED);
	run(f);
	verify(f, &c, lost);
	assert_total(&c, f->cloud, (int64_t[TOTALS]){[T_CREATED] = 3,
	    [T_DELIVERED] = 1, [T_BOUNCED] = 1, [T_SUPERSEDED] = 1});
	assert_total(&c, f->legacy,
	    (int64_t[TOTALS]){[T_CREATED] = 1, [T_PARKED] = 1});
	assert_int_equal(c.lost, 0);
	assert_int_equal(c.skipped, 0);
}

static void a_recipient_whose_deliveries_all_vanished_is_named(void **state)
{
	struct fixture *f = *state;
	uint64_t id = fake_id(T0, 0);
	struct conserve c;
	char lost[64];

	fake_accepted(&f->j, id, T0, "bob@example.org", ann, f->cloud);
	routed(f, id, T0 + HOUR, 0, f->cloud, D_QUEUED, D_SUPERSEDED);
	fake_accepted(&f->j, id + 1, T0 + HOUR, "", both, f->cloud);
	run(f);
	verify(f, &c, lost);
	assert_int_equal(c.lost, 1);
	assert_string_equal(lost, ann[0]);
	/* a copy that is no longer wanted is no loss */
	routed(f, id + 1, T0 + HOUR, 2, f->legacy, D_NONE, D_QUEUED);
	routed(f, id, T0 + HOUR, 1, f->legacy, D_NONE, D_QUEUED);
	attempt(f, id + 1, T0 + 2 * HOUR, 0, D_QUEUED, D_DELIVERED);
	routed(f, id + 1, T0 + 3 * HOUR, 2, f->legacy, D_QUEUED,
	    D_SUPERSEDED);
	run(f);
	verify(f, &c, lost);
	assert_int_equal(c.lost, 0);
}

static void a_row_that_is_missing_is_a_gap(void **state)
{
	struct fixture *f = *state;
	struct conserve c;
	char path[96], lost[64];
	uint64_t id[3];
	sqlite3 *db;

	three_hours(f, id);
	snprintf(path, sizeof(path), "%s/2026112205.db", f->index);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM recipient", NULL, NULL,
			     NULL), SQLITE_OK);
	sqlite3_close(db);
	verify(f, &c, lost);
	assert_int_equal(c.leg[f->cloud].gap, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_key_finds_its_messages),
		T(events_come_oldest_first_whatever_file_they_are_in),
		T(too_many_messages_are_cut_and_said),
		T(an_upload_across_the_hour_is_found_by_its_id),
		T(a_message_is_followed_until_its_last_leg_is_done),
		T(an_index_that_is_not_there_is_said),
		T(an_hour_that_is_over_is_sealed_with_its_indexes),
		T(a_quiet_hour_is_sealed_without_new_mail),
		T(files_are_removed_when_their_time_is_over),
		cmocka_unit_test(hour_names_are_read_back),
		cmocka_unit_test(hashes_never_change),
		cmocka_unit_test(leg_states_survive_any_name),
		T(a_search_and_a_recount_that_are_stopped_end),
		T(a_walk_through_one_file_that_is_stopped_ends),
		T(totals_add_up_over_hours_and_restarts),
		T(a_recipient_whose_deliveries_all_vanished_is_named),
		T(a_row_that_is_missing_is_a_gap),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
