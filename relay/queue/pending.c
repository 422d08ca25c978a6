/* SPDX-License-Identifier: ISC
 *
 * Messages whose routes are to be resolved anew, oldest first.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"

void pending_add(struct queue *q, uint32_t head, uint32_t msg)
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

void pending_remove(struct queue *q, uint32_t msg)
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
