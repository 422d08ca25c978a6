/* SPDX-License-Identifier: ISC
 *
 * Conditions that need an administrator, under the true daemon: each is told
 * once while it lasts, and again when it came back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/daemon/app.h"
#include "tests/sim/sim_disk.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

#define U0 "u0@corp.example"

static const struct rig_conf patient = {
	.more = "alarm { interval = \"5m\" }\n"};

/* Alarms of that kind about that thing in the audit trail, so far. */
static int told(const char *kind, const char *about)
{
	char text[120];
	const char *at;
	int n = 0;

	snprintf(text, sizeof(text), "\"event\":\"alarm\",\"kind\":\"%s\","
	    "\"about\":\"%s", kind, about);
	for (at = rig_events(); (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

/* Waits for the leg; the mail waits with it. */
static void a_leg_that_is_away_for_long(void)
{
	char id[16];

	rig_rows(1, "legacy");
	rig_leg_down(LEG_LEGACY, true);
	rig_mail("a@client.sim", U0, id);
	rig_mail("a@client.sim", U0, id);
	rig_sleep(4 * MINUTE_S);
	CHECK(told("leg-down", "legacy") == 0);
	rig_sleep(4 * MINUTE_S);
	CHECK(told("leg-down", "legacy") == 1);
	rig_has(rig_events(), "Leg legacy has not been reachable for 300 s; 2 "
	    "deliveries wait for it and are kept. posthouse queue list --leg "
	    "legacy says why.");
	rig_sleep(10 * MINUTE_S);
	CHECK(told("leg-down", "legacy") == 1);
	rig_leg_down(LEG_LEGACY, false);
	rig_leg_takes(LEG_LEGACY, 2);
	rig_leg_down(LEG_LEGACY, true);
	rig_mail("a@client.sim", U0, id);
	rig_sleep(15 * MINUTE_S);
	CHECK(told("leg-down", "legacy") == 2);
	CHECK(told("leg-down", "cloud") == 0);
}

/* An administrator who suspended it knows. */
static void a_leg_that_is_suspended_is_none(void)
{
	char id[16];

	rig_rows(1, "legacy");
	rig_leg_down(LEG_LEGACY, true);
	rig_mail("a@client.sim", U0, id);
	rig_sleep(2);
	rig_ctl(0, "leg.suspend", "{\"leg\":\"legacy\"}");
	rig_sleep(20 * MINUTE_S);
	CHECK(told("leg-down", "legacy") == 0);
}

/* Mail that a sync did not keep is never answered 250. */
static void a_disk_that_fails_to_sync(void)
{
	struct peer *p;

	rig_rows(1, "legacy");
	rig_sleep(2);
	sim_disk_fail(CALL_SYNC, 1);
	p = rig_client("198.51.100.9");
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<" U0 ">", "250 ");
	rig_say(p, "DATA", "354 ");
	rig_say(p, "Subject: x\r\n\r\nx\r\n.", "4");
	rig_leave(p);
	rig_sleep(5);
	CHECK(told("spool-failed", "") == 1);
	rig_has(rig_events(), "The disk failed to keep what was written: no "
	    "mail is accepted until posthoused is started again.");
	rig_sleep(30 * MINUTE_S);
	CHECK(told("spool-failed", "") == 1);
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
}

static void a_table_that_cannot_be_read(void)
{
	struct peer *p;
	FILE *to;

	rig_rows(1, "legacy");
	rig_sleep(2);
	to = fopen(rig_table_path(), "w");
	CHECK(to != NULL);
	fputs("this is no table, and was put in its place", to);
	fclose(to);
	rig_sleep(5);
	p = rig_client("198.51.100.9");
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<" U0 ">", "451 ");
	rig_leave(p);
	rig_sleep(5 * MINUTE_S);
	CHECK(told("table", "") == 1);
	rig_has(rig_events(), "mail is answered 451. If a backup was put "
	    "back, see posthouse table accept.");
	rig_has(rig_ctl(0, "status", "{}"), "\"state\":\"unusable\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(a_leg_that_is_away_for_long, &patient),
	    RIG_TEST(a_leg_that_is_suspended_is_none, &patient),
	    RIG_TEST(a_disk_that_fails_to_sync, NULL),
	    RIG_TEST(a_table_that_cannot_be_read, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
