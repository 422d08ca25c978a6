/* SPDX-License-Identifier: ISC
 *
 * The classes of a leg's answers to a preflight, and when asking stops.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/preflight/preflight.h"
#include "policy/reply_class.h"
#include "relay/base/clock.h"
#include "relay/mail/reply.h"
#include "tests/unit/conf_tmp.h"

enum { GENERIC = 1, M365, GOOGLE }; /* legs, behind the one of CONF_BASE */

static const char three[] = CONF_BASE
	"leg \"generic\" { hosts = { \"a\" } }\n"
	"leg \"microsoft365\" { hosts = { \"a\" }\n"
	"  profile = \"microsoft365\" }\n"
	"leg \"google\" { hosts = { \"a\" } profile = \"google\" }\n";

/* clang-format off */
static const struct {
	enum stage stage;
	int profile;
	enum preflight_class class;
	enum preflight_stop stop;
	const char *reply;
} cases[] = {
	{ STAGE_RCPT, GENERIC, PREFLIGHT_TAKEN, PREFLIGHT_GO, "250 2.1.5 Ok" },
	{ STAGE_RCPT, GENERIC, PREFLIGHT_TAKEN, PREFLIGHT_GO, "251 will forward" },
	{ STAGE_RCPT, GENERIC, PREFLIGHT_UNKNOWN, PREFLIGHT_GO,
	  "550 5.1.1 <ann@example.com>: User unknown in relay recipient table" },
	{ STAGE_RCPT, M365, PREFLIGHT_UNKNOWN, PREFLIGHT_GO,
	  "550 5.4.1 Recipient address rejected: Access denied. AS(201)" },
	{ STAGE_RCPT, GOOGLE, PREFLIGHT_UNKNOWN, PREFLIGHT_GO,
	  "550 5.1.1 The account that you tried to reach does not exist" },
	/* refused by a policy */
	{ STAGE_RCPT, M365, PREFLIGHT_REFUSED, PREFLIGHT_GO,
	  "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; not allowed" },
	{ STAGE_RCPT, GENERIC, PREFLIGHT_REFUSED, PREFLIGHT_GO, "550 5.7.1 Policy" },
	/* undecided */
	{ STAGE_RCPT, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_GO,
	  "450 4.2.0 Greylisted, try again" },
	{ STAGE_RCPT, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_GO,
	  "450 4.1.1 User unknown in virtual alias table" },
	{ STAGE_RCPT, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_GO, "552 5.2.2 Mailbox full" },
	/* the leg asks for less, or is about to */
	{ STAGE_RCPT, M365, PREFLIGHT_UNDECIDED, PREFLIGHT_THROTTLED,
	  "451 4.7.500 Server busy. Please try again later" },
	{ STAGE_RCPT, GOOGLE, PREFLIGHT_UNDECIDED, PREFLIGHT_THROTTLED,
	  "421 4.7.28 unusual rate of unsolicited mail" },
	{ STAGE_RCPT, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_THROTTLED,
	  "421 4.7.0 relay.example.com Error: too many errors" },
	{ STAGE_GREETING, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_THROTTLED,
	  "421 4.3.2 Too busy" },
	/* it does not want us */
	{ STAGE_RCPT, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_BLOCKED,
	  "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
	  "zen.spamhaus.org" },
	{ STAGE_RCPT, M365, PREFLIGHT_UNDECIDED, PREFLIGHT_BLOCKED,
	  "550 5.7.606 Access denied, banned sending IP [192.0.2.1]" },
	{ STAGE_RCPT, M365, PREFLIGHT_UNDECIDED, PREFLIGHT_BLOCKED,
	  "550 5.4.1 Relay Access Denied" },
	{ STAGE_GREETING, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_BLOCKED,
	  "554 No SMTP service here" },
	{ STAGE_MAIL, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_BLOCKED,
	  "550 5.7.1 No null sender" },
	{ STAGE_MAIL, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_BLOCKED, "500 5.5.1 What" },
	{ STAGE_MAIL, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_GO, "451 4.3.0 Wait" },
	/* it does not answer */
	{ STAGE_CONNECT, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_NO_WAY, NULL },
	{ STAGE_DNS, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_NO_WAY, NULL },
	{ STAGE_GREETING, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_NO_WAY, NULL },
	{ STAGE_RCPT, GENERIC, PREFLIGHT_UNDECIDED, PREFLIGHT_GO, NULL },
};
/* clang-format on */

static void read_reply(const char *reply, struct result *r,
    char text[REPLY_KEEP + 1])
{
	struct reply_parser p;

	reply_parser_init(&p);
	(void)reply_parser_line(&p, slice_str(reply));
	r->code = p.code;
	memcpy(r->enh, p.enh, sizeof(r->enh));
	snprintf(text, REPLY_KEEP + 1, "%.*s", (int)p.text.n,
	    p.text.n > 0 ? p.text.p : "");
	reply_parser_fini(&p);
}

/* As the client gives it: by the digits of the code, or a silence. */
static struct result result_of(const char *reply, enum stage stage,
    char text[REPLY_KEEP + 1])
{
	struct result r = {.stage = stage, .text = text, .remote = "",
	    .tls = "", .address = "", .outcome = OUT_DEFERRED};

	text[0] = '\0';
	if (reply == NULL) {
		r.class = CLASS_NETWORK;
		return r;
	}
	read_reply(reply, &r, text);
	if (r.code < 300)
		r.outcome = OUT_DELIVERED;
	else if (r.code >= 500 && stage >= STAGE_MAIL)
		r.outcome = OUT_FAILED;
	return r;
}

static void answers_have_their_class_and_some_forbid_the_next_question(
    void **state)
{
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, three, names);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[REPLY_KEEP + 1];
		struct result r = result_of(cases[i].reply, cases[i].stage,
		    text);
		const char *said = cases[i].reply == NULL ? "silence"
							  : cases[i].reply;

		(void)reply_classify(c->leg[cases[i].profile].replies, &r);
		print_message("%s at %s\n", said, stage_text(r.stage));
		assert_string_equal(
		    preflight_class_text((int)preflight_class_of(&r,
			r.stage == STAGE_RCPT && r.code != 0)),
		    preflight_class_text((int)cases[i].class));
		assert_string_equal(
		    preflight_stop_text((int)preflight_stop_of(&r)),
		    preflight_stop_text((int)cases[i].stop));
	}
	conf_unref(c);
	names_free(names);
}

static void what_no_leg_was_told_has_no_answer_of_a_leg(void **state)
{
	const struct result cut = {.outcome = OUT_UNTRIED};
	const struct result offers = {.outcome = OUT_FAILED,
	    .class = CLASS_RECIPIENT, .stage = STAGE_MAIL, .enh = "5.6.7"};

	(void)state;
	assert_int_equal(preflight_class_of(&cut, false), PREFLIGHT_UNASKED);
	assert_int_equal(preflight_stop_of(&cut), PREFLIGHT_GO);
	assert_int_equal(preflight_class_of(&offers, false),
	    PREFLIGHT_REFUSED);
	assert_int_equal(preflight_stop_of(&offers), PREFLIGHT_GO);
}

static void only_a_leg_that_refuses_a_random_name_proves_something(
    void **state)
{
	static const enum preflight_class want[PREFLIGHT_ANY_NAME] = {
	    [PREFLIGHT_UNASKED] = PREFLIGHT_UNDECIDED,
	    [PREFLIGHT_TAKEN] = PREFLIGHT_ANY_NAME,
	    [PREFLIGHT_UNKNOWN] = PREFLIGHT_TAKEN,
	    [PREFLIGHT_REFUSED] = PREFLIGHT_TAKEN,
	    [PREFLIGHT_UNDECIDED] = PREFLIGHT_UNDECIDED};

	(void)state;
	for (int i = 0; i < PREFLIGHT_ANY_NAME; i++) {
		enum preflight_class random = (enum preflight_class)i;

		assert_int_equal(preflight_judge(PREFLIGHT_TAKEN, random),
		    want[i]);
		assert_int_equal(preflight_judge(PREFLIGHT_UNKNOWN, random),
		    PREFLIGHT_UNKNOWN);
		assert_int_equal(preflight_judge(PREFLIGHT_UNDECIDED, random),
		    PREFLIGHT_UNDECIDED);
	}
	assert_false(preflight_fails(PREFLIGHT_UNDECIDED));
	assert_false(preflight_fails(PREFLIGHT_ANY_NAME));
	assert_false(preflight_fails(PREFLIGHT_TAKEN));
	assert_true(preflight_fails(PREFLIGHT_UNKNOWN));
	assert_true(preflight_fails(PREFLIGHT_REFUSED));
}

static void an_answer_holds_for_a_day_and_an_undecided_one_for_none(
    void **state)
{
	const int64_t day = DAY_US, at = 5 * DAY_US;

	(void)state;
	assert_true(preflight_fresh(PREFLIGHT_TAKEN, at, at));
	assert_true(preflight_fresh(PREFLIGHT_UNKNOWN, at, at + day - 1));
	assert_false(preflight_fresh(PREFLIGHT_UNKNOWN, at, at + day));
	assert_false(preflight_fresh(PREFLIGHT_TAKEN, at, at - 1));
	assert_false(preflight_fresh(PREFLIGHT_UNDECIDED, at, at));
	assert_false(preflight_fresh(PREFLIGHT_UNASKED, at, at));
}

static void an_undecided_one_is_asked_again_and_not_for_ever(void **state)
{
	/* Behind the five minutes of most grey lists, too. */
	static const int64_t after_s[PREFLIGHT_TRIES] = {0, 60, 360, 900};

	(void)state;
	for (unsigned i = 0; i < PREFLIGHT_TRIES; i++)
		assert_int_equal(preflight_again_us(i), after_s[i] * 1000000);
	assert_int_equal(preflight_again_us(PREFLIGHT_TRIES), -1);
	assert_int_equal(preflight_again_us(1000), -1);
}

/* Ten of 200 are 5 %, eleven are over it, wherever they stand. */
static void over_five_in_a_hundred_unknown_stop_it(void **state)
{
	struct preflight_window w = {.at = 0};

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(preflight_window_add(&w, PREFLIGHT_UNKNOWN),
		    PREFLIGHT_GO);
	for (int i = 0; i < 189; i++)
		assert_int_equal(preflight_window_add(&w, PREFLIGHT_TAKEN),
		    PREFLIGHT_GO);
	assert_int_equal(preflight_window_add(&w, PREFLIGHT_UNKNOWN),
	    PREFLIGHT_STRANGERS);
	/* The first of the window has left it since. */
	assert_int_equal(preflight_window_add(&w, PREFLIGHT_UNKNOWN),
	    PREFLIGHT_STRANGERS);
	assert_int_equal(preflight_window_add(&w, PREFLIGHT_REFUSED),
	    PREFLIGHT_GO);
}

static unsigned asked_in(int64_t us, unsigned rate, int64_t step_us)
{
	struct preflight_pace p = {.at_us = 0};
	unsigned n = 0;

	for (int64_t at = 1000; at < 1000 + us; at += step_us)
		n += preflight_pace_take(&p, at, rate, 1000);
	return n;
}

static void the_rate_holds_however_often_it_is_looked(void **state)
{
	static const int64_t steps[] = {700, 50000, 333333, 1000000};
	static const unsigned rates[] = {1, 2, 20, 1000};

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(steps); s++)
		for (size_t r = 0; r < ARRAY_LEN(rates); r++) {
			unsigned n = asked_in(MINUTE_US, rates[r], steps[s]);

			print_message("%u a second, looked every %lld us\n",
			    rates[r], (long long)steps[s]);
			assert_in_range(n, 58 * rates[r], 60 * rates[r] + 1);
		}
}

static void a_pause_saves_a_second_at_most(void **state)
{
	struct preflight_pace p = {.at_us = 0};

	(void)state;
	assert_int_equal(preflight_pace_take(&p, 1, 20, 100), 1);
	assert_int_equal(preflight_pace_wait(&p, 1, 20), 50000);
	assert_int_equal(preflight_pace_wait(&p, 50001, 20), 0);
	assert_int_equal(preflight_pace_take(&p, HOUR_US, 20, 100), 21);
	assert_int_equal(preflight_pace_take(&p, HOUR_US, 20, 100), 0);
	/* A clock that goes back gives nothing. */
	assert_int_equal(preflight_pace_take(&p, HOUR_US - 1, 20, 100), 0);
	assert_int_equal(preflight_pace_take(&p, HOUR_US + 100000, 20, 1), 1);
	assert_int_equal(preflight_pace_take(&p, HOUR_US + 100000, 20, 9), 1);
}

/* Past two seconds more than that is saved up; up to then, what the rate
 * gives. */
static void a_slow_pace_gives_what_its_time_was_worth(void **state)
{
	static const struct { int64_t past_us; unsigned may; } after[] = {
	    {0, 0}, {999999, 0}, {1000000, 1}, {1500000, 1}, {1999999, 1},
	    {2000000, 2}, {2000001, 2}, {9000000, 2}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(after); i++) {
		struct preflight_pace p = {.at_us = 0};

		assert_int_equal(preflight_pace_take(&p, HOUR_US, 1, 9), 1);
		assert_int_equal(preflight_pace_take(&p,
		    HOUR_US + after[i].past_us, 1, 9), after[i].may);
	}
	assert_int_equal(preflight_pace_wait(&(struct preflight_pace){
	    .at_us = HOUR_US}, HOUR_US, 0), 1000000);
}

static void classes_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < PREFLIGHT_CLASSES; i++)
		assert_int_equal(preflight_class_named(
		    slice_str(preflight_class_text(i))), i);
	assert_int_equal(preflight_class_named(slice_str("maybe")), -1);
	assert_string_equal(preflight_class_text(-1), "?");
	assert_string_equal(preflight_class_text(PREFLIGHT_CLASSES), "?");
	assert_string_equal(preflight_stop_text(PREFLIGHT_GO), "");
	for (int i = 1; i < PREFLIGHT_STOPS; i++)
		assert_string_not_equal(preflight_stop_text(i), "");
	assert_string_equal(preflight_stop_text(-1), "?");
	assert_string_equal(preflight_stop_text(PREFLIGHT_STOPS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		answers_have_their_class_and_some_forbid_the_next_question),
	    cmocka_unit_test(what_no_leg_was_told_has_no_answer_of_a_leg),
	    cmocka_unit_test(
		only_a_leg_that_refuses_a_random_name_proves_something),
	    cmocka_unit_test(
		an_answer_holds_for_a_day_and_an_undecided_one_for_none),
	    cmocka_unit_test(
		an_undecided_one_is_asked_again_and_not_for_ever),
	    cmocka_unit_test(over_five_in_a_hundred_unknown_stop_it),
	    cmocka_unit_test(the_rate_holds_however_often_it_is_looked),
	    cmocka_unit_test(a_pause_saves_a_second_at_most),
	    cmocka_unit_test(a_slow_pace_gives_what_its_time_was_worth),
	    cmocka_unit_test(classes_have_names),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
