/* SPDX-License-Identifier: ISC
 *
 * Counts the deaths of helpers per domain, as hashes in a table of a fixed
 * size that is walked: it is looked at only while it is not empty, and it is
 * small.
 */
#include "relay/spf/spf_blame.h"

#include <pthread.h>
#include <stdatomic.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

struct blamed {
	uint64_t hash; /* 0: free */
	int64_t last_ms;
	unsigned deaths;
};

struct spf_blame {
	const struct clock *clock;
	pthread_mutex_t lock;
	_Atomic int64_t until_ms; /* nothing in it counts any more then */
	struct blamed at[SPF_BLAME_DOMAINS];
};

struct spf_blame *spf_blame_new(const struct clock *clock)
{
	struct spf_blame *b = NEW(struct spf_blame);

	b->clock = clock;
	pthread_mutex_init(&b->lock, NULL);
	atomic_store(&b->until_ms, INT64_MIN);
	return b;
}

void spf_blame_free(struct spf_blame *b)
{
	if (b == NULL)
		return;
	pthread_mutex_destroy(&b->lock);
	mem_free(b);
}

static uint64_t hash_of(const char *domain)
{
	return hash_slice(slice_str(domain)) | 1;
}

static struct blamed *find(struct spf_blame *b, uint64_t hash)
{
	for (unsigned i = 0; i < SPF_BLAME_DOMAINS; i++)
		if (b->at[i].hash == hash)
			return &b->at[i];
	return NULL;
}

static struct blamed *oldest(struct spf_blame *b)
{
	struct blamed *o = &b->at[0];

	for (unsigned i = 0; i < SPF_BLAME_DOMAINS && o->hash != 0; i++)
		if (b->at[i].hash == 0 || b->at[i].last_ms < o->last_ms)
			o = &b->at[i];
	return o;
}

bool spf_blame_add(struct spf_blame *b, const char *domain)
{
	int64_t now_ms = clock_mono_ms(b->clock);
	uint64_t hash = hash_of(domain);
	struct blamed *x;
	unsigned deaths;

	pthread_mutex_lock(&b->lock);
	x = find(b, hash);
	if (x == NULL) {
		x = oldest(b);
		*x = (struct blamed){.hash = hash};
	} else if (now_ms - x->last_ms >= SPF_BLAME_MS) {
		x->deaths = 0;
	}
	deaths = ++x->deaths;
	x->last_ms = now_ms;
	atomic_store(&b->until_ms, now_ms + SPF_BLAME_MS);
	pthread_mutex_unlock(&b->lock);
	return deaths == SPF_BLAME_DEATHS;
}

bool spf_blame_barred(struct spf_blame *b, const char *domain)
{
	int64_t now_ms = clock_mono_ms(b->clock);
	const struct blamed *x;
	bool barred;

	if (now_ms >= atomic_load(&b->until_ms))
		return false;
	pthread_mutex_lock(&b->lock);
	x = find(b, hash_of(domain));
	barred = x != NULL && x->deaths >= SPF_BLAME_DEATHS &&
		 now_ms - x->last_ms < SPF_BLAME_MS;
	pthread_mutex_unlock(&b->lock);
	return barred;
}
