/* SPDX-License-Identifier: ISC
 *
 * See leg_hosts.h.
 */
#include "relay/cli/verdict/leg_hosts.h"

#include "relay/base/clock.h"
#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/net/dns.h"

enum {
	TURN_MS = 50,
	WAIT_MS = 60000,
	ADDRESSES_MAX = 64, /* of a leg */
	MX_PORT = 25,
};

struct leg_addresses {
	struct netaddr address[ADDRESSES_MAX]; /* with their ports */
	int n;
	const char *missing;
};

struct leg_hosts {
	const struct conf *conf;
	struct loop *loop;
	struct dns *dns;
	struct arena *arena;
	struct leg_addresses *leg;
	int pending;
};

/* A host of a leg whose addresses are asked for: two questions. */
struct host_asking {
	struct leg_hosts *h;
	int leg, port, left;
	bool found;
	const char *name;
};

static void add(struct leg_addresses *l, const struct netaddr *a, int port)
{
	if (l->n == ADDRESSES_MAX)
		return;
	l->address[l->n] = *a;
	if (a->sa.sa_family == AF_INET6)
		l->address[l->n].in6.sin6_port = htons((uint16_t)port);
	else
		l->address[l->n].in.sin_port = htons((uint16_t)port);
	l->n++;
}

static void on_address(void *arg, const struct dns_answer *a)
{
	struct host_asking *q = arg;
	struct leg_addresses *l = &q->h->leg[q->leg];

	for (int i = 0; a->status == DNS_OK && i < a->count; i++) {
		add(l, &a->addr[i], q->port);
		q->found = true;
	}
	q->h->pending--;
	if (--q->left == 0 && !q->found && l->missing == NULL)
		l->missing = q->name;
}

static void ask(struct leg_hosts *h, int leg, const char *name, int port)
{
	struct host_asking *q = arena_alloc(h->arena, sizeof(*q));

	*q = (struct host_asking){.h = h, .leg = leg, .port = port, .left = 2,
	    .name = arena_strdup(h->arena, name)};
	h->pending += 2;
	dns_ask(h->dns, DNS_A, q->name, on_address, q);
	dns_ask(h->dns, DNS_AAAA, q->name, on_address, q);
}

static void on_mx(void *arg, const struct dns_answer *a)
{
	struct host_asking *q = arg;

	q->h->pending--;
	for (int i = 0; a->status == DNS_OK && i < a->count; i++)
		if (a->mx[i].host[0] != '\0') {
			ask(q->h, q->leg, a->mx[i].host, MX_PORT);
			q->found = true;
		}
	if (!q->found)
		q->h->leg[q->leg].missing = q->name;
}

static void ask_mx(struct leg_hosts *h, int leg)
{
	struct host_asking *q = arena_alloc(h->arena, sizeof(*q));

	*q = (struct host_asking){.h = h, .leg = leg,
	    .name = h->conf->leg[leg].mx};
	h->pending++;
	dns_ask(h->dns, DNS_MX, q->name, on_mx, q);
}

static void look_at(struct leg_hosts *h, int leg)
{
	const struct conf_leg *l = &h->conf->leg[leg];
	struct netaddr a;

	if (l->mx[0] != '\0')
		ask_mx(h, leg);
	for (int i = 0; i < l->hosts; i++) {
		if (netaddr_parse(&a, slice_str(l->host[i].host),
			l->host[i].port) == 0)
			add(&h->leg[leg], &a, l->host[i].port);
		else
			ask(h, leg, l->host[i].host, l->host[i].port);
	}
}

struct leg_hosts *leg_hosts_look(const struct conf *c, struct error *err)
{
	struct leg_hosts *h = NEW(struct leg_hosts);
	int64_t until;

	h->conf = c;
	h->arena = arena_new();
	h->leg = arena_alloc(h->arena, (size_t)c->legs * sizeof(*h->leg));
	h->loop = loop_new(&clock_system);
	h->dns = dns_new(h->loop, c, err);
	if (h->dns == NULL) {
		leg_hosts_free(h);
		return NULL;
	}
	for (int i = 0; i < c->legs; i++)
		look_at(h, i);
	until = clock_mono_ms(&clock_system) + WAIT_MS;
	while (h->pending > 0 && clock_mono_ms(&clock_system) < until)
		loop_once(h->loop, TURN_MS);
	for (int i = 0; h->pending > 0 && i < c->legs; i++)
		if (h->leg[i].n == 0)
			h->leg[i].missing = c->leg[i].name;
	return h;
}

void leg_hosts_free(struct leg_hosts *h)
{
	if (h == NULL)
		return;
	dns_free(h->dns);
	loop_free(h->loop);
	arena_free(h->arena);
	mem_free(h);
}

static bool is_loopback(const struct netaddr *a)
{
	if (a->sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
	return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
}

static bool one_server(const struct netaddr *a, const struct netaddr *b)
{
	return netaddr_same_ip(a, b) &&
	       (!is_loopback(a) || netaddr_port(a) == netaddr_port(b));
}

bool leg_hosts_same(const struct leg_hosts *h, int a, int b)
{
	const struct leg_addresses *x = &h->leg[a], *y = &h->leg[b];

	for (int i = 0; i < x->n; i++) {
		if (!is_loopback(&x->address[i]) &&
		    conf_nets_have(&h->conf->leg[b].clients,
			&x->address[i].sa))
			return true;
		for (int j = 0; j < y->n; j++)
			if (one_server(&x->address[i], &y->address[j]))
				return true;
	}
	return false;
}

const char *leg_hosts_missing(const struct leg_hosts *h, int leg)
{
	return h->leg[leg].missing;
}

bool leg_hosts_has(const struct leg_hosts *h, int leg,
    const struct netaddr *address)
{
	const struct leg_addresses *l = &h->leg[leg];

	for (int i = 0; i < l->n; i++)
		if (netaddr_same_ip(&l->address[i], address))
			return true;
	return false;
}

bool leg_hosts_address(const struct leg_hosts *h, int leg, int n,
    struct netaddr *out)
{
	if (n >= h->leg[leg].n)
		return false;
	*out = h->leg[leg].address[n];
	return true;
}
