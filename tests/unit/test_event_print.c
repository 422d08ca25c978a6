/* SPDX-License-Identifier: ISC
 *
 * Each line of events.jsonl, to the byte: which fields an event has, and when
 * one of them is left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/audit/event.h"
#include "relay/base/clock.h"
#include "relay/mail/actor.h"
#include "relay/mail/result.h"

/* 2026-03-01T10:00:00Z and a bit. */
#define TIME_US INT64_C(1772359200250000)
#define BEGIN "{\"time\":\"2026-03-01T10:00:00.250000Z\",\"node\":3,"
#define ID_42 "000000000001A"
#define ID_7 "0000000000007"

static const struct event_place nowhere = {.node = 3};

static void printed(struct strbuf *out, const char *want)
{
	assert_string_equal(strbuf_cstr(out), want);
	strbuf_reset(out);
}

/* ---- mail that was accepted ---- */

static struct envelope plain_mail(void)
{
	return (struct envelope){.id = 42, .accepted_us = TIME_US,
	    .client = "192.0.2.1", .client_name = "a.test", .listen = "mx",
	    .helo = "b.test", .tls = "TLSv1.3", .from = "ann@a.test",
	    .message_id = "<1@a.test>", .size = 1200, .rcpts = 2,
	    .spf = "pass"};
}

#define ACCEPTED BEGIN "\"event\":\"accepted\",\"id\":\"" ID_42 "\"," \
	"\"client\":\"192.0.2.1\",\"name\":\"a.test\",\"listen\":\"mx\"," \
	"\"helo\":\"b.test\",\"tls\":\"TLSv1.3\",\"from\":\"ann@a.test\"," \
	"\"message_id\":\"<1@a.test>\",\"size\":1200,\"recipients\":2," \
	"\"spf\":\"pass\""

static void mail_has_what_its_session_said(void **state)
{
	struct envelope e = plain_mail();
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 4096);
	event_print_accepted(&out, &nowhere, &e);
	printed(&out, ACCEPTED "}");
	e.login = e.spf_by = e.stripped = e.came_from = "";
	event_print_accepted(&out, &nowhere, &e);
	printed(&out, ACCEPTED "}");
	e.stripped = "no number";
	event_print_accepted(&out, &nowhere, &e);
	printed(&out, ACCEPTED "}");
	e.login = "ann";
	event_print_accepted(&out, &nowhere, &e);
	printed(&out, ACCEPTED ",\"login\":\"ann\"}");
	e.login = NULL;
	e.spf_by = "mx a.test";
	event_print_accepted(&out, &nowhere, &e);
	printed(&out, ACCEPTED ",\"spf_by\":\"mx a.test\"}");
	e.spf_by = NULL;
	e.stripped = "3";
	event_print_accepted(&out, &nowhere, &e);
	printed(&out, ACCEPTED ",\"stripped\":3}");
	strbuf_fini(&out);
}

static void mail_that_came_back_has_where_from(void **state)
{
	const struct event_place at = {.node = 3, .pos = {5, 8192}};
	struct envelope e = plain_mail();
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 4096);
	e.came_from = "cloud";
	event_print_accepted(&out, &nowhere, &e);
	printed(&out, ACCEPTED ",\"came_from\":\"cloud\"}");
	e.came_from = NULL;
	e.parent = 7;
	event_print_accepted(&out, &nowhere, &e);
	printed(&out, ACCEPTED ",\"came_from\":\"\",\"parent\":\"" ID_7
	    "\"}");
	event_print_note(&out, &at, TIME_US, SLICE("started"), SLICE(""));
	printed(&out, BEGIN "\"pos\":\"5:8192\",\"event\":\"started\"}");
	event_print_note(&out, &at, TIME_US, SLICE("started"),
	    SLICE("\"version\":\"1\""));
	printed(&out, BEGIN "\"pos\":\"5:8192\",\"event\":\"started\","
	    "\"version\":\"1\"}");
	strbuf_fini(&out);
}

/* ---- what became of a delivery ---- */

static struct delivery_event a_move(enum event_kind kind, enum why why)
{
	return (struct delivery_event){.kind = kind, .id = 42,
	    .time_us = TIME_US, .accepted_us = TIME_US - 1500000,
	    .to = "u@c.test", .leg = "cloud", .role = ROLE_COPY,
	    .why = (uint8_t)why, .attempt = 4, .change = 9};
}

static void print_move(struct strbuf *out, struct delivery_event *m,
    const struct strbuf *detail)
{
	m->detail = strbuf_view(detail);
	event_print_delivery(out, &nowhere, m);
}

#define OF(event) BEGIN "\"event\":\"" event "\",\"id\":\"" ID_42 "\"," \
	"\"to\":\"u@c.test\",\"leg\":\"cloud\",\"role\":\"copy\",\"change\":9"
#define SAID ",\"relay\":\"mx [192.0.2.7]:25\",\"code\":250," \
	"\"enhanced\":\"2.0.0\",\"reply\":\"thanks\",\"class\":\"message\"," \
	"\"stage\":\"body\",\"attempt\":4"

static struct result a_reply(void)
{
	return (struct result){.outcome = OUT_DELIVERED,
	    .class = CLASS_MESSAGE, .code = 250, .enh = "2.0.0",
	    .stage = STAGE_BODY, .remote = "mx [192.0.2.7]:25",
	    .text = "thanks", .tls = "TLSv1.2", .tls_failed = "",
	    .address = ""};
}

static void pack_reply(struct strbuf *detail, const struct result *r)
{
	strbuf_reset(detail);
	result_pack(r, detail);
}

static void an_attempt_has_the_words_of_the_leg(void **state)
{
	struct delivery_event m = a_move(EV_DELIVERED, WHY_ATTEMPT);
	struct result r = a_reply();
	struct strbuf out, detail;

	(void)state;
	strbuf_init(&out, 4096);
	strbuf_init(&detail, 4096);
	pack_reply(&detail, &r);
	print_move(&out, &m, &detail);
	printed(&out, OF("delivered") SAID ",\"delay_ms\":1500,"
	    "\"tls\":\"TLSv1.2\"}");
	m.accepted_us = 0;
	r.tls_failed = "no";
	r.address = "x@c.test";
	r.uncertain = true;
	pack_reply(&detail, &r);
	print_move(&out, &m, &detail);
	printed(&out, OF("delivered") SAID ",\"tls\":\"TLSv1.2\","
	    "\"tls_failed\":\"no\",\"address\":\"x@c.test\","
	    "\"uncertain\":\"yes\"}");
	m = a_move(EV_PARKED, WHY_FORGED);
	m.accepted_us = 0;
	r = a_reply();
	pack_reply(&detail, &r);
	print_move(&out, &m, &detail);
	printed(&out, OF("parked") SAID ",\"tls\":\"TLSv1.2\","
	    "\"reason\":\"forged\"}");
	strbuf_fini(&detail);
	strbuf_fini(&out);
}

/* The mark of an earlier attempt, and that of this one. */
static void what_a_leg_may_have_is_said(void **state)
{
	static const struct {
		uint8_t mark;
		bool now;
		const char *want;
	} cases[] = {
	    {UNC_NO, false, ""},
	    {UNC_NO, true, ",\"uncertain\":\"yes\""},
	    {UNC_POSSIBLE, false, ",\"uncertain\":\"possible\""},
	    {UNC_POSSIBLE, true, ",\"uncertain\":\"yes\""},
	    {UNC_YES, false, ",\"uncertain\":\"yes\""},
	};
	struct strbuf out, detail, want;

	(void)state;
	strbuf_init(&out, 4096);
	strbuf_init(&detail, 4096);
	strbuf_init(&want, 4096);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct delivery_event m = a_move(EV_DEFERRED, WHY_ATTEMPT);
		struct result r = a_reply();

		m.uncertain = cases[i].mark;
		m.accepted_us = 0;
		r.uncertain = cases[i].now;
		pack_reply(&detail, &r);
		print_move(&out, &m, &detail);
		strbuf_reset(&want);
		strbuf_adds(&want, OF("deferred") SAID ",\"tls\":\"TLSv1.2\"");
		strbuf_adds(&want, cases[i].want);
		strbuf_addc(&want, '}');
		printed(&out, strbuf_cstr(&want));
	}
	strbuf_fini(&want);
	strbuf_fini(&detail);
	strbuf_fini(&out);
}

/* By a person, by a change of the table, or by the rules alone. */
static void a_move_without_a_reply_has_its_cause(void **state)
{
	static const struct {
		enum event_kind kind;
		enum why why;
		uint64_t change;
		const char *who, *reason, *want;
	} cases[] = {
	    {EV_FROZEN, WHY_ADMIN, 9, "root", "look", OF("frozen")
		",\"by\":\"root\",\"reason\":\"look\"}"},
	    {EV_SUPERSEDED, WHY_ROUTE, 9, "", "", OF("superseded")
		",\"by\":\"change 9\",\"reason\":\"route\"}"},
	    {EV_HELD, WHY_HOLD, 9, "", "", OF("held")
		",\"by\":\"change 9\",\"reason\":\"hold\"}"},
	    {EV_RELEASED, WHY_RELEASE, 9, "", "", OF("released")
		",\"by\":\"change 9\",\"reason\":\"release\"}"},
	    {EV_PARKED, WHY_NO_ROUTE, 9, "", "", OF("parked")
		",\"by\":\"policy\",\"reason\":\"no-route\"}"},
	    {EV_PARKED, WHY_LIFETIME, 9, "", "", OF("parked")
		",\"by\":\"policy\",\"reason\":\"lifetime\"}"},
	    {EV_PARKED, WHY_NO_WAY, 9, "", "", OF("parked")
		",\"by\":\"policy\",\"reason\":\"no-way\"}"},
	    {EV_PARKED, WHY_LOOP, 9, "", "", OF("parked")
		",\"by\":\"policy\",\"reason\":\"loop\"}"},
	    {EV_PARKED, WHY_HINT, 9, "", "", OF("parked")
		",\"by\":\"policy\",\"reason\":\"loop\"}"},
	    {EV_PARKED, WHY_GUARD, 9, "", "", OF("parked")
		",\"by\":\"policy\",\"reason\":\"guard\"}"},
	    {EV_PARKED, WHY_TOO_LARGE, 9, "", "", OF("parked")
		",\"by\":\"policy\",\"reason\":\"too-large\"}"},
	    {EV_PARKED, WHY_NO_UTF8, 9, "", "", OF("parked")
		",\"by\":\"policy\",\"reason\":\"no-utf8\"}"},
	    {EV_DELETED, WHY_EXPIRED, 9, "", "", OF("deleted")
		",\"by\":\"policy\",\"reason\":\"parked-expired\"}"},
	    {EV_DELETED, WHY_SPACE, 9, "", "", OF("deleted")
		",\"by\":\"policy\",\"reason\":\"space\"}"},
	    {EV_DELIVERED, WHY_RETURNED, 9, "", "", OF("delivered")
		",\"by\":\"policy\",\"reason\":\"returned\"}"},
	    {EV_THAWED, WHY_ADMIN, 9, "", "", OF("thawed")
		",\"by\":\"policy\",\"reason\":\"\"}"},
	    {EV_PARKED, (enum why)200, 9, "", "", OF("parked")
		",\"by\":\"policy\",\"reason\":\"\"}"},
	};
	struct strbuf out, detail;

	(void)state;
	strbuf_init(&out, 4096);
	strbuf_init(&detail, 4096);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct delivery_event m = a_move(cases[i].kind, cases[i].why);

		strbuf_reset(&detail);
		actor_pack(&(struct actor){cases[i].who, cases[i].reason},
		    &detail);
		print_move(&out, &m, &detail);
		printed(&out, cases[i].want);
	}
	strbuf_fini(&detail);
	strbuf_fini(&out);
}

/* A route without a change of the table behind it, and a mark that outlives
 * the attempts. */
static void a_cause_without_a_change_is_a_rule(void **state)
{
	struct delivery_event m = a_move(EV_HELD, WHY_HOLD);
	struct strbuf out, none;

	(void)state;
	strbuf_init(&out, 4096);
	strbuf_init(&none, 1);
	m.change = 0;
	m.uncertain = UNC_POSSIBLE;
	print_move(&out, &m, &none);
	printed(&out, BEGIN "\"event\":\"held\",\"id\":\"" ID_42 "\","
	    "\"to\":\"u@c.test\",\"leg\":\"cloud\",\"role\":\"copy\","
	    "\"change\":0,\"by\":\"policy\",\"reason\":\"hold\","
	    "\"uncertain\":\"possible\"}");
	strbuf_fini(&none);
	strbuf_fini(&out);
}

static void a_notice_names_its_message(void **state)
{
	struct delivery_event m = a_move(EV_DSN, WHY_NONE);
	struct strbuf out, detail;

	(void)state;
	strbuf_init(&out, 4096);
	strbuf_init(&detail, 4096);
	notice_pack(&(struct notice){7, "ann@a.test", "failed"}, &detail);
	print_move(&out, &m, &detail);
	printed(&out, BEGIN "\"event\":\"dsn\",\"id\":\"" ID_7 "\","
	    "\"about\":\"" ID_42 "\",\"to\":\"u@c.test\","
	    "\"action\":\"failed\",\"sender\":\"ann@a.test\"}");
	/* Bytes that are none, as of a damaged record. */
	strbuf_addc(&detail, 'x');
	print_move(&out, &m, &detail);
	printed(&out, BEGIN "\"event\":\"dsn\"}");
	m = a_move(EV_DEFERRED, WHY_ATTEMPT);
	print_move(&out, &m, &detail);
	printed(&out, OF("deferred") "}");
	m = a_move(EV_FROZEN, WHY_ADMIN);
	print_move(&out, &m, &detail);
	printed(&out, OF("frozen") "}");
	strbuf_fini(&detail);
	strbuf_fini(&out);
}

/* ---- which event a move is ---- */

static void a_move_is_the_event_of_its_cause(void **state)
{
	static const struct {
		enum dstate from, to;
		enum why why;
		unsigned flags;
		enum event_kind want;
	} cases[] = {
	    {D_QUEUED, D_DELIVERED, WHY_ATTEMPT, 0, EV_DELIVERED},
	    {D_QUEUED, D_BOUNCED, WHY_ATTEMPT, 0, EV_BOUNCED},
	    {D_QUEUED, D_PARKED, WHY_ATTEMPT, 0, EV_PARKED},
	    {D_QUEUED, D_SUPERSEDED, WHY_ROUTE, 0, EV_SUPERSEDED},
	    {D_PARKED, D_DELETED, WHY_ADMIN, 0, EV_DELETED},
	    {D_QUEUED, D_HELD, WHY_HOLD, 0, EV_HELD},
	    {D_NONE, D_HELD, WHY_ROUTE, 0, EV_ROUTED},
	    {D_QUEUED, D_FROZEN, WHY_ADMIN, 0, EV_FROZEN},
	    {D_QUEUED, D_DEFERRED, WHY_ATTEMPT, 0, EV_DEFERRED},
	    {D_HELD, D_DEFERRED, WHY_RELEASE, 0, EV_RELEASED},
	    {D_FROZEN, D_DEFERRED, WHY_ADMIN, 0, EV_THAWED},
	    {D_PARKED, D_DEFERRED, WHY_ADMIN, 0, EV_RETRIED},
	    {D_NONE, D_QUEUED, WHY_ROUTE, 0, EV_ROUTED},
	    {D_HELD, D_QUEUED, WHY_RELEASE, 0, EV_RELEASED},
	    {D_FROZEN, D_QUEUED, WHY_ADMIN, 0, EV_THAWED},
	    {D_DEFERRED, D_QUEUED, WHY_ADMIN, 0, EV_RETRIED},
	    {D_NONE, D_QUEUED, WHY_NONE, 0, EV_NONE},
	    {D_NONE, D_QUEUED, WHY_ADMIN, DF_REPLAYED, EV_REPLAYED},
	    {D_DEFERRED, D_QUEUED, WHY_ADMIN, DF_REPLAYED, EV_RETRIED},
	    {D_QUEUED, D_NONE, WHY_NONE, 0, EV_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct spool_delivery to = {
		    .state = (uint8_t)cases[i].to,
		    .reason = (uint8_t)cases[i].why,
		    .flags = (uint8_t)cases[i].flags};

		if (event_kind_of(cases[i].from, &to) != cases[i].want)
			fail_msg("case %zu: %s", i, event_kind_text(
			    event_kind_of(cases[i].from, &to)));
	}
}

static void kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(event_kind_text(EV_NONE), "none");
	assert_string_equal(event_kind_text(EV_KINDS), "?");
	assert_int_equal(event_kind_named("none"), EV_NONE);
	assert_int_equal(event_kind_named("accepted"), EV_NONE);
	for (int k = EV_DELIVERED; k < EV_KINDS; k++)
		assert_int_equal(event_kind_named(event_kind_text(
		    (enum event_kind)k)), k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mail_has_what_its_session_said),
	    cmocka_unit_test(mail_that_came_back_has_where_from),
	    cmocka_unit_test(an_attempt_has_the_words_of_the_leg),
	    cmocka_unit_test(what_a_leg_may_have_is_said),
	    cmocka_unit_test(a_move_without_a_reply_has_its_cause),
	    cmocka_unit_test(a_cause_without_a_change_is_a_rule),
	    cmocka_unit_test(a_notice_names_its_message),
	    cmocka_unit_test(a_move_is_the_event_of_its_cause),
	    cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
