/* SPDX-License-Identifier: ISC
 *
 * The legs' answers about recipients that have no row (unknown = "probe"): one
 * memory for all workers, of a fixed size. Findings of one recipient are in one
 * small set of places; where it is full the finding that ends soonest makes
 * room, so a flood of unknown names (minutes) does not wash out the known ones
 * (a day). Any thread; no call waits for anything but a short lock.
 */
#ifndef RELAY_DELIVERY_ASK_CACHE_H
#define RELAY_DELIVERY_ASK_CACHE_H

#include "relay/base/attr.h"
#include "relay/base/clock.h"
#include "relay/base/names.h"

enum ask_finding {
	FOUND_NONE, /* nothing is known */
	FOUND_YES,  /* the leg takes the recipient */
	FOUND_NO,   /* … and this one it does not have */
	FOUND_EVERYBODY, /* of a domain: it takes whatever one asks for */
	FOUND_PICKY, /* … it does not */
};

struct ask_cache;

/* `places` is rounded up to a power of two. */
struct ask_cache *ask_cache_new(size_t places, const struct clock *clock);
void ask_cache_free(struct ask_cache *c); /* NULL is fine */

/* Hashes, never 0. A finding is of a whole address; a change names its base
 * (T7: the address without its detail). For a domain both are that of
 * "@domain". */
struct ask_key {
	int leg;
	uint64_t base, whole;
};

enum ask_finding ask_cache_get(struct ask_cache *c, const struct ask_key *k);
/* Before a question is put. An answer of an older era is not kept: something
 * changed while it was on its way. */
uint64_t ask_cache_era(struct ask_cache *c);
/* True: that was not known. */
bool ask_cache_put(struct ask_cache *c, const struct ask_key *k,
    enum ask_finding finding, int64_t ms, uint64_t era);
/* All that is known of that base, on every leg. */
void ask_cache_drop(struct ask_cache *c, uint64_t base);
void ask_cache_clear(struct ask_cache *c);

/* Does the leg, at a domain at least, take every recipient? For status. */
bool ask_cache_everybody(struct ask_cache *c, int leg);

/* The last finding, when it holds no more and there is no new one: for a while,
 * so that a leg that does not answer is as it was. */
enum ask_finding ask_cache_last(struct ask_cache *c, const struct ask_key *k);

/* A leg that did not answer some questions of a client in a row is not asked by
 * it for `quiet_ms`; one that did not answer so many clients, with no answer
 * between, is not asked by any. Then one question tries it: until that is
 * answered, or for another quiet_ms, the others may not. */
void ask_cache_answered(struct ask_cache *c, int leg, uint64_t client);
void ask_cache_silent(struct ask_cache *c, int leg, uint64_t client,
    int64_t quiet_ms);
bool ask_cache_may_ask(struct ask_cache *c, int leg, uint64_t client,
    int64_t quiet_ms);

/* A question of that client begins, if fewer than `most` of its questions to
 * that leg are under way; it ends. */
bool ask_cache_take(struct ask_cache *c, int leg, uint64_t client,
    unsigned most) PH_CHECK;
void ask_cache_give(struct ask_cache *c, int leg, uint64_t client);

#endif
