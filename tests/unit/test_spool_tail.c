/* SPDX-License-Identifier: ISC
 *
 * The projector's view: every synced record once, in order, from any place,
 * over restarts, and a counted gap when it was too slow. Rows: doc/journal.md.
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

enum { SLOTS = 8, SEEN_MAX = 4000 };

struct seen {
	enum record_type type;
	uint64_t id;
	struct spool_pos pos, next;
};

struct watch {
	struct seen s[SEEN_MAX];
	unsigned n;
	uint64_t skipped;
	unsigned gaps, fails;
	struct spool_gap gap; /* the last */
};

/* The next that is not of the journal's own bookkeeping. */
static enum tail_got next_told(struct spool_tail *t, struct spool_record *rec,
    struct spool_gap *gap)
{
	enum tail_got got;

	do
		got = spool_tail_next(t, rec, gap);
	while (got == TAIL_RECORD && rec->type == REC_TOTALS);
	return got;
}

static void read_all(struct rig *r, struct spool_tail *t, struct watch *w)
{
	struct spool_record rec;
	struct spool_gap gap;
	int rc;

	(void)r;
	while ((rc = next_told(t, &rec, &gap)) != TAIL_NONE) {
		if (rc == TAIL_FAILED) {
			w->fails++;
			return;
		}
		if (rc == TAIL_GAP) {
			w->gaps++;
			w->skipped += gap.generations;
			w->gap = gap;
			continue;
		}
		assert_true(w->n < SEEN_MAX);
		w->s[w->n++] =
		    (struct seen){rec.type, rec.id, rec.pos, rec.next};
	}
}

static bool before(struct spool_pos a, struct spool_pos b)
{
	return a.generation < b.generation ||
	    (a.generation == b.generation && a.offset < b.offset);
}

/* Accepts and settles n messages; two records each, in order. */
static void traffic(struct rig *r, unsigned n)
{
	while (n-- > 0) {
		struct rig_message *m = rig_accept(r, 3000);

		rig_pump(r);
		assert_int_equal(m->promise, P_STORED);
		rig_settle(r, m, D_DELIVERED, OP_SYNC);
		rig_pump(r);
	}
}

static void p1_every_record_comes_once_and_in_order(void **state)
{
	struct rig *r = rig_new(64);
	struct watch *w = NEW(struct watch);
	struct spool_tail *t;

	(void)state;
	r->c.retain_us = INT64_C(1) << 50;
	assert_true(rig_open(r));
	t = spool_tail_open(r->spool, (struct spool_pos){0});
	for (int i = 0; i < 10; i++) {
		traffic(r, 5);
		read_all(r, t, w);
		assert_int_equal(w->n, (unsigned)(i + 1) * 10);
	}
	for (unsigned i = 0; i < w->n; i++) {
		assert_int_equal(w->s[i].type,
		    i % 2 == 0 ? REC_ACCEPTED : REC_UPDATE);
		assert_int_equal(w->s[i].id, r->m[i / 2].id);
		if (i > 0)
			assert_true(before(w->s[i - 1].pos, w->s[i].pos));
		assert_true(before(w->s[i].pos, w->s[i].next));
	}
	assert_true(w->s[w->n - 1].pos.generation > 3);
	spool_tail_close(t);
	mem_free(w);
	rig_free(r);
}

static void p2_any_place_can_be_gone_on_from_over_restarts(void **state)
{
	struct rig *r = rig_new(64);
	struct watch *all = NEW(struct watch), *some = NEW(struct watch);
	struct spool_tail *t;

	(void)state;
	r->c.retain_us = INT64_C(1) << 50;
	assert_true(rig_open(r));
	traffic(r, 25);
	rig_bounce(r, rig_accept(r, 100));
	rig_pump(r);
	rig_bounce(r, &r->m[r->n - 2]); /* needs it to be stored */
	rig_pump(r);
	rig_close(r);
	assert_true(rig_open(r));
	t = spool_tail_open(r->spool, (struct spool_pos){0});
	read_all(r, t, all);
	spool_tail_close(t);
	for (unsigned i = 0; i + 1 < all->n; i++) {
		some->n = 0;
		t = spool_tail_open(r->spool, all->s[i].next);
		read_all(r, t, some);
		spool_tail_close(t);
		assert_int_equal(some->n, all->n - i - 1);
		assert_memory_equal(some->s, all->s + i + 1,
		    some->n * sizeof(some->s[0]));
	}
	mem_free(all);
	mem_free(some);
	rig_free(r);
}

static void p3_a_group_is_given_as_its_parts(void **state)
{
	struct rig *r = rig_new(SLOTS);
	struct rig_message *m, *dsn;
	struct spool_record rec;
	struct spool_tail *t;
	struct spool_gap gap;

	(void)state;
	assert_true(rig_open(r));
	m = rig_accept(r, 100);
	rig_pump(r);
	t = spool_tail_open(r->spool, (struct spool_pos){0});
	assert_int_equal(next_told(t, &rec, &gap), 1);
	assert_int_equal(rec.type, REC_ACCEPTED);
	assert_int_equal(rec.body_bytes, 100);
	assert_true(slice_eq(rec.envelope, SLICE("envelope")));
	assert_int_equal(rec.delivery[0].state, D_QUEUED);
	assert_int_equal(next_told(t, &rec, &gap), 0);
	dsn = rig_bounce(r, m);
	rig_pump(r);
	assert_int_equal(next_told(t, &rec, &gap), 1);
	assert_int_equal(rec.type, REC_UPDATE);
	assert_int_equal(rec.id, m->id);
	assert_int_equal(rec.old_state[0], D_QUEUED);
	assert_int_equal(rec.update[0].to.state, D_BOUNCED);
	assert_true(slice_eq(rec.update[0].detail, SLICE("250 2.0.0 taken")));
	assert_int_equal(next_told(t, &rec, &gap), 1);
	assert_int_equal(rec.type, REC_ACCEPTED);
	assert_int_equal(rec.id, dsn->id);
	assert_true(slice_eq(rec.envelope, SLICE("dsn")));
	spool_tail_close(t);
	rig_free(r);
}

static void p4_what_is_not_synced_is_not_seen(void **state)
{
	struct rig *r = rig_new(SLOTS);
	struct spool_record rec;
	struct spool_tail *t;
	struct spool_gap gap;

	(void)state;
	assert_true(rig_open(r));
	t = spool_tail_open(r->spool, (struct spool_pos){0});
	r->disk->fault = FAULT_EIO;
	r->disk->fail_mask = 1u << CALL_SYNC;
	r->disk->fail_at = 1;
	rig_accept(r, 100);
	rig_write(r);
	assert_int_equal(next_told(t, &rec, &gap), 0);
	rig_pump(r);
	assert_int_equal(next_told(t, &rec, &gap), 0);
	spool_tail_close(t);
	rig_free(r);
}

static void p5_a_segment_waits_for_the_projector(void **state)
{
	struct rig *r = rig_new(24);
	struct watch *w = NEW(struct watch);
	struct spool_stats st;
	struct spool_tail *t;

	(void)state;
	r->c.projector = true;
	assert_true(rig_open(r));
	traffic(r, 60);
	spool_stats(r->spool, &st);
	assert_int_equal(st.recycled, 0); /* though there is nothing live */
	t = spool_tail_open(r->spool, (struct spool_pos){0});
	read_all(r, t, w);
	assert_int_equal(w->n, 120);
	spool_tail_done(r->spool, w->s[w->n - 1].next);
	traffic(r, 60);
	spool_stats(r->spool, &st);
	assert_true(st.recycled > 3);
	read_all(r, t, w);
	assert_int_equal(w->gaps, 0);
	spool_tail_close(t);
	mem_free(w);
	rig_free(r);
}

static void p6_a_projector_that_is_too_slow_is_told_what_it_missed(
    void **state)
{
	struct rig *r = rig_new(6);
	struct watch *w = NEW(struct watch);
	struct spool_tail *t;

	(void)state;
	r->c.projector = true;
	assert_true(rig_open(r));
	traffic(r, 200); /* mail wins */
	for (unsigned i = 0; i < r->n; i++)
		assert_int_equal(r->m[i].promise, P_SETTLED);
	t = spool_tail_open(r->spool, (struct spool_pos){1, 0});
	read_all(r, t, w);
	assert_int_equal(w->gaps, 1);
	assert_true(w->skipped >= 3);
	assert_int_equal(w->s[0].pos.generation, 1 + w->skipped);
	assert_int_equal(w->s[w->n - 1].id, r->m[r->n - 1].id);
	spool_tail_close(t);
	mem_free(w);
	rig_free(r);
}

static void p7_carries_show_what_the_message_had_become(void **state)
{
	struct rig *r = rig_new(7);
	struct rig_message *m;
	struct watch *w = NEW(struct watch);
	struct spool_tail *t;
	unsigned carries = 0;

	(void)state;
	assert_true(rig_open(r));
	m = rig_accept(r, 50);
	rig_pump(r);
	rig_settle(r, m, D_PARKED, OP_SYNC);
	rig_pump(r);
	traffic(r, 150);
	t = spool_tail_open(r->spool, (struct spool_pos){0});
	read_all(r, t, w);
	for (unsigned i = 0; i < w->n; i++)
		if (w->s[i].type == REC_CARRY) {
			assert_int_equal(w->s[i].id, m->id);
			carries++;
		}
	assert_true(carries >= 1);
	assert_true(rig_live(r, m));
	spool_tail_close(t);
	mem_free(w);
	rig_free(r);
}

/* ---- what cannot be read, and what is damaged ---- */

enum { MESSAGES = 6 };

/* Two records of each message stand on the disk, in batches of their own. */
static struct rig *six(void)
{
	struct rig *r = rig_new(64);

	r->c.retain_us = INT64_C(1) << 50;
	assert_true(rig_open(r));
	traffic(r, MESSAGES);
	return r;
}

static void fail_reads(struct rig *r, unsigned at, bool on)
{
	r->disk->fault = FAULT_EIO;
	r->disk->fail_mask = 1u << CALL_READ;
	r->disk->calls = 0;
	r->disk->fail_at = at;
	r->disk->fail_on = on;
}

static void p8_a_read_that_fails_once_skips_nothing(void **state)
{
	struct watch *w = NEW(struct watch);

	(void)state;
	for (unsigned at = 1; at < 200; at++) {
		struct rig *r = six();
		struct spool_tail *t =
		    spool_tail_open(r->spool, (struct spool_pos){0});

		/* The whole run fails, and the block too; then all is well. */
		fail_reads(r, at, true);
		*w = (struct watch){0};
		read_all(r, t, w);
		r->disk->fault = FAULT_NONE;
		if (w->fails == 0)
			at = 200;
		read_all(r, t, w);
		assert_int_equal(w->gaps, 0);
		assert_int_equal(w->n, 2 * MESSAGES);
		spool_tail_close(t);
		rig_free(r);
	}
	mem_free(w);
}

static void p9_what_stays_unreadable_is_a_gap_when_it_is_passed(void **state)
{
	struct watch *w = NEW(struct watch);
	struct rig *r = six();
	struct spool_tail *t =
	    spool_tail_open(r->spool, (struct spool_pos){0});

	(void)state;
	fail_reads(r, 1, true);
	for (int i = 0; i < 3; i++)
		read_all(r, t, w);
	assert_int_equal(w->fails, 3);
	assert_int_equal(w->n, 0);
	assert_int_equal(w->gaps, 0);
	spool_tail_pass(t);
	read_all(r, t, w);
	assert_int_equal(w->gaps, 1);
	assert_false(w->gap.damaged);
	r->disk->fault = FAULT_NONE;
	traffic(r, 1);
	read_all(r, t, w);
	assert_int_equal(w->gaps, 1);
	assert_int_equal(w->n, 2);
	assert_int_equal(w->s[0].id, r->m[MESSAGES].id);
	spool_tail_close(t);
	mem_free(w);
	rig_free(r);
}

/* Each byte of a head, of a record, of a body. */
static void p10_what_is_damaged_is_a_gap_once_and_the_rest_comes(
    void **state)
{
	struct watch *w = NEW(struct watch);
	struct rig *r = six();
	struct spool_tail *t =
	    spool_tail_open(r->spool, (struct spool_pos){0});
	struct spool_pos at;
	size_t bytes;
	char *disk;

	(void)state;
	read_all(r, t, w);
	spool_tail_close(t);
	at = w->s[4].pos; /* the third message's acceptance */
	disk = fakedisk_bytes(r->disk, "/spool/seg.0000", &bytes);
	assert_non_null(disk);
	for (uint64_t off = at.offset - BATCH_HEAD; off < at.offset + 100;
	     off++) {
		bool head = off < at.offset;

		disk[off] ^= 0x40;
		*w = (struct watch){0};
		t = spool_tail_open(r->spool, (struct spool_pos){0});
		read_all(r, t, w);
		assert_int_equal(w->gaps, 1);
		assert_true(w->gap.damaged && w->gap.bytes > 0);
		assert_int_equal(w->n, 2 * MESSAGES - (head ? 0 : 1));
		spool_tail_close(t);
		/* ... and not again from behind it. */
		w->n = w->gaps = 0;
		t = spool_tail_open(r->spool, w->gap.next);
		read_all(r, t, w);
		assert_int_equal(w->gaps, 0);
		assert_int_equal(w->n, 2 * MESSAGES - (head ? 4 : 5));
		spool_tail_close(t);
		disk[off] ^= 0x40;
	}
	mem_free(w);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(p1_every_record_comes_once_and_in_order),
	    cmocka_unit_test(p2_any_place_can_be_gone_on_from_over_restarts),
	    cmocka_unit_test(p3_a_group_is_given_as_its_parts),
	    cmocka_unit_test(p4_what_is_not_synced_is_not_seen),
	    cmocka_unit_test(p5_a_segment_waits_for_the_projector),
	    cmocka_unit_test(
		p6_a_projector_that_is_too_slow_is_told_what_it_missed),
	    cmocka_unit_test(p7_carries_show_what_the_message_had_become),
	    cmocka_unit_test(p8_a_read_that_fails_once_skips_nothing),
	    cmocka_unit_test(
		p9_what_stays_unreadable_is_a_gap_when_it_is_passed),
	    cmocka_unit_test(
		p10_what_is_damaged_is_a_gap_once_and_the_rest_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
