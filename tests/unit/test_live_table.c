/* SPDX-License-Identifier: ISC
 *
 * The packed table of live messages, against a plain one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/delivery.h"
#include "relay/base/mem.h"
#include "relay/base/rng.h"
#include "relay/spool/live/live_table.h"

enum { MESSAGES = 300, STEPS = 20000, LISTS = 3, DELIVERIES = 4 };

struct plain {
	bool there;
	int list; /* -1: in none */
	unsigned n;
	struct live_state d[DELIVERIES];
};

struct model {
	struct live_table t;
	struct live_list list[LISTS];
	struct plain m[MESSAGES];
	struct rng_seeded rng;
};

static unsigned below(struct model *k, unsigned n)
{
	return (unsigned)(rng_u64(&k->rng.rng) % n);
}

/* Ids that collide in their low bits. */
static uint64_t id_of(unsigned i)
{
	return ((uint64_t)(i % 7) << 40) + i + 1;
}

static struct live_state any_state(struct model *k)
{
	return (struct live_state){
	    .slot = below(k, 100000),
	    .rec = below(k, 1 << 30),
	    .rcpt = below(k, 1 << RCPT_BITS),
	    .leg = (uint16_t)below(k, 256),
	    .role = (uint8_t)below(k, 2),
	    .state = (uint8_t)(D_QUEUED + below(k, D_STATES - 1)),
	    .uncertain = (uint8_t)below(k, 3),
	    .tried = below(k, 2) == 1,
	    .due_us = (int64_t)below(k, 1 << 30) * 5000 * 1000,
	};
}

static void same_state(const struct live_state *a, const struct live_state *b)
{
	assert_int_equal(a->slot, b->slot);
	assert_int_equal(a->rec, b->rec);
	assert_int_equal(a->rcpt, b->rcpt);
	assert_int_equal(a->leg, b->leg);
	assert_int_equal(a->role, b->role);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->uncertain, b->uncertain);
	assert_int_equal(a->tried, b->tried);
	assert_true(a->due_us == b->due_us);
}

static void put(struct model *k, unsigned i)
{
	struct plain *p = &k->m[i];
	uint32_t n = live_find(&k->t, id_of(i));

	if (n == 0) {
		n = live_add(&k->t, id_of(i));
		p->list = (int)below(k, LISTS);
		live_list_push(&k->t, &k->list[p->list], n);
	}
	p->there = true;
	p->n = 1 + below(k, DELIVERIES);
	for (unsigned d = 0; d < p->n; d++)
		p->d[d] = any_state(k);
	live_put(&k->t, n, p->d, p->n);
}

static void drop(struct model *k, unsigned i)
{
	uint32_t n = live_find(&k->t, id_of(i));

	live_list_drop(&k->t, &k->list[k->m[i].list], n);
	live_remove(&k->t, n);
	k->m[i].there = false;
}

static void look(struct model *k)
{
	struct live_state d[DELIVERIES];
	unsigned there = 0, listed = 0, walked = 0;
	uint32_t at = 0;

	for (unsigned i = 0; i < MESSAGES; i++) {
		uint32_t n = live_find(&k->t, id_of(i));

		assert_int_equal(n != 0, k->m[i].there);
		there += n != 0;
		if (n == 0)
			continue;
		assert_int_equal(live_count(&k->t, n), k->m[i].n);
		live_get(&k->t, n, d);
		for (unsigned j = 0; j < k->m[i].n; j++)
			same_state(&d[j], &k->m[i].d[j]);
	}
	while (live_next(&k->t, &at) != 0)
		walked++;
	for (int l = 0; l < LISTS; l++)
		for (uint32_t n = k->list[l].first; n != 0;
		     n = live_at(&k->t, n)->next)
			listed++;
	assert_int_equal(k->t.used, there);
	assert_int_equal(walked, there);
	assert_int_equal(listed, there);
}

static void it_is_what_a_plain_table_is(void **state)
{
	struct model *k = NEW(struct model);

	(void)state;
	rng_seeded_init(&k->rng, 5);
	live_table_init(&k->t);
	for (int i = 0; i < STEPS; i++) {
		unsigned m = below(k, MESSAGES);

		if (k->m[m].there && below(k, 2) == 0)
			drop(k, m);
		else
			put(k, m);
		if (i % 500 == 0)
			look(k);
	}
	look(k);
	live_table_fini(&k->t);
	mem_free(k);
}

/* Numbers that were given back are used again: no growth. */
static void it_does_not_grow_with_what_came_and_went(void **state)
{
	struct live_table t;
	struct live_list l = {0};
	struct live_state d = {.state = D_QUEUED};

	(void)state;
	live_table_init(&t);
	for (uint64_t id = 1; id < 100000; id++) {
		uint32_t n = live_add(&t, id);

		live_put(&t, n, &d, 1);
		live_list_push(&t, &l, n);
		live_list_drop(&t, &l, n);
		live_remove(&t, n);
	}
	assert_true(t.messages.used <= 2 && t.deliveries.used <= 2);
	assert_true(t.cap <= 16);
	live_table_reserve(&t, 1000);
	assert_true(t.cap >= 1024 && t.cap <= 2048);
	live_table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_what_a_plain_table_is),
	    cmocka_unit_test(it_does_not_grow_with_what_came_and_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
