/* SPDX-License-Identifier: ISC
 *
 * ledger.db: the last delivery of each recipient on each leg, the watermarks
 * and the stragglers, in SQLite. A header says which format it is, where in the
 * journal and in the change log it stands, since when it knows, and has the key
 * of its hashes. The projector's thread writes; another connection may read.
 */
#ifndef RELAY_AUDIT_DELIVERED_LAST_FILE_H
#define RELAY_AUDIT_DELIVERED_LAST_FILE_H

#include "relay/audit/delivered/outcome_fold.h"
#include "relay/audit/delivered/recipient_key.h"
#include "relay/base/error.h"
#include "relay/base/names.h"
#include "relay/spool/spool.h"

enum {
	LAST_FORMAT = 6,	   /* the newest, which is written */
	LAST_ROWS_MAX = 16000000,  /* then the oldest go out       */
};
/* No hour of the index is wanted any more; all are. */
#define LAST_REFILLED INT64_MIN
#define LAST_REFILL_ALL INT64_MAX

/* A place in the journal of one spool; 0: it is not known which. */
struct last_place {
	uint64_t spool;
	struct spool_pos pos;
};

static inline bool last_place_before(struct last_place a, struct last_place b)
{
	if (a.pos.generation != b.pos.generation)
		return a.pos.generation < b.pos.generation;
	return a.pos.offset < b.pos.offset;
}

struct last_header {
	uint64_t secret[2];
	struct last_place cursor; /* everything before it is in the file */
	int64_t since_us;	 /* deliveries from then on are known     */
	/* It is being made again from the index, newest hour first: hours
	 * before this one are still to be read. */
	int64_t refill;
	bool hole; /* an hour was missing: since_us stays where it is */
	int64_t rows;
	/* Up to this change of the cutover table watermarks were begun. */
	uint64_t marked;
	int64_t outcomes_us; /* first outcomes from then on are counted */
};

/* Of one that is made now: all that the index has is missing. */
void last_header_anew(struct last_header *h, struct last_place cursor,
    int64_t now_us);
/* Takes in a gap that it may not have yet; 0: there is none. */
void last_header_gap(struct last_header *h, int64_t gap_us);

/* One row. */
struct last_row {
	struct recipient_key to;
	int64_t time_us;
	uint64_t id;
	uint16_t leg; /* number in the file's names */
	uint8_t uncertain;
	uint32_t firsts; /* deliveries at the first attempt */
	bool again; /* read from the index again: it is no new delivery */
	char *base; /* the base address; NULL: not at hand */
};

struct last_file;

enum last_opened {
	LAST_FAILED, /* the error says why; later it may be well        */
	LAST_DAMAGED,
	LAST_NEWER, /* a newer version wrote it                        */
	LAST_OPEN,
	LAST_MADE, /* there was none: header and names are on the disk */
};

/* Opens it for writing. What stands there replaces `h` and `names`; a new one
 * gets them. NULL unless LAST_OPEN or LAST_MADE. */
struct last_file *last_file_open(const char *path, struct last_header *h,
    struct names *names, enum last_opened *how_out,
    struct error *err) PH_CHECK;
void last_file_close(struct last_file *f); /* NULL is fine */

/* In one transaction: the rows, sorted by last_row_order(), where what stands
 * there is not newer, and the header. Past `rows_max` the oldest rows go.
 * h->rows and h->since_us change with it. `now_us`: a row from the future is
 * one that a wrong clock left, and gives way. 0, or -1. */
struct watermark_op;
struct straggler_fold;
struct last_batch {
	const struct last_row *row;
	size_t n;
	int64_t rows_max, now_us;
	/* Events of watermarks; they come after the rows, in order. */
	const struct watermark_op *op;
	size_t ops;
	const struct outcome_fold *outcomes; /* NULL: none */
	/* Stragglers; NULL: none. The gap: straggler_write.h. */
	const struct straggler_fold *stragglers;
	int64_t straggler_gap_us;
};
int last_file_write(struct last_file *f, const struct last_batch *b,
    struct last_header *h, struct error *err) PH_CHECK;
int last_row_order(const void *a, const void *b);
enum { LAST_PARTS = 24 };
struct last_age {
	unsigned part;	    /* of LAST_PARTS; only there is looked   */
	int64_t before_us;  /* rows of before that go                */
	int64_t before_day; /* ... and those that were taken over    */
	int64_t today;	    /* days since 1970                       */
};
int last_file_prune(struct last_file *f, const struct last_age *age,
    struct last_header *h, struct error *err) PH_CHECK;
/* The rows of a known.db, what versions before had, and then removes it. 0
 * also when there is none. */
int last_file_take_over(struct last_file *f, const char *known_path,
    struct error *err) PH_CHECK;
/* Did the last call that failed find that this is no database any more? */
bool last_file_damaged(const struct last_file *f);

/* Reading, over a connection of its own. */
struct last_reader;
struct last_reader *last_reader_open(const char *path); /* NULL: not now */
void last_reader_close(struct last_reader *r);		/* NULL is fine */
/* 1 found: time_us, id and uncertain are filled; 0 none; -1: damaged. */
int last_reader_find(struct last_reader *r, struct last_row *row);
/* Is it in what was taken over, on that day or later? */
bool last_reader_knows(struct last_reader *r, const char *leg,
    struct slice key, int64_t day);

#endif
