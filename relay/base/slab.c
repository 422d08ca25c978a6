/* SPDX-License-Identifier: ISC
 *
 * Things of one size, named by 32-bit numbers.
 */
#include "relay/base/slab.h"

#include <string.h>

#include "relay/base/assert.h"
#include "relay/base/mem.h"

void slab_init(struct slab *p, size_t size)
{
	*p = (struct slab){.size = size};
}

void slab_fini(struct slab *p)
{
	for (uint32_t i = 0; i < p->chunks; i++)
		mem_free(p->chunk[i]);
	mem_free(p->chunk);
	slab_init(p, p->size);
}

static void add_chunk(struct slab *p)
{
	p->chunk = mem_resize(p->chunk, sizeof(*p->chunk) * (p->chunks + 1));
	p->chunk[p->chunks++] = mem_new(p->size * SLAB_CHUNK);
}

uint32_t slab_new(struct slab *p)
{
	uint32_t n = p->free;

	if (n != 0) {
		memcpy(&p->free, slab_at(p, n), sizeof(p->free));
		memset(slab_at(p, n), 0, p->size);
		return n;
	}
	PH_ASSERT(p->used < UINT32_MAX); /* queue.max is far below */
	n = ++p->used;
	if (n >> SLAB_CHUNK_BITS == p->chunks)
		add_chunk(p);
	return n;
}

void slab_free(struct slab *p, uint32_t n)
{
	PH_ASSERT(n != 0 && n <= p->used && n != p->free);
	memcpy(slab_at(p, n), &p->free, sizeof(p->free));
	p->free = n;
}
