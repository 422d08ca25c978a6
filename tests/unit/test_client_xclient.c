/* SPDX-License-Identifier: ISC
 *
 * XCLIENT: what a leg is told of each message's client, and that no message
 * goes out under the client of another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/testclient.h"

#define OK "delivered 250 2.0.0 body none"
#define MAIL "MAIL FROM:<from@src.test>\nRCPT TO:<a@x.test>\nDATA\n"
#define UNKNOWN "[UNAVAILABLE]"
#define OFFERS(xclient) "250-leg.test\r\n" xclient "250 HELP\r\n"
#define ALL OFFERS("250-XCLIENT NAME ADDR PROTO HELO LOGIN PORT\r\n")
#define AGAIN "XCLIENT", "220 leg.test anew\r\n", 0

static struct world *new_world(const struct leg_rule *rules)
{
	struct world *w = world_new(NULL);

	w->cl.xclient = true;
	leg_script(w->leg, rules);
	return w;
}

static struct sent *from_client(struct world *w, const char *client)
{
	struct sent *s = sent_new(w, "a@x.test");

	s->r.client = client;
	s->r.client_name = "mail.src.test";
	s->r.helo = "helo.src.test";
	s->r.esmtp = true;
	return s;
}

static void send_and_check(struct world *w, struct sent *s, const char *want)
{
	assert_true(world_send(w, s));
	world_wait(w, w->done + 1);
	assert_string_equal(sent_text(s, 0), want);
	sent_free(s);
}

#define SAYS(offer) { { "EHLO", OFFERS(offer), 0 }, { AGAIN } }

/* clang-format off */
static const struct {
	const char *name, *client, *client_name, *helo;
	bool smtp;
	struct leg_rule rules[3];
	const char *said;
} told[] = {
	{ "all of it", "192.0.2.1", "m.test", "h.test", false,
	  { { "EHLO", ALL, 0 }, { AGAIN } },
	  "XCLIENT ADDR=192.0.2.1 PROTO=ESMTP NAME=m.test HELO=h.test\n" MAIL },
	{ "IPv6, of HELO", "2001:db8::1", "m.test", "h.test", true,
	  { { "EHLO", ALL, 0 }, { AGAIN } },
	  "XCLIENT ADDR=IPV6:2001:db8::1 PROTO=SMTP NAME=m.test HELO=h.test\n"
	  MAIL },
	{ "no name", "192.0.2.1", "", NULL, false,
	  { { "EHLO", ALL, 0 }, { AGAIN } },
	  "XCLIENT ADDR=192.0.2.1 PROTO=ESMTP NAME=" UNKNOWN
	  " HELO=" UNKNOWN "\n" MAIL },
	{ "no client", NULL, "m.test", "h.test", false,
	  { { "EHLO", ALL, 0 }, { AGAIN } },
	  "XCLIENT ADDR=" UNKNOWN " PROTO=" UNKNOWN " NAME=" UNKNOWN
	  " HELO=" UNKNOWN "\n" MAIL },
	{ "no address", "1.2.3.4 X=1", "m.test", "h.test", false,
	  { { "EHLO", OFFERS("250-XCLIENT ADDR\r\n"), 0 }, { AGAIN } },
	  "XCLIENT ADDR=" UNKNOWN "\n" MAIL },
	{ "a HELO that would be two attributes", "192.0.2.1", "", "a NAME=b+\r",
	  false, SAYS("250-XCLIENT ADDR HELO\r\n"),
	  "XCLIENT ADDR=192.0.2.1 HELO=a+20NAME+3Db+2B+0D\n" MAIL },
	{ "address alone", "192.0.2.1", "m.test", "h.test", false,
	  SAYS("250-XCLIENT ADDR\r\n"), "XCLIENT ADDR=192.0.2.1\n" MAIL },
	{ "no address, so no client", "192.0.2.1", "m.test", "h.test", false,
	  SAYS("250-XCLIENT NAME HELO\r\n"), MAIL },
	{ "not offered", "192.0.2.1", "m.test", "h.test", false, SAYS(""),
	  MAIL },
	{ "EHLO is not known", "192.0.2.1", "m.test", "h.test", false,
	  { { "EHLO", "500 5.5.1 no\r\n", 0 }, { AGAIN } },
	  "HELO relay.test\n" MAIL },
	{ "EHLO fails behind it", "192.0.2.1", "m.test", "h.test", false,
	  { { "EHLO", OFFERS("250-XCLIENT ADDR\r\n"), 1 },
	    { "EHLO", "500 5.5.1 no\r\n", 0 }, { AGAIN } },
	  "XCLIENT ADDR=192.0.2.1\nHELO relay.test\n" MAIL },
};
/* clang-format on */

static void a_leg_is_told_what_it_offers_to_hear(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		/* The script ends with a row without a command. */
		struct leg_rule rules[ARRAY_LEN(told[i].rules) + 1] = {0};
		struct world *w;
		struct sent *s;

		print_message("%s\n", told[i].name);
		memcpy(rules, told[i].rules, sizeof(told[i].rules));
		w = new_world(rules);
		s = from_client(w, told[i].client);
		s->r.client_name = told[i].client_name;
		s->r.helo = told[i].helo;
		s->r.esmtp = !told[i].smtp;
		send_and_check(w, s, OK);
		assert_string_equal(world_said(w), told[i].said);
		assert_int_equal(w->leg->connected, 1);
		world_free(w);
	}
}

static void a_leg_without_the_setting_is_not_told(void **state)
{
	static const struct leg_rule rules[] = {
	    {"EHLO", ALL, 0}, {AGAIN}, {NULL, NULL, 0}};
	struct world *w = new_world(rules);

	(void)state;
	w->cl.xclient = false;
	send_and_check(w, from_client(w, "192.0.2.1"), OK);
	assert_string_equal(world_said(w), MAIL);
	world_free(w);
}

/* A command has 512 bytes with its end, and is never cut within a value. */
static void a_name_too_long_is_not_known(void **state)
{
	static const struct leg_rule rules[] = {
	    {"EHLO", ALL, 0}, {AGAIN}, {NULL, NULL, 0}};
	/* Ahead of the HELO's value, and what is left for it. */
	const char *head = "XCLIENT ADDR=192.0.2.1 PROTO=ESMTP "
			   "NAME=mail.src.test HELO=";
	size_t room = 510 - strlen(head);
	char helo[600], want[1200];

	(void)state;
	for (size_t n = room - 1; n <= room + 1; n++) {
		struct world *w = new_world(rules);
		struct sent *s = from_client(w, "192.0.2.1");

		print_message("%zu of %zu\n", n, room);
		memset(helo, 'h', n);
		helo[n] = '\0';
		s->r.helo = helo;
		send_and_check(w, s, OK);
		snprintf(want, sizeof(want), "%s%s\n" MAIL, head,
		    n > room ? UNKNOWN : helo);
		assert_string_equal(world_said(w), want);
		world_free(w);
	}
}

static void each_message_of_a_connection_has_its_own_client(void **state)
{
	static const struct leg_rule rules[] = {
	    {"EHLO", OFFERS("250-XCLIENT ADDR\r\n"), 0}, {AGAIN},
	    {NULL, NULL, 0}};
	struct world *w = new_world(rules);

	(void)state;
	send_and_check(w, from_client(w, "192.0.2.1"), OK);
	send_and_check(w, from_client(w, "192.0.2.2"), OK);
	send_and_check(w, from_client(w, NULL), OK);
	assert_string_equal(world_said(w),
	    "XCLIENT ADDR=192.0.2.1\n" MAIL
	    "XCLIENT ADDR=192.0.2.2\n" MAIL
	    "XCLIENT ADDR=" UNKNOWN "\n" MAIL);
	assert_int_equal(w->leg->connected, 1);
	world_free(w);
}

/* A question names no client, nor does it stand under one's name. */
static void a_question_is_no_clients(void **state)
{
	static const struct leg_rule rules[] = {
	    {"EHLO", OFFERS("250-XCLIENT ADDR\r\n"), 0}, {AGAIN},
	    {NULL, NULL, 0}};
	struct world *w = new_world(rules);
	struct sent *s = asked_new(w, "a@x.test");

	(void)state;
	send_and_check(w, from_client(w, "192.0.2.1"), OK);
	assert_true(world_send(w, s));
	world_wait(w, 2);
	sent_free(s);
	assert_non_null(strstr(world_said(w),
	    "XCLIENT ADDR=192.0.2.1\n" MAIL "XCLIENT ADDR=" UNKNOWN
	    "\nMAIL FROM:"));
	world_free(w);
}

/* Where it cannot be said again, the next message has another connection. */
static void no_message_goes_under_the_client_of_another(void **state)
{
	static const struct leg_rule rules[] = {
	    {"EHLO", OFFERS("250-XCLIENT ADDR\r\n"), 1},
	    {"EHLO", OFFERS(""), 1},
	    {"EHLO", OFFERS("250-XCLIENT ADDR\r\n"), 1},
	    {"EHLO", OFFERS(""), 1},
	    {AGAIN}, {NULL, NULL, 0}};
	struct world *w = new_world(rules);

	(void)state;
	send_and_check(w, from_client(w, "192.0.2.1"), OK);
	send_and_check(w, from_client(w, "192.0.2.2"), OK);
	assert_string_equal(world_said(w),
	    "XCLIENT ADDR=192.0.2.1\n" MAIL "XCLIENT ADDR=192.0.2.2\n" MAIL);
	assert_int_equal(w->leg->connected, 2);
	world_free(w);
}

/* clang-format off */
static const struct { const char *answer, *result; } refusals[] = {
	{ "501 5.5.4 bad\r\n", "deferred 501 5.5.4 xclient configuration" },
	{ "503 5.5.1 not here\r\n", "deferred 503 5.5.1 xclient configuration" },
	{ "550 5.7.0 no\r\n", "deferred 550 5.7.0 xclient configuration" },
	{ "451 4.3.0 later\r\n", "deferred 451 4.3.0 xclient network" },
	{ "421 4.3.2 bye\r\n" LEG_CLOSE, "deferred 421 4.3.2 xclient network" },
	{ "250 2.0.0 ok\r\n", "deferred 0 4.5.0 xclient network" },
	{ LEG_CLOSE, "deferred 0 4.4.2 xclient network" },
};
/* clang-format on */

static void a_refusal_keeps_the_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct leg_rule rules[] = {{"EHLO", ALL, 0},
		    {"XCLIENT", refusals[i].answer, 0}, {NULL, NULL, 0}};
		struct world *w = new_world(rules);

		print_message("%s\n", refusals[i].answer);
		send_and_check(
		    w, from_client(w, "192.0.2.1"), refusals[i].result);
		assert_null(strstr(world_said(w), "MAIL"));
		assert_int_equal(w->leg->connected, 1);
		world_free(w);
	}
}

/* On a kept connection one more is tried, and no third. */
static void a_refusal_on_a_kept_connection_is_tried_once_more(void **state)
{
	for (size_t i = 0; i < 2 * ARRAY_LEN(refusals); i++) {
		const char *answer = refusals[i / 2].answer;
		struct leg_rule rules[] = {
		    {"EHLO", OFFERS("250-XCLIENT ADDR\r\n"), 0},
		    {"XCLIENT", "220 leg.test anew\r\n", 1},
		    {"XCLIENT", answer, i % 2 == 0 ? 1 : 0}, {AGAIN},
		    {NULL, NULL, 0}};
		struct world *w = new_world(rules);

		(void)state;
		print_message("%zu: %s\n", i, answer);
		send_and_check(w, from_client(w, "192.0.2.1"), OK);
		send_and_check(w, from_client(w, "192.0.2.2"),
		    i % 2 == 0 ? OK : refusals[i / 2].result);
		assert_int_equal(w->leg->connected, 2);
		assert_int_equal(w->leg->bodies, i % 2 == 0 ? 2 : 1);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_leg_is_told_what_it_offers_to_hear),
	    cmocka_unit_test(a_leg_without_the_setting_is_not_told),
	    cmocka_unit_test(a_name_too_long_is_not_known),
	    cmocka_unit_test(each_message_of_a_connection_has_its_own_client),
	    cmocka_unit_test(a_question_is_no_clients),
	    cmocka_unit_test(no_message_goes_under_the_client_of_another),
	    cmocka_unit_test(a_refusal_keeps_the_mail),
	    cmocka_unit_test(a_refusal_on_a_kept_connection_is_tried_once_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
