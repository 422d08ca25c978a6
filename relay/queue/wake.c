/* SPDX-License-Identifier: ISC
 *
 * Finds the mail that a changed row concerns. A change of a recipient walks the
 * chain of its deliveries, one of a domain's row all messages, a slice a step.
 * Messages so found wait until the daemon resolves their routes anew, oldest
 * first, a few at a time; until then none of their deliveries is started.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"

enum { WALK_SLICE = 1000 };
#define FAILED_US INT64_C(1000000)

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
	uint32_t msg = id_tree_find(q, id);

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
		uint32_t msg = id_tree_after(q, q->walk_id);

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
	uint32_t msg = id_tree_find(q, id);
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
	/* It was looked up before the change that asked for it, or another. */
	if (m->again || change < q->reading)
		pending_add(q, HEAD_PENDING, msg);
	m->again = 0;
	note_change(q, msg, change);
}
