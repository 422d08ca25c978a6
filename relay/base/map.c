/* SPDX-License-Identifier: ISC
 *
 * Hash map from 64-bit keys to pointers. Linear probing with backward-shift
 * deletion, so there are no tombstones to clean.
 */
#include "relay/base/map.h"

#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum { MAP_FIRST = 16 };

static size_t slot_of(const struct map *m, uint64_t key)
{
	key ^= key >> 32;
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(key >> 20) & (m->cap - 1);
}

void map_init(struct map *m)
{
	*m = (struct map){0};
}

void map_fini(struct map *m)
{
	mem_free(m->slots);
	map_init(m);
}

static struct map_slot *find(const struct map *m, uint64_t key)
{
	size_t i = slot_of(m, key);

	while (m->slots[i].key != 0 && m->slots[i].key != key)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

void *map_get(const struct map *m, uint64_t key)
{
	return m->cap == 0 ? NULL : find(m, key)->value;
}

static void resize(struct map *m, size_t cap)
{
	struct map old = *m;

	m->slots = NEW_ARRAY(struct map_slot, cap);
	m->cap = cap;
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].key != 0)
			*find(m, old.slots[i].key) = old.slots[i];
	mem_free(old.slots);
}

void *map_put(struct map *m, uint64_t key, void *value)
{
	struct map_slot *s;
	void *old;

	PH_ASSERT(value != NULL); /* NULL is what an empty place gives */
	if ((m->used + 1) * 4 > m->cap * 3)
		resize(m, m->cap == 0 ? MAP_FIRST : m->cap * 2);
	s = find(m, key);
	old = s->value;
	if (old == NULL)
		m->used++;
	*s = (struct map_slot){key, value};
	return old;
}

void *map_remove(struct map *m, uint64_t key)
{
	struct map_slot *s;
	void *old;
	size_t hole, i;

	if (m->cap == 0)
		return NULL;
	s = find(m, key);
	old = s->value;
	if (old == NULL)
		return NULL;
	hole = (size_t)(s - m->slots);
	for (i = (hole + 1) & (m->cap - 1); m->slots[i].key != 0;
	     i = (i + 1) & (m->cap - 1)) {
		size_t home = slot_of(m, m->slots[i].key);

		/* May the entry at i move back into the hole? Only if its
		 * home does not lie between the hole and i. */
		if (((i - home) & (m->cap - 1)) < ((i - hole) & (m->cap - 1)))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct map_slot){0};
	m->used--;
	return old;
}

void *map_next(const struct map *m, size_t *at, uint64_t *key_out)
{
	for (; *at < m->cap; (*at)++) {
		struct map_slot *s = &m->slots[*at];

		if (s->key == 0)
			continue;
		(*at)++;
		if (key_out != NULL)
			*key_out = s->key;
		return s->value;
	}
	return NULL;
}
