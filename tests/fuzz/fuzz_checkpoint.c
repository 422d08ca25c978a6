/* SPDX-License-Identifier: ISC
 *
 * A start from a checkpoint of arbitrary chunks, whose checksums are made valid
 * here, since they cannot be guessed. Its first chunk names the batch that is
 * there, so that the others are looked at.
 *
 *   input: u8 mode; 0: the bytes are the file
 *                   1: u8 rows, then a run of chunks (u8 kind, u16 length,
 *                      bytes), and the end as it should be
 */
#include <string.h>

#include "relay/spool/format/checkpoint_form.h"
#include "relay/spool/start/spool_open.h"
#include "tests/fuzz/spool_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
	struct strbuf all, chunk;
	uint64_t number;
	unsigned char secret[SUM_SECRET];
};

static void end_chunk(struct file *f, uint8_t kind)
{
	chunk_end(&f->chunk, kind, f->number++, f->secret);
	strbuf_addsl(&f->all, strbuf_view(&f->chunk));
	chunk_begin(&f->chunk);
}

static void put_begin(struct file *f, const struct spool *s)
{
	struct checkpoint_begin c = {.spool_id = s->key.id,
	    .generation = s->journal.last.generation,
	    .number = s->journal.last.number,
	    .offset = s->journal.last.offset, .wall_us = 1, .now_us = 1};
	struct strbuf facts, totals;

	strbuf_init(&facts, 1 << 10);
	strbuf_init(&totals, 1 << 10);
	record_put_facts(&facts, true, NULL, 0);
	pack_u32(&totals, 0);
	c.facts = strbuf_view(&facts);
	c.totals = strbuf_view(&totals);
	checkpoint_put_begin(&f->chunk, &c);
	end_chunk(f, CHUNK_BEGIN);
	strbuf_fini(&facts);
	strbuf_fini(&totals);
}

static void put_end(struct file *f, const struct spool *s, uint64_t rows)
{
	uint32_t n = 0;

	pack_u64(&f->chunk, rows);
	for (unsigned i = 0; i < s->segs; i++)
		n += s->seg[i] != NULL && s->seg[i]->state == SEG_MAIN;
	pack_u32(&f->chunk, n);
	for (unsigned i = 0; i < s->segs; i++) {
		const struct segment *seg = s->seg[i];

		if (seg != NULL && seg->state == SEG_MAIN)
			checkpoint_put_segment(&f->chunk,
			    &(struct checkpoint_segment){.lane = LANE_MAIN,
			    .slot = seg->slot, .generation = seg->generation,
			    .end = seg->end, .batches = seg->batches});
	}
	end_chunk(f, CHUNK_END);
}

static void put_chunks(struct file *f, const struct spool *s,
    const uint8_t *p, size_t n)
{
	uint64_t rows = n > 0 ? p[0] : 0;

	chunk_begin(&f->chunk);
	put_begin(f, s);
	p += n > 0;
	n -= n > 0;
	while (n >= 3) {
		size_t len = p[1] | (size_t)p[2] << 8;

		len = len < n - 3 ? len : n - 3;
		strbuf_add(&f->chunk, p + 3, len);
		end_chunk(f, p[0]);
		p += 3 + len;
		n -= 3 + len;
	}
	put_end(f, s, rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w;
	struct file f = {.number = 0};
	struct spool_start start;
	struct error err;
	struct spool *s;

	if (size < 1)
		return 0;
	world_init(&w);
	w.c.checkpoint_segments = 1;
	s = spool_open(&w.c, NULL, &start, &err);
	strbuf_init(&f.all, 16 << 20);
	strbuf_init(&f.chunk, CHUNK_MAX);
	sum_secret(s->key.secret, CHECKPOINT_LANE, 0, f.secret);
	if (data[0] % 2 == 0)
		strbuf_add(&f.all, data + 1, size - 1);
	else
		put_chunks(&f, s, data + 1, size - 1);
	spool_close(s);
	world_put_file(&w, "/spool/checkpoint", f.all.p, f.all.n);
	world_use(&w);
	strbuf_fini(&f.all);
	strbuf_fini(&f.chunk);
	world_fini(&w);
	return 0;
}
