/* SPDX-License-Identifier: ISC
 *
 * Mail that a leg hands back, by the true worker (D6): known by the leg's
 * address, by the mark in its header, or by its content; and bounces of
 * copies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/sim/sim_disk.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

static const struct rig_conf own_addresses = {
	.legs =
	    "leg \"legacy\" { hosts = \"legacy.sim:25\" tls = \"none\"\n"
	    "    clients = \"" SIM_LEGACY_IP "\" copy_return = \"token\" }\n"
	    "leg \"cloud\" { hosts = \"cloud.sim:25\" tls = \"none\"\n"
	    "    clients = \"" SIM_CLOUD_IP "\" }\n"
	    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" }\n",
	.retry = "retry { grace = \"10m\" }\n",
	.more = "return { domain = \"return.corp.example\"\n"
		"    secrets = \"%s/secrets\" }\n",
};

static const struct rig_conf behind_a_proxy = {
	.listen = "listen \"mx\" { address = \"" SIM_RELAY_IP ":25\"\n"
		  "    proxy_from = \"" SIM_LEGACY_IP "\" }\n",
	.legs =
	    "leg \"legacy\" { hosts = \"legacy.sim:25\" tls = \"none\"\n"
	    "    clients = \"" SIM_LEGACY_IP "\" }\n",
	.dsn = "dsn { via = \"none\" }\n",
};

#define STRANGER "198.51.100.9"
#define PLAIN "Message-ID: <5@client.sim>\r\nSubject: s\r\n\r\nbody\r\n"

/* The last content that a leg took, with CR LF, as it would send it on. */
static char *taken_by(int leg)
{
	struct slice rest = slice_str(rig_leg_content(leg)), line;
	struct strbuf b;
	char *text;

	strbuf_init(&b, 1 << 20);
	while (rest.n > 0 && slice_next(&rest, '\n', &line)) {
		strbuf_addsl(&b, line);
		strbuf_adds(&b, "\r\n");
	}
	text = mem_strdup(strbuf_cstr(&b));
	strbuf_fini(&b);
	return text;
}

/* A mail whose end is answered so. */
static void ends(const char *ip, const char *from, const char *to,
    const char *content, const char *want)
{
	struct peer *p = rig_client(ip);
	char line[PEER_LINE];

	snprintf(line, sizeof(line), "MAIL FROM:<%s>", from);
	rig_say(p, line, "250 ");
	snprintf(line, sizeof(line), "RCPT TO:<%s>", to);
	rig_say(p, line, "250 ");
	rig_say(p, "DATA", "354 ");
	peer_say(p, slice_str(content));
	rig_say(p, ".", want);
	rig_leave(p);
}

/* Mail behind a header of PROXY, for a recipient of the leg at whose address
 * the proxy stands. */
static void proxied(const char *header, const char *want)
{
	struct peer *p = NEW(struct peer);

	CHECK(peer_connect(p, SIM_LEGACY_IP, SIM_RELAY_IP));
	peer_say(p, slice_str(header));
	rig_say(p, NULL, "220 ");
	rig_say(p, "EHLO a.sim", "250 ");
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", want);
	rig_leave(p);
}

static void a_proxy_is_no_leg_whatever_its_address(void)
{
	proxied("PROXY TCP4 " SIM_LEGACY_IP " 192.0.2.1 1 25\r\n",
	    "554 5.4.6");
	proxied("PROXY TCP4 198.51.100.7 192.0.2.1 1 25\r\n", "250 ");
	proxied("PROXY UNKNOWN\r\n", "250 ");
}

static void a_legs_mail_for_itself_alone_is_refused(void)
{
	struct peer *p;

	rig_row("u1@corp.example", "cloud", -1);
	rig_row("u1@corp.example", "legacy", -1);
	rig_sleep(1);
	p = rig_client(SIM_LEGACY_IP);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	/* Changed just now: its mailbox may not be there yet. */
	rig_say(p, "RCPT TO:<u1@corp.example>", "451 4.4.6");
	rig_leave(p);
	rig_sleep(660);
	p = rig_client(SIM_LEGACY_IP);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "554 5.4.6");
	rig_say(p, "RCPT TO:<u1@corp.example>", "554 5.4.6");
	rig_leave(p);
	rig_has(rig_events(), "\"loop\"");
}

static void a_legs_mail_goes_to_the_other_leg(void)
{
	char id[16];

	rig_row("u1@corp.example", "legacy+cloud", -1);
	rig_mail_from(SIM_LEGACY_IP, "a@client.sim", "u1@corp.example", PLAIN,
	    id);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_becomes(id, "");
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
	rig_has(rig_events(), "\"legacy\"");
}

static void a_mark_in_the_header_is_known_from_anywhere(void)
{
	char id[16], *back;

	rig_row("u1@corp.example", "legacy", -1);
	rig_row("u1@corp.example", "cloud", -1);
	rig_mail("a@client.sim", "u1@corp.example", id);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_becomes(id, "");
	back = taken_by(LEG_CLOUD);
	/* All that its route names had it: in the grace period it waits. */
	ends(STRANGER, "a@client.sim", "u1@corp.example", back, "451 4.4.6");
	rig_sleep(660);
	ends(STRANGER, "a@client.sim", "u1@corp.example", back, "554 5.4.6");
	rig_has(rig_events(), id);
	/* Another leg of a new route has not had it. */
	rig_row("u1@corp.example", "cloud+legacy", -1);
	rig_sleep(1);
	ends(STRANGER, "a@client.sim", "u1@corp.example", back, "250 ");
	rig_leg_takes(LEG_LEGACY, 1);
	CHECK(rig_leg_taken(LEG_CLOUD) == 1);
	mem_free(back);
}

/* The route grows after RCPT, and the leg is faster than the journal: the copy
 * of the first message is not on record yet when it comes back. */
static void a_leg_that_a_route_just_got_has_it_once(void)
{
	struct peer *p;
	char *back;

	rig_row("u1@corp.example", "cloud", -1);
	rig_sleep(1);
	p = rig_client(STRANGER);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	rig_row("u1@corp.example", "cloud+legacy", -1);
	rig_sleep(1);
	rig_say(p, "DATA", "354 ");
	peer_say(p, SLICE(PLAIN));
	sim_disk_slow(true);
	rig_say(p, ".", "250 ");
	rig_leave(p);
	rig_leg_takes(LEG_CLOUD, 1);
	back = taken_by(LEG_CLOUD);
	ends(STRANGER, "a@client.sim", "u1@corp.example", back,
	    "451 4.4.6 This message is still being delivered");
	sim_disk_slow(false);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_sleep(60);
	ends(STRANGER, "a@client.sim", "u1@corp.example", back, "451 4.4.6 ");
	rig_sleep(660);
	ends(STRANGER, "a@client.sim", "u1@corp.example", back, "554 5.4.6 ");
	CHECK(rig_leg_taken(LEG_LEGACY) == 1);
	CHECK(rig_leg_taken(LEG_CLOUD) == 1);
	mem_free(back);
}

/* The mail loops for one, who is parked; the other gets it. */
static void of_two_recipients_one_may_loop(void)
{
	char id[16], *back;
	struct peer *p;

	rig_row("u1@corp.example", "cloud", -1);
	rig_row("u2@corp.example", "cloud", -1);
	rig_mail("a@client.sim", "u1@corp.example", id);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_becomes(id, "");
	back = taken_by(LEG_CLOUD);
	p = rig_client(STRANGER);
	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<u1@corp.example>", "250 ");
	rig_say(p, "RCPT TO:<u2@corp.example>", "250 ");
	rig_say(p, "DATA", "354 ");
	peer_say(p, slice_str(back));
	snprintf(id, sizeof(id), "%s",
	    strstr(rig_say(p, ".", "250 "), "queued as ") + 10);
	rig_leave(p);
	rig_leg_takes(LEG_CLOUD, 2);
	rig_has(rig_leg_said(LEG_CLOUD), "RCPT TO:<u2@corp.example>");
	rig_becomes(id, "cloud parked");
	rig_has(rig_events(), "\"parked\"");
	mem_free(back);
}

static void a_mark_of_another_message_is_ignored(void)
{
	char id[16], *back, *other;
	struct strbuf b;

	rig_row("u1@corp.example", "cloud", -1);
	rig_mail("a@client.sim", "u1@corp.example", id);
	rig_leg_takes(LEG_CLOUD, 1);
	back = taken_by(LEG_CLOUD);
	/* Our trace block above another header. */
	other = strstr(back, "Message-ID:");
	CHECK(other != NULL);
	strbuf_init(&b, 1 << 20);
	strbuf_add(&b, back, (size_t)(other - back));
	strbuf_adds(&b, "Message-ID: <other@client.sim>\r\nSubject: o\r\n"
	    "\r\nother\r\n");
	ends(STRANGER, "a@client.sim", "u1@corp.example", strbuf_cstr(&b),
	    "250 ");
	rig_leg_takes(LEG_CLOUD, 2);
	rig_has(rig_events(), "\"token\"");
	strbuf_fini(&b);
	mem_free(back);
}

/* Without a trace field of ours, by what it is. */
static void the_same_again_and_again_is_slowed_and_parked(void)
{
	char id[16] = "";

	rig_row("u1@corp.example", "cloud", -1);
	for (int i = 0; i < 3; i++) {
		rig_mail("a@client.sim", "u1@corp.example", id);
		rig_leg_takes(LEG_CLOUD, i + 1);
		rig_becomes(id, "");
	}
	rig_mail("a@client.sim", "u1@corp.example", id);
	rig_sleep(1);
	rig_deliveries(id, "cloud deferred");
	rig_leg_takes(LEG_CLOUD, 4);
	rig_mail("a@client.sim", "u1@corp.example", id);
	rig_leg_takes(LEG_CLOUD, 5);
	rig_mail("a@client.sim", "u1@corp.example", id);
	rig_sleep(600);
	CHECK(rig_leg_taken(LEG_CLOUD) == 5);
	rig_has(rig_events(), "\"parked\"");
}

/* "token@return.corp.example" of the copy's MAIL. */
static void copy_sender(char out[200])
{
	const char *at;

	rig_row("u1@corp.example", "cloud+legacy", -1);
	rig_sleep(1);
	rig_mail("a@client.sim", "u1@corp.example", (char[16]){0});
	rig_leg_takes(LEG_LEGACY, 1);
	at = strstr(rig_leg_said(LEG_LEGACY), "MAIL FROM:<");
	CHECK(at != NULL);
	snprintf(out, 200, "%.*s", (int)strcspn(at + 11, ">"), at + 11);
	rig_has(out, "@return.corp.example");
}

static void a_bounce_of_a_copy_goes_no_further(void)
{
	char to[200], line[300];
	struct peer *p;

	copy_sender(to);
	p = rig_client(SIM_LEGACY_IP);
	rig_say(p, "MAIL FROM:<>", "250 ");
	snprintf(line, sizeof(line), "RCPT TO:<%s>", to);
	rig_say(p, line, "250 ");
	rig_say(p, line, "452 4.5.3");
	rig_say(p, "RCPT TO:<u1@corp.example>", "452 4.5.3");
	rig_say(p, "DATA", "354 ");
	peer_say(p, SLICE("From: <>\r\nContent-Type: multipart/report; "
	    "report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nno\r\n"
	    "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
	    "Reporting-MTA: dns; legacy.sim\r\n\r\n"
	    "Final-Recipient: rfc822; u1@corp.example\r\nAction: failed\r\n"
	    "Status: 5.1.1\r\n\r\n--b--\r\n"));
	rig_say(p, ".", "250 ");
	rig_leave(p);
	rig_sleep(60);
	CHECK(rig_leg_taken(LEG_LEGACY) == 1);
	CHECK(rig_leg_taken(LEG_CLOUD) == 1);
	rig_has(rig_events(), "\"returned\"");
	rig_has(rig_events(), "5.1.1");
}

static void a_forged_return_address_is_refused(void)
{
	char to[200], line[300];
	struct peer *p;

	copy_sender(to);
	to[1] = to[1] == 'a' ? 'b' : 'a';
	p = rig_client(SIM_LEGACY_IP);
	rig_say(p, "MAIL FROM:<>", "250 ");
	snprintf(line, sizeof(line), "RCPT TO:<%s>", to);
	rig_say(p, line, "550 ");
	rig_leave(p);
}

int main(void)
{
	const struct rig_conf *c = &own_addresses;
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_legs_mail_for_itself_alone_is_refused, c),
		RIG_TEST(a_proxy_is_no_leg_whatever_its_address,
		    &behind_a_proxy),
		RIG_TEST(a_legs_mail_goes_to_the_other_leg, c),
		RIG_TEST(a_mark_in_the_header_is_known_from_anywhere, c),
		RIG_TEST(a_leg_that_a_route_just_got_has_it_once, c),
		RIG_TEST(of_two_recipients_one_may_loop, c),
		RIG_TEST(a_mark_of_another_message_is_ignored, c),
		RIG_TEST(the_same_again_and_again_is_slowed_and_parked, c),
		RIG_TEST(a_bounce_of_a_copy_goes_no_further, c),
		RIG_TEST(a_forged_return_address_is_refused, c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
