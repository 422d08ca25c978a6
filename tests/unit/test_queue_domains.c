/* SPDX-License-Identifier: ISC
 *
 * Mail of a direct egress by recipient domain: one that has no permit waits
 * apart, costs nothing, and no other domain's mail waits for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/queue/queue_int.h"
#include "tests/unit/queue_fix.h"

/* Hashes of recipient domains; the egress has 8 slots. */
enum { DEAD = 0x1001, GOOD = 0x2002, OTHER = 0x3003, MANY = 0x100000 };
enum { STEP_S = 10, SLOTS = 8, HALF = SLOTS / 2 };

static struct delivery_ref item_of(const struct fixture *f, uint32_t number,
    uint32_t domain)
{
	struct delivery_ref i = fix_item(f, number, WAY);

	i.domain = domain;
	i.flags = DF_EGRESS;
	return i;
}

static void put(struct fixture *f, uint64_t id, uint32_t domain)
{
	struct delivery_ref i = item_of(f, 0, domain);

	i.hash = (100 + id) << 16 | 1;
	assert_true(queue_insert(f->q, &(struct queue_arrival){id, 100, &i,
	    .n = 1, .force = true}));
}

static void put_some(struct fixture *f, uint64_t from, uint64_t to,
    uint32_t domain)
{
	for (uint64_t id = from; id <= to; id++)
		put(f, id, domain);
}

static struct started *start_of(struct fixture *f, uint64_t id)
{
	for (unsigned i = f->starts; i > 0; i--)
		if (f->started[i - 1].id == id)
			return &f->started[i - 1];
	return NULL;
}

/* As a worker: the permit, then the outcome. */
static void ends_as(struct fixture *f, uint64_t id, enum permit_end end)
{
	struct started *s = start_of(f, id);

	assert_non_null(s);
	permit_give(ledger_permits(f->ledger), &s->permit, end,
	    f->clock.mono - 1, f->clock.mono);
	ledger_give(f->ledger, WAY);
	for (unsigned i = 0; i < s->n; i++)
		fix_outcome(f, id, s->number[i], end == PERMIT_DELIVERED
			? D_DELIVERED : D_DEFERRED);
}

/* DEAD waits for its first interval; so many messages of it are deferred, with
 * ids from 1. */
static void dies(struct fixture *f)
{
	put_some(f, 1, PERMIT_FAILURES, DEAD);
	fix_settle(f);
	for (uint64_t id = 1; id <= PERMIT_FAILURES; id++) {
		ends_as(f, id, PERMIT_FAILED);
		fix_settle(f);
	}
	f->starts = 0;
}

static void proves(struct fixture *f, uint64_t id, uint32_t domain)
{
	put(f, id, domain);
	fix_settle(f);
	ends_as(f, id, PERMIT_DELIVERED);
	f->starts = 0;
}

static void two_at_once_and_others_go_on(void **state)
{
	struct fixture *f = *state;

	put_some(f, 1, 50, DEAD);
	put(f, 51, GOOD);
	put(f, 52, 0); /* of which nothing is known */
	fix_settle(f);
	assert_int_equal(f->starts, 4);
	assert_non_null(start_of(f, 1));
	assert_non_null(start_of(f, 2));
	assert_int_not_equal(start_of(f, 2)->permit.name, 0);
	assert_non_null(start_of(f, 51));
	assert_int_equal(start_of(f, 52)->permit.name, 0);
	assert_int_equal(ledger_ready(f->ledger, WAY), 0);
	ends_as(f, 1, PERMIT_ANSWERED);
	fix_settle(f);
	assert_int_equal(f->starts, 5);
	assert_non_null(start_of(f, 3));
	assert_int_equal(queue_pull(f->q, 0, WAY, 4), 0);
	ends_as(f, 2, PERMIT_ANSWERED);
	assert_int_equal(queue_pull(f->q, 1, WAY, 4), 1);
	assert_int_equal(start_of(f, 4)->worker, 1);
	assert_int_not_equal(start_of(f, 4)->permit.name, 0);
}

static void ten_thousand_of_a_dead_domain(void **state)
{
	struct fixture *f = *state;
	int ms;

	dies(f);
	for (uint64_t id = 100; id < 10100; id++)
		put(f, id, DEAD);
	ms = fix_settle(f);
	assert_int_equal(f->starts, 0);
	/* They are in no list that is looked at, and nothing polls. */
	assert_int_equal(ledger_ready(f->ledger, WAY), 0);
	assert_int_equal(ms, 1000);
	put_some(f, 20000, 20002, GOOD);
	put(f, 20003, OTHER);
	fix_settle(f);
	assert_int_equal(f->starts, 3);
	assert_non_null(start_of(f, 20000));
	assert_non_null(start_of(f, 20001));
	assert_non_null(start_of(f, 20003));
}

static void one_tries_the_domain(void **state)
{
	struct fixture *f = *state;

	dies(f);
	put_some(f, 10, 19, DEAD);
	fix_later(f, STEP_S - 1);
	assert_int_equal(f->starts, 0);
	fix_later(f, 2);
	assert_int_equal(f->starts, 1);
	assert_true(f->started[0].permit.scout);
	fix_later(f, 100); /* whatever it waits for */
	assert_int_equal(f->starts, 1);
	ends_as(f, f->started[0].id, PERMIT_FAILED);
	fix_later(f, 2 * STEP_S - 1);
	assert_int_equal(f->starts, 1);
	fix_later(f, 2);
	assert_int_equal(f->starts, 2);
	/* It was handed back: another one may. */
	permit_give(ledger_permits(f->ledger), &f->started[1].permit,
	    PERMIT_UNUSED, 0, f->clock.mono);
	ledger_give(f->ledger, WAY);
	queue_unclaim(f->q, f->started[1].id, 0, true);
	fix_settle(f);
	assert_int_equal(f->starts, 3);
	assert_int_not_equal(f->started[2].id, f->started[1].id);
	ends_as(f, f->started[2].id, PERMIT_DELIVERED);
	fix_settle(f);
	assert_int_equal(f->starts, 5); /* it is there again: two */
}

static void all_of_it_goes_when_the_domain_is_back(void **state)
{
	struct fixture *f = *state;
	unsigned done = 0;

	dies(f);
	put_some(f, 10, 59, DEAD);
	fix_later(f, 2 * STEP_S);
	while (done < f->starts && f->starts < 100) {
		ends_as(f, f->started[done++].id, PERMIT_DELIVERED);
		fix_settle(f);
	}
	assert_int_equal(done, 53);
	assert_int_equal(permits_used(ledger_permits(f->ledger), WAY), 0);
}

static void the_unproven_take_half(void **state)
{
	struct fixture *f = *state;

	proves(f, 1, GOOD);
	for (uint64_t id = 10; id < 110; id++)
		put(f, id, MANY + (uint32_t)id);
	fix_settle(f);
	assert_int_equal(f->starts, HALF);
	put(f, 200, GOOD);
	fix_settle(f);
	assert_int_equal(f->starts, HALF + 1);
	assert_non_null(start_of(f, 200));
	/* In their order, one for one that ends. */
	for (uint64_t id = 10; id < 30; id++) {
		ends_as(f, id, PERMIT_FAILED);
		fix_settle(f);
		assert_int_equal(f->starts, id - 10 + HALF + 2);
		assert_int_equal(f->started[f->starts - 1].id, id + HALF);
	}
}

/* Those that have failed are behind those that were not tried yet. */
static void the_doubtful_are_behind_the_new(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 10; id < 20; id++)
		put(f, id, MANY + (uint32_t)id);
	fix_settle(f);
	for (uint64_t id = 10; id < 20; id++) {
		ends_as(f, id, PERMIT_FAILED);
		fix_settle(f);
	}
	assert_int_equal(f->starts, 10);
	fix_later(f, STEP_S + 1); /* all are due again; HALF / 2 may go */
	assert_int_equal(f->starts, 10 + HALF / 2);
	for (uint64_t id = 30; id < 40; id++)
		put(f, id, MANY + (uint32_t)id);
	fix_settle(f);
	assert_int_equal(f->starts, 10 + HALF);
	for (unsigned i = 10 + HALF / 2; i < 10 + HALF; i++)
		assert_in_range(f->started[i].id, 30, 40);
	ends_as(f, 30, PERMIT_FAILED);
	fix_settle(f);
	assert_int_equal(f->started[10 + HALF].id, 32);
}

/* Behind a dead domain among them stand no others. */
static void a_dead_one_among_the_unproven(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 10; id < 10 + HALF; id++)
		put(f, id, MANY + (uint32_t)id);
	fix_settle(f);
	put_some(f, 20, 29, DEAD);
	put(f, 30, OTHER);
	fix_settle(f);
	ends_as(f, 10, PERMIT_FAILED);
	fix_settle(f);
	ends_as(f, 11, PERMIT_FAILED);
	fix_settle(f);
	assert_non_null(start_of(f, 20));
	assert_non_null(start_of(f, 21));
	ends_as(f, 12, PERMIT_FAILED);
	fix_settle(f);
	assert_non_null(start_of(f, 30));
}

/* All of a large domain stood behind the unproven ones, and has no more permits
 * now: other work goes on while it is moved. */
static void a_large_domain_is_moved_in_parts(void **state)
{
	enum { LARGE = 3 * ASIDE_A_TURN };
	struct fixture *f = *state;

	for (uint64_t id = 10; id < 10 + HALF; id++)
		put(f, id, MANY + (uint32_t)id);
	put_some(f, 20, 20 + LARGE, OTHER);
	for (int i = 0; i < 5; i++)
		fix_later(f, 1);
	assert_int_equal(f->q->leg[WAY].unproven, LARGE + 1);
	ends_as(f, 10, PERMIT_FAILED);
	ends_as(f, 11, PERMIT_FAILED);
	ends_as(f, 12, PERMIT_FAILED);
	queue_step(f->q);
	assert_int_equal(f->starts, HALF + 2);
	assert_in_range(f->q->leg[WAY].unproven, 1, LARGE);
	assert_in_range(f->q->in_backlogs.deliveries, 1, 2 * ASIDE_A_TURN);
	for (int i = 0; i < 5; i++)
		fix_later(f, 1);
	assert_int_equal(f->q->leg[WAY].unproven, 0);
	assert_int_equal(f->q->in_backlogs.deliveries, LARGE - 1);
}

static void an_administrator_ends_the_wait(void **state)
{
	struct fixture *f = *state;

	dies(f);
	put_some(f, 10, 12, DEAD);
	fix_settle(f);
	assert_int_equal(f->starts, 0);
	queue_retry(f->q, 11, 0);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	assert_int_equal(f->started[0].id, 11);
	queue_retry(f->q, 12, 0); /* one at a time still */
	fix_settle(f);
	assert_int_equal(f->starts, 1);
}

static void lifetimes_end_in_a_backlog(void **state)
{
	struct fixture *f = *state;

	dies(f);
	put_some(f, 10, 12, DEAD);
	fix_later(f, 2 * STEP_S);
	assert_int_equal(f->starts, 1); /* … and never comes back */
	fix_later(f, 3601);
	fix_later(f, 2);
	for (uint64_t id = 10; id <= 12; id++)
		assert_true(start_of(f, id) == &f->started[0] ||
			    start_of(f, id)->expired);
	assert_true(f->starts >= 4);
}

static void a_route_is_looked_up_for_them(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i;

	dies(f);
	put_some(f, 10, 12, DEAD);
	fix_settle(f);
	queue_reading(f->q, 2);
	queue_wake(f->q, 111 << 16 | 1);
	queue_applied(f->q, 2);
	fix_settle(f);
	assert_int_equal(f->resolves, 1);
	assert_int_equal(f->resolve[0], 11);
	i = fix_row(f, 11, 0).item;
	i.leg = CLOUD;
	queue_set(f->q, 11, &i);
	queue_resolved(f->q, 11, 2);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	assert_int_equal(f->started[0].leg, CLOUD);
	assert_int_equal(f->started[0].permit.name, 0);
}

/* The worker has read whose mail it is, and that the domain waits. */
static void a_domain_is_learned(void **state)
{
	struct fixture *f = *state;

	dies(f);
	put(f, 10, 0);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	ledger_give(f->ledger, WAY);
	queue_domain(f->q, 10, 0, DEAD);
	queue_unclaim(f->q, 10, 0, false);
	fix_settle(f);
	assert_int_equal(f->starts, 1);
	assert_int_equal(fix_row(f, 10, 0).item.domain, DEAD);
	queue_domain(f->q, 10, 0, GOOD); /* it is in no hand */
	assert_int_equal(fix_row(f, 10, 0).item.domain, DEAD);
	fix_later(f, STEP_S + 1);
	assert_int_equal(f->starts, 2);
}

static void a_message_goes_by_domain(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i[] = {item_of(f, 0, GOOD), item_of(f, 1, OTHER),
	    item_of(f, 2, GOOD), item_of(f, 3, OTHER)};

	assert_true(queue_insert(f->q, &(struct queue_arrival){7, 100, i,
	    .n = ARRAY_LEN(i)}));
	fix_settle(f);
	assert_int_equal(f->starts, 2);
	for (unsigned k = 0; k < 2; k++) {
		assert_int_equal(f->started[k].n, 2);
		assert_int_equal(f->started[k].number[0], k);
		assert_int_equal(f->started[k].number[1], k + 2);
	}
}

/* Permits that came free let two out; those go another way, and the rest is
 * not forgotten. */
static void others_follow_what_goes_elsewhere(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i;

	put_some(f, 10, 19, DEAD);
	fix_settle(f);
	assert_int_equal(f->starts, 2);
	ledger_gate(f->ledger, WAY, GATE_SUSPENDED, true);
	ends_as(f, 10, PERMIT_DELIVERED);
	ends_as(f, 11, PERMIT_DELIVERED);
	fix_settle(f);
	for (uint64_t id = 12; id < 16; id++) {
		i = fix_row(f, id, 0).item;
		i.state = D_DELETED;
		queue_set(f->q, id, &i);
	}
	fix_settle(f);
	ledger_gate(f->ledger, WAY, GATE_SUSPENDED, false);
	fix_later(f, 3600);
	assert_int_equal(f->starts, 4);
	assert_non_null(start_of(f, 16));
	assert_non_null(start_of(f, 17));
}

static void it_is_no_direct_egress_any_more(void **state)
{
	struct fixture *f = *state;
	struct conf_leg *way = &f->conf->leg[WAY];

	dies(f);
	put_some(f, 10, 12, DEAD);
	put_some(f, 20, 20 + SLOTS, OTHER);
	fix_settle(f);
	assert_int_equal(f->starts, 2);
	way->direct = false;
	ledger_configure(f->ledger, f->conf);
	queue_configure(f->q, f->conf);
	fix_settle(f);
	assert_int_equal(f->starts, SLOTS);
	way->direct = true;
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(two_at_once_and_others_go_on),
	    T(ten_thousand_of_a_dead_domain),
	    T(one_tries_the_domain),
	    T(all_of_it_goes_when_the_domain_is_back),
	    T(the_unproven_take_half),
	    T(the_doubtful_are_behind_the_new),
	    T(a_dead_one_among_the_unproven),
	    T(a_large_domain_is_moved_in_parts),
	    T(an_administrator_ends_the_wait),
	    T(lifetimes_end_in_a_backlog),
	    T(a_route_is_looked_up_for_them),
	    T(a_domain_is_learned),
	    T(a_message_goes_by_domain),
	    T(others_follow_what_goes_elsewhere),
	    T(it_is_no_direct_egress_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
