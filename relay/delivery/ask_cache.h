/* SPDX-License-Identifier: ISC
 *
 * What the legs said of recipients that have no row (unknown = "probe"): one
 * memory for all workers, of a fixed size. Facts of one recipient are in one
 * small set of places; where it is full the fact that ends soonest makes
 * room, so a flood of unknown names (minutes) does not wash out the known
 * ones (a day). Any thread; no call waits for anything but a short lock.
 */
#ifndef RELAY_DELIVERY_ASK_CACHE_H
#define RELAY_DELIVERY_ASK_CACHE_H

#include "relay/base/attr.h"
#include "relay/base/clock.h"
#include "relay/base/names.h"

enum ask_fact {
	FACT_NONE, /* nothing is known */
	FACT_YES,  /* the leg takes the recipient */
	FACT_NO,   /* … and this one it does not have */
	FACT_EVERYBODY, /* of a domain: it takes whatever one asks for */
	FACT_PICKY, /* … it does not */
};

struct askcache;

/* `places` is rounded up to a power of two. */
struct askcache *askcache_new(size_t places, const struct clock *clock);
void askcache_free(struct askcache *c); /* NULL is fine */

/* Hashes, never 0. A fact is of a whole address; a change names its base (T7:
 * the address without its detail). For a domain both are that of "@domain". */
struct ask_key {
	int leg;
	uint64_t base, whole;
};

enum ask_fact askcache_get(struct askcache *c, const struct ask_key *k);
/* Before a question is put. An answer of an older era is not kept: something
 * changed while it was on its way. */
uint64_t askcache_era(struct askcache *c);
/* True: that was not known. */
bool askcache_put(struct askcache *c, const struct ask_key *k,
    enum ask_fact fact, int64_t ms, uint64_t era);
/* All that is known of that base, on every leg. */
void askcache_drop(struct askcache *c, uint64_t base);
void askcache_clear(struct askcache *c);

/* Does the leg, at a domain at least, take everybody? For status. */
bool askcache_everybody(struct askcache *c, int leg);

/* The last fact, when it holds no more and there is no new one: for a while, so
 * that a leg that does not answer is as it was. */
enum ask_fact askcache_last(struct askcache *c, const struct ask_key *k);

/* A leg that did not answer some questions of a client in a row is not asked by
 * it for `quiet_ms`; one that did not answer so many clients, with no answer
 * between, is not asked by any. Then one question tries it: until that is
 * answered, or for another quiet_ms, the others may not. */
void askcache_answered(struct askcache *c, int leg, uint64_t client);
void askcache_silent(struct askcache *c, int leg, uint64_t client,
    int64_t quiet_ms);
bool askcache_may_ask(struct askcache *c, int leg, uint64_t client,
    int64_t quiet_ms);

/* A question of that client begins, if fewer than `most` of its questions to
 * that leg are under way; it ends. */
bool askcache_take(struct askcache *c, int leg, uint64_t client,
    unsigned most) PH_CHECK;
void askcache_give(struct askcache *c, int leg, uint64_t client);

#endif
