/* SPDX-License-Identifier: ISC
 *
 * Recounts the queue. Every number that the queue keeps is one that could be
 * counted anew, and every list is one that the state of its entries implies;
 * here both are done and compared. Reads only. Queue thread, between two calls
 * of the queue.
 */
#ifndef RELAY_QUEUE_QUEUE_CHECK_H
#define RELAY_QUEUE_QUEUE_CHECK_H

#include "relay/queue/queue.h"

struct queue_checker {
	uint64_t id; /* messages up to this one were looked at */
	char text[160];
};

/* Says what is wrong with the queue, in words that live as long as the
 * checker; or NULL. Looks at all of it. */
const char *queue_check(const struct queue *q, struct queue_checker *c);
/* A slice: the next messages, of about `max` deliveries. A queue that is not
 * larger than that is recounted whole. */
const char *queue_check_some(const struct queue *q, struct queue_checker *c,
    unsigned max);
/* Recounts the ledger's slots and gates, and whether `held` slots of each
 * leg are what is taken. `held` NULL: the holders are not known here. */
const char *ledger_check(const struct ledger *l, const int held[NAMES_MAX],
    struct queue_checker *c);

#endif
