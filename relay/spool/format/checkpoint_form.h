/* SPDX-License-Identifier: ISC
 *
 * The bytes of a checkpoint: a run of chunks, each with a checksum of its own
 * that also covers its number, so that none is missing. The first says of what
 * batch it is, with facts and totals; then come the live messages by id; the
 * last one has their number, and the segments as they were at the end. Pure.
 */
#ifndef RELAY_SPOOL_FORMAT_CHECKPOINT_FORM_H
#define RELAY_SPOOL_FORMAT_CHECKPOINT_FORM_H

#include "relay/spool/format/record.h"

enum {
	CHECKPOINT_FORMAT = 2,
	CHUNK_HEAD = 24,
	CHUNK_FULL = 256 << 10, /* about so many are put in one */
	CHUNK_MAX = 8 << 20,
	CHECKPOINT_LANE = 4, /* for the secret of its checksums */
};

enum chunk_kind { CHUNK_BEGIN = 1, CHUNK_ROWS = 2, CHUNK_END = 3 };

struct chunk_head {
	uint32_t bytes; /* that follow */
	uint8_t kind;
	uint64_t number, sum;
};

/* Room for the head of a chunk, to be filled in by chunk_end(). */
void chunk_begin(struct strbuf *b);
void chunk_end(struct strbuf *b, enum chunk_kind kind, uint64_t number,
    const unsigned char secret[SUM_SECRET]);
/* False when these bytes cannot be a chunk's head. */
bool chunk_get(struct slice at, struct chunk_head *h_out);
/* `all`: the chunk with its head. */
bool chunk_valid(struct slice all, const struct chunk_head *h,
    const unsigned char secret[SUM_SECRET]);

struct checkpoint_begin {
	uint64_t spool_id;
	uint64_t generation, number, offset; /* its batch */
	int64_t wall_us, now_us;
	struct slice facts, totals; /* payloads of such records */
};

void checkpoint_put_begin(struct strbuf *b, const struct checkpoint_begin *c);
int checkpoint_get_begin(struct slice bytes,
    struct checkpoint_begin *out) PH_CHECK;

struct checkpoint_segment {
	uint8_t lane;
	uint32_t slot;
	uint64_t generation, end, batches, summary, id_min, id_max;
	int64_t first_us, over_us; /* 0: no message in it was over */
};

void checkpoint_put_segment(struct strbuf *b,
    const struct checkpoint_segment *g);
struct checkpoint_segment checkpoint_get_segment(struct unpack *u);

#endif
