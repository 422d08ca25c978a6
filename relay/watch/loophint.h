/* SPDX-License-Identifier: ISC
 *
 * Recognises mail that goes round through a leg which takes our trace field
 * away (D6): the same Message-ID, sender, recipient and body again within an
 * hour, after the earlier copy was delivered to that leg. It is a hint and no
 * proof: what it says slows a delivery, and later parks it; it refuses nothing
 * and leaves no leg out. In memory, of a fixed size, lost at a restart. Any
 * thread; no call waits for anything but a short lock.
 */
#ifndef RELAY_WATCH_LOOPHINT_H
#define RELAY_WATCH_LOOPHINT_H

#include "relay/base/attr.h"
#include "relay/base/clock.h"
#include "relay/base/slice.h"

/* A digest of what stands below the header, as it comes. */
struct loophint_body {
	struct XXH64_state_s *digest;
	bool in_body, mid_line, cr;
};
void loophint_body_init(struct loophint_body *b);
void loophint_body_fini(struct loophint_body *b); /* all 0 is fine */
void loophint_body_add(struct loophint_body *b, struct slice bytes);

/* The key that a message has each time it comes, 0 when it has no Message-ID:
 * devices send identical mail for each alarm that they raise. */
uint64_t loophint_key(const char *message_id, const char *from,
    const struct loophint_body *body);

struct loophints;

/* `places` is rounded up to a power of two. */
struct loophints *loophints_new(size_t places, const struct clock *clock);
void loophints_free(struct loophints *h); /* NULL is fine */

/* Message `id` was accepted; of a key of 0 nothing is kept. */
void loophint_stored(struct loophints *h, uint64_t id, uint64_t key);
/* It was delivered to that recipient (the queue's hash) on that leg. */
void loophint_delivered(struct loophints *h, uint64_t id, uint64_t rcpt,
    int leg);
/* How often that was delivered there, with less than an hour between. */
unsigned loophint_rounds(struct loophints *h, uint64_t key, uint64_t rcpt,
    int leg);

/* From so many rounds on a delivery waits, and is parked. */
enum { LOOPHINT_SLOWS = 3, LOOPHINT_PARKS = 5 };
/* How long it waits, us. */
int64_t loophint_wait_us(unsigned rounds);

#endif
