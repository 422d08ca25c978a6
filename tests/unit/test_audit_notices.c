/* SPDX-License-Identifier: ISC
 *
 * Notices and what answers copies in the audit trail: what each told, by the
 * moves that stand in one record with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/id.h"
#include "relay/base/log.h"
#include "tests/unit/auditfixture.h"

static struct envelope own_notice(unsigned seq, struct envelope_rcpt *rcpt)
{
	*rcpt = (struct envelope_rcpt){.to = "bob@example.org", .orcpt = ""};
	return (struct envelope){.id = fake_id(T0, seq), .accepted_us = T0,
	    .client = "", .client_name = "", .listen = "", .helo = "",
	    .tls = "", .from = "", .envid = "", .message_id = "", .spf = "",
	    .rcpt = rcpt, .rcpts = 1};
}

/* Each told by a notice of the same record; that it is parked itself, of its
 * own, is not told. */
static void a_notice_tells_what_its_record_says(void **state)
{
	/* clang-format off */
	static const struct {
		enum dstate old, state;
		enum why why;
		uint8_t flags;
		enum dstate notice;
		const char *action; /* NULL: the move is no news */
	} cases[] = {
		{ D_QUEUED, D_BOUNCED,   WHY_ATTEMPT,  DF_DSN_SENT,
		  D_QUEUED, "failed" },
		{ D_QUEUED, D_PARKED,    WHY_LIFETIME, DF_DSN_SENT,
		  D_QUEUED, "failed" },
		{ D_QUEUED, D_BOUNCED,   WHY_ATTEMPT,  DF_DSN_SENT,
		  D_PARKED, "failed" },
		{ D_DEFERRED, D_DEFERRED, WHY_LATE,    DF_DELAY_SENT,
		  D_QUEUED, "delayed" },
		{ D_QUEUED, D_QUEUED,    WHY_LATE,     DF_DELAY_SENT,
		  D_QUEUED, "delayed" },
		{ D_QUEUED, D_DELIVERED, WHY_ATTEMPT,  0,
		  D_QUEUED, "relayed" },
		{ D_QUEUED, D_DELIVERED, WHY_ATTEMPT,  DF_MAILBOX,
		  D_QUEUED, "delivered" },
		{ D_QUEUED, D_DEFERRED,  WHY_ATTEMPT,  0,
		  D_QUEUED, NULL },
	};
	/* clang-format on */
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct spool_update u = {.to = now(f, cases[i].state, 0)};
		struct envelope_rcpt rcpt;
		struct envelope e = own_notice(100 + i, &rcpt);
		struct spool_delivery d = now(f, cases[i].notice, 0);

		u.to.reason = (uint8_t)cases[i].why;
		u.to.flags = cases[i].flags;
		d.reason = cases[i].notice == D_PARKED ? WHY_GUARD : WHY_NONE;
		fake_accepted(&f->j, fake_id(T0, i), T0, rcpt.to, ann,
		    f->cloud);
		fake_update(&f->j, fake_id(T0, i), T0, cases[i].old, &u);
		f->j.group = true;
		fake_message(&f->j, REC_ACCEPTED, &e, &d, 1);
		f->j.group = false;
	}
	run(f);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char want[64];
		const char *text =
		    trace(f, (struct search){.id = fake_id(T0, i)});

		print_message("case %u\n", i);
		snprintf(want, sizeof(want), "\"action\":\"%s\"",
		    cases[i].action == NULL ? "" : cases[i].action);
		assert_int_equal(strstr(text, want) != NULL,
		    cases[i].action != NULL);
		assert_int_equal(strstr(text, "\"event\":\"dsn\"") != NULL,
		    cases[i].action != NULL);
		text = trace(f, (struct search){.id = fake_id(T0, 100 + i)});
		assert_null(strstr(text, "\"event\":\"dsn\""));
		assert_int_equal(strstr(text, "\"reason\":\"guard\"") != NULL,
		    cases[i].notice == D_PARKED);
	}
}

static void what_a_return_address_took_stands_with_its_copy(void **state)
{
	static const struct { const char *said, *fields; } cases[] = {
	    {"failed 5.1.1 ann@x.example",
		"\"to\":\"ann@x.example\",\"action\":\"failed\","
		"\"status\":\"5.1.1\"}"},
	    {"delayed  ",
		"\"to\":\"\",\"action\":\"delayed\",\"status\":\"\"}"},
	    {"", "\"to\":\"\",\"action\":\"\",\"status\":\"\"}"}};
	struct fixture *f = *state;
	char id[ID_TEXT], about[ID_TEXT], want[300];

	id_text(fake_id(T0, 1), about);
	fake_accepted(&f->j, fake_id(T0, 1), T0, "b@x", ann, f->cloud);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct envelope_rcpt rcpt;
		struct envelope e = own_notice(10 + i, &rcpt);
		struct spool_delivery d = now(f, D_DELETED, 0);

		rcpt.orcpt = cases[i].said;
		e.listen = "mx";
		e.parent = fake_id(T0, 1);
		e.came_from = "cloud";
		d.reason = WHY_RETURNED;
		fake_message(&f->j, REC_ACCEPTED, &e, &d, 1);
	}
	run(f);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		id_text(fake_id(T0, 10 + i), id);
		snprintf(want, sizeof(want), "\"event\":\"returned\","
		    "\"id\":\"%s\",\"about\":\"%s\",\"leg\":\"cloud\",%s", id,
		    about, cases[i].fields);
		print_message("%s\n", want);
		assert_non_null(strstr(
		    trace(f, (struct search){.id = fake_id(T0, 1)}), want));
		assert_non_null(strstr(
		    trace(f, (struct search){.id = fake_id(T0, 10 + i)}),
		    "\"reason\":\"returned\""));
	}
	assert_int_equal(count_events(f, "\"event\":\"returned\""),
	    ARRAY_LEN(cases));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The record's time is that of the bounce, and the notice was numbered after
 * it: between the two an hour may end. */
static void a_notice_numbered_in_the_next_hour_is_found(void **state)
{
	struct fixture *f = *state;
	struct envelope_rcpt rcpt = {.to = "bob@example.org", .orcpt = ""};
	uint64_t bounced = fake_id(T0, 1), id = fake_id(T0 + HOUR, 2);
	struct envelope e = {.id = id, .accepted_us = T0, .client = "",
	    .client_name = "", .listen = "", .helo = "", .tls = "",
	    .from = "", .envid = "", .message_id = "", .spf = "",
	    .rcpt = &rcpt, .rcpts = 1};
	struct spool_delivery d = now(f, D_QUEUED, 0);
	struct conserve c;
	char lost[64];
	const char *text;

	fake_accepted(&f->j, bounced, T0, rcpt.to, ann, f->cloud);
	sent(f, bounced, T0, D_QUEUED, D_BOUNCED, 1);
	f->j.group = true;
	fake_message(&f->j, REC_ACCEPTED, &e, &d, 1);
	f->j.group = false;
	run(f);
	fake_accepted(&f->j, fake_id(T0 + HOUR, 3), T0 + HOUR, "", ann,
	    f->cloud);
	sent(f, id, T0 + HOUR + MINUTE, D_QUEUED, D_DELIVERED, 1);
	run(f);
	text = trace(f, (struct search){.id = id});
	assert_int_equal(count(text, "\"event\":\"accepted\""), 1);
	assert_int_equal(count(text, "\"to\":\"bob@example.org\""), 1);
	verify(f, &c, lost);
	assert_int_equal(c.leg[f->cloud].total[T_DELIVERED], 1);
	assert_int_equal(c.leg[f->cloud].total[T_OPEN], 1);
	assert_int_equal(c.leg[f->cloud].gap, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_notice_tells_what_its_record_says),
		T(what_a_return_address_took_stands_with_its_copy),
		T(a_notice_numbered_in_the_next_hour_is_found),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
