/* SPDX-License-Identifier: ISC
 *
 * Answers of the DNS as long as they may be believed.
 */
#include "relay/net/dnscache.h"

#include "relay/base/hashtable.h"
#include "relay/base/list.h"
#include "relay/base/mem.h"

/* RFC 8767 5 says one to three days; a switch of MX is our business, so an
 * old answer does not live that long. 30 s: its "failure recheck" time. */
enum {
	SECOND = 1000,
	TTL_MAX = DAY_MS,
	NEGATIVE_MAX = 300 * SECOND,
	FAILURE = 2 * SECOND,
	STALE = 4 * HOUR_MS,
	STALE_AGAIN = 30 * SECOND,
};

struct entry {
	UT_hash_handle hh;
	struct list node; /* most recently used first */
	struct dns_held *held;
	int64_t fresh_until, stale_until; /* ms */
	size_t bytes;
	size_t key_size;
	char key[]; /* type, name */
};

struct dnscache {
	struct entry *table;
	struct list used;
	int count, max_entries;
	size_t bytes, max_bytes;
};

enum { KEY_MAX = 300 };

struct dns_held *dns_hold(const struct dns_answer *a)
{
	struct dns_held *h = NEW(struct dns_held);

	h->refs = 1;
	h->answer = *a;
	return h;
}

struct dns_held *dns_held_ref(struct dns_held *h)
{
	h->refs++;
	return h;
}

void dns_held_unref(struct dns_held *h)
{
	if (h == NULL || --h->refs > 0)
		return;
	dns_answer_fini(&h->answer);
	mem_free(h);
}

struct dnscache *dnscache_new(int max_entries, size_t max_bytes)
{
	struct dnscache *c = NEW(struct dnscache);

	list_init(&c->used);
	c->max_entries = max_entries;
	c->max_bytes = max_bytes;
	return c;
}

static void drop(struct dnscache *c, struct entry *e)
{
	HASH_DEL(c->table, e);
	list_remove(&e->node);
	c->count--;
	c->bytes -= e->bytes;
	dns_held_unref(e->held);
	mem_free(e);
}

void dnscache_free(struct dnscache *c)
{
	if (c == NULL)
		return;
	while (!list_empty(&c->used))
		drop(c, LIST_ENTRY(c->used.next, struct entry, node));
	mem_free(c);
}

static size_t make_key(char key[KEY_MAX], enum dns_type type,
    const char *name)
{
	size_t n = strnlen(name, KEY_MAX - 1);

	key[0] = (char)type;
	memcpy(key + 1, name, n);
	return n + 1;
}

static struct entry *find(struct dnscache *c, enum dns_type type,
    const char *name)
{
	char key[KEY_MAX];
	size_t n = make_key(key, type, name);
	struct entry *e;

	HASH_FIND(hh, c->table, key, n, e);
	if (e != NULL) {
		list_remove(&e->node);
		list_push_front(&c->used, &e->node);
	}
	return e;
}

struct dns_held *dnscache_fresh(struct dnscache *c, enum dns_type type,
    const char *name, int64_t now_ms)
{
	struct entry *e = find(c, type, name);

	return e != NULL && now_ms < e->fresh_until ? e->held : NULL;
}

struct dns_held *dnscache_stale(struct dnscache *c, enum dns_type type,
    const char *name, int64_t now_ms)
{
	struct entry *e = find(c, type, name);

	return e != NULL && now_ms < e->stale_until ? e->held : NULL;
}

int64_t dnscache_left_ms(struct dnscache *c, enum dns_type type,
    const char *name, int64_t now_ms)
{
	struct entry *e = find(c, type, name);

	return e != NULL && now_ms < e->fresh_until ? e->fresh_until - now_ms
						    : 0;
}

static int64_t lifetime(const struct dns_answer *a)
{
	int64_t ms = (int64_t)a->ttl_s * SECOND;
	int64_t max = a->status == DNS_OK ? TTL_MAX : NEGATIVE_MAX;

	if (a->status == DNS_FAILED)
		return FAILURE;
	return ms < SECOND ? SECOND : ms > max ? max : ms;
}

static size_t cost(const struct dns_answer *a, size_t key_size)
{
	size_t n = sizeof(struct entry) + sizeof(struct dns_held) + key_size;

	n += a->alias_of == NULL ? 0 : strlen(a->alias_of);
	for (int i = 0; i < a->count; i++) {
		if (a->type == DNS_TXT)
			n += sizeof(a->txt[i]) + a->txt[i].n;
		else if (a->type == DNS_MX)
			n += sizeof(a->mx[i]) + strlen(a->mx[i].host);
		else if (a->type == DNS_PTR)
			n += sizeof(a->name[i]) + strlen(a->name[i]);
		else if (a->type == DNS_TLSA)
			n += sizeof(a->tlsa[i]) + a->tlsa[i].data.n;
		else
			n += sizeof(a->addr[i]);
	}
	return n;
}

static struct entry *add(struct dnscache *c, enum dns_type type,
    const char *name)
{
	char key[KEY_MAX];
	size_t n = make_key(key, type, name);
	struct entry *e = mem_new(sizeof(*e) + n);

	memcpy(e->key, key, n);
	e->key_size = n;
	HASH_ADD_KEYPTR(hh, c->table, e->key, n, e);
	list_push_front(&c->used, &e->node);
	c->count++;
	return e;
}

/* Which certificate is the right one is not known from an old answer: who
 * can silence the resolver could bring back the day before it was said. */
static int64_t stale_ms(const struct dns_answer *a)
{
	return a->status == DNS_FAILED || a->type == DNS_TLSA ? 0 : STALE;
}

static void set(struct dnscache *c, struct entry *e, struct dns_held *h,
    int64_t now_ms)
{
	dns_held_unref(e->held);
	e->held = dns_held_ref(h);
	c->bytes -= e->bytes;
	e->bytes = cost(&h->answer, e->key_size);
	c->bytes += e->bytes;
	e->fresh_until = now_ms + lifetime(&h->answer);
	e->stale_until = e->fresh_until + stale_ms(&h->answer);
}

void dnscache_put(struct dnscache *c, const char *name, struct dns_held *h,
    int64_t now_ms)
{
	struct entry *e = find(c, h->answer.type, name);

	if (e != NULL && h->answer.status == DNS_FAILED &&
	    e->held->answer.status != DNS_FAILED && now_ms < e->stale_until) {
		e->fresh_until = now_ms + STALE_AGAIN;
		return;
	}
	if (e == NULL)
		e = add(c, h->answer.type, name);
	set(c, e, h, now_ms);
	while (c->count > c->max_entries || c->bytes > c->max_bytes)
		drop(c, LIST_ENTRY(c->used.prev, struct entry, node));
}

void dnscache_expire(struct dnscache *c, int64_t now_ms)
{
	list_each(n, &c->used) {
		struct entry *e = LIST_ENTRY(n, struct entry, node);
		/* "No" is a reason to bounce: not one of before. */
		int64_t until = e->held->answer.status == DNS_OK
			? now_ms + stale_ms(&e->held->answer) : now_ms;

		if (e->fresh_until > now_ms)
			e->fresh_until = now_ms;
		if (e->stale_until > until)
			e->stale_until = until;
	}
}

int dnscache_count(const struct dnscache *c)
{
	return c->count;
}
