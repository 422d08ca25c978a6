/* SPDX-License-Identifier: ISC
 *
 * The messages that are under way, in memory: their recipients' addresses
 * and the states of the deliveries that moved in the current hour. What a
 * transaction touched is written as one row a recipient when it commits, so
 * a message that is accepted and delivered at once costs one row, not three.
 * What falls out is read back from the index. The projector's thread.
 */
#ifndef RELAY_AUDIT_OPEN_MESSAGES_H
#define RELAY_AUDIT_OPEN_MESSAGES_H

#include "relay/audit/hours.h"
#include "relay/base/list.h"
#include "relay/base/map.h"
#include "relay/base/names.h"

struct book_leg {
	uint32_t number, rcpt;
	uint16_t leg;
	uint8_t role, state;
};

struct book_entry {
	struct list used;    /* of the book: oldest use first */
	struct list touched; /* in this transaction           */
	uint64_t id;
	int64_t accepted_us; /* 0: not known */
	unsigned rcpts;
	char **to;
	bool *dirty; /* by recipient */
	struct book_leg *leg;
	unsigned legs, cap;
};

struct book {
	struct map map;
	struct list used, touched;
	unsigned count, max;
	struct names *names;
};

void book_init(struct book *b, struct names *names, unsigned max);
void book_fini(struct book *b);
/* A rolled back transaction: the index knows, we know nothing. */
void book_clear(struct book *b);

struct book_entry *book_add(struct book *b, const struct envelope *e);
/* From memory or from the index: 1; 0 when neither knows it; -1: hours_error(),
 * the index cannot be read now. */
int book_get(struct book *b, struct hours *h, uint64_t id,
    struct book_entry **e_out) PH_CHECK;
/* A message that the index never saw: its address is not known. */
struct book_entry *book_stub(struct book *b, uint64_t id);
bool book_is_stub(const struct book_entry *e);
void book_forget(struct book *b, struct book_entry *e);

/* All its recipients get a row, even one without a delivery. */
void book_touch(struct book *b, struct book_entry *e);
void book_set(struct book *b, struct book_entry *e, const struct book_leg *l);
const char *book_to(const struct book_entry *e, uint32_t rcpt);

/* Writes the touched recipients. 0 or -1. */
int book_flush(struct book *b, struct hourfile *f);
/* After the commit: forgets what is over and what is too much. */
void book_trim(struct book *b);
/* A new file: nothing was touched in it. */
void book_new_hour(struct book *b);

#endif
