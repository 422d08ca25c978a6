/* SPDX-License-Identifier: ISC
 *
 * LMTP (RFC 2033): after the content a reply for each recipient that was
 * accepted, in order. Whose reply did not come is uncertain, the others are
 * not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/testclient.h"

#define LHLO(keywords) "LHLO", "250-leg.test\r\n" keywords "250 HELP\r\n", 0
#define PIPE "250-PIPELINING\r\n"
#define CHUNK "250-CHUNKING\r\n"
#define MAIL "LHLO relay.test\nMAIL FROM:<from@src.test>\n"
#define TO(x) "RCPT TO:<" x ">\n"
#define OK "delivered 250 2.0.0 body none\n"
#define GONE "failed 550 5.1.1 rcpt recipient\n"
#define LOST "deferred 0 4.4.2 body network uncertain\n"
#define ABC "a@x.test b@x.test c@x.test"
#define TO_ABC TO("a@x.test") TO("b@x.test") TO("c@x.test")

/* clang-format off */
static const struct {
	const char *name;
	struct leg_rule rules[4];
	const char *to;
	const char *results; /* a line a recipient */
	const char *said;    /* NULL: not looked at */
} cases[] = {
	{ "one", { { LHLO("") } }, "a@x.test", OK,
	  MAIL TO("a@x.test") "DATA\n" },
	{ "a reply for each", { { LHLO(PIPE) },
	    { ".", "250 2.0.0 a\r\n552 5.2.2 full\r\n451 4.3.0 later\r\n", 0 } },
	  ABC, OK "failed 552 5.2.2 body message\ndeferred 451 4.3.0 body none\n",
	  MAIL TO_ABC "DATA\n" },
	{ "replies of many lines", { { LHLO(PIPE) },
	    { ".", "250-2.0.0 a\r\n250 2.0.0 a\r\n250-2.0.0 b\r\n250 2.0.0 b\r\n", 0 } },
	  "a@x.test b@x.test", OK OK, NULL },
	{ "none for whom RCPT refused", { { LHLO(PIPE) },
	    { "RCPT TO:<b@", "550 5.1.1 who?\r\n", 0 },
	    { ".", "250 2.0.0 a\r\n554 5.6.0 c\r\n", 0 } },
	  ABC, OK GONE "failed 554 5.6.0 body message\n", MAIL TO_ABC "DATA\n" },
	{ "one by one", { { LHLO("") }, { "RCPT TO:<a@", "550 5.1.1 who?\r\n", 0 },
	    { ".", "250 2.0.0 b\r\n250 2.0.0 c\r\n", 0 } },
	  ABC, GONE OK OK, MAIL TO_ABC "DATA\n" },
	{ "nobody: no content is begun", { { LHLO(PIPE) },
	    { "RCPT", "550 5.1.1 who?\r\n", 0 } },
	  "a@x.test b@x.test", GONE GONE,
	  MAIL TO("a@x.test") TO("b@x.test") "RSET\n" },
	{ "MAIL is refused", { { LHLO(PIPE) }, { "MAIL", "451 4.3.0 later\r\n", 0 },
	    { "RCPT", "503 5.5.1 MAIL first\r\n", 0 } },
	  "a@x.test", "deferred 451 4.3.0 mail none\n",
	  MAIL TO("a@x.test") "RSET\n" },
	{ "DATA is refused for all", { { LHLO(PIPE) },
	    { "DATA", "451 4.3.0 later\r\n", 0 } }, "a@x.test b@x.test",
	  "deferred 451 4.3.0 data none\ndeferred 451 4.3.0 data none\n",
	  MAIL TO("a@x.test") TO("b@x.test") "DATA\nRSET\n" },
	{ "equal ones have one reply", { { LHLO(PIPE) },
	    { ".", "250 2.0.0 a\r\n554 5.6.0 b\r\n", 0 } },
	  "a@x.test a@X.test b@x.test", OK OK "failed 554 5.6.0 body message\n",
	  MAIL TO("a@x.test") TO("b@x.test") "DATA\n" },
	{ "chunks: replies after the last", { { LHLO(PIPE CHUNK) },
	    { "BDAT", "250 2.0.0 a\r\n250 2.0.0 b\r\n", 0 } },
	  "a@x.test b@x.test", OK OK,
	  MAIL TO("a@x.test") TO("b@x.test") "BDAT 25 LAST\n" },
	{ "chunks: one refused, and RSET (RFC 3030 2)", { { LHLO(CHUNK) },
	    { "BDAT", "550 5.7.1 a\r\n250 2.0.0 b\r\n", 0 } },
	  "a@x.test b@x.test", "failed 550 5.7.1 body message\n" OK,
	  MAIL TO("a@x.test") TO("b@x.test") "BDAT 25 LAST\nRSET\n" },
	{ "several transactions", { { LHLO(PIPE "250-LIMITS RCPTMAX=2\r\n") },
	    { ".", "250 2.0.0 a\r\n250 2.0.0 b\r\n", 1 } },
	  ABC, OK OK OK, MAIL TO("a@x.test") TO("b@x.test") "DATA\n"
	  "MAIL FROM:<from@src.test>\n" TO("c@x.test") "DATA\n" },

	{ "it has the name of this machine",
	  { { "CONNECT", "220 relay.test LMTP\r\n", 0 },
	    { "LHLO", "250 relay.test\r\n", 0 } }, "a@x.test", OK, NULL },
	{ "it speaks no LMTP", { { "LHLO", "502 5.5.1 EHLO, please\r\n", 0 } },
	  "a@x.test", "deferred 502 5.5.1 ehlo configuration\n", "LHLO relay.test\n" },
	{ "LHLO later", { { "LHLO", "451 4.3.0 later\r\n", 0 } },
	  "a@x.test", "deferred 451 4.3.0 ehlo network\n", "LHLO relay.test\n" },
	{ "dies after the dot", { { ".", LEG_CLOSE, 0 } }, ABC, LOST LOST LOST, NULL },
	{ "dies between the replies", { { ".", "250 2.0.0 a\r\n" LEG_CLOSE, 0 } },
	  ABC, OK LOST LOST, NULL },
	{ "is reset between the replies",
	  { { ".", "554 5.6.0 a\r\n250 2.0.0 b\r\n2" LEG_RESET, 0 } },
	  ABC, "failed 554 5.6.0 body message\n" OK LOST, NULL },
	{ "dies in the middle of a reply",
	  { { ".", "250 2.0.0 a\r\n250-2.0.0 b\r\n" LEG_CLOSE, 0 } }, ABC, OK OK LOST, NULL },
	{ "421 is the second's answer",
	  { { ".", "250 2.0.0 a\r\n421 4.3.2 bye\r\n" LEG_CLOSE, 0 } },
	  ABC, OK "deferred 421 4.3.2 body network\n" LOST, NULL },
	{ "421 to DATA is for all", { { "DATA", "421 4.3.2 bye\r\n" LEG_CLOSE, 0 } },
	  "a@x.test b@x.test",
	  "deferred 421 4.3.2 data network\ndeferred 421 4.3.2 data network\n", NULL },
	{ "nonsense between the replies", { { ".", "250 2.0.0 a\r\nwhat?\r\n", 0 } },
	  "a@x.test b@x.test", OK "deferred 0 4.5.0 body network uncertain\n", NULL },
	{ "354 between the replies", { { ".", "250 2.0.0 a\r\n354 go on\r\n", 0 } },
	  "a@x.test b@x.test", OK "deferred 0 4.5.0 body network uncertain\n", NULL },
	{ "a reply too many", { { ".", "250 2.0.0 a\r\n250 2.0.0 b\r\n250 2.0.0 c\r\n", 0 } },
	  "a@x.test b@x.test", OK OK, NULL },
	{ "replies before the content", { { "DATA", "354 go on\r\n250 2.0.0 a\r\n", 0 } },
	  "a@x.test b@x.test", "deferred 0 4.5.0 body network uncertain\n"
	  "deferred 0 4.5.0 body network uncertain\n", NULL },
};
/* clang-format on */

static void each_recipient_has_the_answer_for_him(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, cases[i].to);

		print_message("%s\n", cases[i].name);
		w->cl.protocol = PROTOCOL_LMTP;
		leg_script(w->leg, cases[i].rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		world_turns(w, 3); /* RSET after the report */
		sent_check(s, cases[i].results);
		if (cases[i].said != NULL)
			assert_string_equal(world_said(w), cases[i].said);
		assert_int_equal(w->leg->connected, 1);
		client_drain(w->client);
		world_until(w, &w->slots, 4);
		sent_free(s);
		world_free(w);
	}
}

static void replies_that_never_come_are_waited_for(void **state)
{
	static const struct leg_rule rules[] = {
	    {".", "250 2.0.0 a\r\n", 0}, {NULL, NULL, 0}};
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test b@x.test");

	(void)state;
	w->cl.protocol = PROTOCOL_LMTP;
	w->cl.data_done_timeout_ms = 60;
	leg_script(w->leg, rules);
	assert_true(world_send(w, s));
	world_wait(w, 1);
	sent_check(s, OK LOST);
	sent_free(s);
	world_free(w);
}

/* The content is larger than what the system takes at once. */
static void a_content_refused_half_way_is_refused_for_one(void **state)
{
	static const struct leg_rule rules[] = {
	    {"CONTENT", "552 5.3.4 too much\r\n", 0}, {NULL, NULL, 0}};
	enum { SIZE = 32 * 1024 * 1024 };
	char *bytes = mem_new(SIZE);
	struct world *w = world_new(NULL);
	struct sent *s;

	(void)state;
	memset(bytes, 'x', SIZE);
	world_content(w, slice_of(bytes, SIZE));
	s = sent_new(w, "a@x.test b@x.test");
	w->cl.protocol = PROTOCOL_LMTP;
	leg_script(w->leg, rules);
	assert_true(world_send(w, s));
	world_wait(w, 1);
	sent_check(s, "failed 552 5.3.4 body message\n"
			 "deferred 0 4.5.0 body network\n");
	sent_free(s);
	world_free(w);
	mem_free(bytes);
}

static void a_connection_is_kept_and_asked(void **state)
{
	static const struct leg_rule rules[] = {
	    {".", "250 2.0.0 a\r\n250 2.0.0 b\r\n", 0}, {NULL, NULL, 0}};
	struct world *w = world_new(NULL);
	struct sent *s[6];

	(void)state;
	w->cl.protocol = PROTOCOL_LMTP;
	leg_script(w->leg, rules);
	for (int i = 0; i < 6; i++) {
		s[i] = i % 2 ? sent_new(w, "a@x.test b@x.test")
			     : asked_new(w, "a@x.test b@x.test");
		assert_true(world_send(w, s[i]));
		world_until(w, &w->idle_calls, i + 1);
		sent_check(s[i], i % 2 ? OK OK
		    : "delivered 250 2.1.5 rcpt none\n"
		      "delivered 250 2.1.5 rcpt none\n");
	}
	assert_int_equal(w->leg->connected, 1);
	for (int i = 0; i < 6; i++)
		sent_free(s[i]);
	world_free(w);
}

/* A large message between many: what the leg said of one is not the other's. */
static void many_recipients_keep_their_order(void **state)
{
	static const struct leg_rule rules[] = {
	    {"RCPT TO:<d@", "450 4.2.1 busy\r\n", 0},
	    {".",
		"250 2.0.0 a\r\n450 4.2.0 b\r\n250 2.0.0 c\r\n450 4.2.0 e\r\n"
		"250 2.0.0 f\r\n450 4.2.0 g\r\n",
		0},
	    {NULL, NULL, 0}};
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w,
	    "a@x.test b@x.test c@x.test d@x.test e@x.test f@x.test g@x.test");

	(void)state;
	w->cl.protocol = PROTOCOL_LMTP;
	leg_script(w->leg, rules);
	assert_true(world_send(w, s));
	world_wait(w, 1);
	for (unsigned i = 0; i < s->r.rcpts; i++) {
		const struct result *r = &s->rcpt[i].result;
		char letter[2] = {(char)('a' + i), '\0'};

		assert_string_equal(r->text, i == 3 ? "busy" : letter);
		assert_int_equal(r->outcome, i == 0 || i == 2 || i == 5
						 ? OUT_DELIVERED
						 : OUT_DEFERRED);
	}
	sent_free(s);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_recipient_has_the_answer_for_him),
	    cmocka_unit_test(replies_that_never_come_are_waited_for),
	    cmocka_unit_test(a_content_refused_half_way_is_refused_for_one),
	    cmocka_unit_test(a_connection_is_kept_and_asked),
	    cmocka_unit_test(many_recipients_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
