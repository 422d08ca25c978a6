/* SPDX-License-Identifier: ISC
 *
 * Things of one size, named by 32-bit numbers instead of pointers: five
 * million deliveries have six links each, and half the bytes count. Grows by
 * chunks that never move and are given back only as a whole. Number 0 is
 * none. One thread.
 */
#ifndef RELAY_QUEUE_POOL_H
#define RELAY_QUEUE_POOL_H

#include <stddef.h>
#include <stdint.h>

enum { POOL_CHUNK_BITS = 12, POOL_CHUNK = 1 << POOL_CHUNK_BITS };

struct pool {
	size_t size; /* of one, at least 4 */
	char **chunk;
	uint32_t chunks;
	uint32_t used; /* numbers given out so far */
	uint32_t free; /* first of those given back, or 0 */
};

void pool_init(struct pool *p, size_t size);
void pool_fini(struct pool *p);
/* Zeroed. The first calls after pool_init() give 1, 2, 3, … */
uint32_t pool_new(struct pool *p);
void pool_free(struct pool *p, uint32_t n);

static inline void *pool_at(const struct pool *p, uint32_t n)
{
	return p->chunk[n >> POOL_CHUNK_BITS] +
	       (n & (POOL_CHUNK - 1)) * p->size;
}

#endif
