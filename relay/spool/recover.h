/* SPDX-License-Identifier: ISC
 *
 * Between the two halves of recovery: finding the segments, and replaying
 * them. Before any thread.
 */
#ifndef RELAY_SPOOL_RECOVER_H
#define RELAY_SPOOL_RECOVER_H

#include "relay/spool/scan.h"

struct recovery {
	struct spool *s;
	const struct spool_recovered *told;
	struct spool_start *start;
	struct scan sc;
	struct record record;
	bool clean; /* the last batch has the mark of an orderly end */
	uint64_t *slots;
	unsigned n_slots;
};

/* Names damage: counts it and tells one line. */
void replay_damage(struct recovery *r, const char *fmt, ...) PH_PRINTF(2, 3);
/* Replays the segments of spool.mains. */
void replay_all(struct recovery *r);

#endif
