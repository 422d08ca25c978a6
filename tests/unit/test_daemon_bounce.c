/* SPDX-License-Identifier: ISC
 *
 * Who is told of a failure, and what the notice says: never the addresses
 * that only the house knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/daemon/bounce.h"
#include "tests/unit/daemon_rig.h"

enum { ROWS = 150 };

/* An outcome of `n` failed recipients of one message, and its notice. */
struct notice {
	struct drig *r;
	struct mail *m;
	struct envelope_rcpt rcpt[ROWS];
	char to[ROWS][64];
	struct outcome_letter *o;
};

static struct notice *notice_new(const char *from, unsigned n)
{
	struct notice *t = NEW(struct notice);

	t->r = drig_new();
	t->m = mail_new();
	t->o = mem_new(sizeof(*t->o) + n * sizeof(t->o->row[0]));
	t->o->n = n;
	for (unsigned i = 0; i < n; i++) {
		snprintf(t->to[i], sizeof(t->to[i]), "user%u@example.com", i);
		t->rcpt[i] = (struct envelope_rcpt){
		    .to = t->to[i], .orcpt = ""};
		t->o->row[i].delivery = (struct job_row){i, i, 0};
		t->o->row[i].result = drig_result(OUT_FAILED, 550, "no");
	}
	t->m->env = (struct envelope){.id = id_make(&t->r->app.ids),
	    .client = "", .client_name = "", .listen = "mx", .helo = "",
	    .tls = "", .from = from, .envid = "", .message_id = "",
	    .spf = "", .rcpt = t->rcpt, .rcpts = n};
	return t;
}

static void notice_free(struct notice *t)
{
	spool_draft_free(t->o->dsn);
	mem_free(t->o->dsn_items);
	mem_free(t->o);
	mail_unref(t->m);
	drig_free(t->r);
	mem_free(t);
}

static struct slice prepare(struct notice *t)
{
	assert_true(bounce_prepare(&t->r->worker, t->m,
	    SLICE("Subject: the original\r\n"), t->o));
	return t->o->dsn == NULL ? slice_of("", 0)
				 : spool_draft_head(t->o->dsn);
}

static bool has(struct slice text, const char *part)
{
	for (; text.n > 0; text = slice_from(text, 1))
		if (slice_case_starts(text, slice_str(part)))
			return true;
	return false;
}

static void inner_addresses_are_not_told(void **state)
{
	static const struct {
		const char *inner, *text, *told, *not_told;
	} cases[] = {
	    {"ann@tenant.example", "<ann@tenant.example>: no such user",
		"<user0@example.com>: no such user", "tenant.example"},
	    {"ann@tenant.example", "ANN@Tenant.Example ann@tenant.example",
		"user0@example.com user0@example.com", "tenant"},
	    {"ann@tenant.example", "ann@tenant.exampl", "ann@tenant.exampl",
		"ann@tenant.example"},
	    {"", "nobody here", "nobody here", "tenant"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct notice *t = notice_new("sue@elsewhere.example", 1);
		struct slice text;

		print_message("%s\n", cases[i].text);
		t->o->row[0].result.address = cases[i].inner;
		t->o->row[0].result.text = cases[i].text;
		text = prepare(t);
		assert_true(has(text, cases[i].told));
		assert_false(has(text, cases[i].not_told));
		assert_true(has(text, "Final-Recipient: rfc822;"
				      "user0@example.com") ||
			    has(text, "Final-Recipient: rfc822; "
				      "user0@example.com"));
		assert_true(has(text, "Subject: the original"));
		notice_free(t);
	}
}

static void a_notice_speaks_of_those_who_are_to_be_told(void **state)
{
	static const struct {
		unsigned notify;
		uint8_t flags;
		bool told;
	} cases[] = {
	    {0, 0, true}, {NOTIFY_FAILURE, 0, true},
	    {NOTIFY_FAILURE | NOTIFY_DELAY, 0, true}, {NOTIFY_NEVER, 0, false},
	    {NOTIFY_SUCCESS, 0, false}, {NOTIFY_DELAY, 0, false},
	    {0, DF_DSN_SENT, false},
	};
	struct notice *t =
	    notice_new("sue@elsewhere.example", ARRAY_LEN(cases));
	struct slice text;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		t->rcpt[i].notify = cases[i].notify;
		t->o->row[i].delivery.flags = cases[i].flags;
	}
	text = prepare(t);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(t->o->row[i].told, cases[i].told);
		assert_int_equal(t->o->row[i].silent, !cases[i].told);
		assert_int_equal(has(text, t->to[i]), cases[i].told);
	}
	notice_free(t);
}

static void a_null_sender_is_never_told(void **state)
{
	struct notice *t = notice_new("", 1);

	(void)state;
	assert_false(bounce_due(t->m, t->o));
	notice_free(t);
}

/* A thousand refusals of a kilobyte each would be no notice any more. */
static void a_notice_has_a_bound_and_nobody_is_forgotten(void **state)
{
	struct notice *t = notice_new("sue@elsewhere.example", ROWS);
	char long_text[2000];
	unsigned told = 0, later = 0;

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (unsigned i = 0; i < ROWS; i++)
		t->o->row[i].result.text = long_text;
	prepare(t);
	assert_non_null(t->o->dsn);
	assert_in_range(spool_draft_size(t->o->dsn), 1, 512 << 10);
	for (unsigned i = 0; i < ROWS; i++) {
		told += t->o->row[i].told;
		later += t->o->row[i].result.outcome == OUT_DEFERRED;
	}
	assert_int_equal(told, 100);
	assert_int_equal(later, ROWS - 100);
	notice_free(t);
}

static void a_notice_goes_by_dsn_via_or_is_parked(void **state)
{
	struct notice *t = notice_new("sue@elsewhere.example", 1);
	const struct queue_item *item;

	(void)state;
	prepare(t);
	item = &t->o->dsn_items->item[0];
	assert_int_equal(t->o->dsn_items->n, 1);
	assert_int_equal(item->leg, t->r->outside);
	assert_int_equal(item->state, D_QUEUED);
	notice_free(t);

	t = notice_new("sue@elsewhere.example", 1);
	t->r->app.live->conf->dsn.via = "";
	prepare(t);
	item = &t->o->dsn_items->item[0];
	assert_int_equal(item->state, D_PARKED);
	assert_int_equal(item->reason, WHY_NO_WAY);
	notice_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(inner_addresses_are_not_told),
	    cmocka_unit_test(a_notice_speaks_of_those_who_are_to_be_told),
	    cmocka_unit_test(a_null_sender_is_never_told),
	    cmocka_unit_test(a_notice_has_a_bound_and_nobody_is_forgotten),
	    cmocka_unit_test(a_notice_goes_by_dsn_via_or_is_parked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
