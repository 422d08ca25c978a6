/* SPDX-License-Identifier: ISC
 *
 * Which senders are told of a failure, and what the notice says: never
 * internal addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/return_addr.h"
#include "relay/delivery/bounce.h"
#include "tests/unit/daemon_rig.h"

enum { ROWS = 1000 };
#define ORIGINAL "Subject: the original\r\n\r\nits text\r\n"

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
		t->o->row[i].delivery =
		    (struct delivery_ref){.number = i, .rcpt = i};
		t->o->row[i].result = drig_result(OUT_FAILED, 550, "no");
	}
	t->m->env = (struct envelope){.id = id_make(&t->r->shared.ids),
	    .client = "", .client_name = "", .listen = "mx", .helo = "",
	    .tls = "", .from = from, .envid = "", .message_id = "",
	    .spf = "", .rcpt = t->rcpt, .rcpts = n,
	    .size = sizeof(ORIGINAL) - 1};
	return t;
}

static void notice_free(struct notice *t)
{
	for (unsigned i = 0; i < t->o->notices; i++) {
		spool_draft_free(t->o->notice[i].draft);
		mem_free(t->o->notice[i].items);
	}
	mem_free(t->o->notice);
	mem_free(t->o);
	mail_unref(t->m);
	drig_free(t->r);
	mem_free(t);
}

/* The text of the first notice; empty: there is none. */
static struct slice prepare(struct notice *t)
{
	bool due = bounce_due(t->r->snapshot->conf, t->m, t->o);

	assert_int_equal(due, t->o->notices != 0);
	bounce_prepare(&t->r->worker, t->m, SLICE(ORIGINAL), t->o);
	if (!due)
		return slice_of("", 0);
	assert_non_null(t->o->notice[0].draft);
	return spool_draft_head(t->o->notice[0].draft);
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

/* RFC 3461 4.1: who hears of what. */
static void a_notice_speaks_of_those_who_are_to_be_told(void **state)
{
	/* clang-format off */
	static const struct {
		unsigned notify;
		uint8_t flags;
		bool failed, delayed, passed;
	} cases[] = {
		{ 0,                             0,             1, 1, 0 },
		{ NOTIFY_FAILURE,                0,             1, 0, 0 },
		{ NOTIFY_FAILURE | NOTIFY_DELAY, 0,             1, 1, 0 },
		{ NOTIFY_NEVER,                  0,             0, 0, 0 },
		{ NOTIFY_SUCCESS,                0,             0, 0, 1 },
		{ NOTIFY_DELAY,                  0,             0, 1, 0 },
		{ NOTIFY_SUCCESS,                DF_DSN_SENT,   0, 0, 0 },
		{ 0,                             DF_DSN_SENT,   0, 0, 0 },
		{ 0,                             DF_DELAY_SENT, 1, 1, 0 },
	};
	/* clang-format on */
	static const struct {
		enum told what;
		enum why why;
		enum outcome outcome;
	} kinds[] = {{TOLD_FAILED, WHY_ATTEMPT, OUT_FAILED},
	    {TOLD_DELAYED, WHY_LATE, OUT_DEFERRED},
	    {TOLD_PASSED, WHY_ATTEMPT, OUT_DELIVERED}};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct notice *t =
		    notice_new("sue@elsewhere.example", ARRAY_LEN(cases));
		struct slice text;

		t->o->why = kinds[k].why;
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			t->rcpt[i].notify = cases[i].notify;
			t->o->row[i].delivery.flags = cases[i].flags;
			t->o->row[i].result.outcome = kinds[k].outcome;
		}
		text = prepare(t);
		assert_int_equal(t->o->notices, 1);
		assert_int_equal(t->o->notice[0].what, kinds[k].what);
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			bool told = k == 0 ? cases[i].failed
				  : k == 1 ? cases[i].delayed
					   : cases[i].passed;

			print_message("kind %zu case %zu\n", k, i);
			assert_int_equal(t->o->row[i].told, told);
			assert_int_equal(t->o->row[i].silent, !told && k != 2);
			assert_int_equal(has(text, t->to[i]), told);
		}
		notice_free(t);
	}
}

static void a_null_sender_is_never_told(void **state)
{
	static const struct {
		enum why why;
		enum outcome outcome;
		bool silent;
	} cases[] = {{WHY_ATTEMPT, OUT_FAILED, false},
	    {WHY_LATE, OUT_DEFERRED, true},
	    {WHY_ATTEMPT, OUT_DELIVERED, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct notice *t = notice_new("", 1);

		t->o->why = cases[i].why;
		t->o->row[0].result.outcome = cases[i].outcome;
		t->rcpt[0].notify = NOTIFY_SUCCESS | NOTIFY_DELAY |
				    NOTIFY_FAILURE;
		assert_false(bounce_due(t->r->snapshot->conf, t->m, t->o));
		assert_int_equal(t->o->row[0].silent, cases[i].silent);
		notice_free(t);
	}
}

/* A copy that was sent on and fails: its bounce would come back to us. */
static void nor_is_a_return_address_of_ours(void **state)
{
	static char *key[] = {(char *)"0123456789abcdef"};
	struct strbuf from;

	(void)state;
	strbuf_init(&from, ADDR_MAX);
	for (int ours = 0; ours < 2; ours++) {
		struct notice *t = notice_new("", 1);
		struct conf *c = t->r->snapshot->conf, good = *c;

		good.ret.domain = (char *)"return.example.com";
		good.ret.key = (struct conf_strings){key, 1};
		strbuf_reset(&from);
		if (ours)
			assert_true(return_addr_make(&good, t->m->env.id,
			    "cloud", clock_wall_us(t->r->shared.clock), &from));
		else
			strbuf_adds(&from, "ret.x@return.example.com");
		t->m->env.from = strbuf_cstr(&from);
		assert_int_equal(bounce_due(&good, t->m, t->o), !ours);
		assert_false(t->o->row[0].silent);
		notice_free(t);
	}
	strbuf_fini(&from);
}

/* A message to a thousand recipients is one notice, which names them all and
 * is not much larger than what they were named in. */
static void recipients_of_one_message_share_a_notice(void **state)
{
	struct notice *t = notice_new("sue@elsewhere.example", ROWS);
	char long_text[2000];
	struct slice text;

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (unsigned i = 0; i < ROWS; i++)
		t->o->row[i].result.text = long_text;
	text = prepare(t);
	assert_int_equal(t->o->notices, 1);
	assert_true(has(text, "and 980 more"));
	assert_in_range(spool_draft_size(t->o->notice[0].draft), 1, 260000);
	notice_free(t);
}

/* A notice without room would never be told: the largest there can be. */
static void the_largest_notice_has_room(void **state)
{
	enum { HEAD = 64 << 10 };
	struct notice *t = notice_new("sue@elsewhere.example", ROWS);
	char *head = mem_new(HEAD), text[2000], orcpt[500] = "utf-8;";

	(void)state;
	memset(head, 0xff, HEAD);
	memcpy(head, "A: ", 3);
	memcpy(head + HEAD - 2, "\r\n", 2);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memset(orcpt + 6, '+', sizeof(orcpt) - 7);
	for (unsigned i = 0; i < ROWS; i++) {
		t->o->row[i].result.text = text;
		t->rcpt[i].orcpt = orcpt;
	}
	assert_true(bounce_due(t->r->snapshot->conf, t->m, t->o));
	bounce_prepare(&t->r->worker, t->m, slice_of(head, HEAD), t->o);
	assert_int_equal(t->o->notices, 1);
	assert_non_null(t->o->notice[0].draft);
	assert_in_range(spool_draft_size(t->o->notice[0].draft), 3 * HEAD,
	    2 << 20);
	mem_free(head);
	notice_free(t);
}

/* One attempt brings news of both kinds: a notice each. Who is not to be told
 * by us at all, because the leg does or because it is parked for a person,
 * is in neither. */
static void each_kind_of_news_has_its_notice(void **state)
{
	struct notice *t = notice_new("sue@elsewhere.example", 5);
	struct slice text;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		t->rcpt[i].notify = NOTIFY_SUCCESS | NOTIFY_FAILURE;
	t->o->row[1].result.outcome = OUT_DELIVERED;
	t->o->row[2].result.outcome = OUT_DELIVERED;
	t->o->row[2].on = true;
	t->o->row[3].result.outcome = OUT_PARKED;
	t->o->row[4].result.outcome = OUT_DEFERRED;
	t->o->mailbox = true;
	text = prepare(t);
	assert_int_equal(t->o->notices, 2);
	assert_int_equal(t->o->row[0].told, 1);
	assert_int_equal(t->o->row[1].told, 2);
	for (unsigned i = 2; i < 5; i++)
		assert_int_equal(t->o->row[i].told, 0);
	assert_true(has(text, "Action: failed"));
	text = spool_draft_head(t->o->notice[1].draft);
	assert_true(has(text, "user1@example.com\r\nAction: delivered\r\n"
			      "Status: 2.0.0"));
	assert_false(has(text, "user0") || has(text, "Diagnostic-Code"));
	notice_free(t);
}

/* D9: a sender that may be forged is not told of mail to an unknown
 * recipient. */
static void the_guard_parks_a_failure_and_is_quiet_of_the_rest(void **state)
{
	/* clang-format off */
	static const struct {
		enum dsn_guard guard;
		const char *spf;
		enum reply_class class;
		bool stranger;
		enum why failed; /* of the notice's delivery */
		bool others;     /* are told of */
		bool unknown;    /* … though they have no row */
	} cases[] = {
		{ GUARD_FAIL, "",     CLASS_RECIPIENT, true,  WHY_GUARD, true,  false },
		{ GUARD_FAIL, "",     CLASS_RECIPIENT, false, WHY_NONE,  true,  false },
		{ GUARD_FAIL, "",     CLASS_RECIPIENT, false, WHY_NONE,  false, true  },
		{ GUARD_FAIL, "",     CLASS_MESSAGE,   true,  WHY_NONE,  true,  false },
		{ GUARD_OFF,  "",     CLASS_RECIPIENT, true,  WHY_NONE,  true,  true  },
		{ GUARD_FAIL, "pass", CLASS_RECIPIENT, true,  WHY_NONE,  true,  true  },
		{ GUARD_FAIL, "fail", CLASS_MESSAGE,   false, WHY_GUARD, false, false },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct notice *t = notice_new("sue@elsewhere.example", 2);
		const struct delivery_ref *item;

		print_message("case %zu\n", i);
		t->r->snapshot->conf->dsn.guard = cases[i].guard;
		t->m->env.spf = cases[i].spf;
		t->o->row[0].result.class = cases[i].class;
		t->o->row[0].stranger = cases[i].stranger;
		t->o->row[1].result.outcome = OUT_DELIVERED;
		t->o->row[1].stranger = cases[i].unknown;
		t->rcpt[1].notify = NOTIFY_SUCCESS;
		prepare(t);
		item = &t->o->notice[t->o->row[0].told - 1].items->item[0];
		assert_int_equal(item->reason, cases[i].failed);
		assert_int_equal(item->state,
		    cases[i].failed == WHY_GUARD ? D_PARKED : D_QUEUED);
		assert_int_equal(t->o->row[1].told != 0, cases[i].others);
		notice_free(t);
	}
}

/* RFC 3461 4.3. */
static void ret_says_how_much_comes_back(void **state)
{
	static const struct {
		enum dsn_ret ret;
		uint64_t size;
		bool whole;
	} cases[] = {{RET_FULL, sizeof(ORIGINAL) - 1, true},
	    {RET_HDRS, sizeof(ORIGINAL) - 1, false},
	    {RET_NONE, sizeof(ORIGINAL) - 1, false},
	    {RET_FULL, 65 << 10, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct notice *t = notice_new("sue@elsewhere.example", 1);
		struct slice text;

		t->m->env.ret = cases[i].ret;
		t->m->env.size = cases[i].size;
		text = prepare(t);
		assert_true(has(text, "Subject: the original"));
		assert_int_equal(has(text, "its text"), cases[i].whole);
		assert_int_equal(has(text, "message/rfc822"), cases[i].whole);
		notice_free(t);
	}
}

/* A host of a leg is inside the house, that of an egress is not. */
static void a_host_inside_is_not_named(void **state)
{
	(void)state;
	for (int outside = 0; outside < 2; outside++) {
		struct notice *t = notice_new("sue@elsewhere.example", 1);
		struct slice text;

		t->o->leg = outside ? t->r->outside : t->r->legacy;
		t->o->row[0].result.remote = "mx1.house.lan [192.0.2.7]:25";
		t->o->row[0].result.text = "mx1.house.lan (192.0.2.7) says no";
		text = prepare(t);
		assert_int_equal(has(text, "mx1.house.lan"), outside);
		assert_int_equal(has(text, "192.0.2.7"), outside);
		assert_int_equal(has(text,
		    "Remote-MTA: dns; mx1.house.lan\r\n"), outside);
		assert_true(outside || has(text, "internal (internal) says"));
		notice_free(t);
	}
}

/* A notice about mail to a leg's own address names the address it was sent
 * to. */
static void the_address_shown_is_the_sender_s(void **state)
{
	static const struct { const char *to, *orcpt, *final; } cases[] = {
	    {"ann@example.com", "rfc822;Ann@Example.com", "ann@example.com"},
	    {"ann@tenant.example", "rfc822;Ann+2BX@Example.com",
		"Ann+X@Example.com"},
	    {"ann@tenant.example", "rfc822;nonsense", "ann@tenant.example"},
	    {"ann@tenant.example", "", "ann@tenant.example"}};
	char *domain[] = {(char *)"tenant.example"};
	char line[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct notice *t = notice_new("sue@elsewhere.example", 1);
		struct conf_leg *leg = (struct conf_leg *)conf_leg_by_id(
		    t->r->snapshot->conf, t->r->cloud);
		struct conf_strings old = leg->domains;

		leg->domains = (struct conf_strings){domain, 1};
		t->rcpt[0].to = cases[i].to;
		t->rcpt[0].orcpt = cases[i].orcpt;
		snprintf(line, sizeof(line), "\r\nFinal-Recipient: rfc822; %s"
		    "\r\n", cases[i].final);
		assert_true(has(prepare(t), line));
		leg->domains = old;
		notice_free(t);
	}
}

static void a_notice_goes_by_dsn_via_or_is_parked(void **state)
{
	struct notice *t = notice_new("sue@elsewhere.example", 1);
	const struct delivery_ref *item;

	(void)state;
	prepare(t);
	item = &t->o->notice[0].items->item[0];
	assert_int_equal(t->o->notice[0].items->n, 1);
	assert_int_equal(item->leg, t->r->outside);
	assert_int_equal(item->state, D_QUEUED);
	notice_free(t);

	t = notice_new("sue@elsewhere.example", 1);
	t->r->snapshot->conf->dsn.via = "";
	prepare(t);
	item = &t->o->notice[0].items->item[0];
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
	    cmocka_unit_test(nor_is_a_return_address_of_ours),
	    cmocka_unit_test(recipients_of_one_message_share_a_notice),
	    cmocka_unit_test(the_largest_notice_has_room),
	    cmocka_unit_test(each_kind_of_news_has_its_notice),
	    cmocka_unit_test(
		the_guard_parks_a_failure_and_is_quiet_of_the_rest),
	    cmocka_unit_test(ret_says_how_much_comes_back),
	    cmocka_unit_test(a_host_inside_is_not_named),
	    cmocka_unit_test(the_address_shown_is_the_sender_s),
	    cmocka_unit_test(a_notice_goes_by_dsn_via_or_is_parked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
