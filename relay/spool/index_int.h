/* SPDX-License-Identifier: ISC
 *
 * The live messages in memory, and what a record does to them.
 */
#ifndef RELAY_SPOOL_INDEX_INT_H
#define RELAY_SPOOL_INDEX_INT_H

#include "relay/base/list.h"
#include "relay/base/map.h"
#include "relay/spool/format/record.h"

struct spool;
struct segment;

struct detail_place {
	uint32_t slot, rec, bytes; /* slot, offset of the record, of detail */
	uint32_t at;		   /* of the detail from the record's start */
};

struct live_delivery {
	struct spool_delivery d; /* its stamps are steady time */
	struct detail_place detail;
};

/* A message as of one batch. A change makes a new version, which becomes
 * the message when the batch is synced, or is dropped when it is not. */
struct version {
	struct segment *seg; /* of its accepted or carry record */
	uint32_t rec, rec_bytes, body_bytes;
	bool dead; /* no delivery is live any more */
	int64_t time_us;
	struct segment **bulk;
	unsigned bulks, n;
	struct live_delivery d[];
};

struct live {
	uint64_t id;
	struct list node;   /* in its segment */
	struct list staged; /* in the index   */
	struct version *now, *next;
};

struct index {
	struct map map;
	struct list staged;
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
/* The writer's view: what is staged counts. NULL: not live. */
struct version *index_latest(struct spool *s, uint64_t id);
/* Stamps become steady time. */
void index_stage_accept(struct spool *s, const struct record *rec,
    struct rec_place at);
/* Fills in the old states. False when the id is not live: no effect. */
bool index_stage_update(struct spool *s, struct rec_update *u,
    struct rec_place at);
void index_commit(struct spool *s); /* under spool.lock */
void index_drop(struct spool *s);
/* A copy with room for n deliveries. */
struct version *version_dup(const struct version *v, unsigned n);
void version_free(struct version *v);
/* After an unclean end: what may have been under way may have been sent. */
void index_mark_uncertain(struct spool *s);

#endif
