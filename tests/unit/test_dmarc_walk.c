/* SPDX-License-Identifier: ISC
 *
 * The walk to a domain's DMARC policy and organization, and what it means for
 * a message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "relay/net/dns.h"
#include "relay/spf/dmarc_outlook.h"
#include "tests/unit/dnsserver.h"

enum { TURNS = 3000, TURN_MS = 20 };

/* clang-format off */
#define R(domain, record) { "_dmarc." domain, "TXT", 0, "@ 600 TXT " record }
static struct dnsserver_row zone[] = {
	R("corp.test", "v=DMARC1; p=reject; sp=quarantine"),
	R("own.corp.test", "v=DMARC1; p=none"),
	R("strict.test", "v=DMARC1; p=quarantine; adkim=s; aspf=s"),
	R("part.corp.test", "v=DMARC1; p=reject; psd=n"),
	R("deep.test", "v=DMARC1; p=reject"),
	R("c.d.e.f.g.deep.test", "v=DMARC1; p=none; sp=reject; psd=n"),
	R("e.f.g.cut.test", "v=DMARC1; p=none; sp=quarantine"),
	R("twice.corp.test", "v=DMARC1; p=none\n@ 600 TXT v=DMARC1; p=none"),
	R("mixed.test", "v=spf1 -all\n@ 600 TXT v=DMARC1; p=reject"),
	R("bank", "v=DMARC1; p=reject; sp=quarantine; np=reject; psd=y"),
	R("us.bank", "v=DMARC1; p=none"),
	R("suffix.test", "v=DMARC1; p=none; sp=reject; psd=y"),
	R("names.test", "v=DMARC1; p=none; np=reject"),
	{ "real.names.test", "A", 0, "@ 600 A 192.0.2.1" },
	{ "mute.names.test", "A", 2, "" },
	{ "_dmarc.down.test", "TXT", 2, "" },
	{ "_dmarc.a.down2.corp.test", "TXT", 2, "" },
	R("down2.corp.test", "v=DMARC1; p=reject"),
	{ 0 },
};

static const struct {
	const char *domain, *want; /* policy, organization */
	int asked;
} walks[] = {
	{ "corp.test", "reject corp.test", 2 },
	{ "a.corp.test", "quarantine corp.test", 3 },
	{ "b.a.corp.test", "quarantine corp.test", 4 },
	{ "own.corp.test", "none corp.test", 3 },
	{ "twice.corp.test", "quarantine corp.test", 3 },
	{ "mixed.test", "reject mixed.test", 2 },
	/* psd=n ends it. */
	{ "part.corp.test", "reject part.corp.test", 1 },
	{ "x.part.corp.test", "reject part.corp.test", 2 },
	/* psd=y: one label below it; at the first name it is the name. */
	{ "some.bank", "reject some.bank", 3 },
	{ "x.some.bank", "reject some.bank", 4 },
	{ "us.bank", "none us.bank", 2 },
	{ "x.us.bank", "none us.bank", 3 },
	{ "bank", "reject bank", 1 },
	{ "suffix.test", "none suffix.test", 1 },
	{ "a.b.suffix.test", "reject b.suffix.test", 3 },
	/* Names that do not exist. */
	{ "names.test", "none names.test", 2 },
	{ "real.names.test", "none names.test", 4 },
	{ "not.names.test", "reject names.test", 4 },
	{ "mute.names.test", "silent", 4 },
	/* No record. */
	{ "other.test", "- other.test", 2 },
	{ "a.b.other.test", "- a.b.other.test", 4 },
	{ "test", "- test", 1 },
	/* The DNS is silent. */
	{ "down.test", "silent", 1 },
	{ "a.down2.corp.test", "silent", 1 },
	/* 7 labels: each is asked; 8 and more: the last 7 follow. */
	{ "c.d.e.f.g.deep.test", "none c.d.e.f.g.deep.test", 1 },
	{ "b.c.d.e.f.g.deep.test", "reject c.d.e.f.g.deep.test", 2 },
	{ "z.y.x.b.c.d.e.f.g.deep.test", "reject c.d.e.f.g.deep.test", 2 },
	{ "a.b.c.d.e.f.g.cut.test", "quarantine e.f.g.cut.test", 8 },
	{ "1.2.3.4.5.6.7.8.9.a.b.c.d.e.f.g.cut.test", "quarantine e.f.g.cut.test", 8 },
};

static const char *const outlook_names[] = {
	[DMARC_UNCLEAR] = "unclear", [DMARC_NO_MATTER] = "no matter",
	[DMARC_BY_SPF] = "spf", [DMARC_BY_SIGNATURE] = "signature",
	[DMARC_WOULD_FAIL] = "fails",
};

static const struct { const char *from, *signers, *spf, *want; } outlooks[] = {
	{ "", "corp.test", "corp.test", "unclear" },
	{ "down.test", "down.test", "", "unclear" },
	{ "other.test", "", "", "no matter" },
	{ "own.corp.test", "", "", "no matter" },
	{ "corp.test", "", "", "fails" },
	{ "a.corp.test", "", "", "fails" },
	/* Signatures. */
	{ "corp.test", "corp.test", "", "signature" },
	{ "corp.test", "mail.corp.test", "", "signature" },
	{ "a.corp.test", "b.corp.test", "", "signature" },
	{ "a.corp.test", "corp.test", "", "signature" },
	{ "corp.test", "part.corp.test", "", "fails" },
	{ "part.corp.test", "corp.test", "", "fails" },
	{ "corp.test", "other.test", "", "fails" },
	{ "corp.test", "test", "", "fails" },
	{ "corp.test", "part.corp.test b.corp.test", "", "signature" },
	{ "corp.test", "a.down2.corp.test", "", "unclear" },
	{ "corp.test", "a.down2.corp.test b.corp.test", "", "signature" },
	{ "strict.test", "a.strict.test", "", "fails" },
	{ "strict.test", "a.strict.test strict.test", "", "signature" },
	/* SPF. */
	{ "corp.test", "", "srs.corp.test", "spf" },
	{ "corp.test", "b.corp.test", "srs.corp.test", "spf" },
	{ "corp.test", "", "srs.other.test", "fails" },
	{ "strict.test", "", "srs.strict.test", "fails" },
	{ "strict.test", "", "strict.test", "spf" },
	{ "corp.test", "", "a.down2.corp.test", "unclear" },
	{ "corp.test", "b.corp.test", "a.down2.corp.test", "signature" },
};
/* clang-format on */

struct world {
	struct clock_fake clock;
	struct loop *loop;
	struct dnsserver server;
	struct conf conf;
	struct dns *dns;
	struct dmarc *dmarc;
	int told;
	enum dmarc_outlook outlook;
};

static int setup(void **state)
{
	struct world *w = NEW(struct world);

	clock_fake_init(&w->clock, 0);
	w->loop = loop_new(&w->clock.clock);
	dnsserver_open(&w->server, w->loop, zone);
	w->dns = dnsserver_client(&w->server, &w->conf, 5000);
	w->dmarc = dmarc_new(w->loop, w->dns);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	dmarc_free(w->dmarc);
	dns_free(w->dns);
	dnsserver_close(&w->server);
	loop_free(w->loop);
	mem_free(w);
	return 0;
}

static void turn(struct world *w)
{
	dnsserver_turn(w->loop, &w->clock, TURN_MS);
}

static void on_found(void *arg)
{
	struct world *w = arg;

	w->told++;
}

static const struct dmarc_found *find(struct world *w, const char *domain)
{
	struct dmarc_wait wait = {.done = on_found, .arg = w};
	const struct dmarc_found *f;
	int before = w->told;

	list_node_init(&wait.node);
	f = dmarc_find(w->dmarc, domain, &wait);
	if (f != NULL)
		return f;
	for (int i = 0; i < TURNS && w->told == before; i++)
		turn(w);
	assert_int_equal(w->told, before + 1);
	f = dmarc_find(w->dmarc, domain, &wait);
	assert_non_null(f);
	return f;
}

static void policies_are_found(void **state)
{
	struct world *w = *state;
	char text[300];

	for (size_t i = 0; i < ARRAY_LEN(walks); i++) {
		const struct dmarc_found *f;
		int before;

		print_message("%s\n", walks[i].domain);
		/* The DNS client has answers of its own. */
		dns_free(w->dns);
		dmarc_free(w->dmarc);
		w->dns = dns_new(w->loop, &w->conf, &(struct error){0});
		assert_non_null(w->dns);
		w->dmarc = dmarc_new(w->loop, w->dns);
		before = w->server.asked;
		f = find(w, walks[i].domain);
		snprintf(text, sizeof(text), "%s %s",
		    f->has_record ? dmarc_policy_name(f->policy) : "-",
		    f->org);
		assert_string_equal(f->silent ? "silent" : text,
		    walks[i].want);
		if (!f->silent)
			assert_int_equal(w->server.asked - before,
			    walks[i].asked);
	}
}

static void it_is_kept_for_an_hour(void **state)
{
	struct world *w = *state;
	struct dmarc_wait wait = {.done = on_found, .arg = w};

	list_node_init(&wait.node);
	find(w, "a.corp.test");
	find(w, "down.test");
	clock_fake_step(&w->clock, DMARC_ERROR_MS * 1000LL - 1000);
	loop_once(w->loop, 0);
	assert_true(dmarc_find(w->dmarc, "down.test", &wait)->silent);
	clock_fake_step(&w->clock, 2000);
	loop_once(w->loop, 0);
	assert_null(dmarc_find(w->dmarc, "down.test", &wait));
	dmarc_cancel(&wait);
	clock_fake_step(&w->clock,
	    (DMARC_KEEP_MS - DMARC_ERROR_MS - 10000) * 1000LL);
	loop_once(w->loop, 0);
	assert_non_null(dmarc_find(w->dmarc, "a.corp.test", &wait));
	clock_fake_step(&w->clock, 11000 * 1000LL);
	loop_once(w->loop, 0);
	assert_null(dmarc_find(w->dmarc, "a.corp.test", &wait));
	dmarc_cancel(&wait);
}

static void some_may_wait_and_one_go_away(void **state)
{
	struct world *w = *state;
	struct dmarc_wait a = {.done = on_found, .arg = w}, b = a, c = a;

	list_node_init(&a.node);
	list_node_init(&b.node);
	list_node_init(&c.node);
	assert_null(dmarc_find(w->dmarc, "a.corp.test", &a));
	assert_null(dmarc_find(w->dmarc, "a.corp.test", &b));
	assert_null(dmarc_find(w->dmarc, "a.corp.test", &c));
	dmarc_cancel(&b);
	for (int i = 0; i < TURNS && w->told == 0; i++)
		turn(w);
	assert_int_equal(w->told, 2);
	assert_int_equal(w->server.asked, 3);
	/* Freed while it asks. */
	assert_null(dmarc_find(w->dmarc, "b.corp.test", &a));
	dmarc_free(w->dmarc);
	w->dmarc = NULL;
	for (int i = 0; i < 10; i++)
		turn(w);
	assert_int_equal(w->told, 2);
}

/* Beyond the walks at once nothing is known; beyond the domains that are kept
 * the oldest is asked for again. */
static void there_are_bounds(void **state)
{
	struct world *w = *state;
	static struct dmarc_wait waits[DMARC_WALKS + 1];
	char name[40];

	for (int i = 0; i <= DMARC_WALKS; i++) {
		const struct dmarc_found *f;

		waits[i] = (struct dmarc_wait){.done = on_found, .arg = w};
		list_node_init(&waits[i].node);
		snprintf(name, sizeof(name), "n%d.test", i);
		f = dmarc_find(w->dmarc, name, &waits[i]);
		assert_int_equal(f == NULL, i < DMARC_WALKS);
		assert_true(f == NULL || f->silent);
	}
	for (int i = 0; i < TURNS && w->told < DMARC_WALKS; i++)
		turn(w);
	assert_int_equal(w->told, DMARC_WALKS);
	assert_non_null(dmarc_find(w->dmarc, "n0.test", &waits[0]));
	for (int k = 0; k < DMARC_DOMAINS; k += DMARC_WALKS) {
		for (int i = 0; i < DMARC_WALKS; i++) {
			/* No name of the DNS: not asked for. */
			snprintf(name, sizeof(name), "a..%d", k + i);
			assert_null(dmarc_find(w->dmarc, name, &waits[i]));
		}
		w->told = 0;
		for (int i = 0; i < TURNS && w->told < DMARC_WALKS; i++)
			turn(w);
		assert_int_equal(w->told, DMARC_WALKS);
	}
	assert_null(dmarc_find(w->dmarc, "n0.test", &waits[0]));
}

static void on_outlook(void *arg, enum dmarc_outlook outlook)
{
	struct world *w = arg;

	w->told++;
	w->outlook = outlook;
}

static void the_outlook_of_messages(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(outlooks); i++) {
		struct dmarc_question q = {.from = outlooks[i].from,
		    .signers = outlooks[i].signers, .spf = outlooks[i].spf,
		    .done = on_outlook, .arg = w};

		print_message("%s by %s, %s\n", q.from, q.signers, q.spf);
		w->told = 0;
		if (!dmarc_outlook(w->dmarc, &q, &w->outlook)) {
			for (int k = 0; k < TURNS && w->told == 0; k++)
				turn(w);
			assert_int_equal(w->told, 1);
		}
		assert_string_equal(outlook_names[w->outlook],
		    outlooks[i].want);
	}
}

/* A forecast asks of each policy whether something is aligned. */
static void any_policy_may_be_asked_for(void **state)
{
	static const struct {
		const char *from, *signers, *spf, *want;
		enum dmarc_policy policy;
	} cases[] = {
		{ "other.test", "", "", "fails", DMARC_NONE },
		{ "other.test", "other.test", "", "signature", DMARC_NONE },
		{ "other.test", "", "other.test", "spf", DMARC_NONE },
		{ "own.corp.test", "", "", "fails", DMARC_NONE },
		{ "corp.test", "", "", "fails", DMARC_REJECT },
		/* The same name needs no record. */
		{ "down.test", "down.test", "", "signature", DMARC_NONE },
		{ "down.test", "down.test", "x.test", "signature", DMARC_NONE },
		{ "down.test", "", "down.test", "spf", DMARC_NONE },
		{ "down.test", "a.down.test", "", "unclear", DMARC_NONE },
		{ "corp.test", "corp.test", "b.corp.test", "spf",
		  DMARC_REJECT },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dmarc_question q = {.from = cases[i].from,
		    .signers = cases[i].signers, .spf = cases[i].spf,
		    .any_policy = true, .done = on_outlook, .arg = w};

		w->told = 0;
		if (!dmarc_outlook(w->dmarc, &q, &w->outlook))
			for (int k = 0; k < TURNS && w->told == 0; k++)
				turn(w);
		print_message("%s by %s, %s\n", q.from, q.signers, q.spf);
		assert_string_equal(outlook_names[w->outlook], cases[i].want);
		assert_int_equal(q.policy, cases[i].policy);
	}
}

static void a_question_is_taken_back(void **state)
{
	struct world *w = *state;
	struct dmarc_question q = {.from = "corp.test", .signers = "",
	    .spf = "", .done = on_outlook, .arg = w}, unasked = {0};

	dmarc_outlook_cancel(&unasked);
	assert_false(dmarc_outlook(w->dmarc, &q, &w->outlook));
	dmarc_outlook_cancel(&q);
	find(w, "corp.test");
	w->told = 0;
	for (int i = 0; i < 10; i++)
		turn(w);
	assert_int_equal(w->told, 0);
	assert_true(dmarc_outlook(w->dmarc, &q, &w->outlook));
	dmarc_outlook_cancel(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(policies_are_found, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(it_is_kept_for_an_hour, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(some_may_wait_and_one_go_away,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(there_are_bounds, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(any_policy_may_be_asked_for,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(the_outlook_of_messages, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(a_question_is_taken_back,
		    setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
