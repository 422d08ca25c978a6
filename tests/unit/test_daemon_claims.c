/* SPDX-License-Identifier: ISC
 *
 * Claims under a seeded storm: attempts of every outcome, jobs given back,
 * flips that the queue hears of late, holds, lookups that fail,
 * administrators, a disk that refuses, kills. When it is over nothing is
 * claimed, queue and journal agree on every delivery, no sender was told
 * twice, and no recipient was both served and told of. What each record must
 * keep is held against the journal (drig_model.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/drig_model.h"

enum { SEEDS = 8, STEPS = 700, ENDING = 400 };

/* The notices and the legs' answers about one recipient. */
struct fate {
	unsigned told;
	bool delivered_primary;
};

struct storm {
	struct drig *r;
	struct drig_model *model;
	struct rng_seeded rng;
	struct fate fate[DRIG_MESSAGES][DRIG_RCPTS];
	unsigned dsns_seen; /* messages of the queue that are not ours */
};

static unsigned pick(struct storm *s, unsigned n)
{
	return (unsigned)rng_below(&s->rng.rng, n);
}

static struct fate *fate_of(struct storm *s, uint64_t id, uint32_t rcpt)
{
	struct drig_message *m = drig_message(s->r, id);

	return m == NULL ? NULL : &s->fate[m - s->r->m][rcpt];
}

/* ---- what happens ---- */

static void a_message(struct storm *s)
{
	struct drig *r = s->r;
	struct spool_delivery d[2 * DRIG_RCPTS];
	unsigned rcpts = 1 + pick(s, DRIG_RCPTS), n = 0;
	struct route route = r->route;
	struct spool_stats st;

	spool_stats(r->shared.spool, &st);
	if (st.full) /* after a bad disk, for a while */
		return;
	if (route.kind != ROUTE_LEGS)
		route = drig_route(r, "legacy");
	for (uint32_t i = 0; i < rcpts; i++)
		for (unsigned k = 0; k < route.legs; k++)
			d[n++] = drig_delivery(r, i, route.leg[k],
			    k == 0 ? ROLE_PRIMARY : ROLE_COPY,
			    r->held ? D_HELD : D_QUEUED);
	drig_accept(r, pick(s, 5) == 0 ? "" : "sue@elsewhere.example", rcpts,
	    d, n);
}

static void note_results(struct storm *s, const struct worker_job *j,
    const struct result *res)
{
	for (unsigned i = 0; i < j->n; i++) {
		struct fate *f = fate_of(s, j->id, j->row[i].ref.rcpt);

		if (res[i].outcome != OUT_UNTRIED)
			drig_model_flies(s->model, j, i);
		if (f == NULL || j->role != ROLE_PRIMARY ||
		    res[i].outcome != OUT_DELIVERED)
			continue;
		assert_false(f->delivered_primary);
		assert_int_equal(f->told, 0);
		f->delivered_primary = true;
	}
}

/* Does a worker make the attempt by that word (attempt.c)? */
static bool names_leg(const struct worker_job *j, const struct table_word *w)
{
	for (unsigned i = 0; i < w->route.legs && !w->held &&
	     w->route.kind == ROUTE_LEGS; i++)
		if (w->route.leg[i] == j->leg)
			return (i == 0 ? ROLE_PRIMARY : ROLE_COPY) ==
				   j->role || j->change >= w->change;
	return false;
}

/* The routes were looked up when the job came, or just now. */
static bool is_attempted(struct storm *s, const struct worker_job *j)
{
	struct drig *r = s->r;

	r->began = pick(s, 2) ? r->taken : drig_word(r);
	return j->kind != JOB_ATTEMPT || j->leg == r->outside ||
	       names_leg(j, &r->began);
}

static void an_attempt(struct storm *s, bool good)
{
	static const struct {
		enum outcome outcome;
		int code;
	} answers[] = {{OUT_DELIVERED, 250}, {OUT_DEFERRED, 450},
	    {OUT_FAILED, 550}, {OUT_UNTRIED, 0}};
	struct result res[64];
	struct worker_job *j = drig_job(s->r);
	enum why why = WHY_ATTEMPT;

	if (j == NULL)
		return;
	if (!is_attempted(s, j)) {
		drig_unclaim(s->r, j, true, false);
		return;
	}
	assert_in_range(j->n, 1, ARRAY_LEN(res));
	for (unsigned i = 0; i < j->n; i++) {
		unsigned k = good ? 0 : pick(s, ARRAY_LEN(answers));

		res[i] = drig_result(answers[k].outcome, answers[k].code, "x");
		if (j->kind != JOB_ATTEMPT)
			res[i] = drig_result(OUT_FAILED, 0, "over");
	}
	if (j->kind != JOB_ATTEMPT)
		why = j->kind == JOB_EXPIRED ? WHY_LIFETIME : WHY_ADMIN;
	note_results(s, j, res);
	drig_report(s->r, j, why, res, j->n);
}

static void a_job_comes_back(struct storm *s)
{
	struct worker_job *j = drig_job(s->r);
	unsigned how = pick(s, 3);

	if (j != NULL)
		drig_unclaim(s->r, j, how == 1, how == 2);
}

static void a_change(struct storm *s)
{
	static const char *const routes[] = {"legacy", "cloud", "legacy+cloud",
	    "cloud+legacy", "reject"};

	drig_flip(s->r, routes[pick(s, ARRAY_LEN(routes))], pick(s, 5) == 0);
	if (pick(s, 2))
		drig_tell(s->r);
}

static void on_done(void *arg, bool ok)
{
	(void)arg;
	(void)ok;
}

/* Not deleted: that a deleted delivery is gone is tested elsewhere. */
static void an_act(struct storm *s)
{
	static const enum act acts[] = {ACT_RETRY, ACT_FREEZE, ACT_THAW,
	    ACT_PARK, ACT_BOUNCE};
	struct drig *r = s->r;
	struct act_request act = {.what = acts[pick(s, ARRAY_LEN(acts))],
	    .who = "ann", .reason = "", .done = on_done};

	if (r->n > 0)
		act_apply(r->queue_thread, &act, r->m[pick(s, r->n)].id,
		    pick(s, 6));
}

static void a_bad_disk(struct storm *s)
{
	struct fakedisk *d = s->r->disk;

	d->fault = pick(s, 2) ? FAULT_EIO : FAULT_ENOSPC;
	d->fail_mask = 1U << CALL_WRITE;
	d->calls = 0;
	d->fail_at = 1;
	d->fail_on = true;
	drig_pump(s->r);
	d->fault = FAULT_NONE;
	d->fail_mask = 0;
	d->fail_on = false;
	drig_later(s->r, 10); /* the steward looks for room again */
}

/* ---- what must hold ---- */

static void look(struct storm *s)
{
	struct queue_row rows[64];
	struct queue_at at = {0, 0};
	unsigned n;

	while ((n = queue_walk(queue_thread_queue(s->r->queue_thread), &at,
	    rows,
		    ARRAY_LEN(rows))) != 0)
		for (unsigned i = 0; i < n; i++) {
			const struct delivery_ref *it = &rows[i].item;
			struct fate *f = fate_of(s, rows[i].id, it->rcpt);

			if (f == NULL || (it->flags & DF_DSN_SENT) == 0)
				continue;
			f->told = 1;
			assert_false(f->delivered_primary &&
				     it->state == D_BOUNCED);
		}
}

static void step(struct storm *s)
{
	unsigned dice = pick(s, 100);

	if (dice < 25)
		a_message(s);
	else if (dice < 55)
		an_attempt(s, false);
	else if (dice < 68)
		a_job_comes_back(s);
	else if (dice < 74)
		a_change(s);
	else if (dice < 76)
		drig_tell(s->r);
	else if (dice < 88)
		an_act(s);
	else if (dice < 91)
		s->r->fails = !s->r->fails;
	else if (dice < 93)
		a_bad_disk(s);
	else
		drig_later(s->r, pick(s, 90));
	if (pick(s, 3) == 0)
		drig_pump(s->r);
	else
		queue_thread_step(s->r->queue_thread);
}

/* All lookups succeed, all legs take everything, every hold is released. */
static void calm(struct storm *s)
{
	struct drig *r = s->r;

	r->fails = false;
	drig_change(r, "legacy+cloud", false);
	for (int i = 0; i < ENDING; i++) {
		drig_pump(r);
		while (r->jobs != 0)
			an_attempt(s, true);
		drig_later(r, 61);
		if (r->jobs == 0 && i > 8)
			break;
	}
	drig_pump(r);
	assert_int_equal(r->jobs, 0);
}

/* A result that the journal does not have is none: the attempt is repeated,
 * and marked so. */
static void forget_unsynced(struct storm *s)
{
	for (unsigned i = 0; i < s->r->n; i++)
		for (uint32_t rcpt = 0; rcpt < DRIG_RCPTS; rcpt++)
			s->fate[i][rcpt].delivered_primary = drig_model_served(
			    s->model, s->r->m[i].id, rcpt);
}

static void a_restart(struct storm *s, bool kill)
{
	if (kill) {
		drig_model_kill(s->model);
		forget_unsynced(s);
	}
	drig_model_pause(s->model);
	drig_restart(s->r, kill);
	drig_tell(s->r);
}

static void one_storm(uint64_t seed)
{
	struct storm *s = NEW(struct storm);

	print_message("seed %u\n", (unsigned)seed);
	s->r = drig_new();
	s->model = drig_model_new(s->r);
	rng_seeded_init(&s->rng, seed);
	for (int i = 0; i < STEPS; i++) {
		step(s);
		drig_model_read(s->model);
		if (i % 50 == 49)
			look(s);
		if (i % 100 == 99)
			a_restart(s, pick(s, 4) != 0);
	}
	calm(s);
	look(s);
	drig_check(s->r);
	drig_model_read(s->model);
	drig_model_free(s->model);
	drig_free(s->r);
	mem_free(s);
}

static void no_claim_is_lost_in_a_storm(void **state)
{
	(void)state;
	const char *one = getenv("PH_SEED");

	if (one != NULL) {
		one_storm(strtoull(one, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		one_storm(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_claim_is_lost_in_a_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
