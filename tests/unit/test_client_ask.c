/* SPDX-License-Identifier: ISC
 *
 * Questions: would the leg take this recipient? And what is said where DSN is
 * not offered, and what the client learns of a leg on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/mail/reply.h"
#include "tests/unit/testclient.h"

#define EHLO(keywords) "EHLO", "250-leg.test\r\n" keywords "250 HELP\r\n", 0
#define PIPE "250-PIPELINING\r\n"
#define MAIL "MAIL FROM:<from@src.test>"
#define TO(x) "RCPT TO:<" x ">\n"
#define YES "delivered 250 2.1.5 rcpt none\n"
#define NO "failed 550 5.1.1 rcpt recipient\n"

/* clang-format off */
static const struct {
	const char *name;
	struct leg_rule rules[4];
	const char *to;
	const char *results; /* a line a recipient */
	const char *said;
} cases[] = {
	{ "taken", { { EHLO("") } }, "a@x.test", YES,
	  MAIL "\n" TO("a@x.test") "RSET\n" },
	{ "taken, and nothing is said of a content",
	  { { EHLO(PIPE "250-CHUNKING\r\n250-SIZE 9\r\n250-8BITMIME\r\n") } },
	  "a@x.test", YES, MAIL "\n" TO("a@x.test") "RSET\n" },
	{ "each has his answer",
	  { { EHLO(PIPE) }, { "RCPT TO:<b@", "550 5.1.1 who?\r\n", 0 },
	    { "RCPT TO:<c@", "451 4.3.0 later\r\n", 0 } },
	  "a@x.test b@x.test c@x.test a@x.test", YES NO
	  "deferred 451 4.3.0 rcpt none\n" YES,
	  MAIL "\n" TO("a@x.test") TO("b@x.test") TO("c@x.test") "RSET\n" },
	{ "nobody", { { EHLO("") }, { "RCPT", "550 5.1.1 who?\r\n", 0 } },
	  "a@x.test b@x.test", NO NO,
	  MAIL "\n" TO("a@x.test") TO("b@x.test") "RSET\n" },
	{ "one recipient a transaction", { { EHLO("250-LIMITS RCPTMAX=1\r\n") } },
	  "a@x.test b@x.test", YES YES,
	  MAIL "\n" TO("a@x.test") "RSET\n" MAIL "\n" TO("b@x.test") "RSET\n" },
	{ "too many at once: the rest is asked again",
	  { { EHLO("") }, { "RCPT TO:<b@", "452 4.5.3 enough\r\n", 1 } },
	  "a@x.test b@x.test", YES YES,
	  MAIL "\n" TO("a@x.test") TO("b@x.test") "RSET\n"
	  MAIL "\n" TO("b@x.test") "RSET\n" },
	{ "MAIL is refused", { { EHLO("") }, { "MAIL", "550 5.7.1 no\r\n", 0 } },
	  "a@x.test", "failed 550 5.7.1 mail message\n", MAIL "\n" },
	{ "421 to the second keeps the first",
	  { { EHLO("") }, { "RCPT TO:<b@", "421 4.3.2 bye\r\n" LEG_CLOSE, 0 } },
	  "a@x.test b@x.test", YES "deferred 421 4.3.2 rcpt network\n",
	  MAIL "\n" TO("a@x.test") TO("b@x.test") },
	{ "closes at RCPT", { { EHLO("") }, { "RCPT", LEG_CLOSE, 0 } },
	  "a@x.test", "deferred 0 4.4.2 rcpt network\n",
	  MAIL "\n" TO("a@x.test") },
	{ "closes at RSET: the answer stands",
	  { { EHLO("") }, { "RSET", LEG_CLOSE, 0 } }, "a@x.test", YES,
	  MAIL "\n" TO("a@x.test") "RSET\n" },
	{ "nonsense at RSET: the answer stands",
	  { { EHLO("") }, { "RSET", "354 go on\r\n", 0 } }, "a@x.test", YES,
	  MAIL "\n" TO("a@x.test") "RSET\n" },
	{ "354 to RCPT", { { EHLO("") }, { "RCPT", "354 go on\r\n", 0 } },
	  "a@x.test", "deferred 0 4.5.0 rcpt network\n",
	  MAIL "\n" TO("a@x.test") },
	{ "an answer too many",
	  { { EHLO(PIPE) }, { "RCPT", "250 2.1.5 ok\r\n250 2.1.5 ok\r\n", 0 } },
	  "a@x.test", YES, NULL },
};
/* clang-format on */

static void a_question_has_the_answer_to_rcpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(NULL);
		struct sent *s = asked_new(w, cases[i].to);

		print_message("%s\n", cases[i].name);
		leg_script(w->leg, cases[i].rules);
		assert_true(world_send(w, s));
		assert_int_equal(s->done, 0);
		world_wait(w, 1);
		world_turns(w, 3); /* RSET after the report */
		sent_check(s, cases[i].results);
		if (cases[i].said != NULL)
			assert_string_equal(world_said(w), cases[i].said);
		assert_int_equal(w->leg->bodies, 0);
		assert_int_equal(w->leg->connected, 1);
		client_drain(w->client);
		world_until(w, &w->slots, 4);
		sent_free(s);
		world_free(w);
	}
}

static void questions_and_messages_share_connections(void **state)
{
	struct world *w = world_new(NULL);
	struct sent *s[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		s[i] = i % 2 ? sent_new(w, "a@x.test")
			     : asked_new(w, "a@x.test");
		assert_true(world_send(w, s[i]));
		world_wait(w, i + 1);
		world_until(w, &w->idle_calls, i + 1);
		assert_string_equal(sent_text(s[i], 0),
		    i % 2 ? "delivered 250 2.0.0 body none"
			  : "delivered 250 2.1.5 rcpt none");
	}
	assert_int_equal(w->leg->connected, 1);
	assert_int_equal(w->leg->bodies, 2);
	for (int i = 0; i < 4; i++)
		sent_free(s[i]);
	world_free(w);
}

/* The leg closed it while it was idle: asked again on a fresh one. */
static void a_question_survives_a_stale_connection(void **state)
{
	static const struct leg_rule rules[] = {
	    {"MAIL", LEG_CLOSE, 1}, {NULL, NULL, 0}};
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test"), *t = asked_new(w, "b@x.test");

	(void)state;
	assert_true(world_send(w, s));
	world_wait(w, 1);
	world_until(w, &w->idle_calls, 1);
	leg_script(w->leg, rules);
	assert_true(world_send(w, t));
	world_wait(w, 2);
	assert_string_equal(sent_text(t, 0), "delivered 250 2.1.5 rcpt none");
	assert_int_equal(w->leg->connected, 1);
	sent_free(s);
	sent_free(t);
	world_free(w);
}

static void the_end_of_the_client_leaves_a_question_untried(void **state)
{
	static const struct leg_rule rules[] = {
	    {"RCPT", "", 0}, {NULL, NULL, 0}};
	struct world *w = world_new(NULL);
	struct sent *s = asked_new(w, "a@x.test");

	(void)state;
	leg_script(w->leg, rules);
	assert_true(world_send(w, s));
	world_until(w, &w->leg->connected, 1);
	client_free(w->client);
	w->client = NULL;
	assert_string_equal(sent_text(s, 0), "untried 0 4.4.2 mail network");
	sent_free(s);
	world_free(w);
}

/* ---- the sender of a copy ---- */

static void a_leg_without_dsn_hears_of_the_return_address(void **state)
{
	static const struct {
		struct leg_rule rule;
		const char *said;
		bool dsn;
	} legs[] = {
	    {{EHLO("250-DSN\r\n")},
		MAIL "\nRCPT TO:<a@x.test> NOTIFY=NEVER\nDATA\n", true},
	    {{EHLO(PIPE)},
		"MAIL FROM:<r=1@return.test>\n" TO("a@x.test") "DATA\n", false},
	    {{"EHLO", "502 5.5.1 no\r\n", 0},
		"HELO relay.test\nMAIL FROM:<r=1@return.test>\n" TO(
		    "a@x.test") "DATA\n",
		false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(legs); i++) {
		const struct leg_rule rules[] = {legs[i].rule, {NULL, NULL, 0}};
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, "a@x.test a@x.test");

		s->r.from_without_dsn = "r=1@return.test";
		s->rcpt[0].notify = s->rcpt[1].notify = NOTIFY_NEVER;
		s->rcpt[0].dsn = s->rcpt[1].dsn = !legs[i].dsn;
		leg_script(w->leg, rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(world_said(w), legs[i].said);
		assert_int_equal(s->rcpt[0].dsn, legs[i].dsn);
		assert_int_equal(s->rcpt[1].dsn, legs[i].dsn);
		sent_free(s);
		world_free(w);
	}
}

static void a_return_address_that_is_none_is_never_said(void **state)
{
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test");

	(void)state;
	s->r.from_without_dsn = "r=1@return.test> SIZE=1";
	assert_true(world_send(w, s));
	world_wait(w, 1);
	assert_string_equal(sent_text(s, 0), "failed 0 5.1.7 mail message");
	assert_string_equal(world_said(w), "");
	sent_free(s);
	world_free(w);
}

/* ---- what is learned ---- */

static void what_a_leg_offers_is_told(void **state)
{
	static const struct {
		struct leg_rule rule;
		unsigned ext;
		uint64_t size;
		int calls;
	} legs[] = {
	    {{EHLO("250-SIZE 900\r\n250-DSN\r\n")}, EXT_SIZE | EXT_DSN, 900, 1},
	    {{"EHLO", "502 5.5.1 no\r\n", 0}, 0, 0, 1},
	    {{"EHLO", "451 4.3.0 later\r\n", 0}, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(legs); i++) {
		const struct leg_rule rules[] = {legs[i].rule, {NULL, NULL, 0}};
		struct world *w = world_new(NULL);
		struct sent *s = asked_new(w, "a@x.test");

		leg_script(w->leg, rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_int_equal(w->learned_calls, legs[i].calls);
		assert_int_equal(w->learned.ext, legs[i].ext);
		assert_int_equal(w->learned.size, legs[i].size);
		sent_free(s);
		world_free(w);
	}
}

/* An answer to EHLO of so many bytes before its last line, SIZE. */
static void long_ehlo(size_t before, struct strbuf *out)
{
	enum { LINE = 1000 };

	strbuf_adds(out, "250-leg.test\r\n250-DSN\r\n");
	for (before -= strlen("leg.test\nDSN\n"); before > 0;) {
		size_t n = before < LINE ? before : LINE;

		strbuf_addf(out, "250-%0*d\r\n", (int)n - 1, 0);
		before -= n;
	}
	strbuf_adds(out, "250 SIZE 35882577\r\n");
}

/* Half of a number is a limit that was never set. */
static void an_extension_that_was_cut_is_none(void **state)
{
	const size_t most = REPLY_KEEP - strlen("SIZE 35882577");
	struct strbuf text;

	(void)state;
	strbuf_init(&text, 2 * REPLY_KEEP);
	for (size_t before = most - 3; before < REPLY_KEEP + 3; before++) {
		struct world *w = world_new(NULL);
		struct sent *s = asked_new(w, "a@x.test");
		struct leg_rule rules[] = {{"EHLO", "", 0}, {NULL, NULL, 0}};

		strbuf_reset(&text);
		long_ehlo(before, &text);
		rules[0].answer = strbuf_cstr(&text);
		leg_script(w->leg, rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_true(w->learned.ext & EXT_DSN);
		assert_int_equal(
		    w->learned.size, before <= most ? 35882577 : 0);
		sent_free(s);
		world_free(w);
	}
	strbuf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_question_has_the_answer_to_rcpt),
	    cmocka_unit_test(questions_and_messages_share_connections),
	    cmocka_unit_test(a_question_survives_a_stale_connection),
	    cmocka_unit_test(the_end_of_the_client_leaves_a_question_untried),
	    cmocka_unit_test(a_leg_without_dsn_hears_of_the_return_address),
	    cmocka_unit_test(a_return_address_that_is_none_is_never_said),
	    cmocka_unit_test(what_a_leg_offers_is_told),
	    cmocka_unit_test(an_extension_that_was_cut_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
