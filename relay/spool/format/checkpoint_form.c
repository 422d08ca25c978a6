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

/* As an accepted record, of which the inline body is not a part. */
static void put_accept(struct strbuf *b, const struct rec_accept *accept,
    const struct names *names)
{
	struct rec_accept a = *accept;
	size_t at = b->n;
	uint32_t bytes;

	a.body.size = 0;
	for (unsigned i = 0; i < a.body.extents; i++)
		a.body.size += a.body.extent[i].bytes;
	a.envelope = slice_of("", 0);
	a.detail = NULL;
	a.ahead_us = 0;
	pack_u32(b, 0);
	record_put_accept(b, &a, names);
	bytes = htole32((uint32_t)(b->n - at - sizeof(bytes)));
	memcpy(b->p + at, &bytes, sizeof(bytes));
}

void checkpoint_put_row(struct strbuf *b, const struct checkpoint_row *row,
    const struct names *names)
{
	const struct rec_accept *a = &row->record.accept;

	pack_u64(b, row->generation);
	pack_u32(b, row->slot);
	pack_u32(b, row->rec);
	pack_u32(b, row->rec_bytes);
	pack_u32(b, row->body_bytes);
	pack_u64(b, row->size);
	pack_u32(b, a->deliveries);
	for (unsigned i = 0; i < a->deliveries; i++) {
		pack_u32(b, row->place[i].slot);
		pack_u32(b, row->place[i].rec);
	}
	put_accept(b, a, names);
}

static int take_places(struct unpack *u, struct checkpoint_row *row)
{
	unsigned n = unpack_u32(u);

	if (u->bad || n > u->rest.n / sizeof(row->place[0]))
		return -1;
	if (n > row->place_cap) {
		row->place_cap = n;
		row->place = mem_resize(row->place, n * sizeof(*row->place));
	}
	for (unsigned i = 0; i < n; i++) {
		row->place[i].slot = unpack_u32(u);
		row->place[i].rec = unpack_u32(u);
	}
	return (int)n;
}

int checkpoint_get_row(struct slice *rest, struct checkpoint_row *row,
    struct names *names)
{
	static const struct record_head h = {.type = REC_ACCEPTED};
	struct unpack u;
	int places;

	unpack_init(&u, *rest);
	row->generation = unpack_u64(&u);
	row->slot = unpack_u32(&u);
	row->rec = unpack_u32(&u);
	row->rec_bytes = unpack_u32(&u);
	row->body_bytes = unpack_u32(&u);
	row->size = unpack_u64(&u);
	places = take_places(&u, row);
	if (places < 0 ||
	    record_parse(&row->record, &h, unpack_bytes(&u), FORMAT_VERSION,
		names) < 0 ||
	    (unsigned)places != row->record.accept.deliveries || u.bad)
		return -1;
	*rest = u.rest;
	return 0;
}

void checkpoint_row_fini(struct checkpoint_row *row)
{
	mem_free(row->place);
	record_fini(&row->record);
	*row = (struct checkpoint_row){0};
}

void checkpoint_put_segment(struct strbuf *b,
    const struct checkpoint_segment *g)
{
	pack_u8(b, g->lane);
	pack_u32(b, g->slot);
	pack_u64(b, g->generation);
	pack_u64(b, g->end);
	pack_u64(b, g->batches);
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
	g.id_min = unpack_u64(u);
	g.id_max = unpack_u64(u);
	g.first_us = unpack_i64(u);
	g.over_us = unpack_i64(u);
	return g;
}
