/* SPDX-License-Identifier: ISC
 *
 * Walks the batches and records of a main segment on disk, for recovery and
 * for the tail. Believes nothing: every length is checked before it is used.
 * One thread at a time.
 */
#ifndef RELAY_SPOOL_SCAN_H
#define RELAY_SPOOL_SCAN_H

#include "relay/spool/spool_int.h"

struct bad_run { /* bytes [from, to) that could not be read */
	uint64_t from, to;
	int no; /* errno */
};

/* Something that a newer version wrote, and this one must not pass over. */
struct newer {
	bool met;
	uint8_t format, type; /* a batch of that format; or a record */
	uint64_t off;
};

struct scan {
	struct spool *spool;
	struct segment *seg;
	uint64_t limit; /* nothing is read from here on */
	bool narrow;	/* little more is read than is asked for */
	char *win;	/* bytes of the segment at win_off */
	uint64_t win_off;
	size_t win_n, win_cap;
	struct bad_run *bad; /* in the window */
	unsigned bads, bad_cap;
	unsigned bad_blocks; /* that were asked for since scan_open() */
	uint64_t bad_off;    /* of the first of them                     */
	uint64_t bad_end;    /* of the last of them, and its errno       */
	int bad_no;
	struct newer newer; /* the first since scan_open() */
};

void scan_init(struct scan *sc, struct spool *s);
void scan_fini(struct scan *sc);
void scan_open(struct scan *sc, struct segment *seg, uint64_t limit);
/* n bytes at `off`, until the next call; NULL past the limit. Blocks that
 * cannot be read come as zeros. */
const char *scan_bytes(struct scan *sc, uint64_t off, size_t n);
/* Is there a head of this spool at `off`, of any lane and generation? And: one
 * of this segment's generation? */
bool scan_head_at(struct scan *sc, uint64_t off, struct batch_head *h_out);
bool scan_head(struct scan *sc, uint64_t off, struct batch_head *h_out);
/* The first block is not what it should be: the head of the latest life in the
 * main lane that is found behind it. */
bool scan_latest(struct scan *sc, struct batch_head *best_out);
/* The next head from block `from` on whose number is at least `number`; 0
 * when there is none. */
uint64_t scan_find(struct scan *sc, uint64_t from, uint64_t number,
    struct batch_head *h_out);

/* Records in [at, end) that belong to batches [first, past). */
struct scan_range {
	uint64_t at, end, first, past;
};

struct scan_record {
	uint64_t off; /* in the segment */
	struct record_head head;
	struct slice frame, payload;
};

struct scan_range scan_range_of(uint64_t off, const struct batch_head *h);
/* 1: a record, borrowed until the next call; 0: no more; -1: bytes that are
 * no record were skipped, go on. */
int scan_record(struct scan *sc, struct scan_range *r,
    struct scan_record *rec_out);
/* A record of that type is met which has no RECORD_MAY_SKIP. */
void scan_unknown(struct scan *sc, const struct scan_record *rec);
/* 0, or -1 and err when blocks could not be read since scan_open(), or a newer
 * version wrote there. What they hold is not known: it may be mail, so nothing
 * may be built on it. */
int scan_all_known(const struct scan *sc, struct error *err);

#endif
