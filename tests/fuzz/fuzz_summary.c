/* SPDX-License-Identifier: ISC
 *
 * Summaries of arbitrary bytes: read and asked; and at the end of a sealed
 * segment with checksums that are made valid here, at a start.
 *
 *   input: u8 mode; 0: the bytes are the payload of a summary
 *                   1: the bytes are its rows, read by a start
 */
#include "relay/spool/start/spool_open.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/spool_world.h"

static void ask(struct slice payload)
{
	uint64_t hash[2] = {1, UINT64_C(0x0101010101010101)};
	struct summary_query q = {hash, 2, 0, INT64_MAX, NULL};
	struct names *names = names_new();
	struct message_row row = {0};
	struct summary_head h;
	struct sheet_legs legs;
	struct slice rows;

	if (summary_get(payload, names, &h, &rows, &legs) == 0) {
		must(within(rows, payload));
		while (summary_next(&rows, &legs, &q, &row) > 0)
			for (unsigned i = 0; i < row.deliveries; i++)
				must(row.id != 0 &&
				    (row.delivery[i].hash == hash[0] ||
					row.delivery[i].hash == hash[1]));
	}
	row_fini(&row);
	names_free(names);
}

static void put_summary(struct world *w, struct spool *s, struct slice rows)
{
	struct batch *b = NEW(struct batch);
	struct batch_head h = {.lane = LANE_MAIN, .generation = 100};
	size_t at, sheet;

	batch_init(b);
	batch_begin(b);
	batch_record(b, REC_FACTS);
	record_put_facts(&b->meta, true, NULL, 0);
	batch_record_end(b);
	at = world_put_batch(w, "/spool/seg.0008", 0, b, &h, s);
	h.number = 1;
	batch_begin(b);
	batch_record(b, REC_SUMMARY);
	batch_record_flags(b, RECORD_MAY_SKIP);
	summary_put_head(&b->meta, &(struct summary_head){.last = true,
	    .batches = 1, .wall_us = 1, .now_us = 1});
	sheet = sheet_begin(&b->meta);
	strbuf_addsl(&b->meta, rows);
	sheet_end(&b->meta, sheet, s->c.names);
	batch_record_end(b);
	world_put_batch(w, "/spool/seg.0008", at, b, &h, s);
	h = (struct batch_head){.lane = LANE_MAIN, .generation = 101,
	    .before = {100, 2, false}};
	batch_begin(b);
	batch_record(b, REC_FACTS);
	record_put_facts(&b->meta, true, NULL, 0);
	batch_record_end(b);
	world_put_batch(w, "/spool/seg.0009", 0, b, &h, s);
	batch_fini(b);
	mem_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w;
	struct spool_start start;
	struct error err;
	struct spool *s;

	if (size < 1 || size > WORLD_SEGMENT / 4)
		return 0;
	if (data[0] % 2 == 0) {
		ask(slice_of((const char *)data + 1, size - 1));
		return 0;
	}
	world_init(&w);
	s = spool_open(&w.c, NULL, &start, &err);
	names_id(w.names, SLICE("legacy"));
	put_summary(&w, s, slice_of((const char *)data + 1, size - 1));
	spool_close(s);
	world_use(&w);
	world_fini(&w);
	return 0;
}
