/* SPDX-License-Identifier: ISC
 *
 * A message with the states of its deliveries in a row of fixed fields, as
 * checkpoints and summaries have it: where its record stands, what is asked for
 * at a start, no envelope. Rows stand together in a sheet, with the names of
 * the legs that they number. Pure.
 */
#ifndef RELAY_SPOOL_FORMAT_SHEET_H
#define RELAY_SPOOL_FORMAT_SHEET_H

#include "relay/spool/format/record.h"

enum {
	ROW_FIXED = 68,	   /* bytes of a row without deliveries */
	ROW_DELIVERY = 60, /* bytes of a delivery */
	ROW_HASH = 52,	   /* of a delivery: where its hash stands */
	ROW_WHOLE = 1,	   /* flag of struct message_row.whole */
};

/* Which delivery, and where its state stands. */
struct row_place {
	uint32_t number;
	uint32_t slot, rec; /* of its last update; rec 0: in the message's */
};

/* Stamps are steady time. */
struct message_row {
	uint64_t id;
	/* Of its accepted, carry or revived record; and its inline body. */
	uint64_t generation;
	uint32_t slot, rec, rec_bytes, body_bytes;
	uint64_t size, sender;
	int64_t over_us; /* when no delivery was live any more; 0: one is */
	/* Has its place, and all deliveries; else those that moved. */
	bool whole;
	unsigned deliveries, extents;
	struct row_place *place; /* of each delivery */
	struct spool_delivery *delivery;
	struct extent *extent;
	unsigned delivery_cap, extent_cap;
};

void row_fini(struct message_row *row);
/* Room for so many; contents of what was there stay. */
void row_room(struct message_row *row, unsigned deliveries, unsigned extents);

/* The legs of a sheet by their numbers there. */
struct sheet_legs {
	uint16_t leg[NAMES_MAX]; /* in names */
	unsigned n;
};

/* A sheet at the end of `b`: begin, put rows, end. `at` is what begin gave. A
 * row may name legs that came after the beginning. */
size_t sheet_begin(struct strbuf *b);
void sheet_put(struct strbuf *b, const struct message_row *row);
void sheet_end(struct strbuf *b, size_t at, const struct names *names);
/* Has the sheet rows yet? */
bool sheet_empty(const struct strbuf *b, size_t at);
/* An upper bound of what sheet_end() adds. */
size_t sheet_legs_max(const struct names *names);
/* The rows of a sheet, which is all of `bytes`; 0, or -1 when it is not one. */
int sheet_get(struct slice bytes, struct names *names, struct slice *rows_out,
    struct sheet_legs *legs_out) PH_CHECK;
/* A packed row takes over the deliveries of another of the same id, when it has
 * all of them by number; false: it does not, or the other is whole. Their
 * hashes stay where none comes. */
bool row_patch(char *row, const char *by);
/* And since when none of its message is live. */
void row_over(char *row, int64_t over_us);
/* The id of the next row, which is passed over; 0: there is none. */
uint64_t sheet_skip(struct slice *rows);
/* Has the next row a delivery whose hash `fits`? Also true of what is no row:
 * sheet_next() says so. A row that is only passed over is not looked at. */
bool sheet_fits(struct slice rows,
    bool (*fits)(const void *arg, uint64_t hash), const void *arg);
/* Takes the next row off; 0, or -1 when it is not one. */
int sheet_next(struct slice *rows, const struct sheet_legs *legs,
    struct message_row *row_out) PH_CHECK;

#endif
