/* SPDX-License-Identifier: ISC
 *
 * See outbound_rate.h. Sets of eight: where all are in use, the one whose hour
 * began first makes room.
 */
#include "relay/intake/outbound_rate.h"

#include <pthread.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

enum { WAYS = 8, SETS = 1024 /* a power of two */ };

struct hour {
	uint64_t key; /* 0: empty */
	int64_t since_ms;
	int recipients;
	bool told;
};

struct outbound_rate {
	pthread_mutex_t lock;
	struct hour hour[SETS * WAYS];
};

struct outbound_rate *outbound_rate_new(void)
{
	struct outbound_rate *r = NEW(struct outbound_rate);

	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void outbound_rate_free(struct outbound_rate *r)
{
	if (r == NULL)
		return;
	pthread_mutex_destroy(&r->lock);
	mem_free(r);
}

/* Its hour, begun anew when it is over. */
static struct hour *find(struct outbound_rate *r, uint64_t key,
    int64_t now_ms)
{
	struct hour *set = r->hour + (size_t)(key & (SETS - 1)) * WAYS;
	struct hour *h = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].key == key) {
			h = &set[i];
			break;
		}
		if (h->key != 0 &&
		    (set[i].key == 0 || set[i].since_ms < h->since_ms))
			h = &set[i];
	}
	if (h->key != key || now_ms - h->since_ms >= HOUR_MS)
		*h = (struct hour){.key = key, .since_ms = now_ms};
	return h;
}

static enum rate_answer take(struct hour *h, int limit)
{
	bool told = h->told;

	if (h->recipients < limit) {
		h->recipients++;
		return RATE_TAKEN;
	}
	h->told = true;
	return told ? RATE_OVER : RATE_OVER_FIRST;
}

enum rate_answer outbound_rate_take(struct outbound_rate *r, uint64_t key,
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
