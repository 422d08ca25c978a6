/* SPDX-License-Identifier: ISC
 *
 * The names of clients (RFC 8601 3, RFC 1035 3.5, RFC 3596 2.5).
 */
#include "relay/spf/client_names.h"

#include <stdio.h>

#include "relay/base/hashtable.h"
#include "relay/base/list.h"
#include "relay/base/mem.h"
#include "relay/mail/domain.h"
#include "relay/net/dns.h"
#include "relay/spf/spf_identity.h"

enum {
	REVERSE_MAX = 80,
	KEEP_MAX_MS = 3600 * 1000,
	KEEP_UNKNOWN_MS = 30 * 1000,
	/* A name is told, nothing is decided by it: an answer that may not be
	 * kept does not cause a question with each message. */
	KEEP_MIN_MS = 60 * 1000,
};

struct named_client;

/* A name that PTR gave, and whether it leads back. */
struct ptr_name {
	struct named_client *client;
	struct dns_query *query;
	char *name;
	bool leads_back;
};

struct named_client {
	UT_hash_handle hh;
	struct list node; /* least used last */
	struct client_names *all;
	struct netaddr addr; /* its port is 0 */
	struct timer limit;
	struct dns_query *ptr;
	struct ptr_name names[CLIENT_NAME_PTRS];
	int count, open;
	int64_t until_ms; /* 0: it is looked for */
	int64_t keep_ms; /* shortest of all answers */
	bool failed; /* an answer was none */
	bool known;
	char *name;
	unsigned char key[17];
};

struct client_names {
	struct loop *loop;
	struct dns *dns;
	struct named_client *table;
	struct list used;
	int count;
};

struct client_names *client_names_new(struct loop *l, struct dns *dns)
{
	struct client_names *c = NEW(struct client_names);

	c->loop = l;
	c->dns = dns;
	list_init(&c->used);
	return c;
}

/* Ends what is under way. */
static void stop(struct named_client *n)
{
	timer_del(&n->limit);
	dns_cancel(n->ptr);
	n->ptr = NULL;
	for (int i = 0; i < n->count; i++) {
		dns_cancel(n->names[i].query);
		mem_free(n->names[i].name);
	}
	n->count = n->open = 0;
}

static void drop(struct named_client *n)
{
	stop(n);
	timer_fini(&n->limit);
	HASH_DEL(n->all->table, n);
	list_remove(&n->node);
	n->all->count--;
	mem_free(n->name);
	mem_free(n);
}

void client_names_free(struct client_names *c)
{
	if (c == NULL)
		return;
	while (!list_empty(&c->used))
		drop(LIST_ENTRY(c->used.next, struct named_client, node));
	mem_free(c);
}

/* ---- looking ---- */

/* The first in the order of PTR that leads back counts. */
static void conclude(struct named_client *n)
{
	const char *name = "";

	for (int i = n->count - 1; i >= 0; i--)
		if (n->names[i].leads_back)
			name = n->names[i].name;
	n->known = name[0] != '\0' || !n->failed;
	mem_free(n->name);
	n->name = mem_strdup(name);
	stop(n);
	if (!n->known || n->keep_ms > KEEP_MAX_MS)
		n->keep_ms = n->known ? KEEP_MAX_MS : KEEP_UNKNOWN_MS;
	n->until_ms = loop_now_ms(n->all->loop) + n->keep_ms;
}

static void on_limit(void *arg)
{
	struct named_client *n = arg;

	n->failed = true;
	conclude(n);
}

static void note(struct named_client *n, const struct dns_answer *a,
    const char *name)
{
	int64_t left_ms = dns_left_ms(n->all->dns, a->type, name);

	n->failed |= a->status == DNS_FAILED;
	left_ms = left_ms < KEEP_MIN_MS ? KEEP_MIN_MS : left_ms;
	if (left_ms < n->keep_ms)
		n->keep_ms = left_ms;
}

static void on_address(void *arg, const struct dns_answer *a)
{
	struct ptr_name *p = arg;
	struct named_client *n = p->client;

	p->query = NULL;
	note(n, a, p->name);
	for (int i = 0; i < a->count; i++)
		p->leads_back |= netaddr_same_ip(&a->addr[i], &n->addr);
	if (--n->open == 0)
		conclude(n);
}

static void reverse_name(const struct netaddr *a, char out[REVERSE_MAX])
{
	const unsigned char *ip = (const unsigned char *)&a->in.sin_addr;
	size_t at = 0;

	if (a->sa.sa_family == AF_INET) {
		snprintf(out, REVERSE_MAX, "%d.%d.%d.%d.in-addr.arpa", ip[3],
		    ip[2], ip[1], ip[0]);
		return;
	}
	ip = (const unsigned char *)&a->in6.sin6_addr;
	for (int i = 15; i >= 0; i--)
		at += (size_t)snprintf(out + at, REVERSE_MAX - at, "%x.%x.",
		    ip[i] & 15, ip[i] >> 4);
	snprintf(out + at, REVERSE_MAX - at, "ip6.arpa");
}

/* A name that no host may have is passed over: it is going to be printed. */
static void look_up(struct named_client *n, const char *name)
{
	enum dns_type type = n->addr.sa.sa_family == AF_INET ? DNS_A
							     : DNS_AAAA;
	struct ptr_name *p = &n->names[n->count];
	const char *why;

	if (n->count == CLIENT_NAME_PTRS ||
	    domain_check(slice_str(name), false, &why) < 0)
		return;
	*p = (struct ptr_name){.client = n, .name = mem_strdup(name)};
	n->count++;
	n->open++;
	p->query = dns_ask(n->all->dns, type, name, on_address, p);
}

static void on_ptr(void *arg, const struct dns_answer *a)
{
	struct named_client *n = arg;
	char reverse[REVERSE_MAX];

	n->ptr = NULL;
	reverse_name(&n->addr, reverse);
	note(n, a, reverse);
	for (int i = 0; i < a->count; i++)
		look_up(n, a->name[i]);
	if (n->open == 0)
		conclude(n);
}

static void look(struct named_client *n)
{
	char reverse[REVERSE_MAX];

	n->until_ms = 0;
	n->keep_ms = KEEP_MAX_MS;
	n->failed = n->known = false;
	timer_set(&n->limit, CLIENT_NAME_MS);
	reverse_name(&n->addr, reverse);
	n->ptr = dns_ask(n->all->dns, DNS_PTR, reverse, on_ptr, n);
}

/* ---- asked by a session ---- */

static bool make_key(unsigned char out[17], const struct netaddr *a)
{
	memset(out, 0, 17);
	if (a->sa.sa_family == AF_INET) {
		out[0] = 4;
		memcpy(out + 1, &a->in.sin_addr, 4);
	} else if (a->sa.sa_family == AF_INET6) {
		out[0] = 16;
		memcpy(out + 1, &a->in6.sin6_addr, 16);
	}
	return out[0] != 0 && !spf_is_loopback(a);
}

static struct named_client *find(struct client_names *c,
    const struct netaddr *a)
{
	struct named_client *n = NULL;
	unsigned char key[17];

	if (make_key(key, a))
		HASH_FIND(hh, c->table, key, sizeof(key), n);
	if (n != NULL) {
		list_remove(&n->node);
		list_push_front(&c->used, &n->node);
	}
	return n;
}

static bool is_fresh(const struct named_client *n)
{
	return n->until_ms == 0 || loop_now_ms(n->all->loop) < n->until_ms;
}

void client_names_want(struct client_names *c, const struct netaddr *client)
{
	struct named_client *n = find(c, client);
	unsigned char key[17];

	if (!make_key(key, client) || (n != NULL && is_fresh(n)))
		return;
	if (n == NULL) {
		n = NEW(struct named_client);
		n->all = c;
		n->addr = *client;
		memcpy(n->key, key, sizeof(key));
		timer_init(&n->limit, c->loop, on_limit, n);
		HASH_ADD(hh, c->table, key, sizeof(key), n);
		list_push_front(&c->used, &n->node);
		c->count++;
	}
	look(n);
	if (c->count > CLIENT_NAMES_MAX)
		drop(LIST_ENTRY(c->used.prev, struct named_client, node));
}

bool client_names_get(struct client_names *c, const struct netaddr *client,
    const char **name_out)
{
	const struct named_client *n = find(c, client);

	*name_out = "";
	if (n == NULL || !n->known)
		return false;
	*name_out = n->name;
	return true;
}
