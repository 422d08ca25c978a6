/* SPDX-License-Identifier: ISC
 *
 * Packs and reads the parts of a checkpoint. Layout: doc/journal.md.
 */
#include "relay/spool/format/checkpoint_form.h"

#include <endian.h>

#include "relay/base/mem.h"

#define CHUNK_MAGIC UINT32_C(0x31434850) /* "PHC1" */

enum { KIND_SHIFT = 56 };

void chunk_begin(struct strbuf *b)
{
	static const char zeros[CHUNK_HEAD];

	strbuf_reset(b);
	strbuf_add(b, zeros, sizeof(zeros));
}

void chunk_end(struct strbuf *b, enum chunk_kind kind, uint64_t number,
    const unsigned char secret[SUM_SECRET])
{
	uint32_t words[2] = {htole32(CHUNK_MAGIC),
	    htole32((uint32_t)(b->n - CHUNK_HEAD))};
	uint64_t last = htole64(number | (uint64_t)kind << KIND_SHIFT), sum;

	memcpy(b->p + 8, words, sizeof(words));
	memcpy(b->p + 16, &last, sizeof(last));
	sum = htole64(sum_bytes(secret, b->p + 8, b->n - 8));
	memcpy(b->p, &sum, sizeof(sum));
}

bool chunk_get(struct slice at, struct chunk_head *h_out)
{
	struct unpack u;
	uint64_t last;

	unpack_init(&u, at);
	h_out->sum = unpack_u64(&u);
	if (unpack_u32(&u) != CHUNK_MAGIC)
		return false;
	h_out->bytes = unpack_u32(&u);
	last = unpack_u64(&u);
	h_out->kind = (uint8_t)(last >> KIND_SHIFT);
	h_out->number = last & ((UINT64_C(1) << KIND_SHIFT) - 1);
	return unpack_ok(&u) && h_out->bytes <= CHUNK_MAX;
}

bool chunk_valid(struct slice all, const struct chunk_head *h,
    const unsigned char secret[SUM_SECRET])
{
	return h->sum == sum_bytes(secret, all.p + 8, all.n - 8);
}

void checkpoint_put_begin(struct strbuf *b, const struct checkpoint_begin *c)
{
	pack_u8(b, CHECKPOINT_FORMAT);
	pack_u64(b, c->spool_id);
	pack_u64(b, c->generation);
	pack_u64(b, c->number);
	pack_u64(b, c->offset);
	pack_i64(b, c->wall_us);
	pack_i64(b, c->now_us);
	pack_bytes(b, c->facts);
	pack_bytes(b, c->totals);
}

int checkpoint_get_begin(struct slice bytes, struct checkpoint_begin *out)
{
	struct unpack u;
	unsigned format;

	unpack_init(&u, bytes);
	format = unpack_u8(&u);
	out->spool_id = unpack_u64(&u);
	out->generation = unpack_u64(&u);
	out->number = unpack_u64(&u);
	out->offset = unpack_u64(&u);
	out->wall_us = unpack_i64(&u);
	out->now_us = unpack_i64(&u);
	out->facts = unpack_bytes(&u);
	out->totals = unpack_bytes(&u);
	return format == CHECKPOINT_FORMAT && unpack_end(&u) ? 0 : -1;
}

void checkpoint_put_segment(struct strbuf *b,
    const struct checkpoint_segment *g)
{
	pack_u8(b, g->lane);
	pack_u32(b, g->slot);
	pack_u64(b, g->generation);
	pack_u64(b, g->end);
	pack_u64(b, g->batches);
	pack_u64(b, g->summary);
	pack_u64(b, g->id_min);
	pack_u64(b, g->id_max);
	pack_i64(b, g->first_us);
	pack_i64(b, g->over_us);
}

struct checkpoint_segment checkpoint_get_segment(struct unpack *u)
{
	struct checkpoint_segment g = {.lane = unpack_u8(u)};

	g.slot = unpack_u32(u);
	g.generation = unpack_u64(u);
	g.end = unpack_u64(u);
	g.batches = unpack_u64(u);
	g.summary = unpack_u64(u);
	g.id_min = unpack_u64(u);
	g.id_max = unpack_u64(u);
	g.first_us = unpack_i64(u);
	g.over_us = unpack_i64(u);
	return g;
}
