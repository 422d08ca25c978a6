/* SPDX-License-Identifier: ISC
 *
 * See rate_table.h. Sets of eight: where all are in use, the one whose period
 * began first makes room.
 */
#include "relay/intake/rate_table.h"

#include <pthread.h>

#include "relay/base/mem.h"

enum { WAYS = 8, SETS = 1024 /* a power of two */ };

struct period {
	uint64_t key; /* 0: empty */
	int64_t since_ms;
	int count;
	bool told;
};

struct rate_table {
	pthread_mutex_t lock;
	int64_t period_ms;
	struct period period[SETS * WAYS];
};

struct rate_table *rate_table_new(int64_t period_ms)
{
	struct rate_table *r = NEW(struct rate_table);

	r->period_ms = period_ms;
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void rate_table_free(struct rate_table *r)
{
	if (r == NULL)
		return;
	pthread_mutex_destroy(&r->lock);
	mem_free(r);
}

/* Its period, begun anew when it is over. */
static struct period *find(struct rate_table *r, uint64_t key,
    int64_t now_ms)
{
	struct period *set = r->period + (size_t)(key & (SETS - 1)) * WAYS;
	struct period *h = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].key == key) {
			h = &set[i];
			break;
		}
		if (h->key != 0 &&
		    (set[i].key == 0 || set[i].since_ms < h->since_ms))
			h = &set[i];
	}
	if (h->key != key || now_ms - h->since_ms >= r->period_ms)
		*h = (struct period){.key = key, .since_ms = now_ms};
	return h;
}

static enum rate_answer take(struct period *h, int limit)
{
	bool told = h->told;

	if (h->count < limit) {
		h->count++;
		return RATE_TAKEN;
	}
	h->told = true;
	return told ? RATE_OVER : RATE_OVER_FIRST;
}

enum rate_answer rate_table_take(struct rate_table *r, uint64_t key,
    int limit, int64_t now_ms)
{
	enum rate_answer a;

	if (limit == 0)
		return RATE_TAKEN;
	if (key == 0)
		key = 1;
	pthread_mutex_lock(&r->lock);
	a = take(find(r, key, now_ms), limit);
	pthread_mutex_unlock(&r->lock);
	return a;
}

bool rate_table_is_over(struct rate_table *r, uint64_t key, int limit,
    int64_t now_ms)
{
	bool over;

	if (key == 0)
		key = 1;
	pthread_mutex_lock(&r->lock);
	over = find(r, key, now_ms)->count >= limit;
	pthread_mutex_unlock(&r->lock);
	return over;
}
