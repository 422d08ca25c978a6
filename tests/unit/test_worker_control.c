/* SPDX-License-Identifier: ISC
 *
 * The control commands, asked of the true daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/daemon/app.h"
#include "relay/settle/queue_thread.h"
#include "tests/sim/sim_trace.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

#define U1 "u1@corp.example"
#define U2 "u2@corp.example"

static const char *with_id(const char *fmt, const char *id)
{
	static char text[300];

	snprintf(text, sizeof(text), fmt, id);
	return text;
}

/* A mail that waits at a suspended leg. */
static void waiting(const char *to, char id[16])
{
	rig_ctl(0, "leg.suspend",
	    "{\"leg\": \"legacy\", \"reason\": \"maintenance\"}");
	rig_mail("a@client.sim", to, id);
	rig_sleep(2);
}

static bool no_dialog(void *arg)
{
	(void)arg;
	return strstr(rig_ctl(0, "status", "{}"), "\"dialogs\":0") != NULL;
}

static void status_tells_of_each_part(void)
{
	static const char *const parts[] = {"\"node\"", "\"table\"",
	    "\"queue\"", "\"spool\"", "\"disk\"", "\"index\"", "\"leg\"",
	    "\"relay.sim\"", "\"health\":\"ok\""};
	const char *text;
	char id[16];

	waiting(U1, id);
	text = rig_ctl(0, "status", "{}");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		rig_has(text, parts[i]);
	rig_has(text, "maintenance");
	rig_has(text, "\"messages\":1");
}

static void status_counts_the_dialogs_under_way(void)
{
	static const struct rig_rule silent[] = {
	    {".", "", 1}, {NULL, NULL, 0}};
	char id[16];

	rig_leg_script(LEG_LEGACY, silent);
	rig_mail("a@client.sim", U1, id);
	rig_sleep(1);
	rig_has(rig_ctl(0, "status", "{}"), "\"dialogs\":1");
	rig_until(no_dialog, NULL);
}

/* Journal and queue are waited for, and the gap is a move of which one of them
 * never hears. */
static void a_move_that_the_queue_never_heard_of_is_a_gap(void)
{
	const struct app *a = rig_app();
	struct live_flow *flow = (struct live_flow *)queue_flow(
	    queue_thread_queue(a->queue_thread));
	char id[16];

	waiting(U1, id);
	rig_has(rig_ctl(0, "leg.list", "{}"), "\"gap\":0");
	rig_has(rig_ctl(0, "leg.list", "{}"), "!\"gap\":1");
	flow[names_find(a->shared.names, SLICE("legacy"))].entered--;
	rig_has(rig_ctl(0, "leg.list", "{}"), "\"gap\":1");
	flow[names_find(a->shared.names, SLICE("legacy"))].entered++;
	rig_has(rig_ctl(0, "leg.list", "{}"), "!\"gap\":1");
}

static void legs_are_suspended_and_resumed_with_a_reason(void)
{
	static const struct {
		const char *command, *args, *why;
	} wrong[] = {
	    {"leg.suspend", "{\"leg\": \"moon\"}", "no leg is called"},
	    {"leg.resume", "{\"leg\": \"moon\"}", "no leg is called"},
	    {"leg.suspend", "{}", "no leg is called"},
	};
	char id[16];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		rig_ctl(1, wrong[i].command, wrong[i].args);
		rig_has(rig_ctl_error(), wrong[i].why);
	}
	waiting(U1, id);
	rig_has(rig_ctl(0, "leg.list", "{}"), "\"suspended\"");
	/* It stays so over a restart. */
	rig_stop();
	rig_start();
	rig_has(rig_ctl(0, "leg.list", "{}"), "\"suspended\"");
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
	rig_ctl(0, "leg.resume", "{\"leg\": \"legacy\"}");
	rig_leg_takes(LEG_LEGACY, 1);
	rig_has(rig_ctl(0, "leg.list", "{}"), "!\"suspended\"");
	rig_becomes(id, "");
}

static void the_queue_is_listed_by_each_condition(void)
{
	static const struct {
		const char *args;
		int rows;
	} cases[] = {
	    {"{}", 3},
	    {"{\"leg\": \"legacy\"}", 3},
	    {"{\"leg\": \"cloud\"}", 0},
	    {"{\"to\": \"" U1 "\"}", 2},
	    {"{\"to\": \"U1@CORP.example\"}", 2},
	    {"{\"from\": \"b@client.sim\"}", 1},
	    {"{\"from\": \"<>\"}", 0},
	    {"{\"state\": \"queued\"}", 3},
	    {"{\"state\": \"parked\"}", 0},
	    {"{\"limit\": 2}", 2},
	    {"{\"age_s\": 1}", 3},
	    {"{\"age_s\": 7200}", 0},
	};
	char id[16];

	waiting(U1 " " U2, id);
	rig_mail("b@client.sim", U1, id);
	rig_sleep(5);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = rig_ctl(0, "queue.list", cases[i].args);
		int rows = 0;

		for (; *text != '\0'; text++)
			rows += *text == '\n';
		if (rows != cases[i].rows)
			sim_fail("%s: %d rows", cases[i].args, rows);
	}
}

static void a_bad_condition_is_refused(void)
{
	static const struct {
		const char *args, *why;
	} cases[] = {
	    {"{\"leg\": \"moon\"}", "no leg is called \"moon\""},
	    {"{\"leg\": \"\"}", "\"leg\" is empty"},
	    {"{\"state\": \"odd\"}", "no state is called \"odd\""},
	    {"{\"customer\": \"none\"}", "belongs to the customer none"},
	    {"{\"id\": \"x\"}", "\"x\" is no message id"},
	    {"{\"ids\": [\"y\"]}", "\"y\" is no message id"},
	    {"{\"until\": \"z\"}", "\"z\" is no message id"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_ctl(1, "queue.list", cases[i].args);
		rig_has(rig_ctl_error(), cases[i].why);
	}
}

static void a_message_is_shown_with_its_content(void)
{
	const char *text;
	char id[16];

	rig_ctl(2, "queue.show", "{}");
	rig_ctl(1, "queue.show", "{\"id\": \"0000000000000\"}");
	rig_ctl(1, "queue.export", "{\"id\": \"x\"}");
	rig_ctl(1, "queue.export", "{\"id\": \"0000000000000\"}");
	waiting(U1, id);
	text = rig_ctl(0, "queue.show", with_id("{\"id\": \"%s\"}", id));
	rig_has(text, "\"from\":\"a@client.sim\"");
	rig_has(text, "\"to\":\"" U1 "\"");
	rig_has(text, "!\"chunk\"");
	text = rig_ctl(0, "queue.show",
	    with_id("{\"id\": \"%s\", \"body\": true}", id));
	rig_has(text, "\"chunk\"");
	text = rig_ctl(0, "queue.export", with_id("{\"id\": \"%s\"}", id));
	rig_has(text, "\"chunk\"");
	/* Reading a body is on record. */
	rig_has(rig_events(), "queue show --body");
	rig_has(rig_events(), "queue export");
}

/* ---- acts ---- */

static void an_act_needs_a_selection_and_a_name(void)
{
	char id[16];

	rig_ctl(2, "queue.act", "{\"action\": \"melt\", \"leg\": \"legacy\"}");
	rig_has(rig_ctl_error(), "is no action");
	rig_ctl(2, "queue.act", "{\"action\": \"retry\"}");
	rig_has(rig_ctl_error(), "say which deliveries");
	rig_mail("a@client.sim", U1, id);
	rig_becomes(id, "");
	rig_ctl(1, "queue.act", with_id("{\"action\": \"retry\", "
	    "\"id\": \"%s\"}", id));
	rig_has(rig_ctl_error(), "no delivery of that message");
	rig_ctl(0, "queue.act", "{\"action\": \"retry\", \"leg\": \"cloud\"}");
}

static void each_act_does_what_it_says(void)
{
	char id[16];

	waiting(U1, id);
	rig_has(rig_ctl(0, "queue.act", with_id("{\"action\": \"freeze\", "
	    "\"id\": \"%s\", \"count\": true}", id)), "\"count\":1");
	rig_has(rig_ctl(0, "queue.act", with_id("{\"action\": \"freeze\", "
	    "\"id\": \"%s\", \"dry_run\": true}", id)), "\"queued\"");
	rig_deliveries(id, "legacy queued");
	rig_has(rig_ctl(0, "queue.act", with_id("{\"action\": \"freeze\", "
	    "\"id\": \"%s\", \"reason\": \"look at it\"}", id)),
	    "\"done\":true");
	rig_deliveries(id, "legacy frozen");
	rig_has(rig_ctl(0, "queue.list", "{}"), "look at it");
	/* Frozen already. */
	rig_has(rig_ctl(1, "queue.act", with_id("{\"action\": \"freeze\", "
	    "\"id\": \"%s\"}", id)), "\"done\":false");
	rig_has(rig_ctl_error(), "1 of 1 could not be changed");
	rig_ctl(0, "queue.act", with_id("{\"action\": \"thaw\", "
	    "\"id\": \"%s\"}", id));
	rig_deliveries(id, "legacy queued");
	rig_ctl(0, "queue.act", with_id("{\"action\": \"park\", "
	    "\"id\": \"%s\"}", id));
	rig_deliveries(id, "legacy parked");
	rig_ctl(0, "queue.act", with_id("{\"action\": \"bounce\", "
	    "\"id\": \"%s\", \"reason\": \"not wanted\"}", id));
	rig_becomes(id, "");
	rig_leg_takes(LEG_OUTSIDE, 1);
	rig_has(rig_leg_content(LEG_OUTSIDE), U1);
	rig_has(rig_events(), "\"admin\"");
}

static void many_are_deleted_at_once(void)
{
	char id[16];

	waiting(U1, id);
	for (int i = 0; i < 300; i++)
		rig_mail("b@client.sim", U2, id);
	rig_sleep(2);
	rig_has(rig_ctl(0, "queue.act", "{\"action\": \"delete\", "
	    "\"to\": \"" U2 "\", \"count\": true}"), "\"count\":300");
	rig_ctl(0, "queue.act", "{\"action\": \"delete\", "
	    "\"to\": \"" U2 "\"}");
	rig_has(rig_ctl(0, "status", "{}"), "\"messages\":1");
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
}

/* More deliveries of a message than are changed at once: the walk waits for
 * them, and goes on to the messages behind. */
static void messages_of_many_recipients_are_deleted_whole(void)
{
	char id[16], *to = mem_new(280 * 24);
	size_t n = 0;

	waiting(U1, id);
	for (int i = 0; i < 280; i++)
		n += (size_t)sprintf(&to[n], "%sm%d@corp.example",
		    i == 0 ? "" : " ", i);
	for (int i = 0; i < 3; i++)
		rig_mail("b@client.sim", to, id);
	mem_free(to);
	rig_sleep(2);
	rig_has(rig_ctl(0, "queue.act", "{\"action\": \"delete\", "
	    "\"from\": \"b@client.sim\", \"count\": true}"),
	    "\"count\":840");
	rig_ctl(0, "queue.act", "{\"action\": \"delete\", "
	    "\"from\": \"b@client.sim\"}");
	rig_has(rig_ctl(0, "status", "{}"), "\"messages\":1");
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
}

/* ---- probes ---- */

static const struct rig_conf with_direct = {
	.legs =
	    "leg \"legacy\" { hosts = \"legacy.sim:25\" tls = \"none\" }\n"
	    "leg \"cloud\" { hosts = \"cloud.sim:25\" }\n"
	    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" }\n"
	    "egress \"world\" { direct = true }\n",
};

static void a_leg_is_probed(void)
{
	static const struct rig_rule no[] = {
		{"MAIL", "550 5.7.1 go away", 0}, {NULL, NULL, 0}};

	rig_has(rig_ctl(0, "leg.probe", "{\"leg\": \"legacy\"}"),
	    "\"state\":\"good\"");
	rig_has(rig_leg_said(LEG_LEGACY), "RCPT TO:<postmaster@corp.example>");
	rig_mail("a@client.sim", U1, (char[16]){0});
	rig_leg_takes(LEG_LEGACY, 1);
	rig_sleep(2);
	rig_has(rig_ctl(0, "leg.probe", "{\"leg\": \"legacy\"}"), "legacy");
	rig_has(rig_ctl(0, "leg.probe",
	    "{\"leg\": \"cloud\", \"to\": \"x@corp.example\"}"), "starttls");
	rig_has(rig_leg_said(LEG_CLOUD), "RCPT TO:<x@corp.example>");
	rig_leg_script(LEG_LEGACY, no);
	rig_has(rig_ctl(1, "leg.probe", "{\"leg\": \"legacy\"}"),
	    "\"state\":\"bad\"");
	rig_leg_down(LEG_LEGACY, true);
	rig_ctl(1, "leg.probe", "{\"leg\": \"legacy\"}");
	rig_has(rig_ctl_error(), "no address of legacy would take mail");
}

static void a_probe_that_makes_no_sense_is_refused(void)
{
	static const struct {
		const char *args, *why;
	} cases[] = {
	    {"{\"leg\": \"moon\"}", "no leg is called \"moon\""},
	    {"{\"leg\": \"world\"}", "name one"},
	    {"{\"leg\": \"legacy\", \"domain\": \"x.example\"}",
		"leave the domain out"},
	    {"{\"leg\": \"legacy\", \"to\": \"nonsense\"}",
		"is not an address"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_ctl(1, "leg.probe", cases[i].args);
		rig_has(rig_ctl_error(), cases[i].why);
	}
	rig_ctl(1, "leg.probe",
	    "{\"leg\": \"world\", \"domain\": \"nowhere.sim\"}");
}

/* ---- searches ---- */

#define ALWAYS "\"since_us\": 0, \"until_us\": 4000000000000000, " \
	"\"limit\": 100"

static void the_trail_is_searched(void)
{
	const char *text;
	char id[16], args[200];

	rig_mail("a@client.sim", U1, id);
	rig_becomes(id, "");
	rig_sleep(5);
	snprintf(args, sizeof(args), "{\"id\": \"%s\", " ALWAYS "}", id);
	text = rig_ctl(0, "trace", args);
	rig_has(text, "\"accepted\"");
	rig_has(text, "\"delivered\"");
	rig_has(rig_ctl(0, "trace", "{\"from\": \"a@client.sim\", " ALWAYS
	    "}"), id);
	rig_has(rig_ctl(0, "trace", "{\"to\": \"" U2 "\", " ALWAYS "}"), "!id");
	rig_ctl(1, "trace", "{\"id\": \"x\", " ALWAYS "}");
	rig_has(rig_ctl_error(), "is not a message's id");
}

static void the_count_balances(void)
{
	char id[16];

	rig_mail("a@client.sim", U1, id);
	rig_becomes(id, "");
	rig_sleep(5);
	rig_has(rig_ctl(0, "audit.count", "{}"), "legacy");
}

/* ---- waiting for a change ---- */

static void a_change_is_waited_for(void)
{
	uint64_t n = rig_row(U1, "cloud", -1);
	char args[200];

	snprintf(args, sizeof(args), "{\"change\": %llu, \"timeout_ms\": "
	    "5000}", (unsigned long long)n);
	rig_ctl(0, "route.wait", args);
	/* One that does not come. */
	snprintf(args, sizeof(args), "{\"change\": %llu, \"timeout_ms\": "
	    "3000}", (unsigned long long)n + 5);
	rig_ctl(1, "route.wait", args);
}

static void wait_args(uint64_t change, const char *more, char args[200])
{
	snprintf(args, 200, "{\"change\": %llu, \"timeout_ms\": 2000%s}",
	    (unsigned long long)change, more);
}

/* A delivery that is under way to the old leg is waited for, unless it is
 * another recipient's. */
static void what_is_under_way_is_waited_for(void)
{
	static const struct rig_rule mute[] = {
		{"DATA", "", 1}, {NULL, NULL, 0}};
	char id[16], args[200];
	uint64_t n;

	rig_leg_script(LEG_LEGACY, mute);
	rig_mail("a@client.sim", U1, id);
	rig_sleep(2);
	wait_args(rig_row(U2, "cloud", -1), "", args);
	rig_ctl(0, "route.wait", args);
	n = rig_row(U1, "cloud", -1);
	wait_args(n, "", args);
	rig_ctl(1, "route.wait", args);
	/* A later change of other recipients, and all that is under way. */
	n = rig_row(U2, "legacy", -1);
	wait_args(n, "", args);
	rig_ctl(0, "route.wait", args);
	wait_args(n, ", \"all\": true", args);
	rig_ctl(1, "route.wait", args);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_becomes(id, "");
	rig_ctl(0, "route.wait", args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(status_tells_of_each_part, NULL),
		RIG_TEST(status_counts_the_dialogs_under_way, NULL),
		RIG_TEST(a_move_that_the_queue_never_heard_of_is_a_gap, NULL),
		RIG_TEST(legs_are_suspended_and_resumed_with_a_reason, NULL),
		RIG_TEST(the_queue_is_listed_by_each_condition, NULL),
		RIG_TEST(a_bad_condition_is_refused, NULL),
		RIG_TEST(a_message_is_shown_with_its_content, NULL),
		RIG_TEST(an_act_needs_a_selection_and_a_name, NULL),
		RIG_TEST(each_act_does_what_it_says, NULL),
		RIG_TEST(many_are_deleted_at_once, NULL),
		RIG_TEST(messages_of_many_recipients_are_deleted_whole, NULL),
		RIG_TEST(a_leg_is_probed, &with_direct),
		RIG_TEST(a_probe_that_makes_no_sense_is_refused, &with_direct),
		RIG_TEST(the_trail_is_searched, NULL),
		RIG_TEST(the_count_balances, NULL),
		RIG_TEST(a_change_is_waited_for, NULL),
		RIG_TEST(what_is_under_way_is_waited_for, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
