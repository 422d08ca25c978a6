/* SPDX-License-Identifier: ISC
 *
 * Questions a minute for each client.
 */
#include "relay/spf/query_rate.h"

#include "relay/base/clock.h"
#include "relay/base/hashtable.h"
#include "relay/base/list.h"
#include "relay/base/mem.h"

struct asking_minute {
	UT_hash_handle hh;
	struct list node; /* the one that asked last first */
	unsigned char client[9]; /* its kind, its address */
	int64_t until_ms;
	unsigned asked;
};

struct query_rate {
	struct asking_minute *table;
	struct list used;
	unsigned max;
	int count, clients;
};

struct query_rate *query_rate_new(unsigned max, int clients)
{
	struct query_rate *r = NEW(struct query_rate);

	list_init(&r->used);
	r->max = max;
	r->clients = clients;
	return r;
}

static void drop_last(struct query_rate *r)
{
	struct asking_minute *m =
	    LIST_ENTRY(r->used.prev, struct asking_minute, node);

	HASH_DEL(r->table, m);
	list_remove(&m->node);
	r->count--;
	mem_free(m);
}

void query_rate_free(struct query_rate *r)
{
	if (r == NULL)
		return;
	while (!list_empty(&r->used))
		drop_last(r);
	mem_free(r);
}

static void make_key(unsigned char out[9], const struct netaddr *a)
{
	memset(out, 0, 9);
	if (a->sa.sa_family == AF_INET) {
		out[0] = 4;
		memcpy(out + 1, &a->in.sin_addr, 4);
	} else if (a->sa.sa_family == AF_INET6) {
		out[0] = 6;
		memcpy(out + 1, &a->in6.sin6_addr, 8);
	}
}

static struct asking_minute *minute_of(struct query_rate *r,
    const struct netaddr *client)
{
	unsigned char key[9];
	struct asking_minute *m;

	make_key(key, client);
	HASH_FIND(hh, r->table, key, sizeof(key), m);
	if (m != NULL) {
		list_remove(&m->node);
	} else {
		m = NEW(struct asking_minute);
		memcpy(m->client, key, sizeof(key));
		HASH_ADD(hh, r->table, client, sizeof(key), m);
		if (++r->count > r->clients)
			drop_last(r);
	}
	list_push_front(&r->used, &m->node);
	return m;
}

bool query_rate_take(struct query_rate *r, const struct netaddr *client,
    int64_t now_ms)
{
	struct asking_minute *m = minute_of(r, client);

	if (now_ms >= m->until_ms) {
		m->until_ms = now_ms + MINUTE_MS;
		m->asked = 0;
	}
	if (m->asked >= r->max)
		return false;
	m->asked++;
	return true;
}
