/* SPDX-License-Identifier: ISC
 *
 * Segments: the slots of the spool, and their files.
 */
#ifndef RELAY_SPOOL_SEGMENT_INT_H
#define RELAY_SPOOL_SEGMENT_INT_H

#include "relay/base/list.h"
#include "relay/base/strbuf.h"
#include "relay/spool/format/batch.h"
#include "relay/spool/format/record.h"
#include "relay/spool/live/live_table.h"

struct spool;

enum seg_state {
	SEG_DIRTY, /* given back: nothing in it counts   */
	SEG_SPARE, /* a writer may take it               */
	SEG_MAIN,
	SEG_BULK,
	SEG_BROKEN, /* cannot be written: left alone     */
};

struct segment {
	uint32_t slot; /* its file: seg.NNNN */
	enum seg_state state;
	uint8_t format; /* of all its batches */
	uint64_t generation;
	unsigned char secret[SUM_SECRET];
	struct list node;   /* main lane: in spool.mains, by generation */
	struct live_list live; /* main lane: in spool.index.table       */
	uint64_t live_bytes;
	uint64_t refs;	    /* bulk lane: live messages with extents here */
	unsigned pins;	    /* fetches, sources, drafts, the tail         */
	int64_t retain_until_us;
	int64_t first_us;   /* when its first batch was written           */
	uint64_t end;	    /* bytes that are written and synced          */
	uint64_t batches;   /* that many are good                         */
	uint64_t summary;   /* where its first batch of that begins; 0: none */
	uint64_t id_min, id_max; /* of messages in its records; 0: none */
	struct batch_before before; /* main lane                          */
	bool current;	    /* a writer is at work in it                  */
	int64_t retry_ms;   /* its blocks are not asked for before this     */
	bool allocated;	    /* it has all its blocks, as this session saw */
	bool written;	    /* most of them were written to: they sync in
			     * half the time of those that were not       */
	bool soiled;	    /* bytes of a former life are in it           */
	bool adopted;	    /* bulk lane: only extents say what it is     */
	/* under fd_lock */
	int fd;
	unsigned fd_users;
	struct list fd_node; /* least recently used first */
};

struct segment *segment_add(struct spool *s, uint32_t slot);
void segments_free(struct spool *s);
void segment_path(const struct spool *s, uint32_t slot, struct strbuf *out);
/* A descriptor that stays open until it is put back; -1 and errno. */
int segment_fd(struct spool *s, struct segment *seg);
void segment_fd_put(struct spool *s, struct segment *seg);
void segment_close(struct spool *s, struct segment *seg);
/* Exactly n bytes, or -1. */
int segment_read(struct spool *s, struct segment *seg, void *p, size_t n,
    uint64_t off);
/* Zeros in [from, to); -1 and errno. */
int segment_zero(struct spool *s, struct segment *seg, uint64_t from,
    uint64_t to);
void segment_identity(struct spool *s, struct segment *seg, enum lane lane,
    uint64_t generation);
/* Under the lock: the one place where a segment's state moves. */
void segment_move(struct spool *s, struct segment *seg, enum seg_state to);
/* Takes a spare for a lane; NULL when no more than `leave` are left. The main
 * lane, which waits for each sync, gets blocks that were written to first. */
struct segment *segment_take(struct spool *s, enum lane lane,
    uint64_t generation, unsigned leave);
/* The bulk segment that an extent lies in; NULL when it is gone. Locked. */
struct segment *segment_of(struct spool *s, const struct extent *e);
int spool_sync_directory(struct spool *s);
/* A name in the spool directory, to its path. */
void spool_path(const struct spool *s, const char *name, struct strbuf *out);

#endif
