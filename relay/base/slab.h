/* SPDX-License-Identifier: ISC
 *
 * Things of one size, named by 32-bit numbers instead of pointers: five
 * million deliveries have six links each, and half the bytes count. Grows by
 * chunks that never move and are given back only as a whole. Number 0 is
 * none. One thread.
 */
#ifndef RELAY_BASE_SLAB_H
#define RELAY_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

enum { SLAB_CHUNK_BITS = 12, SLAB_CHUNK = 1 << SLAB_CHUNK_BITS };

struct slab {
	size_t size; /* of one, at least 4 */
	char **chunk;
	uint32_t chunks;
	uint32_t used; /* numbers given out so far */
	uint32_t free; /* first of those given back, or 0 */
};

void slab_init(struct slab *p, size_t size);
void slab_fini(struct slab *p);
/* Zeroed. The first calls after slab_init() give 1, 2, 3, … */
uint32_t slab_new(struct slab *p);
void slab_free(struct slab *p, uint32_t n);

static inline void *slab_at(const struct slab *p, uint32_t n)
{
	return p->chunk[n >> SLAB_CHUNK_BITS] +
	       (n & (SLAB_CHUNK - 1)) * p->size;
}

#endif
