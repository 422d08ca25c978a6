/* SPDX-License-Identifier: ISC
 *
 * The projector's view: the synced records of the main lane, in order.
 */
#ifndef RELAY_SPOOL_TAIL_TAIL_H
#define RELAY_SPOOL_TAIL_TAIL_H

#include "relay/spool/spool.h"

/* A place without a record that can be had. */
struct spool_gap {
	struct spool_pos pos, next; /* where to go on after it */
	uint64_t generations; /* recycled before they were read; or 0, and */
	uint64_t bytes;	      /* that hold no record                       */
	bool damaged;	      /* read and not what was written             */
	int no;		      /* TAIL_FAILED: errno                        */
};

enum tail_got {
	TAIL_FAILED = -2, /* cannot be read now: the same place next time */
	TAIL_GAP = -1,
	TAIL_NONE = 0, /* for now */
	TAIL_RECORD = 1,
};

struct spool_tail;
/* Only records that are synced. `from` {0,0}: the oldest there is. */
struct spool_tail *spool_tail_open(struct spool *s, struct spool_pos from);
void spool_tail_close(struct spool_tail *t);
/* Gives accepted, carry, update, note and totals records; the journal's other
 * bookkeeping (facts, marks) is passed over, a group comes as an update and an
 * accepted, a revival as an update of what it creates. A gap is what was
 * recycled before it was read (the tail then stands at the oldest there is),
 * or is damaged: of that, each record that is whole comes all the same, as it
 * did at recovery. */
enum tail_got spool_tail_next(struct spool_tail *t,
    struct spool_record *rec_out, struct spool_gap *gap_out);
/* After TAIL_FAILED: what cannot be read there becomes a gap. */
void spool_tail_pass(struct spool_tail *t);

#endif
