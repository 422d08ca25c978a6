/* SPDX-License-Identifier: ISC
 *
 * How many connections there are, in total and of each client. The acceptor
 * adds, workers remove: under a lock, twice in the life of a connection.
 */
#include <pthread.h>

#include "relay/base/hashtable.h"
#include "relay/net/listen_int.h"

struct client_key {
	unsigned char family, bytes[8];
};

struct counted_client {
	UT_hash_handle hh;
	struct client_key key;
	int count;
};

struct counts {
	pthread_mutex_t lock;
	struct counted_client *clients; /* gone when their count is 0 */
	int total, total_max, per_client_max;
};

struct counts *counts_new(void)
{
	struct counts *c = NEW(struct counts);

	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void counts_free(struct counts *c)
{
	struct counted_client *e, *next;

	if (c == NULL)
		return;
	HASH_ITER(hh, c->clients, e, next) {
		HASH_DEL(c->clients, e);
		mem_free(e);
	}
	pthread_mutex_destroy(&c->lock);
	mem_free(c);
}

void counts_limit(struct counts *c, int total, int per_client)
{
	pthread_mutex_lock(&c->lock);
	c->total_max = total;
	c->per_client_max = per_client;
	pthread_mutex_unlock(&c->lock);
}

static struct client_key key_of(const struct netaddr *a)
{
	struct client_key k = {(unsigned char)a->sa.sa_family, {0}};

	if (a->sa.sa_family == AF_INET)
		memcpy(k.bytes, &a->in.sin_addr, 4);
	else if (a->sa.sa_family == AF_INET6)
		memcpy(k.bytes, &a->in6.sin6_addr, 8); /* the /64 */
	return k;
}

static struct counted_client *find(struct counts *c, const struct netaddr *a)
{
	struct client_key k = key_of(a);
	struct counted_client *e;

	HASH_FIND(hh, c->clients, &k, sizeof(k), e);
	return e;
}

static void add(struct counts *c, const struct netaddr *a)
{
	struct counted_client *e = find(c, a);

	if (e == NULL) {
		e = NEW(struct counted_client);
		e->key = key_of(a);
		HASH_ADD(hh, c->clients, key, sizeof(e->key), e);
	}
	e->count++;
	c->total++;
}

static void take_away(struct counts *c, const struct netaddr *a)
{
	struct counted_client *e = find(c, a);

	if (e == NULL)
		return;
	c->total--;
	if (--e->count > 0)
		return;
	HASH_DEL(c->clients, e);
	mem_free(e);
}

static bool has_room(struct counts *c, const struct netaddr *a)
{
	const struct counted_client *e = find(c, a);

	return e == NULL || e->count < c->per_client_max;
}

const char *counts_add(struct counts *c, const struct netaddr *client,
    bool proxy)
{
	const char *why = NULL;

	pthread_mutex_lock(&c->lock);
	if (c->total >= c->total_max)
		why = "too many connections";
	else if (!proxy && !has_room(c, client))
		why = "too many connections from this client";
	else
		add(c, client);
	pthread_mutex_unlock(&c->lock);
	return why;
}

void counts_remove(struct counts *c, const struct netaddr *client)
{
	pthread_mutex_lock(&c->lock);
	take_away(c, client);
	pthread_mutex_unlock(&c->lock);
}

bool counts_move(struct counts *c, const struct netaddr *from,
    const struct netaddr *to)
{
	bool room;

	pthread_mutex_lock(&c->lock);
	room = has_room(c, to);
	if (room) {
		take_away(c, from);
		add(c, to);
	}
	pthread_mutex_unlock(&c->lock);
	return room;
}

int counts_total(struct counts *c)
{
	int total;

	pthread_mutex_lock(&c->lock);
	total = c->total;
	pthread_mutex_unlock(&c->lock);
	return total;
}
