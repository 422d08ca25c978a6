/* SPDX-License-Identifier: ISC
 *
 * The values that the journal's records consist of: deliveries, their moves,
 * and the types of records. On disk each has a number that never changes its
 * meaning.
 */
#ifndef RELAY_SPOOL_FORMAT_JOURNAL_TYPES_H
#define RELAY_SPOOL_FORMAT_JOURNAL_TYPES_H

#include <stdint.h>

#include "relay/base/delivery.h"
#include "relay/base/slice.h"

enum { SPOOL_RCPTS = 1 << 20 }; /* an envelope of 1 MiB has fewer */

/* A delivery as the journal knows it. Its number is its index in the
 * message; numbers are only ever added. */
struct spool_delivery {
	uint32_t rcpt; /* index in the envelope */
	uint16_t leg;  /* in names */
	uint8_t role, state, uncertain;
	uint8_t reason; /* enum why of the last update */
	uint16_t flags;	/* enum delivery_flags */
	uint16_t attempts;
	int64_t created_us; /* lifetime counts from here */
	int64_t due_us;	    /* wall clock, of D_DEFERRED */
	uint64_t change;    /* the cutover table's, when resolved */
	uint64_t hash; /* of the recipient (hash_stored()); 0: not known */
};

/* Why a delivery moved: which event the audit trail shows. On disk. */
enum why {
	WHY_NONE = 0,
	WHY_ATTEMPT = 1,   /* a dialog ended: detail is a result */
	WHY_ROUTE = 2,	   /* a change of the table: superseded, created */
	WHY_HOLD = 3, WHY_RELEASE = 4,
	WHY_NO_ROUTE = 5,  /* the route names no leg: parked */
	WHY_LIFETIME = 6,
	WHY_ADMIN = 7,	   /* retry, freeze, thaw, park, bounce, delete */
	WHY_NO_WAY = 8,	   /* a DSN that cannot go anywhere: parked */
	WHY_LOOP = 9,
	WHY_EXPIRED = 10, /* it was parked for as long as parked mail is kept */
	WHY_SPACE = 11,	  /* a parked copy, given up because space ran short */
	WHY_RESTORED = 13, /* open when the spool was restored: frozen */
	WHY_HINT = 12,	  /* it seems to loop: waits, or parked */
	WHY_LATE = 20,	   /* its sender was told that it waits */
	WHY_GUARD = 21,	   /* a DSN that a forged sender would get: parked */
	WHY_RETURNED = 22, /* a bounce that a return address of ours took */
	WHY_FORGED = 23, /* as WHY_ATTEMPT; SPF disowns the sender: parked */
	WHY_TOO_LARGE = 30, /* a copy, over what its leg takes: parked */
	WHY_NO_UTF8 = 31, /* a copy to a leg without SMTPUTF8: parked */
};

/* Is the detail a result? */
static inline bool why_has_result(unsigned why)
{
	return why == WHY_ATTEMPT || why == WHY_FORGED;
}

/* One move of one delivery. */
struct spool_update {
	uint32_t delivery; /* its number; the next free one creates it */
	struct spool_delivery to; /* the whole new state */
	struct slice detail; /* packed result, or who and reason; or empty */
};

/* A note: what is neither message nor delivery. On disk. */
enum note {
	NOTE_REFUSED = 1, NOTE_CHANGE = 2, NOTE_LEG = 3, NOTE_BODY = 4,
	NOTE_SYSTEM = 5, /* start, stop, damage set aside, gap */
	NOTE_WATERMARK = 6,
};

enum record_type {
	REC_ACCEPTED = 1, REC_UPDATE = 2, REC_GROUP = 3, REC_NOTE = 4,
	REC_CARRY = 5, REC_FACTS = 6, REC_TOTALS = 7, REC_CLEAN = 8,
	REC_SUMMARY = 9, REC_REVIVE = 10,
};

#endif
