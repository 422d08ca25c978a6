/* SPDX-License-Identifier: ISC
 *
 * The cutover table as a worker reads it in one turn of its loop, and in the
 * next, while it is changed; and the decisions that a message carries from RCPT
 * to the attempt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/delivery/attempt_route.h"
#include "relay/post/mail.h"
#include "relay/post/worker.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

#define U1 "u1@example.com"

struct world {
	struct clock_fake clock;
	struct table_tmp *table;
	const char *dir;
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
	w->dir = dir;
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
	atomic_store(&w->shared.change_seen,
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
	assert_int_equal(w->w.table_floor, w->shared.change_seen);
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

/* ---- what RCPT found, at the attempt ---- */

static const char *const kept[] = {U1, "u2+detail@example.com",
    "u3@example.com"};

static struct addr address(const char *text)
{
	struct addr a;
	const char *why;

	assert_int_equal(addr_parse(slice_str(text), true, &a, &why), 0);
	return a;
}

/* A message to all in `kept`, as RCPT takes it. */
static struct mail *accepted(struct world *w)
{
	struct mail *m = mail_new();
	struct error err;
	struct table *t = worker_table(&w->w, &err);

	for (unsigned i = 0; i < ARRAY_LEN(kept); i++) {
		struct addr to = address(kept[i]);
		struct decision d = {0};

		route_decide(w->table->c, t, &to, w->w.lookup, &d);
		assert_int_equal(d.verdict, VERDICT_ACCEPT);
		mail_keep_decision(m, i, w->table->c, &d);
	}
	return m;
}

static void same_way(struct world *w, const char *text,
    const struct decision *a, const struct decision *b)
{
	struct addr to = address(text);
	struct strbuf x, y;

	assert_memory_equal(&a->route, &b->route, sizeof(a->route));
	assert_true(a->held == b->held && a->rule == b->rule);
	assert_true(a->verdict == b->verdict && a->ask == b->ask);
	assert_true(a->reply.code == 0 && a->reply.text[0] == '\0');
	assert_string_equal(a->key, b->key);
	assert_true(a->change == b->change && a->row.found == b->row.found);
	assert_string_equal(a->base, b->base);
	assert_string_equal(a->row.tags, b->row.tags);
	assert_string_equal(a->row.mailbox, b->row.mailbox);
	for (unsigned i = 0; i < a->route.legs; i++) {
		strbuf_init(&x, 2 * ADDR_MAX);
		strbuf_init(&y, 2 * ADDR_MAX);
		route_address(a, a->route.leg[i], &to, w->table->c, &x);
		route_address(b, a->route.leg[i], &to, w->table->c, &y);
		assert_string_equal(strbuf_cstr(&x), strbuf_cstr(&y));
		strbuf_fini(&x);
		strbuf_fini(&y);
	}
}

static void set_rows(struct world *w)
{
	static const struct change_row row = TABLE_TMP_ROW("cloud+legacy", -1,
	    "box", "pilot", "cloud=other@tenant.example");

	table_tmp_set(w->table, "u2@example.com", &row);
}

static void the_attempt_has_what_rcpt_found(void **state)
{
	struct world *w = *state;
	struct error err;
	struct decision d, asked;
	struct table *t;
	struct mail *m;
	int64_t now;

	set_rows(w);
	m = accepted(w);
	assert_true(arena_bytes(m->arena) <= 1024);
	t = worker_table(&w->w, &err);
	now = table_change(t, &err);
	for (unsigned i = 0; i < 2; i++) {
		struct addr to = address(kept[i]);

		memset(&asked, 0, sizeof(asked));
		memset(&d, 0xff, sizeof(d)); /* whatever was there before */
		assert_true(mail_decision(m, i, w->table->c, now, &d));
		assert_true(route_resolve(w->table->c, t, &to, w->w.lookup,
		    &asked));
		same_way(w, kept[i], &d, &asked);
	}
	/* Without a row of its own: the table is asked. */
	assert_false(mail_decision(m, 2, w->table->c, now, &d));
	mail_unref(m);
}

static void after_a_change_or_a_reload_the_table_is_asked(void **state)
{
	struct world *w = *state;
	struct error err;
	struct decision d;
	struct mail *m = accepted(w);
	struct conf *other = conf_tmp_good(w->dir, CONF_BASE, w->table->names);
	int64_t now = table_change(worker_table(&w->w, &err), &err);

	assert_true(mail_decision(m, 0, w->table->c, now, &d));
	assert_false(mail_decision(m, 0, other, now, &d));
	assert_false(mail_decision(m, 0, w->table->c, -1, &d));
	assert_false(mail_decision(m, MAIL_DECISIONS, w->table->c, now, &d));
	assert_false(mail_decision(m, 0, w->table->c,
	    (int64_t)table_tmp_route(w->table, "u9@example.com", "cloud"),
	    &d));
	mail_unref(m);
	conf_unref(other);
}

/* ---- strangers ---- */

/* Which of `kept`, the message's recipients, does an attempt take for a
 * stranger? */
static unsigned strangers(struct world *w, struct mail *m)
{
	struct job_row row[ARRAY_LEN(kept)] = {{.stranger = false}};
	struct attempt at = {.w = &w->w, .mail = m, .snapshot = &w->snapshot,
	    .row = row, .n = ARRAY_LEN(kept)};
	unsigned found = 0;

	for (unsigned i = 0; i < at.n; i++)
		row[i].ref.rcpt = i;
	attempt_know_strangers(&at);
	for (unsigned i = 0; i < at.n; i++)
		found |= row[i].stranger ? 1U << i : 0;
	return found;
}

static void a_table_that_is_behind_names_no_stranger(void **state)
{
	struct world *w = *state;
	struct envelope_rcpt rcpt[ARRAY_LEN(kept)];
	struct mail *m;

	set_rows(w);
	m = accepted(w);
	for (unsigned i = 0; i < ARRAY_LEN(kept); i++)
		rcpt[i] = (struct envelope_rcpt){.to = kept[i]};
	m->env.listen = m->env.from = "";
	m->env.rcpt = rcpt;
	m->env.rcpts = ARRAY_LEN(kept);
	assert_int_equal(strangers(w, m), 1U << 2);
	atomic_fetch_add(&w->shared.change_seen, 1000);
	assert_int_equal(strangers(w, m), 0);
	m->env.rcpts = 0;
	mail_unref(m);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(one_turn_reads_one_state_and_the_next_the_new_one),
		CASE(what_the_table_thread_has_seen_is_read_in_the_same_turn),
		CASE(a_turn_holds_no_transaction_when_it_is_over),
		CASE(a_look_outside_a_turn_is_over_with_the_next),
		CASE(the_attempt_has_what_rcpt_found),
		CASE(after_a_change_or_a_reload_the_table_is_asked),
		CASE(a_table_that_is_behind_names_no_stranger),
	};

	return cmocka_run_group_tests(
	    tests, conf_tmp_setup, conf_tmp_teardown);
}
