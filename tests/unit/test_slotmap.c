/* SPDX-License-Identifier: ISC
 *
 * The map of slots: what a start takes from it, and what it leaves.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/spool_rig.h"

enum { SLOTS = 7, STARTS = 4, MESSAGES = 70 };

#define MAP "/spool/spool.slots"

static struct rig *filled(void)
{
	struct rig *r = rig_new(SLOTS);

	assert_true(rig_open(r));
	for (int i = 0; i < MESSAGES; i++)
		rig_accept(r, 3000);
	rig_pump(r);
	return r;
}

static struct rig *copy_of(struct rig *r)
{
	return rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);
}

static char *map_of(struct rig *r, size_t *n_out)
{
	char *map = fakedisk_bytes(r->disk, MAP, n_out);

	assert_non_null(map);
	return map;
}

static void the_map_is_as_long_after_each_start(void **state)
{
	struct rig *r = filled();
	size_t first, n;

	(void)state;
	map_of(r, &first);
	assert_int_equal(first, BLOCK);
	for (int i = 0; i < STARTS; i++) {
		struct rig *q = copy_of(r);

		rig_free(r);
		r = q;
		assert_true(rig_open(r));
		map_of(r, &n);
		assert_int_equal(n, first);
	}
	rig_free(r);
}

static void lose_newest(struct rig *r, const struct rig *from)
{
	char path[32];

	snprintf(path, sizeof(path), "/spool/seg.%04u", (unsigned)
	    LIST_ENTRY(from->spool->mains.prev, struct segment, node)->slot);
	assert_int_equal(r->disk->io.unlink(&r->disk->io, path), 0);
}

/* How many pieces of damage the start names when the newest segment is gone
 * and `spoil` was done to the map. */
static unsigned damage_after(struct rig *r,
    void (*spoil)(char *map, size_t n))
{
	struct rig *q = copy_of(r);
	unsigned damaged;
	size_t n;
	char *map = map_of(q, &n);

	lose_newest(q, r);
	spoil(map, n);
	if (!rig_open(q))
		fail_msg("%s", q->err.text);
	damaged = q->damaged;
	rig_free(q);
	return damaged;
}

static void leave(char *map, size_t n)
{
	(void)map;
	(void)n;
}

static void spoil_head(char *map, size_t n)
{
	(void)n;
	map[0] ^= 1;
}

static void spoil_entries(char *map, size_t n)
{
	for (size_t i = 32; i < n; i += 32)
		map[i + 8] ^= 1;
}

/* Another spool's map, or one of another format, says nothing of this one. */
static void a_map_with_another_head_is_not_believed(void **state)
{
	struct rig *r = filled();

	(void)state;
	assert_true(damage_after(r, leave) > 0);
	assert_int_equal(damage_after(r, spoil_head), 0);
	assert_int_equal(damage_after(r, spoil_entries), 0);
	rig_free(r);
}

/* The newest segment is gone, and of the map so many bytes are left. */
static unsigned damage_with_bytes(struct rig *r, size_t left)
{
	struct rig *q = copy_of(r);
	struct diskio *io = &q->disk->io;
	unsigned damaged;
	size_t n;
	char *whole = map_of(r, &n);
	int fd = io->open(io, MAP, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && left <= n);
	assert_int_equal(io->pwrite(io, fd, whole, left, 0), left);
	io->close(io, fd);
	lose_newest(q, r);
	if (!rig_open(q))
		fail_msg("%s", q->err.text);
	damaged = q->damaged;
	rig_free(q);
	return damaged;
}

/* A head and a note of each slot, 32 bytes each: what is left of them says as
 * much as it did, and a part of a note nothing. */
static void a_map_that_was_cut_short_says_what_is_left(void **state)
{
	struct rig *r = filled();
	size_t newest = LIST_ENTRY(r->spool->mains.prev, struct segment,
	    node)->slot;

	(void)state;
	assert_int_equal(damage_with_bytes(r, 0), 0);
	assert_int_equal(damage_with_bytes(r, 31), 0);
	assert_int_equal(damage_with_bytes(r, 32), 0);
	assert_int_equal(damage_with_bytes(r, 32 * (newest + 2) - 1), 0);
	assert_true(damage_with_bytes(r, 32 * (newest + 2)) > 0);
	rig_free(r);
}

/* A map that is passed over could let a generation be used twice. */
static void a_map_that_cannot_be_read_stops_the_start(void **state)
{
	struct rig *r = filled();

	(void)state;
	for (unsigned fails = 1; fails <= 3; fails++) {
		struct rig *q = copy_of(r);

		lose_newest(q, r);
		q->disk->fault = FAULT_EIO;
		q->disk->fail_mask = 1U << CALL_READ;
		q->disk->fail_path = MAP;
		q->disk->calls = 0;
		q->disk->fail_at = 1;
		q->disk->fail_more = fails - 1;
		assert_int_equal(rig_open(q), fails < 3);
		if (fails < 3)
			assert_true(q->damaged > 0);
		else
			assert_non_null(strstr(q->err.text, "spool.slots"));
		rig_free(q);
	}
	rig_free(r);
}

/* Without the map the next segment's head tells which generations it came
 * after; those that are missing between two are named, each. */
static void without_a_map_a_gap_between_segments_is_named(void **state)
{
	struct rig *r = filled(), *q = copy_of(r);
	const struct list *n = r->spool->mains.prev->prev;
	uint64_t lost = 0;
	char path[32];

	(void)state;
	assert_int_equal(q->disk->io.unlink(&q->disk->io, MAP), 0);
	for (int i = 0; i < 2; i++, n = n->prev) {
		const struct segment *seg =
		    LIST_ENTRY(n, const struct segment, node);

		assert_true(n != &r->spool->mains);
		snprintf(path, sizeof(path), "/spool/seg.%04u",
		    (unsigned)seg->slot);
		assert_int_equal(q->disk->io.unlink(&q->disk->io, path), 0);
		lost = seg->generation;
	}
	assert_true(n != &r->spool->mains); /* and one is before them */
	if (!rig_open(q))
		fail_msg("%s", q->err.text);
	assert_non_null(strstr(q->first_damage, "are missing"));
	assert_int_equal(q->start.gones, 2);
	assert_int_equal(q->start.gone[0], lost);
	assert_int_equal(q->start.gone[1], lost + 1);
	rig_free(q);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_map_is_as_long_after_each_start),
		cmocka_unit_test(a_map_with_another_head_is_not_believed),
		cmocka_unit_test(a_map_that_was_cut_short_says_what_is_left),
		cmocka_unit_test(a_map_that_cannot_be_read_stops_the_start),
		cmocka_unit_test(
		    without_a_map_a_gap_between_segments_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
