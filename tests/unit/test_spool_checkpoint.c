/* SPDX-License-Identifier: ISC
 *
 * A start that goes on from a checkpoint finds what reading the whole journal
 * finds: after random histories, with changes while it was written, after a
 * power cut at each of its steps, and when it is spoilt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/spool_same.h"

enum { SEEDS = 30, STEPS = 60 };

static void remove_file(struct rig *r, const char *path)
{
	r->disk->io.unlink(&r->disk->io, path);
}

/* Opens a copy with the checkpoints and one without; true: one was used. */
static bool compare(struct rig *r, enum fake_cut how, uint64_t seed)
{
	struct told_state *a = NEW(struct told_state);
	struct told_state *b = NEW(struct told_state);
	struct rig *with = rig_over(fakedisk_cut(r->disk, how, seed), r);
	struct rig *without = rig_over(fakedisk_cut(r->disk, how, seed), r);
	const char *wrong;
	bool used;

	remove_file(without, "/spool/checkpoint");
	remove_file(without, "/spool/checkpoint.old");
	with->c.checkpoint_segments = without->c.checkpoint_segments = 1;
	told_look(with, a);
	told_look(without, b);
	assert_int_equal(a->damaged + b->damaged, 0);
	assert_false(b->used);
	told_same(a, b);
	wrong = rig_check(with);
	if (wrong != NULL)
		fail_msg("%s", wrong);
	used = a->used;
	rig_free(with);
	rig_free(without);
	mem_free(a);
	mem_free(b);
	return used;
}

/* ---- histories ---- */

struct history {
	struct rig *r;
	struct rng_seeded rng;
	bool inside; /* a checkpoint is being written */
};

static unsigned below(struct history *h, unsigned n)
{
	return (unsigned)(rng_u64(&h->rng.rng) % n);
}

static struct rig_message *any_stored(struct history *h)
{
	for (int i = 0; i < 8 && h->r->n > 0; i++) {
		struct rig_message *m = &h->r->m[below(h, h->r->n)];

		if (m->promise == P_STORED)
			return m;
	}
	return NULL;
}

static void settle_one(struct history *h)
{
	static const enum dstate to[] = {D_DELIVERED, D_DELIVERED, D_DEFERRED,
	    D_PARKED, D_HELD};
	struct rig_message *m = any_stored(h);

	if (m != NULL)
		rig_settle(h->r, m, to[below(h, ARRAY_LEN(to))],
		    below(h, 2) ? OP_SYNC : 0);
}

static void change(struct history *h)
{
	static const size_t sizes[] = {50, 600, 3000, 9000};
	char value[16];

	switch (below(h, 8)) {
	case 0:
		snprintf(value, sizeof(value), "%u", below(h, 1000));
		rig_fact(h->r, "k", value);
		break;
	case 1:
	case 2:
	case 3:
		settle_one(h);
		break;
	case 4:
		clock_fake_step(&h->r->clock, below(h, 3000) * 1000);
		break;
	default:
		rig_accept(h->r, sizes[below(h, ARRAY_LEN(sizes))]);
		break;
	}
}

/* While its rows are read, and after. */
static void on_call(void *arg, enum fake_call call)
{
	struct history *h = arg;

	if (call != CALL_WRITE || h->inside)
		return;
	h->inside = true;
	for (unsigned i = below(h, 6); i > 0; i--) {
		change(h);
		rig_write(h->r);
	}
	h->inside = false;
}

static void write_checkpoint(struct history *h, bool meddle)
{
	h->r->disk->before_arg = h;
	h->r->disk->before = meddle ? on_call : NULL;
	checkpoint_end(h->r->spool);
	h->r->disk->before = NULL;
}

static struct history *begin(uint64_t seed)
{
	struct history *h = NEW(struct history);

	h->r = rig_new(TOLD_SLOTS);
	h->r->c.checkpoint_segments = 1;
	h->r->c.retain_us = 1000000;
	rng_seeded_init(&h->rng, seed);
	assert_true(rig_open(h->r));
	return h;
}

static void end(struct history *h)
{
	rig_free(h->r);
	mem_free(h);
}

static void go_on(struct history *h, unsigned steps)
{
	for (unsigned i = 0; i < steps && h->r->n < RIG_MESSAGES - 50; i++) {
		change(h);
		if (below(h, 3) == 0)
			rig_pump(h->r);
		if (below(h, 25) == 0)
			write_checkpoint(h, below(h, 2) == 0);
		if (below(h, 60) == 0) {
			rig_pump(h->r);
			rig_close(h->r);
			assert_true(rig_open(h->r));
		}
	}
	rig_pump(h->r);
}

/* H1 */
static void h1_a_start_finds_what_the_whole_journal_says(void **state)
{
	unsigned used = 0, done = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct history *h = begin(seed);

		for (int i = 0; i < 3; i++, done++) {
			go_on(h, STEPS);
			used += compare(h->r, CUT_KEEPS_ALL, seed);
		}
		rig_close(h->r);
		used += compare(h->r, CUT_KEEPS_ALL, seed);
		rig_open(h->r);
		end(h);
	}
	print_message("%u of %u starts used one\n", used, done + SEEDS);
	assert_true(used > SEEDS);
}

/* ---- H2: the power goes ---- */

struct cuts {
	struct fakedisk *disk[200];
	unsigned n;
	struct rig *r;
};

static void cut_here(void *arg, enum fake_call call)
{
	struct cuts *c = arg;

	(void)call;
	for (int how = 0; how < CUTS && c->n < ARRAY_LEN(c->disk); how++) {
		c->disk[c->n] = fakedisk_cut(c->r->disk, (enum fake_cut)how,
		    c->n);
		c->n++;
	}
}

static void h2_the_power_may_go_at_each_step(void **state)
{
	struct history *h = begin(77);
	struct cuts *c = NEW(struct cuts);
	unsigned used = 0;

	(void)state;
	go_on(h, STEPS);
	write_checkpoint(h, false);
	go_on(h, STEPS / 3);
	c->r = h->r;
	h->r->disk->before_arg = c;
	h->r->disk->before = cut_here;
	checkpoint_end(h->r->spool);
	cut_here(c, CALL_SYNC);
	h->r->disk->before = NULL;
	assert_true(c->n >= 7 * CUTS);
	for (unsigned i = 0; i < c->n; i++) {
		struct rig *q = rig_over(c->disk[i], h->r);

		used += compare(q, CUT_KEEPS_ALL, i);
		rig_free(q);
	}
	/* There is always one: the new one or the one before. */
	assert_int_equal(used, c->n);
	mem_free(c);
	end(h);
}

/* ---- H3: spoilt ---- */

static void h3_a_spoilt_one_is_not_believed(void **state)
{
	struct history *h = begin(5);
	size_t n, old;
	char *p;

	(void)state;
	for (int i = 0; i < 4; i++)
		rig_accept(h->r, 300);
	rig_pump(h->r);
	write_checkpoint(h, false);
	rig_settle(h->r, &h->r->m[0], D_DELIVERED, OP_SYNC);
	rig_pump(h->r);
	write_checkpoint(h, false);
	p = fakedisk_bytes(h->r->disk, "/spool/checkpoint", &n);
	assert_true(n > 500 && n < 8000);
	for (size_t i = 0; i < n; i++) {
		p[i] ^= (char)(1 << i % 8);
		assert_true(compare(h->r, CUT_KEEPS_ALL, i)); /* the older */
		p[i] ^= (char)(1 << i % 8);
	}
	/* Neither: the journal is read. */
	p[n / 2] ^= 1;
	p = fakedisk_bytes(h->r->disk, "/spool/checkpoint.old", &old);
	p[old / 2] ^= 1;
	assert_false(compare(h->r, CUT_KEEPS_ALL, 1));
	end(h);
}

/* ---- H4: what it counts on is not there ---- */

static void h4_a_lost_segment_is_named_all_the_same(void **state)
{
	struct history *h = begin(9);
	struct rig *q;

	(void)state;
	while (h->r->spool->journal.generation < 4) {
		rig_accept(h->r, 3000);
		rig_pump(h->r);
	}
	write_checkpoint(h, false);
	rig_close(h->r);
	q = rig_over(fakedisk_cut(h->r->disk, CUT_KEEPS_ALL, 1), h->r);
	remove_file(q, "/spool/seg.0001");
	assert_true(rig_open(q));
	assert_true(q->damaged > 0);
	assert_non_null(strstr(q->first_damage, "seg.0001 is absent"));
	/* While that lasts none is written: each start names it. */
	q->c.checkpoint_segments = 1;
	assert_true(q->spool->checkpointer.off);
	rig_free(q);
	rig_open(h->r);
	end(h);
}

/* H5: a short journal, or one that has not grown, gets none. */
static void h5_one_is_written_when_a_start_gains_by_it(void **state)
{
	struct history *h = begin(3);
	struct spool *s = h->r->spool;
	uint64_t first;
	size_t n;

	(void)state;
	s->c.checkpoint_segments = 3;
	rig_accept(h->r, 3000);
	rig_pump(h->r);
	checkpoint_step(s, spool_now_ms(s));
	assert_null(fakedisk_bytes(h->r->disk, "/spool/checkpoint", &n));
	while (s->journal.generation < 3) {
		rig_accept(h->r, 3000);
		rig_pump(h->r);
	}
	checkpoint_step(s, spool_now_ms(s));
	assert_non_null(fakedisk_bytes(h->r->disk, "/spool/checkpoint", &n));
	first = s->checkpointer.written;
	assert_true(first >= 3);
	assert_true(s->checkpointer.next_ms > spool_now_ms(s));
	clock_fake_step(&h->r->clock, INT64_C(60) * 1000000);
	rig_accept(h->r, 100);
	rig_pump(h->r);
	checkpoint_step(s, spool_now_ms(s));
	assert_null(fakedisk_bytes(h->r->disk, "/spool/checkpoint.old", &n));
	while (s->journal.generation <= first) {
		rig_accept(h->r, 3000);
		rig_pump(h->r);
	}
	checkpoint_step(s, spool_now_ms(s));
	assert_non_null(
	    fakedisk_bytes(h->r->disk, "/spool/checkpoint.old", &n));
	end(h);
}

/* H6: what is retained, by spool.retain as it is now. */
static void h6_another_retain_counts_from_the_next_start_on(void **state)
{
	static const int64_t other_us[] = {0, 500000, INT64_C(900000000)};
	struct history *h = begin(3);

	(void)state;
	while (h->r->spool->journal.generation < 3) {
		rig_accept(h->r, 3000);
		rig_pump(h->r);
		rig_settle(h->r, &h->r->m[h->r->n - 1], D_DELIVERED, OP_SYNC);
		rig_pump(h->r);
	}
	rig_accept(h->r, 50);
	rig_pump(h->r);
	write_checkpoint(h, false);
	for (unsigned i = 0; i < ARRAY_LEN(other_us); i++) {
		h->r->c.retain_us = other_us[i];
		assert_true(compare(h->r, CUT_KEEPS_ALL, 1));
	}
	end(h);
}

static void stop_comes(void *arg, enum fake_call call)
{
	struct spool *s = arg;

	if (call != CALL_OPEN)
		return;
	s->stopped = true; /* as spool_stop() does, on another thread */
	atomic_store(&s->stopping, true);
}

/* H7 */
static void h7_a_stop_does_not_wait_for_one_under_way(void **state)
{
	struct history *h = begin(3);
	struct spool *s = h->r->spool;
	size_t n;

	(void)state;
	for (int i = 0; i < 5; i++)
		rig_accept(h->r, 300);
	rig_pump(h->r);
	h->r->disk->before_arg = s;
	h->r->disk->before = stop_comes;
	checkpoint_step(s, spool_now_ms(s));
	h->r->disk->before = NULL;
	assert_true(atomic_load(&s->stopping));
	assert_null(fakedisk_bytes(h->r->disk, "/spool/checkpoint", &n));
	assert_null(fakedisk_bytes(h->r->disk, "/spool/checkpoint.new", &n));
	checkpoint_end(s);
	assert_non_null(fakedisk_bytes(h->r->disk, "/spool/checkpoint", &n));
	s->stopped = false;
	end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(h1_a_start_finds_what_the_whole_journal_says),
	    cmocka_unit_test(h2_the_power_may_go_at_each_step),
	    cmocka_unit_test(h3_a_spoilt_one_is_not_believed),
	    cmocka_unit_test(h4_a_lost_segment_is_named_all_the_same),
	    cmocka_unit_test(h5_one_is_written_when_a_start_gains_by_it),
	    cmocka_unit_test(h6_another_retain_counts_from_the_next_start_on),
	    cmocka_unit_test(h7_a_stop_does_not_wait_for_one_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
