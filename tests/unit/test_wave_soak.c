/* SPDX-License-Identifier: ISC
 *
 * Slices that soak: what goes on, what stops the wave, what a person says then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/wave/file/complaint.h"
#include "policy/wave/file/decided.h"
#include "policy/wave/file/soak_file.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/wave_rig.h"

enum { SOAK_S = 3600 };

/* ---- a wave that soaks -------------------------------------------------- */

static const struct soak_counts base = {980, 20, 0};
static const struct soak_counts good = {60, 0, 0}, bad = {43, 7, 0};

static struct wave_order started(const char *name)
{
	struct wave_order o = wave_rig_order(name, WAVE_START);

	o.slice = 1;
	o.soak_s = SOAK_S;
	return o;
}

/* Three members, slices of one, a soak of an hour; the first slice soaks. */
static struct wave_rig *soaking(void **state, int take_back)
{
	struct wave_rig *r = wave_rig_new(state);
	struct wave_order o = started("w1");

	r->seen.base = base;
	o.take_back = take_back;
	wave_tmp_create(r->t, "w1", "ann bob cid");
	wave_rig_do(r, &o);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 start running, w1 slice-done running 1:1");
	return r;
}

static void seen(struct wave_rig *r, struct soak_counts counts,
    uint64_t users)
{
	r->seen.counts = counts;
	r->seen.users = users;
}

static struct soak row(struct wave_rig *r, uint64_t slice)
{
	struct wave_file *f = wave_tmp_open(r->t, false);
	static char who[100];
	struct error err;
	struct soak s;
	struct wave w;

	assert_int_equal(wave_need(f, "w1", &w, &err), 0);
	assert_true(soak_get(f, &w, slice, &s, &err) >= 0);
	snprintf(who, sizeof(who), "%s", s.who);
	s.who = who;
	wave_file_close(f);
	return s;
}

static struct wave wave_now(struct wave_rig *r)
{
	struct wave_file *f = wave_tmp_open(r->t, false);
	static char reason[600];
	struct error err;
	struct wave w;

	assert_int_equal(wave_need(f, "w1", &w, &err), 0);
	snprintf(reason, sizeof(reason), "%s", w.reason);
	w.reason = reason;
	wave_file_close(f);
	return w;
}

static void assert_stopped(struct wave_rig *r, enum soak_end end,
    const char *says)
{
	struct wave w = wave_now(r);

	assert_int_equal(w.state, WAVE_PAUSED);
	assert_non_null(strstr(w.reason, says));
	assert_string_equal(r->braked, "w1 ");
	assert_int_equal(row(r, 1).end, end);
	assert_true(row(r, 1).told);
	assert_true(strncmp(w.reason, soak_end_text(end),
	    strlen(soak_end_text(end))) == 0);
	r->told[0] = '\0';
	wave_rig_pass(r, 100 * SOAK_S); /* once is enough */
	wave_rig_told(r, "");
	assert_string_equal(r->braked, "w1 ");
}

/* ---- it goes on --------------------------------------------------------- */

static void a_good_slice_is_followed_after_its_soak(void **state)
{
	struct wave_rig *r = soaking(state, 0);

	seen(r, good, 0);
	wave_rig_pass(r, SOAK_S - 1);
	wave_rig_told(r, "");
	assert_int_equal(row(r, 1).end, SOAK_OPEN);
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 slice-done running 2:1");
	assert_int_equal(row(r, 1).end, SOAK_GOOD);
	assert_int_equal(row(r, 1).base.delivered, 980);
	/* From here on these count as what was there before. */
	assert_int_equal(row(r, 2).was.delivered, 60);
	wave_rig_pass(r, SOAK_S);
	wave_rig_told(r, "");
	seen(r, (struct soak_counts){120, 0, 0}, 0);
	wave_rig_pass(r, 2);
	wave_rig_told(r, "w1 slice-done running 3:1");
	/* The last one soaks, too. */
	seen(r, (struct soak_counts){180, 0, 0}, 0);
	wave_rig_pass(r, SOAK_S - 1);
	wave_rig_told(r, "");
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 end done");
	assert_string_equal(r->braked, "");
	wave_rig_free(r);
}

static void silence_is_waited_for_and_never_good(void **state)
{
	struct wave_rig *r = soaking(state, 0);

	wave_rig_pass(r, 4 * SOAK_S - 1);
	wave_rig_told(r, "");
	wave_rig_pass(r, 1);
	assert_stopped(r, SOAK_INCONCLUSIVE, "0 of 0 deliveries");
	wave_rig_free(r);
}

static void an_inconclusive_slice_may_become_good(void **state)
{
	struct wave_rig *r = soaking(state, 0);

	wave_rig_pass(r, 3 * SOAK_S);
	seen(r, good, 0);
	wave_rig_pass(r, 2);
	wave_rig_told(r, "w1 slice-done running 2:1");
	wave_rig_free(r);
}

/* ---- it stops ----------------------------------------------------------- */

static void a_bad_slice_stops_at_once(void **state)
{
	struct wave_rig *r = soaking(state, 0);
	struct soak s;

	seen(r, bad, 6);
	wave_rig_pass(r, 2);
	s = row(r, 1);
	assert_int_equal(s.now.failed, 7);
	assert_int_equal(s.now.delivered, 43);
	assert_int_equal(s.users, 6);
	assert_int_equal(s.ended_us, r->now_us);
	assert_stopped(r, SOAK_BAD, "7 of 50 deliveries failed at the first "
	    "attempt, of 6 users; before 20 of 1000 did; +5.7 to +21.9 points");
	wave_tmp_members(r->t, "w1", "ann done, bob pending, cid pending");
	wave_rig_free(r);
}

static void the_trouble_of_the_leg_stops_as_such(void **state)
{
	struct wave_rig *r = soaking(state, 0);

	seen(r, (struct soak_counts){43, 0, 7}, 0);
	wave_rig_pass(r, 2);
	assert_stopped(r, SOAK_LEG, "7 more met trouble of the leg");
	wave_rig_free(r);
	r = soaking(state, 1);
	seen(r, good, 0);
	r->seen.shut = true;
	wave_rig_pass(r, 2);
	assert_stopped(r, SOAK_LEG, "posthouse leg list");
	wave_tmp_members(r->t, "w1", "ann done, bob pending, cid pending");
	wave_rig_free(r);
}

/* A ledger that cannot be read is no reason to go on, or to say it is bad. */
static void a_ledger_that_is_not_there_is_no_good_news(void **state)
{
	struct wave_rig *r = soaking(state, 0);

	seen(r, good, 0);
	wave_rig_pass(r, 10);
	assert_int_equal(row(r, 1).now.delivered, 60);
	r->blind = true;
	seen(r, bad, 7);
	wave_rig_pass(r, 4 * SOAK_S - 11);
	wave_rig_told(r, "");
	wave_rig_pass(r, 1);
	assert_stopped(r, SOAK_INCONCLUSIVE, "0 of 60");
	wave_rig_free(r);
}

static void what_the_ledger_lost_is_counted_anew(void **state)
{
	struct wave_rig *r = soaking(state, 0);

	seen(r, good, 0);
	wave_rig_pass(r, 1800);
	r->seen.since_us = r->now_us;
	seen(r, (struct soak_counts){5, 0, 0}, 0);
	wave_rig_pass(r, 100);
	assert_int_equal(row(r, 1).began_us, r->now_us);
	assert_int_equal(row(r, 1).was.delivered, 5);
	seen(r, (struct soak_counts){65, 0, 0}, 0);
	wave_rig_pass(r, SOAK_S - 1);
	wave_rig_told(r, "");
	wave_rig_pass(r, 1);
	wave_rig_told(r, "w1 slice-done running 2:1");
	wave_rig_free(r);
}

static void a_restart_goes_on_with_the_same_figures(void **state)
{
	struct wave_rig *r = soaking(state, 0), *next;

	seen(r, (struct soak_counts){30, 1, 0}, 1);
	wave_rig_pass(r, 100);
	next = wave_rig_on(r->t, r->now_us);
	next->seen = r->seen;
	next->blind = true; /* they are on the disk */
	wave_rig_pass(next, 1);
	assert_int_equal(row(next, 1).now.delivered, 30);
	assert_int_equal(row(next, 1).began_us, RIG_NOW);
	assert_int_equal(row(next, 1).base.failed, 20);
	next->blind = false;
	seen(next, good, 1);
	wave_rig_pass(next, SOAK_S - 102);
	wave_rig_told(next, "");
	wave_rig_pass(next, 1);
	wave_rig_told(next, "w1 slice-done running 2:1");
	wave_rig_end(next);
	wave_rig_free(r);
}

/* ---- complaints --------------------------------------------------------- */

static void complain(struct wave_rig *r, const char *address, int64_t time_us)
{
	struct wave_file *f = wave_tmp_open(r->t, true);
	const struct complaint c = {.address = slice_str(address),
	    .time_us = time_us, .who = "sue", .host = "desk",
	    .note = "no mail"};
	struct error err;

	assert_int_equal(wave_begin(f, &err), 0);
	assert_int_equal(wave_end(f, complaint_add(f, &c, &err), &err), 0);
	wave_file_close(f);
}

static void complaints_of_moved_members_stop_it(void **state)
{
	struct wave_rig *r = wave_rig_new(state);
	struct wave_order o = started("w1"), resume;

	o.slice = 2;
	o.soak_s = -1;
	o.pause_s = 10;
	o.complaints = 2;
	wave_tmp_create(r->t, "w1", "ann bob cid");
	complain(r, "ann@example.com", RIG_NOW - 1); /* before */
	wave_rig_do(r, &o);
	wave_rig_settle(r);
	r->now_us += RIG_S;
	complain(r, "ann@example.com", r->now_us);
	complain(r, "ann@example.com", r->now_us); /* the same member */
	complain(r, "cid@example.com", r->now_us); /* not moved yet */
	complain(r, "amy@example.com", r->now_us); /* no member */
	wave_rig_settle(r);
	assert_string_equal(r->braked, "");
	complain(r, "bob@example.com", r->now_us);
	wave_rig_settle(r);
	assert_stopped(r, SOAK_COMPLAINTS, "2 members complained");
	resume = wave_rig_order("w1", WAVE_RESUME);
	wave_rig_refused(r, &resume, "wave w1 was paused by complaints, which "
	    "stay: posthouse wave resume w1 --accept goes on in spite of them");
	resume.accept = true;
	wave_rig_do(r, &resume);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 resume running, w1 slice-done running 2:1, "
	    "w1 end done");
	wave_rig_free(r);
}

/* ---- what a person says ------------------------------------------------- */

static void find_accepted(void *arg, const struct decided *d)
{
	char *found = arg;

	if (strstr(d->detail, "accepted: bad: slice 1: 7 of 50") != NULL)
		snprintf(found, 100, "%s %s %s", d->who, d->about, d->note);
}

static void who_accepts_is_recorded_and_it_goes_on(void **state)
{
	struct wave_rig *r = soaking(state, 0);
	struct wave_order o = wave_rig_order("w1", WAVE_RESUME);
	struct wave_file *f;
	char found[100] = "";
	const struct decided_page page = {.fn = find_accepted, .arg = found};
	struct error err;

	seen(r, bad, 6);
	wave_rig_pass(r, 2);
	wave_rig_told(r, "w1 pause paused (bad: slice 1: 7 of 50 deliveries "
	    "failed at the first attempt, of 6 users; before 20 of 1000 did; "
	    "+5.7 to +21.9 points; posthouse wave resume w1 watches it anew, "
	    "with --accept goes on)");
	o.accept = true;
	wave_rig_do(r, &o);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 resume running, w1 slice-done running 2:1");
	assert_int_equal(row(r, 1).end, SOAK_ACCEPTED);
	assert_string_equal(row(r, 1).who, "sue");
	assert_int_equal(row(r, 1).now.failed, 7);
	f = wave_tmp_open(r->t, false);
	assert_int_equal(decided_each(f, &page, &err), 0);
	wave_file_close(f);
	assert_string_equal(found, "sue w1 why");
	wave_rig_free(r);
}

static void without_accept_it_is_watched_anew(void **state)
{
	struct wave_rig *r = soaking(state, 0);
	struct wave_order o = wave_rig_order("w1", WAVE_RESUME);

	seen(r, bad, 6);
	wave_rig_pass(r, 2);
	r->told[0] = '\0';
	wave_rig_do(r, &o);
	seen(r, bad, 0);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 resume running");
	assert_int_equal(row(r, 1).was.failed, 7);
	assert_int_equal(row(r, 1).now.failed, 0);
	assert_int_equal(row(r, 1).end, SOAK_OPEN);
	seen(r, (struct soak_counts){103, 7, 0}, 0);
	wave_rig_pass(r, SOAK_S);
	wave_rig_told(r, "w1 slice-done running 2:1");
	wave_rig_free(r);
}

static void only_a_stop_can_be_accepted(void **state)
{
	struct wave_rig *r = soaking(state, 0);
	struct wave_order o = wave_rig_order("w1", WAVE_PAUSE);

	wave_rig_do(r, &o);
	o = wave_rig_order("w1", WAVE_RESUME);
	o.accept = true;
	wave_rig_refused(r, &o, "wave w1 was not paused by its brake: there is "
	    "nothing to accept");
	o.accept = false;
	wave_rig_do(r, &o);
	assert_int_equal(row(r, 1).began_us, RIG_NOW); /* the same soak */
	wave_rig_free(r);
}

static void a_bad_slice_alone_is_rolled_back(void **state)
{
	struct wave_rig *r = soaking(state, 1);
	struct wave_order o = wave_rig_order("w1", WAVE_RESUME);

	seen(r, good, 0);
	wave_rig_pass(r, SOAK_S);
	wave_rig_told(r, "w1 slice-done running 2:1");
	seen(r, (struct soak_counts){103, 7, 0}, 6);
	wave_rig_pass(r, 2);
	assert_string_equal(r->braked, "w1 ");
	wave_tmp_members(r->t, "w1", "ann done, bob skipped rolled back by "
	    "change 10, cid pending");
	assert_string_equal(table_tmp_get(r->t, "bob@example.com").route_text,
	    "legacy");
	assert_int_equal(wave_now(r).state, WAVE_PAUSED);
	assert_non_null(strstr(wave_now(r).reason, "bad: slice 2: 7 of 50"));
	assert_int_equal(row(r, 2).back, 10);
	r->told[0] = '\0';
	wave_rig_pass(r, 60);
	wave_rig_told(r, "");
	/* It is done with: the next slice follows. */
	wave_rig_do(r, &o);
	wave_rig_settle(r);
	wave_rig_told(r, "w1 resume running, w1 slice-done running 3:1");
	wave_rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_slice_is_followed_after_its_soak),
	    cmocka_unit_test(silence_is_waited_for_and_never_good),
	    cmocka_unit_test(an_inconclusive_slice_may_become_good),
	    cmocka_unit_test(a_bad_slice_stops_at_once),
	    cmocka_unit_test(the_trouble_of_the_leg_stops_as_such),
	    cmocka_unit_test(a_ledger_that_is_not_there_is_no_good_news),
	    cmocka_unit_test(what_the_ledger_lost_is_counted_anew),
	    cmocka_unit_test(a_restart_goes_on_with_the_same_figures),
	    cmocka_unit_test(complaints_of_moved_members_stop_it),
	    cmocka_unit_test(who_accepts_is_recorded_and_it_goes_on),
	    cmocka_unit_test(without_accept_it_is_watched_anew),
	    cmocka_unit_test(only_a_stop_can_be_accepted),
	    cmocka_unit_test(a_bad_slice_alone_is_rolled_back),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
