/* SPDX-License-Identifier: ISC
 *
 * Verdicts of SPF as long as the records that led to them may be believed.
 *
 * Which macros the records of a domain use is known only when they were read.
 * So the place of (client, domain) holds either the verdict itself, or what
 * else it depends on: then it is in the place of the longer key. Records that
 * another sender leads to may use more; the places of the shorter keys are
 * then found no more, and grow old.
 */
#include "relay/spf/verdict_cache.h"

#include "relay/base/hashtable.h"
#include "relay/base/list.h"
#include "relay/base/mem.h"
#include "relay/spf/spf_wire.h"

enum {
	/* Client, kind, domain, HELO and local part with their ends. What is
	 * longer is not kept. */
	KEY_MAX = 16 + 1 + SPF_DOMAIN_MAX + 1 + 256 + 320,
	BUCKET = 16, /* bytes that the table takes for one, about */
	USED_LOCAL = SPF_USED_SENDER | SPF_USED_LOCAL,
};

struct verdict_place {
	UT_hash_handle hh;
	struct list node; /* most recently used first */
	int64_t until_ms;
	size_t bytes, key_size;
	unsigned used; /* of the short key: what the longer one has; 0: none */
	bool explains; /* the domain says something to who fails it */
	struct spf_verdict verdict; /* without the explanation */
	char text[]; /* the key, then what the verdict's slices are of */
};

struct verdict_cache {
	struct verdict_place *table;
	struct list used;
	size_t bytes, max_bytes;
};

struct verdict_key {
	size_t n;
	char text[KEY_MAX];
};

struct verdict_cache *verdict_cache_new(size_t max_bytes)
{
	struct verdict_cache *c = NEW(struct verdict_cache);

	list_init(&c->used);
	c->max_bytes = max_bytes;
	return c;
}

static void drop(struct verdict_cache *c, struct verdict_place *p)
{
	HASH_DEL(c->table, p);
	list_remove(&p->node);
	c->bytes -= p->bytes;
	mem_free(p);
}

void verdict_cache_free(struct verdict_cache *c)
{
	if (c == NULL)
		return;
	while (!list_empty(&c->used))
		drop(c, LIST_ENTRY(c->used.next, struct verdict_place, node));
	mem_free(c);
}

size_t verdict_cache_bytes(const struct verdict_cache *c)
{
	return c->bytes;
}

static bool add(struct verdict_key *k, struct slice s)
{
	if (s.n + 1 > KEY_MAX - k->n)
		return false;
	if (s.n > 0)
		memcpy(k->text + k->n, s.p, s.n);
	k->n += s.n;
	k->text[k->n++] = '\0';
	return true;
}

/* The parts cannot run into each other: the address has a length of its own,
 * and no domain, HELO name or local part has a NUL. */
static bool make_key(struct verdict_key *k, const struct spf_identity *i,
    unsigned used)
{
	k->text[0] = (char)(i->ip_n << 4 | (unsigned)i->of_helo);
	memcpy(k->text + 1, i->ip, i->ip_n);
	k->n = 1 + i->ip_n;
	return add(k, spf_identity_domain(i)) &&
	       ((used & SPF_USED_HELO) == 0 || add(k, i->helo)) &&
	       ((used & USED_LOCAL) == 0 || add(k, i->local));
}

static struct verdict_place *find(struct verdict_cache *c,
    const struct verdict_key *k, int64_t now_ms)
{
	struct verdict_place *p;

	HASH_FIND(hh, c->table, k->text, k->n, p);
	if (p != NULL && now_ms >= p->until_ms) {
		drop(c, p);
		return NULL;
	}
	if (p != NULL) {
		list_remove(&p->node);
		list_push_front(&c->used, &p->node);
	}
	return p;
}

const struct spf_verdict *verdict_cache_find(struct verdict_cache *c,
    const struct spf_identity *i, bool explain, int64_t now_ms)
{
	struct verdict_place *p = NULL;
	struct verdict_key k;

	if (make_key(&k, i, 0))
		p = find(c, &k, now_ms);
	if (p != NULL && p->used != 0)
		p = make_key(&k, i, p->used) ? find(c, &k, now_ms) : NULL;
	return p == NULL || (explain && p->explains) ? NULL : &p->verdict;
}

/* The slice's bytes, moved to `*at`. */
static void keep(struct slice *s, char **at)
{
	if (s->n > 0)
		memcpy(*at, s->p, s->n);
	s->p = *at;
	*at += s->n;
}

static struct verdict_place *place_new(const struct verdict_key *k,
    const struct spf_verdict *v)
{
	size_t size = sizeof(struct verdict_place) + k->n + v->mechanism.n +
		      v->domain.n + v->problem.n;
	struct verdict_place *p = mem_new(size);
	char *at = p->text + k->n;

	memcpy(p->text, k->text, k->n);
	p->key_size = k->n;
	p->bytes = size + BUCKET;
	p->verdict = *v;
	p->explains = v->explanation.n > 0;
	p->verdict.explanation = slice_of("", 0);
	keep(&p->verdict.mechanism, &at);
	keep(&p->verdict.domain, &at);
	keep(&p->verdict.problem, &at);
	return p;
}

/* Takes `p`, which replaces what has its key. */
static void put(struct verdict_cache *c, struct verdict_place *p)
{
	struct verdict_place *old;

	HASH_FIND(hh, c->table, p->text, p->key_size, old);
	if (old != NULL)
		drop(c, old);
	HASH_ADD_KEYPTR(hh, c->table, p->text, p->key_size, p);
	list_push_front(&c->used, &p->node);
	c->bytes += p->bytes;
	while (c->bytes > c->max_bytes)
		drop(c, LIST_ENTRY(c->used.prev, struct verdict_place, node));
}

/* Says at the short key what the longer one has, which is returned. It lives as
 * long as the longest of them. */
static unsigned lead_on(struct verdict_cache *c, const struct verdict_key *k,
    const struct verdict_found *found, int64_t now_ms)
{
	struct verdict_place *old = find(c, k, now_ms), *p;
	int64_t until_ms = now_ms + found->ttl_ms;
	unsigned used = found->used;

	if (old != NULL)
		used |= old->used;
	if (old != NULL && old->used == used) {
		if (old->until_ms < until_ms)
			old->until_ms = until_ms;
		return used;
	}
	p = place_new(k, &(struct spf_verdict){.result = SPF_NONE});
	p->used = used;
	p->until_ms = until_ms;
	put(c, p);
	return used;
}

void verdict_cache_put(struct verdict_cache *c, const struct spf_identity *i,
    const struct verdict_found *found, int64_t now_ms)
{
	unsigned used = found->used;
	struct verdict_place *p;
	struct verdict_key k;

	if (found->ttl_ms <= 0 || !make_key(&k, i, 0))
		return;
	if (used != 0)
		used = lead_on(c, &k, found, now_ms);
	if (used != 0 && !make_key(&k, i, used))
		return;
	p = place_new(&k, found->verdict);
	p->explains = p->explains || found->unasked;
	p->until_ms = now_ms + found->ttl_ms;
	put(c, p);
}
