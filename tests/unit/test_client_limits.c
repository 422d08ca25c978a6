/* SPDX-License-Identifier: ISC
 *
 * Limits of a leg, at once and at all: LIMITS (RFC 9422), recipients of one
 * domain, replies that ask for another transaction, 8-bit content.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "conf/profile.h"
#include "tests/unit/testclient.h"

#define EHLO(keywords) "EHLO", "250-leg.test\r\n" keywords "250 HELP\r\n", 0
#define PIPE "250-PIPELINING\r\n"
#define LIMITS(text) "250-LIMITS " text "\r\n"

#define MAIL "MAIL FROM:<from@src.test>\n"
#define TO(x) "RCPT TO:<" x ">\n"
#define OK "delivered 250 2.0.0 body none\n"
#define DOMAINS "550 5.7.1 multiple destination domains per transaction is " \
    "unsupported\r\n"

enum { ONE_DOMAIN = 1, MAX_MESSAGES = 2, ASK = 4, SPLITS = 8 };

/* clang-format off */
static const struct {
	const char *name;
	struct leg_rule rules[4];
	const char *to;
	unsigned how;
	const char *results; /* a line a recipient */
	const char *said;
	int connected;
} cases[] = {
	{ "RCPTMAX", { { EHLO(LIMITS("RCPTMAX=2")) } }, "a@x.test b@x.test c@x.test",
	  0, OK OK OK, MAIL TO("a@x.test") TO("b@x.test") "DATA\n"
	  MAIL TO("c@x.test") "DATA\n", 1 },
	{ "MAILMAX within one message", { { EHLO(LIMITS("RCPTMAX=1 MAILMAX=2")) } },
	  "a@x.test b@x.test c@x.test", 0, OK OK OK, MAIL TO("a@x.test") "DATA\n"
	  MAIL TO("b@x.test") "DATA\n" MAIL TO("c@x.test") "DATA\n", 2 },
	{ "our own limit of messages", { { EHLO(LIMITS("RCPTMAX=1")) } },
	  "a@x.test b@x.test", MAX_MESSAGES, OK OK,
	  MAIL TO("a@x.test") "DATA\n" MAIL TO("b@x.test") "DATA\n", 2 },
	{ "MAILMAX counts questions", { { EHLO(LIMITS("RCPTMAX=1 MAILMAX=1")) } },
	  "a@x.test b@x.test", ASK,
	  "delivered 250 2.1.5 rcpt none\ndelivered 250 2.1.5 rcpt none\n",
	  MAIL TO("a@x.test") MAIL TO("b@x.test"), 2 },

	{ "one domain a transaction, by the profile", { { EHLO(PIPE) } },
	  "a@x.test b@y.test c@X.TEST", ONE_DOMAIN, OK OK OK,
	  MAIL TO("a@x.test") TO("c@X.TEST") "DATA\n" MAIL TO("b@y.test") "DATA\n", 1 },
	{ "… and no more than RCPTMAX", { { EHLO(PIPE LIMITS("RCPTMAX=2")) } },
	  "a@x.test b@x.test c@y.test d@x.test", ONE_DOMAIN, OK OK OK OK,
	  MAIL TO("a@x.test") TO("b@x.test") "DATA\n" MAIL TO("c@y.test") "DATA\n"
	  MAIL TO("d@x.test") "DATA\n", 1 },
	{ "one domain a session, RCPTDOMAINMAX", { { EHLO(LIMITS("RCPTDOMAINMAX=1")) } },
	  "a@x.test b@y.test c@x.test", 0, OK OK OK,
	  MAIL TO("a@x.test") TO("c@x.test") "DATA\n" MAIL TO("b@y.test") "DATA\n", 2 },
	{ "one domain, several transactions of a session",
	  { { EHLO(LIMITS("RCPTDOMAINMAX=1 RCPTMAX=1")) } }, "a@x.test b@x.test",
	  0, OK OK, MAIL TO("a@x.test") "DATA\n" MAIL TO("b@x.test") "DATA\n", 1 },

	{ "split by the profile's row",
	  { { EHLO(PIPE) }, { "RCPT TO:<b@", DOMAINS, 1 } },
	  "a@x.test b@y.test c@x.test", SPLITS, OK OK OK,
	  MAIL TO("a@x.test") TO("b@y.test") TO("c@x.test") "DATA\n"
	  MAIL TO("b@y.test") "DATA\n", 1 },
	{ "… one by one", { { EHLO("") }, { "RCPT TO:<b@", DOMAINS, 1 } },
	  "a@x.test b@y.test c@x.test", SPLITS, OK OK OK,
	  MAIL TO("a@x.test") TO("b@y.test") TO("c@x.test") "DATA\n"
	  MAIL TO("b@y.test") "DATA\n", 1 },
	{ "a row that is none is a refusal",
	  { { EHLO(PIPE) }, { "RCPT TO:<b@", DOMAINS, 0 } },
	  "a@x.test b@y.test", 0, OK "failed 550 5.7.1 rcpt recipient\n",
	  MAIL TO("a@x.test") TO("b@y.test") "DATA\n", 1 },
	{ "alone it is no reason: it waits or fails",
	  { { EHLO("") }, { "RCPT TO:<b@", DOMAINS, 0 } },
	  "a@x.test b@y.test", SPLITS, OK "failed 550 5.7.1 rcpt recipient\n",
	  MAIL TO("a@x.test") TO("b@y.test") "DATA\n" MAIL TO("b@y.test") "RSET\n", 1 },
	{ "452 without an enhanced code",
	  { { EHLO("") }, { "RCPT TO:<b@", "452 Too many recipients\r\n", 1 } },
	  "a@x.test b@x.test", 0, OK OK, MAIL TO("a@x.test") TO("b@x.test") "DATA\n"
	  MAIL TO("b@x.test") "DATA\n", 1 },
	{ "452 of a full mailbox is no split",
	  { { EHLO("") }, { "RCPT TO:<b@", "452 4.2.2 full\r\n", 0 } },
	  "a@x.test b@x.test", 0, OK "deferred 452 4.2.2 rcpt none\n",
	  MAIL TO("a@x.test") TO("b@x.test") "DATA\n", 1 },
};
/* clang-format on */

static void set_up(struct world *w, unsigned how)
{
	static const struct conf_profile profile = {.one_domain = true};

	if (how & ONE_DOMAIN)
		w->cl.replies = &profile;
	if (how & MAX_MESSAGES)
		w->cl.max_messages = 1;
	if (how & SPLITS)
		w->splits = "multiple destination domains";
}

static void a_leg_is_asked_for_no_more_than_it_takes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(NULL);
		struct sent *s = cases[i].how & ASK
				     ? asked_new(w, cases[i].to)
				     : sent_new(w, cases[i].to);

		print_message("%s\n", cases[i].name);
		set_up(w, cases[i].how);
		leg_script(w->leg, cases[i].rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		sent_check(s, cases[i].results);
		client_drain(w->client);
		world_until(w, &w->slots, 4);
		assert_string_equal(world_said(w), cases[i].said);
		assert_int_equal(w->leg->connected, cases[i].connected);
		sent_free(s);
		world_free(w);
	}
}

/* "Not with the others" is no number: who came after it was taken. */
static void a_split_in_the_middle_teaches_no_limit(void **state)
{
	static const struct leg_rule rules[] = {{EHLO("")},
	    {"RCPT TO:<b@", DOMAINS, 1}, {NULL, NULL, 0}};
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test b@y.test c@x.test");
	struct sent *t = sent_new(w, "a@x.test c@x.test d@x.test");

	(void)state;
	w->splits = "multiple destination domains";
	leg_script(w->leg, rules);
	assert_true(world_send(w, s));
	world_until(w, &w->idle_calls, 1);
	strbuf_reset(&w->leg->said);
	assert_true(world_send(w, t));
	world_wait(w, 2);
	assert_string_equal(world_said(w),
	    MAIL TO("a@x.test") TO("c@x.test") TO("d@x.test") "DATA\n");
	sent_free(s);
	sent_free(t);
	world_free(w);
}

/* RFC 9422: of a session, so a kept connection is for its domain. */
static void a_kept_connection_of_one_domain_serves_that_domain(void **state)
{
	static const struct leg_rule rules[] = {
	    {EHLO(LIMITS("RCPTDOMAINMAX=1"))}, {NULL, NULL, 0}};
	static const struct {
		const char *to;
		int connected;
	} mails[] = {{"a@x.test", 1}, {"b@X.test", 1}, {"c@y.test", 2},
	    {"d@x.test", 2}, {"e@y.test", 2}};
	struct world *w = world_new(NULL);

	(void)state;
	leg_script(w->leg, rules);
	for (size_t i = 0; i < ARRAY_LEN(mails); i++) {
		struct sent *s = sent_new(w, mails[i].to);

		assert_true(world_send(w, s));
		world_until(w, &w->idle_calls, (int)i + 1);
		sent_check(s, OK);
		assert_int_equal(w->leg->connected, mails[i].connected);
		sent_free(s);
	}
	world_free(w);
}

/* ---- 8-bit content ---- */

static void eight_bit_content_is_sent_and_counted_or_refused(void **state)
{
	static const struct {
		struct leg_rule ehlo;
		enum eightbit leg;
		bool eight_bit;
		const char *result;
		unsigned counted;
	} ways[] = {
	    {{EHLO("")}, EIGHTBIT_SEND, true, OK, 1},
	    {{EHLO("")}, EIGHTBIT_SEND, false, OK, 0},
	    {{EHLO("")}, EIGHTBIT_REFUSE, true,
		"failed 0 5.6.3 mail message\n", 0},
	    {{EHLO("")}, EIGHTBIT_REFUSE, false, OK, 0},
	    {{EHLO("250-8BITMIME\r\n")}, EIGHTBIT_REFUSE, true, OK, 0},
	    {{EHLO("250-8BITMIME\r\n")}, EIGHTBIT_SEND, true, OK, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		const struct leg_rule rules[] = {ways[i].ehlo, {NULL, NULL, 0}};
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, "a@x.test");

		print_message("case %zu\n", i);
		w->cl.eightbit = ways[i].leg;
		s->r.eight_bit = ways[i].eight_bit;
		s->r.body = BODY_8BITMIME; /* as many say of plain text */
		leg_script(w->leg, rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		sent_check(s, ways[i].result);
		assert_int_equal(
		    client_eightbit(w->client, w->cl.id), ways[i].counted);
		sent_free(s);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_leg_is_asked_for_no_more_than_it_takes),
	    cmocka_unit_test(a_split_in_the_middle_teaches_no_limit),
	    cmocka_unit_test(
		a_kept_connection_of_one_domain_serves_that_domain),
	    cmocka_unit_test(eight_bit_content_is_sent_and_counted_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
