/* SPDX-License-Identifier: ISC
 *
 * Segments that are used again without being overwritten: nothing of a former
 * life is believed, whatever is lost or damaged; and what is overwritten all
 * the same, ahead or by `wipe`. Rows: doc/journal.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/spool_rig.h"

enum { SLOTS = 7, SEGMENT = 64 << 10, MAGIC_AT = 8 };

static struct rig *open_rig(void)
{
	struct rig *r = rig_new(SLOTS);

	r->c.retain_us = 0;
	assert_true(rig_open(r));
	return r;
}

static struct rig *copy_of(struct rig *r)
{
	return rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);
}

/* The process is killed and another begins a new segment. */
static struct rig *killed(struct rig *r)
{
	struct rig *q = copy_of(r);

	rig_free(r);
	assert_true(rig_open(q));
	return q;
}

static struct segment *newest(const struct rig *r)
{
	return LIST_ENTRY(r->spool->mains.prev, struct segment, node);
}

/* By message: the generation that has its record. */
static uint64_t accepted_in[RIG_MESSAGES];

/* Two messages a batch, both settled at once; large batches. */
static void turn(struct rig *r)
{
	struct rig_message *m = rig_accept(r, 4000);

	rig_accept(r, 3900);
	rig_pump(r);
	assert_int_equal(m[1].promise, P_STORED);
	accepted_in[r->n - 2] = accepted_in[r->n - 1] = newest(r)->generation;
	rig_settle(r, m, D_DELIVERED, 0);
	rig_settle(r, m + 1, D_DELIVERED, 0);
	rig_pump(r);
}

/* Every slot has had two lives, each full of whole batches. */
static struct rig *used_rig(void)
{
	struct rig *r = open_rig();

	while (r->spool->recycled < 2 * SLOTS)
		turn(r);
	return r;
}

static char *slot_bytes(struct rig *r, uint32_t slot)
{
	char path[32];
	size_t n;
	char *p;

	snprintf(path, sizeof(path), "/spool/seg.%04u", (unsigned)slot);
	p = fakedisk_bytes(r->disk, path, &n);
	assert_int_equal(n, SEGMENT);
	return p;
}

static char *bytes_of(struct rig *r, const struct segment *seg)
{
	return slot_bytes(r, seg->slot);
}

static bool is_zero(const char *p, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* Nothing of what `r` gave back. A result that stands in a damaged place may
 * be lost with it; a message whose own record does not count may not come. */
static void nothing_is_back(const struct rig *q, const struct rig *r)
{
	unsigned looked = 0;

	for (unsigned i = 0; i < r->n; i++) {
		if (accepted_in[i] == 0 ||
		    accepted_in[i] >= r->spool->journal.declared)
			continue;
		looked++;
		if (live_find(&q->spool->index.table, r->m[i].id) != 0)
			fail_msg("message %u came back",
			    (unsigned)r->m[i].id);
	}
	assert_true(looked > 50);
}

static void n1_what_is_given_back_is_a_spare_as_it_is(void **state)
{
	struct rig *r = open_rig();
	struct segment *seg = newest(r);
	char *before;

	(void)state;
	while (newest(r) == seg)
		turn(r);
	before = mem_dup(bytes_of(r, seg), SEGMENT);
	while (seg->state == SEG_MAIN)
		turn(r);
	assert_int_equal(seg->state, SEG_SPARE);
	assert_memory_equal(bytes_of(r, seg), before, SEGMENT);
	assert_memory_equal(before + MAGIC_AT, "PHB1", 4);
	mem_free(before);
	rig_free(r);
}

/* The end of a short life is followed by whole records of the former one, with
 * numbers that fit where a head is damaged. */
static void n2_damage_brings_no_record_of_a_former_life_back(void **state)
{
	struct rig *r = killed(used_rig());
	struct segment *seg = newest(r);
	unsigned first = r->n, heads = 0;
	uint32_t slot = seg->slot;
	uint64_t end;

	(void)state;
	assert_true(seg->written && seg->batches == 1);
	rig_accept(r, 100);
	rig_pump(r);
	rig_settle(r, rig_accept(r, 100), D_DELIVERED, OP_SYNC);
	rig_pump(r);
	end = seg->end;
	assert_true(end < SEGMENT / 2);
	assert_false(is_zero(bytes_of(r, seg), end, SEGMENT));
	r = killed(r); /* from here on the next segment says where it ended */
	for (uint64_t at = 0; at < end; at += BLOCK) {
		struct rig *q;

		if (memcmp(slot_bytes(r, slot) + at + MAGIC_AT, "PHB1", 4) != 0)
			continue;
		heads++;
		q = copy_of(r);
		memset(slot_bytes(q, slot) + at, 0x55, 8);
		assert_true(rig_open(q));
		assert_true(q->damaged > 0);
		nothing_is_back(q, r);
		if (at == 0)
			assert_true(rig_live(q, &q->m[first]));
		rig_free(q);
	}
	assert_true(heads > 2);
	rig_free(r);
}

static void lose_newest(struct rig *q, const struct rig *r, int lost)
{
	const struct list *n = r->spool->mains.prev;
	char path[32];

	for (; lost > 0 && n != &r->spool->mains; lost--, n = n->prev) {
		snprintf(path, sizeof(path), "/spool/seg.%04u", (unsigned)
		    LIST_ENTRY(n, const struct segment, node)->slot);
		q->disk->io.unlink(&q->disk->io, path);
	}
}

/* A segment that was given back is still there to be read when those that
 * declare it are lost, and in it a message whose result was overwritten since:
 * the map of slots knows. */
static void n3_lost_newest_segments_bring_nothing_back(void **state)
{
	struct rig *r = used_rig();

	(void)state;
	for (int i = 0; i < 60; i++) {
		unsigned late = r->n;

		for (int lost = 1; lost <= 3; lost++) {
			struct rig *q = copy_of(r);

			lose_newest(q, r, lost);
			if (!rig_open(q))
				fail_msg("%s", q->err.text);
			assert_true(q->damaged > 0);
			nothing_is_back(q, r);
			rig_free(q);
		}
		/* Its result comes later, mostly in the next segment; before
		 * its own is given back, or it would be carried. */
		rig_accept(r, 3000);
		rig_pump(r);
		accepted_in[late] = newest(r)->generation;
		turn(r);
		if (late > 20 && r->m[late - 12].promise == P_STORED)
			rig_settle(r, &r->m[late - 12], D_DELIVERED, 0);
	}
	rig_free(r);
}

/* The disk lost the write of the first block of a life, not the others. */
static void n4_a_first_block_of_the_former_life_is_found_out(void **state)
{
	struct rig *r = used_rig(), *q;
	char old[SLOTS * 2][BLOCK];
	struct segment *seg, *before = newest(r);
	struct rig_message *m;

	(void)state;
	for (unsigned i = 0; i < r->spool->segs; i++)
		memcpy(old[i], bytes_of(r, r->spool->seg[i]), BLOCK);
	while (newest(r) == before)
		turn(r);
	seg = newest(r);
	m = rig_accept(r, 500);
	rig_pump(r);
	assert_int_equal(m->promise, P_STORED);
	assert_true(seg->batches > 2);
	q = copy_of(r);
	memcpy(bytes_of(q, seg), old[seg->slot], BLOCK);
	if (!rig_open(q))
		fail_msg("%s", q->err.text);
	assert_true(q->damaged > 0);
	assert_true(rig_live(q, m));
	nothing_is_back(q, r);
	rig_free(q);
	rig_free(r);
}

/* A bulk segment with a damaged head, in a slot that was in the main lane: it
 * is known by the extents that name it, and by the latest of them. */
static void n5_bulk_pieces_are_found_over_a_former_life(void **state)
{
	struct rig *r = used_rig();
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < 12; i++) {
		struct rig_message *m = rig_accept(r, 20000);
		unsigned bulks;
		struct segment *seg;
		struct rig *q;

		rig_pump(r);
		assert_int_equal(m->promise, P_STORED);
		seg = index_bulk(r->spool, m->id, &bulks)[0];
		assert_true(bulks > 0);
		q = copy_of(r);
		memset(bytes_of(q, seg), 0x55, BLOCK);
		assert_true(rig_open(q));
		seen += q->spool->seg[seg->slot]->adopted;
		assert_int_equal(q->damaged, 0);
		assert_null(rig_check(q));
		rig_free(q);
		q = copy_of(r);
		memset(bytes_of(q, seg), 0x55, SEGMENT); /* another file */
		assert_true(rig_open(q));
		assert_non_null(strstr(q->first_damage, "its body"));
		rig_free(q);
		rig_settle(r, m, D_DELIVERED, 0);
		turn(r);
	}
	assert_int_equal(seen, 12);
	rig_free(r);
}

/* Half of a refused batch over old ones, its head erased, and the power cut. */
static void n6_a_refused_batch_leaves_no_way_into_a_former_life(void **state)
{
	struct rig *r = killed(used_rig());
	unsigned refused = 0;

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		struct rig *q;
		struct rig_message *m;

		r->disk->fault = FAULT_SHORT;
		r->disk->fail_mask = 1u << CALL_WRITE;
		r->disk->fail_at = r->disk->calls + 1;
		m = rig_accept(r, 4000);
		rig_write(r);
		r->disk->fault = FAULT_NONE;
		refused += m->promise == P_REFUSED;
		for (int how = 0; how < CUTS; how++) {
			q = rig_over(fakedisk_cut(r->disk, (enum fake_cut)how,
			    i), r);
			assert_true(rig_open(q));
			assert_int_equal(q->damaged, 0);
			assert_null(rig_check(q));
			rig_free(q);
		}
		turn(r);
	}
	assert_true(refused > 20);
	rig_free(r);
}

/* A spare that was cut, or is a copy with holes, gets its blocks before it is
 * used, or is not used. */
static void n7_a_cut_spare_is_allocated_first(void **state)
{
	struct rig *r = used_rig(), *q;
	struct segment *spare = NULL;
	char path[32];
	size_t n;
	int fd;

	(void)state;
	for (unsigned i = 0; i < r->spool->segs; i++)
		if (r->spool->seg[i]->state == SEG_SPARE)
			spare = r->spool->seg[i];
	assert_non_null(spare);
	snprintf(path, sizeof(path), "/spool/seg.%04u", (unsigned)spare->slot);
	q = copy_of(r);
	q->disk->io.unlink(&q->disk->io, path);
	fd = q->disk->io.open(&q->disk->io, path, 0102, 0600);
	q->disk->io.close(&q->disk->io, fd);
	q->disk->space = 0;
	q->c.spares = 64; /* all that can be one is one */
	assert_true(rig_open(q));
	assert_int_equal(q->spool->seg[spare->slot]->state, SEG_DIRTY);
	q->disk->space = 1 << 20;
	clock_fake_step(&q->clock, 2000000);
	rig_pump(q);
	assert_int_not_equal(q->spool->seg[spare->slot]->state, SEG_DIRTY);
	assert_non_null(fakedisk_bytes(q->disk, path, &n));
	assert_int_equal(n, SEGMENT);
	rig_free(q);
	rig_free(r);
}

/* One call that fails is not a full disk: the others are spares at once. */
static void n8_one_refused_allocation_stops_no_mail(void **state)
{
	struct rig *r = used_rig(), *q;
	struct rig_message *m;
	bool end = false;

	(void)state;
	rig_close(r);
	for (unsigned n = 1; !end; n++) {
		q = copy_of(r);
		q->disk->fault = FAULT_ENOSPC;
		q->disk->fail_mask = 1u << CALL_ALLOCATE;
		q->disk->fail_at = n;
		assert_true(rig_open(q));
		end = !q->disk->hit;
		m = rig_accept(q, 100);
		rig_write(q);
		assert_int_equal(m->promise, P_STORED);
		rig_free(q);
		assert_true(n > 2 || !end);
	}
	rig_free(r);
}

static unsigned count(const struct rig *r, bool written)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->spool->segs; i++)
		n += r->spool->seg[i]->state == SEG_SPARE &&
		    r->spool->seg[i]->written == written;
	return n;
}

static void steward_for(struct rig *r, int64_t ms)
{
	for (; ms > 0; ms -= 10) {
		clock_fake_step(&r->clock, 10000);
		while (steward_step(r->spool, spool_now_ms(r->spool)) == 0)
			rig_recount(r);
		assert_true(atomic_load(&r->spool->spares) >=
			    space_reserve(r->spool) + (r->c.wipe ? 0 : 1));
	}
}

static void o1_new_segments_are_written_ahead_while_it_is_idle(void **state)
{
	struct rig *r = open_rig();
	struct segment *main_seg, *bulk_seg;
	unsigned bulks;

	(void)state;
	for (int i = 0; i < 20; i++) { /* busy: twice a second */
		steward_for(r, 500);
		rig_accept(r, 100);
		rig_write(r);
	}
	assert_int_equal(count(r, true), 0);
	steward_for(r, 1500);
	assert_true(count(r, true) > 0);
	rig_accept(r, 100); /* it stops, whatever it has in hand */
	rig_write(r);
	steward_for(r, 100);
	assert_null(r->spool->steward.overwrite.seg);
	steward_for(r, 3000);
	assert_int_equal(count(r, false), 0);
	assert_int_equal(count(r, true), r->c.spares + 1);
	rig_close(r); /* what was written stays known */
	assert_true(rig_open(r));
	assert_int_equal(count(r, false), 0);
	/* The lane that waits for each sync gets them first. */
	r->spool->seg[1]->written = r->spool->seg[4]->written = false;
	rig_accept(r, 20000);
	rig_pump(r);
	bulk_seg = index_bulk(r->spool, r->m[r->n - 1].id, &bulks)[0];
	assert_true(bulk_seg->slot == 1 || bulk_seg->slot == 4);
	main_seg = segment_take(r->spool, LANE_MAIN, 99, 0);
	assert_true(main_seg->slot != 1 && main_seg->slot != 4);
	rig_free(r);
}

static void o2_nothing_is_written_ahead_on_copy_on_write_disks(void **state)
{
	struct rig *r = rig_new(SLOTS);

	(void)state;
	r->disk->cow = true;
	assert_true(rig_open(r));
	steward_for(r, 5000);
	assert_int_equal(count(r, true), 0);
	rig_free(r);
}

/* Is a settled body anywhere but in a segment that is in use? */
static bool old_mail_is_there(struct rig *r)
{
	for (unsigned i = 0; i < r->spool->segs; i++) {
		const struct segment *seg = r->spool->seg[i];
		bool used = seg->state == SEG_MAIN || seg->state == SEG_BULK;

		if (!used && !is_zero(bytes_of(r, seg), BLOCK, SEGMENT))
			return true;
	}
	return false;
}

static void o3_wipe_overwrites_what_is_given_back(void **state)
{
	struct rig *r = rig_new(SLOTS);

	(void)state;
	r->c.retain_us = 0;
	assert_true(rig_open(r));
	while (r->spool->recycled < 2 * SLOTS)
		turn(r);
	assert_true(old_mail_is_there(r));
	steward_for(r, 5000);
	assert_true(old_mail_is_there(r)); /* not unless it is asked for */
	r->spool->c.wipe = r->c.wipe = true;
	steward_for(r, 5000);
	assert_false(old_mail_is_there(r));
	/* Also while mail comes, and it is no hindrance to it. */
	for (int i = 0; i < 20; i++) {
		turn(r);
		steward_for(r, 500);
	}
	steward_for(r, 5000);
	assert_false(old_mail_is_there(r));
	assert_null(rig_check(r));
	r = killed(r);
	assert_int_equal(r->damaged, 0);
	assert_null(rig_check(r));
	rig_free(r);
}

/* A file that goes back to others is wiped before. */
static void o4_wipe_comes_before_a_file_is_removed(void **state)
{
	struct rig *r = rig_new(500);
	unsigned before;

	(void)state;
	r->c.retain_us = 0;
	r->c.wipe = true;
	r->disk->total = r->disk->space = 64 * SEGMENT;
	assert_true(rig_open(r));
	while (r->spool->segs < 9)
		rig_accept(r, 4000), rig_pump(r);
	for (unsigned i = 0; i < r->n; i++)
		rig_settle(r, &r->m[i], D_DELIVERED, 0);
	rig_pump(r);
	before = (unsigned)r->disk->files;
	r->disk->space = 0; /* another program */
	for (int i = 0; i < 5; i++) {
		steward_for(r, 1000);
		rig_write(r);
		for (unsigned k = 0; k < r->spool->segs; k++)
			assert_true(r->spool->seg[k] != NULL ||
				    r->disk->space > 0);
	}
	assert_true(r->disk->space >= 4 * SEGMENT);
	for (unsigned i = 0; i < before; i++) {
		const struct fake_entry *e = &r->disk->file[i];

		if (e->now == NULL && strstr(e->path, "seg.") != NULL)
			assert_true(is_zero(e->safe->now, BLOCK, SEGMENT));
	}
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(n1_what_is_given_back_is_a_spare_as_it_is),
	    cmocka_unit_test(n2_damage_brings_no_record_of_a_former_life_back),
	    cmocka_unit_test(n3_lost_newest_segments_bring_nothing_back),
	    cmocka_unit_test(n4_a_first_block_of_the_former_life_is_found_out),
	    cmocka_unit_test(n5_bulk_pieces_are_found_over_a_former_life),
	    cmocka_unit_test(
		n6_a_refused_batch_leaves_no_way_into_a_former_life),
	    cmocka_unit_test(n7_a_cut_spare_is_allocated_first),
	    cmocka_unit_test(n8_one_refused_allocation_stops_no_mail),
	    cmocka_unit_test(
		o1_new_segments_are_written_ahead_while_it_is_idle),
	    cmocka_unit_test(
		o2_nothing_is_written_ahead_on_copy_on_write_disks),
	    cmocka_unit_test(o3_wipe_overwrites_what_is_given_back),
	    cmocka_unit_test(o4_wipe_comes_before_a_file_is_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
