/* SPDX-License-Identifier: ISC
 *
 * Asking a leg whether it knows a recipient: the real client and ledger, and
 * a leg that says what its script tells it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "relay/base/rng.h"
#include "relay/client/client.h"
#include "relay/delivery/ask.h"
#include "relay/delivery/ask_cache.h"
#include "relay/delivery/outgoing.h"
#include "relay/net/dns.h"
#include "relay/post/workers.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/testleg.h"

enum { TURNS = 4000, TURN_MS = 5, CONNECTIONS = 4, CROWD = 200 };

#define NOBODY "550 5.1.1 Nobody\r\n"
#define STRANGER "RCPT TO:<nobody-"

struct asked {
	struct ask_wait wait;
	enum ask_answer got;
	int calls;
	struct asked *next;   /* asked from inside the answer */
	struct asked *cancel; /* … or given up there */
	struct world *world;
	char user[40];
};

struct world {
	struct leg *leg;
	struct rng_seeded rng;
	struct shared shared;
	struct ask_cache *asked;
	struct workers none; /* others */
	struct dns *dns;
	struct stream_scratch *scratch;
	struct worker w;
	int id; /* of the leg */
};

static bool on_idle(void *arg, int leg)
{
	struct worker *w = arg;

	return ask_turn(w->ask, leg) || ask_rest(w->ask, leg);
}

static void set_shared(struct world *w, const char *dir, const char *timeout)
{
	struct shared *a = &w->shared;
	struct conf *c;
	char text[1000];
	struct error err;

	snprintf(text, sizeof(text),
	    "hostname = \"relay.example.com\"\n"
	    "leg \"cloud\" { hosts = { \"127.0.0.1:%d\" } tls = \"none\"\n"
	    "  connections = %d }\n"
	    "domain \"example.com\" { route = \"cloud\" }\n"
	    "probe { timeout = \"%s\" }\n", w->leg->port, CONNECTIONS,
	    timeout);
	*a = (struct shared){.clock = &clock_system, .rng = &w->rng.rng};
	a->names = names_new();
	c = conf_tmp_good(dir, text, a->names);
	w->w.snapshot = snapshot_new(c, &err);
	assert_non_null(w->w.snapshot);
	a->ledger = ledger_new();
	ledger_configure(a->ledger, c);
	w->asked = ask_cache_new(1024, a->clock);
	a->workers = &w->none;
	w->id = c->leg[0].id;
}

static struct world *world_new(void **state, const char *timeout,
    const struct leg_rule *rules)
{
	struct world *w = NEW(struct world);
	struct client_config cc = {.sock = &sock_system,
	    .slots = &outgoing_slots, .idle = on_idle};
	struct error err;

	rng_seeded_init(&w->rng, 1);
	cc.loop = w->w.loop = loop_new(&clock_system);
	w->scratch = cc.scratch = stream_scratch_new();
	w->leg = leg_new(w->w.loop, cc.scratch);
	if (rules != NULL)
		leg_script(w->leg, rules);
	set_shared(w, *state, timeout);
	w->w.shared = &w->shared;
	w->dns = cc.dns = dns_new(w->w.loop, w->w.snapshot->conf, &err);
	assert_non_null(cc.dns);
	cc.slots_arg = cc.arg = &w->w;
	w->w.client = client_new(&cc);
	w->w.ask = asker_new(&w->w, w->asked);
	return w;
}

static void world_free(struct world *w)
{
	client_free(w->w.client);
	asker_free(w->w.ask);
	assert_int_equal(ledger_used(w->shared.ledger, w->id), 0);
	ask_cache_free(w->asked);
	ledger_free(w->shared.ledger);
	leg_free(w->leg);
	dns_free(w->dns);
	stream_scratch_free(w->scratch);
	snapshot_unref(w->w.snapshot);
	names_free(w->shared.names);
	loop_free(w->w.loop);
	mem_free(w);
}

static void turns(struct world *w, int n)
{
	while (n-- > 0)
		loop_once(w->w.loop, TURN_MS);
}

static void until_told(struct world *w, const struct asked *a)
{
	for (int i = 0; i < TURNS && a->calls == 0; i++)
		loop_once(w->w.loop, TURN_MS);
	assert_int_equal(a->calls, 1);
}

static void until_quiet(struct world *w)
{
	for (int i = 0; i < TURNS && w->w.asking != 0; i++)
		loop_once(w->w.loop, TURN_MS);
	assert_int_equal(w->w.asking, 0);
	turns(w, 2);
}

static int said(const struct world *w, const char *what)
{
	struct slice rest = strbuf_view(&w->leg->said), line;
	int n = 0;

	while (slice_next(&rest, '\n', &line))
		n += slice_starts(line, slice_str(what));
	return n;
}

static void until_said(struct world *w, const char *what)
{
	for (int i = 0; i < TURNS && said(w, what) == 0; i++)
		loop_once(w->w.loop, TURN_MS);
	assert_int_equal(said(w, what), 1);
}

/* ---- questions ---- */

static void ask(struct world *w, struct asked *a);

static void on_answer(void *arg, enum ask_answer answer)
{
	struct asked *a = arg;

	a->got = answer;
	a->calls++;
	if (a->cancel != NULL)
		ask_cancel(&a->cancel->wait);
	if (a->next != NULL)
		ask(a->world, a->next);
}

/* Fills a->got; ASK_LATER is followed by a call. */
static void ask(struct world *w, struct asked *a)
{
	struct decision d = {.rule = RULE_UNKNOWN, .row.route_text = "",
	    .route = {ROUTE_LEGS, 1, {(uint16_t)w->id}}, .ask = true};
	char text[80];
	struct addr to;
	const char *why;

	snprintf(text, sizeof(text), "%s@example.com", a->user);
	assert_int_equal(addr_parse(slice_str(text), true, &to, &why), 0);
	snprintf(d.base, sizeof(d.base), "%s@example.com", a->user);
	a->world = w;
	a->wait.done = on_answer;
	a->wait.arg = a;
	a->got = ask_leg(w->w.ask, &d, &to, &a->wait);
}

static struct asked asking(const char *user)
{
	struct asked a = {.calls = 0};

	snprintf(a.user, sizeof(a.user), "%s", user);
	return a;
}

/* Asks and waits. */
static enum ask_answer answer(struct world *w, const char *user)
{
	struct asked a = asking(user);

	ask(w, &a);
	if (a.got == ASK_LATER)
		until_told(w, &a);
	until_quiet(w);
	return a.got;
}

/* ---- what the leg says ---- */

static void what_an_answer_means(void **state)
{
	/* clang-format off */
	static const struct {
		struct leg_rule rule;
		enum ask_answer answer;
	} cases[] = {
		{ { "RCPT", "250 2.1.5 Ok\r\n", 0 },            ASK_YES },
		{ { "RCPT", "251 2.1.5 Will forward\r\n", 0 },  ASK_YES },
		{ { "RCPT", NOBODY, 0 },                        ASK_NO },
		{ { "RCPT", "550 No such user\r\n", 0 },        ASK_NO },
		{ { "RCPT", "550 5.1.10 Not found\r\n", 0 },    ASK_NO },
		{ { "RCPT", "450 4.1.1 Nobody yet\r\n", 0 },    ASK_NO_ANSWER },
		{ { "RCPT", "550 5.7.1 Policy\r\n", 0 },        ASK_NO_ANSWER },
		{ { "RCPT", "552 5.2.2 Full\r\n", 0 },          ASK_NO_ANSWER },
		{ { "RCPT", "530 5.7.0 Log in\r\n", 0 },        ASK_NO_ANSWER },
		{ { "RCPT", "999 What\r\n", 0 },                ASK_NO_ANSWER },
		{ { "RCPT", "421 4.3.2 Bye\r\n" LEG_CLOSE, 0 }, ASK_NO_ANSWER },
		{ { "RCPT", LEG_RESET, 0 },                     ASK_NO_ANSWER },
		/* of the session and the sender, not of the recipient */
		{ { "MAIL", NOBODY, 0 },                        ASK_NO_ANSWER },
		{ { "CONNECT", "554 5.1.1 No\r\n", 0 },         ASK_NO_ANSWER },
		{ { "CONNECT", LEG_CLOSE, 0 },                  ASK_NO_ANSWER },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct leg_rule rules[] = {
		    {STRANGER, NOBODY, 0}, cases[i].rule, {NULL, NULL, 0}};
		struct world *w = world_new(state, "10s", rules);
		enum ask_answer got = answer(w, "ann");

		if (got != cases[i].answer)
			fail_msg("case %zu: %d", i, got);
		assert_int_equal(w->leg->bodies, 0);
		world_free(w);
	}
}

/* As Postfix does after smtpd_hard_error_limit. */
static void a_connection_that_is_cut_is_no_answer_yet(void **state)
{
	static const struct leg_rule cuts[][3] = {
	    {{"RCPT", "421 4.7.0 Too many errors\r\n" LEG_CLOSE, 1},
		{"RCPT", NOBODY, 0}},
	    {{"RCPT", LEG_CLOSE, 1}, {"RCPT", NOBODY, 0}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		struct world *w = world_new(state, "10s", cuts[i]);

		assert_int_equal(answer(w, "eve"), ASK_NO);
		assert_int_equal(w->leg->connected, 2);
		assert_true(ask_cache_may_ask(w->asked, w->id, 0, 1000));
		world_free(w);
	}
}

static const struct leg_rule picky[] = {
    {"RCPT TO:<ann", "250 2.1.5 Ok\r\n", 0}, {"RCPT", NOBODY, 0},
    {NULL, NULL, 0}};

static void it_is_asked_in_nobodys_name_and_once(void **state)
{
	struct world *w = world_new(state, "10s", picky);

	for (int i = 0; i < 3; i++) {
		assert_int_equal(answer(w, "eve"), ASK_NO);
		/* The first time it is not known yet that it is picky. */
		assert_int_equal(answer(w, "ann"), ASK_YES);
		until_said(w, STRANGER);
		until_quiet(w);
	}
	assert_int_equal(said(w, "MAIL FROM:<>"), 4);
	assert_int_equal(said(w, "RCPT TO:<eve@example.com>"), 1);
	assert_int_equal(said(w, "RCPT TO:<ann@example.com>"), 2);
	assert_int_equal(said(w, STRANGER), 1);
	assert_int_equal(w->leg->connected, 1);
	world_free(w);
}

static void who_takes_everybody_is_left_alone(void **state)
{
	struct world *w = world_new(state, "10s", NULL);

	assert_int_equal(answer(w, "ann"), ASK_YES);
	until_said(w, STRANGER);
	until_quiet(w);
	assert_true(ask_cache_everybody(w->asked, w->id));
	for (int i = 0; i < 5; i++)
		assert_int_equal(answer(w, "eve"), ASK_YES);
	assert_int_equal(said(w, "RCPT"), 2);
	world_free(w);
}

static void what_was_refused_stays_refused_there(void **state)
{
	static const struct leg_rule rules[] = {
	    {"RCPT TO:<eve", NOBODY, 0}, {NULL, NULL, 0}};
	struct world *w = world_new(state, "10s", rules);

	assert_int_equal(answer(w, "eve"), ASK_NO);
	assert_int_equal(answer(w, "ann"), ASK_YES);
	until_said(w, STRANGER);
	until_quiet(w);
	assert_true(ask_cache_everybody(w->asked, w->id));
	assert_int_equal(answer(w, "eve"), ASK_NO);
	world_free(w);
}

/* ---- several who wait ---- */

static void the_same_is_asked_once(void **state)
{
	struct world *w = world_new(state, "10s", picky);
	struct asked a[3] = {asking("eve"), asking("eve"), asking("eve")};

	for (int i = 0; i < 3; i++) {
		ask(w, &a[i]);
		assert_int_equal(a[i].got, ASK_LATER);
	}
	ask_cancel(&a[1].wait);
	until_told(w, &a[2]);
	assert_int_equal(a[0].calls, 1);
	assert_int_equal(a[1].calls, 0);
	assert_int_equal(a[2].got, ASK_NO);
	assert_int_equal(said(w, "RCPT"), 1);
	world_free(w);
}

/* A session that is told asks on, or ends another one that waits. */
static void an_answer_may_do_anything(void **state)
{
	struct world *w = world_new(state, "10s", picky);
	struct asked a = asking("eve"), b = asking("eve"), c = asking("bob"),
		     d = asking("eve");

	a.next = &c;
	a.cancel = &b;
	ask(w, &a);
	ask(w, &b);
	ask(w, &d);
	until_told(w, &d);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
	until_told(w, &c);
	assert_int_equal(c.got, ASK_NO);
	world_free(w);
}

static void nobody_waits_for_it_any_more(void **state)
{
	struct world *w = world_new(state, "10s", picky);
	struct asked a = asking("eve");

	ask(w, &a);
	ask_cancel(&a.wait);
	until_quiet(w);
	assert_int_equal(a.calls, 0);
	/* It was said all the same, and is known. */
	ask(w, &a);
	assert_int_equal(a.got, ASK_NO);
	world_free(w);
}

/* ---- silence ---- */

static void silence_is_no_answer(void **state)
{
	static const struct leg_rule silent[] = {
	    {"RCPT", "", 0}, {NULL, NULL, 0}};
	struct world *w = world_new(state, "50ms", silent);
	struct asked a = asking("eve"), b = asking("eve");

	ask(w, &a);
	assert_int_equal(a.got, ASK_LATER);
	until_told(w, &a);
	assert_int_equal(a.got, ASK_NO_ANSWER);
	/* The question is still there: no session waits for it twice. */
	ask(w, &b);
	assert_int_equal(b.got, ASK_NO_ANSWER);
	assert_int_equal(w->w.asking, 1);
	/* It comes late, and counts. */
	leg_say(w->leg, NOBODY);
	until_quiet(w);
	assert_int_equal(a.calls, 1);
	assert_int_equal(answer(w, "eve"), ASK_NO);
	world_free(w);
}

static void a_leg_that_refuses_connections_is_left_alone(void **state)
{
	struct world *w = world_new(state, "10s", NULL);

	leg_refuse(w->leg);
	for (int i = 0; i < 3; i++) {
		assert_true(ask_cache_may_ask(w->asked, w->id, 0, 1000));
		assert_int_equal(answer(w, "eve"), ASK_NO_ANSWER);
	}
	assert_false(ask_cache_may_ask(w->asked, w->id, 0, 1000));
	world_free(w);
}

/* ---- slots ---- */

/* A leg that lets the questions of one client wait for ever answers those of
 * another, and is not silent for it. */
static void one_client_does_not_use_it_up(void **state)
{
	static const struct leg_rule tarpit[] = {
	    {"RCPT TO:<slow", "", 0}, {"RCPT", NOBODY, 0}, {NULL, NULL, 0}};
	struct world *w = world_new(state, "100ms", tarpit);
	struct asked slow[20];

	for (int i = 0; i < 20; i++) {
		slow[i] = asking("");
		snprintf(slow[i].user, sizeof(slow[i].user), "slow%d", i);
		slow[i].wait.client = 1;
		ask(w, &slow[i]);
	}
	until_told(w, &slow[19]);
	assert_int_equal(w->w.asking, 1);
	for (int i = 0; i < 2; i++) {
		struct asked a = asking(i % 2 == 0 ? "eve" : "bob");

		a.wait.client = 2;
		ask(w, &a);
		until_told(w, &a);
		assert_int_equal(a.got, ASK_NO);
	}
	leg_say(w->leg, NOBODY);
	until_quiet(w);
	world_free(w);
}

static void its_last_answers_count_while_it_is_silent(void **state)
{
	static const struct leg_rule silent[] = {
	    {"RCPT", "", 0}, {NULL, NULL, 0}};
	struct world *w = world_new(state, "50ms", silent);
	struct asked a = asking("ann"), e = asking("eve");
	uint64_t ann = hash_slice(SLICE("ann@example.com")) | 1;
	uint64_t eve = hash_slice(SLICE("eve@example.com")) | 1;

	ask_cache_put(w->asked, &(struct ask_key){w->id, ann, ann},
	    FOUND_YES, 1, 0);
	ask_cache_put(w->asked, &(struct ask_key){w->id, eve, eve},
	    FOUND_NO, 1, 0);
	turns(w, 2);
	ask(w, &a);
	ask(w, &e);
	until_told(w, &a);
	until_told(w, &e);
	assert_int_equal(a.got, ASK_YES);
	assert_int_equal(e.got, ASK_NO);
	leg_say(w->leg, "421 4.3.2 Bye\r\n" LEG_CLOSE);
	until_quiet(w);
	world_free(w);
}

static void deliveries_keep_the_last_quarter(void **state)
{
	struct world *w = world_new(state, "10s", picky);
	struct asked a = asking("eve");

	for (int i = 0; i < CONNECTIONS - 1; i++)
		assert_true(ledger_take_spare(w->shared.ledger, w->id));
	ask(w, &a);
	turns(w, 20);
	assert_int_equal(a.calls, 0);
	assert_int_equal(w->leg->connected, 0);
	ledger_give(w->shared.ledger, w->id);
	until_told(w, &a);
	assert_int_equal(a.got, ASK_NO);
	for (int i = 0; i < CONNECTIONS - 2; i++)
		ledger_give(w->shared.ledger, w->id);
	world_free(w);
}

static void a_free_connection_is_shared_in_turns(void **state)
{
	struct world *w = world_new(state, "10s", picky);
	struct asked a = asking("eve"), b = asking("bob"), c = asking("sue");

	assert_int_equal(answer(w, "ann"), ASK_YES);
	/* Nothing is asked: the turn is the deliveries'. */
	assert_false(ask_turn(w->w.ask, w->id));
	for (int i = 0; i < CONNECTIONS - 1; i++)
		assert_true(ledger_take_spare(w->shared.ledger, w->id));
	ask(w, &a); /* takes the idle one */
	ask(w, &b);
	ask(w, &c);
	assert_int_equal(w->w.asking, 1);
	until_told(w, &c);
	assert_int_equal(a.calls + b.calls, 2);
	assert_int_equal(w->leg->connected, 1);
	until_quiet(w);
	for (int i = 0; i < CONNECTIONS - 1; i++)
		ledger_give(w->shared.ledger, w->id);
	world_free(w);
}

static void fill_up(struct world *w, struct asked *crowd)
{
	char user[40];

	for (int i = 0; i < CONNECTIONS; i++)
		assert_true(ledger_take_spare(w->shared.ledger, w->id));
	for (int i = 0; i < CROWD; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		crowd[i] = asking(user);
		ask(w, &crowd[i]);
		assert_int_equal(crowd[i].got, ASK_LATER);
	}
}

static void give_back(struct world *w)
{
	for (int i = 0; i < CONNECTIONS; i++)
		ledger_give(w->shared.ledger, w->id);
}

static void all_were_told(const struct asked *crowd, enum ask_answer what)
{
	for (int i = 0; i < CROWD; i++) {
		assert_int_equal(crowd[i].calls, 1);
		assert_int_equal(crowd[i].got, what);
	}
}

static void there_is_an_end_of_questions(void **state)
{
	struct world *w = world_new(state, "100ms", picky);
	static struct asked crowd[CROWD];
	struct asked more = asking("more");

	fill_up(w, crowd);
	ask(w, &more);
	assert_int_equal(more.got, ASK_NO_ANSWER);
	/* They wait for a slot, and not longer than for an answer. */
	until_told(w, &crowd[CROWD - 1]);
	all_were_told(crowd, ASK_NO_ANSWER);
	assert_int_equal(w->leg->connected, 0);
	give_back(w);
	world_free(w);
}

static void a_leg_that_is_shut_is_not_asked(void **state)
{
	struct world *w = world_new(state, "60s", picky);
	static struct asked crowd[CROWD];

	ledger_gate(w->shared.ledger, w->id, GATE_SUSPENDED, true);
	assert_int_equal(answer(w, "eve"), ASK_NO_ANSWER);
	ledger_gate(w->shared.ledger, w->id, GATE_SUSPENDED, false);
	fill_up(w, crowd);
	ledger_gate(w->shared.ledger, w->id, GATE_BREAKER, true);
	until_told(w, &crowd[CROWD - 1]);
	all_were_told(crowd, ASK_NO_ANSWER);
	give_back(w);
	world_free(w);
}

/* ---- ends ---- */

static void a_stop_tells_everybody(void **state)
{
	static const struct leg_rule silent[] = {
	    {"RCPT", "", 0}, {NULL, NULL, 0}};
	struct world *w = world_new(state, "10s", silent);
	struct asked a = asking("eve"), b = asking("bob"), c = asking("sue");

	ask(w, &a);
	until_said(w, "RCPT");
	for (int i = 1; i < CONNECTIONS; i++)
		assert_true(ledger_take_spare(w->shared.ledger, w->id));
	ask(w, &b);
	assert_int_equal(b.got, ASK_LATER);
	ask_drain(w->w.ask);
	assert_int_equal(a.calls + b.calls, 2);
	assert_int_equal(a.got, ASK_NO_ANSWER);
	/* A stop waits for deliveries, not for this. */
	dialogs_count(&w->w);
	assert_int_equal(atomic_load(&w->w.dialogs), 0);
	ask(w, &c);
	assert_int_equal(c.got, ASK_NO_ANSWER);
	for (int i = 1; i < CONNECTIONS; i++)
		ledger_give(w->shared.ledger, w->id);
	world_free(w);
}

static void the_end_finds_questions_under_way(void **state)
{
	static const struct leg_rule silent[] = {
	    {"RCPT", "", 0}, {NULL, NULL, 0}};
	struct world *w = world_new(state, "10s", silent);
	struct asked a = asking("eve"), b = asking("bob");

	ask(w, &a);
	ask(w, &b);
	turns(w, 5);
	ask_cancel(&a.wait);
	ask_cancel(&b.wait);
	world_free(w);
	assert_int_equal(a.calls + b.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_answer_means),
		cmocka_unit_test(a_connection_that_is_cut_is_no_answer_yet),
		cmocka_unit_test(it_is_asked_in_nobodys_name_and_once),
		cmocka_unit_test(who_takes_everybody_is_left_alone),
		cmocka_unit_test(what_was_refused_stays_refused_there),
		cmocka_unit_test(the_same_is_asked_once),
		cmocka_unit_test(an_answer_may_do_anything),
		cmocka_unit_test(nobody_waits_for_it_any_more),
		cmocka_unit_test(silence_is_no_answer),
		cmocka_unit_test(a_leg_that_refuses_connections_is_left_alone),
		cmocka_unit_test(one_client_does_not_use_it_up),
		cmocka_unit_test(its_last_answers_count_while_it_is_silent),
		cmocka_unit_test(deliveries_keep_the_last_quarter),
		cmocka_unit_test(a_free_connection_is_shared_in_turns),
		cmocka_unit_test(there_is_an_end_of_questions),
		cmocka_unit_test(a_leg_that_is_shut_is_not_asked),
		cmocka_unit_test(a_stop_tells_everybody),
		cmocka_unit_test(the_end_finds_questions_under_way),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
