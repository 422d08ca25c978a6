/* SPDX-License-Identifier: ISC
 *
 * Damage: every byte of a small spool's segments is flipped, one at a time,
 * and every length of the last one is tried. Never a crash; at most the one
 * message whose bytes they are is lost, by name; the others are served whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/spool_rig.h"

enum { SLOTS = 6, STRIDE_ZEROS = 512 };

/* Five live messages, one of them in the bulk lane, and one settled. */
static struct rig *make(bool orderly)
{
	static const size_t bodies[] = {10, 900, 3000, 9000, 60, 200};
	struct rig *r = rig_new(SLOTS), *q;

	assert_true(rig_open(r));
	for (unsigned i = 0; i < ARRAY_LEN(bodies); i++) {
		rig_accept(r, bodies[i]);
		if (i != 1)
			rig_pump(r);
	}
	rig_settle(r, &r->m[5], D_DELIVERED, OP_SYNC);
	rig_settle(r, &r->m[4], D_DEFERRED, OP_SYNC);
	rig_pump(r);
	rig_fact(r, "k", "v");
	rig_pump(r);
	if (orderly)
		rig_close(r);
	q = rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);
	rig_free(r);
	return q;
}

static unsigned lost(struct rig *q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < q->n; i++) {
		struct rig_message *m = &q->m[i];
		struct spool_fetch *f;
		struct slice chunk;
		enum source_state st = SOURCE_END;
		bool good;

		if (m->promise != P_STORED)
			continue;
		f = rig_fetch(q, m->id, true);
		while (f->source != NULL &&
		    (st = source_next(f->source, &chunk)) == SOURCE_CHUNK)
			continue;
		good = f->status == 0 && st != SOURCE_ERROR;
		spool_fetch_free(f);
		/* Bytes that are given are right. */
		if (good)
			assert_true(rig_live(q, m));
		else
			n++;
	}
	return n;
}

static void flip(struct rig *r, const char *path, size_t at, bool orderly)
{
	struct rig *q = rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);
	size_t n;
	unsigned gone;

	fakedisk_bytes(q->disk, path, &n)[at] ^= (char)(1 << at % 8);
	if (!rig_open(q))
		fail_msg("%s byte %zu: %s", path, at, q->err.text);
	gone = lost(q);
	if (gone > 1)
		fail_msg("%s byte %zu: %u lost", path, at, gone);
	if (orderly && q->told + gone < 5 && q->damaged == 0)
		fail_msg("%s byte %zu: lost without a word", path, at);
	rig_free(q);
}

static void flip_all(struct rig *r, bool orderly)
{
	unsigned flips = 0;

	for (unsigned slot = 0; slot < SLOTS; slot++) {
		char path[32];
		size_t n, step;
		char *p;

		snprintf(path, sizeof(path), "/spool/seg.%04u", slot);
		p = fakedisk_bytes(r->disk, path, &n);
		for (size_t at = 0; p != NULL && at < n; at += step) {
			flip(r, path, at, orderly);
			flips++;
			/* Runs of zeros are all alike. */
			step = n - at > STRIDE_ZEROS && p[at] == 0 &&
				memcmp(p + at, p + at + 1, STRIDE_ZEROS) == 0 ?
			    STRIDE_ZEROS : 1;
		}
	}
	print_message("%u flips\n", flips);
	assert_true(flips > 10000);
}

static void x1_a_flipped_byte_costs_at_most_one_message(void **state)
{
	struct rig *r = make(true);

	(void)state;
	flip_all(r, true);
	rig_free(r);
}

static void x2_a_shortened_segment_costs_what_was_cut_off(void **state)
{
	struct rig *r = make(true);
	struct rig *q;
	size_t n;

	(void)state;
	for (size_t len = 0; len < 64 << 10; len += 509) {
		char *p;

		q = rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);
		p = fakedisk_bytes(q->disk, "/spool/seg.0000", &n);
		assert_non_null(p);
		for (unsigned i = 0; i < q->disk->inodes; i++)
			if (q->disk->inode[i]->now == p)
				q->disk->inode[i]->now_n = len;
		if (!rig_open(q))
			fail_msg("length %zu: %s", len, q->err.text);
		lost(q);
		rig_pump(q);
		rig_free(q);
	}
	rig_free(r);
}

static void x3_damage_before_the_tail_is_named_and_set_aside(void **state)
{
	struct rig *r = make(false);
	size_t n;
	char *p = fakedisk_bytes(r->disk, "/spool/seg.0000", &n);

	(void)state;
	p[2 * BLOCK + 20] ^= 1; /* the head of a batch in the middle */
	assert_true(rig_open(r));
	assert_int_equal(r->damaged, 1);
	assert_non_null(strstr(r->last_damage, "seg.0000 (generation 1)"));
	assert_int_equal(lost(r), 0); /* its records were found */
	assert_non_null(
	    fakedisk_bytes(r->disk, "/spool/damaged.1.8192", &n));
	rig_free(r);
}

static void x4_a_read_error_at_start_overwrites_nothing(void **state)
{
	struct rig *r = make(false);

	(void)state;
	for (unsigned n = 1; n < 500; n++) {
		struct rig *q =
		    rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);
		struct rig *again;
		const char *what;
		bool hit;

		q->disk->fault = FAULT_EIO;
		q->disk->fail_mask = 1u << CALL_READ;
		q->disk->fail_at = n;
		if (rig_open(q))
			rig_kill(q);
		hit = q->disk->hit;
		again = rig_over(
		    fakedisk_cut(q->disk, CUT_KEEPS_ALL, 1), r);
		assert_true(rig_open(again));
		assert_int_equal(again->damaged, 0);
		what = rig_check(again);
		if (what != NULL)
			fail_msg("read %u: %s", n, what);
		rig_free(again);
		rig_free(q);
		if (!hit) {
			assert_true(n > 10);
			break;
		}
	}
	rig_free(r);
}

/* Carried with everything else, a message whose body is damaged would get a
 * good checksum: it is set aside instead, and ends. */
static void x5_a_damaged_body_is_never_carried_as_good(void **state)
{
	struct rig *r = make(true);
	struct spool_stats st;
	char *p, needle[64];
	const char *what;
	size_t n;

	(void)state;
	p = fakedisk_bytes(r->disk, "/spool/seg.0000", &n);
	rig_body(r->m[2].id, needle, sizeof(needle));
	p = memmem(p, n, needle, sizeof(needle));
	assert_non_null(p);
	p[5] ^= 4;
	assert_true(rig_open(r));
	assert_int_equal(lost(r), 1);
	do {
		struct rig_message *m = rig_accept(r, 4000);

		rig_pump(r);
		rig_settle(r, m, D_DELIVERED, 0);
		rig_pump(r);
		spool_stats(r->spool, &st);
	} while (st.recycled < 6 && r->n < 500);
	r->m[2].promise = P_SETTLED;
	what = rig_check(r);
	if (what != NULL)
		fail_msg("%s", what);
	assert_int_equal(
	    st.leg[names_id(r->names, SLICE("legacy"))].total[T_DELETED], 1);
	rig_free(r);
}

/* The state in memory serves while the last record of a delivery cannot be
 * read; only the reply is lost. */
static void x6_a_damaged_update_costs_its_reply(void **state)
{
	struct rig *r = make(true);
	struct spool_fetch *f;
	uint64_t generation;
	size_t n;
	char *p;

	(void)state;
	assert_true(rig_open(r));
	rig_settle(r, &r->m[0], D_DEFERRED, OP_SYNC);
	rig_pump(r);
	p = fakedisk_bytes(r->disk, "/spool/seg.0000", &n);
	for (char *at = p; (at = memmem(at, n - (size_t)(at - p),
	    "250 2.0.0 taken", 15)) != NULL; at++)
		at[3] ^= 1;
	f = rig_fetch(r, r->m[0].id, false);
	assert_int_equal(f->status, 0);
	assert_int_equal(f->delivery[0].state, D_DEFERRED);
	assert_int_equal(f->delivery[0].attempts, 1);
	assert_true(f->delivery[0].created_us > 0);
	assert_int_equal(f->reply[0].n, 0);
	spool_fetch_free(f);
	generation = r->spool->journal.generation;
	while (r->spool->journal.oldest <= generation) {
		struct rig_message *m = rig_accept(r, 4000);

		rig_pump(r);
		rig_settle(r, m, D_DELIVERED, 0);
		rig_pump(r);
	}
	assert_int_equal(lost(r), 0);
	f = rig_fetch(r, r->m[0].id, false);
	assert_int_equal(f->delivery[0].state, D_DEFERRED);
	spool_fetch_free(f);
	rig_free(r);
}

/* The remains of a refused batch lie behind a shorter one in its place, the
 * last of its segment, whose head cannot be read later. */
static void x7_no_record_of_a_refused_batch_counts(void **state)
{
	struct rig *r = rig_new(SLOTS), *q;
	struct segment *seg;
	char path[32];
	uint64_t at;
	size_t n;

	(void)state;
	assert_true(rig_open(r));
	rig_accept(r, 10);
	rig_pump(r);
	seg = r->spool->journal.seg;
	snprintf(path, sizeof(path), "/spool/seg.%04u", (unsigned)seg->slot);
	at = seg->end;
	for (int i = 0; i < 60; i++)
		rig_accept(r, 400);
	r->disk->fault = FAULT_SHORT; /* half of it is written */
	r->disk->fail_mask = 1u << CALL_WRITE;
	r->disk->fail_at = r->disk->calls + 1;
	rig_write(r);
	r->disk->fault = FAULT_NONE;
	for (int i = 1; i <= 60; i++)
		assert_int_equal(r->m[i].promise, P_REFUSED);
	assert_int_equal(rig_accept(r, 10)->promise, P_NONE);
	rig_write(r);
	assert_int_equal(r->m[61].promise, P_STORED);
	assert_true(seg->end == at + BLOCK);
	q = rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);
	rig_free(r);
	assert_true(rig_open(q)); /* that segment is closed */
	assert_null(rig_check(q));
	r = rig_over(fakedisk_cut(q->disk, CUT_KEEPS_ALL, 1), q);
	rig_free(q);
	memset(fakedisk_bytes(r->disk, path, &n) + at, 0x55, BLOCK);
	assert_true(rig_open(r));
	assert_true(r->damaged > 0);
	r->m[61].promise = P_NONE; /* its record was there */
	assert_null(rig_check(r));
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(x1_a_flipped_byte_costs_at_most_one_message),
	    cmocka_unit_test(x2_a_shortened_segment_costs_what_was_cut_off),
	    cmocka_unit_test(x3_damage_before_the_tail_is_named_and_set_aside),
	    cmocka_unit_test(x4_a_read_error_at_start_overwrites_nothing),
	    cmocka_unit_test(x7_no_record_of_a_refused_batch_counts),
	    cmocka_unit_test(x6_a_damaged_update_costs_its_reply),
	    cmocka_unit_test(x5_a_damaged_body_is_never_carried_as_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
