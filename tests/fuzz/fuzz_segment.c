/* SPDX-License-Identifier: ISC
 *
 * Recovery over arbitrary bytes. The key is fixed, so that a corpus made of
 * real segments stays valid; and since no fuzzer guesses a keyed checksum,
 * the input may also name records whose frame is then made valid here. After
 * recovery the spool is read, written and stopped. Its memory is recounted, and
 * what the queue asserts of a delivery holds for each that is told.
 *
 *   input: u8 mode; 0: the bytes are a segment as they are
 *                   1: the bytes are a run of records (u8 type, u16 length,
 *                      payload) that a batch is made of
 */
#include "relay/spool/start/spool_open.h"
#include "tests/fuzz/spool_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Records of the input's making in one valid batch. */
static void put_records(struct world *r, struct spool *s, const uint8_t *p,
    size_t n)
{
	struct batch *b = NEW(struct batch);
	struct batch_head h = {.lane = LANE_MAIN, .generation = 100};

	batch_init(b);
	batch_begin(b);
	while (n >= 3) {
		size_t len = p[1] | (size_t)p[2] << 8;

		len = len < n - 3 ? len : n - 3;
		batch_record(b, p[0]);
		strbuf_add(&b->meta, p + 3, len);
		batch_record_end(b);
		if (batch_bytes(b) > WORLD_SEGMENT / 2)
			break;
		p += 3 + len;
		n -= 3 + len;
	}
	world_put_batch(r, "/spool/seg.0009", 0, b, &h, s);
	batch_fini(b);
	mem_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world r;
	struct spool_start start;
	struct error err;
	struct spool *s;

	if (size < 1)
		return 0;
	world_init(&r);
	s = spool_open(&r.c, NULL, &start, &err);
	if (data[0] % 2 == 0)
		world_put_file(&r, "/spool/seg.0009", data + 1, size - 1);
	else
		put_records(&r, s, data + 1, size - 1);
	spool_close(s);
	world_use(&r);
	world_fini(&r);
	return 0;
}
