/* SPDX-License-Identifier: ISC
 *
 * Remembers the legs' answers about recipients. Any thread.
 */
#include "relay/delivery/ask_cache.h"

#include <pthread.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

enum {
	WAYS = 8,    /* places that one recipient may stand in */
	SILENCES = 3, /* in a row: the leg is left alone        */
	CLIENTS = 1024,
};

/* For how long after its end a finding is better than none. A recipient that
 * came since would be refused for the old no. */
static const int64_t last_ms[] = {
	[FOUND_YES] = 7 * DAY_MS,
	[FOUND_EVERYBODY] = DAY_MS,
	[FOUND_NO] = HOUR_MS,
	[FOUND_PICKY] = 0,
};

/* In a row, and until when no question is put. */
struct silence {
	int n;
	int64_t quiet_until_ms;
};

/* Of a leg and a client. */
struct asking_client {
	uint64_t key; /* 0: empty */
	unsigned open;
	struct silence silence;
};

struct cache_place {
	uint64_t base, whole; /* 0: empty */
	int64_t until_ms;
	uint16_t leg;
	uint8_t finding;
};

struct ask_cache {
	pthread_mutex_t lock;
	const struct clock *clock;
	struct cache_place *place;
	size_t sets; /* a power of two, of WAYS places each */
	uint64_t era;
	struct {
		struct silence silence; /* n: clients */
		uint64_t silent[SILENCES];
		int64_t everybody_until_ms;
	} leg[NAMES_MAX];
	struct asking_client client[CLIENTS];
};

struct ask_cache *ask_cache_new(size_t places, const struct clock *clock)
{
	struct ask_cache *c = NEW(struct ask_cache);

	pthread_mutex_init(&c->lock, NULL);
	c->clock = clock;
	for (c->sets = 1; c->sets * WAYS < places;)
		c->sets *= 2;
	c->place = NEW_ARRAY(struct cache_place, c->sets * WAYS);
	return c;
}

void ask_cache_free(struct ask_cache *c)
{
	if (c == NULL)
		return;
	pthread_mutex_destroy(&c->lock);
	mem_free(c->place);
	mem_free(c);
}

/* The set depends on nothing but the base: all that is known of a recipient
 * is dropped by one look. */
static struct cache_place *set_of(struct ask_cache *c, uint64_t base)
{
	return &c->place[(size_t)(base >> 8 & (c->sets - 1)) * WAYS];
}

static bool is_of(const struct cache_place *p, const struct ask_key *k)
{
	return p->whole == k->whole && p->base == k->base && p->leg == k->leg;
}

/* With the lock. */
static struct cache_place *find_any(struct ask_cache *c,
    const struct ask_key *k)
{
	struct cache_place *p = set_of(c, k->base);

	for (int i = 0; i < WAYS; i++)
		if (is_of(&p[i], k))
			return &p[i];
	return NULL;
}

/* The finding, if it still holds; with the lock. */
static struct cache_place *find(struct ask_cache *c, const struct ask_key *k)
{
	struct cache_place *p = find_any(c, k);

	return p != NULL && p->until_ms > clock_mono_ms(c->clock) ? p : NULL;
}

static int64_t last_until(const struct cache_place *p)
{
	return p->whole == 0 ? INT64_MIN : p->until_ms + last_ms[p->finding];
}

enum ask_finding ask_cache_get(struct ask_cache *c, const struct ask_key *k)
{
	struct cache_place *p;
	enum ask_finding finding;

	pthread_mutex_lock(&c->lock);
	p = find(c, k);
	finding = p == NULL ? FOUND_NONE : (enum ask_finding)p->finding;
	pthread_mutex_unlock(&c->lock);
	return finding;
}

enum ask_finding ask_cache_last(struct ask_cache *c, const struct ask_key *k)
{
	enum ask_finding finding = FOUND_NONE;
	const struct cache_place *p;

	pthread_mutex_lock(&c->lock);
	p = find_any(c, k);
	if (p != NULL && last_until(p) > clock_mono_ms(c->clock))
		finding = (enum ask_finding)p->finding;
	pthread_mutex_unlock(&c->lock);
	return finding;
}

uint64_t ask_cache_era(struct ask_cache *c)
{
	uint64_t era;

	pthread_mutex_lock(&c->lock);
	era = c->era;
	pthread_mutex_unlock(&c->lock);
	return era;
}

/* Its own place, an empty one, or that of the finding that ends first. */
static struct cache_place *room_for(struct ask_cache *c,
    const struct ask_key *k)
{
	struct cache_place *p = set_of(c, k->base), *best = p;

	for (int i = 0; i < WAYS; i++) {
		if (is_of(&p[i], k))
			return &p[i];
		if (last_until(&p[i]) < last_until(best))
			best = &p[i];
	}
	return best;
}

static bool put(struct ask_cache *c, const struct ask_key *k,
    enum ask_finding finding, int64_t ms)
{
	int64_t until_ms = clock_mono_ms(c->clock) + ms;
	struct cache_place *p = find(c, k);
	bool fresh = p == NULL || p->finding != finding;

	if (finding == FOUND_EVERYBODY)
		c->leg[k->leg].everybody_until_ms = until_ms;
	*room_for(c, k) = (struct cache_place){k->base, k->whole, until_ms,
	    (uint16_t)k->leg, (uint8_t)finding};
	return fresh;
}

bool ask_cache_put(struct ask_cache *c, const struct ask_key *k,
    enum ask_finding finding, int64_t ms, uint64_t era)
{
	bool fresh = false;

	pthread_mutex_lock(&c->lock);
	if (era == c->era && ms > 0)
		fresh = put(c, k, finding, ms);
	pthread_mutex_unlock(&c->lock);
	return fresh;
}

void ask_cache_drop(struct ask_cache *c, uint64_t base)
{
	struct cache_place *p = set_of(c, base);

	pthread_mutex_lock(&c->lock);
	c->era++;
	for (int i = 0; i < WAYS; i++)
		if (p[i].base == base)
			p[i] = (struct cache_place){0};
	pthread_mutex_unlock(&c->lock);
}

void ask_cache_clear(struct ask_cache *c)
{
	pthread_mutex_lock(&c->lock);
	c->era++;
	memset(c->place, 0, c->sets * WAYS * sizeof(*c->place));
	memset(c->leg, 0, sizeof(c->leg));
	pthread_mutex_unlock(&c->lock);
}

/* ---- of a leg as such ---- */

bool ask_cache_everybody(struct ask_cache *c, int leg)
{
	bool yes;

	pthread_mutex_lock(&c->lock);
	yes = c->leg[leg].everybody_until_ms > clock_mono_ms(c->clock);
	pthread_mutex_unlock(&c->lock);
	return yes;
}

/* ---- clients ---- */

/* With the lock. NULL: all that it might stand in are under way. A client that
 * makes room was forgotten: its next questions are put. */
static struct asking_client *client_of(struct ask_cache *c, int leg,
    uint64_t client)
{
	uint64_t mixed = ((uint64_t)leg + 1) * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t key = (client ^ mixed) | 1;
	struct asking_client *set =
	    &c->client[(key >> 8) % (CLIENTS / WAYS) * WAYS];
	struct asking_client *free = NULL;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].key == key)
			return &set[i];
		if (set[i].open == 0 &&
		    (free == NULL || set[i].silence.quiet_until_ms <
					free->silence.quiet_until_ms))
			free = &set[i];
	}
	if (free != NULL)
		*free = (struct asking_client){.key = key};
	return free;
}

bool ask_cache_take(struct ask_cache *c, int leg, uint64_t client,
    unsigned most)
{
	struct asking_client *of;
	bool may;

	pthread_mutex_lock(&c->lock);
	of = client_of(c, leg, client);
	may = of != NULL && of->open < most;
	if (may)
		of->open++;
	pthread_mutex_unlock(&c->lock);
	return may;
}

void ask_cache_give(struct ask_cache *c, int leg, uint64_t client)
{
	struct asking_client *of;

	pthread_mutex_lock(&c->lock);
	of = client_of(c, leg, client);
	if (of != NULL && of->open > 0)
		of->open--;
	pthread_mutex_unlock(&c->lock);
}

void ask_cache_answered(struct ask_cache *c, int leg, uint64_t client)
{
	struct asking_client *of;

	pthread_mutex_lock(&c->lock);
	c->leg[leg].silence.n = 0;
	of = client_of(c, leg, client);
	if (of != NULL)
		of->silence.n = 0;
	pthread_mutex_unlock(&c->lock);
}

static void be_silent(struct silence *s, int64_t until_ms)
{
	if (s->n < SILENCES)
		s->n++;
	if (s->n >= SILENCES)
		s->quiet_until_ms = until_ms;
}

/* One client alone never makes a leg silent for others. */
static bool is_new_client(struct ask_cache *c, int leg, uint64_t client)
{
	int n = c->leg[leg].silence.n;

	for (int i = 0; i < n && i < SILENCES; i++)
		if (c->leg[leg].silent[i] == client)
			return false;
	if (n < SILENCES)
		c->leg[leg].silent[n] = client;
	return true;
}

void ask_cache_silent(struct ask_cache *c, int leg, uint64_t client,
    int64_t quiet_ms)
{
	int64_t until_ms = clock_mono_ms(c->clock) + quiet_ms;
	struct asking_client *of;

	pthread_mutex_lock(&c->lock);
	of = client_of(c, leg, client);
	if (of != NULL)
		be_silent(&of->silence, until_ms);
	if (is_new_client(c, leg, client) ||
	    c->leg[leg].silence.n >= SILENCES)
		be_silent(&c->leg[leg].silence, until_ms);
	pthread_mutex_unlock(&c->lock);
}

/* Once it was quiet for so long, one question tries it. */
static bool may_break(struct silence *s, int64_t now_ms, int64_t quiet_ms)
{
	if (s->n < SILENCES)
		return true;
	if (s->quiet_until_ms > now_ms)
		return false;
	s->quiet_until_ms = now_ms + quiet_ms;
	return true;
}

bool ask_cache_may_ask(struct ask_cache *c, int leg, uint64_t client,
    int64_t quiet_ms)
{
	int64_t now_ms = clock_mono_ms(c->clock);
	struct asking_client *of;
	bool may;

	pthread_mutex_lock(&c->lock);
	of = client_of(c, leg, client);
	may = (of == NULL || may_break(&of->silence, now_ms, quiet_ms)) &&
	      may_break(&c->leg[leg].silence, now_ms, quiet_ms);
	pthread_mutex_unlock(&c->lock);
	return may;
}
