/* SPDX-License-Identifier: ISC
 *
 * Questions to the DNS on a loop, by c-ares.
 *
 * c-ares calls back from inside ares_query() too, and must not be destroyed
 * in a callback. So its callbacks only note the answer; each asker is told
 * by a deferred call of its own, in which it may do anything, dns_free()
 * included. Sockets are watched by ARES_OPT_SOCK_STATE_CB: ares_fds() stops
 * at FD_SETSIZE.
 */
#include "relay/net/dns.h"

#include <ares.h>
#include <stdio.h>

#include "relay/base/hashtable.h"
#include "relay/base/mem.h"
#include "relay/base/rng.h"
#include "relay/net/dns_int.h"
#include "relay/net/dnscache.h"

enum {
	ENTRIES_MAX = 10000,
	BYTES_MAX = 16 * 1024 * 1024,
	TRIES = 2,
	STALE_AFTER_MS = 1800, /* RFC 8767 5: "client response timer" */
	EDNS_BYTES = 1232, /* passes every path unfragmented (flag day 2020) */
	KEY_MAX = DNS_NAME_MAX + 2,
};

/* What c-ares is asked; gone when it has answered. */
struct question {
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
	struct question *question; /* while it waits */
	struct dns_held *held;
	dns_fn fn;
	void *arg;
};

struct sock {
	struct list node;
	struct io io;
	struct dns *dns;
};

struct dns {
	struct loop *loop;
	ares_channel channel;
	struct timer timer;
	struct list socks;
	struct list answered; /* queries whose call is on its way */
	struct question *questions;
	struct dnscache *cache;
	bool validating; /* AD is asked for, and believed */
	bool moving;	 /* to other servers: what is asked is asked again */
};

/* ---- c-ares on the loop ---- */

static void arm(struct dns *d)
{
	struct timeval tv, *left = ares_timeout(d->channel, NULL, &tv);

	if (left == NULL)
		timer_del(&d->timer);
	else /* a little late, never early: early would spin */
		timer_set(&d->timer,
		    (int64_t)left->tv_sec * 1000 + left->tv_usec / 1000 + 1);
}

static void on_timer(void *arg)
{
	struct dns *d = arg;

	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(d);
}

static void on_sock(void *arg, int what)
{
	struct sock *s = arg;
	struct dns *d = s->dns; /* s may be gone after the call */
	int fd = s->io.fd;

	ares_process_fd(d->channel, what & IO_READ ? fd : ARES_SOCKET_BAD,
	    what & IO_WRITE ? fd : ARES_SOCKET_BAD);
	arm(d);
}

static struct sock *sock_find(struct dns *d, int fd)
{
	list_each(n, &d->socks) {
		struct sock *s = LIST_ENTRY(n, struct sock, node);

		if (s->io.fd == fd)
			return s;
	}
	return NULL;
}

static void sock_drop(struct sock *s)
{
	list_remove(&s->node);
	io_fini(&s->io);
	mem_free(s);
}

static void on_sock_state(void *arg, ares_socket_t fd, int readable,
    int writable)
{
	struct dns *d = arg;
	struct sock *s = sock_find(d, fd);

	if (!readable && !writable) {
		if (s != NULL)
			sock_drop(s);
		return;
	}
	if (s == NULL) {
		s = NEW(struct sock);
		s->dns = d;
		io_init(&s->io, d->loop, fd, on_sock, s);
		list_push_back(&d->socks, &s->node);
	}
	io_want(&s->io, (readable ? IO_READ : 0) | (writable ? IO_WRITE : 0));
}

static int set_servers(struct dns *d, const struct conf *c, struct error *err)
{
	struct strbuf list;
	int rc = ARES_SUCCESS;

	strbuf_init(&list, 64 * 1024);
	for (int i = 0; i < c->resolver.servers; i++) {
		const struct conf_hostport *h = &c->resolver.server[i];
		bool six = strchr(h->host, ':') != NULL;

		strbuf_addf(&list, six ? "%s[%s]:%d" : "%s%s:%d",
		    i > 0 ? "," : "", h->host, h->port);
	}
	if (c->resolver.servers > 0)
		rc = ares_set_servers_ports_csv(d->channel, strbuf_cstr(&list));
	if (rc != ARES_SUCCESS)
		error_set(err, "resolver.servers: %s: %s", strbuf_cstr(&list),
		    ares_strerror(rc));
	strbuf_fini(&list);
	return rc == ARES_SUCCESS ? 0 : -1;
}

/* The first server of each round waits this long, and the second round twice
 * as long, so that a question takes resolver.timeout in all. */
static int try_ms(struct dns *d, const struct conf *c)
{
	struct ares_addr_port_node *servers = NULL, *s;
	int64_t count = 0, ms;

	if (ares_get_servers_ports(d->channel, &servers) == ARES_SUCCESS) {
		for (s = servers; s != NULL; s = s->next)
			count++;
		ares_free_data(servers);
	}
	ms = c->resolver.timeout_ms / (3 * (count > 0 ? count : 1));
	return ms < 10 ? 10 : ms > 60000 ? 60000 : (int)ms;
}

/* NOCHECKRESP is not set: a server that refuses or fails is passed over and
 * the next one is asked at once. */
static int open_channel(struct dns *d, int timeout_ms, struct error *err)
{
	char lookups[] = "b";
	struct ares_options o = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
			 ARES_FLAG_EDNS,
		.timeout = timeout_ms,
		.tries = TRIES,
		.lookups = lookups,
		.ednspsz = EDNS_BYTES,
		.sock_state_cb = on_sock_state,
		.sock_state_cb_data = d,
	};
	int rc = ares_init_options(&d->channel, &o,
	    ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		ARES_OPT_LOOKUPS | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB);

	if (rc == ARES_SUCCESS)
		return 0;
	d->channel = NULL;
	return error_set(err, "resolver: %s", ares_strerror(rc));
}

/* How many servers there are decides how long one may take, and only a channel
 * can say; so it is opened twice. */
static int open_servers(struct dns *d, const struct conf *c,
    struct error *err)
{
	int timeout_ms;

	if (open_channel(d, 1000, err) < 0 || set_servers(d, c, err) < 0)
		return -1;
	timeout_ms = try_ms(d, c);
	ares_destroy(d->channel);
	if (open_channel(d, timeout_ms, err) < 0)
		return -1;
	return set_servers(d, c, err);
}

struct dns *dns_new(struct loop *l, const struct conf *c, struct error *err)
{
	struct dns *d = NEW(struct dns);

	d->loop = l;
	d->validating = c->resolver.validating;
	timer_init(&d->timer, l, on_timer, d);
	list_init(&d->socks);
	list_init(&d->answered);
	d->cache = dnscache_new(ENTRIES_MAX, BYTES_MAX);
	if (open_servers(d, c, err) == 0)
		return d;
	dns_free(d);
	return NULL;
}

/* ---- questions and answers ---- */

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
	const struct question *k = q->question;
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

/* What the reply says; one to another question says nothing. */
static struct dns_held *judge(const struct question *k, int status,
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
	struct question *k = arg;
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

/* 1 to 63 bytes a label, 253 in all, nothing that would need an escape. */
static bool is_name(const char *name)
{
	size_t label = 0, n;

	for (n = 0; name[n] != '\0' && n < 254; n++) {
		if (name[n] == '.' && label == 0)
			return false;
		label = name[n] == '.' ? 0 : label + 1;
		if (label > 63 || name[n] <= ' ' || name[n] > '~' ||
		    name[n] == '\\')
			return false;
	}
	return n > 0 && n < 254 && label > 0;
}

/* With the AD bit, which asks for it in the reply (RFC 6840 5.7): c-ares
 * sets none, so the packet is made here. A validating server knows EDNS. */
static void send_secure(struct dns *d, struct question *k)
{
	uint16_t id = (uint16_t)rng_below(&rng_system, 65536);
	unsigned char *packet = NULL;
	int size = 0, rc;

	rc = ares_create_query(k->key + 1, DNS_CLASS_IN,
	    (unsigned char)k->key[0], id, 1, &packet, &size, EDNS_BYTES);
	if (rc != ARES_SUCCESS) {
		on_reply(k, rc, 0, NULL, 0);
		return;
	}
	packet[3] |= 0x20;
	ares_send(d->channel, packet, size, on_reply, k);
	ares_free_string(packet);
}

/* May answer at once: k is not looked at again. */
static void send_question(struct dns *d, struct question *k)
{
	if (d->validating)
		send_secure(d, k);
	else
		ares_query(d->channel, k->key + 1, DNS_CLASS_IN,
		    (unsigned char)k->key[0], on_reply, k);
	arm(d);
}

int dns_configure(struct dns *d, const struct conf *c, struct error *err)
{
	ares_channel old = d->channel;
	struct question *k, *next;

	d->channel = NULL;
	if (open_servers(d, c, err) < 0) {
		if (d->channel != NULL)
			ares_destroy(d->channel);
		d->channel = old;
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
	arm(d);
	return 0;
}

static void ask(struct dns *d, struct dns_query *q, const char *key)
{
	size_t n = strlen(key + 1) + 1;
	struct question *k;

	HASH_FIND(hh, d->questions, key, n, k);
	if (dnscache_stale(d->cache, (unsigned char)key[0], key + 1,
		loop_now_ms(d->loop)) != NULL)
		timer_set(&q->patience, STALE_AFTER_MS);
	if (k != NULL) {
		q->question = k;
		list_push_back(&k->askers, &q->node);
		return;
	}
	k = NEW(struct question);
	k->dns = d;
	k->key_size = n;
	memcpy(k->key, key, n);
	list_init(&k->askers);
	q->question = k;
	list_push_back(&k->askers, &q->node);
	HASH_ADD(hh, d->questions, key, n, k);
	send_question(d, k);
}

struct dns_query *dns_ask(struct dns *d, enum dns_type type, const char *name,
    dns_fn fn, void *arg)
{
	struct dns_query *q = NEW(struct dns_query);
	char key[KEY_MAX] = {(char)type};
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
	for (size_t i = 0; name[i] != '\0'; i++)
		key[i + 1] = ascii_lower(name[i]);
	held = dnscache_fresh(d->cache, type, key + 1, loop_now_ms(d->loop));
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
	struct question *k, *next;

	if (d == NULL)
		return;
	HASH_ITER(hh, d->questions, k, next)
		cancel_all(&k->askers);
	cancel_all(&d->answered);
	if (d->channel != NULL)
		ares_destroy(d->channel); /* calls on_reply() */
	while (!list_empty(&d->socks))
		sock_drop(LIST_ENTRY(d->socks.next, struct sock, node));
	timer_fini(&d->timer);
	dnscache_free(d->cache);
	mem_free(d);
}
