/* SPDX-License-Identifier: ISC
 *
 * Finds the deliveries of some recipients in all that the journal has, by the
 * summaries of its segments, and by their records where there is none. A hash
 * is a hint: who acts on what is found looks at the message itself.
 */
#ifndef RELAY_SPOOL_FIND_FIND_H
#define RELAY_SPOOL_FIND_FIND_H

#include "relay/spool/spool.h"

/* A delivery as a segment leaves it; a later segment may say more of it. */
struct spool_found {
	uint64_t id;
	uint32_t number; /* in its message */
	const struct spool_delivery *delivery; /* stamps: wall clock */
};

struct spool_find {
	/* Of recipients, as the spool stores them; ascending. 0 stands for
	 * those that an older version stored without one. */
	const uint64_t *hash;
	size_t hashes;
	void (*found)(void *arg, const struct spool_found *f);
	void *arg;
};

/* Looks through the first main segment from *generation on, which moves behind
 * it: start with 0. 1: it did; 0: there is none; -1 and err: it did, and a
 * part cannot be read. Takes up to some 100 ms. Any thread. */
int spool_find_segment(struct spool *s, const struct spool_find *q,
    uint64_t *generation, struct error *err) PH_CHECK;

#endif
