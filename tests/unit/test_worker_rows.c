/* SPDX-License-Identifier: ISC
 *
 * The answers of the commands that look, field by field, by the true daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/slice.h"
#include "tests/sim/sim_trace.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

#define U1 "u1@corp.example"
#define U2 "u2@corp.example"
#define FIRST_S "\"2026-09-21T14:13:2" /* the time of the first seconds */

enum { ROW_BYTES = 2000 };

/* The row that has a text, and no other has; borrowed until the next. */
static const char *row_with(const char *rows, const char *text)
{
	static char row[ROW_BYTES];
	struct slice rest = slice_str(rows), line;
	int found = 0;

	while (slice_next(&rest, '\n', &line)) {
		char one[ROW_BYTES];

		snprintf(one, sizeof(one), "%.*s", (int)line.n, line.p);
		if (strstr(one, text) == NULL)
			continue;
		found++;
		memcpy(row, one, sizeof(row));
	}
	if (found != 1)
		sim_fail("%d rows with %s in:\n%s", found, text, rows);
	return row;
}

static void row_has(const char *rows, const char *text, const char *want)
{
	rig_has(row_with(rows, text), want);
}

static void suspend(void)
{
	rig_ctl(0, "leg.suspend",
	    "{\"leg\": \"legacy\", \"reason\": \"maintenance\"}");
}

/* ---- the queue ---- */

#define AS_IT_WAITS "\"from\":\"a@client.sim\",\"to\":\"" U1 "\"," \
	"\"leg\":\"legacy\",\"role\":\"primary\",\"state\":\"queued\"," \
	"\"attempts\":0,\"accepted\":" FIRST_S
#define NOTHING_SAID "\"reason\":\"\",\"class\":\"none\",\"code\":0,"

static void a_delivery_that_waits_has_each_field(void)
{
	const char *row;
	char id[16];

	suspend();
	rig_mail("a@client.sim", U1, id);
	rig_sleep(2);
	row = row_with(rig_ctl(0, "queue.list", "{}"), id);
	rig_has(row, AS_IT_WAITS);
	rig_has(row, "\"next\":" FIRST_S);
	rig_has(row, NOTHING_SAID "\"age_s\":2,\"size\":197,"
	    "\"in_flight\":false,\"change\":1}");
}

static void one_under_way_is_in_flight(void)
{
	static const struct rig_rule mute[] = {
		{"DATA", "", 1}, {NULL, NULL, 0}};
	char id[16];

	rig_leg_script(LEG_LEGACY, mute);
	rig_mail("a@client.sim", U1, id);
	rig_sleep(2);
	row_has(rig_ctl(0, "queue.list", "{}"), id, "\"in_flight\":true");
	rig_becomes(id, "");
}

static void the_words_of_the_leg_are_shown(void)
{
	static const struct rig_rule later[] = {
		{"RCPT TO:<u1@", "451 4.3.0 later", 1},
		{"RCPT TO:<u2@", "451 bare", 1}, {NULL, NULL, 0}};
	const char *row;
	char id[16];

	rig_row(U1, "legacy", -1);
	rig_row(U2, "legacy", -1);
	rig_leg_script(LEG_LEGACY, later);
	rig_mail("a@client.sim", U1 " " U2, id);
	rig_sleep(5);
	row = row_with(rig_ctl(0, "queue.list", "{}"), U1);
	rig_has(row, "\"state\":\"deferred\",\"attempts\":1,");
	rig_has(row, "\"reason\":\"451 4.3.0 later\",\"class\":\"");
	rig_has(row, "\"code\":451,\"age_s\":5,");
	rig_has(row, "!\"next\":null");
	row_has(rig_ctl(0, "queue.list", "{}"), U2, "\"reason\":\"451 ");
	/* A delivery that is held back has no next attempt. */
	rig_ctl(0, "queue.act", "{\"action\": \"freeze\", \"to\": \"" U1
	    "\", \"reason\": \"a look\"}");
	row = row_with(rig_ctl(0, "queue.list", "{}"), U1);
	rig_has(row, "\"state\":\"frozen\"");
	rig_has(row, "\"next\":null,\"reason\":\"admin: a look\","
	    "\"class\":\"none\",\"code\":0,");
	rig_ctl(0, "queue.act", "{\"action\": \"park\", \"to\": \"" U1 "\"}");
	row = row_with(rig_ctl(0, "queue.list", "{}"), U1);
	rig_has(row, "\"next\":null,\"reason\":\"admin\",");
}

/* Of the message first, then of each delivery, also of those that are over. */
static void a_message_is_shown_with_all_its_deliveries(void)
{
	static const struct rig_rule later[] = {
		{"RCPT TO:<u1@", "451 4.3.0 later", 1}, {NULL, NULL, 0}};
	const char *text, *row;
	char id[16], args[64];

	rig_row(U1, "legacy", -1);
	rig_row(U2, "legacy", -1);
	rig_leg_script(LEG_LEGACY, later);
	rig_mail("a@client.sim", U1 " " U2, id);
	rig_sleep(5);
	snprintf(args, sizeof(args), "{\"id\": \"%s\"}", id);
	text = rig_ctl(0, "queue.show", args);
	row = row_with(text, "\"section\":\"message\"");
	rig_has(row, id);
	rig_has(row, "\"accepted\":" FIRST_S);
	rig_has(row, "\"from\":\"a@client.sim\",\"client\":\"");
	rig_has(row, "\"size\":197,\"message_id\":\"");
	rig_has(row_with(text, U1), "{\"section\":\"delivery\",\"id\":\"");
	row = row_with(text, U2);
	rig_has(row, "\"state\":\"delivered\",\"attempts\":1");
	rig_has(row, "\"next\":null");
	row_has(rig_ctl(0, "queue.list", args), id, U1);
}

static void what_was_given_up_says_so(void)
{
	static const struct rig_rule busy[] = {
		{"MAIL", "451 4.3.2 busy", 0}, {NULL, NULL, 0}};
	char id[16];

	rig_row(U1, "legacy", -1);
	rig_leg_script(LEG_LEGACY, busy);
	rig_mail("a@client.sim", U1, id);
	rig_leg_takes(LEG_OUTSIDE, 1); /* the notice */
	rig_sleep(1);
	row_has(rig_ctl(0, "queue.list", "{\"state\": \"parked\"}"), id,
	    "\"next\":null,\"reason\":\"lifetime over\","
	    "\"class\":\"none\",\"code\":0,");
	row_has(rig_ctl(0, "leg.list", "{}"), "\"leg\":\"legacy\"",
	    "\"open\":0,\"parked\":1,\"bounced\":0,");
	row_has(rig_ctl(0, "leg.list", "{}"), "\"leg\":\"legacy\"",
	    "\"held\":0,\"in_flight\":0,\"waiting\":0}");
}

/* ---- status ---- */

#define NO_TOTALS "\"created\":0,\"delivered\":0,\"open\":0,\"parked\":0," \
	"\"bounced\":0,\"superseded\":0,\"deleted\":0,"
#define TWO_TOTALS "\"created\":2,\"delivered\":1,\"open\":1,\"parked\":0," \
	"\"bounced\":0,\"superseded\":0,\"deleted\":0,"
#define IDLE "\"profile\":\"generic\",\"profile_date\":\""

/* One went through, one waits at a leg that was suspended behind it. */
static void one_of_two_waits(char id[16])
{
	rig_mail("a@client.sim", U1, id);
	rig_sleep(2);
	suspend();
	rig_mail("a@client.sim", U1, id);
	rig_sleep(200);
}

static void status_has_each_field_of_the_node(void)
{
	const char *text;
	char id[16];

	one_of_two_waits(id);
	text = rig_ctl(0, "status", "{}");
	row_has(text, "\"section\":\"node\"", "\"started\":" FIRST_S);
	row_has(text, "\"section\":\"node\"",
	    "\"workers\":2,\"connections\":0,\"sessions\":0,\"dialogs\":0}");
	row_has(text, "\"section\":\"table\"",
	    "\"change\":1,\"state\":\"ok\"}");
	row_has(text, "\"section\":\"queue\"",
	    "\"messages\":1,\"deliveries\":1}");
	row_has(text, "\"section\":\"spool\"", "\"health\":\"ok\","
	    "\"segments\":5,\"spares\":4,\"used_bytes\":131072,"
	    "\"free_bytes\":");
	row_has(text, "\"section\":\"spool\"", "\"live_messages\":1,");
	row_has(text, "\"section\":\"spool\"", "\"recycled\":0,\"carried\":0,"
	    "\"oldest\":" FIRST_S);
	row_has(text, "\"section\":\"spool\"", "!missing_generations");
	row_has(text, "\"section\":\"disk\"", "\"holds\":\"table audit\","
	    "\"free_bytes\":");
	row_has(text, "\"section\":\"index\"", "\"state\":\"ok\","
	    "\"behind_s\":0,\"gaps\":0,\"deliveries_since\":\"2026-");
	rig_has(text, "!\"section\":\"outbound\"");
}

static void a_session_is_counted_while_it_lasts(void)
{
	struct peer *p = rig_client("192.0.2.1");

	row_has(rig_ctl(0, "status", "{}"), "\"section\":\"node\"",
	    "\"connections\":1,\"sessions\":1,\"dialogs\":0}");
	rig_leave(p);
	rig_sleep(1);
	row_has(rig_ctl(0, "status", "{}"), "\"section\":\"node\"",
	    "\"connections\":0,\"sessions\":0,\"dialogs\":0}");
}

static void a_leg_has_its_state_and_its_sum(void)
{
	const char *text, *row;
	char id[16];

	one_of_two_waits(id);
	text = rig_ctl(0, "leg.list", "{}");
	row = row_with(text, "\"leg\":\"legacy\"");
	rig_has(row, "{\"leg\":\"legacy\",\"egress\":false,"
	    "\"state\":\"suspended\",\"reason\":\"maintenance by admin\",");
	rig_has(row, "\"since\":" FIRST_S);
	rig_has(row, "\"oldest_s\":200," IDLE);
	rig_has(row, "\"concurrency\":0,\"limit\":20,\"configured\":20,"
	    "\"authentication\":0,\"by_fault\":false,\"eightbit_sent\":0,"
	    TWO_TOTALS "\"gap\":0,\"held\":0,\"in_flight\":0,\"waiting\":1}");
	row = row_with(text, "\"leg\":\"cloud\"");
	rig_has(row, "\"egress\":false,\"state\":\"up\",\"reason\":\"\","
	    "\"everybody\":false,\"since\":null,\"oldest_s\":null," IDLE);
	rig_has(row, NO_TOTALS "\"gap\":0,\"held\":0,\"in_flight\":0,"
	    "\"waiting\":0}");
	row_has(text, "\"leg\":\"outside\"", "\"egress\":true,");
	row_has(rig_ctl(0, "status", "{}"), "\"leg\":\"legacy\"",
	    "{\"section\":\"leg\",\"leg\":\"legacy\",");
}

static void open_deliveries_are_held_under_way_or_wait(void)
{
	static const struct rig_rule mute[] = {
		{"DATA", "", 1}, {NULL, NULL, 0}};
	char id[16];

	rig_row(U2, "legacy", 1);
	rig_mail("a@client.sim", U2, id);
	rig_leg_script(LEG_LEGACY, mute);
	rig_mail("a@client.sim", U1, id);
	rig_sleep(2);
	suspend();
	rig_mail("a@client.sim", "u3@corp.example", id);
	rig_sleep(1);
	row_has(rig_ctl(0, "leg.list", "{}"), "\"leg\":\"legacy\"",
	    "\"held\":1,\"in_flight\":1,\"waiting\":1}");
}

static const struct rig_conf with_outbound = {
	.legs =
	    "leg \"legacy\" { hosts = \"legacy.sim:25\" tls = \"none\" }\n"
	    "leg \"cloud\" { hosts = \"cloud.sim:25\" tls = \"none\" }\n"
	    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" spf_address = { \"198.51.100.7\" } }\n"
	    "egress \"spare\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" spf_address = { \"198.51.100.8\" } }\n",
	.more = "outbound { use = { \"outside\", \"spare\" } }\n",
};

static void the_ways_out_have_a_row(void)
{
	row_has(rig_ctl(0, "status", "{}"), "\"section\":\"outbound\"",
	    "\"use\":\"outside spare\",\"delivered\":0,\"open\":0,"
	    "\"parked\":0,\"bounced\":0}");
}

/* ---- the audit ---- */

static void the_recount_has_each_leg_and_the_whole(void)
{
	const char *text;
	char id[16];

	one_of_two_waits(id);
	text = rig_ctl(0, "audit.count", "{}");
	row_has(text, "\"counted\":\"legacy\"", "{\"counted\":\"legacy\","
	    TWO_TOTALS "\"rows\":2,\"gap\":0,\"journal\":{\"created\":2,"
	    "\"delivered\":1,\"open\":1,");
	row_has(text, "\"counted\":\"cloud\"", "{\"counted\":\"cloud\","
	    NO_TOTALS "\"rows\":0,\"gap\":0,\"journal\":{\"created\":0,");
	rig_has(text, "{\"reached\":true,\"known\":true,\"generation\":1,"
	    "\"offset\":32768,\"messages\":2,\"recipients\":2,\"skipped\":0,"
	    "\"lost_recipients\":0,\"missing_deliveries\":0}");
	rig_has(rig_ctl(0, "audit.position", "{}"),
	    "{\"generation\":1,\"offset\":32768}");
	rig_has(rig_ctl(0, "audit.behind", "{}"), "{\"records\":5}");
	rig_has(rig_ctl(0, "audit.behind",
	    "{\"generation\": 1, \"offset\": 32768}"), "{\"records\":0}");
	rig_has(rig_ctl(0, "audit.count",
	    "{\"generation\": 1, \"offset\": 32768}"), "\"reached\":true");
	rig_has(rig_ctl(0, "audit.count",
	    "{\"generation\": 2, \"offset\": 0}"), "\"reached\":false");
}

static void a_search_says_that_there_is_more(void)
{
	static const char when[] = "\"since_us\": 0, "
				   "\"until_us\": 4000000000000000, ";
	char id[16], args[200];

	for (int i = 0; i < 3; i++)
		rig_mail("a@client.sim", U1, id);
	rig_becomes(id, "");
	rig_sleep(5);
	snprintf(args, sizeof(args), "{%s\"limit\": 2}", when);
	rig_ctl(0, "trace", args);
	rig_has(rig_ctl_error(), "there are more messages");
	snprintf(args, sizeof(args), "{%s\"limit\": 3}", when);
	rig_ctl(0, "trace", args);
	CHECK(*rig_ctl_error() == '\0');
	/* None before, and none behind. */
	CHECK(*rig_ctl(0, "trace", "{\"since_us\": 0, \"until_us\": 1000000, "
	    "\"limit\": 9}") == '\0');
	CHECK(*rig_ctl(0, "trace", "{\"since_us\": 3900000000000000, "
	    "\"until_us\": 4000000000000000, \"limit\": 9}") == '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_delivery_that_waits_has_each_field, NULL),
		RIG_TEST(one_under_way_is_in_flight, NULL),
		RIG_TEST(the_words_of_the_leg_are_shown, NULL),
		RIG_TEST(a_message_is_shown_with_all_its_deliveries, NULL),
		RIG_TEST(what_was_given_up_says_so, NULL),
		RIG_TEST(status_has_each_field_of_the_node, NULL),
		RIG_TEST(a_session_is_counted_while_it_lasts, NULL),
		RIG_TEST(a_leg_has_its_state_and_its_sum, NULL),
		RIG_TEST(open_deliveries_are_held_under_way_or_wait, NULL),
		RIG_TEST(the_ways_out_have_a_row, &with_outbound),
		RIG_TEST(the_recount_has_each_leg_and_the_whole, NULL),
		RIG_TEST(a_search_says_that_there_is_more, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
