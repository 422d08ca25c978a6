/* SPDX-License-Identifier: ISC
 *
 * Random reports against a model that is too simple to be wrong: an array.
 * Whatever happens, in whatever order, each delivery is started when it is
 * due and not before, never while it is in a worker's hand, and all counts
 * agree. The seed is printed; PH_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/conf_tmp.h"
#include "tests/unit/queue_fix.h"

enum { MESSAGES = 40, EACH = 3, ROUNDS = 4000, HASHES = 9 };

struct model {
	bool there, asked;
	struct {
		bool there, claimed;
		enum dstate state;
		int64_t due; /* mono */
	} d[EACH];
};

struct run {
	struct fixture *f;
	struct rng_seeded rng;
	struct model m[MESSAGES];
	unsigned seen_starts, seen_resolves;
	uint64_t change;
};

static unsigned below(struct run *r, unsigned n)
{
	return (unsigned)rng_below(&r->rng.rng, n);
}

static bool all_over(const struct model *m)
{
	for (int i = 0; i < EACH; i++)
		if (m->d[i].there && dstate_live(m->d[i].state))
			return false;
	return true;
}

static void forget_if_over(struct model *m)
{
	if (!m->asked && all_over(m))
		*m = (struct model){0};
}

/* Takes what the queue has started and asked into the model; each of it must
 * be possible. */
static void follow(struct run *r)
{
	struct fixture *f = r->f;

	for (; r->seen_starts != f->starts; r->seen_starts++) {
		struct started *s = &f->started[r->seen_starts % LOG_MAX];
		struct model *m = &r->m[s->id - 1];

		assert_true(m->there && !m->asked && s->n >= 1);
		for (unsigned i = 0; i < s->n; i++) {
			assert_false(m->d[s->number[i]].claimed);
			assert_true(m->d[s->number[i]].state == D_QUEUED ||
				    m->d[s->number[i]].state == D_DEFERRED);
			assert_true(m->d[s->number[i]].due <= f->clock.mono);
			m->d[s->number[i]].claimed = true;
		}
	}
	for (; r->seen_resolves != f->resolves; r->seen_resolves++) {
		struct model *m =
		    &r->m[f->resolve[r->seen_resolves % LOG_MAX] - 1];

		assert_true(m->there && !m->asked);
		m->asked = true;
	}
}

static void insert(struct run *r, unsigned at)
{
	static const uint8_t states[] = {D_QUEUED, D_QUEUED, D_DEFERRED,
	    D_HELD, D_PARKED, D_DELIVERED};
	struct model *m = &r->m[at];
	struct delivery_ref it[EACH];
	unsigned n = 1 + below(r, EACH);
	bool claimed = below(r, 2) == 0;

	m->there = true;
	for (unsigned i = 0; i < n; i++) {
		int64_t wait = below(r, 30) * SECOND;

		it[i] = fix_item(r->f, i, (int)below(r, 2));
		it[i].hash = 1 + below(r, HASHES);
		it[i].state = states[below(r, ARRAY_LEN(states))];
		it[i].change = r->change - below(r, 2);
		it[i].due_us = it[i].state == D_DEFERRED ?
		    r->f->clock.wall + wait : 0;
		m->d[i].there = true;
		m->d[i].state = it[i].state;
		m->d[i].claimed = claimed && it[i].state == D_QUEUED;
		m->d[i].due = it[i].state == D_DEFERRED ?
		    r->f->clock.mono + wait : 0;
	}
	assert_true(queue_insert(r->f->q, &(struct queue_arrival){at + 1, 1, it,
	    n, .claimed = claimed, .force = true}));
	forget_if_over(m);
}

/* A worker's or an administrator's report about one delivery. */
static void report(struct run *r, unsigned at)
{
	static const uint8_t states[] = {D_QUEUED, D_DEFERRED, D_DEFERRED,
	    D_HELD, D_PARKED, D_DELIVERED, D_BOUNCED, D_FROZEN};
	struct model *m = &r->m[at];
	unsigned n = below(r, EACH);
	int64_t wait = below(r, 100) * SECOND;
	struct delivery_ref it;

	if (!m->d[n].there || all_over(m))
		return;
	if (m->d[n].claimed && below(r, 4) == 0) {
		queue_unclaim(r->f->q, at + 1, n, false);
		m->d[n].claimed = false;
		return;
	}
	it = fix_row(r->f, at + 1, n).item;
	it.state = states[below(r, ARRAY_LEN(states))];
	it.due_us = it.state == D_DEFERRED ? r->f->clock.wall + wait : 0;
	queue_set(r->f->q, at + 1, &it);
	m->d[n].claimed = false;
	m->d[n].state = it.state;
	m->d[n].due = it.state == D_DEFERRED ? r->f->clock.mono + wait : 0;
	forget_if_over(m);
}

static void resolved(struct run *r, unsigned at)
{
	if (!r->m[at].asked)
		return;
	r->m[at].asked = false;
	queue_resolved(r->f->q, at + 1, below(r, 5) == 0 ? 0 : r->change);
	forget_if_over(&r->m[at]);
}

static void free_slots(struct run *r)
{
	for (int leg = LEGACY; leg <= CLOUD; leg++)
		while (ledger_used(r->f->ledger, leg) > 0)
			ledger_give(r->f->ledger, leg);
}

static void act(struct run *r)
{
	unsigned at = below(r, MESSAGES);

	switch (below(r, 8)) {
	case 0:
		queue_wake(r->f->q, 1 + below(r, HASHES));
		queue_applied(r->f->q, ++r->change);
		break;
	case 1:
		if (below(r, 20) == 0)
			queue_wake_all(r->f->q);
		break;
	case 2:
		clock_fake_step(&r->f->clock, below(r, 20000) * 1000);
		break;
	case 3:
		resolved(r, at);
		break;
	case 4:
		free_slots(r);
		break;
	default:
		if (!r->m[at].there)
			insert(r, at);
		else
			report(r, at);
		break;
	}
}

static void compare(struct run *r)
{
	struct queue_row rows[EACH + 1];
	struct queue_counts c;
	uint64_t messages = 0, deliveries = 0, claimed = 0;

	for (unsigned at = 0; at < MESSAGES; at++) {
		unsigned n = queue_message(r->f->q, at + 1, rows, EACH + 1);

		messages += r->m[at].there;
		deliveries += n;
		assert_int_equal(n != 0, r->m[at].there);
		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(rows[i].item.state,
			    r->m[at].d[i].state);
			assert_int_equal(rows[i].claimed,
			    r->m[at].d[i].claimed);
			claimed += rows[i].claimed;
		}
	}
	queue_count(r->f->q, &c);
	assert_int_equal(c.messages, messages);
	assert_int_equal(c.deliveries, deliveries);
	assert_int_equal(c.leg[0].claimed + c.leg[1].claimed, claimed);
}

/* Everything is answered, all slots are free, time passes: nothing that
 * could go is left behind. */
static void finish(struct run *r)
{
	for (int i = 0; i < 300; i++) {
		clock_fake_step(&r->f->clock, 10 * SECOND);
		free_slots(r);
		fix_settle(r->f);
		follow(r);
		for (unsigned at = 0; at < MESSAGES; at++) {
			if (!r->m[at].asked)
				continue;
			r->m[at].asked = false;
			queue_resolved(r->f->q, at + 1, r->change);
			forget_if_over(&r->m[at]);
		}
	}
	for (unsigned at = 0; at < MESSAGES; at++)
		for (unsigned n = 0; n < EACH; n++)
			assert_true(r->m[at].d[n].claimed ||
				    (r->m[at].d[n].state != D_QUEUED &&
					r->m[at].d[n].state != D_DEFERRED));
}

static void whatever_happens_every_delivery_has_its_turn(void **state)
{
	const char *given = getenv("PH_SEED");
	uint64_t seed = given == NULL ? 1 : strtoull(given, NULL, 10);
	struct run r = {.f = *state, .change = 10};

	print_message("PH_SEED=%llu\n", (unsigned long long)seed);
	rng_seeded_init(&r.rng, seed);
	for (int i = 0; i < ROUNDS; i++) {
		act(&r);
		fix_check(r.f);
		queue_step(r.f->q);
		fix_check(r.f);
		follow(&r);
		compare(&r);
	}
	finish(&r);
}

/* Bigger than a block of buckets, so that the chains grow. */
static void chains_find_all_of_many(void **state)
{
	enum { MANY = 30000, STRIDE = 7919 };
	struct fixture *f = *state;
	struct queue_row rows[8];
	struct queue_at at = {0, 0};
	uint64_t seen = 0;
	unsigned n;

	for (uint64_t i = 1; i <= MANY; i++) {
		struct delivery_ref it = fix_item(f, 0, LEGACY);

		it.state = D_HELD;
		it.hash = (i % (MANY / 3) + 1) *
			  UINT64_C(0x9e3779b97f4a7c15);
		assert_true(queue_insert(f->q, &(struct queue_arrival){
		    i * STRIDE % MANY + 1, 1, &it, 1, .force = true}));
	}
	while ((n = queue_walk(f->q, &at, rows, 8)) != 0) {
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(rows[i].id, ++seen);
	}
	assert_int_equal(seen, MANY);
	for (uint64_t h = 1; h <= 50; h++) {
		queue_wake(f->q, h * UINT64_C(0x9e3779b97f4a7c15));
		for (unsigned k = 0; k < 3; k++) {
			fix_settle(f);
			assert_int_equal(f->resolves, (h - 1) * 3 + 3);
			queue_resolved(f->q, f->resolve[(h - 1) * 3 + k], 2);
		}
	}
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, fix_setup, fix_teardown)
	const struct CMUnitTest tests[] = {
		T(whatever_happens_every_delivery_has_its_turn),
		T(chains_find_all_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
