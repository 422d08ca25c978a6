/* SPDX-License-Identifier: ISC
 *
 * Frames of the journal. Layout of each field: doc/journal.md. Nothing here
 * reads or writes a file.
 */
#include "relay/spool/format/batch.h"

#include <endian.h>

#include "relay/base/assert.h"
#include "relay/base/mem.h"

#define BATCH_MAGIC UINT32_C(0x31424850) /* "PHB1" */

enum { META_MAX = 16 << 20 };

static const unsigned char zeros[BLOCK];

static void put32(void *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(void *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static uint32_t get32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

void batch_head_put(const struct batch_head *h,
    const unsigned char secret[SUM_SECRET], unsigned char out[BATCH_HEAD])
{
	memset(out, 0, BATCH_HEAD);
	put32(out + 8, BATCH_MAGIC);
	out[12] = FORMAT_VERSION;
	out[14] = h->lane;
	out[15] = (unsigned char)(h->flags |
	    (h->before.leap ? BATCH_LEAP : 0));
	put64(out + 16, h->spool_id);
	put64(out + 24, h->generation);
	put64(out + 32, h->number);
	put64(out + 40, h->synced);
	put64(out + 48, h->before.batches);
	put64(out + 56, h->oldest);
	put64(out + 64, (uint64_t)h->time_us);
	put32(out + 72, h->meta_bytes);
	put32(out + 76, h->body_bytes);
	put32(out + 80, h->records);
	put64(out + 88, h->before.generation);
	put64(out, sum_bytes(secret, out + 8, BATCH_HEAD - 8));
}

bool batch_head_get(const void *p, struct batch_head *h_out)
{
	const unsigned char *q = p;

	if (get32(q + 8) != BATCH_MAGIC || q[12] == 0)
		return false;
	*h_out = (struct batch_head){
	    .format = q[12],
	    .lane = q[14],
	    .flags = q[15],
	    .spool_id = get64(q + 16),
	    .generation = get64(q + 24),
	    .number = get64(q + 32),
	    .synced = get64(q + 40),
	    .before = {get64(q + 88), get64(q + 48),
		(q[15] & BATCH_LEAP) != 0},
	    .oldest = get64(q + 56),
	    .time_us = (int64_t)get64(q + 64),
	    .meta_bytes = get32(q + 72),
	    .body_bytes = get32(q + 76),
	    .records = get32(q + 80),
	};
	if (h_out->before.generation == 0)
		h_out->before.generation = h_out->generation - 1;
	return h_out->lane >= LANE_SPARE && h_out->lane <= LANE_BULK;
}

bool batch_head_valid(const void *p, const unsigned char secret[SUM_SECRET])
{
	const unsigned char *q = p;

	return get64(q) == sum_bytes(secret, q + 8, BATCH_HEAD - 8);
}

uint64_t batch_span(const struct batch_head *h)
{
	return round_up(
	    (uint64_t)BATCH_HEAD + h->meta_bytes + h->body_bytes, BLOCK);
}

uint64_t record_span(const struct record_head *h)
{
	return round_up((uint64_t)RECORD_HEAD + h->bytes, RECORD_ALIGN);
}

bool record_frame(struct slice rest, struct record_head *h_out,
    struct slice *payload_out)
{
	if (rest.n < RECORD_HEAD)
		return false;
	*h_out = (struct record_head){
	    .sum = get64(rest.p),
	    .bytes = get32(rest.p + 8),
	    .batch = get32(rest.p + 12),
	    .type = (uint8_t)rest.p[16],
	    .flags = (uint8_t)rest.p[17],
	};
	if (record_span(h_out) > rest.n)
		return false;
	*payload_out = slice_of(rest.p + RECORD_HEAD, h_out->bytes);
	return true;
}

bool record_valid(struct slice rest, const struct record_head *h,
    const unsigned char secret[SUM_SECRET])
{
	return h->sum ==
	    sum_bytes(secret, rest.p + 8, RECORD_HEAD - 8 + h->bytes);
}

void batch_init(struct batch *b)
{
	strbuf_init(&b->meta, META_MAX);
	batch_begin(b);
}

void batch_fini(struct batch *b)
{
	strbuf_fini(&b->meta);
}

void batch_begin(struct batch *b)
{
	strbuf_reset(&b->meta);
	strbuf_add(&b->meta, zeros, BATCH_HEAD);
	b->iovs = 1; /* the first is meta */
	b->bodies = 0;
	b->body_bytes = 0;
	b->records = 0;
	b->open = 0;
}

size_t batch_record(struct batch *b, uint8_t type)
{
	b->open = b->meta.n;
	strbuf_add(&b->meta, zeros, RECORD_HEAD);
	b->meta.p[b->open + 16] = (char)type;
	return b->open;
}

void batch_record_flags(struct batch *b, uint8_t flags)
{
	b->meta.p[b->open + 17] = (char)flags;
}

void batch_record_end(struct batch *b)
{
	size_t bytes = b->meta.n - b->open - RECORD_HEAD;

	put32(b->meta.p + b->open + 8, (uint32_t)bytes);
	strbuf_add(&b->meta, zeros,
	    round_up(b->meta.n, RECORD_ALIGN) - b->meta.n);
	b->records++;
}

void batch_record_undo(struct batch *b, size_t record)
{
	struct batch_body *last;

	PH_ASSERT(b->records > 0 && record == b->open);
	b->meta.n = record;
	b->records--;
	last = b->bodies > 0 ? &b->body[b->bodies - 1] : NULL;
	if (last == NULL || last->at < record)
		return;
	for (unsigned i = 0; i < last->iovs; i++)
		b->body_bytes -= b->iov[last->iov + i].iov_len;
	b->iovs = last->iov;
	b->bodies--;
}

bool batch_takes_body(const struct batch *b, unsigned pieces)
{
	/* One is kept for the zeros at the end. */
	return b->bodies < BATCH_BODIES && b->iovs + pieces < BATCH_IOVS - 1;
}

void batch_body(struct batch *b, size_t at, const struct iovec *iov,
    unsigned n)
{
	uint64_t bytes = 0;

	PH_ASSERT(batch_takes_body(b, n));
	b->body[b->bodies++] = (struct batch_body){at, b->iovs, n};
	for (unsigned i = 0; i < n; i++) {
		b->iov[b->iovs++] = iov[i];
		bytes += iov[i].iov_len;
	}
	b->body_bytes += bytes;
	put32(b->meta.p + at + 4, (uint32_t)bytes);
}

uint64_t batch_bytes(const struct batch *b)
{
	return round_up(b->meta.n + b->body_bytes, BLOCK);
}

static void place_bodies(struct batch *b, uint64_t offset,
    const unsigned char secret[SUM_SECRET])
{
	uint64_t at = offset + b->meta.n;

	for (unsigned i = 0; i < b->bodies; i++) {
		const struct batch_body *y = &b->body[i];
		const struct iovec *iov = &b->iov[y->iov];
		uint64_t n = 0;

		for (unsigned k = 0; k < y->iovs; k++)
			n += iov[k].iov_len;
		put32(b->meta.p + y->at, (uint32_t)at);
		put64(b->meta.p + y->at + 8, sum_iov(secret, iov, y->iovs));
		at += n;
	}
}

static void sum_records(struct batch *b, uint64_t number,
    const unsigned char secret[SUM_SECRET])
{
	size_t at = BATCH_HEAD;

	while (at < b->meta.n) {
		char *p = b->meta.p + at;
		struct record_head h = {.bytes = get32(p + 8)};

		put32(p + 12, (uint32_t)number);
		put64(p, sum_bytes(secret, p + 8, RECORD_HEAD - 8 + h.bytes));
		at += record_span(&h);
	}
}

void batch_finish(struct batch *b, struct batch_head *h, uint64_t offset,
    const unsigned char secret[SUM_SECRET])
{
	size_t end = b->meta.n + b->body_bytes, pad;

	PH_ASSERT(strbuf_ok(&b->meta) && b->iovs < BATCH_IOVS);
	h->meta_bytes = (uint32_t)(b->meta.n - BATCH_HEAD);
	h->body_bytes = (uint32_t)b->body_bytes;
	h->records = b->records;
	place_bodies(b, offset, secret);
	sum_records(b, h->number, secret);
	batch_head_put(h, secret, (unsigned char *)b->meta.p);
	b->iov[0] = (struct iovec){b->meta.p, b->meta.n};
	pad = round_up(end, BLOCK) - end;
	if (pad != 0)
		b->iov[b->iovs++] =
		    (struct iovec){(void *)(uintptr_t)zeros, pad};
}
