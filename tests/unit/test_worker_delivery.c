/* SPDX-License-Identifier: ISC
 *
 * Mail that goes out, by the true worker: attempts and what follows from
 * them, connections that are shared, and legs that come and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/daemon/app.h"
#include "relay/post/workers.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

#define U1 "u1@corp.example"
#define U2 "u2@corp.example"

static void what_waits_is_tried_again_until_it_is_taken(void)
{
	static const struct rig_rule later[] = {
		{"RCPT", "451 4.3.0 later", 2}, {NULL, NULL, 0}};
	char id[16];

	rig_leg_script(LEG_LEGACY, later);
	rig_mail("a@client.sim", U1, id);
	rig_sleep(5);
	rig_deliveries(id, "legacy deferred");
	rig_has(rig_ctl(0, "queue.list", "{\"leg\": \"legacy\"}"),
	    "451 4.3.0 later");
	rig_leg_takes(LEG_LEGACY, 1);
	rig_becomes(id, "");
	rig_has(rig_events(), "\"deferred\"");
}

static void what_is_refused_for_good_is_told_to_its_sender(void)
{
	static const struct rig_rule no[] = {
		{"RCPT TO:<u1@", "550 5.1.1 no such user", 0},
		{NULL, NULL, 0}};
	char id[16];

	rig_row(U1, "legacy", -1);
	rig_leg_script(LEG_LEGACY, no);
	rig_mail("a@client.sim", U1 " " U2, id);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_leg_takes(LEG_OUTSIDE, 1);
	rig_becomes(id, "");
	rig_has(rig_leg_said(LEG_OUTSIDE), "MAIL FROM:<>");
	rig_has(rig_leg_said(LEG_OUTSIDE), "RCPT TO:<a@client.sim>");
	rig_has(rig_leg_content(LEG_OUTSIDE), "no such user");
	rig_has(rig_leg_content(LEG_OUTSIDE), U1);
	rig_has(rig_leg_content(LEG_OUTSIDE), "!" U2);
	rig_has(rig_events(), "\"bounced\"");
}

static void the_null_sender_is_told_nothing(void)
{
	static const struct rig_rule no[] = {
		{".", "554 5.7.0 refused", 0}, {NULL, NULL, 0}};
	char id[16];

	rig_leg_script(LEG_LEGACY, no);
	rig_mail("", U1, id);
	rig_sleep(60);
	CHECK(rig_leg_taken(LEG_OUTSIDE) == 0);
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
	rig_has(rig_events(), "554");
}

static void what_waits_too_long_is_told_and_given_up(void)
{
	static const struct rig_rule busy[] = {
		{"MAIL", "451 4.3.2 busy", 0}, {NULL, NULL, 0}};
	char id[16];

	rig_row(U1, "legacy", -1);
	rig_leg_script(LEG_LEGACY, busy);
	rig_mail("a@client.sim", U1, id);
	/* It is late after five minutes, over after forty. */
	rig_leg_takes(LEG_OUTSIDE, 1);
	rig_has(rig_leg_content(LEG_OUTSIDE), "delayed");
	rig_leg_takes(LEG_OUTSIDE, 2);
	rig_has(rig_leg_content(LEG_OUTSIDE), "failed");
	rig_sleep(1);
	rig_deliveries(id, "legacy parked");
	rig_leg_script(LEG_LEGACY, NULL);
	rig_ctl(0, "queue.act", "{\"action\": \"retry\", "
	    "\"state\": \"parked\"}");
	rig_leg_takes(LEG_LEGACY, 1);
	rig_becomes(id, "");
}

static void a_leg_that_is_down_gets_all_when_it_is_back(void)
{
	char id[16];

	rig_leg_down(LEG_LEGACY, true);
	for (int i = 0; i < 12; i++)
		rig_mail("a@client.sim", U1, id);
	rig_sleep(120);
	rig_has(rig_ctl(0, "leg.list", "{}"), "\"down\"");
	rig_leg_down(LEG_LEGACY, false);
	rig_leg_takes(LEG_LEGACY, 12);
	rig_sleep(60);
	rig_has(rig_ctl(0, "leg.list", "{}"), "!\"down\"");
	rig_becomes(id, "");
}

static void a_connection_is_used_again(void)
{
	char id[16];

	for (int i = 0; i < 4; i++) {
		rig_mail("a@client.sim", U1, id);
		rig_leg_takes(LEG_LEGACY, i + 1);
	}
	CHECK(rig_leg_connections(LEG_LEGACY) <= 3);
	rig_sleep(30);
	rig_has(rig_leg_said(LEG_LEGACY), "QUIT");
}

static const struct rig_conf narrow = {
	.legs =
	    "leg \"legacy\" { hosts = \"legacy.sim:25\" tls = \"none\"\n"
	    "    connections = 1 idle_timeout = \"60s\" }\n"
	    "leg \"cloud\" { hosts = \"cloud.sim:25\" tls = \"none\"\n"
	    "    max_messages = 2 max_recipients = 2 }\n"
	    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" }\n",
};

/* The one connection passes from one worker to the other. */
static void one_connection_serves_both_workers(void)
{
	char id[16];

	for (int i = 0; i < 30; i++)
		rig_mail("a@client.sim", U1, id);
	rig_leg_takes(LEG_LEGACY, 30);
	rig_becomes(id, "");
}

static bool has_quit(void *arg)
{
	(void)arg;
	return strstr(rig_leg_said(LEG_LEGACY), "QUIT") != NULL;
}

/* A worker that waits for a connection asks the others: one that is idle is
 * given up at once, long before its idle_timeout. */
static void an_idle_connection_is_given_up_for_another_worker(void)
{
	const struct app *a = rig_app();
	int64_t begin = clock_mono_ms(a->shared.clock);
	int leg = names_find(a->shared.names, SLICE("legacy"));
	char id[16];

	rig_mail("a@client.sim", U1, id);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_sleep(2);
	CHECK(!has_quit(NULL));
	workers_yield(a->shared.workers, leg, -1);
	rig_until(has_quit, NULL);
	CHECK(clock_mono_ms(a->shared.clock) - begin < 20000);
}

static void a_transaction_has_its_limits(void)
{
	char id[16];

	for (int i = 1; i <= 5; i++) {
		char address[40];

		snprintf(address, sizeof(address), "u%d@corp.example", i);
		rig_row(address, "cloud", -1);
	}
	rig_sleep(1);
	rig_mail("a@client.sim", "u1@corp.example u2@corp.example "
	    "u3@corp.example u4@corp.example u5@corp.example", id);
	rig_leg_takes(LEG_CLOUD, 3);
	rig_becomes(id, "");
	CHECK(rig_leg_connections(LEG_CLOUD) >= 2);
}

static void an_answer_that_never_came_is_asked_for_again(void)
{
	static const struct rig_rule drops[] = {
		{".", RIG_CLOSE, 1}, {NULL, NULL, 0}};
	char id[16];

	rig_leg_script(LEG_LEGACY, drops);
	rig_mail("a@client.sim", U1, id);
	rig_sleep(2);
	rig_deliveries(id, "legacy deferred");
	rig_leg_takes(LEG_LEGACY, 1);
	rig_becomes(id, "");
}

static void a_silent_leg_is_given_up_in_time(void)
{
	static const struct rig_rule mute[] = {
		{"MAIL", "", 1}, {NULL, NULL, 0}};
	char id[16];

	rig_leg_script(LEG_LEGACY, mute);
	rig_mail("a@client.sim", U1, id);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_becomes(id, "");
}

static void a_flip_moves_what_waits(void)
{
	char id[16];

	rig_leg_down(LEG_LEGACY, true);
	rig_mail("a@client.sim", U1 " " U2, id);
	rig_sleep(30);
	rig_row(U1, "cloud", -1);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_has(rig_leg_said(LEG_CLOUD), U1);
	rig_has(rig_leg_said(LEG_CLOUD), "!" U2);
	rig_becomes(id, "legacy deferred");
	rig_leg_down(LEG_LEGACY, false);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_becomes(id, "");
}

/* The route is looked up when the attempt begins, not when mail came. */
static void a_flip_before_the_attempt_counts(void)
{
	char id[16];

	rig_ctl(0, "leg.suspend", "{\"leg\": \"legacy\"}");
	rig_mail("a@client.sim", U1, id);
	rig_sleep(5);
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
	rig_row(U1, "cloud", -1);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_ctl(0, "leg.resume", "{\"leg\": \"legacy\"}");
	rig_sleep(60);
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
	rig_becomes(id, "");
}

/* It waited in its worker for the leg's only connection, and that is busy for
 * minutes: after a moment it is the queue's, which follows the table. */
static void what_finds_no_connection_is_soon_the_queue_s(void)
{
	static const struct rig_rule mute[] = {
		{"MAIL", "", 1}, {NULL, NULL, 0}};
	char id[16];

	rig_leg_script(LEG_LEGACY, mute);
	rig_mail("a@client.sim", U1, id);
	rig_sleep(1);
	rig_mail("a@client.sim", U2, id);
	rig_sleep(1);
	rig_row(U2, "cloud", -1);
	rig_sleep(5);
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
	CHECK(rig_leg_taken(LEG_CLOUD) == 1);
	rig_has(rig_leg_said(LEG_CLOUD), U2);
	rig_becomes(id, "");
	rig_leg_takes(LEG_LEGACY, 1);
}

static void a_rewritten_address_is_said_to_its_leg(void)
{
	char id[16];

	rig_rewritten(U1, "cloud", "cloud=x1@tenant.example");
	rig_mail("a@client.sim", U1, id);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_has(rig_leg_said(LEG_CLOUD), "RCPT TO:<x1@tenant.example>");
	rig_becomes(id, "");
}

static void a_kill_loses_nothing(void)
{
	char id[2][16];

	rig_leg_down(LEG_LEGACY, true);
	rig_mail("a@client.sim", U1, id[0]);
	rig_mail("a@client.sim", U2, id[1]);
	rig_sleep(5);
	rig_kill();
	rig_leg_down(LEG_LEGACY, false);
	rig_start();
	rig_leg_takes(LEG_LEGACY, 2);
	rig_becomes(id[0], "");
	rig_becomes(id[1], "");
}

static void a_stop_gives_back_what_is_under_way(void)
{
	static const struct rig_rule mute[] = {
		{"DATA", "", 1}, {NULL, NULL, 0}};
	char id[16];

	rig_leg_script(LEG_LEGACY, mute);
	rig_mail("a@client.sim", U1, id);
	rig_sleep(2);
	rig_stop();
	rig_start();
	rig_leg_takes(LEG_LEGACY, 1);
	rig_becomes(id, "");
}

static const struct rig_conf fewer = {
	.legs =
	    "leg \"legacy\" { hosts = \"legacy.sim:25\" tls = \"none\"\n"
	    "    connections = 3 }\n"
	    "leg \"cloud\" { hosts = \"cloud.sim:25\" tls = \"none\" }\n"
	    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" }\n"};

static void a_reload_keeps_what_is_under_way(void)
{
	static const struct rig_rule slow[] = {
		{"RCPT", "451 4.3.0 later", 1}, {NULL, NULL, 0}};
	static const struct rig_conf wrong = {.domain = "domain \"x\" {\n"};
	struct peer *p = rig_client("198.51.100.8");
	char id[16];

	rig_leg_script(LEG_LEGACY, slow);
	rig_mail("a@client.sim", U1, id);
	rig_say(p, "MAIL FROM:<b@client.sim>", "250 ");
	CHECK(rig_reload(&fewer));
	CHECK(!rig_reload(&wrong));
	CHECK(rig_reload(NULL));
	CHECK(rig_reload(&fewer));
	CHECK(rig_reload(NULL));
	rig_say(p, "RCPT TO:<" U2 ">", "250 ");
	rig_say(p, "DATA", "354 ");
	rig_say(p, "a\r\n.", "250 ");
	rig_leave(p);
	rig_leg_takes(LEG_LEGACY, 2);
	rig_becomes(id, "");
}

static void what_a_leg_does_not_take_is_known_beforehand(void)
{
	static const struct rig_rule small[] = {
		{"EHLO", "250-leg.sim\r\n250 SIZE 2000", 0},
		{NULL, NULL, 0}};
	struct peer *p;
	char id[16];

	rig_leg_script(LEG_LEGACY, small);
	rig_leg_script(LEG_CLOUD, small);
	rig_row(U2, "cloud+legacy", -1);
	rig_mail("a@client.sim", U1 " " U2, id);
	rig_becomes(id, "");
	p = rig_client("198.51.100.8");
	rig_say(p, "MAIL FROM:<b@client.sim> SIZE=5000", "250 ");
	rig_say(p, "RCPT TO:<" U1 ">", "552 5.3.4");
	rig_say(p, "RSET", "250 ");
	rig_say(p, "MAIL FROM:<\xc3\xa4@client.sim> SMTPUTF8", "250 ");
	rig_say(p, "RCPT TO:<" U1 ">", "553 5.6.7");
	rig_say(p, "RSET", "250 ");
	rig_leave(p);
}

/* The leg of a copy takes less than that of the primary. */
static void a_copy_that_its_leg_does_not_take_is_parked(void)
{
	static const struct rig_rule small[] = {
		{"EHLO", "250-leg.sim\r\n250 SIZE 2000", 0},
		{NULL, NULL, 0}};
	char id[16], content[3100];
	size_t n = (size_t)snprintf(content, sizeof(content),
	    "Subject: large\r\n\r\n");

	while (n < 3000)
		n += (size_t)snprintf(content + n, sizeof(content) - n,
		    "%060d\r\n", 0);
	rig_leg_script(LEG_LEGACY, small);
	rig_row(U2, "cloud+legacy", -1);
	rig_mail("a@client.sim", U2, id); /* tells what the legs take */
	rig_becomes(id, "");
	rig_mail_from("198.51.100.8", "b@client.sim", U2, content, id);
	rig_leg_takes(LEG_CLOUD, 2);
	rig_becomes(id, "legacy parked");
	CHECK(rig_leg_taken(LEG_LEGACY) == 1);
}

int main(void)
{
	static const struct rig_conf late = {
		.dsn = "dsn { via = \"outside\" guard = \"off\"\n"
		       "    delay = \"5m\" }\n"};
	const struct CMUnitTest tests[] = {
		RIG_TEST(what_waits_is_tried_again_until_it_is_taken, NULL),
		RIG_TEST(what_is_refused_for_good_is_told_to_its_sender, NULL),
		RIG_TEST(the_null_sender_is_told_nothing, NULL),
		RIG_TEST(what_waits_too_long_is_told_and_given_up, &late),
		RIG_TEST(a_leg_that_is_down_gets_all_when_it_is_back, NULL),
		RIG_TEST(a_connection_is_used_again, NULL),
		RIG_TEST(one_connection_serves_both_workers, &narrow),
		RIG_TEST(an_idle_connection_is_given_up_for_another_worker,
		    &narrow),
		RIG_TEST(a_transaction_has_its_limits, &narrow),
		RIG_TEST(an_answer_that_never_came_is_asked_for_again, NULL),
		RIG_TEST(a_silent_leg_is_given_up_in_time, NULL),
		RIG_TEST(a_flip_moves_what_waits, NULL),
		RIG_TEST(a_flip_before_the_attempt_counts, NULL),
		RIG_TEST(what_finds_no_connection_is_soon_the_queue_s, &narrow),
		RIG_TEST(a_rewritten_address_is_said_to_its_leg, NULL),
		RIG_TEST(a_kill_loses_nothing, NULL),
		RIG_TEST(a_stop_gives_back_what_is_under_way, NULL),
		RIG_TEST(a_reload_keeps_what_is_under_way, NULL),
		RIG_TEST(what_a_leg_does_not_take_is_known_beforehand, NULL),
		RIG_TEST(a_copy_that_its_leg_does_not_take_is_parked, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
