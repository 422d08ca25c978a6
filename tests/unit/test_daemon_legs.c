/* SPDX-License-Identifier: ISC
 *
 * The legs as such: what suspends one and what does not, how it comes back,
 * how many connections it gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/daemon/legs.h"
#include "tests/unit/daemon_rig.h"

enum { MINUTE_S = 60, INTERVAL_S = 5 * 60 };

static int setup(void **state)
{
	*state = drig_new();
	return 0;
}

static int teardown(void **state)
{
	drig_free(*state);
	return 0;
}

/* ---- small things ------------------------------------------------------ */

static uint64_t mail_to(struct drig *r, unsigned user)
{
	struct spool_delivery d =
	    drig_delivery(r, user, r->legacy, ROLE_PRIMARY, D_QUEUED);

	return drig_accept(r, "a@b.test", user + 1, &d, 1);
}

static uint64_t mail(struct drig *r)
{
	return mail_to(r, 0);
}

static struct result said(enum reply_class class, enum outcome outcome)
{
	struct result res = drig_result(outcome, 550, "no");

	res.class = class;
	return res;
}

/* The next job's answer. */
static void answer(struct drig *r, enum reply_class class,
    enum outcome outcome)
{
	struct result res = said(class, outcome);

	assert_true(r->jobs > 0);
	drig_report(r, drig_job(r), WHY_ATTEMPT, &res, 1);
	drig_pump(r);
}

static void fault(struct drig *r, uint64_t sender)
{
	r->sender = sender;
	mail(r);
	answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
}

static void deliver(struct drig *r)
{
	mail(r);
	answer(r, CLASS_NONE, OUT_DELIVERED);
}

static bool suspended(const struct drig *r)
{
	return (ledger_gates(r->app.ledger, r->legacy) & GATE_SUSPENDED) != 0;
}

static void fact(struct drig *r, struct strbuf *out)
{
	strbuf_reset(out);
	if (!spool_fact(r->app.spool, "leg.legacy", out))
		strbuf_reset(out);
}

/* ---- faults of the set-up ---------------------------------------------- */

static void ten_messages_of_five_senders_suspend(void **state)
{
	static const struct {
		const char *name;
		unsigned faults, senders, good_after; /* 0: none between */
		bool suspended;
	} cases[] = {
	    {"ten of five", 10, 5, 0, true},
	    {"nine of five", 9, 5, 0, false},
	    {"ten of four", 10, 4, 0, false},
	    {"thirty of four", 30, 4, 0, false},
	    {"ten, a delivery between", 10, 5, 5, false},
	    {"many, a delivery each nine", 50, 50, 9, false},
	};
	struct drig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		legs_decided(r->app.settle, r->legacy, slice_of("", 0));
		deliver(r);
		for (unsigned k = 1; k <= cases[i].faults; k++) {
			assert_false(suspended(r));
			fault(r, 1 + k % cases[i].senders);
			if (cases[i].good_after != 0 &&
			    k % cases[i].good_after == 0)
				deliver(r);
		}
		assert_int_equal(suspended(r), cases[i].suspended);
	}
}

static void one_message_tried_often_is_one(void **state)
{
	struct drig *r = *state;

	r->sender = 1;
	mail(r);
	for (unsigned k = 0; k < 15; k++) {
		r->sender = k + 1;
		answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
		drig_later(r, 61);
	}
	assert_false(suspended(r));
}

static void a_suspension_is_on_disk_and_says_whose_it_is(void **state)
{
	struct drig *r = *state;
	struct strbuf value;
	struct slice reason;

	strbuf_init(&value, 1024);
	for (unsigned k = 1; k <= 10; k++)
		fault(r, k);
	assert_true(legs_view(r->app.settle, r->legacy).by_fault);
	drig_restart(r, false);
	fact(r, &value);
	reason = legs_reason(strbuf_view(&value));
	assert_true(reason.n < value.n);
	assert_true(slice_starts(reason, SLICE("10 messages of 10 sender")));
	legs_restore(r->app.settle, r->legacy, strbuf_view(&value));
	assert_true(suspended(r));
	assert_true(legs_view(r->app.settle, r->legacy).by_fault);

	legs_restore(r->app.settle, r->legacy, SLICE("fault by ann"));
	assert_true(suspended(r));
	assert_false(legs_view(r->app.settle, r->legacy).by_fault);
	assert_true(slice_eq(legs_reason(SLICE("fault by ann")),
	    SLICE("fault by ann")));
	legs_restore(r->app.settle, r->legacy, SLICE(""));
	assert_false(suspended(r));
	strbuf_fini(&value);
}

/* ---- the way back ------------------------------------------------------ */

static void a_suspended_leg_is_tried_with_one_message(void **state)
{
	struct drig *r = *state;
	struct strbuf value;

	strbuf_init(&value, 1024);
	for (unsigned k = 1; k <= 10; k++)
		fault(r, k);
	assert_true(suspended(r));
	for (int i = 0; i < 3; i++)
		mail(r);
	drig_pump(r);
	assert_int_equal(r->jobs, 0);
	drig_later(r, INTERVAL_S - 20);
	assert_int_equal(r->jobs, 0);
	drig_later(r, 40);
	assert_int_equal(r->jobs, 1);
	answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
	assert_true(suspended(r));
	assert_int_equal(r->jobs, 0);

	drig_later(r, INTERVAL_S);
	assert_int_equal(r->jobs, 1);
	answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_false(suspended(r));
	assert_true(r->jobs > 5);
	fact(r, &value);
	assert_int_equal(value.n, 0);
	strbuf_fini(&value);
}

/* Only the trial's success: what was under way before proves nothing of the
 * fault that was met since. */
static void what_was_under_way_does_not_resume(void **state)
{
	struct drig *r = *state;
	struct job_letter *early;
	struct result good = said(CLASS_NONE, OUT_DELIVERED);

	mail(r);
	early = drig_job(r);
	for (unsigned k = 1; k <= 10; k++)
		fault(r, k);
	assert_true(suspended(r));
	drig_report(r, early, WHY_ATTEMPT, &good, 1);
	drig_pump(r);
	assert_true(suspended(r));
}

static void a_trial_that_was_not_made_is_made_later(void **state)
{
	struct drig *r = *state;

	for (unsigned k = 1; k <= 10; k++)
		fault(r, k);
	drig_later(r, INTERVAL_S + 20);
	assert_int_equal(r->jobs, 1);
	drig_unclaim(r, drig_job(r), false, false);
	drig_pump(r);
	drig_later(r, 2);
	assert_int_equal(r->jobs, 1);
	answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_false(suspended(r));
}

/* All connections are open and idle: one that asks for work gets the trial. */
static void an_idle_connection_serves_for_a_trial(void **state)
{
	struct drig *r = *state;
	struct pull_letter *l = NEW(struct pull_letter);

	for (unsigned k = 1; k <= 10; k++)
		fault(r, k);
	while (ledger_take_trial(r->app.ledger, r->legacy))
		;
	drig_later(r, INTERVAL_S + 20);
	assert_int_equal(r->jobs, 0);
	l->letter.kind = S_PULL;
	l->leg = r->legacy;
	mailbox_post(settle_box(r->app.settle), &l->letter);
	drig_pump(r);
	assert_int_equal(r->jobs, 1);
	assert_true(r->job[0]->trial && !r->job[0]->slot);
	answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_false(suspended(r));
	while (ledger_used(r->app.ledger, r->legacy) > 0)
		ledger_give(r->app.ledger, r->legacy);
	drig_pump(r);
}

static void an_administrator_is_not_overruled(void **state)
{
	struct drig *r = *state;

	legs_decided(r->app.settle, r->legacy, SLICE("by root"));
	mail(r);
	for (int i = 0; i < 4; i++)
		drig_later(r, INTERVAL_S);
	assert_int_equal(r->jobs, 0);
	assert_true(suspended(r));
	legs_decided(r->app.settle, r->legacy, slice_of("", 0));
	drig_pump(r);
	assert_int_equal(r->jobs, 1);
	answer(r, CLASS_NONE, OUT_DELIVERED);
}

/* He said it, and before the journal had it a fault was met. */
static void his_word_is_the_last_on_disk(void **state)
{
	struct drig *r = *state;
	struct strbuf value;

	strbuf_init(&value, 1024);
	for (unsigned k = 1; k <= 10; k++)
		fault(r, k);
	legs_decided(r->app.settle, r->legacy, SLICE("by root"));
	drig_pump(r);
	fact(r, &value);
	assert_true(slice_eq(strbuf_view(&value), SLICE("by root")));
	strbuf_fini(&value);
}

/* A trial that was not made is owed to us, not to him. */
static void an_administrator_ends_the_trials(void **state)
{
	struct drig *r = *state;

	for (unsigned k = 1; k <= 10; k++)
		fault(r, k);
	drig_later(r, INTERVAL_S + 20);
	assert_int_equal(r->jobs, 1);
	legs_decided(r->app.settle, r->legacy, SLICE("by root"));
	drig_unclaim(r, drig_job(r), false, false);
	drig_pump(r);
	drig_later(r, 2);
	assert_int_equal(r->jobs, 0);
	legs_decided(r->app.settle, r->legacy, slice_of("", 0));
	drig_later(r, INTERVAL_S);
	assert_true(r->jobs > 1);
}

/* ---- in doubt ---------------------------------------------------------- */

/* As workers do: the third fault in a row shuts the gate at once. */
static void in_doubt_one_goes_after_the_other(void **state)
{
	struct drig *r = *state;
	struct ledger *l = r->app.ledger;

	for (int i = 0; i < 20; i++)
		mail(r);
	assert_int_equal(r->jobs, 20);
	while (r->jobs > 3)
		drig_unclaim(r, drig_job(r), false, false);
	for (int i = 0; i < 3; i++)
		ledger_fault(l, r->legacy);
	assert_int_equal(ledger_gates(l, r->legacy), GATE_DOUBT);
	drig_pump(r);
	assert_int_equal(r->jobs, 3);
	for (unsigned k = 0; k < 3; k++) {
		r->sender = k;
		answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
		assert_true(r->jobs <= 3);
	}
	assert_int_equal(r->jobs, 1);
	answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
	assert_int_equal(r->jobs, 1);
	ledger_sound(l, r->legacy); /* what the worker says of a delivery */
	answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_int_equal(ledger_gates(l, r->legacy), 0);
	assert_true(r->jobs > 5);
}

static void another_answer_than_a_fault_ends_the_doubt(void **state)
{
	struct drig *r = *state;

	mail(r);
	for (int i = 0; i < 3; i++)
		ledger_fault(r->app.ledger, r->legacy);
	answer(r, CLASS_MAILBOX, OUT_DEFERRED);
	assert_int_equal(ledger_gates(r->app.ledger, r->legacy), 0);
}

/* ---- a question of our own --------------------------------------------- */

static struct leg_answer answer_to(const struct drig *r, unsigned run,
    enum reply_class class)
{
	return (struct leg_answer){.leg = r->legacy, .run = run,
	    .class = class, .taken = class == CLASS_NONE, .said = "550 no"};
}

static void a_question_that_meets_the_fault_suspends(void **state)
{
	static const struct {
		const char *name;
		enum reply_class class;
		bool good_between, suspended;
	} cases[] = {
	    {"the same", CLASS_CONFIGURATION, false, true},
	    {"taken", CLASS_NONE, false, false},
	    {"a full mailbox", CLASS_MAILBOX, false, false},
	    {"the same, but a delivery since", CLASS_CONFIGURATION, true,
		false},
	};
	struct drig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct leg_answer a;

		print_message("%s\n", cases[i].name);
		legs_decided(r->app.settle, r->legacy, slice_of("", 0));
		r->good = "user0@example.com";
		deliver(r);
		r->good = NULL;
		a = answer_to(r, legs_run(r->app.settle, r->legacy),
		    cases[i].class);
		fault(r, 1);
		assert_false(suspended(r));
		if (cases[i].good_between) {
			deliver(r);
			fault(r, 2); /* of a run that it was not about */
		}
		legs_answered(r->app.settle, &a);
		assert_int_equal(suspended(r), cases[i].suspended);
	}
}

/* Outcomes are still taken when the workers have no connections any more. */
static void nothing_is_asked_at_the_end(void **state)
{
	struct drig *r = *state;
	unsigned before;

	r->good = "user0@example.com";
	deliver(r);
	r->good = NULL;
	clock_fake_step(&r->clock, INT64_C(2000000));
	before = r->calls;
	fault(r, 1);
	assert_true(r->calls > before);
	before = r->calls;
	legs_answered(r->app.settle, &(struct leg_answer){.leg = r->legacy});
	clock_fake_step(&r->clock, INT64_C(2000000));
	atomic_store(&r->app.stopping, true);
	fault(r, 2);
	assert_int_equal(r->calls, before);
	atomic_store(&r->app.stopping, false);
}

static void a_question_that_is_taken_leads_to_a_trial_or_back(void **state)
{
	struct drig *r = *state;
	struct leg_answer taken = answer_to(r, 0, CLASS_NONE);

	for (unsigned k = 1; k <= 10; k++)
		fault(r, k);
	assert_true(suspended(r));
	mail(r);
	drig_pump(r);
	legs_answered(r->app.settle, &taken);
	drig_pump(r);
	assert_true(suspended(r));
	assert_int_equal(r->jobs, 1);
	answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
	assert_true(suspended(r));
	/* All wait for their time: nothing to try it with. */
	legs_answered(r->app.settle, &taken);
	assert_false(suspended(r));
}

static void a_question_about_one_who_is_gone_leads_to_a_trial(void **state)
{
	static const struct {
		enum reply_class class;
		unsigned jobs;
	} cases[] = {{CLASS_CONFIGURATION, 0}, {CLASS_NETWORK, 0},
	    {CLASS_RECIPIENT, 1}};
	struct drig *r = *state;

	for (unsigned k = 1; k <= 10; k++)
		fault(r, k);
	mail(r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct leg_answer a = answer_to(r, 0, cases[i].class);

		legs_answered(r->app.settle, &a);
		drig_pump(r);
		assert_true(suspended(r));
		assert_int_equal(r->jobs, cases[i].jobs);
	}
	answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_false(suspended(r));
}

/* ---- recipients that it knew ------------------------------------------- */

static void unknown(struct drig *r, unsigned n)
{
	r->known = true;
	for (unsigned i = 0; i < n && !suspended(r); i++) {
		mail_to(r, i);
		answer(r, CLASS_RECIPIENT, OUT_DEFERRED);
	}
	r->known = false;
}

static void a_fifth_of_those_it_knew_is_its_fault(void **state)
{
	static const struct {
		const char *name;
		unsigned delivered, unknown;
		int wait_min; /* between the two */
		bool suspended;
	} cases[] = {
	    {"a fifth", 20, 5, 0, true},
	    {"less than a fifth", 21, 5, 0, false},
	    {"all, but four", 0, 4, 0, false},
	    {"five of five", 0, 5, 0, true},
	    {"half of many", 30, 30, 0, true},
	    {"the others ten minutes ago", 100, 5, 11, true},
	    {"the others five minutes ago", 100, 5, 5, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct drig *r;

		print_message("%s\n", cases[i].name);
		teardown(state);
		setup(state);
		r = *state;
		for (unsigned k = 0; k < cases[i].delivered; k++)
			deliver(r);
		drig_later(r, cases[i].wait_min * MINUTE_S);
		unknown(r, cases[i].unknown);
		assert_int_equal(suspended(r), cases[i].suspended);
	}
}

static void one_that_is_asked_for_again_and_again_is_one(void **state)
{
	struct drig *r = *state;

	r->known = true;
	for (unsigned i = 0; i < 20; i++) {
		mail_to(r, i % 4);
		answer(r, CLASS_RECIPIENT, OUT_DEFERRED);
	}
	assert_false(suspended(r));
	mail_to(r, 4);
	answer(r, CLASS_RECIPIENT, OUT_DEFERRED);
	assert_true(suspended(r));
}

static void unknown_ones_that_it_never_knew_are_no_fault(void **state)
{
	struct drig *r = *state;

	for (unsigned i = 0; i < 20; i++) {
		mail(r);
		answer(r, CLASS_RECIPIENT, OUT_DEFERRED);
	}
	assert_false(suspended(r));
}

/* ---- throttle, disbelief, breaker -------------------------------------- */

static void throttle_halves_and_deliveries_give_back(void **state)
{
	struct drig *r = *state;
	struct ledger *l = r->app.ledger;

	assert_int_equal(ledger_limit(l, r->legacy), 20);
	mail(r);
	answer(r, CLASS_THROTTLE, OUT_DEFERRED);
	assert_int_equal(ledger_limit(l, r->legacy), 10);
	mail(r);
	answer(r, CLASS_THROTTLE, OUT_DEFERRED);
	assert_int_equal(ledger_limit(l, r->legacy), 5);
	for (int i = 0; i < 4; i++)
		deliver(r);
	assert_int_equal(ledger_limit(l, r->legacy), 5);
	deliver(r);
	assert_int_equal(ledger_limit(l, r->legacy), 6);
	for (int i = 0; i < 5; i++)
		deliver(r);
	mail(r);
	answer(r, CLASS_THROTTLE, OUT_DEFERRED);
	assert_int_equal(ledger_limit(l, r->legacy), 3);
	deliver(r);
	deliver(r);
	assert_int_equal(ledger_limit(l, r->legacy), 3);
	for (int i = 0; i < 200; i++)
		deliver(r);
	assert_int_equal(ledger_limit(l, r->legacy), 20);
}

/* Twenty that were under way hear the same: that is one word, not twenty. */
static void a_burst_of_throttles_is_one(void **state)
{
	struct drig *r = *state;
	struct result res = said(CLASS_THROTTLE, OUT_DEFERRED);
	struct job_letter *j[10];

	for (int i = 0; i < 10; i++)
		mail(r);
	for (int i = 0; i < 10; i++) {
		j[i] = drig_job(r);
		assert_true(ledger_take(r->app.ledger, r->legacy));
	}
	for (int i = 0; i < 10; i++) {
		drig_report(r, j[i], WHY_ATTEMPT, &res, 1);
		settle_step(r->app.settle);
	}
	assert_int_equal(ledger_limit(r->app.ledger, r->legacy), 10);
	for (int i = 0; i < 10; i++)
		ledger_give(r->app.ledger, r->legacy);
	drig_pump(r);
}

static void the_disbelieved_are_counted_and_stop_nothing(void **state)
{
	struct drig *r = *state;

	for (unsigned i = 0; i < 30; i++) {
		r->sender = i;
		mail(r);
		answer(r, CLASS_AUTHENTICATION, OUT_PARKED);
	}
	assert_int_equal(legs_view(r->app.settle, r->legacy).disbelieved, 30);
	assert_false(suspended(r));
}

static void split_ones_go_at_once_when_others_were_taken(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[2] = {
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED),
	    drig_delivery(r, 1, r->legacy, ROLE_PRIMARY, D_QUEUED)};
	struct result res[2] = {said(CLASS_NONE, OUT_DELIVERED),
	    said(CLASS_SPLIT, OUT_DEFERRED)};

	drig_accept(r, "a@b.test", 2, d, 2);
	drig_report(r, drig_job(r), WHY_ATTEMPT, res, 2);
	drig_pump(r);
	assert_int_equal(r->jobs, 1);
	/* Alone, and refused again: it is given time. */
	drig_report(r, drig_job(r), WHY_ATTEMPT, &res[1], 1);
	drig_pump(r);
	assert_int_equal(r->jobs, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(ten_messages_of_five_senders_suspend),
	    TEST(one_message_tried_often_is_one),
	    TEST(a_suspension_is_on_disk_and_says_whose_it_is),
	    TEST(a_suspended_leg_is_tried_with_one_message),
	    TEST(what_was_under_way_does_not_resume),
	    TEST(a_trial_that_was_not_made_is_made_later),
	    TEST(an_idle_connection_serves_for_a_trial),
	    TEST(an_administrator_is_not_overruled),
	    TEST(his_word_is_the_last_on_disk),
	    TEST(an_administrator_ends_the_trials),
	    TEST(in_doubt_one_goes_after_the_other),
	    TEST(another_answer_than_a_fault_ends_the_doubt),
	    TEST(a_question_that_meets_the_fault_suspends),
	    TEST(nothing_is_asked_at_the_end),
	    TEST(a_question_that_is_taken_leads_to_a_trial_or_back),
	    TEST(a_question_about_one_who_is_gone_leads_to_a_trial),
	    TEST(a_fifth_of_those_it_knew_is_its_fault),
	    TEST(one_that_is_asked_for_again_and_again_is_one),
	    TEST(unknown_ones_that_it_never_knew_are_no_fault),
	    TEST(throttle_halves_and_deliveries_give_back),
	    TEST(a_burst_of_throttles_is_one),
	    TEST(the_disbelieved_are_counted_and_stop_nothing),
	    TEST(split_ones_go_at_once_when_others_were_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
