/* SPDX-License-Identifier: ISC
 *
 * Members into groups: those that share a key are joined (union-find), and the
 * keys are only sorted, never looked up. split_deal.c gives groups their waves.
 */
#include "policy/wave/split.h"

#include <stdlib.h>
#include <string.h>

#include "policy/wave/split_int.h"
#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum { GROW_FROM = 1024 };

struct split *split_new(void)
{
	return NEW(struct split);
}

void split_free(struct split *s)
{
	if (s == NULL)
		return;
	mem_free(s->part);
	mem_free(s->key);
	mem_free(s->group);
	mem_free(s);
}

/* Room for one more, half as much again at a time. */
static void *grow(void *p, uint32_t n, uint32_t *cap, size_t each)
{
	if (n < *cap)
		return p;
	PH_ASSERT(n < UINT32_MAX / 2);
	*cap = n < GROW_FROM ? GROW_FROM : n + n / 2;
	return mem_resize(p, *cap * each);
}

uint32_t split_add(
    struct split *s, uint64_t id, enum split_rank rank, unsigned value)
{
	PH_ASSERT(value < SPLIT_VALUES_MAX && s->group == NULL);
	s->part = grow(s->part, s->parts, &s->part_cap, sizeof(s->part[0]));
	s->part[s->parts] = (struct part){.id = id,
	    .in = s->parts,
	    .value = (uint16_t)value,
	    .rank = (uint8_t)rank};
	return s->parts++;
}

void split_together(struct split *s, uint32_t member, uint64_t key)
{
	PH_ASSERT(member < s->parts && s->group == NULL);
	s->key = grow(s->key, s->keys, &s->key_cap, sizeof(s->key[0]));
	s->key[s->keys++] = (struct shared_key){key, member};
}

static uint32_t root(struct split *s, uint32_t i)
{
	while (s->part[i].in != i) {
		s->part[i].in = s->part[s->part[i].in].in;
		i = s->part[i].in;
	}
	return i;
}

static int by_key(const void *a, const void *b)
{
	const struct shared_key *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static void join(struct split *s)
{
	if (s->keys > 0)
		qsort(s->key, s->keys, sizeof(s->key[0]), by_key);
	for (uint32_t i = 1; i < s->keys; i++) {
		uint32_t a = root(s, s->key[i - 1].member);
		uint32_t b = root(s, s->key[i].member);

		if (s->key[i - 1].key == s->key[i].key && a != b)
			s->part[a < b ? b : a].in = a < b ? a : b;
	}
	mem_free(s->key);
	s->key = NULL;
	s->keys = s->key_cap = 0;
}

/* The finalizer of splitmix64: each bit of the sum moves all others. */
static uint64_t mix(uint64_t seed, uint64_t id)
{
	uint64_t x = id + seed * UINT64_C(0x9e3779b97f4a7c15) +
		     UINT64_C(0x632be59bd9b4e019);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* The member with the least number, in the order of the seed, speaks for its
 * group. */
static void count_in(
    struct split_group *g, const struct part *p, uint64_t order)
{
	if (g->size == 0 || order < g->order) {
		g->order = order;
		g->value = p->value;
	}
	if (g->size == 0 || p->rank == SPLIT_FIRST ||
	    (p->rank == SPLIT_LAST && g->rank == SPLIT_MIDDLE))
		g->rank = p->rank;
	g->size++;
}

/* Roots become numbers of groups. A root is the least of its members, so it
 * has its group before the others ask for it. */
static void make_groups(struct split *s, uint64_t seed)
{
	uint32_t groups = 0;

	for (uint32_t i = 0; i < s->parts; i++)
		groups += root(s, i) == i;
	s->group = NEW_ARRAY(struct split_group, groups + 1);
	for (uint32_t i = 0; i < s->parts; i++) {
		struct part *p = &s->part[i];

		if (p->in == i)
			p->group = s->groups++;
		else
			p->group = s->part[p->in].group;
		count_in(&s->group[p->group], p, mix(seed, p->id));
	}
	PH_ASSERT(s->groups == groups);
}

static int check(const struct split *s, const struct split_how *how,
    uint32_t *member_out, struct error *err)
{
	uint32_t largest = 0;

	if ((uint64_t)how->waves * how->values > SPLIT_CELLS_MAX)
		return error_set(err,
		    "%u values in %u waves are more than can be spread; write "
		    "a key with fewer values, or larger waves",
		    how->values, how->waves);
	for (unsigned w = 0; w < how->waves; w++)
		if (how->size[w] > largest)
			largest = how->size[w];
	for (uint32_t i = 0; i < s->parts; i++) {
		*member_out = i;
		if (split_group_size(s, i) > largest)
			return error_set(err,
			    "%u recipients that stay together are more than "
			    "the largest wave, of %u; write a larger one, or "
			    "take their tags together= apart",
			    split_group_size(s, i), largest);
	}
	return 0;
}

int split_run(struct split *s, const struct split_how *how,
    uint32_t *member_out, struct error *err)
{
	PH_ASSERT(s->group == NULL && how->waves > 0 && how->values > 0 &&
		  how->waves <= UINT16_MAX);
	join(s);
	make_groups(s, how->seed);
	if (check(s, how, member_out, err) != 0)
		return -1;
	split_deal(s, how);
	return 0;
}

static const struct split_group *group_of(
    const struct split *s, uint32_t member)
{
	return &s->group[s->part[member].group];
}

unsigned split_wave(const struct split *s, uint32_t member)
{
	return group_of(s, member)->wave;
}

uint64_t split_seat(const struct split *s, uint32_t member)
{
	return (uint64_t)group_of(s, member)->rank << 32 |
	       s->part[member].group;
}

uint32_t split_group_size(const struct split *s, uint32_t member)
{
	return group_of(s, member)->size;
}
