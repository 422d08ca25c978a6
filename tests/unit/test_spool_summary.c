/* SPDX-License-Identifier: ISC
 *
 * Summaries: a start that goes by them finds what reading all records finds;
 * one that is spoilt anywhere is not believed; mail that is over is found
 * through them, and who asks for recipients in a period gets theirs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <cmocka.h>

#include "relay/base/id.h"
#include "tests/unit/spool_same.h"

enum {
	SEEDS = 40, STEPS = 90,
	TOLD_BYTES = 14, /* of its payload: format, part, batches before it */
};

/* ---- one byte of a segment ---- */

static void flip(struct rig *r, uint32_t slot, uint64_t at)
{
	struct diskio *io = &r->disk->io;
	char path[64], c = 0;
	int fd;

	snprintf(path, sizeof(path), "/spool/seg.%04u", (unsigned)slot);
	fd = io->open(io, path, O_RDWR, 0);
	assert_int_equal(io->pread(io, fd, &c, 1, (int64_t)at), 1);
	c = (char)(c ^ 0x20);
	assert_int_equal(io->pwrite(io, fd, &c, 1, (int64_t)at), 1);
	io->close(io, fd);
}

/* Of each segment that has one. */
struct summaries {
	uint32_t slot[TOLD_SLOTS];
	uint64_t at[TOLD_SLOTS], end[TOLD_SLOTS];
	unsigned n;
};

static struct summaries summaries_of(const struct rig *r)
{
	struct summaries y = {.n = 0};

	for (unsigned i = 0; i < r->spool->segs; i++) {
		const struct segment *seg = r->spool->seg[i];

		if (seg == NULL || seg->state != SEG_MAIN || seg->summary == 0)
			continue;
		y.slot[y.n] = seg->slot;
		y.at[y.n] = seg->summary;
		y.end[y.n++] = seg->end;
	}
	return y;
}

static struct rig *copy_of(struct rig *r)
{
	struct rig *q =
	    rig_over(fakedisk_cut(r->disk, CUT_DROPS_ALL, 1), r);

	q->c.retain_us = r->c.retain_us;
	return q;
}

/* ---- histories ---- */

static void random_step(struct rig *r, struct rng *rng)
{
	static const size_t sizes[] = {50, 300, 600, 3000, 9000};
	static const enum dstate to[] = {D_DELIVERED, D_DELIVERED, D_DEFERRED,
	    D_PARKED, D_HELD};
	uint64_t v = rng_u64(rng);
	struct rig_message *m = r->n == 0 ? NULL : &r->m[v % r->n];

	if (v % 8 == 0)
		clock_fake_step(&r->clock, (int64_t)(v >> 8) % 5000000);
	else if (v % 8 < 4 && m != NULL && m->promise == P_STORED)
		rig_settle(r, m, to[(v >> 8) % ARRAY_LEN(to)], OP_SYNC);
	else if (v % 8 == 4 && m != NULL && m->promise == P_STORED)
		rig_bounce(r, m);
	else
		rig_accept(r, sizes[(v >> 16) % ARRAY_LEN(sizes)]);
	rig_pump(r);
}

static struct rig *crash(struct rig *r)
{
	struct rig *q = copy_of(r);

	rig_kill(r);
	rig_free(r);
	assert_true(rig_open(q));
	return q;
}

static struct rig *history(uint64_t seed, unsigned steps)
{
	struct rng_seeded rng;
	struct rig *r = rig_new(TOLD_SLOTS);

	rng_seeded_init(&rng, seed);
	r->c.retain_us = seed % 2 == 0 ? INT64_C(3600000000) : 0;
	assert_true(rig_open(r));
	for (unsigned i = 0; i < steps; i++) {
		random_step(r, &rng.rng);
		if (i == steps / 2 && seed % 4 == 1) {
			rig_close(r); /* goes on in the same segment */
			assert_true(rig_open(r));
		}
		if (i == steps / 2 && seed % 4 == 2)
			r = crash(r); /* begins the next, and says so */
	}
	return r;
}

/* Opens one copy as it is, and one without its summaries. */
static unsigned compare(struct rig *r)
{
	struct told_state *a = NEW(struct told_state);
	struct told_state *b = NEW(struct told_state);
	struct summaries y = summaries_of(r);
	struct rig *with = copy_of(r), *without = copy_of(r);
	unsigned used;

	for (unsigned i = 0; i < y.n; i++)
		flip(without, y.slot[i],
		    y.at[i] + BATCH_HEAD + RECORD_HEAD + 30);
	told_look(with, a);
	told_look(without, b);
	used = with->start.summaries;
	assert_int_equal(a->damaged, 0);
	/* The records say the same: nothing is damaged. */
	assert_int_equal(b->damaged, 0);
	assert_int_equal(without->start.damaged, 0);
	assert_int_equal(b->spoilt, used);
	assert_int_equal(without->start.summaries, 0);
	told_same(a, b);
	assert_null(rig_check(with));
	rig_free(with);
	rig_free(without);
	mem_free(a);
	mem_free(b);
	return used;
}

static void y1_a_start_finds_the_same_by_summaries(void **state)
{
	unsigned used = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct rig *r = history(seed, STEPS);

		used += compare(r);
		rig_kill(r);
		rig_free(r);
	}
	assert_true(used > SEEDS);
}

/* Of the first summary: where its only record ends. */
static uint64_t rows_end(struct rig *r, const struct summaries *y)
{
	struct record_head h;
	struct slice payload;
	char frame[RECORD_HEAD];
	uint64_t at = y->at[0] + BATCH_HEAD;

	assert_int_equal(segment_read(r->spool, r->spool->seg[y->slot[0]],
	    frame, sizeof(frame), at), 0);
	record_frame(slice_of(frame, sizeof(frame)), &h, &payload);
	assert_int_equal(h.type, REC_SUMMARY);
	assert_true(h.bytes > 500);
	return at + RECORD_HEAD + h.bytes;
}

static void y2_every_flipped_byte_is_found_out(void **state)
{
	struct rig *r = history(4, STEPS);
	struct told_state *a = NEW(struct told_state);
	struct told_state *b = NEW(struct told_state);
	struct summaries y = summaries_of(r);
	struct rig *whole = copy_of(r);
	unsigned used;

	(void)state;
	assert_true(y.n > 0);
	told_look(whole, a);
	used = whole->start.summaries;
	assert_true(used > 0);
	for (uint64_t at = y.at[0]; at < rows_end(r, &y); at += 3) {
		struct rig *q = copy_of(r);

		flip(q, y.slot[0], at);
		told_look(q, b);
		assert_int_equal(q->start.summaries, used - 1);
		assert_int_equal(b->damaged + b->spoilt, 1);
		/* Only what tells that it is a summary has to be whole. */
		if (at >= y.at[0] + BATCH_HEAD + RECORD_HEAD + TOLD_BYTES)
			assert_int_equal(b->spoilt, 1);
		else if (at < y.at[0] + BATCH_HEAD)
			assert_int_equal(b->damaged, 1);
		/* Without its last head the end of the segment is not known. */
		b->kept[y.slot[0]] = a->kept[y.slot[0]];
		told_same(a, b);
		rig_free(q);
	}
	rig_free(whole);
	rig_kill(r);
	rig_free(r);
	mem_free(a);
	mem_free(b);
}

/* ---- mail that is over ---- */

static struct rig_message *over(struct rig *r, unsigned between)
{
	struct rig_message *m = rig_accept(r, 700);

	rig_pump(r);
	for (unsigned i = 0; i < between; i++) {
		rig_accept(r, 3000);
		rig_pump(r);
	}
	rig_settle(r, m, D_DELIVERED, OP_SYNC);
	rig_pump(r);
	return m;
}

static unsigned found_by_summaries(struct rig *r, uint64_t id)
{
	struct retained k;
	struct error err;
	unsigned n;

	assert_non_null(retained_find(r->spool, id, &k, &err));
	assert_int_equal(k.version->n, 1);
	assert_int_equal(k.version->d[0].state, D_DELIVERED);
	n = k.summaries;
	retained_let_go(r->spool, &k);
	return n;
}

/* It came in one segment and was over in another; after a restart, and also
 * where the summary is spoilt. */
static void y3_mail_that_is_over_is_found_through_them(void **state)
{
	struct rig *r = rig_new(TOLD_SLOTS), *q;
	struct summaries y;
	struct rig_message *m;

	(void)state;
	r->c.retain_us = INT64_C(3600000000);
	assert_true(rig_open(r));
	m = over(r, 40);
	for (unsigned i = 0; i < 40; i++)
		over(r, 0);
	assert_true(found_by_summaries(r, m->id) >= 2);
	y = summaries_of(r);
	assert_true(y.n >= 2);
	q = copy_of(r);
	assert_true(rig_open(q));
	assert_true(found_by_summaries(q, m->id) >= 2);
	rig_free(q);
	q = copy_of(r);
	for (unsigned i = 0; i < y.n; i++)
		flip(q, y.slot[i], y.at[i] + BATCH_HEAD + 40);
	assert_true(rig_open(q));
	assert_int_equal(found_by_summaries(q, m->id), 0);
	rig_free(q);
	rig_kill(r);
	rig_free(r);
}

/* ---- asked, and bounds ---- */

static void add(struct summary *y, uint64_t id, uint32_t number, uint64_t hash,
    enum dstate state, bool whole)
{
	struct message_row row = {.id = id, .whole = whole, .deliveries = 1};

	row_room(&row, 1, 0);
	row.place[0] = (struct row_place){.number = number};
	row.delivery[0] = (struct spool_delivery){.hash = hash,
	    .state = (uint8_t)state};
	summary_add(y, &row);
	row_fini(&row);
}

static int ask(const struct summary *y, struct names *names,
    const struct summary_query *q, uint64_t *ids, uint8_t *states)
{
	struct strbuf b;
	struct summary_head h = {.batches = 7, .last = true}, back;
	struct sheet_legs legs;
	struct message_row row = {0};
	struct slice rows;
	size_t at = 0, sheet;
	int rc, n = 0;

	strbuf_init(&b, 1 << 20);
	summary_put_head(&b, &h);
	sheet = sheet_begin(&b);
	strbuf_addsl(&b, summary_part(y, &at));
	sheet_end(&b, sheet, names);
	assert_int_equal(summary_get(strbuf_view(&b), names, &back, &rows,
	    &legs), 0);
	assert_int_equal(back.batches, 7);
	while ((rc = summary_next(&rows, &legs, q, &row)) > 0) {
		ids[n] = row.id;
		states[n++] = row.delivery[0].state;
	}
	assert_int_equal(rc, 0);
	row_fini(&row);
	strbuf_fini(&b);
	return n;
}

static uint64_t id_at(int64_t ms)
{
	struct clock_fake clock;
	struct id_maker ids;

	clock_fake_init(&clock, ms * 1000);
	id_maker_init(&ids, &clock.clock, 0);
	return id_make(&ids);
}

static void y4_recipients_in_a_period_are_found(void **state)
{
	const int64_t day = INT64_C(1700000000000);
	uint64_t old = id_at(day - 5000), in = id_at(day + 10);
	uint64_t other = id_at(day + 20), hash[2] = {500, 600};
	struct summary_query q = {hash, 2, day, day + 1000, NULL};
	struct names *names = names_new();
	struct summary y;
	uint64_t ids[8];
	uint8_t states[8];

	(void)state;
	names_id(names, SLICE("legacy"));
	summary_init(&y);
	summary_begin(&y, true, 1 << 16);
	add(&y, old, 0, 500, D_QUEUED, true);
	add(&y, in, 0, 600, D_QUEUED, true);
	add(&y, other, 0, 700, D_QUEUED, true);
	summary_keep(&y);
	add(&y, in, 0, 0, D_DEFERRED, false); /* of a batch that fails */
	summary_drop(&y);
	add(&y, in, 0, 0, D_DELIVERED, false);
	summary_keep(&y);
	assert_int_equal(ask(&y, names, &q, ids, states), 1);
	assert_true(ids[0] == in);
	assert_int_equal(states[0], D_DELIVERED); /* one row, the last state */
	q.from_ms = day - 5000;
	assert_int_equal(ask(&y, names, &q, ids, states), 2);
	/* A delivery that its row has not comes in another. */
	add(&y, in, 1, 500, D_QUEUED, false);
	summary_keep(&y);
	assert_int_equal(ask(&y, names, &q, ids, states), 3);
	/* Beyond the bound there is none. */
	summary_begin(&y, true, 200);
	add(&y, old, 0, 500, D_QUEUED, true);
	add(&y, in, 0, 500, D_QUEUED, true);
	summary_keep(&y);
	assert_false(y.whole);
	assert_int_equal(summary_bytes(&y), 0);
	summary_fini(&y);
	names_free(names);
}

/* Of a batch that has a message and then moves of its delivery: `kept` rows
 * are there before it. */
static void batch_of_moves(struct summary *y, size_t most, unsigned kept,
    unsigned moves)
{
	const int64_t ms = INT64_C(1700000000000);

	summary_init(y);
	summary_begin(y, true, most);
	for (unsigned i = 0; i < kept; i++)
		add(y, id_at(ms + i), 0, 500, D_QUEUED, true);
	summary_keep(y);
	assert_true(y->whole);
	add(y, id_at(ms + kept), 0, 600, D_QUEUED, true);
	for (unsigned i = 0; i < moves; i++)
		add(y, id_at(ms + kept), 0, 0, D_PARKED, false);
	summary_keep(y);
}

static void y5_no_row_is_patched_that_found_no_room(void **state)
{
	const size_t row = ROW_FIXED + ROW_DELIVERY;
	struct summary y;

	(void)state;
	for (size_t most = 3 * row; most < 5 * row; most++) {
		/* The rows end first; then those of the batch do. */
		batch_of_moves(&y, most, 3, 1);
		assert_int_equal(y.whole, most >= 4 * row);
		assert_int_equal(summary_bytes(&y), y.whole ? 4 * row : 0);
		summary_fini(&y);
		batch_of_moves(&y, most, 1, 3);
		assert_int_equal(y.whole, most >= 4 * row);
		assert_int_equal(summary_bytes(&y), y.whole ? 2 * row : 0);
		summary_fini(&y);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(y1_a_start_finds_the_same_by_summaries),
	    cmocka_unit_test(y2_every_flipped_byte_is_found_out),
	    cmocka_unit_test(y3_mail_that_is_over_is_found_through_them),
	    cmocka_unit_test(y4_recipients_in_a_period_are_found),
	    cmocka_unit_test(y5_no_row_is_patched_that_found_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
