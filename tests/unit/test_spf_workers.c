/* SPDX-License-Identifier: ISC
 *
 * Checks of two workers that share their verdicts: each has a checker, a
 * resolver's channel and a helper of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/checker_rig.h"

enum { WORKERS = 2, VERDICTS = 1 << 20 };

static const struct dnsserver_row zone[] = {
	{"plain.example", "TXT", 0, "@ 600 TXT v=spf1 all"},
	{"local.example", "TXT", 0, "@ 600 TXT v=spf1 exists:%{l}.x -all"},
	{"down.example", "TXT", 2, ""},
	{0},
};

struct world {
	struct checker_rig rig;
	struct shared_verdicts *verdicts;
	struct rig_checker worker[WORKERS];
	int done;
	bool cached, ours;
	/* The configuration of a client's check, and of it: */
	struct conf legs;
	struct conf_leg leg[4];
	struct conf_net net[4];
	/* of the last request */
	int others;
};

static bool on_request(void *arg, const struct spf_request *q,
    struct spf_reply *r)
{
	struct world *w = arg;

	w->others = q->others;
	r->verdict.result = SPF_PASS;
	r->others = q->others;
	for (int i = 0; i < q->others; i++)
		r->other[i] = (struct spf_other){
		    .known = !slice_eq(q->domain, SLICE("local.example")),
		    .verdict.result = slice_eq(q->domain, SLICE("down.example"))
			? SPF_TEMPERROR : SPF_PASS};
	r->used = slice_eq(q->domain, SLICE("local.example")) ?
	    SPF_USED_LOCAL : 0;
	return true;
}

static int setup(void **state)
{
	struct world *w = NEW(struct world);

	checker_rig_open(&w->rig, zone);
	w->verdicts = shared_verdicts_new(VERDICTS);
	for (int i = 0; i < WORKERS; i++)
		rig_checker_open(&w->worker[i], &w->rig, on_request, w,
		    w->verdicts);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < WORKERS; i++)
		rig_checker_close(&w->worker[i]);
	shared_verdicts_free(w->verdicts);
	checker_rig_close(&w->rig);
	mem_free(w);
	return 0;
}

static void take(struct world *w, const struct spf_checked *c)
{
	assert_int_equal(c->verdict.result, SPF_PASS);
	w->cached = c->cached;
	w->done++;
}

static void on_done(void *arg, const struct spf_checked *c)
{
	take(arg, c);
}

/* `ours`: over our address, as the forecast asks; else of a client. */
static void begin(struct world *w, int worker, const char *sender,
    struct spf_wait *wait)
{
	struct netaddr client;
	struct spf_subject s = {.client = &client, .ours = w->ours,
	    .helo = w->ours ? SLICE("us.example") : SLICE("mx.example"),
	    .sender = slice_str(sender), .legs = w->ours ? NULL : &w->legs};
	const struct spf_checked *c;

	assert_int_equal(netaddr_parse(&client, w->ours ?
	    SLICE("203.0.113.7") : SLICE("192.0.2.1"), 25), 0);
	*wait = (struct spf_wait){.done = on_done, .arg = w};
	c = spf_check(w->worker[worker].checker, &s, wait);
	if (c != NULL)
		take(w, c);
}

static void until(struct world *w, int done)
{
	checker_rig_until(&w->rig, &w->done, done);
}

/* Was it known? */
static bool is_known(struct world *w, int worker, const char *sender)
{
	struct spf_wait wait;
	int done = w->done;

	begin(w, worker, sender, &wait);
	until(w, done + 1);
	return w->cached;
}

static void what_one_found_the_other_knows(void **state)
{
	struct world *w = *state;

	assert_false(is_known(w, 0, "ann@plain.example"));
	assert_true(is_known(w, 1, "bob@plain.example"));
	assert_int_equal(w->rig.server.asked, 1);
	assert_int_equal(fakehelper_asked(w->worker[1].helper), 0);
	assert_false(is_known(w, 1, "ann@local.example"));
	assert_true(is_known(w, 0, "ann@local.example"));
	assert_false(is_known(w, 0, "bob@local.example"));
}

static void one_that_asks_other_servers_knows_nothing_of_it(void **state)
{
	struct world *w = *state;

	assert_false(is_known(w, 0, "ann@plain.example"));
	spf_checker_forget(w->worker[1].checker, 1);
	assert_false(is_known(w, 1, "ann@plain.example"));
	assert_false(is_known(w, 0, "ann@plain.example"));
	assert_true(is_known(w, 1, "ann@plain.example"));
	spf_checker_forget(w->worker[0].checker, 1);
	assert_true(is_known(w, 0, "ann@plain.example"));
}

/* It has answers of the servers before. */
static void a_check_that_a_change_of_servers_meets_is_not_kept(void **state)
{
	struct world *w = *state;
	struct spf_wait wait;

	begin(w, 0, "ann@plain.example", &wait);
	spf_checker_forget(w->worker[0].checker, 1);
	until(w, 1);
	assert_false(is_known(w, 0, "ann@plain.example"));
	assert_true(is_known(w, 0, "ann@plain.example"));
}

/* ---- our addresses, judged along ---- */

/* Two legs that see us at 203.0.113.7, one of them a network, too; one that
 * judges the client's address, and an egress. */
static void have_legs(struct world *w)
{
	w->net[0] = (struct conf_net){AF_INET, {203, 0, 113, 7}, 32};
	w->net[1] = (struct conf_net){AF_INET, {198, 51, 100, 0}, 24};
	w->leg[0].seen = (struct conf_nets){w->net, 2};
	w->leg[1].seen = (struct conf_nets){w->net, 1};
	for (uint8_t i = 2; i < 4; i++) {
		w->net[i] = (struct conf_net){AF_INET, {192, 0, 2, i}, 32};
		w->leg[i].seen = (struct conf_nets){&w->net[i], 1};
	}
	w->leg[2].trust = TRUST_INBOUND_GATEWAY;
	w->leg[3].egress = true;
	w->legs.leg = w->leg;
	w->legs.legs = 4;
}

static bool ours_is_known(struct world *w, int worker, const char *sender)
{
	bool known;

	w->ours = true;
	known = is_known(w, worker, sender);
	w->ours = false;
	return known;
}

static void the_forecast_finds_a_verdict_for_our_address(void **state)
{
	struct world *w = *state;

	have_legs(w);
	assert_false(is_known(w, 0, "ann@plain.example"));
	assert_int_equal(w->others, 1); /* the address, once; no other */
	assert_true(ours_is_known(w, 1, "ann@plain.example"));
	assert_true(ours_is_known(w, 0, "bob@plain.example"));
	assert_int_equal(w->rig.server.asked, 1);
	assert_int_equal(fakehelper_asked(w->worker[0].helper), 1);
	assert_int_equal(fakehelper_asked(w->worker[1].helper), 0);
}

/* One that the helper does not know, and one without an answer of the DNS. */
static void no_other_verdict_is_taken_for_it(void **state)
{
	struct world *w = *state;

	have_legs(w);
	assert_false(is_known(w, 0, "ann@local.example"));
	assert_int_equal(w->others, 1);
	assert_false(ours_is_known(w, 0, "ann@local.example"));
	assert_false(is_known(w, 0, "ann@down.example"));
	assert_int_equal(w->others, 1);
	assert_false(ours_is_known(w, 0, "ann@down.example"));
	/* The HELO name of a client is not ours. */
	assert_false(is_known(w, 0, ""));
	assert_int_equal(w->others, 0);
}

static void an_address_with_a_verdict_is_not_judged_again(void **state)
{
	struct world *w = *state;

	assert_false(ours_is_known(w, 0, "ann@plain.example"));
	have_legs(w);
	assert_false(is_known(w, 0, "ann@plain.example"));
	assert_int_equal(w->others, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_one_found_the_other_knows),
		T(one_that_asks_other_servers_knows_nothing_of_it),
		T(a_check_that_a_change_of_servers_meets_is_not_kept),
		T(the_forecast_finds_a_verdict_for_our_address),
		T(no_other_verdict_is_taken_for_it),
		T(an_address_with_a_verdict_is_not_judged_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
