/* SPDX-License-Identifier: ISC
 *
 * The states and roles of a delivery: the record of one (message, recipient,
 * leg). Shared words of the journal, the queue and the audit trail; the
 * numbers are on disk and never change.
 */
#ifndef RELAY_BASE_DELIVERY_H
#define RELAY_BASE_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/slice.h"

enum dstate {
	D_NONE = 0,	/* not created                                       */
	D_QUEUED = 1,	/* open: no attempt yet                              */
	D_DEFERRED = 2, /* open: waits for its next attempt                  */
	D_HELD = 3,	/* open: accepted and waits for a release            */
	D_FROZEN = 4,	/* open: an administrator stopped it                 */
	D_PARKED = 5,	/* given up for now, kept with its reason            */
	D_DELIVERED = 6,
	D_BOUNCED = 7,
	D_SUPERSEDED = 8, /* another delivery took its place                 */
	D_DELETED = 9,
	D_STATES
};

enum role { ROLE_PRIMARY = 0, ROLE_COPY = 1 };

enum uncertain {
	UNC_NO = 0,
	UNC_POSSIBLE = 1, /* open at an unclean end: may have been sent       */
	UNC_YES = 2,	  /* the leg went away after the final dot            */
};

/* Kept beside the state, on disk too. */
enum delivery_flags {
	DF_DSN_SENT = 1, /* the sender was told of a failure: never twice */
	DF_DELAY_SENT = 2, /* it was told of the delay, or did not ask to be */
	DF_MAILBOX = 4, /* delivered into the mailbox itself (LMTP): a notice
			 * says "delivered", else "relayed" */
	/* Its leg refused this recipient, and may take it later: then it goes
	 * apart from, and after, those that were not refused. */
	DF_REFUSED = 8,
	DF_UNHEARD = 16, /* … and did not answer for it the last time */
	DF_PINNED = 32,	/* no change of the table moves it to another leg */
	DF_REPLAYED = 64, /* its message had ended and was queued again */
	DF_EGRESS = 128, /* its leg is an egress: a way out to the internet */
	DF_KNOWN = 255, /* all of them */
};

/* One delivery of a message, as rooms and letters pass it on; only the journal
 * (struct spool_delivery) and the queue's memory have forms of their own. */
struct delivery_ref {
	uint32_t number; /* in its message; numbers are only ever added */
	uint32_t rcpt;	 /* index in the envelope */
	uint16_t leg;	 /* in names */
	uint8_t role, state, uncertain;
	uint8_t reason;	 /* enum why of the last change */
	uint16_t flags;	 /* enum delivery_flags */
	uint16_t attempts;
	uint64_t hash;	 /* of the recipient's folded base address (hash.h);
			  * never 0 */
	/* Of a recipient's domain, for permits (permits.h); 0: not known. It is
	 * not written down. */
	uint32_t domain;
	uint64_t change; /* the table's, when it was resolved */
	int64_t created_us, due_us; /* wall clock */
};

/* Created = delivered + open + parked + bounced + superseded + deleted. */
enum total { T_CREATED, T_DELIVERED, T_OPEN, T_PARKED, T_BOUNCED,
	T_SUPERSEDED, T_DELETED, TOTALS };

/* Deliveries that became live, and that ended: two counts that only grow, so
 * that of two places that learn of the same moves one after the other it can
 * be told which does not know yet. */
struct live_flow {
	uint64_t entered, left;
};

/* One move. */
static inline void live_flow_count(struct live_flow *f, bool was, bool is)
{
	f->entered += !was && is;
	f->left += was && !is;
}

bool dstate_open(enum dstate s);     /* queued, deferred, held, frozen    */
bool dstate_live(enum dstate s);     /* open or parked: its bytes are kept */
const char *dstate_text(enum dstate s); /* "queued", …                    */
int dstate_parse(struct slice s);	/* -1: no such state              */
const char *role_text(enum role r);	/* "primary", "copy"              */
enum total dstate_total(enum dstate s); /* the column it counts in        */
const char *total_text(enum total t);

#endif
