/* SPDX-License-Identifier: ISC
 *
 * Mail to addresses that SRS made: where it leads, how much of it is taken,
 * and that marks cannot be guessed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/srs.h"
#include "relay/base/mem.h"
#include "relay/daemon/app.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

#define STRANGER "198.51.100.9"
#define OTHER "198.51.100.77"
#define SENDER "Ann@foreign.example"

static const struct rig_conf with_srs = {
	.legs =
	    "leg \"legacy\" { hosts = \"" SIM_LEGACY_IP ":25\"\n"
	    "    tls = \"none\" }\n"
	    "leg \"cloud\" { hosts = \"" SIM_CLOUD_IP ":25\"\n"
	    "    tls = \"none\" }\n"
	    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" spf_address = \"192.0.2.100\" }\n",
	.more = "srs { domain = \"srs.example\" secrets = \"%s/secrets\" }\n"
		"outbound { use = \"outside\" }\n",
};

/* The address that leads back to `sender`, as message `id` made it. */
static const char *address_of(const char *sender, uint64_t id)
{
	static char text[2 * ADDR_MAX];
	struct app *a = rig_app();
	const char *why;
	struct addr from;
	struct srs_sender s = {.from = &from, .id = id,
	    .now_us = steady_wall_us(&a->shared)};
	struct strbuf b;

	CHECK(addr_parse(slice_str(sender), true, &from, &why) == 0);
	strbuf_init(&b, 2 * ADDR_MAX);
	CHECK(srs_make(a->snapshot->conf, &s, &b));
	snprintf(text, sizeof(text), "%s", strbuf_cstr(&b));
	strbuf_fini(&b);
	return text;
}

static void rcpt(struct peer *p, const char *to, const char *want)
{
	char line[3 * ADDR_MAX];

	snprintf(line, sizeof(line), "RCPT TO:<%s>", to);
	rig_say(p, line, want);
}

/* A letter of the mark is another one. */
static void spoil(char *to)
{
	char *mark = strchr(to, '=') + 1;

	*mark = *mark == 'a' ? 'b' : 'a';
}

static void it_leads_to_the_sender(void)
{
	struct peer *p = rig_client(STRANGER);

	rig_say(p, "MAIL FROM:<>", "250 ");
	rcpt(p, address_of(SENDER, 1), "250 2.1.5");
	/* One of ours goes by the table. */
	rcpt(p, address_of("u1@corp.example", 1), "250 2.1.5");
	/* Without SRS the same client may not relay. */
	rcpt(p, "friend@foreign.example", "550 5.7.1");
	rig_say(p, "DATA", "354 ");
	rig_say(p, "Subject: it failed\r\n\r\nSorry.\r\n.", "250 ");
	rig_leave(p);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_has(rig_leg_said(LEG_LEGACY), "RCPT TO:<u1@corp.example>");
	/* The way out is asked about first, and nothing answers here. */
	rig_has(rig_events(), "\"to\":\"" SENDER "\",\"leg\":\"outside\"");
}

static void guesses_are_limited(void)
{
	struct peer *p = rig_client(STRANGER), *q = rig_client(OTHER);
	char forged[2 * ADDR_MAX];

	snprintf(forged, sizeof(forged), "%s", address_of(SENDER, 1));
	spoil(forged);
	rig_say(p, "MAIL FROM:<>", "250 ");
	rig_say(q, "MAIL FROM:<>", "250 ");
	for (int i = 0; i < 10; i++)
		rcpt(p, forged, "550 5.7.1");
	/* Not even a good one: else that would show. */
	rcpt(p, forged, "421 4.7.0 Too many SRS addresses");
	peer_close(p, true);
	mem_free(p);
	p = rig_client(STRANGER);
	rig_say(p, "MAIL FROM:<>", "250 ");
	rcpt(p, address_of(SENDER, 1), "421 4.7.0");
	/* That is one client's; and it is over after the minute. */
	rcpt(q, address_of(SENDER, 1), "250 2.1.5");
	rig_leave(q);
	peer_close(p, true);
	mem_free(p);
	rig_sleep(61);
	p = rig_client(STRANGER);
	rig_say(p, "MAIL FROM:<>", "250 ");
	rcpt(p, address_of(SENDER, 1), "250 2.1.5");
	rig_leave(p);
}

static void each_sender_gets_so_much_an_hour(void)
{
	struct peer *p = rig_client(STRANGER);
	char id[16];

	rig_say(p, "MAIL FROM:<>", "250 ");
	for (int i = 0; i < 60; i++)
		rcpt(p, address_of(SENDER, (uint64_t)i), "250 2.1.5");
	rcpt(p, address_of(SENDER, 99), "450 4.7.1 Too many messages");
	/* In whatever letters; another sender is another one. */
	rcpt(p, address_of("ann@FOREIGN.example", 1), "450 4.7.1");
	rcpt(p, address_of("bob@foreign.example", 1), "250 2.1.5");
	rig_leave(p);
	rig_sleep(3601);
	p = rig_client(STRANGER);
	rig_say(p, "MAIL FROM:<>", "250 ");
	rcpt(p, address_of(SENDER, 1), "250 2.1.5");
	rig_leave(p);
	rig_mail("a@client.sim", "u1@corp.example", id);
}

/* The sender of a long address is looked up in the record of its message. */
static void a_long_one_is_looked_up(void)
{
#define LONG "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz@" \
	"long.foreign.example"
	struct peer *p;
	char id[16];
	uint64_t number;

	rig_mail(LONG, "u1@corp.example", id);
	rig_events();
	CHECK(id_parse(slice_str(id), &number) == 0);
	rig_has(address_of(LONG, number), "srs.");
	p = rig_client(STRANGER);
	rig_say(p, "MAIL FROM:<>", "250 ");
	rcpt(p, address_of(LONG, number), "250 2.1.5");
	/* No message has that id. */
	rcpt(p, address_of(LONG, number + 7), "451 4.3.0 The sender");
	for (int i = 1; i < 60; i++)
		rcpt(p, address_of(LONG, number), "250 2.1.5");
	rcpt(p, address_of(LONG, number), "450 4.7.1");
	rig_say(p, "DATA", "354 ");
	rig_say(p, "Subject: it failed\r\n\r\nSorry.\r\n.", "250 ");
	rig_leave(p);
	rig_has(rig_events(), "\"to\":\"" LONG "\",\"leg\":\"outside\"");
}

static void what_is_no_address_of_srs_is_refused(void)
{
	struct peer *p = rig_client(STRANGER);

	rig_say(p, "MAIL FROM:<>", "250 ");
	rcpt(p, "ann@srs.example", "550 5.7.1");
	rcpt(p, "SRS0=x@srs.example", "550 5.7.1");
	/* A role's address there is the postmaster's (RFC 2142). */
	rcpt(p, "postmaster@srs.example", "250 ");
	rig_leave(p);
}

int main(void)
{
	const struct rig_conf *c = &with_srs;
	const struct CMUnitTest tests[] = {
		RIG_TEST(it_leads_to_the_sender, c),
		RIG_TEST(guesses_are_limited, c),
		RIG_TEST(each_sender_gets_so_much_an_hour, c),
		RIG_TEST(a_long_one_is_looked_up, c),
		RIG_TEST(what_is_no_address_of_srs_is_refused, c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
