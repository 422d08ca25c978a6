/* SPDX-License-Identifier: ISC
 *
 * A leg in doubt: questions of our own, messages of other senders, and what
 * they decide.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/log.h"
#include "tests/unit/legs_fix.h"

enum { INTERVAL_S = 5 * 60, PUMPED_S = 20 /* more than the rig moves on */ };

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

static unsigned lines_with(FILE *log, const char *text)
{
	char line[2048];
	unsigned n = 0;

	rewind(log);
	while (fgets(line, sizeof(line), log) != NULL)
		n += strstr(line, text) != NULL;
	return n;
}

/* ---- in doubt ---------------------------------------------------------- */

/* As workers do: the third fault in a row shuts the gate at once. */
static void in_doubt_one_goes_after_the_other(void **state)
{
	struct drig *r = *state;
	struct ledger *l = r->shared.ledger;

	for (int i = 0; i < 20; i++)
		legf_mail(r);
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
		legf_answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
		assert_true(r->jobs <= 3);
	}
	assert_int_equal(r->jobs, 1);
	legf_answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
	assert_int_equal(r->jobs, 1);
	ledger_sound(l, r->legacy); /* what the worker says of a delivery */
	legf_answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_int_equal(ledger_gates(l, r->legacy), 0);
	assert_true(r->jobs > 5);
}

static void another_answer_than_a_fault_ends_the_doubt(void **state)
{
	struct drig *r = *state;

	legf_mail(r);
	for (int i = 0; i < 3; i++)
		ledger_fault(r->shared.ledger, r->legacy);
	legf_answer(r, CLASS_MAILBOX, OUT_DEFERRED);
	assert_int_equal(ledger_gates(r->shared.ledger, r->legacy), 0);
}

/* ---- a question of our own --------------------------------------------- */

static struct question_letter answer_to(const struct drig *r, unsigned run,
    enum reply_class class)
{
	return (struct question_letter){.leg = r->legacy, .run = run,
	    .class = class, .taken = class == CLASS_NONE, .at_rcpt = true,
	    .said = "550 no"};
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
		struct question_letter a;

		print_message("%s\n", cases[i].name);
		leg_decided(r->queue_thread, r->legacy, slice_of("", 0));
		r->good = "user0@example.com";
		legf_deliver(r);
		r->good = NULL;
		a = answer_to(r, leg_run(r->queue_thread, r->legacy),
		    cases[i].class);
		legf_fault(r, 1);
		assert_false(legf_suspended(r));
		if (cases[i].good_between) {
			legf_deliver(r);
			/* Of a run that it was not about. */
			legf_fault(r, 2);
		}
		leg_answered(r->queue_thread, &a);
		assert_int_equal(legf_suspended(r), cases[i].suspended);
	}
}

/* No delivery so far: the question is about a recipient that met it. Twelve
 * forged messages, six domains, one pattern. */
static void ten_forged_messages_are_asked_about_first(void **state)
{
	static const struct {
		const char *name;
		enum stage stage;
		enum reply_class class;
		bool at_rcpt, suspended;
	} cases[] = {
	    {"our own is taken", STAGE_MAIL, CLASS_NONE, true, false},
	    {"our own is taken at RCPT", STAGE_RCPT, CLASS_NONE, true, false},
	    {"our own MAIL is taken", STAGE_MAIL, CLASS_CONFIGURATION, true,
		false},
	    {"our own MAIL is refused", STAGE_MAIL, CLASS_CONFIGURATION, false,
		true},
	    {"our own RCPT is refused", STAGE_RCPT, CLASS_CONFIGURATION, true,
		true},
	    {"about one who is gone", STAGE_RCPT, CLASS_RECIPIENT, true, false},
	    {"no time", STAGE_RCPT, CLASS_THROTTLE, true, true},
	    {"it cannot be reached", STAGE_MAIL, CLASS_NETWORK, false, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct drig *r;
		struct question_letter a;
		unsigned before;

		print_message("%s\n", cases[i].name);
		teardown(state);
		setup(state);
		r = *state;
		r->faulted = "user0@example.com";
		before = r->calls;
		for (unsigned k = 1; k <= 9; k++)
			legf_fault_at(r, 1 + k % 6, cases[i].stage);
		assert_int_equal(r->calls, before);
		for (unsigned k = 10; k <= 12; k++)
			legf_fault_at(r, 1 + k % 6, cases[i].stage);
		assert_int_equal(r->calls, before + 1);
		assert_false(legf_suspended(r));
		a = answer_to(r, leg_run(r->queue_thread, r->legacy),
		    cases[i].class);
		a.at_rcpt = cases[i].at_rcpt;
		leg_answered(r->queue_thread, &a);
		assert_int_equal(legf_suspended(r), cases[i].suspended);
		if (cases[i].suspended)
			continue;
		/* The count begins again. */
		before = r->calls;
		for (unsigned k = 1; k <= 9; k++)
			legf_fault_at(r, 1 + k % 6, cases[i].stage);
		assert_int_equal(r->calls, before);
	}
}

/* ---- senders that may be forged ---------------------------------------- */

/* As many as would suspend it, of as many domains, wherever they are refused;
 * and they do not complete nine good ones. */
static void forged_mail_suspends_nothing(void **state)
{
	static const enum stage stages[] = {STAGE_GREETING, STAGE_MAIL,
		STAGE_RCPT, STAGE_DATA, STAGE_BODY};
	struct ledger *l;
	struct drig *r;

	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		print_message("%s\n", stage_text(stages[i]));
		teardown(state);
		setup(state);
		r = *state;
		l = r->shared.ledger;
		r->faulted = "user0@example.com";
		for (unsigned k = 1; k <= 30; k++) {
			r->maybe_forged = k % 3 != 0 || k == 30;
			legf_fault_at(r, k, stages[i]);
		}
		assert_int_equal(ledger_gates(l, r->legacy), 0);
		r->maybe_forged = false;
		r->faulted = NULL;
		legf_fault_at(r, 99, STAGE_BODY);
		assert_true(legf_suspended(r));
	}
}

/* A message that tries the leg may be a forged one, too: it proves nothing, and
 * the next one goes at once, whether the leg is in doubt or suspended. */
static void another_message_tries_after_a_forged_one(void **state)
{
	struct drig *r = *state;
	struct ledger *l = r->shared.ledger;
	uint64_t first;

	for (unsigned i = 0; i < 3; i++) {
		ledger_fault(l, r->legacy);
		legf_fault_at(r, i + 1, STAGE_BODY);
	}
	for (int i = 0; i < 20; i++)
		legf_mail(r);
	assert_int_equal(r->jobs, 1);
	for (int i = 0; i < 3; i++) {
		first = r->job[0]->id;
		r->maybe_forged = true;
		legf_answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
		assert_int_equal(r->jobs, 1);
		assert_true(r->job[0]->id != first);
	}
	r->maybe_forged = false;
	while (!legf_suspended(r)) {
		r->sender++;
		legf_answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
	}
	drig_later(r, INTERVAL_S);
	assert_int_equal(r->jobs, 1);
	first = r->job[0]->id;
	r->maybe_forged = true;
	legf_answer(r, CLASS_CONFIGURATION, OUT_DEFERRED);
	assert_int_equal(r->jobs, 1);
	assert_true(r->job[0]->id != first);
	legf_answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_false(legf_suspended(r));
}

/* The question decides, without a message that counts; no alarm tells of what
 * forged mail meets. */
static void forged_mail_may_cause_a_question(void **state)
{
	static const struct {
		const char *name;
		enum stage stage;
		unsigned asked;
		enum reply_class class;
		bool good_between, suspended;
	} cases[] = {
	    {"the same", STAGE_RCPT, 1, CLASS_CONFIGURATION, false, true},
	    {"taken", STAGE_RCPT, 1, CLASS_NONE, false, false},
	    {"unknown", STAGE_RCPT, 1, CLASS_RECIPIENT, false, false},
	    {"the same, but a delivery since", STAGE_RCPT, 1,
		CLASS_CONFIGURATION, true, false},
	    {"behind RCPT", STAGE_BODY, 0, CLASS_NONE, false, false},
	};
	FILE *log = tmpfile();

	assert_non_null(log);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct question_letter a;
		struct drig *r;
		unsigned before;

		print_message("%s\n", cases[i].name);
		teardown(state);
		setup(state);
		r = *state;
		clock_fake_step(&r->clock, INT64_C(20000000));
		log_setup(fileno(log), LOG_LV_WARN, r->shared.clock);
		r->good = "user0@example.com";
		legf_deliver(r);
		r->good = NULL;
		before = r->calls;
		r->maybe_forged = true;
		for (unsigned k = 1; k <= 5; k++)
			legf_fault_at(r, k, cases[i].stage);
		assert_int_equal(r->calls, before + cases[i].asked);
		a = answer_to(r, leg_run(r->queue_thread, r->legacy),
		    cases[i].class);
		if (cases[i].good_between)
			legf_deliver(r);
		if (cases[i].asked > 0)
			leg_answered(r->queue_thread, &a);
		assert_int_equal(legf_suspended(r), cases[i].suspended);
		log_setup(-1, LOG_LV_ERROR, &clock_system);
		rewind(log);
		while (!cases[i].suspended && fgetc(log) != EOF)
			fail_msg("there is an alarm");
		assert_int_equal(ftruncate(fileno(log), 0), 0);
	}
	fclose(log);
}

/* One message, which any client can send to any recipient, is no proof either
 * way. */
static void a_question_about_the_refused_does_not_suspend_alone(void **state)
{
	struct drig *r = *state;
	struct question_letter a;

	r->faulted = "user0@example.com";
	legf_fault(r, 1);
	a = answer_to(r, leg_run(r->queue_thread, r->legacy),
	    CLASS_CONFIGURATION);
	leg_answered(r->queue_thread, &a);
	assert_false(legf_suspended(r));
}

/* The mail in front is of senders that met the fault. */
static void another_senders_message_tries_the_leg(void **state)
{
	struct result res = legf_said(CLASS_CONFIGURATION, OUT_DEFERRED);
	struct drig *r = *state;
	uint64_t first, good;

	for (unsigned k = 1; k <= 10; k++)
		legf_fault_at(r, k, STAGE_BODY);
	assert_true(legf_suspended(r));
	r->sender = 3;
	first = legf_mail(r);
	legf_mail(r);
	r->sender = 99;
	good = legf_mail(r);
	legf_mail(r);
	drig_later(r, INTERVAL_S + 20);
	assert_int_equal(r->jobs, 1);
	assert_int_equal(r->job[0]->id, good);
	r->sender = 99;
	res.stage = STAGE_BODY;
	drig_report(r, drig_job(r), WHY_ATTEMPT, &res, 1);
	drig_pump(r);
	assert_true(legf_suspended(r));
	/* Now they all have met it: the oldest that is ready. */
	drig_later(r, INTERVAL_S);
	assert_int_equal(r->jobs, 1);
	assert_true(r->job[0]->id <= first);
	legf_answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_false(legf_suspended(r));
	/* It took one: no sender is left out any more. */
	assert_true(r->jobs > 5);
}

/* Outcomes are still taken when the workers have no connections any more. */
static void nothing_is_asked_at_the_end(void **state)
{
	struct drig *r = *state;
	unsigned before;

	r->good = "user0@example.com";
	legf_deliver(r);
	r->good = NULL;
	clock_fake_step(&r->clock, INT64_C(2000000));
	before = r->calls;
	legf_fault(r, 1);
	assert_true(r->calls > before);
	before = r->calls;
	leg_answered(r->queue_thread, &(struct question_letter){.leg =
	    r->legacy});
	clock_fake_step(&r->clock, INT64_C(2000000));
	atomic_store(&r->shared.stopping, true);
	legf_fault(r, 2);
	assert_int_equal(r->calls, before);
	atomic_store(&r->shared.stopping, false);
}

static void a_question_that_is_taken_leads_to_a_trial_or_back(void **state)
{
	static const struct {
		enum stage stage;
		const char *fact;
		bool resumed;
	} cases[] = {
	    {STAGE_MAIL, "fault\t10 messages", true},
	    {STAGE_RCPT, "fault\t10 messages", true},
	    {STAGE_DATA, "fault\tcontent\t10 messages", false},
	    {STAGE_BODY, "fault\tcontent\t10 messages", false},
	};
	struct strbuf value;

	strbuf_init(&value, 1024);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct drig *r;
		struct question_letter taken;

		print_message("%s\n", stage_text(cases[i].stage));
		teardown(state);
		setup(state);
		r = *state;
		r->help = "ask its administrator";
		taken = answer_to(r, 0, CLASS_NONE);
		for (unsigned k = 1; k <= 10; k++)
			legf_fault_at(r, k, cases[i].stage);
		assert_true(legf_suspended(r));
		drig_pump(r);
		legf_fact(r, &value);
		assert_true(slice_starts(strbuf_view(&value),
		    slice_str(cases[i].fact)));
		assert_true(slice_eq(leg_fact_reason(strbuf_view(&value)),
		    SLICE("10 messages of 10 sender domains were refused: "
			"550 5.7.1 no. ask its administrator")));
		/* As it is after a restart, too. */
		leg_restore(r->queue_thread, r->legacy, strbuf_view(&value));
		legf_mail(r);
		drig_pump(r);
		assert_int_equal(r->jobs, 0);
		leg_answered(r->queue_thread, &taken);
		drig_pump(r);
		assert_int_equal(legf_suspended(r), !cases[i].resumed);
		assert_int_equal(r->jobs, 1);
	}
	strbuf_fini(&value);
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
		legf_fault(r, k);
	legf_mail(r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct question_letter a = answer_to(r, 0, cases[i].class);

		leg_answered(r->queue_thread, &a);
		drig_pump(r);
		assert_true(legf_suspended(r));
		assert_int_equal(r->jobs, cases[i].jobs);
	}
	legf_answer(r, CLASS_NONE, OUT_DELIVERED);
	assert_false(legf_suspended(r));
}

/* Without a restart, where the place of the fault is known: a question that
 * got past it is enough, taken or not. */
static void a_question_that_gets_past_the_fault_ends_it(void **state)
{
	static const struct {
		enum stage stage;
		enum reply_class class;
		bool resumed;
	} cases[] = {
	    {STAGE_RCPT, CLASS_NONE, true},
	    {STAGE_RCPT, CLASS_MAILBOX, false},
	    {STAGE_MAIL, CLASS_NONE, true},
	    {STAGE_MAIL, CLASS_MAILBOX, true},
	    {STAGE_BODY, CLASS_NONE, false},
	    {STAGE_BODY, CLASS_MAILBOX, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct question_letter a;
		struct drig *r;

		print_message("%s, %d\n", stage_text(cases[i].stage),
		    cases[i].class);
		teardown(state);
		setup(state);
		r = *state;
		for (unsigned k = 1; k <= 10; k++)
			legf_fault_at(r, k, cases[i].stage);
		assert_true(legf_suspended(r));
		a = answer_to(r, 0, cases[i].class);
		leg_answered(r->queue_thread, &a);
		assert_int_equal(legf_suspended(r), !cases[i].resumed);
	}
}

/* suspend_messages = 0: however many, of however many senders. */
static void a_leg_that_counts_no_messages_is_not_suspended(void **state)
{
	struct drig *r = *state;
	struct conf_leg *leg =
	    (struct conf_leg *)conf_leg_by_id(r->snapshot->conf, r->legacy);

	leg->suspend_messages = 0;
	for (unsigned k = 1; k <= 12; k++)
		legf_fault_at(r, k, STAGE_BODY);
	assert_false(legf_suspended(r));
}

/* One question at a time. */
static void it_is_asked_again_once_an_answer_is_there(void **state)
{
	struct drig *r = *state;
	struct question_letter a;
	unsigned before;

	r->good = "user0@example.com";
	legf_deliver(r);
	r->good = NULL;
	clock_fake_step(&r->clock, INT64_C(2000000));
	before = r->questions;
	legf_fault(r, 1);
	assert_int_equal(r->questions, before + 1);
	legf_fault(r, 2);
	assert_int_equal(r->questions, before + 1);
	a = answer_to(r, leg_run(r->queue_thread, r->legacy), CLASS_MAILBOX);
	leg_answered(r->queue_thread, &a);
	clock_fake_step(&r->clock, INT64_C(1000000));
	legf_fault(r, 3);
	assert_int_equal(r->questions, before + 2);
}

/* That proves more than one that met the fault, which a stranger can choose. */
static void it_is_asked_about_one_that_got_mail_today(void **state)
{
	struct drig *r = *state;
	char good[ADDR_MAX + 1] = "";

	assert_false(leg_good_recipient(r->queue_thread, r->legacy, good));
	assert_string_equal(good, "");
	r->good = "good@example.com";
	legf_deliver(r);
	r->good = NULL;
	assert_true(leg_good_recipient(r->queue_thread, r->legacy, good));
	assert_string_equal(good, "good@example.com");
	assert_false(leg_good_recipient(r->queue_thread, r->cloud, good));
	clock_fake_step(&r->clock, INT64_C(2000000));
	r->faulted = "refused@example.com";
	legf_fault(r, 1);
	assert_int_equal(r->questions, 1);
	assert_string_equal(r->asked_about, "good@example.com");
}

static void after_a_day_it_is_asked_about_one_that_met_the_fault(void **state)
{
	struct drig *r = *state;
	char good[ADDR_MAX + 1];

	drig_later(r, 3 * 86400); /* a clock far from its zero */
	r->good = "good@example.com";
	legf_deliver(r);
	r->good = NULL;
	clock_fake_step(&r->clock, INT64_C(1000000) * (86400 - PUMPED_S));
	assert_true(leg_good_recipient(r->queue_thread, r->legacy, good));
	clock_fake_step(&r->clock, INT64_C(1000000) * PUMPED_S);
	assert_false(leg_good_recipient(r->queue_thread, r->legacy, good));
	r->faulted = "refused@example.com";
	for (unsigned k = 1; k <= 9; k++)
		legf_fault(r, k);
	assert_int_equal(r->questions, 0);
	legf_fault(r, 10);
	assert_int_equal(r->questions, 1);
	assert_string_equal(r->asked_about, "refused@example.com");
}

/* Many met it, and a question got past: the leg is well, those messages are
 * not, and only an administrator can tell why. */
static void refused_messages_of_a_leg_that_is_well_are_told(void **state)
{
	static const char text[] = "It took a question of our own";
	struct drig *r = *state;
	struct question_letter a;
	FILE *log = tmpfile();

	assert_non_null(log);
	r->faulted = "user0@example.com";
	log_setup(fileno(log), LOG_LV_WARN, r->shared.clock);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned k = 1; k <= 9 + round; k++)
			legf_fault(r, 1 + k % 6);
		a = answer_to(r, leg_run(r->queue_thread, r->legacy),
		    CLASS_NONE);
		leg_answered(r->queue_thread, &a);
		assert_false(legf_suspended(r));
		assert_int_equal(lines_with(log, text), round);
	}
	log_setup(-1, LOG_LV_ERROR, &clock_system);
	fclose(log);
}

/* Each time when leg.probe is over, unless an answer is waited for. */
static void a_suspended_leg_is_asked_again_and_again(void **state)
{
	static const enum reply_class answers[] = {CLASS_CONFIGURATION,
		CLASS_NETWORK, CLASS_CONFIGURATION};
	struct drig *r = *state;
	struct question_letter a;
	unsigned before;

	r->faulted = "user0@example.com";
	for (unsigned k = 1; k <= 10; k++)
		legf_fault(r, k);
	a = answer_to(r, leg_run(r->queue_thread, r->legacy),
	    CLASS_CONFIGURATION);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		a.class = answers[i];
		leg_answered(r->queue_thread, &a);
		assert_true(legf_suspended(r));
		before = r->questions;
		drig_later(r, INTERVAL_S - PUMPED_S);
		assert_int_equal(r->questions, before);
		drig_later(r, PUMPED_S);
		assert_int_equal(r->questions, before + 1);
		drig_later(r, INTERVAL_S);
		assert_int_equal(r->questions, before + 1);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(in_doubt_one_goes_after_the_other),
	    TEST(another_answer_than_a_fault_ends_the_doubt),
	    TEST(a_question_that_meets_the_fault_suspends),
	    TEST(ten_forged_messages_are_asked_about_first),
	    TEST(forged_mail_suspends_nothing),
	    TEST(another_message_tries_after_a_forged_one),
	    TEST(forged_mail_may_cause_a_question),
	    TEST(a_question_about_the_refused_does_not_suspend_alone),
	    TEST(another_senders_message_tries_the_leg),
	    TEST(nothing_is_asked_at_the_end),
	    TEST(a_question_that_is_taken_leads_to_a_trial_or_back),
	    TEST(a_question_about_one_who_is_gone_leads_to_a_trial),
	    TEST(a_question_that_gets_past_the_fault_ends_it),
	    TEST(a_leg_that_counts_no_messages_is_not_suspended),
	    TEST(it_is_asked_again_once_an_answer_is_there),
	    TEST(it_is_asked_about_one_that_got_mail_today),
	    TEST(after_a_day_it_is_asked_about_one_that_met_the_fault),
	    TEST(refused_messages_of_a_leg_that_is_well_are_told),
	    TEST(a_suspended_leg_is_asked_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
