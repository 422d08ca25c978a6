/* SPDX-License-Identifier: ISC
 *
 * The cutover table as a worker reads it in one turn of its loop, and in the
 * next, while it is changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/post/worker.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

#define U1 "u1@example.com"

struct world {
	struct clock_fake clock;
	struct table_tmp *table;
	struct conf_snapshot snapshot; /* the test's own: one count is kept */
	struct shared shared;
	struct worker w;
	struct defer act;	/* what happens in a turn */
	char seen[3][12];	/* the route of U1, at each look of it */
	int looks;
};

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

static int setup(void **state)
{
	const char *dir = *state;
	struct world *w = NEW(struct world);

	clock_fake_init(&w->clock, 0);
	w->table = table_tmp_new(dir);
	table_tmp_route(w->table, U1, "legacy");
	atomic_init(&w->snapshot.refs, 1);
	w->snapshot.conf = w->table->c;
	w->shared.clock = &w->clock.clock;
	w->shared.names = w->table->names;
	w->shared.table_path = w->table->path;
	worker_init(&w->w, &w->shared, 0, &w->snapshot);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	worker_fini(&w->w);
	table_tmp_free(w->table);
	mem_free(w);
	return 0;
}

/* `fn` runs in one turn. */
static void turn(struct world *w, void (*fn)(void *arg))
{
	defer_init(&w->act, fn, w);
	loop_defer(w->w.loop, &w->act);
	loop_once(w->w.loop, 0);
}

static void look_once(void *arg)
{
	look(arg);
}

static void look_before_and_after_a_change(void *arg)
{
	struct world *w = arg;

	look(w);
	table_tmp_route(w->table, U1, "cloud");
	look(w);
}

static void one_turn_reads_one_state_and_the_next_the_new_one(void **state)
{
	struct world *w = *state;

	turn(w, look_before_and_after_a_change);
	turn(w, look_once);
	assert_string_equal(w->seen[0], "legacy");
	assert_string_equal(w->seen[1], "legacy");
	assert_string_equal(w->seen[2], "cloud");
}

static void look_before_and_after_a_change_is_seen(void *arg)
{
	struct world *w = arg;

	look(w);
	atomic_store(&w->shared.change_floor,
	    table_tmp_route(w->table, U1, "cloud"));
	look(w);
}

/* `--wait` may have been answered by then: no attempt goes by what the change
 * replaced. */
static void what_the_table_thread_has_seen_is_read_in_the_same_turn(
    void **state)
{
	struct world *w = *state;

	turn(w, look_before_and_after_a_change_is_seen);
	assert_string_equal(w->seen[0], "legacy");
	assert_string_equal(w->seen[1], "cloud");
	assert_int_equal(w->w.table_floor, w->shared.change_floor);
}

static void a_turn_holds_no_transaction_when_it_is_over(void **state)
{
	struct world *w = *state;
	struct error err;

	turn(w, look_once);
	assert_false(w->w.reading);
	/* A second one in it would fail. */
	assert_int_equal(table_begin(w->w.table, &err), 0);
	table_end(w->w.table);
}

static void a_look_outside_a_turn_is_over_with_the_next(void **state)
{
	struct world *w = *state;

	look(w);
	table_tmp_route(w->table, U1, "cloud");
	turn(w, look_once);
	assert_string_equal(w->seen[0], "legacy");
	assert_string_equal(w->seen[1], "cloud");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(one_turn_reads_one_state_and_the_next_the_new_one),
		CASE(what_the_table_thread_has_seen_is_read_in_the_same_turn),
		CASE(a_turn_holds_no_transaction_when_it_is_over),
		CASE(a_look_outside_a_turn_is_over_with_the_next),
	};

	return cmocka_run_group_tests(
	    tests, conf_tmp_setup, conf_tmp_teardown);
}
