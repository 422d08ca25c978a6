/* SPDX-License-Identifier: ISC
 *
 * The split of a plan: groups stay whole, values have their share of each
 * wave, and the seed repeats it all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>

#include "policy/wave/split.h"
#include "policy/wave/split_quota.h"
#include "relay/base/mem.h"
#include "relay/base/rng.h"

enum { WAVES_MAX = 24, VALUES_MAX = 12 };

/* A plan made by chance. */
struct plan {
	uint32_t members;
	unsigned waves, values;
	uint32_t size[WAVES_MAX];   /* what the calendar says */
	uint32_t filled[WAVES_MAX]; /* what becomes of it: the last one less */
	uint32_t *group;	    /* of each member, 0: alone */
	uint16_t *value;
	uint32_t of_value[VALUES_MAX];
	uint32_t largest[VALUES_MAX]; /* group, by value */
};

static void free_plan(struct plan *p)
{
	mem_free(p->group);
	mem_free(p->value);
}

/* Members of one group have one value, as those of a department have. */
static void make_members(struct plan *p, struct rng *rng, unsigned group_max)
{
	uint32_t i = 0, group = 0;

	while (i < p->members) {
		uint32_t n = 1 + (uint32_t)rng_below(rng, group_max);
		uint16_t v = (uint16_t)rng_below(rng, p->values);

		if (rng_below(rng, 3) != 0 || n > p->members - i)
			n = 1;
		group++;
		p->largest[v] = n > p->largest[v] ? n : p->largest[v];
		p->of_value[v] += n;
		for (uint32_t k = 0; k < n; k++, i++) {
			p->value[i] = v;
			p->group[i] = n > 1 ? group : 0;
		}
	}
}

static void make_plan(struct plan *p, struct rng *rng, unsigned group_max)
{
	uint32_t rest;

	*p = (struct plan){.values = 1 + (unsigned)rng_below(rng, VALUES_MAX),
	    .members = 200 + (uint32_t)rng_below(rng, 3000)};
	p->group = NEW_ARRAY(uint32_t, p->members);
	p->value = NEW_ARRAY(uint16_t, p->members);
	make_members(p, rng, group_max);
	for (rest = p->members; rest > 0; p->waves++) {
		uint32_t n = p->members / (WAVES_MAX - 2) +
			     (uint32_t)rng_below(rng, p->members / 2);

		p->size[p->waves] = n;
		p->filled[p->waves] = n < rest ? n : rest;
		rest -= p->filled[p->waves];
	}
}

static struct split *run(const struct plan *p, uint64_t seed, bool backwards)
{
	struct split *s = split_new();
	struct split_how how = {seed, p->size, p->waves, p->values};
	struct error err;
	uint32_t member;

	for (uint32_t i = 0; i < p->members; i++) {
		uint32_t n = backwards ? p->members - 1 - i : i;
		uint32_t m = split_add(s, 1000 + n, SPLIT_MIDDLE, p->value[n]);

		assert_int_equal(m, i);
		if (p->group[n] != 0)
			split_together(s, m, p->group[n]);
	}
	if (split_run(s, &how, &member, &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

/* The members of each wave and value. */
static void count(const struct plan *p, const struct split *s,
    uint32_t cell[WAVES_MAX][VALUES_MAX], uint32_t wave[WAVES_MAX])
{
	memset(cell, 0, sizeof(uint32_t[WAVES_MAX][VALUES_MAX]));
	memset(wave, 0, sizeof(uint32_t[WAVES_MAX]));
	for (uint32_t i = 0; i < p->members; i++) {
		unsigned w = split_wave(s, i);

		assert_true(w < p->waves);
		cell[w][p->value[i]]++;
		wave[w]++;
	}
}

static double off(const struct plan *p, unsigned w, unsigned v, uint32_t n)
{
	double share = (double)p->filled[w] * p->of_value[v] / p->members;

	return n > share ? n - share : share - n;
}

static void each_wave_has_its_share_of_each_value(void **state)
{
	struct rng_seeded rng;
	uint32_t cell[WAVES_MAX][VALUES_MAX], wave[WAVES_MAX];

	(void)state;
	rng_seeded_init(&rng, 1);
	for (uint64_t round = 0; round < 200; round++) {
		struct plan p;
		struct split *s;

		make_plan(&p, &rng.rng, 1);
		s = run(&p, round, false);
		count(&p, s, cell, wave);
		for (unsigned w = 0; w < p.waves; w++) {
			assert_int_equal(wave[w], p.filled[w]);
			for (unsigned v = 0; v < p.values; v++)
				assert_true(off(&p, w, v, cell[w][v]) <= 1.0);
		}
		split_free(s);
		free_plan(&p);
	}
}

static void same_group_same_wave(const struct plan *p, const struct split *s)
{
	for (uint32_t i = 1; i < p->members; i++)
		if (p->group[i] != 0 && p->group[i] == p->group[i - 1]) {
			assert_int_equal(
			    split_wave(s, i), split_wave(s, i - 1));
			assert_true(split_seat(s, i) == split_seat(s, i - 1));
		}
}

static void groups_stay_whole_within_the_bound(void **state)
{
	struct rng_seeded rng;
	uint32_t cell[WAVES_MAX][VALUES_MAX], wave[WAVES_MAX];

	(void)state;
	rng_seeded_init(&rng, 2);
	for (uint64_t round = 0; round < 300; round++) {
		struct plan p;
		struct split *s;

		make_plan(&p, &rng.rng, 6);
		s = run(&p, round, false);
		same_group_same_wave(&p, s);
		count(&p, s, cell, wave);
		for (unsigned w = 0; w < p.waves; w++) {
			assert_true(wave[w] <= p.size[w]);
			for (unsigned v = 0; v < p.values; v++)
				if (off(&p, w, v, cell[w][v]) >
				    p.largest[v] + 1)
					fail_msg("round %d wave %u value %u: "
						 "%f, largest %u",
					    (int)round, w, v,
					    off(&p, w, v, cell[w][v]),
					    p.largest[v]);
		}
		split_free(s);
		free_plan(&p);
	}
}

static void a_seed_repeats_it(void **state)
{
	struct rng_seeded rng;
	struct plan p;
	struct split *a, *b, *other;
	uint32_t moved = 0;

	(void)state;
	rng_seeded_init(&rng, 3);
	make_plan(&p, &rng.rng, 4);
	a = run(&p, 77, false);
	b = run(&p, 77, true);
	other = run(&p, 78, false);
	for (uint32_t i = 0; i < p.members; i++) {
		assert_int_equal(
		    split_wave(a, i), split_wave(b, p.members - 1 - i));
		moved += split_wave(a, i) != split_wave(other, i);
	}
	assert_true(moved > p.members / 10);
	split_free(a);
	split_free(b);
	split_free(other);
	free_plan(&p);
}

static void some_go_first_and_some_last(void **state)
{
	static const uint32_t size[] = {10, 10, 10, 10};
	struct split_how how = {5, size, 4, 1};
	struct split *s = split_new();
	struct error err;
	uint32_t member;

	(void)state;
	for (unsigned i = 0; i < 36; i++)
		split_add(s, i,
		    i < 12   ? SPLIT_LAST
		    : i < 24 ? SPLIT_FIRST
			     : SPLIT_MIDDLE,
		    0);
	split_together(s, 0, 9);  /* one that goes last … */
	split_together(s, 12, 9); /* … with one that goes first */
	assert_int_equal(split_run(s, &how, &member, &err), 0);
	for (unsigned i = 13; i < 24; i++)
		assert_true(split_wave(s, i) <= 1);
	for (unsigned i = 1; i < 12; i++)
		assert_true(split_wave(s, i) >= 2);
	assert_int_equal(split_wave(s, 0), split_wave(s, 12));
	assert_true(split_wave(s, 0) <= 1);
	for (unsigned i = 1; i < 12; i++)
		for (unsigned k = 12; k < 36; k++)
			assert_true(split_seat(s, i) > split_seat(s, k));
	split_free(s);
}

static void members_are_joined_through_others(void **state)
{
	static const uint32_t size[] = {4, 4};
	struct split_how how = {5, size, 2, 1};
	struct split *s = split_new();
	struct error err;
	uint32_t member;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		split_add(s, i, SPLIT_MIDDLE, 0);
	for (unsigned i = 0; i + 1 < 4; i++) { /* 0-2, 1-3, then 0-3 */
		split_together(s, i, 100 + i % 2);
		split_together(s, i + 2 > 3 ? 0 : i + 2, 100 + i % 2);
	}
	split_together(s, 3, 100);
	assert_int_equal(split_run(s, &how, &member, &err), 0);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(split_wave(s, i), split_wave(s, 0));
	assert_int_equal(split_group_size(s, 0), 4);
	for (unsigned i = 4; i < 8; i++)
		assert_int_equal(split_wave(s, i), !split_wave(s, 0));
	split_free(s);
}

static void a_group_needs_a_wave(void **state)
{
	static const uint32_t size[] = {4, 4};
	struct split_how how = {5, size, 2, 1};
	struct split *s = split_new();
	struct error err;
	uint32_t member;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		split_add(s, i, SPLIT_MIDDLE, 0);
		if (i > 2)
			split_together(s, i, 9);
	}
	assert_int_equal(split_run(s, &how, &member, &err), -1);
	assert_int_equal(member, 3);
	assert_string_equal(err.text,
	    "5 recipients that stay together are "
	    "more than the largest wave, of 4; write a larger one, or take "
	    "their tags together= apart");
	split_free(s);
	s = split_new();
	how.values = SPLIT_CELLS_MAX;
	assert_int_equal(split_run(s, &how, &member, &err), -1);
	split_free(s);
}

/* Sums of rows and columns that rounding each row alone would miss. */
static void quotas_come_out_even(void **state)
{
	static const uint32_t wave[] = {1, 1, 1, 1, 1, 2};
	static const uint32_t value[] = {3, 3, 1};
	struct split_quota in = {wave, value, 6, 3};
	int32_t q[6][3] = {{0}};

	(void)state;
	split_quota(&in, q[0]);
	for (unsigned w = 0; w < 6; w++)
		assert_int_equal(q[w][0] + q[w][1] + q[w][2], wave[w]);
	for (unsigned v = 0; v < 3; v++) {
		int32_t sum = 0;

		for (unsigned w = 0; w < 6; w++) {
			assert_true(q[w][v] >= 0 && q[w][v] <= 2);
			sum += q[w][v];
		}
		assert_int_equal(sum, value[v]);
	}
}

/* Groups of many sizes in waves of any size are not all in the large ones. */
static void groups_are_everywhere(void **state)
{
	static const uint32_t size[] = {300, 300, 300, 1200};
	struct split_how how = {6, size, 4, 1};
	struct split *s = split_new();
	struct error err;
	uint32_t member, in[4] = {0};

	(void)state;
	for (unsigned i = 0; i < 2100; i++) {
		split_add(s, i, SPLIT_MIDDLE, 0);
		if (i < 700)
			split_together(s, i, i / 4);
	}
	assert_int_equal(split_run(s, &how, &member, &err), 0);
	for (unsigned i = 0; i < 700; i++)
		in[split_wave(s, i)]++;
	for (unsigned w = 0; w < 3; w++)
		assert_in_range(in[w], 92, 108);
	split_free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_wave_has_its_share_of_each_value),
	    cmocka_unit_test(groups_stay_whole_within_the_bound),
	    cmocka_unit_test(a_seed_repeats_it),
	    cmocka_unit_test(some_go_first_and_some_last),
	    cmocka_unit_test(members_are_joined_through_others),
	    cmocka_unit_test(a_group_needs_a_wave),
	    cmocka_unit_test(quotas_come_out_even),
	    cmocka_unit_test(groups_are_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
