/* SPDX-License-Identifier: ISC
 *
 * The legs as such: what suspends one and what does not, how it comes back,
 * how many connections it gets. What is asked first: test_daemon_doubt.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/log.h"
#include "tests/unit/legs_fix.h"

enum { INTERVAL_S = 5 * 60, ALARM_S = 15 * 60 };

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

/* How many alarms say `text`: each is a line of the log. */
static unsigned alarms_in(FILE *log, const char *text)
{
	char line[2048];
	unsigned n = 0;

	rewind(log);
	while (fgets(line, sizeof(line), log) != NULL)
		n += strstr(line, text) != NULL;
	return n;
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
		leg_decided(r->queue_thread, r->legacy, slice_of("", 0));
		legf_deliver(r);
		for (unsigned k = 1; k <= cases[i].faults; k++) {
			assert_false(legf_suspended(r));
			legf_fault(r, 1 + k % cases[i].senders);
			if (cases[i].good_after != 0 &&
			    k % cases[i].good_after == 0)
				legf_deliver(r);
		}
		assert_int_equal(legf_suspended(r), cases[i].suspended);
	}
}

static void one_message_tried_often_is_one(void **state)
{
	struct drig *r = *state;

	r->sender = 1;
	legf_mail(r);
	for (unsigned k = 0; k < 15; k++) {
		r->sender = k + 1;
		legf_answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
		drig_later(r, 61);
	}
	assert_false(legf_suspended(r));
}

/* Too few for a suspension, and their messages wait: an administrator is told,
 * once in alarm.interval. */
static void faults_that_suspend_nothing_are_told_once_an_interval(void **state)
{
	static const char text[] = "refused a message for its set-up or ours";
	struct drig *r = *state;
	FILE *log = tmpfile();

	assert_non_null(log);
	drig_later(r, ALARM_S + MINUTE_S); /* a clock far from its zero */
	log_setup(fileno(log), LOG_LV_WARN, r->shared.clock);
	legf_fault(r, 1);
	assert_int_equal(alarms_in(log, text), 1);
	legf_fault(r, 2);
	drig_later(r, MINUTE_S);
	legf_fault(r, 1);
	assert_int_equal(alarms_in(log, text), 1);
	drig_later(r, ALARM_S);
	legf_fault(r, 2);
	assert_false(legf_suspended(r));
	assert_int_equal(alarms_in(log, text), 2);
	log_setup(-1, LOG_LV_ERROR, &clock_system);
	fclose(log);
}

static void a_suspension_is_on_disk_and_says_whose_it_is(void **state)
{
	struct drig *r = *state;
	struct strbuf value;
	struct slice reason;

	strbuf_init(&value, 1024);
	for (unsigned k = 1; k <= 10; k++)
		legf_fault(r, k);
	assert_true(leg_look(r->queue_thread, r->legacy).by_fault);
	drig_restart(r, false);
	legf_fact(r, &value);
	reason = leg_fact_reason(strbuf_view(&value));
	assert_true(reason.n < value.n);
	assert_true(slice_starts(reason, SLICE("10 messages of 10 sender")));
	leg_restore(r->queue_thread, r->legacy, strbuf_view(&value));
	assert_true(legf_suspended(r));
	assert_true(leg_look(r->queue_thread, r->legacy).by_fault);

	leg_restore(r->queue_thread, r->legacy, SLICE("fault by ann"));
	assert_true(legf_suspended(r));
	assert_false(leg_look(r->queue_thread, r->legacy).by_fault);
	assert_true(slice_eq(leg_fact_reason(SLICE("fault by ann")),
	    SLICE("fault by ann")));
	leg_restore(r->queue_thread, r->legacy, SLICE(""));
	assert_false(legf_suspended(r));
	strbuf_fini(&value);
}

/* ---- the way back ------------------------------------------------------ */

static void a_suspended_leg_is_tried_with_one_message(void **state)
{
	struct drig *r = *state;
	struct strbuf value;

	strbuf_init(&value, 1024);
	for (unsigned k = 1; k <= 10; k++)
		legf_fault(r, k);
	assert_true(legf_suspended(r));
	for (int i = 0; i < 3; i++)
		legf_mail(r);
	drig_pump(r);
	assert_int_equal(r->jobs, 0);
	drig_later(r, INTERVAL_S - 20);
	assert_int_equal(r->jobs, 0);
	drig_later(r, 40);
	assert_int_equal(r->jobs, 1);
	legf_answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
	assert_true(legf_suspended(r));
	assert_int_equal(r->jobs, 0);

	drig_later(r, INTERVAL_S);
	assert_int_equal(r->jobs, 1);
	legf_answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_false(legf_suspended(r));
	assert_true(r->jobs > 5);
	legf_fact(r, &value);
	assert_int_equal(value.n, 0);
	strbuf_fini(&value);
}

/* Only the trial's success: what was under way before proves nothing of the
 * fault that was met since. */
static void what_was_under_way_does_not_resume(void **state)
{
	struct drig *r = *state;
	struct worker_job *early;
	struct result good = legf_said(CLASS_NONE, OUT_DELIVERED);

	legf_mail(r);
	early = drig_job(r);
	for (unsigned k = 1; k <= 10; k++)
		legf_fault(r, k);
	assert_true(legf_suspended(r));
	drig_report(r, early, WHY_ATTEMPT, &good, 1);
	drig_pump(r);
	assert_true(legf_suspended(r));
}

static void a_trial_that_was_not_made_is_made_later(void **state)
{
	struct drig *r = *state;

	for (unsigned k = 1; k <= 10; k++)
		legf_fault(r, k);
	drig_later(r, INTERVAL_S + 20);
	assert_int_equal(r->jobs, 1);
	drig_unclaim(r, drig_job(r), false, false);
	drig_pump(r);
	drig_later(r, 2);
	assert_int_equal(r->jobs, 1);
	legf_answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_false(legf_suspended(r));
}

/* All connections are open and idle: one that asks for work gets the trial. */
static void an_idle_connection_serves_for_a_trial(void **state)
{
	struct drig *r = *state;
	struct pull_letter *l = NEW(struct pull_letter);

	for (unsigned k = 1; k <= 10; k++)
		legf_fault(r, k);
	while (ledger_take_trial(r->shared.ledger, r->legacy))
		r->idle[r->legacy]++;
	drig_later(r, INTERVAL_S + 20);
	assert_int_equal(r->jobs, 0);
	l->letter.kind = S_PULL;
	l->leg = r->legacy;
	mailbox_post(r->shared.queue_box, &l->letter);
	drig_pump(r);
	assert_int_equal(r->jobs, 1);
	assert_true(r->job[0]->trial && !r->job[0]->slot);
	legf_answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_false(legf_suspended(r));
	for (; r->idle[r->legacy] > 0; r->idle[r->legacy]--)
		ledger_give(r->shared.ledger, r->legacy);
	drig_pump(r);
}

static void an_administrator_is_not_overruled(void **state)
{
	struct drig *r = *state;

	leg_decided(r->queue_thread, r->legacy, SLICE("by root"));
	legf_mail(r);
	for (int i = 0; i < 4; i++)
		drig_later(r, INTERVAL_S);
	assert_int_equal(r->jobs, 0);
	assert_true(legf_suspended(r));
	leg_decided(r->queue_thread, r->legacy, slice_of("", 0));
	drig_pump(r);
	assert_int_equal(r->jobs, 1);
	legf_answer(r, CLASS_NONE, OUT_DELIVERED);
}

/* The administrator decided, and before the journal had it a fault was met. */
static void his_word_is_the_last_on_disk(void **state)
{
	struct drig *r = *state;
	struct strbuf value;

	strbuf_init(&value, 1024);
	for (unsigned k = 1; k <= 10; k++)
		legf_fault(r, k);
	leg_decided(r->queue_thread, r->legacy, SLICE("by root"));
	drig_pump(r);
	legf_fact(r, &value);
	assert_true(slice_eq(strbuf_view(&value), SLICE("by root")));
	strbuf_fini(&value);
}

/* A trial that was not made is owed to us, not to the administrator. */
static void an_administrator_ends_the_trials(void **state)
{
	struct drig *r = *state;

	for (unsigned k = 1; k <= 10; k++)
		legf_fault(r, k);
	drig_later(r, INTERVAL_S + 20);
	assert_int_equal(r->jobs, 1);
	leg_decided(r->queue_thread, r->legacy, SLICE("by root"));
	drig_unclaim(r, drig_job(r), false, false);
	drig_pump(r);
	drig_later(r, 2);
	assert_int_equal(r->jobs, 0);
	leg_decided(r->queue_thread, r->legacy, slice_of("", 0));
	drig_later(r, INTERVAL_S);
	assert_true(r->jobs > 1);
}

/* ---- recipients that it knew ------------------------------------------- */

static void unknown(struct drig *r, unsigned n)
{
	r->known = true;
	for (unsigned i = 0; i < n && !legf_suspended(r); i++) {
		legf_mail_to(r, i);
		legf_answer(r, CLASS_RECIPIENT, OUT_DEFERRED);
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
			legf_deliver(r);
		drig_later(r, cases[i].wait_min * MINUTE_S);
		unknown(r, cases[i].unknown);
		assert_int_equal(legf_suspended(r), cases[i].suspended);
	}
}

static void one_that_is_asked_for_again_and_again_is_one(void **state)
{
	struct drig *r = *state;

	r->known = true;
	for (unsigned i = 0; i < 20; i++) {
		legf_mail_to(r, i % 4);
		legf_answer(r, CLASS_RECIPIENT, OUT_DEFERRED);
	}
	assert_false(legf_suspended(r));
	legf_mail_to(r, 4);
	legf_answer(r, CLASS_RECIPIENT, OUT_DEFERRED);
	assert_true(legf_suspended(r));
}

static void unknown_ones_that_it_never_knew_are_no_fault(void **state)
{
	struct drig *r = *state;

	for (unsigned i = 0; i < 20; i++) {
		legf_mail(r);
		legf_answer(r, CLASS_RECIPIENT, OUT_DEFERRED);
	}
	assert_false(legf_suspended(r));
}

/* ---- throttle, disbelief, breaker -------------------------------------- */

static void throttle_halves_and_deliveries_give_back(void **state)
{
	struct drig *r = *state;
	struct ledger *l = r->shared.ledger;

	assert_int_equal(ledger_limit(l, r->legacy), 20);
	legf_mail(r);
	legf_answer(r, CLASS_THROTTLE, OUT_DEFERRED);
	assert_int_equal(ledger_limit(l, r->legacy), 10);
	legf_mail(r);
	legf_answer(r, CLASS_THROTTLE, OUT_DEFERRED);
	assert_int_equal(ledger_limit(l, r->legacy), 5);
	for (int i = 0; i < 4; i++)
		legf_deliver(r);
	assert_int_equal(ledger_limit(l, r->legacy), 5);
	legf_deliver(r);
	assert_int_equal(ledger_limit(l, r->legacy), 6);
	for (int i = 0; i < 5; i++)
		legf_deliver(r);
	legf_mail(r);
	legf_answer(r, CLASS_THROTTLE, OUT_DEFERRED);
	assert_int_equal(ledger_limit(l, r->legacy), 3);
	legf_deliver(r);
	legf_deliver(r);
	assert_int_equal(ledger_limit(l, r->legacy), 3);
	for (int i = 0; i < 200; i++)
		legf_deliver(r);
	assert_int_equal(ledger_limit(l, r->legacy), 20);
}

static void a_sender_domain_is_slowed_and_the_leg_is_not(void **state)
{
	struct drig *r = *state;
	struct delivery_ref waits;
	uint64_t id;
	bool ok;

	r->sender = 0x1001;
	legf_mail(r);
	r->slows = true;
	legf_answer(r, CLASS_AUTHENTICATION, OUT_DEFERRED);
	r->slows = false;
	id = legf_mail(r);
	drig_pump(r);
	assert_int_equal(r->jobs, 0);
	waits = drig_item(r, id, 0);
	assert_int_equal(waits.attempts, 0);
	assert_true(waits.due_us > r->clock.wall + 30 * INT64_C(1000000));
	assert_int_equal(ledger_limit(r->shared.ledger, r->legacy), 20);
	r->sender = 0x2001;
	legf_deliver(r);
	legf_mail(r); /* of which some was delivered, which counts more */
	r->slows = true;
	legf_answer(r, CLASS_NONE, OUT_DELIVERED);
	r->slows = false;
	legf_deliver(r);
	r->sender = 0x1001;
	assert_int_equal(r->jobs, 0);
	assert_true(drig_act(r, ACT_RETRY, id, 0, &ok) && ok);
	drig_pump(r);
	legf_answer(r, CLASS_NONE, OUT_DELIVERED);
	legf_deliver(r);
	/* It begins anew, and ends by itself. */
	legf_mail(r);
	r->slows = true;
	legf_answer(r, CLASS_AUTHENTICATION, OUT_DEFERRED);
	r->slows = false;
	id = legf_mail(r);
	drig_pump(r);
	assert_int_equal(r->jobs, 0);
	drig_later(r, 120);
	assert_int_equal(r->jobs, 3); /* with those that were answered so */
	while (r->jobs != 0)
		legf_answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_int_equal(drig_state(r, id, 0), D_NONE);
}

/* Behind it are all servers of the world. */
static void a_direct_leg_slows_no_domain(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d =
	    drig_delivery(r, 0, r->outside, ROLE_PRIMARY, D_QUEUED);
	struct result res = legf_said(CLASS_MESSAGE, OUT_DEFERRED);
	struct conf_leg *leg =
	    (struct conf_leg *)conf_leg_by_id(r->snapshot->conf, r->outside);

	leg->direct = true;
	r->sender = 0x1001;
	r->slows = true;
	drig_accept(r, "a@b.test", 1, &d, 1);
	drig_report(r, drig_job(r), WHY_ATTEMPT, &res, 1);
	drig_accept(r, "a@b.test", 1, &d, 1);
	drig_pump(r);
	assert_int_equal(r->jobs, 1);
}

/* Twenty that were under way hear the same: that is one word, not twenty. */
static void a_burst_of_throttles_is_one(void **state)
{
	struct drig *r = *state;
	struct result res = legf_said(CLASS_THROTTLE, OUT_DEFERRED);
	struct worker_job *j[10];

	for (int i = 0; i < 10; i++)
		legf_mail(r);
	for (int i = 0; i < 10; i++) {
		j[i] = drig_job(r);
		assert_true(ledger_take(r->shared.ledger, r->legacy));
	}
	for (int i = 0; i < 10; i++) {
		drig_report(r, j[i], WHY_ATTEMPT, &res, 1);
		queue_thread_step(r->queue_thread);
	}
	assert_int_equal(ledger_limit(r->shared.ledger, r->legacy), 10);
	for (int i = 0; i < 10; i++)
		ledger_give(r->shared.ledger, r->legacy);
	drig_pump(r);
}

static void the_disbelieved_are_counted_and_stop_nothing(void **state)
{
	struct drig *r = *state;

	for (unsigned i = 0; i < 30; i++) {
		r->sender = i;
		legf_mail(r);
		legf_answer(r, CLASS_AUTHENTICATION, OUT_PARKED);
	}
	assert_int_equal(leg_look(r->queue_thread, r->legacy).disbelieved, 30);
	assert_false(legf_suspended(r));
}

/* Forged mail is disbelieved with good reason. */
static void forged_senders_that_are_disbelieved_count_for_nothing(void **state)
{
	struct drig *r = *state;
	FILE *log = tmpfile();

	assert_non_null(log);
	log_setup(fileno(log), LOG_LV_WARN, r->shared.clock);
	for (unsigned i = 0; i < 30; i++) {
		r->sender = i + 1;
		r->maybe_forged = i % 3 != 0; /* nine are not */
		legf_mail(r);
		if (i < 27)
			legf_answer(r, CLASS_AUTHENTICATION, OUT_PARKED);
	}
	assert_int_equal(leg_look(r->queue_thread, r->legacy).disbelieved, 9);
	assert_int_equal(alarms_in(log, "disbelieved"), 0);
	log_setup(-1, LOG_LV_ERROR, &clock_system);
	fclose(log);
}

static void disbelieve(struct drig *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		r->sender = i + 1;
		legf_mail(r);
		legf_answer(r, CLASS_AUTHENTICATION, OUT_PARKED);
	}
}

/* As many as would suspend it, and none delivered between. */
static void ten_in_a_row_that_are_disbelieved_are_told(void **state)
{
	static const char text[] = "disbelieved the senders of ";
	struct drig *r = *state;
	FILE *log = tmpfile();

	assert_non_null(log);
	log_setup(fileno(log), LOG_LV_WARN, r->shared.clock);
	disbelieve(r, 9);
	legf_deliver(r);
	disbelieve(r, 9);
	assert_int_equal(alarms_in(log, text), 0);
	disbelieve(r, 1);
	assert_int_equal(alarms_in(log, text), 1);
	assert_int_equal(alarms_in(log, "senders of 10 messages in a row"), 1);
	disbelieve(r, 9);
	assert_int_equal(alarms_in(log, text), 1);
	disbelieve(r, 1);
	assert_int_equal(alarms_in(log, "senders of 20 messages in a row"), 1);
	log_setup(-1, LOG_LV_ERROR, &clock_system);
	fclose(log);
}

/* suspend_messages = 0: messages are not counted against it. */
static void a_leg_that_counts_no_messages_tells_of_no_disbelief(void **state)
{
	struct drig *r = *state;
	struct conf_leg *leg =
	    (struct conf_leg *)conf_leg_by_id(r->snapshot->conf, r->legacy);
	FILE *log = tmpfile();

	assert_non_null(log);
	leg->suspend_messages = 0;
	log_setup(fileno(log), LOG_LV_WARN, r->shared.clock);
	disbelieve(r, 30);
	assert_int_equal(alarms_in(log, "disbelieved"), 0);
	log_setup(-1, LOG_LV_ERROR, &clock_system);
	fclose(log);
}

static void split_ones_go_at_once_when_others_were_taken(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[2] = {
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED),
	    drig_delivery(r, 1, r->legacy, ROLE_PRIMARY, D_QUEUED)};
	struct result res[2] = {legf_said(CLASS_NONE, OUT_DELIVERED),
	    legf_said(CLASS_SPLIT, OUT_DEFERRED)};

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
	    TEST(faults_that_suspend_nothing_are_told_once_an_interval),
	    TEST(a_suspension_is_on_disk_and_says_whose_it_is),
	    TEST(a_suspended_leg_is_tried_with_one_message),
	    TEST(what_was_under_way_does_not_resume),
	    TEST(a_trial_that_was_not_made_is_made_later),
	    TEST(an_idle_connection_serves_for_a_trial),
	    TEST(an_administrator_is_not_overruled),
	    TEST(his_word_is_the_last_on_disk),
	    TEST(an_administrator_ends_the_trials),
	    TEST(a_fifth_of_those_it_knew_is_its_fault),
	    TEST(one_that_is_asked_for_again_and_again_is_one),
	    TEST(unknown_ones_that_it_never_knew_are_no_fault),
	    TEST(throttle_halves_and_deliveries_give_back),
	    TEST(a_sender_domain_is_slowed_and_the_leg_is_not),
	    TEST(a_direct_leg_slows_no_domain),
	    TEST(a_burst_of_throttles_is_one),
	    TEST(the_disbelieved_are_counted_and_stop_nothing),
	    TEST(forged_senders_that_are_disbelieved_count_for_nothing),
	    TEST(ten_in_a_row_that_are_disbelieved_are_told),
	    TEST(a_leg_that_counts_no_messages_tells_of_no_disbelief),
	    TEST(split_ones_go_at_once_when_others_were_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
