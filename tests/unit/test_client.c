/* SPDX-License-Identifier: ISC
 *
 * One message to a leg: what is said on the wire, and the result of each
 * recipient, for the answers that legs give.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/testclient.h"

#define EHLO(keywords) "EHLO", "250-leg.test\r\n" keywords "250 HELP\r\n", 0
#define PIPE "250-PIPELINING\r\n"
#define CHUNK "250-CHUNKING\r\n"

#define MAIL "MAIL FROM:<from@src.test>"
#define TO(x) "RCPT TO:<" x ">\n"
#define OK "delivered 250 2.0.0 body none\n"

enum {
	UTF8 = 1, BARE = 2, EIGHT = 4, BINARY = 8, DSN = 16, NULL_FROM = 32,
	UTF8_HEADER = 64, FORGED_ORCPT = 128, UTF8_ORCPT = 256,
};

struct dialog_case {
	const char *name;
	struct leg_rule rules[5];
	const char *to;
	unsigned flags;
	const char *results; /* a line a recipient */
	const char *said;    /* NULL: not looked at */
	int connected;	     /* 0: one */
};

/* clang-format off */
static const struct dialog_case cases[] = {
	{ "a bare server", { { EHLO("") } }, "a@x.test", 0, OK,
	  MAIL "\n" TO("a@x.test") "DATA\n", 0 },
	{ "only HELO", { { "EHLO", "502 5.5.1 no\r\n", 0 } }, "a@x.test", 0, OK,
	  "HELO relay.test\n" MAIL "\n" TO("a@x.test") "DATA\n", 0 },
	{ "PIPELINING", { { EHLO(PIPE) } }, "a@x.test b@x.test", 0, OK OK,
	  MAIL "\n" TO("a@x.test") TO("b@x.test") "DATA\n", 0 },
	{ "CHUNKING alone", { { EHLO(CHUNK) } }, "a@x.test", 0,
	  "delivered 250 2.0.0 body none\n",
	  MAIL "\n" TO("a@x.test") "BDAT 25 LAST\n", 0 },
	{ "CHUNKING and PIPELINING", { { EHLO(CHUNK PIPE) } }, "a@x.test", 0, OK,
	  MAIL "\n" TO("a@x.test") "BDAT 25 LAST\n", 0 },
	{ "SIZE is said where it is offered", { { EHLO("250-SIZE 900\r\n") } },
	  "a@x.test", 0, OK, MAIL " SIZE=25\n" TO("a@x.test") "DATA\n", 0 },
	{ "SIZE without a limit", { { EHLO("250-SIZE\r\n") } },
	  "a@x.test", 0, OK, MAIL " SIZE=25\n" TO("a@x.test") "DATA\n", 0 },
	{ "too large for the leg", { { EHLO("250-SIZE 24\r\n") } },
	  "a@x.test b@x.test", 0,
	  "failed 0 5.3.4 mail message\nfailed 0 5.3.4 mail message\n", "", 0 },
	{ "bare LF without CHUNKING", { { EHLO(PIPE) } }, "a@x.test", BARE,
	  "parked 0 5.6.11 mail message\n", "", 0 },
	{ "bare LF with CHUNKING", { { EHLO(CHUNK) } }, "a@x.test", BARE, OK, NULL, 0 },
	{ "SMTPUTF8 is not offered, and not needed", { { EHLO(PIPE) } }, "a@x.test",
	  UTF8, OK, MAIL "\n" TO("a@x.test") "DATA\n", 0 },
	{ "the header needs SMTPUTF8", { { EHLO(PIPE) } }, "a@x.test",
	  UTF8 | UTF8_HEADER, "failed 0 5.6.7 mail message\n", "", 0 },
	{ "an 8-bit header that came without SMTPUTF8", { { EHLO(PIPE) } },
	  "a@x.test", UTF8_HEADER, OK, MAIL "\n" TO("a@x.test") "DATA\n", 0 },
	{ "a domain has another form", { { EHLO(PIPE) } }, "a@b\xc3\xbc" "cher.test",
	  UTF8, OK, MAIL "\n" TO("a@xn--bcher-kva.test") "DATA\n", 0 },
	{ "a domain as it came, where SMTPUTF8 is offered",
	  { { EHLO("250-SMTPUTF8\r\n") } }, "a@b\xc3\xbc" "cher.test", 0, OK,
	  MAIL " SMTPUTF8\n" TO("a@b\xc3\xbc" "cher.test") "DATA\n", 0 },
	{ "SMTPUTF8 is offered", { { EHLO("250-SMTPUTF8\r\n") } }, "a@x.test", UTF8,
	  OK, MAIL " SMTPUTF8\n" TO("a@x.test") "DATA\n", 0 },
	{ "one recipient alone needs SMTPUTF8", { { EHLO(PIPE) } },
	  "a@x.test \xc3\xa4@x.test", 0, OK "failed 0 5.6.7 mail recipient\n",
	  MAIL "\n" TO("a@x.test") "DATA\n", 0 },
	{ "8-bit content, 8BITMIME offered", { { EHLO("250-8BITMIME\r\n") } },
	  "a@x.test", EIGHT, OK, MAIL " BODY=8BITMIME\n" TO("a@x.test") "DATA\n", 0 },
	{ "8-bit content goes anyway", { { EHLO("") } }, "a@x.test", EIGHT, OK,
	  MAIL "\n" TO("a@x.test") "DATA\n", 0 },
	{ "binary content without BINARYMIME", { { EHLO(CHUNK) } }, "a@x.test",
	  BINARY, "failed 0 5.6.3 mail message\n", "", 0 },
	{ "binary content with it", { { EHLO(CHUNK "250-BINARYMIME\r\n") } },
	  "a@x.test", BINARY, OK,
	  MAIL " BODY=BINARYMIME\n" TO("a@x.test") "BDAT 25 LAST\n", 0 },
	{ "DSN is offered", { { EHLO("250-DSN\r\n") } }, "a@x.test b@x.test", DSN,
	  OK OK, MAIL " RET=HDRS ENVID=e+2B1\n"
	  "RCPT TO:<a@x.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@x.test\n"
	  "RCPT TO:<b@x.test> NOTIFY=NEVER\nDATA\n", 0 },
	{ "an ORCPT that holds another parameter", { { EHLO("250-DSN\r\n") } },
	  "a@x.test", FORGED_ORCPT, OK, MAIL "\n" TO("a@x.test") "DATA\n", 0 },
	{ "an ORCPT in UTF-8", { { EHLO("250-DSN\r\n250-SMTPUTF8\r\n") } },
	  "a@x.test", UTF8_ORCPT, OK,
	  MAIL "\nRCPT TO:<a@x.test> ORCPT=utf-8;\xc3\xbc@x.test\nDATA\n", 0 },
	{ "an ORCPT in UTF-8 without SMTPUTF8", { { EHLO("250-DSN\r\n") } },
	  "a@x.test", UTF8_ORCPT, OK,
	  MAIL "\nRCPT TO:<a@x.test> ORCPT=utf-8;\\x{FC}@x.test\nDATA\n", 0 },
	{ "DSN is not offered", { { EHLO("") } }, "a@x.test b@x.test", DSN, OK OK,
	  MAIL "\n" TO("a@x.test") TO("b@x.test") "DATA\n", 0 },
	{ "the null sender", { { EHLO("") } }, "a@x.test", NULL_FROM, OK,
	  "MAIL FROM:<>\n" TO("a@x.test") "DATA\n", 0 },
	{ "equal addresses are said once", { { EHLO(PIPE) } },
	  "a@x.test b@x.test a@X.TEST A@x.test a@x.test", 0, OK OK OK OK OK,
	  MAIL "\n" TO("a@x.test") TO("b@x.test") TO("A@x.test") "DATA\n", 0 },
	{ "equal addresses share a refusal",
	  { { EHLO(PIPE) }, { "RCPT TO:<a@", "550 5.1.1 no\r\n", 0 } },
	  "a@x.test b@x.test a@x.test", 0,
	  "failed 550 5.1.1 rcpt recipient\n" OK "failed 550 5.1.1 rcpt recipient\n",
	  NULL, 0 },
	{ "an address that is none", { { EHLO(PIPE) } }, "a@x.test b>c@x.test d", 0,
	  OK "failed 0 5.1.3 rcpt recipient\nfailed 0 5.1.3 rcpt recipient\n",
	  MAIL "\n" TO("a@x.test") "DATA\n", 0 },
	{ "nothing that can be said", { { EHLO(PIPE) } }, "d", 0,
	  "failed 0 5.1.3 rcpt recipient\n", "", -1 },

	{ "partial refusals",
	  { { "RCPT TO:<b@", "550 5.1.1 who?\r\n", 0 },
	    { "RCPT TO:<c@", "451 4.3.0 later\r\n", 0 } },
	  "a@x.test b@x.test c@x.test d@x.test", 0,
	  OK "failed 550 5.1.1 rcpt recipient\ndeferred 451 4.3.0 rcpt none\n" OK,
	  NULL, 0 },
	{ "partial refusals, one by one",
	  { { EHLO("") }, { "RCPT TO:<b@", "550 5.1.1 who?\r\n", 0 } },
	  "a@x.test b@x.test c@x.test", 0,
	  OK "failed 550 5.1.1 rcpt recipient\n" OK,
	  MAIL "\n" TO("a@x.test") TO("b@x.test") TO("c@x.test") "DATA\n", 0 },
	{ "too many recipients: the rest at once",
	  { { EHLO(PIPE) }, { "RCPT TO:<c@", "452 4.5.3 enough\r\n", 1 },
	    { "RCPT TO:<d@", "452 4.5.3 enough\r\n", 1 } },
	  "a@x.test b@x.test c@x.test d@x.test", 0, OK OK OK OK,
	  MAIL "\n" TO("a@x.test") TO("b@x.test") TO("c@x.test") TO("d@x.test")
	  "DATA\n" MAIL "\n" TO("c@x.test") TO("d@x.test") "DATA\n", 0 },
	{ "too many is no reason for the first recipient",
	  { { EHLO(PIPE) }, { "RCPT", "452 4.5.3 enough\r\n", 0 },
	    { "DATA", "503 5.5.1 nobody\r\n", 0 } },
	  "a@x.test b@x.test", 0,
	  "deferred 452 4.5.3 rcpt none\ndeferred 452 4.5.3 rcpt none\n",
	  MAIL "\n" TO("a@x.test") TO("b@x.test") "DATA\nRSET\n", 0 },
	{ "an old 552 is the same",
	  { { EHLO("") }, { "RCPT TO:<b@", "552 5.5.3 enough\r\n", 1 } },
	  "a@x.test b@x.test", 0, OK OK,
	  MAIL "\n" TO("a@x.test") TO("b@x.test") "DATA\n"
	  MAIL "\n" TO("b@x.test") "DATA\n", 0 },
	{ "552 of a full mailbox is not",
	  { { "RCPT TO:<b@", "552 5.2.2 full\r\n", 1 } }, "a@x.test b@x.test", 0,
	  OK "failed 552 5.2.2 rcpt recipient\n", NULL, 0 },
	{ "RCPTMAX of LIMITS", { { EHLO(PIPE "250-LIMITS RCPTMAX=2\r\n") } },
	  "a@x.test b@x.test c@x.test", 0, OK OK OK,
	  MAIL "\n" TO("a@x.test") TO("b@x.test") "DATA\n"
	  MAIL "\n" TO("c@x.test") "DATA\n", 0 },
	{ "MAIL is refused", { { EHLO("") }, { "MAIL", "550 5.7.1 no\r\n", 0 } },
	  "a@x.test b@x.test", 0,
	  "failed 550 5.7.1 mail message\nfailed 550 5.7.1 mail message\n",
	  MAIL "\n", 0 },
	{ "MAIL is refused in a flight",
	  { { EHLO(PIPE) }, { "MAIL", "451 4.7.1 later\r\n", 0 },
	    { "RCPT", "503 5.5.1 MAIL first\r\n", 0 },
	    { "DATA", "503 5.5.1 MAIL first\r\n", 0 } },
	  "a@x.test b@x.test", 0,
	  "deferred 451 4.7.1 mail none\ndeferred 451 4.7.1 mail none\n",
	  MAIL "\n" TO("a@x.test") TO("b@x.test") "DATA\nRSET\n", 0 },
	{ "all RCPTs refused", { { EHLO("") }, { "RCPT", "550 5.1.1 no\r\n", 0 } },
	  "a@x.test b@x.test", 0,
	  "failed 550 5.1.1 rcpt recipient\nfailed 550 5.1.1 rcpt recipient\n",
	  MAIL "\n" TO("a@x.test") TO("b@x.test") "RSET\n", 0 },
	{ "all RCPTs refused, and 354 all the same: a lone dot",
	  { { EHLO(PIPE) }, { "RCPT", "550 5.1.1 no\r\n", 0 },
	    { ".", "554 5.5.1 no valid recipients\r\n", 0 } },
	  "a@x.test", 0, "failed 550 5.1.1 rcpt recipient\n",
	  MAIL "\n" TO("a@x.test") "DATA\n", 0 },
	{ "all RCPTs refused before a chunk that is on its way",
	  { { EHLO(PIPE CHUNK) }, { "RCPT", "550 5.1.1 no\r\n", 0 },
	    { "BDAT", "503 5.5.1 no valid recipients\r\n", 0 } },
	  "a@x.test", 0, "failed 550 5.1.1 rcpt recipient\n",
	  MAIL "\n" TO("a@x.test") "BDAT 25 LAST\nRSET\n", 0 },
	{ "DATA is refused", { { "DATA", "451 4.3.0 no\r\n", 0 } }, "a@x.test", 0,
	  "deferred 451 4.3.0 data none\n", NULL, 0 },
	{ "the content is refused", { { ".", "554 5.7.1 spam\r\n", 0 } }, "a@x.test b@x.test", 0,
	  "failed 554 5.7.1 body message\nfailed 554 5.7.1 body message\n", NULL, 0 },
	{ "the chunk is refused, one recipient was before",
	  { { EHLO(PIPE CHUNK) }, { "BDAT", "452 4.3.1 disk\r\n", 0 },
	    { "RCPT TO:<b@", "550 5.1.1 no\r\n", 0 } },
	  "a@x.test b@x.test", 0,
	  "deferred 452 4.3.1 body none\nfailed 550 5.1.1 rcpt recipient\n",
	  MAIL "\n" TO("a@x.test") TO("b@x.test") "BDAT 25 LAST\nRSET\n", 0 },
	{ "a reply of many lines",
	  { { ".", "250-2.0.0 one\r\n250-2.0.0 two\r\n250 2.0.0 three\r\n", 0 } },
	  "a@x.test", 0, OK, NULL, 0 },

	{ "421 greeting", { { "CONNECT", "421 4.3.2 busy\r\n" LEG_CLOSE, 0 } },
	  "a@x.test b@x.test", 0,
	  "deferred 421 4.3.2 greeting network\ndeferred 421 4.3.2 greeting network\n",
	  "", 0 },
	{ "554 greeting waits", { { "CONNECT", "554 5.7.1 go away\r\n", 0 } },
	  "a@x.test", 0, "deferred 554 5.7.1 greeting configuration\n", "", 0 },
	{ "the greeting has our own name",
	  { { "CONNECT", "220 Relay.Test ESMTP\r\n", 0 } }, "a@x.test", 0,
	  "deferred 0 4.4.6 greeting configuration\n", "", 0 },
	{ "EHLO later", { { "EHLO", "451 4.3.0 later\r\n", 0 } }, "a@x.test", 0,
	  "deferred 451 4.3.0 ehlo network\n", "", 0 },
	{ "neither EHLO nor HELO", { { "EHLO", "550 5.7.1 no\r\n", 0 },
	  { "HELO", "550 5.7.1 no\r\n", 0 } }, "a@x.test", 0,
	  "deferred 550 5.7.1 helo configuration\n", "HELO relay.test\n", 0 },
	{ "421 to MAIL", { { "MAIL", "421 4.3.2 bye\r\n" LEG_CLOSE, 0 } },
	  "a@x.test b@x.test", 0,
	  "deferred 421 4.3.2 mail network\ndeferred 421 4.3.2 mail network\n", NULL, 0 },
	{ "421 to the second RCPT",
	  { { EHLO("") }, { "RCPT TO:<b@", "421 4.3.2 bye\r\n" LEG_CLOSE, 0 } },
	  "a@x.test b@x.test c@x.test", 0,
	  "deferred 421 4.3.2 rcpt network\ndeferred 421 4.3.2 rcpt network\n"
	  "deferred 421 4.3.2 rcpt network\n", NULL, 0 },
	{ "421 to DATA keeps a refusal",
	  { { EHLO("") }, { "RCPT TO:<b@", "550 5.1.1 no\r\n", 0 },
	    { "DATA", "421 4.3.2 bye\r\n" LEG_CLOSE, 0 } }, "a@x.test b@x.test", 0,
	  "deferred 421 4.3.2 data network\nfailed 550 5.1.1 rcpt recipient\n", NULL, 0 },
	{ "421 to the content is an answer", { { ".", "421 4.3.2 bye\r\n" LEG_CLOSE, 0 } },
	  "a@x.test", 0, "deferred 421 4.3.2 body network\n", NULL, 0 },
	{ "421 in the first of two transactions leaves the rest untried",
	  { { EHLO("250-LIMITS RCPTMAX=1\r\n") }, { ".", "421 4.3.2 bye\r\n" LEG_CLOSE, 0 } },
	  "a@x.test b@x.test", 0,
	  "deferred 421 4.3.2 body network\nuntried 0 4.4.2 mail network\n", NULL, 0 },
	{ "closed in the last reply of the first transaction: the rest on another connection",
	  { { EHLO("250-LIMITS RCPTMAX=1\r\n") }, { ".", "250 2.0.0 Ok" LEG_CLOSE, 1 } },
	  "a@x.test b@x.test", 0, OK OK, NULL, 2 },
};
/* clang-format on */

static void set_flags(struct sent *s, unsigned flags)
{
	struct client_request *r = &s->r;

	r->utf8 = flags & UTF8;
	r->utf8_header = flags & UTF8_HEADER;
	r->bare_lf = flags & BARE;
	r->eight_bit = flags & EIGHT;
	r->body = flags & BINARY ? BODY_BINARYMIME : BODY_7BIT;
	if (flags & NULL_FROM)
		r->from = "";
	if (flags & FORGED_ORCPT)
		s->rcpt[0].orcpt = "rfc822;o@x.test NOTIFY=NEVER";
	if (flags & UTF8_ORCPT)
		s->rcpt[0].orcpt = "utf-8;\xc3\xbc@x.test";
	if (flags & DSN) {
		r->ret = RET_HDRS;
		r->envid = "e+2B1";
		s->rcpt[0].notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
		s->rcpt[0].orcpt = "rfc822;o@x.test";
		s->rcpt[1].notify = NOTIFY_NEVER;
	}
}

static void each_answer_of_a_leg_gives_each_recipient_his_result(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct dialog_case *k = &cases[i];
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, k->to);

		print_message("%s\n", k->name);
		set_flags(s, k->flags);
		leg_script(w->leg, k->rules);
		assert_true(world_send(w, s));
		assert_int_equal(s->done, 0); /* never from inside */
		world_wait(w, 1);
		world_turns(w, 3); /* RSET after the report */
		sent_check(s, k->results);
		if (k->said != NULL)
			assert_string_equal(world_said(w), k->said);
		assert_int_equal(w->leg->connected, k->connected == 0 ? 1
						    : k->connected < 0
							? 0
							: k->connected);
		assert_int_equal(client_busy(w->client), 0);
		client_drain(w->client);
		world_until(w, &w->slots, 4);
		sent_free(s);
		world_free(w);
	}
}

static void dots_are_doubled_for_data_and_not_for_chunks(void **state)
{
	static const struct {
		const char *ehlo, *in, *out;
	} bodies[] = {
	    {"250 HELP\r\n", "a\r\n.b\r\n..\r\n", "a\r\n..b\r\n...\r\n.\r\n"},
	    {"250 HELP\r\n", ".", "..\r\n.\r\n"},
	    {"250 HELP\r\n", "no end", "no end\r\n.\r\n"},
	    {"250 HELP\r\n", "", ".\r\n"},
	    {"250-x\r\n250 CHUNKING\r\n", "", ""},
	    {"250-x\r\n250 CHUNKING\r\n", "a\r\n.b\n.\r\n", "a\r\n.b\n.\r\n"},
	    {"250-x\r\n250 CHUNKING\r\n", "no end", "no end"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		const struct leg_rule rules[] = {
		    {"EHLO", bodies[i].ehlo, 0}, {NULL, NULL, 0}};
		struct world *w = world_new(NULL);
		struct sent *s;

		world_content(w, slice_str(bodies[i].in));
		s = sent_new(w, "a@x.test");
		leg_script(w->leg, rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(strbuf_cstr(&w->leg->body), bodies[i].out);
		assert_int_equal(s->rcpt[0].result.outcome, OUT_DELIVERED);
		sent_free(s);
		world_free(w);
	}
}

/* One write for the commands and one for the body; with BDAT one in all. */
static void a_message_is_two_writes_or_one(void **state)
{
	static const struct {
		const char *ehlo;
		int sends;
	} legs[] = {
	    {"250-x\r\n250 PIPELINING\r\n", 2},
	    {"250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n", 1},
	    {"250-x\r\n250 CHUNKING\r\n", 4},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(legs); i++) {
		const struct leg_rule rules[] = {
		    {"EHLO", legs[i].ehlo, 0}, {NULL, NULL, 0}};
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, "a@x.test");
		struct sent *t = sent_new(w, "a@x.test b@x.test");

		leg_script(w->leg, rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		world_sends();
		assert_true(world_send(w, t));
		world_wait(w, 2);
		assert_int_equal(world_sends(), legs[i].sends);
		sent_free(s);
		sent_free(t);
		world_free(w);
	}
}

/* Larger than a flight, than the window and than a turn of the loop. */
static void a_large_message_arrives_whole(void **state)
{
	static const char *const ehlos[] = {"250-x\r\n250 PIPELINING\r\n",
	    "250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n"};
	enum { SIZE = 5 * 1024 * 1024 };
	char *bytes = mem_new(SIZE);

	(void)state;
	for (int i = 0; i < SIZE; i++)
		bytes[i] = (char)(i % 64 == 62	 ? '\r'
				  : i % 64 == 63 ? '\n'
						 : 'a' + i % 26);
	for (size_t i = 0; i < ARRAY_LEN(ehlos); i++) {
		const struct leg_rule rules[] = {
		    {"EHLO", ehlos[i], 0}, {NULL, NULL, 0}};
		struct world *w = world_new(NULL);
		struct sent *s;

		world_content(w, slice_of(bytes, SIZE));
		s = sent_new(w, "a@x.test");
		leg_script(w->leg, rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_int_equal(s->rcpt[0].result.outcome, OUT_DELIVERED);
		assert_int_equal(w->leg->body.n, i == 0 ? SIZE + 3 : SIZE);
		assert_int_equal(
		    i, strstr(world_said(w), "BDAT 5242880 LAST\n") != NULL);
		assert_memory_equal(w->leg->body.p, bytes, SIZE);
		sent_free(s);
		world_free(w);
	}
	mem_free(bytes);
}

/* A large chunk is never begun without a recipient. */
static void a_large_message_is_not_sent_for_nobody(void **state)
{
	static const struct leg_rule rules[] = {
	    {"EHLO", "250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n", 0},
	    {"RCPT", "550 5.1.1 no\r\n", 0}, {NULL, NULL, 0}};
	enum { SIZE = 100 * 1024 };
	char *bytes = mem_new(SIZE);
	struct world *w = world_new(NULL);
	struct sent *s;

	(void)state;
	world_content(w, slice_of(bytes, SIZE));
	s = sent_new(w, "a@x.test");
	leg_script(w->leg, rules);
	assert_true(world_send(w, s));
	world_wait(w, 1);
	assert_int_equal(w->leg->body.n, 0);
	assert_string_equal(sent_text(s, 0), "failed 550 5.1.1 rcpt recipient");
	sent_free(s);
	world_free(w);
	mem_free(bytes);
}

static void a_transaction_has_no_more_than_max_recipients(void **state)
{
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test b@x.test c@x.test d@x.test");

	(void)state;
	w->cl.max_recipients = 3;
	assert_true(world_send(w, s));
	world_wait(w, 1);
	assert_string_equal(world_said(w),
	    MAIL " SIZE=25\n" TO("a@x.test") TO("b@x.test") TO(
		"c@x.test") "DATA\n" MAIL " SIZE=25\n" TO("d@x.test") "DATA\n");
	sent_check(s, OK OK OK OK);
	sent_free(s);
	world_free(w);
}

static void a_leg_may_have_a_name_and_an_address_of_its_own(void **state)
{
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test");

	(void)state;
	w->cl.helo = "out.test";
	w->cl.source = "127.0.0.2";
	assert_true(world_send(w, s));
	world_wait(w, 1);
	sent_check(s, OK);
	assert_string_equal(w->leg->peer, "127.0.0.2");
	assert_true(
	    slice_starts(strbuf_view(&w->leg->said), SLICE("EHLO out.test\n")));
	sent_free(s);
	world_free(w);
}

static void results_say_who_answered_and_what(void **state)
{
	static const struct leg_rule rules[] = {
	    {".", "250-2.0.0 taken\r\n250 2.0.0 as 4711\r\n", 0},
	    {NULL, NULL, 0}};
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test b@x.test");
	char remote[64];

	(void)state;
	s->rcpt[1].result.address = "rewritten";
	leg_script(w->leg, rules);
	assert_true(world_send(w, s));
	world_wait(w, 1);
	snprintf(remote, sizeof(remote), "[127.0.0.1]:%d", w->leg->port);
	assert_string_equal(s->rcpt[0].result.remote, remote);
	assert_string_equal(s->rcpt[0].result.text, "taken as 4711");
	assert_string_equal(s->rcpt[0].result.tls, "");
	assert_string_equal(s->rcpt[0].result.address, "");
	assert_string_equal(s->rcpt[1].result.address, "rewritten");
	sent_free(s);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		each_answer_of_a_leg_gives_each_recipient_his_result),
	    cmocka_unit_test(dots_are_doubled_for_data_and_not_for_chunks),
	    cmocka_unit_test(a_message_is_two_writes_or_one),
	    cmocka_unit_test(a_large_message_arrives_whole),
	    cmocka_unit_test(a_large_message_is_not_sent_for_nobody),
	    cmocka_unit_test(a_transaction_has_no_more_than_max_recipients),
	    cmocka_unit_test(a_leg_may_have_a_name_and_an_address_of_its_own),
	    cmocka_unit_test(results_say_who_answered_and_what),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
