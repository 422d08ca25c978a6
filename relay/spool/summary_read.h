/* SPDX-License-Identifier: ISC
 *
 * Reads the summary at the end of a main segment. One thread.
 */
#ifndef RELAY_SPOOL_SUMMARY_READ_H
#define RELAY_SPOOL_SUMMARY_READ_H

#include "relay/spool/scan.h"
#include "relay/spool/summary/summary.h"

struct summary_reader {
	struct spool *s;
	const struct summary_query *query; /* NULL: every row is given */
	struct scan sc;
	uint64_t at, end; /* the next batch; no byte from `end` on */
	struct scan_range range;
	uint32_t part; /* the next */
	struct summary_head head;
	struct slice rows;
	struct sheet_legs legs;
	struct message_row row;
};

/* Of a segment that is pinned: its batches from `at` to `end`. */
void summary_reader_open(struct summary_reader *r, struct spool *s,
    struct segment *seg, uint64_t at, uint64_t end);
void summary_reader_close(struct summary_reader *r);
/* The next row into r->row: 1; 0: that was all; -1: it is not whole. */
int summary_reader_next(struct summary_reader *r);

#endif
