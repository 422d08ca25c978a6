/* SPDX-License-Identifier: ISC
 *
 * The summary at the end of a main segment: a row for each message that it
 * names, as the last of its records there leaves it. It is kept together while
 * the segment is written, and read instead of all of its records. Pure.
 */
#ifndef RELAY_SPOOL_SUMMARY_SUMMARY_H
#define RELAY_SPOOL_SUMMARY_SUMMARY_H

#include "relay/base/map.h"
#include "relay/spool/format/sheet.h"

enum {
	SUMMARY_FORMAT = 1,
	SUMMARY_PART = 1 << 20, /* about so many bytes of rows a record */
};

/* ---- one record ---- */

struct summary_head {
	uint32_t part; /* from 0 */
	bool last;
	uint64_t batches; /* of the segment before its own: what it covers */
	int64_t wall_us, now_us; /* of the last of those, and steady time */
};

void summary_put_head(struct strbuf *b, const struct summary_head *h);
/* 0, or -1 when the payload is not one of this format. */
int summary_get(struct slice payload, struct names *names,
    struct summary_head *h_out, struct slice *rows_out,
    struct sheet_legs *legs_out) PH_CHECK;

/* ---- kept together while a segment is written ---- */

struct summary {
	bool whole; /* nothing is missing: it may be written */
	size_t most; /* bytes of rows; beyond there is no summary */
	struct strbuf rows;
	struct strbuf fresh; /* of the batch that is not written yet */
	struct map at; /* of each id its last row: offset + 1 */
};

void summary_init(struct summary *y);
void summary_fini(struct summary *y);
/* Another segment begins, or is gone on with; `whole`: from its first batch
 * on. */
void summary_begin(struct summary *y, bool whole, size_t most);
void summary_add(struct summary *y, const struct message_row *row);
/* The batch was written; or was not. */
void summary_keep(struct summary *y);
void summary_drop(struct summary *y);
/* Since then no delivery of that message is live. After summary_keep(). */
void summary_over(struct summary *y, uint64_t id, int64_t over_us);
/* Bytes of all rows, with those of the batch. */
size_t summary_bytes(const struct summary *y);
/* The rows from offset *at on that one record takes; *at goes on. */
struct slice summary_part(const struct summary *y, size_t *at);

/* ---- asked ---- */

enum { SUMMARY_SIEVE = 1 << 17 }; /* bytes: a bit for 20 bits of a hash */

struct summary_query {
	const uint64_t *hash; /* of recipients; ascending */
	size_t hashes;
	int64_t from_ms, to_ms; /* of acceptance: [from, to) */
	/* summary_sieve() of the hashes, which most others fall through; NULL:
	 * each is looked for. */
	const unsigned char *sieve;
};
void summary_sieve(const uint64_t *hash, size_t n,
    unsigned char sieve_out[SUMMARY_SIEVE]);

/* The next row that was accepted in that time and has a delivery of one of
 * those recipients: 1 and *row_out, of which the deliveries of others are
 * taken out; 0: no more; -1: bytes that are no rows. A row that is not whole
 * has what changed since an earlier one of its id. */
int summary_next(struct slice *rows, const struct sheet_legs *legs,
    const struct summary_query *q, struct message_row *row_out) PH_CHECK;

#endif
