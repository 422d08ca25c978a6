/* SPDX-License-Identifier: ISC
 *
 * The live messages of the journal, packed: where each stands on disk, the
 * state of its deliveries and where that stands. 60 bytes for a message with
 * one delivery; all that is not asked for each day (stamps, attempts, replies)
 * is read from the journal. Each message is in the list of its segment, named
 * by slot. Only the writer changes it, under the spool's lock.
 */
#ifndef RELAY_SPOOL_LIVE_LIVE_TABLE_H
#define RELAY_SPOOL_LIVE_LIVE_TABLE_H

#include <stdbool.h>

#include "relay/base/slab.h"

enum {
	RCPT_BITS = 20, /* of SPOOL_RCPTS */
	REC_BITS = 23,	/* of the bytes of a record */
	BODY_BITS = 24, /* of those of an inline body */
};

struct live {
	uint64_t id; /* 0: none */
	uint64_t slot : 17, rec_bytes : REC_BITS, body_bytes : BODY_BITS;
	uint32_t rec;	     /* of its accepted, carry or revive record */
	uint32_t prev, next; /* in the list of its segment */
	uint32_t first;	     /* of its deliveries */
};

/* In order of number. */
struct live_delivery {
	uint32_t rec; /* of the last update; 0: none since its own record */
	uint32_t slot : 17, leg : 8, state : 4, uncertain : 2, tried : 1;
	uint32_t rcpt : RCPT_BITS, role : 1, due_high : 11;
	uint32_t due_low; /* of a steady time in ms */
	uint32_t next;
};

_Static_assert(sizeof(struct live) == 32, "32 MB for a million");
_Static_assert(sizeof(struct live_delivery) == 20, "20 MB for a million");

struct live_list { /* ends of a list; 0: none */
	uint32_t first, last;
};

struct live_table {
	struct slab messages, deliveries;
	uint32_t *number; /* by hash of the id; 0: empty */
	uint32_t cap;	  /* 0, or a power of two */
	uint32_t used;
};

void live_table_init(struct live_table *t);
void live_table_fini(struct live_table *t);
uint32_t live_find(const struct live_table *t, uint64_t id); /* 0: none */
/* The id will be added: its place in memory is fetched meanwhile. */
void live_soon(const struct live_table *t, uint64_t id);
/* One whose id is not there, in no list, with no delivery. */
uint32_t live_add(struct live_table *t, uint64_t id);
/* With its deliveries; it must be in no list. */
void live_remove(struct live_table *t, uint32_t number);
/* Room for so many messages, without growing in steps. */
void live_table_reserve(struct live_table *t, uint32_t messages);
/* Is there a message of that number? For a walk in order of numbers, from 1 to
 * messages.used, which messages keep as long as they live. */
static inline bool live_is(const struct live_table *t, uint32_t number)
{
	return ((const struct live *)slab_at(&t->messages, number))->first !=
	    0;
}

/* Walk: start with *at = 0; 0 at the end. No add or remove meanwhile. */
uint32_t live_next(const struct live_table *t, uint32_t *at);

/* A delivery as it is told of. */
struct live_state {
	uint32_t slot, rec; /* of the last update; rec 0: none */
	uint32_t rcpt;
	uint16_t leg;
	uint8_t role, state, uncertain;
	bool tried;
	int64_t due_us; /* steady; kept in ms, rounded down */
};

/* One more, after `last`, which is the last one; 0: there is none. Returns
 * it. */
uint32_t live_more(struct live_table *t, uint32_t number, uint32_t last,
    const struct live_state *state);
/* The states of all deliveries. */
void live_put(struct live_table *t, uint32_t number,
    const struct live_state *state, unsigned n);
unsigned live_count(const struct live_table *t, uint32_t number);
/* All of them, in order. */
void live_get(const struct live_table *t, uint32_t number,
    struct live_state *out);
struct live_state live_state_of(const struct live_delivery *d);
void live_state_put(struct live_delivery *d, const struct live_state *state);

void live_list_push(struct live_table *t, struct live_list *l, uint32_t n);
void live_list_drop(struct live_table *t, struct live_list *l, uint32_t n);

static inline struct live *live_at(const struct live_table *t, uint32_t n)
{
	return slab_at(&t->messages, n);
}

static inline struct live_delivery *live_delivery_at(
    const struct live_table *t, uint32_t n)
{
	return slab_at(&t->deliveries, n);
}

#endif
