/* SPDX-License-Identifier: ISC
 *
 * The table thread tells the queue of a change; from then on a worker reads it,
 * also in a turn of its loop that began before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/cutover/table_follow.h"
#include "relay/delivery/ask_cache.h"
#include "relay/post/queue_letters.h"
#include "relay/post/worker.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/spool_rig.h"
#include "tests/unit/table_tmp.h"

#define U1 "u1@example.com"

struct world {
	struct rig *spool;
	struct table_tmp *table;
	struct conf_snapshot snapshot; /* the test's own: one count is kept */
	struct mailbox queue_box;
	struct shared shared;
	struct ask_cache *asked;
	struct table_follow *follow;
	struct worker w;
	struct defer act; /* what happens in a turn */
	uint64_t change, woken;	/* made; the newest that the queue heard of */
	char seen[2][12];	/* the route of U1, at each look of it */
	int looks;
};

static int setup(void **state)
{
	const char *dir = *state;
	struct world *w = NEW(struct world);
	struct error err;

	w->spool = rig_new(8);
	assert_true(rig_open(w->spool));
	w->table = table_tmp_new(dir);
	table_tmp_route(w->table, U1, "legacy");
	atomic_init(&w->snapshot.refs, 1);
	w->snapshot.conf = w->table->c;
	mailbox_init(&w->queue_box);
	w->shared = (struct shared){.clock = &w->spool->clock.clock,
	    .names = w->table->names, .table_path = w->table->path,
	    .spool = w->spool->spool, .queue_box = &w->queue_box};
	w->asked = ask_cache_new(16, w->shared.clock);
	w->follow = table_follow_new(&w->shared, w->asked, &w->snapshot, 0,
	    &err);
	if (w->follow == NULL)
		fail_msg("%s", err.text);
	worker_init(&w->w, &w->shared, 0, &w->snapshot);
	*state = w;
	return 0;
}

static void take_letters(struct world *w)
{
	struct letter *l = mailbox_take(&w->queue_box), *next;

	for (; l != NULL; l = next) {
		next = l->next;
		assert_int_equal(l->kind, S_WAKE);
		w->woken = ((struct wake_letter *)l)->change;
		mem_free(l);
	}
}

static int teardown(void **state)
{
	struct world *w = *state;

	take_letters(w);
	worker_fini(&w->w);
	table_follow_free(w->follow);
	ask_cache_free(w->asked);
	mailbox_fini(&w->queue_box);
	table_tmp_free(w->table);
	rig_free(w->spool);
	mem_free(w);
	return 0;
}

static void look(struct world *w)
{
	struct table_row row;
	struct error err;
	struct table *t = worker_table(&w->w, &err);

	assert_non_null(t);
	assert_true(table_get(t, SLICE(U1), w->w.lookup, &row, &err) >= 0);
	snprintf(w->seen[w->looks++], sizeof(w->seen[0]), "%s",
	    row.route_text);
}

static void follow_between_looks(void *arg)
{
	struct world *w = arg;

	look(w);
	w->change = table_tmp_route(w->table, U1, "cloud");
	table_follow_step(w->follow);
	take_letters(w);
	look(w);
}

static void turn(struct world *w, void (*fn)(void *arg))
{
	defer_init(&w->act, fn, w);
	loop_defer(w->w.loop, &w->act);
	loop_once(w->w.loop, 0);
}

static void a_change_is_told_to_all(void **state)
{
	struct world *w = *state;

	turn(w, follow_between_looks);
	assert_int_equal(w->woken, w->change);
	assert_int_equal(w->shared.change_seen, w->change);
	assert_int_equal(w->shared.change_told, w->change);
	assert_string_equal(w->seen[0], "legacy");
	assert_string_equal(w->seen[1], "cloud");
}

/* As it is for as long as the table thread is between the two. */
static void break_the_notes(const struct world *w)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(w->table->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "ALTER TABLE change "
	    "RENAME COLUMN host TO place", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void break_between_looks(void *arg)
{
	struct world *w = arg;

	look(w);
	w->change = table_tmp_route(w->table, U1, "cloud");
	break_the_notes(w);
	table_follow_step(w->follow);
	take_letters(w);
	look(w);
}

/* The queue may ask a worker because of the change by now, in a turn that began
 * before it. */
static void a_worker_reads_what_the_queue_alone_was_told(void **state)
{
	struct world *w = *state;

	turn(w, break_between_looks);
	assert_int_equal(w->woken, w->change);
	assert_true(w->shared.change_told < w->change);
	assert_string_equal(w->seen[0], "legacy");
	assert_string_equal(w->seen[1], "cloud");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_change_is_told_to_all),
		CASE(a_worker_reads_what_the_queue_alone_was_told),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(
	    tests, conf_tmp_setup, conf_tmp_teardown);
}
