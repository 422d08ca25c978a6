/* SPDX-License-Identifier: ISC
 *
 * The live messages in memory, and what a record does to them.
 */
#ifndef RELAY_SPOOL_INDEX_INT_H
#define RELAY_SPOOL_INDEX_INT_H

#include "relay/base/list.h"
#include "relay/base/map.h"
#include "relay/spool/format/record.h"
#include "relay/spool/format/sheet.h"
#include "relay/spool/summary/summary.h"
#include "relay/spool/live/live_table.h"

struct spool;
struct segment;

/* A message as of one batch, unpacked. A change makes a new version, which
 * becomes the message when the batch is synced, or is dropped when it is
 * not. */
struct version {
	uint64_t id;
	struct list node;    /* of those that are staged */
	struct segment *seg; /* of its accepted, carry or revive record */
	uint32_t rec, rec_bytes, body_bytes;
	bool dead; /* no delivery is live any more */
	int64_t time_us;
	struct segment **bulk; /* that have a part of its body */
	unsigned bulks, n;
	struct live_state d[];
};

struct index {
	struct live_table table;
	struct map bulk;      /* struct bulk_refs by id */
	struct map staged;    /* struct version by id: the writer's alone */
	struct list versions; /* the same, in order */
	uint64_t total[NAMES_MAX][TOTALS], total_next[NAMES_MAX][TOTALS];
	/* Deliveries that became live, and that ended, since the start. */
	struct live_flow flow[NAMES_MAX], flow_next[NAMES_MAX];
	uint64_t live_bytes, messages;
	struct summary summary; /* of the segment that is written */
	struct message_row row; /* scratch of summarize_… */
	struct segment **held; /* pinned until the batch is written */
	unsigned helds, held_cap;
	/* Of the staged records: their segment, and the ids that they name. */
	struct segment *seen_in;
	uint64_t seen_min, seen_max;
};

struct windows;

/* Where a record stands on disk, and what it is read through; NULL: by
 * itself. */
struct rec_place {
	struct segment *seg;
	uint32_t off, bytes;
	struct windows *by;
};

void index_init(struct spool *s);
void index_fini(struct spool *s);
/* The writer's view: what is staged counts. */
bool index_has(struct spool *s, uint64_t id);
bool index_staged(struct spool *s, uint64_t id);
/* As of the last synced batch; the caller frees it. NULL: not live. Under the
 * lock, or on the writer's thread. */
struct version *index_copy(struct spool *s, uint64_t id);
/* Pins the bulk segments of a body until the batch is written or dropped; false
 * when one is gone. */
bool index_hold(struct spool *s, const struct body_place *y);
/* Is a staged message in that segment? */
bool index_staged_in(struct spool *s, const struct segment *seg);
/* A message by the record that begins it, or NULL when that record names a
 * segment that is gone; then one by an update. For records that are read in
 * order: nothing is staged, and nothing is counted. */
struct version *version_of(struct spool *s, const struct record *rec,
    struct rec_place at);
struct version *version_after(const struct version *v,
    const struct rec_update *u, struct rec_place at);
void index_stage_accept(struct spool *s, const struct record *rec,
    struct rec_place at);
/* False when the message is live, or the segment that it stood in is gone: no
 * effect. */
bool index_stage_revive(struct spool *s, const struct record *rec,
    struct rec_place at);
/* Fills in the old states. False when the id is not live: no effect. */
bool index_stage_update(struct spool *s, struct rec_update *u,
    struct rec_place at);
void index_commit(struct spool *s); /* under spool.lock */
void index_drop(struct spool *s);
/* With room for n deliveries, and n of them. */
struct version *version_new(uint64_t id, unsigned n);
void version_free(struct version *v);
/* Is it as the row says, and stands where it says? */
bool version_has_row(const struct version *v, const struct message_row *row);
bool index_has_row(const struct spool *s, uint32_t number,
    const struct message_row *row);
/* Recovery: a message as a checkpoint has it; and none of them. */
void index_restore(struct spool *s, struct segment *seg,
    const struct message_row *row);
void index_clear(struct spool *s);
/* May it be taken into memory, as far as its numbers go? Its record ends before
 * `end` of its segment; what its states stand in is there as long as it is. */
bool index_may_take(const struct spool *s, const struct message_row *row,
    uint64_t end);
/* Is a delivery of it live? */
bool row_lives(const struct message_row *row);
/* Recovery: what the summary of a segment says of a message. */
void index_take_row(struct spool *s, struct segment *home,
    const struct message_row *row);
/* The version is the message from now on; it is the caller's still. */
void index_put(struct spool *s, const struct version *v);
/* With room for so many deliveries. */
struct version *version_dup(const struct version *was, unsigned room);
/* A message by a row of the summary of a segment, as version_of() and
 * version_after(). */
struct version *version_of_row(struct spool *s, struct segment *home,
    const struct message_row *row);
struct version *version_after_row(const struct version *was,
    const struct message_row *row);
/* Of a delivery that stands in a row. */
struct live_state state_of_row(const struct message_row *row, unsigned i);
/* The committed one, with room for more deliveries. */
struct version *index_unpack(struct spool *s, uint32_t number, unsigned extra);
/* After an unclean end: what may have been under way may have been sent. */
void index_mark_uncertain(struct spool *s);
/* The bulk segments that have a part of a live message's body. */
struct segment **index_bulk(const struct spool *s, uint64_t id,
    unsigned *n_out);
/* After a restore: what is open may have gone out since the backup was taken.
 * It is frozen, and an administrator says when it goes. */
void index_mark_restored(struct spool *s);

#endif
