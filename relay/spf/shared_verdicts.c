/* SPDX-License-Identifier: ISC
 *
 * Verdicts of SPF for all workers: parts with a lock and a cache each. All that
 * is known of a domain is in one part, since the cache leads from a short key
 * of a verdict to a longer one.
 */
#include "relay/spf/shared_verdicts.h"

#include <pthread.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

enum {
	PARTS = 16,
	TEXTS_MAX = 3072, /* three texts of at most 1024 bytes each */
};

struct verdict_part {
	pthread_mutex_t lock;
	uint64_t epoch;
	struct verdict_cache *cache;
};

struct shared_verdicts {
	size_t part_bytes;
	struct verdict_part part[PARTS];
};

struct shared_verdicts *shared_verdicts_new(size_t max_bytes)
{
	struct shared_verdicts *s = NEW(struct shared_verdicts);

	s->part_bytes = max_bytes / PARTS;
	for (int i = 0; i < PARTS; i++) {
		pthread_mutex_init(&s->part[i].lock, NULL);
		s->part[i].cache = verdict_cache_new(s->part_bytes);
	}
	return s;
}

void shared_verdicts_free(struct shared_verdicts *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < PARTS; i++) {
		verdict_cache_free(s->part[i].cache);
		pthread_mutex_destroy(&s->part[i].lock);
	}
	mem_free(s);
}

/* The part of that domain, locked. */
static struct verdict_part *part_lock(struct shared_verdicts *s,
    const struct spf_identity *i)
{
	uint64_t hash = hash_slice(spf_identity_domain(i));
	struct verdict_part *p = &s->part[hash % PARTS];

	pthread_mutex_lock(&p->lock);
	return p;
}

/* False: the asker's epoch is over. */
static bool enter(const struct shared_verdicts *s, struct verdict_part *p,
    uint64_t epoch)
{
	if (epoch > p->epoch) {
		verdict_cache_free(p->cache);
		p->cache = verdict_cache_new(s->part_bytes);
		p->epoch = epoch;
	}
	return epoch == p->epoch;
}

static void copy_text(struct verdict_copy *c, struct slice *s)
{
	const char *at = c->text.p + c->text.n;

	strbuf_addsl(&c->text, *s);
	*s = slice_of(at, s->n);
}

/* False: its texts are longer than any reply's. */
static bool copy(const struct spf_verdict *v, struct verdict_copy *c)
{
	c->text.max = TEXTS_MAX;
	strbuf_reset(&c->text);
	/* All of the room at once: the texts stay where they are put. */
	if (strbuf_reserve(&c->text, v->mechanism.n + v->domain.n +
		v->problem.n) == NULL)
		return false;
	c->verdict = *v;
	copy_text(c, &c->verdict.mechanism);
	copy_text(c, &c->verdict.domain);
	copy_text(c, &c->verdict.problem);
	return true;
}

bool shared_verdicts_find(struct shared_verdicts *s,
    const struct verdict_now *now, const struct spf_identity *i, bool explain,
    struct verdict_copy *copy_out)
{
	struct verdict_part *p = part_lock(s, i);
	const struct spf_verdict *v = NULL;
	bool known;

	if (enter(s, p, now->epoch))
		v = verdict_cache_find(p->cache, i, explain, now->ms);
	known = v != NULL && (copy_out == NULL || copy(v, copy_out));
	pthread_mutex_unlock(&p->lock);
	return known;
}

void shared_verdicts_put(struct shared_verdicts *s,
    const struct verdict_now *now, const struct spf_identity *i,
    const struct verdict_found *found)
{
	struct verdict_part *p = part_lock(s, i);

	if (enter(s, p, now->epoch))
		verdict_cache_put(p->cache, i, found, now->ms);
	pthread_mutex_unlock(&p->lock);
}

size_t shared_verdicts_bytes(struct shared_verdicts *s)
{
	size_t sum = 0;

	for (int i = 0; i < PARTS; i++) {
		pthread_mutex_lock(&s->part[i].lock);
		sum += verdict_cache_bytes(s->part[i].cache);
		pthread_mutex_unlock(&s->part[i].lock);
	}
	return sum;
}

void verdict_copy_fini(struct verdict_copy *c)
{
	strbuf_fini(&c->text);
}
