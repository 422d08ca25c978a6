/* SPDX-License-Identifier: ISC
 *
 * The commands of waves and watermarks: transcripts, one of them of a table
 * in which waves ran, and of a ledger with watermarks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "policy/wave/file/exclude.h"
#include "relay/audit/delivered/watermark_post.h"
#include "relay/base/mem.h"
#include "tests/unit/cli_script.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/lastfixture.h"
#include "tests/unit/wave_rig.h"

enum { CROWD = 30 };

static void made_and_looked_at(void **state)
{
	cli_script_run(*state, "wave.txt");
}

static void what_the_daemon_is_asked(void **state)
{
	cli_script_run(*state, "wave_daemon.txt");
}

static void planned_and_rehearsed(void **state)
{
	cli_script_run(*state, "wave_plan.txt");
}

/* ---- waves that ran ----------------------------------------------------- */

/* x00@example.com … on legacy. */
static void add_people(struct table_tmp *t)
{
	char address[40];

	for (int i = 0; i < CROWD; i++) {
		snprintf(address, sizeof(address), "x%02d@example.com", i);
		table_tmp_route(t, address, "legacy");
	}
}

static void create(struct wave_rig *r, const char *name, int from, int to)
{
	char names[CROWD * 5] = "";

	for (int i = from; i < to; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names),
		    "%sx%02d", i == from ? "" : " ", i);
	wave_tmp_create(r->t, name, names);
}

static void begin(struct wave_rig *r, const char *name, int64_t slice,
    int64_t pause_s)
{
	struct wave_order o = wave_rig_order(name, WAVE_START);

	o.slice = slice;
	o.pause_s = pause_s;
	wave_rig_do(r, &o);
	wave_rig_settle(r);
}

static void order(struct wave_rig *r, const char *name, enum wave_event event)
{
	const struct wave_order o = wave_rig_order(name, event);

	wave_rig_do(r, &o);
	wave_rig_settle(r);
}

static void schedule(struct wave_rig *r, const char *name)
{
	struct wave_order o = wave_rig_order(name, WAVE_SCHEDULE);

	o.at_us = RIG_NOW + 24 * 3600 * RIG_S;
	o.zone = "Europe/Berlin";
	o.late_s = 600;
	o.force = true;
	wave_rig_do(r, &o);
}

static void hold(struct wave_rig *r, const char *name)
{
	struct wave_order o = wave_rig_order(name, WAVE_START);

	o.hold = true;
	o.deadline_s = 7200;
	o.slice = 2;
	wave_rig_do(r, &o);
	wave_rig_settle(r);
}

static void exclude(struct wave_rig *r, const char *where)
{
	const struct change_by by = {.who = "ann", .host = "host",
	    .command = "wave exclude", .note = "why"};
	const struct exclude_said said = {.where = where, .by = &by,
	    .now_us = RIG_NOW};
	struct wave_file *f = wave_tmp_open(r->t, true);
	uint64_t number;
	struct error err;

	assert_int_equal(wave_begin(f, &err), 0);
	assert_int_equal(wave_end(f, exclude_add(f, &said, &number, &err),
	    &err), 0);
	wave_file_close(f);
}

/* One in each state, and members in each. The script knows their names. */
static void waves_that_ran(void **state)
{
	struct wave_rig *r = wave_rig_new(state);

	add_people(r->t);
	create(r, "finished", 0, 5);
	wave_tmp_create(r->t, "mixed", "bob x05 x06 nobody");
	exclude(r, "address = x06@example.com");
	table_tmp_route(r->t, "x05@example.com", "third");
	begin(r, "finished", 2, 60);
	wave_rig_pass(r, 60);
	wave_rig_pass(r, 60);
	begin(r, "mixed", 10, 0);
	create(r, "back", 7, 10);
	begin(r, "back", 10, 0);
	order(r, "back", WAVE_ROLLBACK);
	create(r, "runs", 10, 16);
	begin(r, "runs", 2, 600);
	wave_rig_pass(r, 600);
	table_tmp_route(r->t, "x10@example.com", "third");
	create(r, "paused", 16, 19);
	begin(r, "paused", 1, 3600);
	order(r, "paused", WAVE_PAUSE);
	create(r, "later", 19, 22);
	schedule(r, "later");
	create(r, "holds", 22, 26);
	hold(r, "holds");
	r->broken = " x23 ";
	wave_rig_pass(r, 60);
	create(r, "planned", 26, 28);
	cli_script_run(*state, "wave_ran.txt");
	wave_rig_free(r);
}

/* ---- watermarks --------------------------------------------------------- */

static void post(struct last_delivery *l, const char *to,
    struct watermark_op op)
{
	op.leg = op.leg == NULL ? "legacy" : op.leg;
	op.address = slice_str(to);
	assert_true(watermark_post(l, &op));
}

static void event(struct last_delivery *l, const char *to,
    enum watermark_event e)
{
	post(l, to, (struct watermark_op){.what = DO_EVENT, .event = e,
	    .change = 5, .at_us = NOW + 1000000});
}

/* ann pending, bob reached, cid reached without mail, dan synced, eve
 * withdrawn; ann at the leg cloud too. */
static void fill_ledger(const char *dir)
{
	static const char *const name[] = {"ann@a.example", "bob@a.example",
	    "cid@a.example", "dan@a.example", "eve@a.example"};
	struct last_delivery *l = open_in(dir);

	for (uint64_t i = 0; i < ARRAY_LEN(name); i++) {
		if (i != 2)
			add(l, "legacy", name[i], NOW - 10, i + 1);
		event(l, name[i], WATERMARK_LEFT);
		if (i > 0)
			event(l, name[i], WATERMARK_CLEAR);
	}
	add(l, "cloud", name[0], NOW - 5, 9);
	post(l, name[0], (struct watermark_op){.what = DO_EVENT,
	    .leg = "cloud", .event = WATERMARK_LEFT, .change = 6,
	    .at_us = NOW});
	post(l, name[0], (struct watermark_op){.what = DO_OPEN, .number = 3,
	    .at_us = NOW});
	event(l, name[3], WATERMARK_SYNC);
	post(l, name[1], (struct watermark_op){.what = DO_HOOK,
	    .hook = HOOK_FAILED, .note = "no such folder"});
	post(l, name[2], (struct watermark_op){.what = DO_WAIVE});
	commit(l, NOW);
	add(l, "legacy", name[4], NOW + 2000000, 11);
	commit(l, NOW);
	last_delivery_close(l);
}

static void watermarks_are_listed(void **state)
{
	fill_ledger(*state);
	cli_script_run(*state, "watermark.txt");
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, conf_tmp_setup, \
	    conf_tmp_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(made_and_looked_at),
		TEST(what_the_daemon_is_asked),
		TEST(planned_and_rehearsed),
		TEST(waves_that_ran),
		TEST(watermarks_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
