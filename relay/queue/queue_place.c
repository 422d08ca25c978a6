/* SPDX-License-Identifier: ISC
 *
 * The places that a delivery is in: place_put() alone decides where it waits.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"

enum { ORDER_MAX = 32 }; /* how far an older one moves ahead when ready */

static void ready_count(struct queue *q, int leg, int add)
{
	PH_ASSERT(add > 0 || q->leg[leg].ready > 0);
	q->leg[leg].ready += (unsigned)add;
	ledger_set_ready(q->config.ledger, leg, q->leg[leg].ready);
}

void place_take(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);

	if (d->place == PLACE_NONE)
		return;
	list_take(q, n);
	if (d->place == PLACE_READY)
		ready_count(q, (int)d->leg, -1);
	if (d->place == PLACE_CLAIMED) {
		PH_ASSERT(q->counts.leg[d->leg].claimed > 0);
		q->counts.leg[d->leg].claimed--;
	}
	if (d->place >= PLACE_BACKLOG)
		backlog_left(q, n);
	d->place = PLACE_NONE;
}

/* Oldest message first, as far as that can be had by looking a little way
 * back: what becomes ready together was resolved or read out of order. */
void place_ready(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);
	uint32_t head = ready_head(d);
	uint32_t at = delivery_at(q, head)->prev;
	uint64_t id = message_at(q, d->msg)->id;

	PH_ASSERT(d->place == PLACE_NONE && waits_for_time(d));
	for (int i = 0; at != head && i < ORDER_MAX &&
	     message_at(q, delivery_at(q, at)->msg)->id > id; i++)
		at = delivery_at(q, at)->prev;
	list_insert(q, at, n);
	d->place = PLACE_READY;
	ready_count(q, (int)d->leg, 1);
}

void place_put(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);

	PH_ASSERT(d->place == PLACE_NONE);
	if (!waits_for_time(d) ||
	    message_at(q, d->msg)->resolve != RESOLVE_NONE)
		return;
	if (d->due_us > q->now_us)
		wheel_add(q, n);
	else
		place_ready(q, n);
}

/* Changes that were applied may not have reached it yet: its message waits to
 * be resolved, or for the walk that a domain's row began. */
static bool is_planned(const struct queue *q, const struct message *m)
{
	return m->resolve == RESOLVE_NONE &&
	       (!q->walking || m->id <= q->walk_id);
}

/* The worker looks the route up after this, so the attempt is made under the
 * newest change that is known here, or a later one. The deliveries that this
 * change names must be there already: what an attempt brings says so. */
void place_claim(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);

	PH_ASSERT(d->place != PLACE_CLAIMED && !d->woken);
	place_take(q, n);
	list_append(q, HEAD_CLAIMED, n);
	d->place = PLACE_CLAIMED;
	q->counts.leg[d->leg].claimed++;
	if (d->change < q->applied && is_planned(q, message_at(q, d->msg)))
		d->change = q->applied;
}

void place_again(struct queue *q, uint32_t n)
{
	place_take(q, n);
	place_put(q, n);
}
