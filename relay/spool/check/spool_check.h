/* SPDX-License-Identifier: ISC
 *
 * Recounts the spool's memory: live bytes of each segment, references of bulk
 * segments, spares, descriptors, and the totals. Reads only; takes the locks.
 */
#ifndef RELAY_SPOOL_CHECK_SPOOL_CHECK_H
#define RELAY_SPOOL_CHECK_SPOOL_CHECK_H

#include "relay/spool/spool.h"

struct spool_checker {
	uint32_t at; /* in the table of live messages */
	char text[160];
};

/* Says what is wrong, in words that live as long as the checker; or NULL.
 * Looks at all live messages under the lock: the writer waits. */
const char *spool_check(struct spool *s, struct spool_checker *c);
/* A slice: the next live messages, at most `max`. A spool that has no more is
 * recounted whole. */
const char *spool_check_some(struct spool *s, struct spool_checker *c,
    unsigned max);
/* Are all deliveries that were created delivered, open, parked, bounced,
 * superseded or deleted (A1)? Open and parked ones are counted anew. After
 * damage a total may know of mail that is lost, so this is for tests and for
 * `audit verify`. */
const char *spool_conserved(struct spool *s, struct spool_checker *c);

#endif
