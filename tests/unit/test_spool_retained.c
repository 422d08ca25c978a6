/* SPDX-License-Identifier: ISC
 *
 * Mail that is over and kept still: read by its id, and given a new delivery.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "relay/spool/tail/tail.h"
#include "tests/unit/spool_rig.h"

enum { SLOTS = 16, BODY = 700, LARGE = 9000 };

static struct rig *make(void)
{
	struct rig *r = rig_new(SLOTS);

	r->c.retain_us = INT64_C(3600) * 1000000;
	assert_true(rig_open(r));
	return r;
}

/* Stored, deferred once, and delivered `between` other messages later. */
static struct rig_message *over(struct rig *r, size_t body, unsigned between)
{
	struct rig_message *m = rig_accept(r, body);

	rig_pump(r);
	rig_settle(r, m, D_DEFERRED, OP_SYNC);
	for (unsigned i = 0; i < between; i++) {
		rig_accept(r, 3000);
		rig_pump(r);
	}
	rig_settle(r, m, D_DELIVERED, OP_SYNC);
	rig_pump(r);
	assert_int_equal(m->promise, P_SETTLED);
	return m;
}

static struct spool_fetch *kept(struct rig *r, struct rig_message *m)
{
	struct spool_fetch *f = rig_fetch_kept(r, m->id);

	if (f->status != 0)
		fail_msg("%s", f->err.text);
	assert_true(rig_same_body(f, m));
	assert_int_equal(f->size, m->body);
	assert_true(slice_eq(strbuf_view(&f->envelope), SLICE("envelope")));
	return f;
}

static void is_kept(struct rig *r, struct rig_message *m)
{
	struct spool_fetch *f = kept(r, m);

	assert_true(f->over);
	assert_int_equal(f->deliveries, 1);
	assert_int_equal(f->delivery[0].state, D_DELIVERED);
	assert_int_equal(f->delivery[0].attempts, 1);
	assert_true(slice_eq(strbuf_view(&f->reply[0]),
	    SLICE("250 2.0.0 taken")));
	spool_fetch_free(f);
	/* Only those who ask for it get it. */
	f = rig_fetch(r, m->id, true);
	assert_int_equal(f->status, -1);
	spool_fetch_free(f);
}

/* A segment is read only for ids between those that it names. */
static void first_names_from(const struct rig *r, uint64_t id)
{
	const struct segment *first = LIST_ENTRY(r->spool->mains.next,
	    struct segment, node);

	assert_int_equal(first->generation, 1);
	assert_true(first->id_min == id);
	assert_true(first->id_max >= id);
}

static void reopen(struct rig *r)
{
	rig_close(r);
	assert_true(rig_open(r));
	assert_int_equal(r->damaged, 0);
}

/* V1: from one segment, from several, from the bulk lane, and after a
 * restart. */
static void v1_mail_that_is_over_is_read_by_its_id(void **state)
{
	struct rig *r = make();
	struct rig_message *at_once = over(r, BODY, 0);
	struct rig_message *later = over(r, BODY, 40);
	struct rig_message *large = over(r, LARGE, 3);
	struct rig_message *never = &r->m[r->n++];
	struct spool_fetch *f;

	(void)state;
	assert_true(r->spool->journal.generation >= 3);
	for (int i = 0; i < 2; i++) {
		first_names_from(r, at_once->id);
		is_kept(r, at_once);
		is_kept(r, later);
		is_kept(r, large);
		reopen(r);
	}
	*never = (struct rig_message){.id = 5};
	f = rig_fetch_kept(r, never->id);
	assert_int_equal(f->status, -1);
	assert_string_equal(f->err.text,
	    "no such message is in the queue, or kept");
	spool_fetch_free(f);
	rig_free(r);
}

/* Its segments are given back once it was kept for long enough. */
static void v2_it_is_gone_with_its_segment(void **state)
{
	struct rig *r = make();
	struct rig_message *m = over(r, BODY, 0);
	struct spool_fetch *f;

	(void)state;
	is_kept(r, m);
	clock_fake_step(&r->clock, INT64_C(3700) * 1000000);
	r->c.retain_us = r->spool->c.retain_us = 0;
	while (r->spool->journal.oldest <= 1)
		over(r, 3000, 0);
	f = rig_fetch_kept(r, m->id);
	assert_int_equal(f->status, -1);
	spool_fetch_free(f);
	rig_free(r);
}

/* ---- revived ---- */

static struct spool_op *revival(struct rig *r, struct rig_message *m)
{
	struct spool_fetch *f = kept(r, m);
	struct spool_update more = {.to = rig_delivery(r, D_QUEUED),
	    .detail = SLICE("by an administrator")};
	struct spool_op *op = spool_op_new();

	more.to.leg = (uint16_t)names_id(r->names, SLICE("cloud"));
	more.to.flags = DF_PINNED | DF_REPLAYED;
	op->to = &r->in;
	op->kind = RIG_OP;
	spool_op_revive(r->spool, op, f, &more, 1);
	spool_fetch_free(f);
	return op;
}

static void revive(struct rig *r, struct rig_message *m)
{
	spool_post(r->spool, revival(r, m));
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_STORED);
	m->promise = P_STORED;
}

static void is_live_again(struct rig *r, struct rig_message *m)
{
	struct spool_fetch *f = kept(r, m);
	const struct spool_delivery *d = f->delivery;

	assert_false(f->over);
	assert_int_equal(f->deliveries, 2);
	assert_int_equal(d[0].state, D_DELIVERED);
	assert_int_equal(d[1].state, D_QUEUED);
	assert_int_equal(d[1].flags, DF_PINNED | DF_REPLAYED);
	assert_string_equal(names_text(r->names, d[1].leg), "cloud");
	/* A lifetime of its own. */
	assert_true(d[1].created_us > d[0].created_us);
	assert_true(slice_eq(strbuf_view(&f->reply[0]),
	    SLICE("250 2.0.0 taken")));
	assert_true(slice_eq(strbuf_view(&f->reply[1]),
	    SLICE("by an administrator")));
	spool_fetch_free(f);
	assert_null(rig_check(r));
}

static void end_again(struct rig *r, struct rig_message *m)
{
	struct spool_op *op = spool_op_new();
	struct spool_update u = {.delivery = 1,
	    .to = rig_delivery(r, D_DELIVERED)};

	u.to.leg = (uint16_t)names_id(r->names, SLICE("cloud"));
	op->to = &r->in;
	op->kind = RIG_OP;
	op->flags = OP_SYNC;
	spool_op_update(op, m->id, r->clock.wall, &u, 1);
	spool_post(r->spool, op);
	rig_pump(r);
	m->promise = P_SETTLED;
}

static void v3_it_gets_a_new_delivery(void **state)
{
	struct rig *r = make();
	struct rig_message *m[3];

	(void)state;
	m[0] = over(r, BODY, 0);
	m[1] = over(r, BODY, 40);
	m[2] = over(r, LARGE, 3);
	for (int i = 0; i < 3; i++) {
		revive(r, m[i]);
		is_live_again(r, m[i]);
	}
	reopen(r);
	for (int i = 0; i < 3; i++) {
		struct spool_fetch *f;

		is_live_again(r, m[i]);
		end_again(r, m[i]);
		f = kept(r, m[i]);
		assert_true(f->over);
		assert_int_equal(f->deliveries, 2);
		assert_int_equal(f->delivery[1].state, D_DELIVERED);
		spool_fetch_free(f);
	}
	reopen(r);
	revive(r, m[1]); /* and a third one */
	assert_true(rig_live(r, m[1]));
	rig_free(r);
}

/* As with updates: the states stay, and it is revived. */
static void what_was_said_goes_where_no_record_holds_it(void **state)
{
	struct rig *r = make();
	struct rig_message *m = over(r, BODY, 0);
	struct spool_fetch *f = kept(r, m);
	size_t n = r->spool->record_max;
	char *said = mem_new(n);
	struct spool_update more = {.to = rig_delivery(r, D_QUEUED),
	    .detail = {memset(said, 'x', n), n}};
	struct spool_op *op = spool_op_new();

	(void)state;
	assert_true(spool_revive_holds(r->spool, 2, 0));
	assert_false(spool_revive_holds(r->spool, 2, n));
	op->to = &r->in;
	op->kind = RIG_OP;
	spool_op_revive(r->spool, op, f, &more, 1);
	spool_fetch_free(f);
	mem_free(said);
	spool_post(r->spool, op);
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_STORED);
	m->promise = P_STORED;
	f = kept(r, m);
	assert_int_equal(f->delivery[0].state, D_DELIVERED);
	assert_int_equal(f->delivery[1].state, D_QUEUED);
	assert_int_equal(f->reply[0].n + f->reply[1].n, 0);
	spool_fetch_free(f);
	rig_free(r);
}

static void v4_it_is_carried_as_any_live_one(void **state)
{
	struct rig *r = make();
	struct rig_message *m = over(r, BODY, 0), *large = over(r, LARGE, 0);

	(void)state;
	revive(r, m);
	revive(r, large);
	r->spool->c.retain_us = 0;
	clock_fake_step(&r->clock, INT64_C(3700) * 1000000);
	for (int round = 0; round < 2; round++) {
		uint64_t generation = r->spool->journal.generation;

		while (r->spool->journal.oldest <= generation)
			over(r, 3000, 0);
		is_live_again(r, m);
		is_live_again(r, large);
	}
	reopen(r);
	is_live_again(r, m);
	is_live_again(r, large);
	rig_free(r);
}

/* V5: two requests that were made of one state, in one batch or in two; and
 * one for what was given back meanwhile. */
static void v5_there_is_nothing_to_revive_twice(void **state)
{
	struct rig *r = make();
	struct rig_message *m = over(r, BODY, 0);
	struct spool_op *first, *second, *late;

	(void)state;
	first = revival(r, m);
	second = revival(r, m);
	late = revival(r, m);
	spool_post(r->spool, first);
	spool_post(r->spool, second);
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_GONE);
	m->promise = P_STORED;
	is_live_again(r, m);
	spool_post(r->spool, late);
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_GONE);
	is_live_again(r, m);
	rig_free(r);
}

static void v6_not_once_its_segment_was_given_back(void **state)
{
	struct rig *r = make();
	struct rig_message *m = over(r, BODY, 0), *large = over(r, LARGE, 0);
	struct spool_op *op = revival(r, m), *bulk = revival(r, large);

	(void)state;
	r->spool->c.retain_us = 0;
	clock_fake_step(&r->clock, INT64_C(3700) * 1000000);
	while (r->spool->journal.oldest <= 1)
		over(r, 3000, 0);
	spool_post(r->spool, op);
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_GONE);
	spool_post(r->spool, bulk);
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_GONE);
	assert_null(rig_check(r));
	rig_free(r);
}

/* V7: a power cut before each call that changes the disk. */
struct cuts {
	struct rig *r;
	struct fakedisk *disk[CUTS * 40];
	unsigned n;
};

static void on_call(void *arg, enum fake_call call)
{
	struct cuts *c = arg;

	(void)call;
	for (int how = 0; how < CUTS && c->n < ARRAY_LEN(c->disk); how++) {
		c->disk[c->n] = fakedisk_cut(c->r->disk, (enum fake_cut)how,
		    c->n);
		c->n++;
	}
}

static void v7_a_cut_leaves_it_over_or_live(void **state)
{
	struct rig *r = make();
	struct rig_message *m = over(r, LARGE, 2);
	struct cuts c = {.r = r};
	unsigned live = 0;

	(void)state;
	r->disk->before_arg = &c;
	r->disk->before = on_call;
	revive(r, m);
	on_call(&c, CALL_SYNC);
	r->disk->before = NULL;
	m->promise = P_NONE;
	for (unsigned i = 0; i < c.n; i++) {
		struct rig *q = rig_over(c.disk[i], r);
		bool last = i + CUTS >= c.n;

		assert_true(rig_open(q));
		assert_int_equal(q->damaged, 0);
		if (live_find(&q->spool->index.table, m->id) != 0) {
			is_live_again(q, m);
			live++;
		} else {
			assert_false(last);
			is_kept(q, m);
		}
		rig_free(q);
	}
	assert_true(live >= CUTS && live < c.n);
	rig_free(r);
}

/* V8: the projector sees what it creates. */
static void v8_the_tail_tells_an_update(void **state)
{
	struct rig *r = make();
	struct rig_message *m = over(r, BODY, 0);
	struct spool_record rec;
	struct spool_gap gap;
	struct spool_tail *t;
	unsigned created = 0;

	(void)state;
	revive(r, m);
	t = spool_tail_open(r->spool, (struct spool_pos){0});
	while (spool_tail_next(t, &rec, &gap) == TAIL_RECORD) {
		if (rec.type != REC_UPDATE || rec.old_state[0] != D_NONE)
			continue;
		assert_true(rec.id == m->id);
		assert_int_equal(rec.updates, 1);
		assert_int_equal(rec.update[0].delivery, 1);
		assert_int_equal(rec.update[0].to.state, D_QUEUED);
		assert_int_equal(rec.update[0].to.flags,
		    DF_PINNED | DF_REPLAYED);
		created++;
	}
	assert_int_equal(created, 1);
	spool_tail_close(t);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(v1_mail_that_is_over_is_read_by_its_id),
	    cmocka_unit_test(v2_it_is_gone_with_its_segment),
	    cmocka_unit_test(v3_it_gets_a_new_delivery),
	    cmocka_unit_test(what_was_said_goes_where_no_record_holds_it),
	    cmocka_unit_test(v4_it_is_carried_as_any_live_one),
	    cmocka_unit_test(v5_there_is_nothing_to_revive_twice),
	    cmocka_unit_test(v6_not_once_its_segment_was_given_back),
	    cmocka_unit_test(v7_a_cut_leaves_it_over_or_live),
	    cmocka_unit_test(v8_the_tail_tells_an_update),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
