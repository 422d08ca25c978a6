/* SPDX-License-Identifier: ISC
 *
 * Cuts the power before every call that changes the disk, three times: with
 * all that was not synced lost, torn, and kept (a killed process). Whatever
 * the spool had promised at that moment must hold in what is found then, and
 * after the recovered spool has worked and been closed once more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/spool_rig.h"

enum { SLOTS = 7 };

struct cutter {
	struct rig *r;
	unsigned calls, images;
	uint64_t seed;
	const char *scene;
};

static void wrong(const struct cutter *c, enum fake_cut how, const char *what)
{
	fail_msg("%s: cut %u, variant %d: %s", c->scene, c->calls, (int)how,
	    what);
}

static void look(struct cutter *c, enum fake_cut how)
{
	struct rig *q =
	    rig_over(fakedisk_cut(c->r->disk, how, c->seed++), c->r);
	const char *what;

	c->images++;
	if (!rig_open(q))
		wrong(c, how, q->err.text);
	if (q->damaged > 0)
		wrong(c, how, q->last_damage);
	what = rig_check(q);
	if (what != NULL)
		wrong(c, how, what);
	if (how == CUT_TEARS) { /* and it goes on from there */
		rig_accept(q, 500);
		rig_pump(q);
		what = rig_check(q);
		if (what != NULL)
			wrong(c, how, what);
		rig_close(q);
		if (!rig_open(q) || !q->start.clean)
			wrong(c, how, "not clean after an orderly end");
		what = rig_check(q);
		if (what != NULL)
			wrong(c, how, what);
	}
	rig_free(q);
}

static void before_call(void *arg, enum fake_call call)
{
	struct cutter *c = arg;

	(void)call;
	c->calls++;
	for (int how = 0; how < CUTS; how++)
		look(c, (enum fake_cut)how);
}

static void cut_through(const char *scene, void (*act)(struct rig *r))
{
	struct rig *r = rig_new(SLOTS);
	struct cutter c = {.r = r, .seed = 1, .scene = scene};
	const char *what;

	r->disk->before = before_call;
	r->disk->before_arg = &c;
	assert_true(rig_open(r));
	act(r);
	r->disk->before = NULL;
	what = rig_check(r);
	if (what != NULL)
		fail_msg("%s: %s", scene, what);
	print_message("%s: %u cuts, %u images\n", scene, c.calls, c.images);
	assert_true(c.calls > 20);
	rig_free(r);
}

static void accept_some(struct rig *r)
{
	static const size_t bodies[] = {0, 1, 700, 4000, 20000, 3000};

	for (unsigned i = 0; i < ARRAY_LEN(bodies); i++) {
		rig_accept(r, bodies[i]);
		if (i % 2 == 1)
			rig_pump(r);
	}
	rig_pump(r);
}

static void act_results(struct rig *r)
{
	for (int round = 0; round < 3; round++) {
		accept_some(r);
		rig_settle(r, &r->m[r->n - 1], D_DELIVERED, 0);
		rig_settle(r, &r->m[r->n - 3], D_DEFERRED, 0);
		rig_settle(r, &r->m[r->n - 4], D_DELIVERED, OP_SYNC);
		rig_pump(r);
	}
}

static void act_group(struct rig *r)
{
	accept_some(r);
	for (unsigned i = 0; i < 4; i++) {
		rig_bounce(r, &r->m[i]);
		rig_pump(r);
	}
}

static void act_facts(struct rig *r)
{
	char value[32];

	for (int i = 0; i < 6; i++) {
		snprintf(value, sizeof(value), "%d", i);
		rig_fact(r, "change", value);
		rig_accept(r, 3500);
		rig_pump(r);
	}
	rig_close(r);
	assert_true(rig_open(r));
	rig_accept(r, 10);
	rig_pump(r);
}

/* More than the slots hold: the oldest is carried on again and again. */
static void act_recycle(struct rig *r)
{
	rig_accept(r, 3000);
	rig_accept(r, 9000);
	rig_accept(r, 100);
	rig_pump(r);
	rig_settle(r, &r->m[2], D_PARKED, 0);
	for (int i = 0; i < 60; i++) {
		struct rig_message *m = rig_accept(r, 4000);

		rig_accept(r, 3800);
		rig_pump(r);
		rig_settle(r, m, D_DELIVERED, 0);
		rig_settle(r, m + 1, D_BOUNCED, 0);
		if (i % 8 == 7)
			rig_pump(r);
	}
	assert_true(r->spool->recycled > 2);
	assert_true(r->spool->carried > 2);
}

static void k1_power_cuts_lose_no_accepted_message(void **state)
{
	(void)state;
	cut_through("accept", accept_some);
}

static void k2_power_cuts_bring_no_settled_message_back(void **state)
{
	(void)state;
	cut_through("results", act_results);
}

static void k3_power_cuts_never_split_a_bounce_from_its_dsn(void **state)
{
	(void)state;
	cut_through("group", act_group);
}

static void k4_power_cuts_in_carry_and_recycling_lose_nothing(void **state)
{
	(void)state;
	cut_through("recycle", act_recycle);
}

static void k5_power_cuts_over_facts_and_restarts_lose_nothing(void **state)
{
	(void)state;
	cut_through("facts", act_facts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(k1_power_cuts_lose_no_accepted_message),
	    cmocka_unit_test(k2_power_cuts_bring_no_settled_message_back),
	    cmocka_unit_test(k3_power_cuts_never_split_a_bounce_from_its_dsn),
	    cmocka_unit_test(k4_power_cuts_in_carry_and_recycling_lose_nothing),
	    cmocka_unit_test(
		k5_power_cuts_over_facts_and_restarts_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
