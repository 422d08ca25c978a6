/* SPDX-License-Identifier: ISC
 *
 * Things of one size, named by 32-bit numbers.
 */
#include "relay/queue/pool.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

void pool_init(struct pool *p, size_t size)
{
	*p = (struct pool){.size = size};
}

void pool_fini(struct pool *p)
{
	for (uint32_t i = 0; i < p->chunks; i++)
		mem_free(p->chunk[i]);
	mem_free(p->chunk);
	pool_init(p, p->size);
}

static void add_chunk(struct pool *p)
{
	p->chunk = mem_resize(p->chunk, sizeof(*p->chunk) * (p->chunks + 1));
	p->chunk[p->chunks++] = mem_new(p->size * POOL_CHUNK);
}

uint32_t pool_new(struct pool *p)
{
	uint32_t n = p->free;

	if (n != 0) {
		memcpy(&p->free, pool_at(p, n), sizeof(p->free));
		memset(pool_at(p, n), 0, p->size);
		return n;
	}
	if (p->used == UINT32_MAX)
		abort(); /* queue.max is far below */
	n = ++p->used;
	if (n >> POOL_CHUNK_BITS == p->chunks)
		add_chunk(p);
	return n;
}

void pool_free(struct pool *p, uint32_t n)
{
	memcpy(pool_at(p, n), &p->free, sizeof(p->free));
	p->free = n;
}
