/* SPDX-License-Identifier: ISC
 *
 * When space runs out: who is refused, what goes on, what is given up first,
 * and that it recovers by itself. Rows: doc/journal.md.
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

enum { KEEP_SHARES = 16 }; /* as in space.c */

static enum spool_health health(struct rig *r)
{
	struct spool_stats st;

	spool_stats(r->spool, &st);
	return st.health;
}

/* Accepts until it is refused; returns how many were taken. */
static unsigned fill_up(struct rig *r)
{
	for (unsigned n = 0; n < 500; n++) {
		struct rig_message *m = rig_accept(r, 4000);

		rig_pump(r);
		if (m->promise != P_STORED)
			return n;
	}
	fail_msg("it never filled up");
	return 0;
}

static bool full(struct rig *r)
{
	struct spool_stats st;

	spool_stats(r->spool, &st);
	return st.full;
}

static void s1_a_full_spool_refuses_mail_and_takes_results(void **state)
{
	struct rig *r = rig_new(8);
	unsigned n;

	(void)state;
	assert_true(rig_open(r));
	assert_false(spool_pressed(r->spool) || full(r));
	n = fill_up(r);
	assert_true(full(r));
	assert_true(spool_pressed(r->spool)); /* spare copies should go */
	assert_true(n > 15);
	assert_int_equal(r->m[n].promise, P_REFUSED);
	assert_null(rig_check(r));
	/* Results go on, many more than one segment holds. */
	for (int turn = 0; turn < 12; turn++)
		for (unsigned i = 0; i < n; i++) {
			rig_settle(r, &r->m[i], D_DEFERRED, OP_SYNC);
			rig_pump(r);
			assert_int_equal(r->last_op, SPOOL_STORED);
		}
	assert_null(rig_check(r));
	rig_free(r);
}

static void s2_it_recovers_by_itself_when_mail_is_settled(void **state)
{
	struct rig *r = rig_new(8);
	struct rig_message *m;
	unsigned n;

	(void)state;
	assert_true(rig_open(r));
	n = fill_up(r);
	for (unsigned i = 0; i < n; i++)
		rig_settle(r, &r->m[i], D_DELIVERED, 0);
	rig_pump(r);
	clock_fake_step(&r->clock, 3000000);
	rig_pump(r);
	assert_false(spool_pressed(r->spool) || full(r));
	m = rig_accept(r, 4000);
	rig_pump(r);
	assert_int_equal(m->promise, P_STORED);
	assert_true(fill_up(r) > 10);
	assert_null(rig_check(r));
	rig_free(r);
}

static void s3_a_full_disk_is_met_by_the_steward_alone(void **state)
{
	struct rig *r = rig_new(50);
	struct rig_message *m;

	(void)state;
	r->disk->space = 5 * 65536 + 30000;
	assert_true(rig_open(r));
	fill_up(r);
	assert_int_equal(health(r), SPOOL_NO_SPACE);
	assert_null(rig_check(r));
	r->disk->space += 20 * 65536;
	clock_fake_step(&r->clock, 2000000);
	rig_pump(r);
	assert_int_equal(health(r), SPOOL_OK);
	m = rig_accept(r, 4000);
	rig_pump(r);
	assert_int_equal(m->promise, P_STORED);
	assert_null(rig_check(r));
	rig_free(r);
}

/* Of more segments than that, the files of those that were not used of late
 * are closed; a reader opens one again. */
static void few_segments_are_open_at_a_time(void **state)
{
	struct rig *r = rig_new(FDS_MAX + 20);
	unsigned first;

	(void)state;
	r->c.retain_us = INT64_C(1) << 50;
	assert_true(rig_open(r));
	first = r->n;
	while (r->spool->segs < FDS_MAX + 10) {
		struct rig_message *m = rig_accept(r, 4000);

		rig_pump(r);
		assert_int_equal(m->promise, P_STORED);
		assert_true(r->spool->fds_open <= FDS_MAX);
	}
	assert_true(rig_live(r, &r->m[first]));
	assert_true(r->spool->fds_open <= FDS_MAX);
	assert_null(rig_check(r));
	rig_free(r);
}

static void s4_retained_mail_goes_before_new_mail_is_refused(void **state)
{
	struct rig *r = rig_new(8);
	struct spool_record rec;
	struct spool_tail *t;
	struct spool_gap gap;
	bool said = false;

	(void)state;
	r->c.retain_us = INT64_C(1) << 50;
	assert_true(rig_open(r));
	for (int i = 0; i < 150; i++) {
		struct rig_message *m = rig_accept(r, 4000);

		rig_pump(r);
		assert_int_equal(m->promise, P_STORED);
		rig_settle(r, m, D_DELIVERED, 0);
		rig_pump(r);
	}
	t = spool_tail_open(r->spool, (struct spool_pos){0});
	while (spool_tail_next(t, &rec, &gap) == 1)
		if (rec.type == REC_NOTE && rec.note == NOTE_SYSTEM)
			said |= slice_starts(rec.bytes,
			    SLICE("spool\0{\"state\":\"recycled\","));
	spool_tail_close(t);
	assert_true(said);
	rig_free(r);
}

static void s5_retained_mail_stays_while_there_is_room(void **state)
{
	struct rig *r = rig_new(40);

	(void)state;
	r->c.retain_us = INT64_C(1) << 50;
	assert_true(rig_open(r));
	for (int i = 0; i < 100; i++) {
		struct rig_message *m = rig_accept(r, 4000);

		rig_pump(r);
		rig_settle(r, m, D_DELIVERED, 0);
	}
	rig_pump(r);
	assert_int_equal(r->spool->recycled, 0);
	rig_close(r);
	assert_true(rig_open(r)); /* nor is it forgotten over a restart */
	for (int i = 0; i < 20; i++)
		rig_accept(r, 4000);
	rig_pump(r);
	assert_int_equal(r->spool->recycled, 0);
	rig_free(r);
}

/* SIZE is free to say: many may announce what there is room for, and only
 * what has come takes it from others. */
static void s6_an_announced_size_is_checked_and_not_reserved(void **state)
{
	struct rig *r = rig_new(10);
	struct spool_draft *a, *b;
	char *p = mem_new(300000);
	int taken = 0;

	(void)state;
	assert_true(rig_open(r));
	a = spool_draft_new(r->spool, 7, &r->in, NULL);
	b = spool_draft_new(r->spool, 8, &r->in, NULL);
	for (int i = 0; i < 100; i++)
		assert_int_equal(spool_draft_expect(a, 400000), ADD_OK);
	assert_int_equal(spool_draft_expect(b, 400000), ADD_OK);
	assert_int_equal(spool_draft_expect(b, 5 << 20), ADD_FULL);
	assert_int_equal(atomic_load(&r->spool->reserved), 0);
	while (spool_draft_add(a, slice_of(p, 30000), 0) == ADD_OK)
		taken += 30000;
	assert_in_range(taken, 1, 600000);
	assert_int_equal(atomic_load(&r->spool->reserved), taken);
	assert_int_equal(spool_draft_expect(b, 400000), ADD_FULL);
	spool_draft_free(a);
	rig_write(r); /* the lane had it in hand */
	assert_int_equal(spool_draft_expect(b, 400000), ADD_OK);
	spool_draft_free(b);
	assert_int_equal(atomic_load(&r->spool->reserved), 0);
	mem_free(p);
	rig_free(r);
}

/* A segment that is used again needs new blocks there: a write may fail, and
 * the reserve for results is what the disk has free. */
static void s7_on_copy_on_write_disks_the_reserve_is_free_space(void **state)
{
	struct rig *r = rig_new(8);
	struct rig_message *m;
	int64_t space;

	(void)state;
	r->disk->cow = true;
	assert_true(rig_open(r));
	for (int i = 0; i < 150; i++) {
		m = rig_accept(r, 4000);
		rig_pump(r);
		assert_int_equal(m->promise, P_STORED);
		rig_settle(r, m, D_DELIVERED, 0);
	}
	assert_true(r->spool->recycled > 2);
	m = rig_accept(r, 4000);
	rig_pump(r);
	space = r->disk->space;
	r->disk->space = 2 * 65536 - 1;
	rig_pump(r);
	assert_true(full(r)); /* new mail is refused, results go on */
	rig_settle(r, m, D_DEFERRED, OP_SYNC);
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_STORED);
	r->disk->space = 0; /* a write fails: T1 */
	m = rig_accept(r, 4000);
	rig_write(r);
	assert_int_equal(m->promise, P_REFUSED);
	r->disk->space = space;
	rig_pump(r);
	assert_false(full(r));
	m = rig_accept(r, 4000);
	rig_pump(r);
	assert_int_equal(m->promise, P_STORED);
	assert_null(rig_check(r));
	rig_close(r);
	assert_true(rig_open(r));
	assert_int_equal(r->damaged, 0);
	assert_null(rig_check(r));
	rig_free(r);
}

static void s8_a_spool_full_of_live_mail_goes_round_without_an_end(
    void **state)
{
	struct rig *r = rig_new(12);
	unsigned n;

	(void)state;
	assert_true(rig_open(r));
	n = fill_up(r);
	/* One in two is settled; the others are carried, time and again. */
	for (unsigned i = 0; i < n; i += 2)
		rig_settle(r, &r->m[i], D_DELIVERED, 0);
	rig_pump(r);
	for (int turn = 0; turn < 100; turn++) {
		struct rig_message *m = rig_accept(r, 4000);

		rig_pump(r);
		if (m->promise == P_STORED)
			rig_settle(r, m, D_DELIVERED, 0);
		rig_pump(r);
	}
	assert_null(rig_check(r));
	assert_true(r->spool->carried > n / 2);
	assert_true(r->spool->carried < 20 * n);
	rig_free(r);
}

/* The cutover table and the audit index are on the same file system. */
static void s9_a_part_of_the_disk_is_left_to_others(void **state)
{
	struct rig *r = rig_new(500);
	int64_t keep = 2 * 65536;

	(void)state;
	r->disk->space = r->disk->total = KEEP_SHARES * keep;
	assert_true(rig_open(r));
	fill_up(r);
	assert_true(r->disk->space >= keep);
	assert_null(rig_check(r));
	rig_free(r);
}

static unsigned segments(struct rig *r)
{
	struct spool_stats st;

	spool_stats(r->spool, &st);
	return (unsigned)st.segments;
}

static void s10_empty_segments_are_given_back_when_others_need_room(
    void **state)
{
	struct rig *r = rig_new(500), *q;
	int64_t keep = 2 * 65536;
	unsigned n, before;

	(void)state;
	r->disk->space = r->disk->total = KEEP_SHARES * keep;
	assert_true(rig_open(r));
	n = fill_up(r);
	for (unsigned i = 0; i < n; i++)
		rig_settle(r, &r->m[i], i % 20 == 0 ? D_DEFERRED : D_DELIVERED,
		    0);
	rig_pump(r);
	clock_fake_step(&r->clock, 3000000);
	rig_pump(r);
	before = segments(r);
	assert_true(r->disk->space >= keep);
	r->disk->space = 0; /* another program */
	for (int i = 0; i < 20; i++)
		rig_pump(r);
	assert_true(segments(r) < before);
	assert_true(r->disk->space >= keep);
	assert_null(rig_check(r));
	/* And the spool is as before, also for the next start. */
	rig_accept(r, 4000);
	rig_pump(r);
	assert_int_equal(r->m[r->n - 1].promise, P_STORED);
	q = rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);
	assert_true(rig_open(q));
	assert_int_equal(q->damaged, 0);
	assert_null(rig_check(q));
	rig_free(q);
	rig_free(r);
}

/* ---- a reload ---- */

static void s11_a_full_spool_that_may_grow_takes_mail_at_once(void **state)
{
	struct rig *r = rig_new(8);
	struct rig_message *m;

	(void)state;
	assert_true(rig_open(r));
	fill_up(r);
	assert_true(full(r));
	spool_limits_set(r->spool, r->c.max_bytes * 3, r->c.retain_us);
	clock_fake_step(&r->clock, 2000000);
	rig_pump(r);
	m = rig_accept(r, 4000);
	rig_pump(r);
	assert_int_equal(m->promise, P_STORED);
	assert_true(fill_up(r) > 50);
	/* And back: the spool is over its limit. */
	spool_limits_set(r->spool, r->c.max_bytes, r->c.retain_us);
	clock_fake_step(&r->clock, 2000000);
	rig_pump(r);
	assert_true(full(r));
	assert_null(rig_check(r));
	rig_free(r);
}

static unsigned segments_kept(struct rig *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->spool->segs; i++)
		n += r->spool->seg[i] != NULL &&
		     r->spool->seg[i]->retain_until_us >
			 clock_wall_us(&r->clock.clock);
	return n;
}

static void s12_mail_of_before_is_kept_as_long_as_the_reload_says(void **state)
{
	const int64_t day = INT64_C(86400) * 1000000;
	struct rig *r = rig_new(20);
	unsigned kept;

	(void)state;
	r->c.retain_us = 7 * day;
	assert_true(rig_open(r));
	for (unsigned i = 0; i < 30; i++) {
		struct rig_message *m = rig_accept(r, 4000);

		rig_pump(r);
		rig_settle(r, m, D_DELIVERED, OP_SYNC);
		rig_pump(r);
	}
	kept = segments_kept(r);
	assert_true(kept > 0);
	clock_fake_step(&r->clock, 2 * day);
	assert_int_equal(segments_kept(r), kept);
	spool_limits_set(r->spool, r->c.max_bytes, day);
	assert_int_equal(segments_kept(r), 0);
	spool_limits_set(r->spool, r->c.max_bytes, 3 * day);
	assert_int_equal(segments_kept(r), kept);
	clock_fake_step(&r->clock, 2 * day);
	assert_int_equal(segments_kept(r), 0);
	assert_null(rig_check(r));
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(s1_a_full_spool_refuses_mail_and_takes_results),
	    cmocka_unit_test(s2_it_recovers_by_itself_when_mail_is_settled),
	    cmocka_unit_test(s3_a_full_disk_is_met_by_the_steward_alone),
	    cmocka_unit_test(few_segments_are_open_at_a_time),
	    cmocka_unit_test(s4_retained_mail_goes_before_new_mail_is_refused),
	    cmocka_unit_test(s5_retained_mail_stays_while_there_is_room),
	    cmocka_unit_test(
		s6_an_announced_size_is_checked_and_not_reserved),
	    cmocka_unit_test(
		s7_on_copy_on_write_disks_the_reserve_is_free_space),
	    cmocka_unit_test(
		s8_a_spool_full_of_live_mail_goes_round_without_an_end),
	    cmocka_unit_test(s9_a_part_of_the_disk_is_left_to_others),
	    cmocka_unit_test(
		s10_empty_segments_are_given_back_when_others_need_room),
	    cmocka_unit_test(
		s11_a_full_spool_that_may_grow_takes_mail_at_once),
	    cmocka_unit_test(
		s12_mail_of_before_is_kept_as_long_as_the_reload_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
