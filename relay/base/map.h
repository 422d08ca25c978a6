/* SPDX-License-Identifier: ISC
 *
 * Hash map from 64-bit keys to pointers: open addressing, 16 bytes a slot.
 * Keys are our own ids or values of hash_bytes(), so they are mixed, not
 * keyed, here. One thread at a time. Keys 0 and values NULL are not stored.
 */
#ifndef RELAY_BASE_MAP_H
#define RELAY_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
	uint64_t key;
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t used, cap; /* cap: 0 or a power of two */
};

void map_init(struct map *m);
void map_fini(struct map *m); /* frees no values */
void *map_get(const struct map *m, uint64_t key);
/* Returns the value that stood there, or NULL. */
void *map_put(struct map *m, uint64_t key, void *value);
void *map_remove(struct map *m, uint64_t key);
/* Walk: start with *at = 0; NULL at the end. No put or remove meanwhile. */
void *map_next(const struct map *m, size_t *at, uint64_t *key_out);

#endif
