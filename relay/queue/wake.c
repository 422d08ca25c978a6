/* SPDX-License-Identifier: ISC
 *
 * Finds the mail that a changed row concerns. Deliveries hang in chains by the
 * hash of their recipient, newest first, so a change of a recipient costs as
 * much as it has waiting. A change of a domain's row walks all messages, a
 * slice a step. Messages so found wait until the daemon resolves their routes
 * anew, oldest first, a few at a time; until then none of their deliveries is
 * started.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum {
	BLOCK_BITS = 12,
	BLOCK = 1 << BLOCK_BITS,
	LOOK_BACK = 16, /* how far older_waits() looks */
	WALK_SLICE = 1000,
};
#define FAILED_US INT64_C(1000000)

/* ---- chains ------------------------------------------------------------ */

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

void chain_add(struct queue *q, uint32_t n)
{
	struct chains *c = &q->chains;
	struct delivery *d = delivery_at(q, n);
	uint32_t *head;

	if (c->blocks == 0) {
		add_block(c);
		c->buckets = BLOCK;
	}
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
	uint32_t *to = d->chain_prev != 0 ?
	    &delivery_at(q, d->chain_prev)->chain_next :
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

/* ---- messages to be resolved ------------------------------------------- */

static void pending_add(struct queue *q, uint32_t head, uint32_t msg)
{
	struct message *h = message_at(q, head), *m = message_at(q, msg);

	PH_ASSERT(m->resolve == RESOLVE_NONE);
	m->prev = h->prev;
	m->next = head;
	message_at(q, h->prev)->next = msg;
	h->prev = msg;
	m->resolve = RESOLVE_PENDING;
	q->to_resolve++;
}

static void pending_remove(struct queue *q, uint32_t msg)
{
	struct message *m = message_at(q, msg);

	PH_ASSERT(m->resolve == RESOLVE_PENDING && q->to_resolve > 0);
	message_at(q, m->prev)->next = m->next;
	message_at(q, m->next)->prev = m->prev;
	m->resolve = RESOLVE_NONE;
	q->to_resolve--;
}

void wake_message(struct queue *q, uint32_t msg)
{
	struct message *m = message_at(q, msg);

	if (m->resolve == RESOLVE_NONE)
		pending_add(q, HEAD_PENDING, msg);
	else if (m->resolve == RESOLVE_ASKED)
		m->again = 1;
}

void wake_delivery(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);

	if (!dstate_live(d->state))
		return;
	if (d->place == PLACE_CLAIMED)
		d->woken = 1;
	else
		wake_message(q, d->msg);
}

void wake_forget(struct queue *q, uint32_t msg)
{
	if (message_at(q, msg)->resolve == RESOLVE_PENDING)
		pending_remove(q, msg);
}

void queue_wake(struct queue *q, uint64_t hash)
{
	uint32_t oldest = 0, n;

	queue_tick(q);
	for (n = chain_newest(q, hash); n != 0;
	     n = delivery_at(q, n)->chain_next)
		oldest = n;
	for (n = oldest; n != 0; n = delivery_at(q, n)->chain_prev)
		if (delivery_at(q, n)->hash == hash)
			wake_delivery(q, n);
}

void queue_wake_all(struct queue *q)
{
	q->walking = true;
	q->walk_id = 0;
}

void queue_reading(struct queue *q, uint64_t change)
{
	if (change > q->reading)
		q->reading = change;
}

void queue_applied(struct queue *q, uint64_t change)
{
	queue_reading(q, change);
	if (change > q->applied)
		q->applied = change;
}

void queue_stale(struct queue *q, uint64_t id)
{
	uint32_t msg = index_find(q, id);

	if (msg != 0)
		wake_message(q, msg);
}

static void wake_all_of(struct queue *q, uint32_t msg)
{
	for (uint32_t n = message_at(q, msg)->first; n != 0;
	     n = delivery_at(q, n)->sibling)
		wake_delivery(q, n);
}

static void walk(struct queue *q)
{
	for (int i = 0; i < WALK_SLICE; i++) {
		uint32_t msg = index_after(q, q->walk_id);

		if (msg == 0) {
			q->walking = false;
			return;
		}
		q->walk_id = message_at(q, msg)->id;
		wake_all_of(q, msg);
	}
}

/* The table or the journal could not be read: not at once again. */
static void retry_failed(struct queue *q)
{
	uint32_t msg;

	if (q->now_us < q->failed_us)
		return;
	while ((msg = message_at(q, HEAD_FAILED)->next) != HEAD_FAILED) {
		pending_remove(q, msg);
		pending_add(q, HEAD_PENDING, msg);
	}
	q->failed_us = INT64_MAX;
}

bool wake_step(struct queue *q)
{
	uint32_t msg;

	retry_failed(q);
	if (q->walking)
		walk(q);
	while (q->asked < q->config.resolve_max &&
	       (msg = message_at(q, HEAD_PENDING)->next) != HEAD_PENDING) {
		pending_remove(q, msg);
		message_at(q, msg)->resolve = RESOLVE_ASKED;
		q->asked++;
		q->config.ops->resolve(q->config.arg, message_at(q, msg)->id);
	}
	return q->walking;
}

/* A delivery that was unclaimed when the routes were looked up is up to date.
 * One in flight under an older change was left alone, and is looked at when it
 * is back. */
static void note_change(struct queue *q, uint32_t msg, uint64_t change)
{
	for (uint32_t n = message_at(q, msg)->first; n != 0;
	     n = delivery_at(q, n)->sibling) {
		struct delivery *d = delivery_at(q, n);

		if (d->place == PLACE_CLAIMED && d->change < change)
			d->woken = 1;
		else if (d->change < change)
			d->change = change;
		if (d->place == PLACE_NONE)
			place_put(q, n);
	}
}

void queue_resolved(struct queue *q, uint64_t id, uint64_t change)
{
	uint32_t msg = index_find(q, id);
	struct message *m = msg == 0 ? NULL : message_at(q, msg);

	queue_tick(q);
	if (m == NULL || m->resolve != RESOLVE_ASKED)
		return;
	PH_ASSERT(q->asked > 0);
	q->asked--;
	m->resolve = RESOLVE_NONE;
	if (m->live == 0) {
		message_forget_if_over(q, msg);
		return;
	}
	if (change == 0) {
		m->again = 0;
		pending_add(q, HEAD_FAILED, msg);
		if (q->failed_us == INT64_MAX)
			q->failed_us = q->now_us + FAILED_US;
		return;
	}
	if (m->again)
		pending_add(q, HEAD_PENDING, msg);
	m->again = 0;
	note_change(q, msg, change);
}
