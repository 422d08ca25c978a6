/* SPDX-License-Identifier: ISC
 *
 * The steward and its two trades: making spares, and overwriting them while
 * nothing else is to be done. All of it on the steward's thread.
 */
#ifndef RELAY_SPOOL_STEWARD_INT_H
#define RELAY_SPOOL_STEWARD_INT_H

#include "relay/base/mailbox.h"
#include "relay/spool/segment_int.h"

/* A spare that is written with zeros; it is no spare meanwhile. */
struct overwrite {
	struct segment *seg; /* NULL: none                            */
	bool wipe;	     /* old mail goes; else it is written ahead */
	uint64_t at;	     /* bytes done                            */
	int64_t next_ms;     /* the next slice is not before this     */
	int64_t retry_ms;    /* nor the next segment before this      */
	uint64_t syncs;	     /* of the writers, at the last look      */
	int64_t busy_ms;     /* when they last were seen to be busy   */
};

struct steward {
	struct mailbox in;
	struct overwrite overwrite;
	bool cow;	  /* copy-on-write: an overwrite needs new blocks */
	int64_t retry_ms; /* no new file before this                      */
	uint64_t keep;	  /* bytes of the disk that are not ours to take  */
	int64_t spill_ms;
};

void steward_init(struct spool *s);
void steward_fini(struct spool *s);
/* Once the folder is there: what its file system does, and says it. */
void steward_look_at_disk(struct spool *s);
int steward_step(struct spool *s, int64_t now_ms);
/* One piece of work without a pause; false when there is none. */
bool steward_work(struct spool *s, int64_t now_ms);

/* ---- spare.c ---- */

/* Makes a spare of a segment that was given back. False: there is none. */
bool spare_reuse(struct spool *s, int64_t now_ms);
/* Makes a spare of a new file, if `max` and the disk have room for it. */
bool spare_grow(struct spool *s, int64_t now_ms);
/* Begins with a spare that should be overwritten, if this is the time. */
bool overwrite_begin(struct spool *s, int64_t now_ms);
/* Goes on with the one in hand, or makes it a spare again when a writer may
 * need it. False: its next slice is not due. */
bool overwrite_more(struct spool *s, int64_t now_ms);
/* Looks whether the writers have been at work since the last look. */
void overwrite_look(struct spool *s, int64_t now_ms);

#endif
