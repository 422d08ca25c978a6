/* SPDX-License-Identifier: ISC
 *
 * Messages that may be for a recipient or from a sender, by what the queue has
 * of both in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/queue_fix.h"

enum { ANN = 1001, BOB = 2001, CID = 3001, FROM_X = 7, FROM_Y = 9 };

static uint64_t sender(uint64_t from)
{
	return from << QUEUE_FROM_SHIFT | 2;
}

static void put(struct fixture *f, uint64_t id, uint64_t to, uint64_t from)
{
	struct delivery_ref i = fix_item(f, 0, LEGACY);

	i.hash = to;
	assert_true(queue_insert(f->q, &(struct queue_arrival){id, 1, &i,
	    .n = 1, .force = true, .sender = from == 0 ? 0 : sender(from)}));
}

static void setting(struct fixture *f)
{
	ledger_gate(f->ledger, LEGACY, GATE_SUSPENDED, true);
	put(f, 10, ANN, FROM_X);
	put(f, 11, BOB, FROM_X);
	put(f, 12, ANN, FROM_Y);
	put(f, 13, QUEUE_ANYBODY, FROM_Y); /* only the table could tell */
	put(f, 14, CID, 0); /* read from an earlier version's journal */
	put(f, 15, BOB, FROM_Y);
}

/* A bit an id, from 10 on. */
static unsigned found(const struct fixture *f, const struct queue_wanted *w)
{
	struct queue_ids ids = {NULL, 0, 0};
	unsigned bits = 0;
	uint32_t at = 0;

	while (queue_candidates(f->q, w, &at, &ids))
		;
	for (size_t i = 0; i < ids.n; i++) {
		assert_in_range(ids.id[i], 10, 40);
		bits |= 1U << (ids.id[i] - 10);
	}
	mem_free(ids.id);
	return bits;
}

static void a_recipient_or_sender_and_what_is_not_known_is_found(void **state)
{
	static const struct {
		uint64_t to[2];
		unsigned to_n;
		uint32_t from;
		unsigned bits;
	} rows[] = {
		{{ANN}, 1, 0, 1 << 0 | 1 << 2 | 1 << 3},
		{{BOB}, 1, 0, 1 << 1 | 1 << 3 | 1 << 5},
		{{ANN, CID}, 2, 0, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4},
		{{4001}, 1, 0, 1 << 3},
		{{0}, 0, FROM_X, 1 << 0 | 1 << 1 | 1 << 4},
		{{0}, 0, FROM_Y, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5},
		{{0}, 0, 8, 1 << 4},
		{{ANN}, 1, FROM_Y, 1 << 2 | 1 << 3},
		{{CID}, 1, FROM_X, 1 << 4},
	};

	setting(*state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(found(*state, &(struct queue_wanted){
		    rows[i].to, rows[i].to_n, rows[i].from}), rows[i].bits);
}

static void one_that_is_over_is_not_found(void **state)
{
	struct fixture *f = *state;
	const uint64_t ann[] = {ANN};

	setting(f);
	fix_outcome(f, 10, 0, D_DELETED);
	assert_int_equal(found(f, &(struct queue_wanted){ann, 1, 0}),
	    1 << 2 | 1 << 3);
	assert_int_equal(found(f, &(struct queue_wanted){.from = FROM_X}),
	    1 << 1 | 1 << 4);
	/* Another one takes its place in memory. */
	put(f, 20, BOB, FROM_Y);
	assert_int_equal(found(f, &(struct queue_wanted){ann, 1, 0}),
	    1 << 2 | 1 << 3);
	assert_int_equal(found(f, &(struct queue_wanted){.from = FROM_X}),
	    1 << 1 | 1 << 4);
}

static void a_sender_that_is_learnt_later_is_found(void **state)
{
	struct fixture *f = *state;

	setting(f);
	queue_sender(f->q, 14, sender(FROM_X));
	assert_int_equal(found(f, &(struct queue_wanted){.from = FROM_Y}),
	    1 << 2 | 1 << 3 | 1 << 5);
}

static void a_message_with_many_recipients_is_named_once(void **state)
{
	struct fixture *f = *state;
	struct delivery_ref i[3];
	struct queue_ids ids = {NULL, 0, 0};
	const uint64_t ann[] = {ANN};
	uint32_t at = 0;

	for (uint32_t n = 0; n < 3; n++) {
		i[n] = fix_item(f, n, LEGACY);
		i[n].hash = ANN;
	}
	assert_true(queue_insert(f->q, &(struct queue_arrival){30, 1, i,
	    .n = 3}));
	assert_false(queue_candidates(f->q, &(struct queue_wanted){ann, 1, 0},
	    &at, &ids));
	assert_int_equal(ids.n, 1);
	assert_int_equal(ids.id[0], 30);
	mem_free(ids.id);
}

/* More than the queue looks at in one call. */
static void all_of_a_long_queue_is_looked_at(void **state)
{
	struct fixture *f = *state;
	const uint64_t ann[] = {ANN}, bob[] = {BOB};
	struct queue_ids ids = {NULL, 0, 0};
	uint32_t at = 0;
	unsigned calls = 1;

	ledger_gate(f->ledger, LEGACY, GATE_SUSPENDED, true);
	for (uint64_t id = 1; id <= 120000; id++)
		put(f, id, id % 3 == 0 ? ANN : CID, FROM_X);
	put(f, 120001, BOB, FROM_X);
	while (queue_candidates(f->q, &(struct queue_wanted){ann, 1, 0}, &at,
	    &ids))
		calls++;
	assert_in_range(calls, 2, 10);
	assert_int_equal(ids.n, 40000);
	for (size_t i = 0; i < ids.n; i++)
		assert_int_equal(ids.id[i], 3 * (i + 1));
	ids.n = 0;
	at = 0;
	while (queue_candidates(f->q, &(struct queue_wanted){bob, 1, 0}, &at,
	    &ids))
		;
	assert_int_equal(ids.n, 1);
	ids.n = 0;
	at = 0;
	while (queue_candidates(f->q, &(struct queue_wanted){.from = FROM_X},
	    &at, &ids))
		;
	assert_int_equal(ids.n, 120001);
	mem_free(ids.id);
}

#define T(t) cmocka_unit_test_setup_teardown(t, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_recipient_or_sender_and_what_is_not_known_is_found),
		T(one_that_is_over_is_not_found),
		T(a_sender_that_is_learnt_later_is_found),
		T(a_message_with_many_recipients_is_named_once),
		T(all_of_a_long_queue_is_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
