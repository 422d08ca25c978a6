/* SPDX-License-Identifier: ISC
 *
 * Deliveries in chains by the hash of their recipient, newest first, so a
 * change of a recipient costs what it has waiting and nothing else.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum {
	BLOCK_BITS = 12,
	BLOCK = 1 << BLOCK_BITS,
	LOOK_BACK = 16, /* how far older_waits() looks */
	FETCH_BUCKET = 24, /* entries: about as long as memory takes, twice */
	FETCH_HEAD = 12,
};

static uint32_t *bucket(const struct chains *c, uint32_t n)
{
	return &c->block[n >> BLOCK_BITS][n & (BLOCK - 1)];
}

/* The largest power of two that is not above the number of buckets. */
static uint32_t whole(const struct chains *c)
{
	return UINT32_C(1) << (31 - __builtin_clz(c->buckets));
}

/* The low bits of a hash are not all random (0 stands for none). */
static uint32_t bucket_of(const struct chains *c, uint64_t hash)
{
	uint32_t h = (uint32_t)(hash >> 16), n = h & (2 * whole(c) - 1);

	return n < c->buckets ? n : h & (whole(c) - 1);
}

static void add_block(struct chains *c)
{
	c->block = mem_resize(c->block, sizeof(*c->block) * (c->blocks + 1));
	c->block[c->blocks++] = NEW_ARRAY(uint32_t, BLOCK);
}

static void link_last(struct queue *q, uint32_t *head, uint32_t *last,
    uint32_t n)
{
	struct delivery *d = delivery_at(q, n);

	d->chain_prev = *last;
	d->chain_next = 0;
	if (*last == 0)
		*head = n;
	else
		delivery_at(q, *last)->chain_next = n;
	*last = n;
}

/* One bucket more; the entries of its twin are divided in their order. */
static void grow(struct queue *q)
{
	struct chains *c = &q->chains;
	uint32_t fresh = c->buckets, twin = fresh - whole(c);
	uint32_t n, next, last[2] = {0, 0};

	if (fresh >> BLOCK_BITS == c->blocks)
		add_block(c);
	c->buckets++;
	n = *bucket(c, twin);
	*bucket(c, twin) = 0;
	for (; n != 0; n = next) {
		struct delivery *d = delivery_at(q, n);
		uint32_t to = bucket_of(c, d->hash);

		next = d->chain_next;
		link_last(q, bucket(c, to), &last[to == fresh], n);
	}
}

/* Growing one by one moves each entry, at random places of the memory. */
void queue_expect(struct queue *q, uint64_t deliveries)
{
	struct chains *c = &q->chains;

	if (c->entries != 0 || c->later != 0 || deliveries > UINT32_MAX / 2)
		return;
	queue_tick(q);
	while ((uint64_t)c->blocks << BLOCK_BITS < deliveries)
		add_block(c);
	c->buckets = c->blocks << BLOCK_BITS;
	c->later = q->deliveries.used + 1;
}

static void add_first(struct chains *c)
{
	if (c->blocks > 0)
		return;
	add_block(c);
	c->buckets = BLOCK;
}

/* The places in memory that an entry is linked at, some entries ahead. */
static void fetch(const struct queue *q, uint32_t n)
{
	const struct chains *c = &q->chains;
	uint32_t bucket_ahead = n + FETCH_BUCKET, head_ahead = n + FETCH_HEAD;

	if (bucket_ahead > q->deliveries.used)
		return;
	__builtin_prefetch(bucket(c,
	    bucket_of(c, delivery_at(q, bucket_ahead)->hash)), 1);
	head_ahead = *bucket(c, bucket_of(c, delivery_at(q, head_ahead)->hash));
	if (head_ahead != 0)
		__builtin_prefetch(delivery_at(q, head_ahead), 1);
}

void queue_loaded(struct queue *q)
{
	struct chains *c = &q->chains;
	uint32_t n = c->later;

	if (n == 0)
		return;
	c->later = 0;
	add_first(c);
	for (; n <= q->deliveries.used; n++) {
		fetch(q, n);
		if (delivery_at(q, n)->msg != 0)
			chain_add(q, n);
	}
}

void chain_add(struct queue *q, uint32_t n)
{
	struct chains *c = &q->chains;
	struct delivery *d = delivery_at(q, n);
	uint32_t *head;

	if (c->later != 0)
		return;
	add_first(c);
	if (++c->entries > c->buckets)
		grow(q);
	head = bucket(c, bucket_of(c, d->hash));
	d->chain_prev = 0;
	d->chain_next = *head;
	if (*head != 0)
		delivery_at(q, *head)->chain_prev = n;
	*head = n;
}

void chain_remove(struct queue *q, uint32_t n)
{
	struct chains *c = &q->chains;
	struct delivery *d = delivery_at(q, n);
	uint32_t *to;

	if (c->later != 0)
		return;
	to = d->chain_prev != 0 ? &delivery_at(q, d->chain_prev)->chain_next :
				  bucket(c, bucket_of(c, d->hash));
	PH_ASSERT(*to == n && c->entries > 0);
	*to = d->chain_next;
	if (d->chain_next != 0)
		delivery_at(q, d->chain_next)->chain_prev = d->chain_prev;
	c->entries--;
}

void chain_fini(struct queue *q)
{
	for (uint32_t i = 0; i < q->chains.blocks; i++)
		mem_free(q->chains.block[i]);
	mem_free(q->chains.block);
	q->chains = (struct chains){0};
}

uint32_t chain_newest(const struct queue *q, uint64_t hash)
{
	const struct chains *c = &q->chains;

	PH_ASSERT(c->later == 0);
	return c->blocks == 0 ? 0 : *bucket(c, bucket_of(c, hash));
}

bool older_waits(const struct queue *q, uint32_t n)
{
	const struct delivery *d = delivery_at(q, n), *o;
	uint64_t id = message_at(q, d->msg)->id;
	uint32_t at = d->chain_next;

	if (q->to_resolve == 0 && q->asked == 0)
		return false;
	for (int i = 0; at != 0 && i < LOOK_BACK; i++) {
		const struct message *m;

		o = delivery_at(q, at);
		m = message_at(q, o->msg);
		/* Not by the state of this one: what took its place may stand
		 * before us in the chain. */
		if (o->hash == d->hash && m->resolve != RESOLVE_NONE &&
		    m->id < id && m->live != 0)
			return true;
		at = o->chain_next;
	}
	return false;
}
