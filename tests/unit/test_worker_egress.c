/* SPDX-License-Identifier: ISC
 *
 * Mail to the outside while its way out is asked about: no more of it in
 * memory than there is room for, none that goes unasked, and a reload
 * meanwhile. No program evaluates SPF here, so each judgement is a temperror,
 * and all mail waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/daemon/app.h"
#include "relay/delivery/outgoing.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

#define CLIENT "198.51.100.7"
#define OUTBOUND(use) \
	"outbound { clients = \"" CLIENT "/32\" " use " }\n"
#define OUTSIDE \
	"leg \"legacy\" { hosts = \"" SIM_LEGACY_IP ":25\" tls = \"none\" }\n" \
	"leg \"cloud\" { hosts = \"" SIM_CLOUD_IP ":25\" tls = \"none\" }\n" \
	"egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n" \
	"    tls = \"none\" spf_address = \"192.0.2.100\" }\n"
#define OURS "domain \"corp.example\" { route = \"legacy\" }\n"

static const struct rig_conf judged = {
	.legs = OUTSIDE, .more = OUTBOUND("use = \"outside\"")};
static const struct rig_conf no_way = {
	.legs = OUTSIDE, .more = OUTBOUND("use = { }")};
static const struct rig_conf one_is_ours = {
	.legs = OUTSIDE, .more = OUTBOUND("use = \"outside\""),
	.domain = OURS "domain \"first.example\" { route = \"legacy\" }\n"};

enum { MAILS = 700, JUDGED_AT_ONCE = 256, WAITING = 320, FLIP_S = 10 };

/* Attempts whose way out is asked about, in both workers. */
static int judging(bool counted)
{
	struct app *a = rig_app();
	int n = 0;

	for (int i = 0; i < a->workers; i++) {
		const struct outgoing *o = a->view[i]->outgoing;

		if (counted)
			n += (int)o->judgings;
		else
			list_each(at, &o->judging)
				n++;
	}
	return n;
}

static bool none_is_judged(void *arg)
{
	(void)arg;
	return judging(false) == 0;
}

static void say_mail(struct peer *p)
{
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<friend@first.example>", "250 ");
	rig_say(p, "DATA", "354 ");
	rig_say(p, "a\r\n.", "250 ");
}

static void a_silent_dns_fills_no_memory(void)
{
	struct peer *p = rig_client(CLIENT);
	int most = 0;

	sim_dns_fails(true);
	for (int i = 0; i < MAILS; i++) {
		say_mail(p);
		most = judging(false) > most ? judging(false) : most;
		CHECK(judging(true) == judging(false));
	}
	CHECK(most == JUDGED_AT_ONCE);
	rig_leave(p);
	sim_dns_fails(false);
	rig_until(none_is_judged, NULL);
	CHECK(judging(true) == 0);
	CHECK(rig_leg_taken(LEG_OUTSIDE) == 0);
}

/* One recipient of the attempt, the first or the last, has become one of ours:
 * the table decides about it, and the other one is asked about. */
static void none_goes_unasked(void)
{
	char id[16], other[16];

	rig_mail("a@client.sim", "friend@first.example friend@other.example",
	    id);
	rig_mail("a@client.sim", "friend@other.example friend@first.example",
	    other);
	rig_becomes(id, "outside deferred,outside deferred");
	rig_becomes(other, "outside deferred,outside deferred");
	CHECK(rig_reload(&one_is_ours));
	/* Due together, they are one attempt. */
	rig_ctl(0, "leg.suspend", "{\"leg\": \"outside\"}");
	rig_ctl(0, "queue.act", "{\"action\": \"retry\", "
	    "\"leg\": \"outside\"}");
	rig_sleep(2);
	rig_ctl(0, "leg.resume", "{\"leg\": \"outside\"}");
	rig_becomes(id, "outside parked,outside deferred");
	rig_becomes(other, "outside deferred,outside parked");
	rig_row("friend@first.example", "legacy", -1);
	rig_leg_takes(LEG_LEGACY, 2);
	rig_sleep(300);
	CHECK(rig_leg_taken(LEG_OUTSIDE) == 0);
}

/* Mail whose routes are looked up stands before it, a few at a time. */
static void a_flip_waits_for_no_dns(void)
{
	struct peer *p = rig_client(CLIENT);
	char id[16];

	rig_ctl(0, "leg.suspend", "{\"leg\": \"legacy\"}");
	for (int i = 0; i < WAITING; i++)
		say_mail(p);
	rig_leave(p);
	rig_mail("a@client.sim", "u1@corp.example", id);
	rig_becomes(id, "legacy queued");
	sim_dns_fails(true);
	rig_row("@corp.example", "cloud", -1);
	rig_sleep(FLIP_S);
	CHECK(rig_leg_taken(LEG_CLOUD) == 1);
}

static void without_a_way_it_waits(void)
{
	char id[16];

	rig_mail("a@client.sim", "friend@first.example", id);
	rig_has(rig_events(), "\"reason\":\"temperror\"");
	CHECK(rig_reload(&no_way));
	rig_sleep(60);
	rig_has(rig_events(), "\"reason\":\"no-egress\"");
	rig_deliveries(id, "outside deferred");
	rig_has(rig_events(), "outbound.use names none");
}

/* The notice at the end of its lifetime says what it waited for. */
static void its_notice_names_the_record(void)
{
	char id[16];

	rig_mail("a@client.sim", "friend@first.example", id);
	rig_sleep(3000);
	rig_leg_takes(LEG_OUTSIDE, 1);
	rig_has(rig_leg_content(LEG_OUTSIDE), 
	    "in time: The SPF record of");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_silent_dns_fills_no_memory, &judged),
		RIG_TEST(none_goes_unasked, &judged),
		RIG_TEST(a_flip_waits_for_no_dns, &judged),
		RIG_TEST(without_a_way_it_waits, &judged),
		RIG_TEST(its_notice_names_the_record, &judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
