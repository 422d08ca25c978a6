/* SPDX-License-Identifier: ISC
 *
 * What the legs said of recipients. Any thread.
 */
#include "relay/daemon/askcache.h"

#include <pthread.h>

#include "relay/base/mem.h"

enum {
	WAYS = 8,    /* places that one recipient may stand in */
	SILENCES = 3, /* in a row: the leg is left alone        */
};

struct place {
	uint64_t base, whole; /* 0: empty */
	int64_t until_ms;
	uint16_t leg;
	uint8_t fact;
};

struct askcache {
	pthread_mutex_t lock;
	const struct clock *clock;
	struct place *place;
	size_t sets; /* a power of two, of WAYS places each */
	uint64_t era;
	struct {
		int silences;
		int64_t quiet_until_ms, everybody_until_ms;
	} leg[NAMES_MAX];
};

struct askcache *askcache_new(size_t places, const struct clock *clock)
{
	struct askcache *c = NEW(struct askcache);

	pthread_mutex_init(&c->lock, NULL);
	c->clock = clock;
	for (c->sets = 1; c->sets * WAYS < places;)
		c->sets *= 2;
	c->place = NEW_ARRAY(struct place, c->sets * WAYS);
	return c;
}

void askcache_free(struct askcache *c)
{
	if (c == NULL)
		return;
	pthread_mutex_destroy(&c->lock);
	mem_free(c->place);
	mem_free(c);
}

/* The set depends on nothing but the base: all that is known of a recipient
 * is dropped by one look. */
static struct place *set_of(struct askcache *c, uint64_t base)
{
	return &c->place[(size_t)(base >> 8 & (c->sets - 1)) * WAYS];
}

static bool is_of(const struct place *p, const struct ask_key *k)
{
	return p->whole == k->whole && p->base == k->base && p->leg == k->leg;
}

/* The fact, if it still holds; with the lock. */
static struct place *find(struct askcache *c, const struct ask_key *k)
{
	struct place *p = set_of(c, k->base);

	for (int i = 0; i < WAYS; i++)
		if (is_of(&p[i], k))
			return p[i].until_ms > clock_mono_ms(c->clock)
				   ? &p[i] : NULL;
	return NULL;
}

enum ask_fact askcache_get(struct askcache *c, const struct ask_key *k)
{
	struct place *p;
	enum ask_fact fact;

	pthread_mutex_lock(&c->lock);
	p = find(c, k);
	fact = p == NULL ? FACT_NONE : (enum ask_fact)p->fact;
	pthread_mutex_unlock(&c->lock);
	return fact;
}

uint64_t askcache_era(struct askcache *c)
{
	uint64_t era;

	pthread_mutex_lock(&c->lock);
	era = c->era;
	pthread_mutex_unlock(&c->lock);
	return era;
}

/* Its own place, else the one whose fact ends first (an empty one has
 * ended). */
static struct place *room_for(struct askcache *c, const struct ask_key *k)
{
	struct place *p = set_of(c, k->base), *best = p;

	for (int i = 0; i < WAYS; i++) {
		if (is_of(&p[i], k))
			return &p[i];
		if (p[i].until_ms < best->until_ms)
			best = &p[i];
	}
	return best;
}

static bool put(struct askcache *c, const struct ask_key *k,
    enum ask_fact fact, int64_t ms)
{
	int64_t until_ms = clock_mono_ms(c->clock) + ms;
	struct place *p = find(c, k);
	bool fresh = p == NULL || p->fact != fact;

	if (fact == FACT_EVERYBODY)
		c->leg[k->leg].everybody_until_ms = until_ms;
	*room_for(c, k) = (struct place){k->base, k->whole, until_ms,
	    (uint16_t)k->leg, (uint8_t)fact};
	return fresh;
}

bool askcache_put(struct askcache *c, const struct ask_key *k,
    enum ask_fact fact, int64_t ms, uint64_t era)
{
	bool fresh = false;

	pthread_mutex_lock(&c->lock);
	if (era == c->era && ms > 0)
		fresh = put(c, k, fact, ms);
	pthread_mutex_unlock(&c->lock);
	return fresh;
}

void askcache_drop(struct askcache *c, uint64_t base)
{
	struct place *p = set_of(c, base);

	pthread_mutex_lock(&c->lock);
	c->era++;
	for (int i = 0; i < WAYS; i++)
		if (p[i].base == base)
			p[i] = (struct place){0};
	pthread_mutex_unlock(&c->lock);
}

void askcache_clear(struct askcache *c)
{
	pthread_mutex_lock(&c->lock);
	c->era++;
	memset(c->place, 0, c->sets * WAYS * sizeof(*c->place));
	memset(c->leg, 0, sizeof(c->leg));
	pthread_mutex_unlock(&c->lock);
}

/* ---- of a leg as such ---- */

bool askcache_everybody(struct askcache *c, int leg)
{
	bool yes;

	pthread_mutex_lock(&c->lock);
	yes = c->leg[leg].everybody_until_ms > clock_mono_ms(c->clock);
	pthread_mutex_unlock(&c->lock);
	return yes;
}

void askcache_answered(struct askcache *c, int leg)
{
	pthread_mutex_lock(&c->lock);
	c->leg[leg].silences = 0;
	pthread_mutex_unlock(&c->lock);
}

void askcache_silent(struct askcache *c, int leg, int64_t quiet_ms)
{
	pthread_mutex_lock(&c->lock);
	if (++c->leg[leg].silences >= SILENCES)
		c->leg[leg].quiet_until_ms =
		    clock_mono_ms(c->clock) + quiet_ms;
	pthread_mutex_unlock(&c->lock);
}

bool askcache_may_ask(struct askcache *c, int leg, int64_t quiet_ms)
{
	int64_t now_ms = clock_mono_ms(c->clock);
	bool may = true;

	pthread_mutex_lock(&c->lock);
	if (c->leg[leg].silences >= SILENCES) {
		may = c->leg[leg].quiet_until_ms <= now_ms;
		if (may)
			c->leg[leg].quiet_until_ms = now_ms + quiet_ms;
	}
	pthread_mutex_unlock(&c->lock);
	return may;
}
