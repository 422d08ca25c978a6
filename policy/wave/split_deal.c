/* SPDX-License-Identifier: ISC
 *
 * Gives groups their waves, a rank after the other: the quota of each value in
 * each wave (split_quota.c) is filled with the large groups first, so that
 * single members can fill what these leave.
 */
#include <stdlib.h>

#include "policy/wave/split_int.h"
#include "policy/wave/split_quota.h"
#include "relay/base/assert.h"
#include "relay/base/mem.h"

struct dealer {
	struct split *split;
	const struct split_how *how;
	int64_t *room;	  /* of each wave: below 0 it has too many */
	int32_t *quota;	  /* of each wave and value, of this rank … */
	int32_t *left;	  /* … and what is left of it */
	unsigned *cursor; /* of each value: no wave before has any left */
	uint32_t *order;  /* groups, as they are dealt */
};

/* Of one rank: large ones first, and those of one member at the end. */
static int by_turn(const void *a, const void *b, void *arg)
{
	const struct split_group *group = arg;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	const struct split_group *x = &group[i], *y = &group[k];

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return i < k ? -1 : i > k;
}

static int32_t *cell(
    const struct dealer *d, int32_t *matrix, unsigned wave, unsigned value)
{
	return &matrix[(size_t)wave * d->how->values + value];
}

/* The share of this rank in each wave: the waves are filled one by one. */
static void take_room(
    const struct dealer *d, uint64_t members, uint32_t *wave_out)
{
	unsigned last = d->how->waves - 1;

	for (unsigned w = 0; w <= last; w++) {
		uint64_t room = d->room[w] > 0 ? (uint64_t)d->room[w] : 0;
		uint64_t n = room < members && w < last ? room : members;

		wave_out[w] = (uint32_t)n;
		members -= n;
	}
}

static void make_quota(struct dealer *d, uint32_t from, uint32_t to)
{
	const struct split_how *how = d->how;
	uint32_t *value = NEW_ARRAY(uint32_t, how->values);
	uint32_t *wave = NEW_ARRAY(uint32_t, how->waves);
	size_t cells = (size_t)how->waves * how->values;
	uint64_t members = 0;

	for (uint32_t i = from; i < to; i++) {
		const struct split_group *g = &d->split->group[d->order[i]];

		value[g->value] += g->size;
		members += g->size;
	}
	take_room(d, members, wave);
	split_quota(&(struct split_quota){wave, value, how->waves, how->values},
	    d->quota);
	memcpy(d->left, d->quota, cells * sizeof(d->left[0]));
	memset(d->cursor, 0, how->values * sizeof(d->cursor[0]));
	mem_free(value);
	mem_free(wave);
}

/* Is wave `w` the better one for a group: one that it fits into, and of these
 * the one that has filled the smaller part of its quota; else the one with the
 * most left, so that it is exceeded by less than the group. */
static bool better(
    struct dealer *d, const struct split_group *g, unsigned w, unsigned best)
{
	int64_t a = *cell(d, d->left, w, g->value);
	int64_t b = *cell(d, d->left, best, g->value);

	if (a < g->size || b < g->size)
		return a > b;
	return a * *cell(d, d->quota, best, g->value) >
	       b * *cell(d, d->quota, w, g->value);
}

static unsigned wave_of_group(struct dealer *d, const struct split_group *g)
{
	unsigned waves = d->how->waves;
	unsigned first = (unsigned)(g->order % waves), best = first;

	for (unsigned i = 1; i < waves; i++) {
		unsigned w = (first + i) % waves;

		if (better(d, g, w, best))
			best = w;
	}
	return best;
}

static unsigned wave_of_single(struct dealer *d, unsigned value)
{
	unsigned w = d->cursor[value];

	while (w < d->how->waves && *cell(d, d->left, w, value) <= 0)
		w++;
	PH_ASSERT(w < d->how->waves);
	d->cursor[value] = w;
	return w;
}

static void put(struct dealer *d, struct split_group *g, unsigned wave)
{
	g->wave = (uint16_t)wave;
	*cell(d, d->left, wave, g->value) -= (int32_t)g->size;
	d->room[wave] -= g->size;
}

/* Where a single member is missed most; room for it comes first. */
static unsigned wave_with_room(struct dealer *d, unsigned value)
{
	unsigned best = 0;

	for (unsigned w = 1; w < d->how->waves; w++) {
		int32_t a = *cell(d, d->left, w, value);
		int32_t b = *cell(d, d->left, best, value);

		if (d->room[w] <= 0)
			continue;
		if (d->room[best] <= 0 || a > b ||
		    (a == b && d->room[w] > d->room[best]))
			best = w;
	}
	return best;
}

/* Groups may have filled a wave beyond its size. Single members leave it: those
 * of values that it has too many of, then one of each other value, then any. */
static void move_singles(struct dealer *d, uint32_t from, uint32_t to, int pass)
{
	for (uint32_t i = from; i < to; i++) {
		struct split_group *g = &d->split->group[d->order[i]];
		int32_t left = *cell(d, d->left, g->wave, g->value);
		unsigned w;

		if (g->size > 1 || d->room[g->wave] >= 0 ||
		    (pass == 0 && left >= 0) || (pass == 1 && left > 0))
			continue;
		w = wave_with_room(d, g->value);
		if (d->room[w] <= 0)
			return;
		d->room[g->wave]++;
		++*cell(d, d->left, g->wave, g->value);
		put(d, g, w);
	}
}

static void deal_rank(struct dealer *d, uint32_t from, uint32_t to)
{
	make_quota(d, from, to);
	for (uint32_t i = from; i < to; i++) {
		struct split_group *g = &d->split->group[d->order[i]];

		put(d, g,
		    g->size > 1 ? wave_of_group(d, g)
				: wave_of_single(d, g->value));
	}
	for (int pass = 0; pass < 3; pass++)
		move_singles(d, from, to, pass);
}

static void init(struct dealer *d, struct split *s, const struct split_how *how)
{
	size_t cells = (size_t)how->waves * how->values;

	*d = (struct dealer){s, how, NEW_ARRAY(int64_t, how->waves),
	    NEW_ARRAY(int32_t, cells), NEW_ARRAY(int32_t, cells),
	    NEW_ARRAY(unsigned, how->values),
	    NEW_ARRAY(uint32_t, s->groups + 1)};
	for (unsigned w = 0; w < how->waves; w++)
		d->room[w] = how->size[w];
	for (uint32_t i = 0; i < s->groups; i++)
		d->order[i] = i;
	qsort_r(d->order, s->groups, sizeof(d->order[0]), by_turn, s->group);
}

void split_deal(struct split *s, const struct split_how *how)
{
	struct dealer d;
	uint32_t from = 0, to;

	init(&d, s, how);
	for (; from < s->groups; from = to) {
		uint8_t rank = s->group[d.order[from]].rank;

		for (to = from;
		     to < s->groups && s->group[d.order[to]].rank == rank;)
			to++;
		deal_rank(&d, from, to);
	}
	mem_free(d.room);
	mem_free(d.quota);
	mem_free(d.left);
	mem_free(d.cursor);
	mem_free(d.order);
}
