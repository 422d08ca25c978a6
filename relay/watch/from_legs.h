/* SPDX-License-Identifier: ISC
 *
 * Counts the mail that comes from legs, until a thread that may wait for a
 * disk takes the counts away: a server that still sends is still in use. Any
 * thread.
 */
#ifndef RELAY_WATCH_FROM_LEGS_H
#define RELAY_WATCH_FROM_LEGS_H

#include <stdbool.h>
#include <stdint.h>

enum from_leg_kind {
	FROM_LEG_MAIL = 1, /* for recipients of ours, sent there; on disk */
	FROM_LEG_WAY_BACK = 2, /* … that reached it from outside  */
	FROM_LEG_OUTBOUND = 3, /* for the outside                 */
	FROM_LEG_REFUSED = 4,  /* it had the mail already (D6)    */
	FROM_LEG_KINDS
};

/* One message, or the messages of a leg, kind and domain. */
struct from_leg {
	const char *leg;
	enum from_leg_kind kind;
	const char *domain; /* of ours: the recipient's, or the sender's of
			     * what goes out; "": none of ours */
	uint64_t messages, id; /* id: of the last; 0: it has none */
	int64_t first_us, last_us; /* wall */
	const char *hop; /* the last that was outside; "" */
};

struct from_legs;
struct from_legs *from_legs_new(void);
void from_legs_free(struct from_legs *f); /* NULL is fine */
/* True: the first of its leg, kind and domain for an hour, to be told. */
bool from_legs_add(struct from_legs *f, const struct from_leg *one);
/* All that came since the last take: `fn` gets each. `f` is not locked in
 * it. */
void from_legs_take(struct from_legs *f,
    void (*fn)(void *arg, const struct from_leg *some), void *arg);

#endif
