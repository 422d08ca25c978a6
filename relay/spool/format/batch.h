/* SPDX-License-Identifier: ISC
 *
 * Frames of the journal: the head of a segment's batch and of a record in it,
 * and the builder of a batch. One batch is
 *
 *   head | record, record, … (meta) | bodies | zeros to the next 4 KiB
 *
 * The records stand together before the bodies: the writer encodes them in
 * one buffer and writes the bodies from where they lie, and who does not want
 * bodies reads past them. Every record and every body has a checksum of its
 * own, so one damaged byte costs one message, not the batch.
 */
#ifndef RELAY_SPOOL_FORMAT_BATCH_H
#define RELAY_SPOOL_FORMAT_BATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "relay/base/strbuf.h"
#include "relay/spool/format/sum.h"

enum {
	BLOCK = 4096,	   /* a batch starts on one         */
	BATCH_HEAD = 96,   /* bytes of a batch's head       */
	RECORD_HEAD = 24,  /* bytes of a record's head      */
	RECORD_ALIGN = 8,
	BATCH_IOVS = 1000, /* the system takes 1,024 a call */
	BATCH_BODIES = 400,
	FORMAT_VERSION = 2, /* written; those below are read */
};

enum lane { LANE_SPARE = 1, LANE_MAIN = 2, LANE_BULK = 3 };

enum batch_flags {
	BATCH_UNCLEAN = 1, /* the first after an end that was not orderly */
	SPARE_WRITTEN = 1, /* of a spare: all its blocks were written     */
	BATCH_RESTORED = 2, /* the first after the spool was restored     */
	BATCH_LEAP = 4,	    /* batch_before.leap                          */
};

enum record_flags {
	RECORD_MAY_SKIP = 1, /* a reader that does not know the type goes on */
};

/* How far the journal counts before this segment. Generations between that one
 * and this were begun and got no batch; after a leap they were passed over. */
struct batch_before {
	uint64_t generation;
	uint64_t batches; /* so many of it count; UINT64_MAX: not known */
	bool leap;
};

struct batch_head {
	uint8_t format; /* read; FORMAT_VERSION is what is written */
	uint8_t lane, flags;
	uint64_t spool_id, generation;
	uint64_t number;   /* in the segment, from 0                          */
	uint64_t synced;   /* so many of this segment are known synced        */
	struct batch_before before;
	uint64_t oldest;   /* generations below this one are given back       */
	int64_t time_us;
	uint32_t meta_bytes, body_bytes, records;
};

void batch_head_put(const struct batch_head *h,
    const unsigned char secret[SUM_SECRET], unsigned char out[BATCH_HEAD]);
/* False when these bytes cannot be a head; says nothing of the checksum,
 * whose secret depends on lane and generation. The head of a newer format is
 * one too: what it leads to must not be read. */
bool batch_head_get(const void *p, struct batch_head *h_out);
bool batch_head_valid(const void *p, const unsigned char secret[SUM_SECRET]);
/* Bytes of the whole batch on disk. */
uint64_t batch_span(const struct batch_head *h);

struct record_head {
	uint64_t sum;
	uint32_t bytes; /* of the payload   */
	uint32_t batch; /* number, low bits */
	uint8_t type, flags;
};

/* Head and payload of the record at the front of `rest`; false when it does
 * not fit there. The checksum is not looked at. */
bool record_frame(struct slice rest, struct record_head *h_out,
    struct slice *payload_out);
bool record_valid(struct slice rest, const struct record_head *h,
    const unsigned char secret[SUM_SECRET]);
uint64_t record_span(const struct record_head *h);

/* ---- building ---- */

struct batch_body {
	size_t at;	    /* where in meta its place is to be written */
	unsigned iov, iovs; /* which pieces                             */
};

struct batch {
	struct strbuf meta;
	struct iovec iov[BATCH_IOVS];
	unsigned iovs;
	struct batch_body body[BATCH_BODIES];
	unsigned bodies;
	uint64_t body_bytes;
	uint32_t records;
	size_t open; /* start of the record that is being written */
};

void batch_init(struct batch *b);
void batch_fini(struct batch *b);
void batch_begin(struct batch *b);
/* A record's payload is packed into b->meta between these two. */
size_t batch_record(struct batch *b, uint8_t type);
/* The open record gets these enum record_flags. */
void batch_record_flags(struct batch *b, uint8_t flags);
void batch_record_end(struct batch *b);
/* Takes the last record back. */
void batch_record_undo(struct batch *b, size_t record);
/* Room for a body of so many pieces? */
bool batch_takes_body(const struct batch *b, unsigned pieces);
/* The body of the open record; its place (u32 offset, u32 length, u64
 * checksum) was packed as 16 zero bytes at meta offset `at`. Bytes stay the
 * caller's until the batch is written. */
void batch_body(struct batch *b, size_t at, const struct iovec *iov,
    unsigned n);
/* Bytes on disk if it ended here. */
uint64_t batch_bytes(const struct batch *b);
/* Fills in places and checksums; b->iov is then what to write at `offset`
 * of the segment. `h` needs all but the sizes. */
void batch_finish(struct batch *b, struct batch_head *h, uint64_t offset,
    const unsigned char secret[SUM_SECRET]);

#endif
