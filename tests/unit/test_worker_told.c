/* SPDX-License-Identifier: ISC
 *
 * Alarms as mail of our own, and the spool held for a backup, by the true
 * daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "relay/daemon/app.h"
#include "relay/watch/alarm.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

/* ---- alarms -------------------------------------------------------------- */

static const struct rig_conf with_mail = {
	.more = "alarm { mail = \"ops@corp.example\" interval = \"10m\" }\n"};
static const struct rig_conf to_outside = {
	.more = "alarm { mail = \"ops@away.example\" }\n"};

static void an_alarm_is_a_mail_of_our_own(void)
{
	const char *text, *said;

	rig_row("ops@corp.example", "legacy", -1);
	alarm_raise(rig_app()->alarms, ALARM_LEG_DOWN, "cl\xc3\xb6ud\x01",
	    "It is down.");
	rig_leg_takes(LEG_LEGACY, 1);
	said = rig_leg_said(LEG_LEGACY);
	rig_has(said, "MAIL FROM:<>");
	rig_has(said, "RCPT TO:<ops@corp.example>");
	text = rig_leg_content(LEG_LEGACY);
	rig_has(text, "To: <ops@corp.example>\n"
	    "Subject: [relay.sim] leg-down: cl??ud?\nDate: ");
	rig_has(text, "@relay.sim>\nAuto-Submitted: auto-generated\n"
	    "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: 8bit\n\nIt is down.\n\n"
	    "Kind:  leg-down\nAbout: cl\xc3\xb6ud\\x01\n"
	    "Host:  relay.sim\n");
	rig_has(text, "From: Posthouse <");
	rig_has(text, "!The same came");
	rig_has(text, "!left out");
}

/* In an interval a kind is told five times, the same once. */
static void the_next_says_what_was_left_out(void)
{
	char about[16];
	const char *text;

	rig_row("ops@corp.example", "legacy", -1);
	for (int i = 0; i < 7; i++) {
		snprintf(about, sizeof(about), "leg%d", i);
		alarm_raise(rig_app()->alarms, ALARM_LEG_DOWN, about, "x");
	}
	alarm_raise(rig_app()->alarms, ALARM_LEG_DOWN, "leg0", "x");
	rig_leg_takes(LEG_LEGACY, 5);
	rig_sleep(601);
	rig_leg_script(LEG_LEGACY, NULL);
	alarm_raise(rig_app()->alarms, ALARM_LEG_DOWN, "leg0", "x");
	rig_leg_takes(LEG_LEGACY, 1);
	text = rig_leg_content(LEG_LEGACY);
	rig_has(text, "\n\nThe same came 1 time since it was told last.\n"
	    "\n2 other alarms had to be left out; the audit trail has "
	    "them.\n");
	for (int i = 0; i < 3; i++)
		alarm_raise(rig_app()->alarms, ALARM_LEG_DOWN, "leg0", "x");
	for (int i = 1; i < 6; i++) {
		snprintf(about, sizeof(about), "new%d", i);
		alarm_raise(rig_app()->alarms, ALARM_LEG_DOWN, about, "x");
	}
	rig_leg_takes(LEG_LEGACY, 5);
	rig_sleep(601);
	rig_leg_script(LEG_LEGACY, NULL);
	alarm_raise(rig_app()->alarms, ALARM_LEG_DOWN, "leg0", "x");
	rig_leg_takes(LEG_LEGACY, 1);
	rig_has(rig_leg_content(LEG_LEGACY), "The same came 3 times since it "
	    "was told last.\n\n1 other alarm had to be left out; the "
	    "audit trail has it.\n");
}

static void to_a_domain_elsewhere_it_goes_by_the_way_of_dsns(void)
{
	alarm_raise(rig_app()->alarms, ALARM_LEG_DOWN, "cloud", "x");
	rig_leg_takes(LEG_OUTSIDE, 1);
	rig_has(rig_leg_said(LEG_OUTSIDE), "RCPT TO:<ops@away.example>");
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
}

/* A recipient that is held is held for it too. */
static void where_its_recipient_is_held_it_waits(void)
{
	rig_row("ops@corp.example", "legacy", 1);
	alarm_raise(rig_app()->alarms, ALARM_LEG_DOWN, "cloud", "x");
	rig_sleep(5);
	rig_has(rig_ctl(0, "queue.list", "{\"state\": \"held\"}"),
	    "\"to\":\"ops@corp.example\"");
	rig_row("ops@corp.example", "cloud", 0);
	rig_leg_takes(LEG_CLOUD, 1);
}

/* ---- backup.hold --------------------------------------------------------- */

static void a_backup_is_told_segments_and_the_end(void)
{
	static const char *const take[] = {"{\"take\": true}",
	    "{\"end\": true}", NULL};
	static const char *const twice[] = {"{\"take\": true}",
	    "{\"take\": true}", NULL};
	static const char *const nothing[] = {"{\"moon\": true}", NULL};
	static const char *const gone[] = {"{\"take\": true}", NULL};
	const char *rows;
	char id[16];

	rig_mail("a@client.sim", "u1@corp.example", id);
	rows = rig_ctl_lines(0, "backup.hold", "{}", take);
	rig_has(rows, "{\"slot\":0,\"lane\":\"main\",\"generation\":1,"
	    "\"bytes\":");
	rig_has(rows, "\"offset\":");
	rig_ctl_lines(2, "backup.hold", "{}", twice);
	rig_has(rig_ctl_error(), "take, once, or end is wanted");
	rig_ctl_lines(2, "backup.hold", "{}", nothing);
	rig_has(rig_ctl_error(), "take, once, or end is wanted");
	rig_ctl_lines(1, "backup.hold", "{}", gone);
	/* None of them is open: the daemon can stop. */
	rig_stop();
	rig_start();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(an_alarm_is_a_mail_of_our_own, &with_mail),
	    RIG_TEST(the_next_says_what_was_left_out, &with_mail),
	    RIG_TEST(to_a_domain_elsewhere_it_goes_by_the_way_of_dsns,
		&to_outside),
	    RIG_TEST(where_its_recipient_is_held_it_waits, &with_mail),
	    RIG_TEST(a_backup_is_told_segments_and_the_end, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
