/* SPDX-License-Identifier: ISC
 *
 * The records of the journal, to and from bytes. Leg numbers are names on
 * disk. Rows read back are input: every count is checked against the bytes
 * that are there before anything is allocated.
 */
#ifndef RELAY_SPOOL_FORMAT_RECORD_H
#define RELAY_SPOOL_FORMAT_RECORD_H

#include "relay/base/names.h"
#include "relay/base/pack.h"
#include "relay/spool/format/batch.h"
#include "relay/spool/format/journal_types.h"

/* A run of body bytes in the bulk lane, with a checksum of its own. */
struct extent {
	uint32_t slot;
	uint64_t generation;
	uint32_t off, bytes;
	uint64_t sum;
};

/* Where a body is: inline in the record's own segment, or in extents. */
struct body_place {
	uint64_t size;
	uint32_t off, bytes; /* inline, from the segment's start */
	uint64_t sum;
	struct extent *extent;
	unsigned extents;
};

enum { UPDATE_IGNORED = 0xff }; /* old state of an update without effect */

struct rec_accept { /* accepted, carry */
	uint64_t id;
	int64_t accepted_us;
	int64_t ahead_us; /* of steady time, when it was written */
	uint64_t sender; /* a hash of its domain; 0: not known */
	struct body_place body;
	struct slice envelope;
	struct spool_delivery *delivery;
	struct slice *detail; /* of the last update of each, in a carry */
	unsigned deliveries;
};

/* A message that is over and kept gets new deliveries: its place, and the
 * `accept` of the record without the envelope, of which the deliveries from
 * number `old` on are new. */
struct rec_revive {
	uint64_t generation; /* of the segment that it stands in */
	uint32_t off, bytes; /* of its record there */
	uint32_t old;
};

struct rec_update {
	uint64_t id;
	int64_t time_us;
	int64_t ahead_us; /* of steady time, when it was stamped */
	struct spool_update *update;
	uint8_t *old_state;
	uint32_t *old_at; /* where each old state stands in the payload */
	unsigned updates;
};

struct fact {
	struct slice key, value;
};

/* One decoded record. Slices point into the payload, arrays are the
 * record's and kept for the next. */
struct record {
	enum record_type type;
	struct rec_accept accept; /* accepted, carry, group, revive */
	struct rec_revive revive;
	struct rec_update update; /* update, group          */
	enum note note;
	int64_t time_us; /* note, clean */
	struct slice bytes; /* note, summary */
	bool all_facts; /* replaces what was known */
	struct fact *fact;
	unsigned facts;
	struct slice totals; /* for record_totals() */
	/* capacities of the arrays */
	unsigned delivery_cap, extent_cap, update_cap, fact_cap;
};

void record_init(struct record *r);
void record_fini(struct record *r);
/* Is it a type of this version? Else RECORD_MAY_SKIP says what to do. */
bool record_known(uint8_t type);
/* 0, or -1 when the payload is not what its type says. `format` is that of its
 * batch. */
int record_parse(struct record *r, const struct record_head *h,
    struct slice payload, unsigned format, struct names *names) PH_CHECK;

/* Appends to `b`. The accept form leaves 16 zero bytes for the inline body's
 * place and returns where they stand. */
size_t record_put_accept(struct strbuf *b, const struct rec_accept *a,
    const struct names *names);
void record_put_revive(struct strbuf *b, const struct rec_revive *v,
    const struct rec_accept *a, const struct names *names);
void record_put_update(struct strbuf *b, const struct rec_update *u,
    const struct names *names);
void record_put_facts(struct strbuf *b, bool all, const struct fact *f,
    unsigned n);
/* Of the first so many legs. */
void record_put_totals(struct strbuf *b, const uint64_t (*total)[TOTALS],
    const struct names *names, unsigned legs);
/* Reads a totals record into a zeroed table; -1 when it is bad. */
int record_totals(struct slice payload, uint64_t (*total_out)[TOTALS],
    struct names *names) PH_CHECK;
/* Upper bounds of the encoded sizes. */
size_t record_accept_max(size_t envelope, unsigned deliveries,
    size_t details, unsigned extents);
size_t record_update_max(unsigned updates, size_t details);

#endif
