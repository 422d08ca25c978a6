/* SPDX-License-Identifier: ISC
 *
 * The live messages in memory, and what a record does to them.
 */
#ifndef RELAY_SPOOL_INDEX_INT_H
#define RELAY_SPOOL_INDEX_INT_H

#include "relay/base/list.h"
#include "relay/base/map.h"
#include "relay/spool/format/record.h"
#include "relay/spool/live_table.h"

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
	uint64_t live_bytes, messages;
};

/* Where a record stands on disk, and its bytes while they are in memory. */
struct rec_place {
	struct segment *seg;
	uint32_t off, bytes;
	const char *mem;
};

void index_init(struct spool *s);
void index_fini(struct spool *s);
/* The writer's view: what is staged counts. */
bool index_has(struct spool *s, uint64_t id);
bool index_staged(struct spool *s, uint64_t id);
/* As of the last synced batch; the caller frees it. NULL: not live. Under the
 * lock, or on the writer's thread. */
struct version *index_copy(struct spool *s, uint64_t id);
void index_stage_accept(struct spool *s, const struct record *rec,
    struct rec_place at);
/* Fills in the old states. False when the id is not live: no effect. */
bool index_stage_update(struct spool *s, struct rec_update *u,
    struct rec_place at);
void index_commit(struct spool *s); /* under spool.lock */
void index_drop(struct spool *s);
void version_free(struct version *v);
/* After an unclean end: what may have been under way may have been sent. */
void index_mark_uncertain(struct spool *s);
/* The bulk segments that have a part of a live message's body. */
struct segment **index_bulk(const struct spool *s, uint64_t id,
    unsigned *n_out);
/* After a restore: what is open may have gone out since the backup was taken.
 * It is frozen, and an administrator says when it goes. */
void index_mark_restored(struct spool *s);

#endif
