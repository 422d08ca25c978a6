/* SPDX-License-Identifier: ISC
 *
 * The words of an SMTP client and the replies: dialogues as tables, each with
 * an owner that answers at once and with one that answers later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/servertest.h"

/* clang-format off */
static const struct dialogue orders[] = {
	{ "a mail by DATA", {
	  HELLO, MAIL, RCPT, { "DATA\r\n", "354 " },
	  { "Subject: x\r\n\r\nx\r\n.\r\n", "250 2.0.0 Ok: queued" },
	  { "QUIT\r\n", "221 2.0.0\nEND" } } },
	{ "a mail by BDAT", {
	  HELLO, MAIL, RCPT, { "BDAT 5 LAST\r\nx\r\n\r\n", "250 2.0.0" },
	  { "QUIT\r\n", "221\nEND" } } },
	{ "two mails", {
	  HELLO, MAIL, RCPT, { "DATA\r\n", "354 " }, { ".\r\n", "250 2.0.0" }, MAIL, RCPT,
	  { "DATA\r\n", "354 " }, { "\r\n.\r\n", "250 2.0.0" } } },
	{ "HELO will do", {
	  { NULL, "220" }, { "HELO a\r\n", "250 relay.example\r\n" }, MAIL, RCPT,
	  { "DATA\r\n", "354" }, { ".\r\n", "250" } } },
	{ "verbs in any case", {
	  { NULL, "220" }, { "eHLo a\r\n", "250-" }, { "noop\r\n", "250" },
	  { "mail from:<s@a.example>\r\n", "250 2.1.0" } } },
	{ "MAIL without EHLO", {
	  { NULL, "220" }, MAIL, RCPT, { "DATA\r\n", "354" }, { ".\r\n", "250" },
	  { "RCPT TO:<a@b.example>\r\n", "503 5.5.1" } } },
	{ "BDAT without EHLO", {
	  { NULL, "220" }, MAIL, RCPT, { "BDAT\t0   LAST \r\n", "250" } } },
	{ "blanks and TABs between words", {
	  { NULL, "220" }, { " EHLO\ta\r\n", "250-" },
	  { "\tMAIL  FROM:\t s@a.example \t SIZE=1\t\r\n", "250 2.1.0" },
	  { "RCPT\tTO : < t @ b.example > NOTIFY=NEVER\r\n", "250 2.1.5" },
	  { "RSET\t\r\n", "250" }, { "NOOP\tx\r\n", "250" },
	  { "QUIT \r\n", "221" } } },
	{ "RCPT before MAIL", {
	  HELLO, { "RCPT TO:<a@b.example>\r\n", "503 5.5.1" } } },
	{ "DATA before MAIL", {
	  HELLO, { "DATA\r\n", "503 5.5.1" } } },
	{ "DATA before RCPT", {
	  HELLO, MAIL, { "DATA\r\n", "554 5.5.1" }, RCPT } },
	{ "MAIL within a mail", {
	  HELLO, MAIL, { "MAIL FROM:<x@a.example>\r\n", "503 5.5.1" }, RCPT,
	  { "MAIL FROM:<x@a.example>\r\n", "503 5.5.1" }, { "DATA\r\n", "354" } } },
	{ "EHLO within a mail ends it", {
	  HELLO, MAIL, RCPT, { "EHLO b\r\n", "250-" }, { "DATA\r\n", "503 5.5.1" }, MAIL } },
	{ "RSET ends a mail", {
	  HELLO, MAIL, RCPT, { "RSET\r\n", "250 2.0.0" }, { "RCPT TO:<t@b.example>\r\n", "503" },
	  MAIL } },
	{ "RSET before EHLO", {
	  { NULL, "220" }, { "RSET\r\n", "250 2.0.0" } } },
	{ "small talk", {
	  HELLO, { "NOOP\r\n", "250 2.0.0" }, { "NOOP x y\r\n", "250" },
	  { "VRFY ann\r\n", "252 2.5.0" }, { "VRFY\r\n", "501 5.5.4" },
	  { "EXPN x\r\n", "502 5.5.1" }, { "HELP\r\n", "214 2.0.0 Commands: EHLO" },
	  { "RSET x\r\n", "501 5.5.4" } } },
	{ "unknown words", {
	  HELLO, { "XYZZY\r\n", "500 5.5.1" }, { "AUTH PLAIN\r\n", "500 5.5.1" },
	  { "\r\n", "500 5.5.2" }, { "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "500 5.5.1" } } },
	{ "no name", {
	  { NULL, "220" }, { "EHLO\r\n", "501 5.5.4" }, { "HELO \t\r\n", "501 5.5.4" } } },
	{ "names of devices", {
	  { NULL, "220" }, { "EHLO MY PC\r\n", "250-" }, { "HELO a>b;(c)@\\\"\r\n", "250" },
	  { "EHLO \303\251.example\r\n", "250-" }, { "EHLO \334\r\n", "250-" },
	  { "EHLO a\033[0m\r\n", "250-" }, MAIL } },
	{ "no STARTTLS without a certificate", {
	  HELLO, { "STARTTLS\r\n", "502 5.5.1" }, { "STARTTLS x\r\n", "501 5.5.4" } } },
	{ "DATA with an argument", {
	  HELLO, MAIL, RCPT, { "DATA x\r\n", "501 5.5.4" }, { "DATA\r\n", "354" } } },
	{ "a recipient refused, one taken", {
	  HELLO, MAIL, { "RCPT TO:<unknown@b.example>\r\n", "550 5.1.1" },
	  { "RCPT TO:<defer@b.example>\r\n", "450 4.2.0" }, RCPT, { "DATA\r\n", "354" },
	  { ".\r\n", "250" } } },
	{ "a sender refused", {
	  HELLO, { "MAIL FROM:<refuse@a.example>\r\n", "554 5.7.1" },
	  { "RCPT TO:<t@b.example>\r\n", "503" },
	  { "MAIL FROM:<busy@a.example>\r\n", "451 4.3.0" }, MAIL } },
	{ "421 from the owner ends the session", {
	  HELLO, { "MAIL FROM:<slam@a.example>\r\n", "421 4.7.0\nEND" } } },
	{ "the owner has no room", {
	  HELLO, { "MAIL FROM:<full@a.example>\r\n", "250" }, RCPT, { "DATA\r\n", "452 4.3.1" },
	  { "RCPT TO:<t@b.example>\r\n", "503" }, MAIL, RCPT, { "DATA\r\n", "354" } } },
	{ "the owner refuses the content", {
	  HELLO, { "MAIL FROM:<virus@a.example>\r\n", "250" }, RCPT, { "DATA\r\n", "354" },
	  { "one\r\n", "" }, { "two\r\n", "" }, { ".\r\n", "554 5.7.1" }, MAIL } },
	{ "the owner cannot store", {
	  HELLO, { "MAIL FROM:<late@a.example>\r\n", "250" }, RCPT, { "DATA\r\n", "354" },
	  { "x\r\n.\r\n", "451 4.3.0" }, MAIL } },
	{ "nothing after QUIT", {
	  HELLO, { "QUIT\r\nNOOP\r\n", "221 2.0.0\nEND" } } },
};

static const struct dialogue addresses[] = {
	{ "the null sender", {
	  HELLO, { "MAIL FROM:<>\r\n", "250" }, RCPT } },
	{ "SIZE within the limit", {
	  HELLO, { "MAIL FROM:<s@a.example> SIZE=100000\r\n", "250" } } },
	{ "SIZE over the limit", {
	  HELLO, { "MAIL FROM:<s@a.example> SIZE=100001\r\n", "552 5.3.4" },
	  { "MAIL FROM:<s@a.example> SIZE=0\r\n", "250" } } },
	{ "SIZE that is none", {
	  HELLO, { "MAIL FROM:<s@a.example> SIZE=-1\r\n", "501 5.5" },
	  { "MAIL FROM:<s@a.example> SIZE=99999999999999999999\r\n", "5" } } },
	{ "BINARYMIME is not offered", {
	  HELLO, { "MAIL FROM:<s@a.example> BODY=BINARYMIME\r\n", "555 5.5.4" },
	  { "MAIL FROM:<s@a.example> BODY=8BITMIME\r\n", "250" } } },
	{ "unknown parameters", {
	  HELLO, { "MAIL FROM:<s@a.example> X=1\r\n", "555 5.5.4" }, MAIL,
	  { "RCPT TO:<t@b.example> X=1\r\n", "555 5.5.4" } } },
	{ "DSN", {
	  HELLO, { "MAIL FROM:<s@a.example> RET=HDRS ENVID=x+2By\r\n", "250" },
	  { "RCPT TO:<t@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;t@b.example\r\n", "250" },
	  { "RCPT TO:<u@b.example> NOTIFY=NEVER,DELAY ORCPT=x\r\n", "250" },
	  { "RCPT TO:<v@b.example> NOTIFY=SOON\r\n", "501" } } },
	{ "SMTPUTF8", {
	  HELLO, { "MAIL FROM:<\303\251@a.example>\r\n", "553 5.6.7" },
	  { "MAIL FROM:<\303\251@a.example> SMTPUTF8\r\n", "250" },
	  { "RCPT TO:<\303\251@b.example>\r\n", "250" } } },
	{ "8-bit recipient without SMTPUTF8", {
	  HELLO, MAIL, { "RCPT TO:<\303\251@b.example>\r\n", "553 5.6.7" } } },
	{ "not an address", {
	  HELLO, { "MAIL FROM:<s@a.example\r\n", "501 5." }, { "MAIL TO:<x@y>\r\n", "501 5.5" },
	  { "MAIL FROM:<s@>\r\n", "501 5.1.7" }, MAIL, { "RCPT TO:<>\r\n", "501 5.1.3" },
	  { "RCPT FROM:<t@b.example>\r\n", "501 5.5" } } },
	{ "postmaster alone", {
	  HELLO, MAIL, { "RCPT TO:<Postmaster>\r\n", "250" } } },
};

static const struct dialogue hostile[] = {
	{ "a browser", {
	  { NULL, "220" }, { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "554 5.5.1\nEND" } } },
	{ "a browser that posts", {
	  { NULL, "220" }, { "POST / HTTP/1.1\r\n\r\nEHLO a\r\n", "554 5.5.1\nEND" } } },
	{ "a proxy", {
	  { NULL, "220" }, { "CONNECT a.example:25 HTTP/1.1\r\n", "554 5.5.1\nEND" } } },
	{ "two commands by a bare CR", {
	  HELLO, { "MAIL FROM:<a@b.example>\rRCPT TO:<c@d.example>\r\n", "500 5.5.2" },
	  { "RCPT TO:<c@d.example>\r\n", "503" } } },
	{ "two commands by a bare LF", {
	  HELLO, { "NOOP\nMAIL FROM:<a@b.example>\r\n", "521 5.5.2\nEND" } } },
	{ "CR CR LF", {
	  HELLO, { "NOOP\r\r\n", "500 5.5.2" } } },
	{ "controls in an address", {
	  HELLO, { "MAIL FROM:<a\tb@b.example>\r\n", "501 5.1.7" },
	  { "MAIL FROM:<\"a\033[0m\"@b.example>\r\n", "501 5.1.7" },
	  { "MAIL FROM:<a@b.example> \033=1\r\n", "501 5.5.4" } } },
	{ "8-bit verbs", {
	  HELLO, { "\303\211HLO x\r\n", "500 5.5.1" } } },
	{ "DATA with the content behind it", {
	  HELLO, MAIL, RCPT, { "DATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n", "554 5.5.0\nEND" } } },
};

static const struct dialogue groups[] = {
	{ "a mail in one segment", {
	  HELLO,
	  { "MAIL FROM:<s@a.example>\r\nRCPT TO:<t@b.example>\r\nDATA\r\n",
	    "250 2.1.0\n250 2.1.5\n354" },
	  { "x\r\n.\r\nMAIL FROM:<s@a.example>\r\nRCPT TO:<t@b.example>\r\nDATA\r\n",
	    "250 2.0.0\n250 2.1.0\n250 2.1.5\n354" },
	  { ".\r\nQUIT\r\n", "250 2.0.0\n221\nEND" } } },
	{ "replies keep their order", {
	  HELLO,
	  { "NOOP\r\nMAIL FROM:<refuse@a.example>\r\nRCPT TO:<t@b.example>\r\n"
	    "RSET\r\nMAIL FROM:<>\r\n",
	    "250 2.0.0\n554 5.7.1\n503 5.5.1\n250 2.0.0\n250 2.1.0" } } },
	{ "all recipients refused", {
	  HELLO,
	  { "MAIL FROM:<s@a.example>\r\nRCPT TO:<unknown@b.example>\r\nDATA\r\n",
	    "250\n550 5.1.1\n554 5.5.1" }, { "RSET\r\n", "250" } } },
	{ "EHLO with commands behind it is tolerated", {
	  { NULL, "220" }, { "EHLO a\r\nMAIL FROM:<s@a.example>\r\n", "250-\n250 2.1.0" } } },
	{ "BDAT in one segment", {
	  HELLO,
	  { "MAIL FROM:<s@a.example>\r\nRCPT TO:<t@b.example>\r\nBDAT 3\r\na\r\n"
	    "BDAT 3 LAST\r\nb\r\nNOOP\r\n",
	    "250 2.1.0\n250 2.1.5\n250 2.0.0 3 octets\n250 2.0.0 Ok: queued\n250 2.0.0" } } },
};
/* clang-format on */

static void commands_are_taken_in_their_order_only(void **state)
{
	(void)state;
	dialogues_run(orders, ARRAY_LEN(orders));
}

static void parameters_are_read_and_refused_with_fitting_codes(void **state)
{
	(void)state;
	dialogues_run(addresses, ARRAY_LEN(addresses));
}

static void hostile_lines_are_refused(void **state)
{
	(void)state;
	dialogues_run(hostile, ARRAY_LEN(hostile));
}

static void groups_of_commands_are_answered_in_order(void **state)
{
	(void)state;
	dialogues_run(groups, ARRAY_LEN(groups));
}

static void ehlo_names_what_is_there(void **state)
{
	static const char want[] =
	    "250-relay.example\r\n250-PIPELINING\r\n250-SIZE 100000\r\n"
	    "250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n"
	    "250-DSN\r\n250 CHUNKING\r\n";
	struct rig r;
	char got[1000];

	(void)state;
	rig_init(&r);
	rig_connect(&r, "192.0.2.1");
	assert_null(rig_expect(&r, "220"));
	rig_say(&r, "EHLO a\r\n");
	rig_hear(&r, got, sizeof(got));
	assert_string_equal(got, want);
	rig_fini(&r);
}

/* Each dialogue of the tables once more, with every byte on its own. */
static void segments_do_not_matter(void **state)
{
	struct rig r;
	const char *mail = "MAIL FROM:<s@a.example>\r\n"
			   "RCPT TO:<t@b.example>\r\n"
			   "BDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\nQUIT\r\n";

	(void)state;
	rig_init(&r);
	r.o.later = true;
	rig_connect(&r, "192.0.2.1");
	assert_null(rig_expect(&r, "220"));
	rig_say(&r, "EHLO a\r\n");
	assert_null(rig_expect(&r, "250-"));
	for (const char *p = mail; *p != '\0'; p++) {
		rig_send(&r, p, 1);
		rig_poll(&r);
	}
	assert_null(rig_expect(&r,
	    "250 2.1.0\n250 2.1.5\n250 2.0.0 3\n250 2.0.0 Ok\n221\nEND"));
	assert_int_equal(r.o.stored, 1);
	rig_fini(&r);
}

static void a_nul_in_a_command_is_refused_not_cut_off(void **state)
{
	static const char line[] = "MAIL FROM:<s@a.example>\0 SIZE=1\r\n";
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_connect(&r, "192.0.2.1");
	assert_null(rig_expect(&r, "220"));
	rig_say(&r, "EHLO a\r\n");
	assert_null(rig_expect(&r, "250-"));
	rig_send(&r, line, sizeof(line) - 1);
	assert_null(rig_expect(&r, "500 5.5.2"));
	rig_fini(&r);
}

static void the_owner_hears_of_every_refusal(void **state)
{
	static const char want[] =
	    "connected 192.0.2.1\n"
	    "refused helo <> <> 501 5.5.4\n"
	    "refused command <> <> 500 5.5.1\n"
	    "mail refuse@a.example\n"
	    "refused mail <refuse@a.example> <> 554 5.7.1\n"
	    "mail s@a.example\n"
	    "rcpt unknown@b.example\n"
	    "refused rcpt <s@a.example> <unknown@b.example> 550 5.1.1\n"
	    "refused data <s@a.example> <> 554 5.5.1\n"
	    "refused bdat <s@a.example> <> 501 5.5.4\n"
	    "reset\nclosed\nleft 192.0.2.1\n";

	(void)state;
	for (int later = 0; later < 2; later++) {
		struct rig r;

		rig_init(&r);
		r.o.later = later;
		rig_connect(&r, "192.0.2.1");
		assert_null(rig_expect(&r, "220"));
		rig_say(&r, "EHLO\r\nEHLO a\r\nWHAT\r\n"
		    "MAIL FROM:<refuse@a.example>\r\n"
		    "MAIL FROM:<s@a.example>\r\n"
		    "RCPT TO:<unknown@b.example>\r\nDATA\r\n");
		assert_null(rig_expect(&r,
		    "501\n250-\n500\n554\n250\n550\n554"));
		rig_say(&r, "BDAT x\r\n");
		assert_null(rig_expect(&r, "501\nEND"));
		rig_turn(&r);
		assert_string_equal(strbuf_cstr(&r.o.log), want);
		rig_fini(&r);
	}
}

/* clang-format off */
static const struct { const char *say, *hear, *report; } reports[] = {
	{ "MAIL FROM:<a b@c.example>\r\n", "501",
	  "refused mail <a b@c.example> <> 501 5.1.7\nsaid FROM:<a b@c.example>" },
	{ "MAIL FROM:<a..b@c.example> XFOO=1\r\n", "555",
	  "refused mail <a..b@c.example> <> 555 5.5.4\n"
	  "said FROM:<a..b@c.example> XFOO=1" },
	{ "MAIL FROM:<\303\251@c.example>\r\n", "553",
	  "refused mail <\303\251@c.example> <> 553 5.6.7\nsaid FROM:<" },
	{ "MAIL FROM:<s@a.example>\r\nRCPT TO:<t@b..example>\r\nRSET\r\n",
	  "250\n501\n250",
	  "refused rcpt <s@a.example> <t@b..example> 501 5.1.3\n"
	  "said TO:<t@b..example>" },
	{ "MAIL FROM:s@a.example ENVID=a=b\r\nRSET\r\n", "250\n250",
	  "repaired mail <s@a.example> <> ENVID is no xtext\n"
	  "said FROM:s@a.example ENVID=a=b" },
	{ "MAIL FROM:<>\r\nRCPT TO:<t.@b.example> NOTIFY=, ORCPT=x\r\nRSET\r\n",
	  "250\n250\n250",
	  "repaired rcpt <> <t.@b.example> NOTIFY says nothing\n"
	  "said TO:<t.@b.example> NOTIFY=, ORCPT=x bytes 0\n"
	  "repaired rcpt <> <t.@b.example> ORCPT is no type;xtext\n" },
	{ "WHAT is this\r\n", "500",
	  "refused command <> <> 500 5.5.1\nsaid WHAT is this bytes" },
	{ "AUTH PLAIN AHVzZXIAcGFzcw==\r\n", "500",
	  "refused command <> <> 500 5.5.1\nsaid AUTH bytes" },
	{ "auth login\r\ndXNlcg==\r\ncGFzcw==\r\nNOOP\r\nWHAT\r\n",
	  "500\n500\n500\n250\n500",
	  "said AUTH bytes 0\nrefused command <> <> 500 5.5.1\nsaid  bytes 0\n"
	  "refused command <> <> 500 5.5.1\nsaid  bytes 0\n"
	  "refused command <> <> 500 5.5.1\nsaid WHAT bytes" },
	{ "A\rB\r\n", "500", "refused command <> <> 500 5.5.2\nsaid A\rB bytes" },
	{ "RCPT TO:<x@y>\r\n", "503",
	  "refused rcpt <> <> 503 5.5.1\nsaid TO:<x@y> bytes" },
	{ "QUIT\nMAIL\r\n", "521\nEND",
	  "refused command <> <> 521 5.5.2\nsaid QUIT bytes" },
};
static const struct { const char *say, *hear, *report; } aborts[] = {
	{ "MAIL FROM:<s@a.example>\r\n", "250",
	  "aborted mail <s@a.example> <> The client" },
	{ "MAIL FROM:<s@a.example>\r\nRCPT TO:<t@b.example>\r\n", "250\n250",
	  "aborted rcpt <s@a.example> <t@b.example> The client closed the "
	  "connection\nsaid  bytes 0\n" },
	{ "MAIL FROM:<s@a.example>\r\nRCPT TO:<t@b.example>\r\nDATA\r\n",
	  "250\n250\n354",
	  "aborted data <s@a.example> <t@b.example> The client closed the "
	  "connection\nsaid  bytes 0\n" },
	{ "MAIL FROM:<s@a.example>\r\nRCPT TO:<t@b.example>\r\nBDAT 3\r\nabc",
	  "250\n250\n250",
	  "aborted bdat <s@a.example> <t@b.example> The client closed the "
	  "connection\nsaid  bytes 3\n" },
	{ "MAIL FROM:<s@a.example>\r\nRSET\r\n", "250\n250", NULL },
	{ "MAIL FROM:<s@a.example>\r\nQUIT\r\n", "250\n221\nEND", NULL },
	{ "BDAT 5\r\nabc", NULL, NULL },
};
/* clang-format on */

static void what_was_said_is_on_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reports); i++) {
		struct rig r;

		print_message("%s\n", reports[i].say);
		rig_init(&r);
		r.o.say_words = true;
		rig_connect(&r, "192.0.2.1");
		assert_null(rig_expect(&r, "220"));
		rig_say(&r, "EHLO a\r\n");
		assert_null(rig_expect(&r, "250-"));
		rig_say(&r, reports[i].say);
		assert_null(rig_expect(&r, reports[i].hear));
		rig_turn(&r);
		if (strstr(strbuf_cstr(&r.o.log), reports[i].report) == NULL)
			fail_msg("%s", strbuf_cstr(&r.o.log));
		rig_fini(&r);
	}
}

static void a_mail_without_an_answer_is_on_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(aborts); i++) {
		struct rig r;
		const char *log;

		print_message("%s\n", aborts[i].say);
		rig_init(&r);
		r.o.say_words = true;
		rig_connect(&r, "192.0.2.1");
		assert_null(rig_expect(&r, "220"));
		rig_say(&r, aborts[i].say);
		if (aborts[i].hear != NULL)
			assert_null(rig_expect(&r, aborts[i].hear));
		rig_hang_up(&r);
		for (int n = 0; n < 200 && !r.o.closed; n++)
			rig_poll(&r);
		log = strbuf_cstr(&r.o.log);
		if (aborts[i].report == NULL
			? strstr(log, "aborted") != NULL
			: strstr(log, aborts[i].report) == NULL)
			fail_msg("%s", log);
		rig_fini(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_taken_in_their_order_only),
		cmocka_unit_test(
		    parameters_are_read_and_refused_with_fitting_codes),
		cmocka_unit_test(hostile_lines_are_refused),
		cmocka_unit_test(groups_of_commands_are_answered_in_order),
		cmocka_unit_test(ehlo_names_what_is_there),
		cmocka_unit_test(segments_do_not_matter),
		cmocka_unit_test(a_nul_in_a_command_is_refused_not_cut_off),
		cmocka_unit_test(the_owner_hears_of_every_refusal),
		cmocka_unit_test(what_was_said_is_on_record),
		cmocka_unit_test(a_mail_without_an_answer_is_on_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
