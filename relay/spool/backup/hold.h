/* SPDX-License-Identifier: ISC
 *
 * Holds the spool still for a backup while mail flows. While it is held no main
 * segment is recycled, so that the journal has all that an index copied
 * meanwhile has not read. Then the segments that count are named and pinned:
 * mail goes on behind the position that is given, and what stands before it is
 * not written again until the hold ends. Any thread.
 */
#ifndef RELAY_SPOOL_BACKUP_HOLD_H
#define RELAY_SPOOL_BACKUP_HOLD_H

#include "relay/spool/spool.h"

struct spool_hold;

struct spool_slot { /* a segment that counts */
	uint32_t slot; /* its file: seg.NNNN */
	bool bulk;
	uint64_t generation;
	uint64_t bytes; /* so many from its start; the rest may be anything */
};

struct spool_hold *spool_hold_new(struct spool *s);
/* The synced end of the journal, and the segments up to there. Recycling goes
 * on, but for those. Once. */
struct spool_pos spool_hold_take(struct spool_hold *h);
const struct spool_slot *spool_hold_slots(const struct spool_hold *h,
    unsigned *n_out);
/* Before spool_close(). NULL is fine. */
void spool_hold_free(struct spool_hold *h);

#endif
