/* SPDX-License-Identifier: ISC
 *
 * Changes that other rooms make of entries. Each goes through queue_insert(),
 * queue_set() or queue_unclaim().
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"

/* The attempt has read the envelope. */
static void learn_domain(struct delivery *d, uint32_t domain)
{
	if (domain != 0 && (d->place == PLACE_CLAIMED ||
	    d->place == PLACE_NONE))
		d->domain = domain & PERMIT_DOMAIN_MASK;
}

/* Its claim is over: a wake-up that it slept through counts now. */
static void claim_ended(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);

	PH_ASSERT(d->place == PLACE_CLAIMED);
	place_take(q, n);
	breaker_unclaimed(q, n);
	backlog_look(q, n);
	if (d->woken)
		wake_message(q, d->msg);
	d->woken = 0;
}

/* It was in no hand. Let out of a backlog, it may have been the only one that
 * the others of its domain wait for. */
static void taken_away(struct queue *q, uint32_t n)
{
	place_take(q, n);
	backlog_look(q, n);
}

bool queue_full(const struct queue *q)
{
	return atomic_load(&q->held) >= atomic_load(&q->limit);
}

bool queue_insert(struct queue *q, const struct queue_arrival *a)
{
	uint32_t msg;

	if (q->chains.later == 0)
		queue_tick(q);
	if (!a->force && queue_full(q))
		return false;
	if (a->id <= q->highest_id && id_tree_find(q, a->id) != 0)
		return true;
	msg = message_new(q, a->id, a->size);
	message_from(q, msg, a->sender);
	for (unsigned i = 0; i < a->n; i++) {
		uint32_t at = entry_new(q, msg, &a->items[i]);
		uint64_t change = a->items[i].change;

		if (a->claimed && a->items[i].state == D_QUEUED) {
			place_claim(q, at);
			delivery_at(q, at)->change = change;
		}
		if (change < q->reading)
			wake_delivery(q, at);
	}
	for (uint32_t at = message_at(q, msg)->first; at != 0;
	     at = delivery_at(q, at)->sibling)
		if (delivery_at(q, at)->place == PLACE_NONE)
			place_put(q, at);
	message_forget_if_over(q, msg);
	return true;
}

void queue_sender(struct queue *q, uint64_t id, uint64_t sender)
{
	uint32_t msg = id_tree_find(q, id);

	if (msg != 0)
		message_from(q, msg, sender);
}

void queue_set(struct queue *q, uint64_t id, const struct delivery_ref *item)
{
	uint32_t msg = id_tree_find(q, id), n;
	struct delivery *d;

	queue_tick(q);
	if (msg == 0)
		return;
	n = entry_find(q, msg, item->number);
	if (n == 0) {
		n = entry_new(q, msg, item);
	} else {
		d = delivery_at(q, n);
		live_flow_count(&q->flow[d->leg], dstate_live(d->state),
		    dstate_live(item->state));
		entry_count(q, d, false);
		learn_domain(d, item->domain);
		if (d->place == PLACE_CLAIMED)
			claim_ended(q, n);
		else
			taken_away(q, n);
		d->tried |= item->attempts > d->attempts;
		entry_fill(q, d, item);
		entry_count(q, d, true);
	}
	place_put(q, n);
	message_forget_if_over(q, msg);
}

void queue_domain(struct queue *q, uint64_t id, uint32_t number,
    uint32_t domain)
{
	uint32_t msg = id_tree_find(q, id);
	uint32_t n = msg == 0 ? 0 : entry_find(q, msg, number);

	if (n != 0)
		learn_domain(delivery_at(q, n), domain);
}

void queue_unclaim(struct queue *q, uint64_t id, uint32_t number, bool later)
{
	uint32_t msg = id_tree_find(q, id), n;
	struct delivery *d;

	queue_tick(q);
	n = msg == 0 ? 0 : entry_find(q, msg, number);
	if (n == 0 || delivery_at(q, n)->place != PLACE_CLAIMED)
		return;
	d = delivery_at(q, n);
	claim_ended(q, n);
	if (later && waits_for_time(d))
		d->due_us = queue_bounded(q->now_us +
		    q->conf->retry.steps_ms[0] * 1000, DUE_MAX);
	place_put(q, n);
}

bool queue_claim(struct queue *q, uint64_t id, uint32_t number)
{
	uint32_t msg = id_tree_find(q, id), n;

	n = msg == 0 ? 0 : entry_find(q, msg, number);
	if (n == 0 || delivery_at(q, n)->place == PLACE_CLAIMED)
		return false;
	place_claim(q, n);
	return true;
}

void queue_retry(struct queue *q, uint64_t id, uint32_t number)
{
	uint32_t msg = id_tree_find(q, id), n;

	queue_tick(q);
	n = msg == 0 ? 0 : entry_find(q, msg, number);
	if (n == 0 || delivery_at(q, n)->place == PLACE_CLAIMED)
		return;
	permit_hurry(ledger_permits(q->config.ledger),
	    (int)delivery_at(q, n)->leg, (uint32_t)delivery_at(q, n)->domain,
	    q->now_us);
	if (waits_for_time(delivery_at(q, n))) {
		place_take(q, n);
		delivery_at(q, n)->due_us = q->now_us;
		place_put(q, n);
	}
	breaker_hurry(q, delivery_at(q, n)->leg);
}
