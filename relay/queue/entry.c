/* SPDX-License-Identifier: ISC
 *
 * The entries of the queue: messages and their deliveries, made, counted and
 * forgotten. Where one waits is decided in queue_place.c.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"

enum { ATTEMPTS_MAX = (1 << 15) - 1 };
#define CHANGE_MAX ((UINT64_C(1) << 40) - 1)
#define SIZE_KEPT ((UINT64_C(1) << 40) - 1)
#define CREATED_MAX ((INT64_C(1) << 49) - 1)

/* Callers ask for the numbers of a message one after another. */
uint32_t entry_find(struct queue *q, uint32_t msg, uint32_t number)
{
	uint32_t n = message_at(q, msg)->first;
	const struct delivery *hint;

	if (q->hint != 0) {
		hint = delivery_at(q, q->hint);
		if (hint->msg == msg && hint->number <= number)
			n = q->hint;
	}
	while (n != 0 && delivery_at(q, n)->number != number)
		n = delivery_at(q, n)->sibling;
	if (n != 0)
		q->hint = n;
	return n;
}

void entry_count(struct queue *q, const struct delivery *d, bool in)
{
	uint64_t one = in ? 1 : UINT64_MAX;
	uint64_t *all = &q->counts.leg[d->leg].state[d->state];
	uint32_t *live = &message_at(q, d->msg)->live;

	PH_ASSERT(in || *all > 0);
	*all += one;
	if (!dstate_live(d->state))
		return;
	PH_ASSERT(in || *live > 0);
	*live += (uint32_t)one;
}

void entry_fill(struct queue *q, struct delivery *d,
    const struct delivery_ref *i)
{
	PH_ASSERT(i->state > D_NONE && i->state < D_STATES);
	PH_ASSERT(i->leg < NAMES_MAX && i->role <= ROLE_COPY);
	d->rcpt = i->rcpt;
	d->leg = i->leg;
	d->role = i->role;
	d->state = i->state;
	d->uncertain = i->uncertain;
	d->reason = i->reason;
	PH_ASSERT(i->flags < 256 && i->reason < 64);
	d->flags = (uint8_t)i->flags;
	d->attempts = i->attempts < ATTEMPTS_MAX ? i->attempts : ATTEMPTS_MAX;
	d->change = i->change < CHANGE_MAX ? i->change : CHANGE_MAX;
	if (i->domain != 0)
		d->domain = i->domain & PERMIT_DOMAIN_MASK;
	d->created_us = queue_bounded(i->created_us - q->wall_us, CREATED_MAX);
	if (i->due_us != 0)
		d->due_us = queue_bounded(i->due_us - q->wall_us, DUE_MAX);
	else if (i->state == D_PARKED)
		d->due_us = queue_bounded(d->created_us, DUE_MAX);
	else
		d->due_us = q->now_us;
}

uint32_t entry_new(struct queue *q, uint32_t msg,
    const struct delivery_ref *i)
{
	uint32_t n = slab_new(&q->deliveries);
	struct delivery *d = delivery_at(q, n);
	struct message *m = message_at(q, msg);

	/* Their order is that of the journal's record. */
	PH_ASSERT(m->last == 0 ||
		  delivery_at(q, m->last)->number < i->number);
	d->msg = msg;
	d->number = i->number;
	d->hash = i->hash;
	entry_fill(q, d, i);
	if (m->last == 0)
		m->first = n;
	else
		delivery_at(q, m->last)->sibling = n;
	m->last = n; /* numbers are only ever added */
	chain_add(q, n);
	entry_count(q, d, true);
	live_flow_count(&q->flow[d->leg], false, dstate_live(d->state));
	q->counts.deliveries++;
	atomic_fetch_add(&q->held, 1);
	return n;
}

static void entry_free(struct queue *q, uint32_t n)
{
	PH_ASSERT(q->counts.deliveries > 0);
	place_take(q, n);
	chain_remove(q, n);
	entry_count(q, delivery_at(q, n), false);
	if (q->hint == n)
		q->hint = 0;
	delivery_at(q, n)->msg = 0;
	slab_free(&q->deliveries, n);
	q->counts.deliveries--;
	atomic_fetch_sub(&q->held, 1);
}

void message_forget_if_over(struct queue *q, uint32_t msg)
{
	struct message *m = message_at(q, msg);
	uint32_t n, next;

	if (m->live != 0 || m->resolve == RESOLVE_ASKED)
		return;
	wake_forget(q, msg);
	for (n = m->first; n != 0; n = next) {
		next = delivery_at(q, n)->sibling;
		entry_free(q, n);
	}
	PH_ASSERT(m->live == 0 && m->resolve == RESOLVE_NONE);
	PH_ASSERT(q->counts.messages > 0);
	id_tree_remove(q, msg);
	slab_free(&q->messages, msg);
	q->counts.messages--;
}

void message_from(struct queue *q, uint32_t msg, uint64_t sender)
{
	message_at(q, msg)->sender = sender & QUEUE_SENDER_MASK;
	message_at(q, msg)->from = sender >> QUEUE_FROM_SHIFT;
}

uint32_t message_new(struct queue *q, uint64_t id, uint64_t size)
{
	uint32_t msg = slab_new(&q->messages);
	struct message *m = message_at(q, msg);

	m->id = id;
	m->size = size < SIZE_KEPT ? size : SIZE_KEPT;
	id_tree_add(q, msg);
	if (id > q->highest_id)
		q->highest_id = id;
	q->counts.messages++;
	return msg;
}
