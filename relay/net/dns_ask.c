/* SPDX-License-Identifier: ISC
 *
 * Questions to the DNS on a loop, by c-ares.
 *
 * c-ares calls back from inside ares_query() too, and must not be destroyed
 * in a callback. So its callbacks only note the answer; each asker is told
 * by a deferred call of its own, in which it may do anything, dns_free()
 * included.
 */
#include "relay/net/dns.h"

#include "relay/base/hashtable.h"
#include "relay/base/mem.h"
#include "relay/base/rng.h"
#include "relay/net/dns_channel.h"
#include "relay/net/dns_int.h"
#include "relay/net/dnscache.h"

enum {
	ENTRIES_MAX = 10000,
	BYTES_MAX = 16 * 1024 * 1024,
	SET_TTL_S = 3600,
	STALE_AFTER_MS = 1800, /* RFC 8767 5: "client response timer" */
	KEY_MAX = DNS_NAME_MAX + 2,
};

/* A question to c-ares; freed when it has answered. */
struct dns_question {
	UT_hash_handle hh;
	struct dns *dns;
	struct list askers; /* struct dns_query */
	size_t key_size;
	char key[KEY_MAX]; /* type, name */
};

struct dns_query {
	struct list node; /* of the question, or of dns.answered */
	struct defer later;
	struct timer patience;
	struct dns_question *question; /* while it waits */
	struct dns_held *held;
	dns_fn fn;
	void *arg;
};

struct dns {
	struct loop *loop;
	struct dns_channel channel;
	struct list answered; /* queries whose call is on its way */
	struct dns_question *questions;
	struct dnscache *cache;
	struct dns_held *set; /* dns_set_txt(); or NULL */
	char set_key[KEY_MAX];
	bool validating; /* AD is asked for, and believed */
	bool moving;	 /* to other servers: what is asked is asked again */
};

struct dns *dns_new(struct loop *l, const struct conf *c, struct error *err)
{
	struct dns *d = NEW(struct dns);

	d->loop = l;
	d->validating = c->resolver.validating;
	dns_channel_init(&d->channel, l);
	list_init(&d->answered);
	d->cache = dnscache_new(ENTRIES_MAX, BYTES_MAX);
	if (dns_channel_open(&d->channel, c, err) == 0)
		return d;
	dns_free(d);
	return NULL;
}

/* RFC 5321 5.1: spread the load over equal preferences. */
static void shuffle_equals(struct dns_answer *a)
{
	for (int i = 1, first = 0; i < a->count; i++) {
		struct dns_mx swap = a->mx[i];
		int j;

		if (swap.preference != a->mx[first].preference)
			first = i;
		j = first +
		    (int)rng_below(&rng_system, (uint64_t)(i - first + 1));
		a->mx[i] = a->mx[j];
		a->mx[j] = swap;
	}
}

static void tell(void *arg)
{
	struct dns_query *q = arg;
	struct dns_held *held = q->held;
	dns_fn fn = q->fn;
	void *fn_arg = q->arg;

	list_remove(&q->node);
	timer_fini(&q->patience);
	mem_free(q);
	if (held->answer.type == DNS_MX)
		shuffle_equals(&held->answer);
	fn(fn_arg, &held->answer);
	dns_held_unref(held);
}

static void answer(struct dns *d, struct dns_query *q, struct dns_held *held)
{
	timer_del(&q->patience);
	q->question = NULL;
	q->held = dns_held_ref(held);
	list_push_back(&d->answered, &q->node);
	loop_defer(d->loop, &q->later);
}

static struct dns_held *failure(enum dns_type type, enum dns_status status,
    const char *why)
{
	struct dns_answer a = {.status = status, .type = type, .why = why};

	return dns_hold(&a);
}

/* The question goes on, for those who come later. "No" waits for it. */
static void on_impatient(void *arg)
{
	struct dns_query *q = arg;
	const struct dns_question *k = q->question;
	struct dns_held *stale = dnscache_stale(k->dns->cache,
	    (unsigned char)k->key[0], k->key + 1, loop_now_ms(k->dns->loop));

	if (stale == NULL || stale->answer.status != DNS_OK)
		return;
	list_remove(&q->node);
	answer(k->dns, q, stale);
}

static const char *reason(int status)
{
	/* c-ares says so of servers that did answer: SERVFAIL, REFUSED. */
	if (status == ARES_ECONNREFUSED)
		return "no DNS server could answer";
	return ares_strerror(status);
}

/* Reads the reply; one to another question says nothing. */
static struct dns_held *judge(const struct dns_question *k, int status,
    struct slice packet)
{
	enum dns_type type = (unsigned char)k->key[0];
	char asked[DNS_NAME_MAX + 1];
	struct dns_answer a;
	const char *why;

	if (packet.n == 0)
		return failure(type, DNS_FAILED, reason(status));
	if (dns_reply_read(packet, type, asked, &a, &why) < 0)
		return failure(type, DNS_FAILED, why);
	if (strcmp(asked, k->key + 1) != 0) {
		dns_answer_fini(&a);
		return failure(type, DNS_FAILED, "another question");
	}
	a.secure = a.secure && k->dns->validating;
	return dns_hold(&a);
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *p,
    int n)
{
	struct dns_question *k = arg;
	struct dns *d = k->dns;
	int64_t now_ms = loop_now_ms(d->loop);
	struct dns_held *held, *stale = NULL;

	(void)timeouts;
	if (d->moving)
		return;
	held = judge(k, status, slice_of(p, p == NULL ? 0 : (size_t)n));
	if (held->answer.status == DNS_FAILED)
		stale = dnscache_stale(d->cache,
		    held->answer.type, k->key + 1, now_ms);
	if (stale != NULL)
		dns_held_ref(stale);
	if (status != ARES_EDESTRUCTION)
		dnscache_put(d->cache, k->key + 1, held, now_ms);
	while (!list_empty(&k->askers)) {
		struct dns_query *q =
		    LIST_ENTRY(k->askers.next, struct dns_query, node);

		list_remove(&q->node);
		answer(d, q, stale != NULL ? stale : held);
	}
	dns_held_unref(stale);
	dns_held_unref(held);
	HASH_DEL(d->questions, k);
	mem_free(k);
}

/* 1 to 63 bytes a label, 253 in all. */
static bool is_name(const char *name)
{
	size_t label = 0, n;

	for (n = 0; name[n] != '\0' && n < 254; n++) {
		if (name[n] == '.' && label == 0)
			return false;
		label = name[n] == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return n > 0 && n < 254 && label > 0;
}

/* The name of a question as c-ares wants it: a backslash there makes the octet
 * behind it an ordinary one. All others, NUL apart, are what they are. */
static const char *escaped(const struct dns_question *k,
    char out[2 * DNS_NAME_MAX + 1])
{
	size_t n = 0;

	for (const char *p = k->key + 1; *p != '\0'; p++) {
		if (*p == '\\')
			out[n++] = '\\';
		out[n++] = *p;
	}
	out[n] = '\0';
	return out;
}

/* With the AD bit, which asks for it in the reply (RFC 6840 5.7): c-ares
 * sets none, so the packet is made here. A validating server knows EDNS. */
static void send_secure(struct dns *d, struct dns_question *k)
{
	uint16_t id = (uint16_t)rng_below(&rng_system, 65536);
	char name[2 * DNS_NAME_MAX + 1];
	unsigned char *packet = NULL;
	int size = 0, rc;

	rc = ares_create_query(escaped(k, name), DNS_CLASS_IN,
	    (unsigned char)k->key[0], id, 1, &packet, &size, DNS_EDNS_BYTES);
	if (rc != ARES_SUCCESS) {
		on_reply(k, rc, 0, NULL, 0);
		return;
	}
	packet[3] |= 0x20;
	ares_send(d->channel.ares, packet, size, on_reply, k);
	ares_free_string(packet);
}

/* May answer at once: k is not looked at again. */
static void send_question(struct dns *d, struct dns_question *k)
{
	char name[2 * DNS_NAME_MAX + 1];

	if (d->validating)
		send_secure(d, k);
	else
		ares_query(d->channel.ares, escaped(k, name), DNS_CLASS_IN,
		    (unsigned char)k->key[0], on_reply, k);
	dns_channel_arm(&d->channel);
}

int dns_configure(struct dns *d, const struct conf *c, struct error *err)
{
	ares_channel old = d->channel.ares;
	struct dns_question *k, *next;

	d->channel.ares = NULL;
	if (dns_channel_open(&d->channel, c, err) < 0) {
		if (d->channel.ares != NULL)
			ares_destroy(d->channel.ares);
		d->channel.ares = old;
		return -1;
	}
	d->moving = true;
	ares_destroy(old); /* calls on_reply() */
	d->moving = false;
	/* Other servers may know better. */
	if (d->validating == c->resolver.validating) {
		dnscache_expire(d->cache, loop_now_ms(d->loop));
	} else {
		dnscache_free(d->cache);
		d->cache = dnscache_new(ENTRIES_MAX, BYTES_MAX);
	}
	d->validating = c->resolver.validating;
	HASH_ITER(hh, d->questions, k, next)
		send_question(d, k);
	dns_channel_arm(&d->channel);
	return 0;
}

static void ask(struct dns *d, struct dns_query *q, const char *key)
{
	size_t n = strlen(key + 1) + 1;
	struct dns_question *k;

	HASH_FIND(hh, d->questions, key, n, k);
	if (dnscache_stale(d->cache, (unsigned char)key[0], key + 1,
		loop_now_ms(d->loop)) != NULL)
		timer_set(&q->patience, STALE_AFTER_MS);
	if (k != NULL) {
		q->question = k;
		list_push_back(&k->askers, &q->node);
		return;
	}
	k = NEW(struct dns_question);
	k->dns = d;
	k->key_size = n;
	memcpy(k->key, key, n);
	list_init(&k->askers);
	q->question = k;
	list_push_back(&k->askers, &q->node);
	HASH_ADD(hh, d->questions, key, n, k);
	send_question(d, k);
}

/* Type and name in lower case, as the cache and the questions have them. */
static void make_key(char key[KEY_MAX], enum dns_type type, const char *name)
{
	size_t n = 0;

	key[0] = (char)type;
	for (; name[n] != '\0'; n++)
		key[n + 1] = ascii_lower(name[n]);
	key[n + 1] = '\0';
}

void dns_set_txt(struct dns *d, const char *name, const char *text)
{
	struct dns_answer a = {.status = DNS_OK, .type = DNS_TXT,
	    .ttl_s = SET_TTL_S, .count = 1};

	if (!is_name(name))
		return;
	a.txt = NEW(struct slice);
	a.txt[0] = slice_of(mem_strdup(text), strlen(text));
	dns_held_unref(d->set);
	d->set = dns_hold(&a);
	make_key(d->set_key, DNS_TXT, name);
}

/* By the key of a question; NULL: it has to be asked. */
static struct dns_held *at_hand(const struct dns *d, const char *key)
{
	if (d->set != NULL && strcmp(d->set_key, key) == 0)
		return d->set;
	return dnscache_fresh(d->cache, (unsigned char)key[0], key + 1,
	    loop_now_ms(d->loop));
}

bool dns_known(const struct dns *d, enum dns_type type, const char *name)
{
	const struct dns_question *k;
	char key[KEY_MAX];

	if (!is_name(name))
		return true;
	make_key(key, type, name);
	HASH_FIND(hh, d->questions, key, strlen(key + 1) + 1, k);
	return k != NULL || at_hand(d, key) != NULL;
}

int64_t dns_left_ms(const struct dns *d, enum dns_type type,
    const char *name)
{
	char key[KEY_MAX];

	if (!is_name(name))
		return 0;
	make_key(key, type, name);
	if (d->set != NULL && at_hand(d, key) == d->set)
		return SET_TTL_S * 1000;
	return dnscache_left_ms(d->cache, type, key + 1,
	    loop_now_ms(d->loop));
}

struct dns_query *dns_ask(struct dns *d, enum dns_type type, const char *name,
    dns_fn fn, void *arg)
{
	struct dns_query *q = NEW(struct dns_query);
	char key[KEY_MAX];
	struct dns_held *held;

	q->fn = fn;
	q->arg = arg;
	list_node_init(&q->node);
	defer_init(&q->later, tell, q);
	timer_init(&q->patience, d->loop, on_impatient, q);
	if (!is_name(name)) {
		held = failure(type, DNS_NXDOMAIN, NULL);
		answer(d, q, held);
		dns_held_unref(held);
		return q;
	}
	make_key(key, type, name);
	held = at_hand(d, key);
	if (held != NULL)
		answer(d, q, held);
	else
		ask(d, q, key);
	return q;
}

void dns_cancel(struct dns_query *q)
{
	if (q == NULL)
		return;
	list_remove(&q->node);
	defer_cancel(&q->later);
	timer_fini(&q->patience);
	dns_held_unref(q->held);
	mem_free(q);
}

static void cancel_all(struct list *queries)
{
	while (!list_empty(queries))
		dns_cancel(LIST_ENTRY(queries->next, struct dns_query, node));
}

void dns_free(struct dns *d)
{
	struct dns_question *k, *next;

	if (d == NULL)
		return;
	HASH_ITER(hh, d->questions, k, next)
		cancel_all(&k->askers);
	cancel_all(&d->answered);
	dns_channel_fini(&d->channel); /* calls on_reply() */
	dns_held_unref(d->set);
	dnscache_free(d->cache);
	mem_free(d);
}
