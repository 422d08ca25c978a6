/* SPDX-License-Identifier: ISC
 *
 * Gives a message that a leg has had new deliveries for another leg (R4).
 * Queue thread.
 */
#ifndef RELAY_SETTLE_REVIVE_H
#define RELAY_SETTLE_REVIVE_H

#include "relay/spool/spool.h"

struct queue_thread;

enum revive_status {
	REVIVE_DONE,	 /* in the journal, synced, and in the queue */
	REVIVE_CHANGED,	 /* it is not as it was fetched: fetch it again */
	REVIVE_BUSY,	 /* in hand just now, or the queue is full: later */
	REVIVE_FAILED,	 /* the journal was not written */
	REVIVE_LARGE,	 /* no record can hold that many deliveries */
};

struct revive_to {
	uint32_t rcpt; /* in the envelope */
	uint64_t hash; /* mail_hash() of its base address */
};

/* Deliveries to one leg for some recipients of one message: copies that no
 * change of the table reroutes, so that none of them makes a notice. */
struct revive_request {
	struct spool_fetch *fetch; /* with want_kept; outlives the request */
	const struct revive_to *to;
	unsigned n;
	int leg;
	uint64_t change, sender; /* of the table; mail_sender() */
	const char *who, *reason; /* for the audit trail */
	/* On the queue thread, exactly once, perhaps from inside the call. The
	 * new deliveries have the numbers from `first` on. */
	void (*done)(struct revive_request *q, enum revive_status status);
	uint32_t first;
	void *arg;
};
void revive_apply(struct queue_thread *s, struct revive_request *q);

#endif
