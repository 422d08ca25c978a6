/* SPDX-License-Identifier: ISC
 *
 * The bulk lane: large bodies, stalled drafts, room, and what is given back.
 * Rows: doc/journal.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "relay/base/loop.h"
#include "tests/unit/spool_rig.h"

enum { SLOTS = 24 };

static struct rig *open_rig(void)
{
	struct rig *r = rig_new(SLOTS);

	if (!rig_open(r))
		fail_msg("%s", r->err.text);
	return r;
}

static unsigned bulk_segments(struct rig *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->spool->segs; i++)
		n += r->spool->seg[i] != NULL &&
		    r->spool->seg[i]->state == SEG_BULK;
	return n;
}

static void b1_a_large_body_spans_segments_and_restarts(void **state)
{
	static const size_t bodies[] = {4097, 65536, 300000, 8192};
	struct rig *r = open_rig();

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bodies); i++)
		rig_accept(r, bodies[i]);
	rig_pump(r);
	for (int turn = 0; turn < 2; turn++) {
		for (unsigned i = 0; i < r->n; i++)
			assert_int_equal(r->m[i].promise, P_STORED);
		assert_null(rig_check(r));
		assert_true(bulk_segments(r) >= 6);
		assert_int_equal(atomic_load(&r->spool->pool_used), 0);
		rig_close(r);
		assert_true(rig_open(r));
	}
	rig_free(r);
}

static void b2_bulk_segments_are_given_back_when_nothing_refers_to_them(
    void **state)
{
	struct rig *r = open_rig();

	(void)state;
	for (int i = 0; i < 12; i++) {
		struct rig_message *m = rig_accept(r, 200000);

		rig_pump(r);
		assert_int_equal(m->promise, P_STORED);
		rig_settle(r, m, D_DELIVERED, OP_SYNC);
		rig_pump(r);
		clock_fake_step(&r->clock, 2000000); /* past `retain` */
		rig_pump(r);
	}
	assert_true(r->spool->recycled > 10);
	assert_null(rig_check(r));
	/* Their records are still there, and name what is gone. */
	rig_close(r);
	assert_true(rig_open(r));
	assert_int_equal(r->damaged, 0);
	assert_null(rig_check(r));
	rig_free(r);
}

static void b3_an_aborted_draft_leaves_nothing(void **state)
{
	struct rig *r = open_rig();
	char *p = mem_new(60000);
	struct spool_draft *d;

	(void)state;
	for (int i = 0; i < 20; i++) {
		d = spool_draft_new(r->spool, 77, &r->in, NULL);
		if (spool_draft_add(d, slice_of(p, 60000), RIG_ROOM) ==
		    ADD_WAIT)
			rig_write(r);
		spool_draft_free(d);
		rig_pump(r);
	}
	assert_int_equal(atomic_load(&r->spool->pool_used), 0);
	for (unsigned i = 0; i < r->spool->segs; i++)
		if (r->spool->seg[i] != NULL) {
			assert_int_equal(r->spool->seg[i]->refs, 0);
			assert_int_equal(r->spool->seg[i]->pins, 0);
		}
	mem_free(p);
	rig_free(r);
}

/* An owner that adds all in one go does not wait, and gets no letter. */
static void b3_what_is_given_at_once_waits_for_nothing(void **state)
{
	struct rig *r = open_rig();
	struct spool_draft *d = spool_draft_new(r->spool, 9, &r->in, NULL);
	char *p = mem_new(30000);

	(void)state;
	assert_int_equal(spool_draft_add(d, slice_of(p, 30000), 0), ADD_OK);
	rig_write(r);
	assert_int_equal(r->room_letters, 0);
	spool_draft_free(d);
	mem_free(p);
	rig_free(r);
}

static void b4_a_fast_sender_waits_for_the_lane(void **state)
{
	struct rig *r = open_rig();
	struct spool_draft *d = spool_draft_new(r->spool, 9, &r->in, NULL);
	char *p = mem_new(30000);
	uint64_t size;

	(void)state;
	assert_int_equal(
	    spool_draft_add(d, slice_of(p, 30000), RIG_ROOM), ADD_WAIT);
	size = spool_draft_size(d);
	assert_int_equal(size, 30000);
	assert_int_equal(r->room_letters, 0);
	rig_write(r);
	assert_int_equal(r->room_letters, 1);
	assert_null(spool_draft_source(d));
	assert_int_equal(
	    spool_draft_add(d, slice_of(p, 10), RIG_ROOM), ADD_OK);
	spool_draft_free(d);
	mem_free(p);
	rig_free(r);
}

static void b5_a_stalled_draft_makes_room_when_memory_is_short(void **state)
{
	struct rig *r = rig_new(SLOTS);
	struct spool_draft *stalled;
	char p[3000] = {0};

	(void)state;
	r->c.body_memory_bytes = 4000;
	assert_true(rig_open(r));
	stalled = spool_draft_new(r->spool, 9, &r->in, NULL);
	assert_int_equal(
	    spool_draft_add(stalled, slice_of(p, 3000), RIG_ROOM), ADD_OK);
	steward_step(r->spool, spool_now_ms(r->spool));
	assert_false(stalled->bulk);
	clock_fake_step(&r->clock, 3000000);
	steward_step(r->spool, spool_now_ms(r->spool));
	assert_true(stalled->bulk);
	rig_write(r);
	assert_int_equal(stalled->pending, 0);
	/* The bytes that were added can still be read. */
	assert_int_equal(spool_draft_head(stalled).n, 3000);
	spool_draft_free(stalled);
	rig_free(r);
}

static void b6_when_memory_is_used_up_drafts_stream(void **state)
{
	struct rig *r = rig_new(SLOTS);

	(void)state;
	r->c.body_memory_bytes = 100;
	assert_true(rig_open(r));
	for (int i = 0; i < 5; i++)
		rig_accept(r, 2000);
	rig_pump(r);
	assert_true(bulk_segments(r) > 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(r->m[i].promise, P_STORED);
	assert_null(rig_check(r));
	rig_free(r);
}

/* Many senders at once, and a lane that is slow: each is stopped before memory
 * is used up, each goes on when the lane has its bytes, and what a stalled one
 * left in memory goes to disk too. */
static void b9_memory_has_a_ceiling_and_nobody_waits_for_ever(void **state)
{
	enum { MANY = 25, MEMORY = 1 << 20, ROUNDS = 8 };
	struct rig *r = rig_new(SLOTS);
	struct spool_draft *d[MANY];
	char p[3000] = {0};
	unsigned waits = 0;

	(void)state;
	r->c.body_memory_bytes = MEMORY;
	assert_true(rig_open(r));
	for (int i = 0; i < MANY; i++)
		d[i] = spool_draft_new(r->spool, 10 + i, &r->in, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		bool waiting[MANY] = {false};

		for (int k = 0; k < 5; k++)
			for (int i = 0; i < MANY; i++) {
				if (waiting[i])
					continue;
				waiting[i] = spool_draft_add(d[i],
				    slice_of(p, sizeof(p)), RIG_ROOM) ==
				    ADD_WAIT;
				waits += waiting[i];
			}
		assert_in_range(atomic_load(&r->spool->pool_used), 0, MEMORY);
		rig_pump(r);
		assert_int_equal(r->room_letters, waits);
	}
	assert_true(waits > MANY);
	/* A reload gives more: no draft has to wait. */
	spool_memory_set(r->spool, 64 << 20, 0);
	assert_false(spool_memory_tight(r->spool));
	spool_memory_set(r->spool, MEMORY, 0);
	clock_fake_step(&r->clock, 3000000);
	steward_step(r->spool, spool_now_ms(r->spool));
	rig_pump(r);
	for (int i = 0; i < MANY; i++) {
		if (spool_memory_tight(r->spool))
			assert_int_equal(d[i]->pending, 0);
		spool_draft_free(d[i]);
	}
	assert_int_equal(atomic_load(&r->spool->pool_used), 0);
	assert_int_equal(atomic_load(&r->spool->reserved), 0);
	rig_free(r);
}

/* However small its parts are, a body is stored whole. */
static void b10_a_body_in_small_parts_is_whole(void **state)
{
	struct rig *r = rig_new(SLOTS);
	struct spool_draft *hog;
	char p[7000] = {0};

	(void)state;
	r->c.body_memory_bytes = 8000; /* 7/8 of it is taken: tight */
	assert_true(rig_open(r));
	hog = spool_draft_new(r->spool, 9, &r->in, NULL);
	assert_int_equal(
	    spool_draft_add(hog, slice_of(p, 6500), 0), ADD_OK);
	assert_true(spool_memory_tight(r->spool));
	for (size_t n = 1; n <= 60000; n = n * 3 + 1)
		rig_accept(r, n);
	rig_pump(r);
	for (unsigned i = 0; i < r->n; i++)
		assert_int_equal(r->m[i].promise, P_STORED);
	assert_null(rig_check(r));
	spool_draft_free(hog);
	rig_free(r);
}

/* All but the last byte of a part fits the blocks of the draft. */
static void b10_a_part_may_leave_one_byte_for_the_next_block(void **state)
{
	struct rig *r = rig_new(SLOTS);

	(void)state;
	r->c.body_memory_bytes = 1 << 20;
	assert_true(rig_open(r));
	for (size_t blocks = 1; blocks <= 3; blocks++) {
		struct rig_message *m;

		r->piece = blocks * CHUNK_BYTES + 1;
		m = rig_accept(r, r->piece);
		rig_pump(r);
		assert_int_equal(m->promise, P_STORED);
	}
	assert_null(rig_check(r));
	rig_free(r);
}

static void b7_a_bounce_with_a_large_dsn_is_one_group(void **state)
{
	struct rig *r = open_rig();
	struct rig_message *m = rig_accept(r, 500), *dsn;
	struct spool_op *op = spool_op_new();
	struct spool_delivery to = rig_delivery(r, D_QUEUED);
	struct spool_update u = {.to = rig_delivery(r, D_BOUNCED)};
	char *p = mem_new(10000);

	(void)state;
	rig_pump(r);
	dsn = &r->m[r->n++];
	*dsn = (struct rig_message){.id = r->next_id++, .body = 10000};
	rig_body(dsn->id, p, 10000);
	op->group = spool_draft_new(r->spool, dsn->id, &r->in, NULL);
	assert_int_equal(
	    spool_draft_add(op->group, slice_of(p, 10000), RIG_ROOM), ADD_OK);
	spool_draft_prepare(op->group, SLICE("dsn"), &to, 1);
	spool_op_update(op, m->id, r->clock.wall, &u, 1);
	op->to = &r->in;
	op->kind = RIG_OP;
	op->arg = m;
	spool_post(r->spool, op);
	rig_pump(r);
	assert_int_equal(m->promise, P_SETTLED);
	assert_int_equal(dsn->promise, P_STORED);
	assert_null(rig_check(r));
	mem_free(p);
	rig_free(r);
}

struct reading {
	struct source *source;
	bool ready;
	unsigned letters;
	struct spool_fetch *fetch;
};

static void on_ready(void *arg)
{
	((struct reading *)arg)->ready = true;
}

static void on_letter(void *arg, struct letter *l)
{
	struct reading *rd = arg;

	rd->letters++;
	rd->fetch = CONTAINER_OF(l, struct spool_fetch, letter);
}

/* On a loop, next() never blocks: it says WAIT, and `ready` is called. */
static void b8_a_source_on_a_loop_waits_for_the_readers(void **state)
{
	struct rig *r = open_rig();
	struct rig_message *m = rig_accept(r, 100000);
	struct loop *loop = loop_new(&clock_system);
	struct mailbox box;
	struct reading rd = {0};
	struct slice chunk;
	char *want = mem_new(100000);
	size_t at = 0;
	unsigned waits = 0, k;

	(void)state;
	rig_pump(r);
	rig_body(m->id, want, m->body);
	mailbox_init(&box);
	mailbox_attach(&box, loop, on_letter, &rd);
	rd.fetch = spool_fetch_new(m->id, &box, RIG_FETCH);
	rd.fetch->want_body = true;
	spool_fetch_post(r->spool, rd.fetch);
	for (k = 0; k < READERS; k++)
		reader_step(r->spool, k);
	loop_once(loop, 1000);
	assert_int_equal(rd.letters, 1);
	rd.source = rd.fetch->source;
	rd.fetch->source = NULL;
	spool_fetch_free(rd.fetch);
	rd.source->ready = on_ready;
	rd.source->ready_arg = &rd;
	for (;;) {
		enum source_state st = source_next(rd.source, &chunk);

		if (st == SOURCE_END)
			break;
		if (st == SOURCE_CHUNK) {
			assert_memory_equal(want + at, chunk.p, chunk.n);
			at += chunk.n;
			if (at > 50000 && waits < 100) { /* begin again */
				source_rewind(rd.source);
				at = 0;
				waits = 100;
			}
			continue;
		}
		assert_int_equal(st, SOURCE_WAIT);
		assert_false(rd.ready); /* never from inside */
		waits++;
		/* Twice where another piece was on its way. */
		for (int i = 0; i < 2 && !rd.ready; i++) {
			for (k = 0; k < READERS; k++)
				reader_step(r->spool, k);
			loop_once(loop, 1000);
		}
		assert_true(rd.ready);
		rd.ready = false;
	}
	assert_int_equal(at, 100000);
	assert_true(waits > 100);
	/* Freed with a load under way: the reader's answer finds no source. */
	source_rewind(rd.source);
	assert_int_equal(source_next(rd.source, &chunk), SOURCE_WAIT);
	source_free(rd.source);
	for (k = 0; k < READERS; k++)
		reader_step(r->spool, k);
	loop_once(loop, 1000);
	assert_true(list_empty(&r->spool->hubs));
	mailbox_fini(&box);
	loop_free(loop);
	mem_free(want);
	rig_free(r);
}

/* Others took of what the spool leaves them, and the wall clock is set a year
 * ahead: what is retained by its age stays. */
static void b11_a_clock_that_is_set_ends_no_retention(void **state)
{
	struct rig *r = rig_new(500);
	struct rig_message *m;
	int64_t keep = 4 * 65536;
	unsigned before;

	(void)state;
	r->c.retain_us = INT64_C(3600) * 1000000;
	r->disk->space = r->disk->total = 16 * keep;
	assert_true(rig_open(r));
	m = rig_accept(r, 200000);
	rig_pump(r);
	rig_settle(r, m, D_DELIVERED, OP_SYNC);
	rig_pump(r);
	before = bulk_segments(r);
	assert_true(before > 0);
	r->clock.wall += INT64_C(366) * 86400 * 1000000;
	for (int i = 0; i < 20; i++) {
		r->disk->space = keep * 3 / 4;
		rig_pump(r);
	}
	assert_int_equal(bulk_segments(r), before);
	rig_free(r);
}

/* The lane writes whole blocks, so a piece of a byte would take a block. */
static void b12_a_trickle_while_memory_is_short_takes_few_blocks(void **state)
{
	struct rig *r = rig_new(SLOTS);
	struct spool_draft *d;

	(void)state;
	r->c.body_memory_bytes = 64 << 10;
	assert_true(rig_open(r));
	spool_memory_held(r->spool, 57 << 10); /* others have 7/8 of it */
	d = spool_draft_new(r->spool, 7, &r->in, NULL);
	for (int i = 0; i < 3000; i++) {
		assert_int_not_equal(
		    spool_draft_add(d, SLICE("a"), RIG_ROOM), ADD_FULL);
		rig_write(r);
	}
	assert_int_equal(r->spool->bulk.generation, 1);
	assert_in_range(r->spool->bulk.at, 1, 3 * BLOCK);
	spool_draft_free(d);
	rig_write(r);
	spool_memory_held(r->spool, -(57 << 10));
	assert_int_equal(atomic_load(&r->spool->pool_used), 0);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(b1_a_large_body_spans_segments_and_restarts),
	    cmocka_unit_test(
		b2_bulk_segments_are_given_back_when_nothing_refers_to_them),
	    cmocka_unit_test(b3_an_aborted_draft_leaves_nothing),
	    cmocka_unit_test(b3_what_is_given_at_once_waits_for_nothing),
	    cmocka_unit_test(b4_a_fast_sender_waits_for_the_lane),
	    cmocka_unit_test(
		b5_a_stalled_draft_makes_room_when_memory_is_short),
	    cmocka_unit_test(b6_when_memory_is_used_up_drafts_stream),
	    cmocka_unit_test(
		b9_memory_has_a_ceiling_and_nobody_waits_for_ever),
	    cmocka_unit_test(b10_a_body_in_small_parts_is_whole),
	    cmocka_unit_test(
		b10_a_part_may_leave_one_byte_for_the_next_block),
	    cmocka_unit_test(b7_a_bounce_with_a_large_dsn_is_one_group),
	    cmocka_unit_test(b8_a_source_on_a_loop_waits_for_the_readers),
	    cmocka_unit_test(b11_a_clock_that_is_set_ends_no_retention),
	    cmocka_unit_test(
		b12_a_trickle_while_memory_is_short_takes_few_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
