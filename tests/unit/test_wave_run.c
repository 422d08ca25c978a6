/* SPDX-License-Identifier: ISC
 *
 * Waves that run: slices, times, limits, what goes wrong, rollback.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "policy/wave/file/exclude.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/wave_rig.h"

static const char *route_of(struct wave_rig *r, const char *name)
{
	char key[100];

	snprintf(key, sizeof(key), "%s@example.com", name);
	return table_tmp_get(r->t, key).route_text;
}

/* ---- slices ----------------------------------------------------------- */

static void slices_follow_each_other_after_a_pause(void **state)
{
	struct wave_rig *r = wave_rig_new(state);
	struct table_change c;
	struct error err;
	struct table *t;

	wave_tmp_create(r->t, "w1", "ann bob cid amy");
	wave_rig_settle(r);
	wave_rig_told(r, "");
	wave_rig_start(r, "w1", 2);
	wave_rig_told(r, "w1 start running");
	wave_rig_settle(r);
	/* The mailbox of amy has three. */
	wave_rig_told(r, "w1 slice-done running 1:3");
	wave_rig_pass(r, 59);
	wave_rig_told(r, "");
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 slice-done running 2:2");
	assert_string_equal(route_of(r, "cid"), "legacy");
	wave_rig_pass(r, 60);
	wave_rig_told(r, "w1 slice-done running 3:1, w1 end done");
	assert_string_equal(route_of(r, "cid"), "cloud");
	wave_rig_pass(r, 3600);
	wave_rig_told(r, "");
	t = table_open(r->t->path, r->t->names, &err);
	assert_int_equal(table_change_get(t, 8, r->t->a, &c, &err), 1);
	assert_string_equal(c.kind, "wave");
	assert_string_equal(c.wave, "w1");
	assert_string_equal(c.note, "slice 1 of wave w1");
	assert_int_equal(c.recipients, 3);
	assert_string_equal(c.who, "sue");
	table_close(t);
	wave_rig_free(r);
}

static void a_table_without_waves_or_none_at_all_is_looked_at_again(
    void **state)
{
	struct wave_rig *r = wave_rig_new(state);
	const struct wave_run_ops ops = {.told = NULL};
	struct wave_run *none = wave_run_new("/nowhere/at/all", &ops);

	assert_int_equal(wave_run_step(r->run, r->t->c, r->now_us),
	    r->now_us + RIG_S);
	assert_int_equal(wave_run_step(none, r->t->c, r->now_us),
	    r->now_us + RIG_S);
	wave_run_free(none);
	wave_rig_free(r);
}

static void who_is_left_out_is_marked_with_the_reason(void **state)
{
	struct wave_rig *r = wave_rig_new(state);

	wave_tmp_create(r->t, "w1", "ann bob nobody");
	table_tmp_route(r->t, "bob@example.com", "third");
	wave_rig_start(r, "w1", 10);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 start running, w1 slice-done running 1:1, "
	    "w1 end done");
	wave_tmp_members(r->t, "w1", "ann done, bob skipped moved by change 8 "
	    "since the wave was created, nobody skipped no row");
	assert_string_equal(route_of(r, "bob"), "third");
	wave_rig_free(r);
}

static void force_takes_them_too(void **state)
{
	struct wave_rig *r = wave_rig_new(state);
	struct wave_order o = wave_rig_order("w1", WAVE_START);

	wave_tmp_create(r->t, "w1", "ann bob nobody");
	table_tmp_route(r->t, "bob@example.com", "third");
	o.force = true;
	wave_rig_do(r, &o);
	wave_rig_settle(r);
	wave_tmp_members(r->t, "w1", "ann done, bob done, nobody done");
	assert_string_equal(route_of(r, "nobody"), "cloud");
	wave_rig_free(r);
}

static void paused_it_makes_none_until_it_is_resumed(void **state)
{
	struct wave_rig *r = wave_rig_new(state);
	struct wave_order o = wave_rig_order("w1", WAVE_PAUSE);

	wave_tmp_create(r->t, "w1", "ann bob cid");
	wave_rig_start(r, "w1", 1);
	wave_rig_settle(r);
	wave_rig_do(r, &o);
	wave_rig_told(r, "w1 start running, w1 slice-done running 1:1, "
	    "w1 pause paused");
	wave_rig_pass(r, 3600);
	wave_rig_told(r, "");
	o.event = WAVE_RESUME;
	wave_rig_do(r, &o);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 resume running, w1 slice-done running 2:1");
	wave_rig_refused(r, &o, "wave w1 is running: resume is refused; "
	    "possible now: pause, rollback");
	wave_rig_free(r);
}

/* ---- times ------------------------------------------------------------ */

static void schedule(struct wave_rig *r, const char *name, int64_t in_s)
{
	struct wave_order o = wave_rig_order(name, WAVE_SCHEDULE);

	o.at_us = r->now_us + in_s * RIG_S;
	wave_rig_do(r, &o);
}

static void a_scheduled_wave_begins_at_its_time(void **state)
{
	struct wave_rig *r = wave_rig_new(state);

	wave_tmp_create(r->t, "w1", "ann");
	schedule(r, "w1", 100);
	wave_rig_pass(r, 99);
	wave_rig_told(r, "w1 schedule scheduled");
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 start running, w1 slice-done running 1:1, "
	    "w1 end done");
	wave_rig_free(r);
}

static void one_that_is_overdue_is_paused(void **state)
{
	struct wave_rig *r = wave_rig_new(state);

	wave_tmp_create(r->t, "w1", "ann");
	wave_tmp_create(r->t, "w2", "bob");
	schedule(r, "w1", 100);
	schedule(r, "w2", 1001);
	wave_rig_told(r, "w1 schedule scheduled, w2 schedule scheduled");
	wave_rig_pass(r, 1001);
	wave_rig_told(r, "w2 start running, w2 slice-done running 1:1, "
	    "w2 end done, w1 pause paused (its time was over by 15 min when "
	    "it could begin: the daemon had stopped, or the clock was set)");
	assert_string_equal(route_of(r, "ann"), "legacy");
	wave_rig_free(r);
}

static void a_time_inside_a_blackout_is_refused(void **state)
{
	struct wave_rig *r = wave_rig_new(state);
	const struct blackout work = {.text = "Fri 09:00-17:00",
	    .zone = &zone_utc, .days = 1 << 5, .begin_s = 9 * 3600,
	    .length_s = 8 * 3600};
	struct wave_order o = wave_rig_order("w1", WAVE_SCHEDULE);

	r->t->c->wave.limits.blackouts = (struct blackouts){&work, 1};
	wave_tmp_create(r->t, "w1", "ann bob");
	o.at_us = r->now_us + 2 * 3600 * RIG_S;
	wave_rig_refused(r, &o, "that time is inside the blackout "
	    "\"Fri 09:00-17:00\"; choose one outside");
	/* One that runs stops for it. */
	wave_rig_start(r, "w1", 1);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 start running, w1 slice-done running 1:1");
	wave_rig_pass(r, 3600);
	wave_rig_told(r, "");
	wave_rig_pass(r, 8 * 3600 - 1);
	wave_rig_told(r, "");
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 slice-done running 2:1, w1 end done");
	wave_rig_free(r);
}

static void all_waves_share_the_hour(void **state)
{
	struct wave_rig *r = wave_rig_new(state);

	r->t->c->wave.limits.per_hour = 2;
	wave_tmp_create(r->t, "w1", "ann bob");
	wave_tmp_create(r->t, "w2", "cid");
	wave_rig_start(r, "w1", 1);
	wave_rig_settle(r);
	wave_rig_start(r, "w2", 1);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 start running, w1 slice-done running 1:1, "
	    "w2 start running, w2 slice-done running 1:1, w2 end done");
	wave_rig_pass(r, 3599);
	wave_rig_told(r, "");
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 slice-done running 2:1, w1 end done");
	wave_rig_free(r);
}

/* Ten days: what was made counts for an hour from then on. */
static void a_clock_that_was_set_back_stops_no_wave(void **state)
{
	struct wave_rig *r = wave_rig_new(state);

	r->t->c->wave.limits.per_hour = 1;
	wave_tmp_create(r->t, "w1", "ann bob");
	wave_rig_start(r, "w1", 1);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 start running, w1 slice-done running 1:1");
	wave_rig_pass(r, -10 * 86400);
	wave_rig_pass(r, 3599);
	wave_rig_told(r, "");
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 slice-done running 2:1, w1 end done");
	wave_rig_free(r);
}

/* ---- what goes wrong -------------------------------------------------- */

static void what_never_succeeds_is_paused_with_the_reason(void **state)
{
	struct wave_rig *r = wave_rig_new(state);

	/* A leg that the domain may not use. */
	wave_tmp_create(r->t, "w1", "ann@acme.example");
	table_tmp_route(r->t, "ann@acme.example", "legacy");
	assert_int_equal(wave_rig_order("w1", WAVE_START).slice, -1);
	{
		struct wave_order o = wave_rig_order("w1", WAVE_START);

		o.route = "third";
		o.force = true;
		wave_rig_do(r, &o);
	}
	for (int i = 0; i < 4; i++)
		wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 start running");
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 pause paused (ann@acme.example can not be routed "
	    "to third: the legs of domain acme.example are legacy, cloud)");
	wave_rig_free(r);
}

static void a_bad_order_changes_nothing(void **state)
{
	struct wave_rig *r = wave_rig_new(state);
	struct wave_order o = wave_rig_order("w1", WAVE_START);

	wave_rig_refused(r, &o, "there is no wave w1; posthouse wave list "
	    "shows all");
	wave_tmp_create(r->t, "w1", "ann");
	o.route = "moon";
	wave_rig_refused(r, &o, "'moon' is no leg of the configuration "
	    "(legacy, cloud, third) and none of both, defer, reject, gone");
	o.route = NULL;
	o.event = WAVE_ROLLBACK;
	o.slice = 0;
	wave_rig_refused(r, &o, "wave w1 is planned: rollback is refused; "
	    "possible now: schedule, start, delete");
	wave_rig_told(r, "");
	wave_rig_free(r);
}

/* ---- rollback --------------------------------------------------------- */

static struct wave_rig *done_wave(void **state)
{
	struct wave_rig *r = wave_rig_new(state);

	wave_tmp_create(r->t, "w1", "ann bob cid amy");
	wave_rig_start(r, "w1", 2);
	wave_rig_settle(r);
	wave_rig_pass(r, 60);
	wave_rig_pass(r, 60);
	wave_rig_told(r, "w1 start running, w1 slice-done running 1:3, "
	    "w1 slice-done running 2:2, w1 slice-done running 3:1, "
	    "w1 end done");
	return r;
}

static void a_rollback_gives_back_what_the_wave_gave(void **state)
{
	struct wave_rig *r = done_wave(state);
	const struct wave_order o = wave_rig_order("w1", WAVE_ROLLBACK);

	table_tmp_route(r->t, "bob@example.com", "third");
	table_tmp_route(r->t, "cid@example.com", "legacy");
	wave_rig_do(r, &o);
	wave_rig_told(r, "w1 rollback rolled-back 0:4");
	assert_int_equal(r->out.recipients, 4);
	assert_string_equal(r->kept, "bob: route is third by now, "
	    "cid: it has its old values already");
	assert_string_equal(route_of(r, "ann"), "legacy");
	assert_string_equal(route_of(r, "zoe"), "legacy");
	assert_string_equal(route_of(r, "bob"), "third");
	wave_tmp_members(r->t, "w1", "amy.b skipped rolled back by change 13, "
	    "amy skipped rolled back by change 13, "
	    "ann skipped rolled back by change 13, "
	    "bob skipped route is third by now, "
	    "cid skipped it has its old values already, "
	    "zoe skipped rolled back by change 13");
	wave_rig_refused(r, &o, "wave w1 is rolled-back: rollback is refused; "
	    "possible now: schedule, start");
	wave_rig_free(r);
}

/* A slice moves a mailbox with the addresses that it has by then. */
static void a_mailbox_goes_back_as_a_whole(void **state)
{
	static const struct change_row box =
	    TABLE_TMP_ROW(NULL, -1, "box", NULL, NULL);
	struct wave_rig *r = wave_rig_new(state);
	struct wave_order o = wave_rig_order("w1", WAVE_ROLLBACK);

	wave_tmp_create(r->t, "w1", "bob");
	table_tmp_set(r->t, "bob@example.com", &box);
	table_tmp_set(r->t, "cid@example.com", &box);
	wave_rig_start(r, "w1", 10);
	wave_rig_settle(r);
	assert_string_equal(route_of(r, "cid"), "cloud");
	wave_rig_do(r, &o);
	assert_string_equal(route_of(r, "bob"), "legacy");
	assert_string_equal(route_of(r, "cid"), "legacy");
	assert_string_equal(r->kept, "");
	wave_rig_free(r);
}

static void some_members_alone_go_back(void **state)
{
	struct wave_rig *r = done_wave(state);
	struct wave_order o = wave_rig_order("w1", WAVE_ROLLBACK);

	o.where = "address = 'amy@example.com'";
	wave_rig_do(r, &o);
	wave_rig_told(r, "w1 rollback done 0:3");
	assert_string_equal(route_of(r, "zoe"), "legacy");
	assert_string_equal(route_of(r, "ann"), "cloud");
	o.slice = 1;
	wave_rig_refused(r, &o, "a rollback of some members (--where) is one "
	    "step: leave --slice out");
	wave_rig_free(r);
}

static void in_slices_the_newest_go_first(void **state)
{
	struct wave_rig *r = done_wave(state);
	struct wave_order o = wave_rig_order("w1", WAVE_ROLLBACK);

	o.slice = 3;
	wave_rig_do(r, &o);
	wave_rig_told(r, "w1 rollback done");
	assert_string_equal(route_of(r, "cid"), "cloud");
	assert_int_equal(wave_run_step(r->run, r->t->c, r->now_us),
	    r->now_us);
	wave_rig_told(r, "w1 rollback done 0:3");
	assert_string_equal(route_of(r, "cid"), "legacy");
	assert_string_equal(route_of(r, "ann"), "legacy");
	assert_string_equal(route_of(r, "zoe"), "cloud");
	wave_rig_settle(r);
	wave_rig_told(r, "w1 rollback rolled-back 0:3");
	assert_string_equal(route_of(r, "ann"), "legacy");
	assert_string_equal(route_of(r, "zoe"), "legacy");
	/* And once more, as another run. */
	wave_rig_start(r, "w1", 10);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 start running, w1 slice-done running 1:6, "
	    "w1 end done");
	wave_rig_free(r);
}

static void a_rollback_stops_the_slices(void **state)
{
	struct wave_rig *r = wave_rig_new(state);
	struct wave_order o = wave_rig_order("w1", WAVE_ROLLBACK);

	wave_tmp_create(r->t, "w1", "ann bob cid");
	wave_rig_start(r, "w1", 1);
	wave_rig_settle(r);
	wave_rig_pass(r, 60);
	o.slice = 1;
	wave_rig_do(r, &o);
	wave_rig_settle(r);
	wave_rig_pass(r, 3600);
	wave_rig_told(r, "w1 start running, w1 slice-done running 1:1, "
	    "w1 slice-done running 2:1, w1 rollback running, "
	    "w1 rollback running 0:1, w1 rollback rolled-back 0:1");
	wave_tmp_members(r->t, "w1", "ann skipped rolled back by change 11, "
	    "bob skipped rolled back by change 10, cid pending");
	wave_rig_free(r);
}

static void must_do(sqlite3 *db, const char *sql)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* A long import is no fault of a wave, and does not count as one. */
static void a_locked_table_is_waited_for(void **state)
{
	struct wave_rig *r = wave_rig_new(state);
	sqlite3 *db;

	wave_tmp_create(r->t, "w1", "ann");
	wave_rig_start(r, "w1", 1);
	assert_int_equal(sqlite3_open(r->t->path, &db), SQLITE_OK);
	must_do(db, "BEGIN IMMEDIATE");
	for (int i = 0; i < 4; i++)
		wave_rig_pass(r, 1);
	must_do(db, "UPDATE wave SET route = 'moon'; COMMIT");
	sqlite3_close(db);
	for (int i = 0; i < 4; i++)
		wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 start running");
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 pause paused ('moon' is no leg of the "
	    "configuration (legacy, cloud, third) and none of both, defer, "
	    "reject, gone)");
	wave_rig_free(r);
}

/* The leg that its members had was taken out of the configuration. */
static void lose_old_leg(struct wave_rig *r)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(r->t->path, &db), SQLITE_OK);
	must_do(db, "UPDATE log SET old_route = 'moon' "
	    "WHERE new_route = 'cloud'");
	sqlite3_close(db);
}

#define MOON "its rollback stopped: it can not be undone: 'moon' is no leg " \
	"of the configuration (legacy, cloud, third) and none of both, " \
	"defer, reject, gone"

static void a_rollback_that_never_succeeds_stops(void **state)
{
	struct wave_rig *r = wave_rig_new(state);
	struct wave_order o = wave_rig_order("w1", WAVE_ROLLBACK);

	wave_tmp_create(r->t, "w1", "ann bob");
	wave_tmp_create(r->t, "w2", "cid");
	wave_rig_start(r, "w1", 1);
	wave_rig_settle(r);
	lose_old_leg(r);
	o.slice = 1;
	wave_rig_do(r, &o);
	wave_rig_start(r, "w2", 1);
	wave_rig_told(r, "w1 start running, w1 slice-done running 1:1, "
	    "w1 rollback running, w2 start running");
	for (int i = 0; i < 5; i++)
		wave_rig_pass(r, 1);
	/* Nor does it move others on, and other waves have their turn. */
	wave_rig_told(r, "w1 pause paused (" MOON ")");
	wave_rig_pass(r, 61);
	wave_rig_told(r, "w2 slice-done running 1:1, w2 end done");
	wave_rig_free(r);
}

static void the_rollback_of_a_done_wave_stops_as_well(void **state)
{
	struct wave_rig *r = done_wave(state);
	struct wave_order o = wave_rig_order("w1", WAVE_ROLLBACK);

	lose_old_leg(r);
	o.slice = 3;
	wave_rig_do(r, &o);
	for (int i = 0; i < 5; i++)
		wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 rollback done, w1 rollback done (" MOON ")");
	for (int i = 0; i < 5; i++)
		wave_rig_pass(r, 1);
	wave_rig_told(r, "");
	wave_rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slices_follow_each_other_after_a_pause),
	    cmocka_unit_test(
		a_table_without_waves_or_none_at_all_is_looked_at_again),
	    cmocka_unit_test(who_is_left_out_is_marked_with_the_reason),
	    cmocka_unit_test(force_takes_them_too),
	    cmocka_unit_test(paused_it_makes_none_until_it_is_resumed),
	    cmocka_unit_test(a_scheduled_wave_begins_at_its_time),
	    cmocka_unit_test(one_that_is_overdue_is_paused),
	    cmocka_unit_test(a_time_inside_a_blackout_is_refused),
	    cmocka_unit_test(all_waves_share_the_hour),
	    cmocka_unit_test(a_clock_that_was_set_back_stops_no_wave),
	    cmocka_unit_test(what_never_succeeds_is_paused_with_the_reason),
	    cmocka_unit_test(a_bad_order_changes_nothing),
	    cmocka_unit_test(a_rollback_gives_back_what_the_wave_gave),
	    cmocka_unit_test(a_mailbox_goes_back_as_a_whole),
	    cmocka_unit_test(some_members_alone_go_back),
	    cmocka_unit_test(in_slices_the_newest_go_first),
	    cmocka_unit_test(a_rollback_stops_the_slices),
	    cmocka_unit_test(a_locked_table_is_waited_for),
	    cmocka_unit_test(a_rollback_that_never_succeeds_stops),
	    cmocka_unit_test(the_rollback_of_a_done_wave_stops_as_well),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
