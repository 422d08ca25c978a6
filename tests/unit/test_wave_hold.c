/* SPDX-License-Identifier: ISC
 *
 * Waves that hold: held, flipped when the own move ended, released; what fails,
 * what is late, and what is said by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/conf_tmp.h"
#include "tests/unit/wave_rig.h"

#define WEEK 604800

/* "ann legacy held, bob cloud" */
static void has(struct wave_rig *r, const char *name, const char *want)
{
	char key[100], got[100];
	struct table_row row;

	snprintf(key, sizeof(key), "%s@example.com", name);
	row = table_tmp_get(r->t, key);
	snprintf(got, sizeof(got), "%s%s", row.route_text,
	    row.held ? " held" : "");
	assert_string_equal(got, want);
}

static struct wave_order hold_order(int64_t slice)
{
	struct wave_order o = wave_rig_order("w1", WAVE_START);

	o.route = "cloud";
	o.hold = true;
	o.deadline_s = 3600;
	o.slice = slice;
	return o;
}

/* A wave of these members that holds its first slice. */
static struct wave_rig *holding(void **state, const char *names,
    int64_t slice)
{
	const struct wave_order o = hold_order(slice);
	struct wave_rig *r = wave_rig_new(state);

	wave_tmp_create(r->t, "w1", names);
	wave_rig_do(r, &o);
	wave_rig_settle(r);
	r->told[0] = '\0';
	return r;
}

static void each_step_is_a_change_of_its_own(void **state)
{
	const struct wave_order o = hold_order(2);
	struct wave_rig *r = wave_rig_new(state);

	wave_tmp_create(r->t, "w1", "ann bob cid");
	wave_rig_do(r, &o);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 start running, w1 held running 1:2");
	has(r, "ann", "legacy held");
	has(r, "cid", "legacy");
	wave_tmp_members(r->t, "w1", "ann held, bob held, cid pending");
	/* One by one, as their moves end. */
	r->moved = " ann ";
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 flipped running 0:1, w1 released running 0:1");
	has(r, "ann", "cloud");
	has(r, "bob", "legacy held");
	wave_tmp_members(r->t, "w1", "ann done, bob held, cid pending");
	/* The next slice begins when nothing is held. */
	r->moved = " bob ";
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 flipped running 0:1, w1 released running 0:1, "
	    "w1 held running 2:1");
	r->moved = " cid ";
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 flipped running 0:1, w1 released running 0:1, "
	    "w1 end done");
	has(r, "cid", "cloud");
	wave_rig_free(r);
}

static void a_mailbox_goes_as_a_whole(void **state)
{
	struct wave_rig *r = holding(state, "amy", 9);

	wave_tmp_members(r->t, "w1", "amy.b held, amy held, zoe held");
	r->moved = " amy zoe ";
	wave_rig_pass(r, 1);
	wave_rig_told(r, "");
	r->moved = " amy zoe amy.b ";
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 flipped running 0:3, w1 released running 0:3, "
	    "w1 end done");
	wave_rig_free(r);
}

static void a_move_that_failed_keeps_the_old_route(void **state)
{
	struct wave_rig *r = holding(state, "amy ann bob", 9);

	r->broken = " zoe ";
	r->moved = " amy amy.b ann ";
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 let-go running 0:3, w1 flipped running 0:1, "
	    "w1 released running 0:1");
	has(r, "zoe", "legacy");
	has(r, "amy", "legacy");
	has(r, "ann", "cloud");
	wave_tmp_members(r->t, "w1", "amy.b failed no such folder, amy failed "
	    "no such folder, ann done, bob held, zoe failed no such folder");
	wave_rig_free(r);
}

/* ---- the deadline ------------------------------------------------------ */

static void past_the_deadline_it_waits_for_a_person(void **state)
{
	struct wave_rig *r = holding(state, "ann bob", 9);
	struct wave_order o = wave_rig_order("w1", WAVE_RESUME);

	wave_rig_pass(r, 3599);
	assert_string_equal(r->overdue, "");
	wave_rig_pass(r, 1);
	assert_string_equal(r->overdue, "w1 ");
	assert_non_null(strstr(r->told, "w1 pause paused (members are held"));
	/* Nothing is released, nor flipped, by itself. */
	r->moved = " ann ";
	wave_rig_pass(r, WEEK);
	has(r, "ann", "legacy held");
	has(r, "bob", "legacy held");
	/* As long again. */
	r->moved = NULL;
	wave_rig_do(r, &o);
	wave_rig_pass(r, 3599);
	assert_string_equal(r->overdue, "w1 ");
	wave_rig_pass(r, 1);
	assert_string_equal(r->overdue, "w1 w1 ");
	r->told[0] = '\0';
	o.release = true;
	wave_rig_do(r, &o);
	wave_rig_told(r, "w1 let-go running 0:2");
	has(r, "ann", "legacy");
	has(r, "bob", "legacy");
	wave_rig_settle(r);
	wave_rig_told(r, "w1 end done");
	wave_tmp_members(r->t, "w1",
	    "ann failed its own move had not ended when its mail was released, "
	    "bob failed its own move had not ended when its mail was "
	    "released");
	wave_rig_free(r);
}

static void a_rollback_releases_too(void **state)
{
	const struct wave_order o = wave_rig_order("w1", WAVE_ROLLBACK);
	struct wave_rig *r = holding(state, "ann bob cid", 2);

	r->moved = " ann ";
	wave_rig_settle(r);
	wave_rig_pass(r, 1);
	wave_rig_do(r, &o);
	has(r, "ann", "legacy");
	has(r, "bob", "legacy");
	assert_int_equal(r->out.wave.state, WAVE_ROLLED_BACK);
	wave_tmp_members(r->t, "w1", "ann skipped rolled back by change 11, "
	    "bob skipped rolled back by change 11, cid pending");
	wave_rig_free(r);
}

/* The process ended between the flip and the release. */
static void a_rollback_takes_back_what_is_flipped_and_held(void **state)
{
	const struct wave_order o = wave_rig_order("w1", WAVE_ROLLBACK);
	struct wave_rig *r = holding(state, "ann", 2);

	r->moved = " ann ";
	r->now_us += RIG_S;
	assert_true(wave_run_step(r->run, r->t->c, r->now_us) <= r->now_us);
	wave_rig_told(r, "w1 flipped running 0:1");
	has(r, "ann", "cloud held");
	wave_rig_do(r, &o);
	wave_rig_told(r, "w1 released running 0:1, "
	    "w1 rollback rolled-back 0:1");
	has(r, "ann", "legacy");
	wave_rig_free(r);
}

/* ---- by hand ----------------------------------------------------------- */

static void single_members_are_flipped_by_hand(void **state)
{
	static const char *const one[] = {"BOB@example.com"};
	static const char *const none[] = {"cid@example.com"};
	struct wave_order o = wave_rig_order("w1", WAVE_FLIP);
	struct wave_rig *r = holding(state, "ann bob cid", 2);

	o.address = none;
	o.addresses = 1;
	wave_rig_refused(r, &o, "cid@example.com is no member of wave w1 whose "
	    "mail is held: `posthouse wave show w1 --state held` has them");
	o.address = one;
	wave_rig_do(r, &o);
	wave_rig_told(r, "w1 flipped running 0:1");
	assert_int_equal(r->out.recipients, 1);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 released running 0:1");
	has(r, "bob", "cloud");
	has(r, "ann", "legacy held");
	wave_rig_free(r);
}

static void a_paused_wave_flips_by_hand_and_is_not_scheduled(void **state)
{
	static const char *const one[] = {"ann@example.com"};
	const struct wave_order pause = wave_rig_order("w1", WAVE_PAUSE);
	struct wave_order o = wave_rig_order("w1", WAVE_FLIP);
	struct wave_rig *r = holding(state, "ann bob", 9);
	struct wave_order later = wave_rig_order("w1", WAVE_SCHEDULE);

	wave_rig_do(r, &pause);
	later.at_us = r->now_us + WEEK * RIG_S;
	wave_rig_refused(r, &later, "wave w1 is paused: schedule is refused; "
	    "possible now: resume, rollback, flip");
	o.address = one;
	o.addresses = 1;
	wave_rig_do(r, &o);
	wave_rig_settle(r);
	has(r, "ann", "cloud");
	has(r, "bob", "legacy held");
	assert_int_equal(r->out.wave.state, WAVE_PAUSED);
	wave_rig_free(r);
}

static void another_change_lets_a_member_go(void **state)
{
	struct wave_rig *r = holding(state, "ann bob cid", 9);
	const struct change_row release = {.held = 0};

	table_tmp_route(r->t, "ann@example.com", "legacy+cloud");
	table_tmp_set(r->t, "bob@example.com", &release);
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 let-go running 0:2");
	has(r, "ann", "legacy+cloud");
	has(r, "bob", "legacy");
	wave_tmp_members(r->t, "w1",
	    "ann skipped another change moved it while it was held, "
	    "bob skipped another change released it, cid held");
	wave_rig_free(r);
}

static void one_that_was_held_before_stays_held(void **state)
{
	const struct change_row held = {.held = 1};
	const struct wave_order o = hold_order(9);
	struct wave_rig *r = wave_rig_new(state);

	table_tmp_set(r->t, "ann@example.com", &held);
	wave_tmp_create(r->t, "w1", "ann bob");
	wave_rig_do(r, &o);
	r->moved = " ann bob ";
	wave_rig_settle(r);
	has(r, "ann", "cloud held");
	has(r, "bob", "cloud");
	wave_tmp_members(r->t, "w1", "ann done, bob done");
	wave_rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_step_is_a_change_of_its_own),
	    cmocka_unit_test(a_mailbox_goes_as_a_whole),
	    cmocka_unit_test(a_move_that_failed_keeps_the_old_route),
	    cmocka_unit_test(past_the_deadline_it_waits_for_a_person),
	    cmocka_unit_test(a_rollback_releases_too),
	    cmocka_unit_test(a_rollback_takes_back_what_is_flipped_and_held),
	    cmocka_unit_test(single_members_are_flipped_by_hand),
	    cmocka_unit_test(a_paused_wave_flips_by_hand_and_is_not_scheduled),
	    cmocka_unit_test(another_change_lets_a_member_go),
	    cmocka_unit_test(one_that_was_held_before_stays_held),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
