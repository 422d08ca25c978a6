/* SPDX-License-Identifier: ISC
 *
 * The record of one message, for the daemon itself: its sender, its recipients
 * and the states of its deliveries. The projector's thread answers, out of its
 * memory and the hour files, after it has taken in what was synced by then.
 */
#ifndef RELAY_AUDIT_LOOKUP_H
#define RELAY_AUDIT_LOOKUP_H

#include "relay/audit/projector.h"
#include "relay/base/mem.h"

struct lookup_row { /* a delivery */
	uint32_t number, rcpt;
	uint16_t leg; /* in names */
	uint8_t role, state;
};

struct lookup {
	struct letter letter;
	struct mailbox *to;
	int kind;
	void *arg;
	uint64_t id;
	bool carried; /* it may have come here later: any file may have it */
	bool sender; /* `from` is wanted, too */
	int64_t asked_ms; /* the projector's */
	/* filled: */
	bool found; /* false: never accepted here, or older than the index */
	const char *from; /* NULL: not asked for, or not known */
	const char **rcpt; /* by number; "" when it is not known */
	unsigned rcpts;
	struct lookup_row *row;
	unsigned rows;
	struct arena *arena;
};

struct lookup *lookup_new(uint64_t id, struct mailbox *to, int kind);
void lookup_free(struct lookup *l);

/* Any thread. Comes back to l->to as a letter of l->kind, exactly once, while
 * the projector's thread runs. */
void projector_lookup(struct projector *p, struct lookup *l);
/* Have all come back? Any thread. */
bool projector_quiet(const struct projector *p);

/* In place of the thread, for tests and lookup.c: fills it now. */
void lookup_fill(struct projector *p, struct lookup *l);

#endif
