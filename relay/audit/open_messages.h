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
#include "relay/audit/straggler/straggler_counts.h"
#include "relay/base/list.h"
#include "relay/base/map.h"
#include "relay/base/names.h"

struct open_delivery {
	uint32_t number, rcpt;
	uint16_t leg;
	uint8_t role, state;
	uint8_t before; /* state at the beginning of the file; D_NONE: none */
	bool other_era; /* what another era's row says */
};

struct open_message {
	struct list used;    /* of all of them: oldest use first */
	struct list touched; /* in this transaction           */
	uint64_t id;
	int64_t accepted_us; /* 0: not known */
	struct straggler_origin from;
	unsigned rcpts;
	char **to;
	bool *dirty; /* by recipient */
	struct open_delivery *leg;
	unsigned legs, cap;
};

struct open_messages {
	struct map map;
	struct list used, touched;
	unsigned count, max;
	struct names *names;
	int64_t era;
};

void open_messages_init(struct open_messages *b, struct names *names,
    unsigned max);
void open_messages_fini(struct open_messages *b);
/* After a rollback: forgets all of them; the index has what was committed. */
void open_messages_clear(struct open_messages *b);

struct open_message *open_messages_add(struct open_messages *b,
    const struct envelope *e);
/* From memory or from the index: 1; 0 when neither knows it; -1: hours_error(),
 * the index cannot be read now. */
int open_messages_get(struct open_messages *b, struct hours *h, uint64_t id,
    struct open_message **e_out) PH_CHECK;
/* A message that the index never saw: its recipients are not known. NULL: the
 * index cannot be read now. */
struct open_message *open_message_stub(struct open_messages *b,
    struct hours *h, uint64_t id);
bool open_message_is_stub(const struct open_message *e);
/* Replaces a stub, whose moves it keeps, now that its recipients are known. */
struct open_message *open_message_name(struct open_messages *b,
    struct open_message *stub, const struct envelope *env);

/* All its recipients get a row, even one without a delivery. */
void open_message_touch(struct open_messages *b, struct open_message *e);
/* A move; l->before counts at the first one of this file. */
void open_message_set(struct open_messages *b, struct open_message *e,
    const struct open_delivery *l);
/* The journal says again what the delivery is: news only where no row of
 * this era has it. */
void open_message_adopt(struct open_messages *b, struct open_message *e,
    const struct open_delivery *l);
const char *open_message_to(const struct open_message *e, uint32_t rcpt);

/* Writes the touched recipients. 0 or -1. */
int open_messages_flush(struct open_messages *b, struct hourfile *f);
/* After the commit: forgets what is over and what is too much. */
void open_messages_trim(struct open_messages *b);
/* A new file: nothing was touched in it. */
void open_messages_new_hour(struct open_messages *b);

#endif
