/* SPDX-License-Identifier: ISC
 *
 * Cuts the power before every call that changes the disk, three times: with
 * all that was not synced lost, torn, and kept (a killed process). Whatever
 * the spool had promised at that moment must hold in what is found then, and
 * after the recovered spool has worked and been closed once more.
 *
 * The last scene is drawn from a seed and goes on in segments that were used
 * before and are full of whole batches: PH_POWERCUT_SEEDS says how many seeds
 * (1), PH_POWERCUT_SEED the first and PH_POWERCUT_IMAGES how many disks each
 * (500).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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
	bool room; /* for the mark of an orderly end */

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
		room = atomic_load(&q->spool->spares) >
		    space_reserve(q->spool);
		rig_close(q);
		if (!rig_open(q) || (room && !q->start.clean))
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

/* ---- in segments that were used before ---- */

enum {
	CHURN_LIVE = 6,
	LIVES = 3,
	SHORT_WRITES = 12,
	RESTARTS = 25,
	REMEMBERED = 600, /* more than the slots hold of settled messages */
};

struct churn {
	struct cutter c;
	struct rng_seeded rng;
	unsigned wanted; /* images */
	unsigned uses;	 /* of segments, so far */
	unsigned short_writes, restarts, kills;
};

static void some_cuts(void *arg, enum fake_call call)
{
	struct churn *ch = arg;

	(void)call;
	ch->c.calls++;
	if (rng_below(&ch->rng.rng, 4) == 0)
		look(&ch->c, (enum fake_cut)rng_below(&ch->rng.rng, CUTS));
}

/* Of what nothing was promised: it is as it was found. What was settled long
 * ago is in no slot any more. */
static void remember(struct rig *r)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < r->n; i++) {
		struct rig_message m = r->m[i];

		if (m.promise == P_NONE || m.promise == P_SETTLING)
			m.promise =
			    live_find(&r->spool->index.table, m.id) != 0 ?
			    P_STORED : P_SETTLED;
		if (m.promise == P_STORED || i + REMEMBERED >= r->n)
			r->m[kept++] = m;
	}
	r->n = kept;
}

/* The process or the machine dies, and another goes on. */
static void dies(struct churn *ch)
{
	struct rig *r = ch->c.r;
	enum fake_cut how = (enum fake_cut)rng_below(&ch->rng.rng, CUTS);

	ch->uses += (unsigned)r->spool->recycled;
	ch->c.r = rig_over(fakedisk_cut(r->disk, how, ch->c.seed++), r);
	ch->c.r->disk->before = r->disk->before;
	ch->c.r->disk->before_arg = ch;
	rig_free(r);
	if (!rig_open(ch->c.r) || ch->c.r->damaged > 0)
		wrong(&ch->c, how, "no start after it");
	remember(ch->c.r);
	ch->kills++;
}

static void restart(struct churn *ch)
{
	struct rig *r = ch->c.r;

	if (rng_below(&ch->rng.rng, 2) == 0) {
		dies(ch);
		return;
	}
	ch->uses += (unsigned)r->spool->recycled;
	rig_close(r);
	assert_true(rig_open(r));
	ch->restarts++;
}

/* The oldest goes, so that each segment is given back in its turn. */
static void settle_oldest(struct churn *ch)
{
	struct rig *r = ch->c.r;
	unsigned live = 0;

	for (unsigned i = r->n; i > 0; i--) {
		struct rig_message *m = &r->m[i - 1];

		live += m->promise == P_STORED;
		if (m->promise == P_STORED && live > CHURN_LIVE)
			rig_settle(r, m, D_DELIVERED, 0);
	}
}

/* Half of a batch gets there, over what was there before. */
static void pump_amid_faults(struct churn *ch)
{
	struct rig *r = ch->c.r;

	if (rng_below(&ch->rng.rng, SHORT_WRITES) == 0) {
		r->disk->fault = FAULT_SHORT;
		r->disk->fail_mask = 1u << CALL_WRITE;
		r->disk->fail_at = r->disk->calls + 1;
		ch->short_writes++;
	}
	rig_write(r);
	r->disk->fault = FAULT_NONE;
	rig_pump(r);
}

static void churn_step(struct churn *ch)
{
	static const size_t bodies[] = {0, 300, 1500, 3000, 4000, 9000, 20000};
	struct rng *rng = &ch->rng.rng;

	for (uint64_t n = rng_below(rng, 4); n > 0; n--)
		rig_accept(ch->c.r, bodies[rng_below(rng, ARRAY_LEN(bodies))]);
	settle_oldest(ch);
	pump_amid_faults(ch);
	if (rng_below(rng, RESTARTS) == 0)
		restart(ch);
}

static unsigned used_again(const struct churn *ch)
{
	return ch->uses + (unsigned)ch->c.r->spool->recycled;
}

/* Each slot has had several lives before the first cut. */
static void churn_through(uint64_t seed, unsigned images)
{
	struct churn *ch = NEW(struct churn);
	char scene[40];
	const char *what;

	snprintf(scene, sizeof(scene), "used again, seed %u", (unsigned)seed);
	ch->c = (struct cutter){.r = rig_new(SLOTS), .seed = seed << 32,
	    .scene = scene};
	ch->c.r->c.retain_us = 0;
	rng_seeded_init(&ch->rng, seed);
	assert_true(rig_open(ch->c.r));
	while (ch->c.r->n < RIG_MESSAGES / 2 && used_again(ch) < LIVES * SLOTS)
		churn_step(ch);
	assert_true(used_again(ch) >= LIVES * SLOTS);
	ch->c.r->disk->before = some_cuts;
	ch->c.r->disk->before_arg = ch;
	while (ch->c.images < images && ch->c.r->n < RIG_MESSAGES - 8)
		churn_step(ch);
	ch->c.r->disk->before = NULL;
	what = rig_check(ch->c.r);
	if (what != NULL)
		fail_msg("%s: %s", scene, what);
	print_message("%s: %u cuts, %u images; %u segments used again, %u "
	    "short writes, %u kills, %u restarts\n", scene, ch->c.calls,
	    ch->c.images, used_again(ch), ch->short_writes, ch->kills,
	    ch->restarts);
	assert_true(ch->c.images > 0 && ch->c.images + 100 >= images);
	rig_free(ch->c.r);
	mem_free(ch);
}

static unsigned number_from(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

static void k6_power_cuts_in_used_segments_bring_nothing_back(void **state)
{
	unsigned first = number_from("PH_POWERCUT_SEED", 1);
	unsigned seeds = number_from("PH_POWERCUT_SEEDS", 1);
	unsigned images = number_from("PH_POWERCUT_IMAGES", 500);

	(void)state;
	for (unsigned i = 0; i < seeds; i++)
		churn_through(first + i, images);
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
	    cmocka_unit_test(
		k6_power_cuts_in_used_segments_bring_nothing_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
