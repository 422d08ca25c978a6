/* SPDX-License-Identifier: ISC
 *
 * Mail that comes in, by the true worker: what is taken, what is refused and
 * how, and what is on record of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_trace.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

#define CLIENT "198.51.100.7"

/* ---- what is taken ---- */

static void a_mail_goes_to_the_leg_of_its_route(void)
{
	char id[16];

	rig_row("u1@corp.example", "cloud", -1);
	rig_mail("a@client.sim", "u1@corp.example u2@corp.example", id);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_has(rig_leg_said(LEG_CLOUD), "RCPT TO:<u1@corp.example>");
	rig_has(rig_leg_said(LEG_LEGACY), "RCPT TO:<u2@corp.example>");
	rig_has(rig_leg_content(LEG_CLOUD), "\nhello\n");
	rig_becomes(id, "");
	rig_has(rig_events(), "\"delivered\"");
	rig_has(rig_events(), "\"message_id\":\"<1@client.sim>\"");
}

static void both_legs_of_a_route_get_it(void)
{
	char id[16];

	rig_row("u1@corp.example", "cloud+legacy", -1);
	rig_mail("a@client.sim", "u1@corp.example", id);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_becomes(id, "");
}

static void held_mail_waits_for_its_release(void)
{
	char id[16];

	rig_row("u1@corp.example", "cloud", 1);
	rig_mail("a@client.sim", "u1@corp.example", id);
	rig_sleep(60);
	rig_deliveries(id, "cloud held");
	CHECK(rig_leg_taken(LEG_CLOUD) == 0);
	rig_row("u1@corp.example", NULL, 0);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_becomes(id, "");
}

static void a_sender_without_a_domain_gets_ours(void)
{
	struct peer *p = rig_client(CLIENT);

	rig_say(p, "MAIL FROM:<root>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	rig_say(p, "DATA", "354 ");
	rig_say(p, "a\r\n.", "250 ");
	rig_leave(p);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_has(rig_leg_said(LEG_LEGACY), "MAIL FROM:<root@relay.sim>");
}

static void content_without_a_header_stays_below_ours(void)
{
	struct peer *p = rig_client(CLIENT);

	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	rig_say(p, "DATA", "354 ");
	rig_say(p, " indented\r\n.", "250 ");
	rig_leave(p);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_has(rig_leg_content(LEG_LEGACY), "\n\n indented\n");
}

/* The header is longer than what waits for our trace block; the last field of
 * ours comes in pieces, and nothing behind it. */
static void fields_that_bear_our_id_go(void)
{
	struct peer *p = rig_client(CLIENT);
	struct strbuf b;

	strbuf_init(&b, 1 << 20);
	strbuf_adds(&b, "authentication-results : (a) \"relay.SIM\" 1; f-1\r\n"
	    "Authentication-Results: other.sim; spf=fail\r\n");
	for (int i = 0; i < 4000; i++)
		strbuf_addf(&b, "X-Line-%d: some text\r\n", i);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	rig_say(p, "DATA", "354 ");
	peer_say(p, strbuf_view(&b));
	peer_say(p, SLICE("Authentication-Res"));
	rig_sleep(1);
	peer_say(p, SLICE("ults:\r\n\trelay.s"));
	rig_sleep(1);
	rig_say(p, "im;\r\n\tf-2\r\nAuthentication-Results: relay.sim\r\n.",
	    "250 ");
	rig_leave(p);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_has(rig_leg_content(LEG_LEGACY), "X-Line-3999: some text\n");
	rig_has(rig_leg_content(LEG_LEGACY), "!f-1");
	rig_has(rig_leg_content(LEG_LEGACY), "!f-2");
	rig_has(rig_leg_content(LEG_LEGACY), "!Results: relay.sim\n");
	rig_has(rig_leg_content(LEG_LEGACY), "Results: other.sim; spf=fail\n");
	rig_has(rig_events(), "\"stripped\":3");
	strbuf_fini(&b);
}

static void a_long_header_and_a_large_body_come_through(void)
{
	struct peer *p = rig_client(CLIENT);
	struct strbuf b;

	strbuf_init(&b, 4 << 20);
	for (int i = 0; i < 2000; i++)
		strbuf_addf(&b, "X-Line-%d: some text that makes it long\r\n",
		    i);
	strbuf_adds(&b, "\r\n");
	for (int i = 0; i < 20000; i++)
		strbuf_addf(&b, "line %d of the body\r\n", i);
	rig_say(p, "MAIL FROM:<a@client.sim> SIZE=500000 BODY=8BITMIME "
	    "RET=HDRS ENVID=x", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example> NOTIFY=NEVER "
	    "ORCPT=rfc822;o@x.example", "250 ");
	rig_say(p, "DATA", "354 ");
	peer_say(p, strbuf_view(&b));
	rig_say(p, ".", "250 ");
	rig_leave(p);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_has(rig_leg_content(LEG_LEGACY), "X-Line-1999: some text");
	rig_has(rig_leg_content(LEG_LEGACY), "line 19999 of the body");
	rig_has(rig_leg_said(LEG_LEGACY), "ENVID=x");
	rig_has(rig_leg_said(LEG_LEGACY), "ORCPT=rfc822;o@x.example");
	strbuf_fini(&b);
}

static void a_client_may_take_back_or_leave(void)
{
	struct peer *p = rig_client(CLIENT);

	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	rig_say(p, "RSET", "250 ");
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	rig_say(p, "DATA", "354 ");
	peer_sayf(p, "Subject: half of it\r\n\r\nhalf");
	rig_sleep(1);
	peer_close(p, true);
	mem_free(p);
	rig_sleep(60);
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
	rig_has(rig_events(), "\"aborted\"");
}

/* The answer of the journal comes when the intake has gone, too: the mail was
 * not answered, and goes out after the next start or comes once more. */
static void a_stop_while_a_message_is_written_ends_well(void)
{
	struct peer *p = rig_client(CLIENT);

	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	rig_say(p, "DATA", "354 ");
	sim_disk_slow(true);
	peer_sayf(p, "a\r\n.\r\n");
	peer_close(p, true);
	mem_free(p);
	task_sleep_us(20000); /* no session keeps the daemon up */
	rig_stop();
	sim_disk_slow(false);
	rig_start();
	rig_sleep(10);
	CHECK(rig_leg_taken(LEG_LEGACY) <= 1);
}

/* The answer of the journal comes when the session has gone. */
static void a_client_that_leaves_at_the_end_leaves_a_mail(void)
{
	struct peer *p = rig_client(CLIENT);

	sim_disk_slow(true);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	rig_say(p, "DATA", "354 ");
	peer_sayf(p, "a\r\n.\r\n");
	peer_close(p, true);
	mem_free(p);
	rig_sleep(10);
	sim_disk_slow(false);
	rig_sleep(10);
	CHECK(rig_leg_taken(LEG_LEGACY) <= 1);
}

/* ---- what is refused ---- */

static void each_refusal_has_its_reply(void)
{
	static const struct {
		const char *rcpt, *reply;
	} cases[] = {
	    {"x@elsewhere.example", "550 5.7.1 Relaying denied"},
	    {"u2@corp.example", "550 5.1.1 No such recipient"},
	    {"u3@corp.example", "450 4.2.1 Mailbox is being moved"},
	    {"postmaster", "250 2.1.5"},
	    {"u1@corp.example", "250 2.1.5"},
	};
	struct peer *p = rig_client(CLIENT);
	char line[100];

	rig_row("u2@corp.example", "reject", -1);
	rig_row("u3@corp.example", "defer", -1);
	rig_sleep(1);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(line, sizeof(line), "RCPT TO:<%s>", cases[i].rcpt);
		rig_say(p, line, cases[i].reply);
	}
	rig_leave(p);
	rig_has(rig_events(), "\"refused\"");
}

static void a_mail_that_goes_round_is_refused(void)
{
	struct peer *p = rig_client(CLIENT);

	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	rig_say(p, "DATA", "354 ");
	for (int i = 0; i < 120; i++)
		peer_sayf(p, "Received: from x by y; now\r\n");
	rig_say(p, "\r\nround\r\n.", "554 5.4.6 Too many hops");
	rig_leave(p);
}

static void recipients_are_asked_for_at_their_leg(void)
{
	static const struct rig_rule says[] = {
		{"RCPT TO:<u4@", "550 5.1.1 no such user", 0},
		{"RCPT TO:<u5@", "451 4.3.0 later", 0},
		{"RCPT TO:<nobody-", "550 5.1.1 no such user", 0},
		{NULL, NULL, 0}};
	struct peer *p = rig_client(CLIENT);

	rig_leg_script(LEG_LEGACY, says);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u4@corp.example>", "550 5.1.1 ");
	/* A reply for now refuses no recipient. */
	rig_say(p, "RCPT TO:<u5@corp.example> ORCPT=rfc822;x@y.example",
	    "250 ");
	rig_say(p, "RCPT TO:<u6@corp.example>", "250 ");
	/* It is remembered. */
	rig_say(p, "RCPT TO:<u4@corp.example>", "550 5.1.1 ");
	rig_say(p, "RCPT TO:<u6@corp.example>", "250 ");
	rig_leave(p);
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
}

static void a_leg_that_does_not_answer_may_defer(void)
{
	struct peer *p = rig_client(CLIENT);

	rig_leg_down(LEG_LEGACY, true);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u4@corp.example>", "450 4.4.3");
	rig_say(p, "RSET", "250 ");
	rig_leave(p);
}

/* The client leaves while its leg is being asked. */
static void a_question_may_be_given_up(void)
{
	static const struct rig_rule mute[] = {
		{"RCPT", "", 0}, {NULL, NULL, 0}};
	struct peer *p = rig_client(CLIENT);

	rig_leg_script(LEG_LEGACY, mute);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	peer_sayf(p, "RCPT TO:<u4@corp.example>\r\n");
	rig_sleep(1);
	peer_close(p, true);
	mem_free(p);
	rig_sleep(60);
}

static void a_full_disk_refuses_for_now(void)
{
	struct strbuf b;
	struct peer *p;

	strbuf_init(&b, 1 << 20);
	for (int i = 0; i < 1500; i++)
		strbuf_adds(&b, "a line of sixty bytes that fills up the disk "
		    "soon enough\r\n");
	rig_ctl(0, "leg.suspend", "{\"leg\": \"legacy\"}");
	sim_disk_full(true);
	p = rig_client(CLIENT);
	for (int i = 0; i < 60; i++) {
		const char *said;

		said = rig_say(p, "MAIL FROM:<a@client.sim>", "");
		if (said[0] != '2')
			break;
		rig_say(p, "RCPT TO:<postmaster@corp.example>", "250 ");
		if (rig_say(p, "DATA", "")[0] != '3')
			break;
		peer_say(p, strbuf_view(&b));
		if (rig_say(p, ".", "")[0] != '2')
			break;
	}
	rig_say(p, "RSET", "250 ");
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<postmaster@corp.example>", "250 ");
	rig_say(p, "DATA", "452 4.3.1 ");
	rig_has(rig_ctl(0, "status", "{}"), "!\"health\":\"ok\"");
	sim_disk_full(false);
	rig_sleep(60);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<postmaster@corp.example>", "250 ");
	rig_say(p, "DATA", "354 ");
	rig_say(p, "a\r\n.", "250 ");
	rig_leave(p);
	strbuf_fini(&b);
}

static void a_disk_that_fails_takes_nothing(void)
{
	struct peer *p = rig_client(CLIENT);

	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	sim_disk_fail(CALL_SYNC, 1);
	rig_say(p, "DATA", "354 ");
	rig_say(p, "a\r\n.", "451 4.3.0 ");
	rig_leave(p);
	rig_sleep(60);
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
}

static void bare_line_ends_are_refused_where_no_leg_takes_them(void)
{
	struct peer *p;

	/* The leg is met, and offers no CHUNKING. */
	rig_mail("a@client.sim", "u1@corp.example", (char[16]){0});
	rig_leg_takes(LEG_LEGACY, 1);
	p = rig_client(CLIENT);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	rig_say(p, "BDAT 7 LAST\r\nab\ncd", "554 5.6.11");
	rig_leave(p);
}

static const struct rig_conf defers = {
	.more = "probe { no_answer = \"defer\" }\n",
};

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_mail_goes_to_the_leg_of_its_route, NULL),
		RIG_TEST(both_legs_of_a_route_get_it, NULL),
		RIG_TEST(held_mail_waits_for_its_release, NULL),
		RIG_TEST(a_sender_without_a_domain_gets_ours, NULL),
		RIG_TEST(content_without_a_header_stays_below_ours, NULL),
		RIG_TEST(fields_that_bear_our_id_go, NULL),
		RIG_TEST(a_long_header_and_a_large_body_come_through, NULL),
		RIG_TEST(a_client_may_take_back_or_leave, NULL),
		RIG_TEST(a_stop_while_a_message_is_written_ends_well, NULL),
		RIG_TEST(a_client_that_leaves_at_the_end_leaves_a_mail, NULL),
		RIG_TEST(each_refusal_has_its_reply, NULL),
		RIG_TEST(a_mail_that_goes_round_is_refused, NULL),
		RIG_TEST(recipients_are_asked_for_at_their_leg, NULL),
		RIG_TEST(a_leg_that_does_not_answer_may_defer, &defers),
		RIG_TEST(a_question_may_be_given_up, NULL),
		RIG_TEST(a_full_disk_refuses_for_now, NULL),
		RIG_TEST(a_disk_that_fails_takes_nothing, NULL),
		RIG_TEST(bare_line_ends_are_refused_where_no_leg_takes_them,
		    NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
