/* SPDX-License-Identifier: ISC
 *
 * Lets mail out of the backlogs of domains, as permits allow: whenever an
 * attempt to the domain has ended, or the domain has waited.
 */
#include "relay/queue/queue_int.h"

/* As many as the domain has room for are ready; the last one out ends the
 * backlog. */
static void release(struct queue *q, uint32_t b)
{
	struct backlog *l = backlog_at(q, b);
	int leg = (int)(l->name & 0xff);
	struct permit_word w = permit_look(ledger_permits(q->config.ledger),
	    leg, l->name >> 8, q->now_us);
	uint32_t head = l->head, left = l->n;

	if (w.answer == PERMIT_WAIT)
		backlog_timer(q, l, w.until_us);
	for (; left > 0 && w.room > 0; left--, w.room--) {
		uint32_t n = delivery_at(q, head)->next;

		place_take(q, n);
		place_ready(q, n);
	}
}

void backlog_look(struct queue *q, uint32_t n)
{
	const struct delivery *d = delivery_at(q, n);
	uint32_t b = d->domain == 0 ? 0 : backlog_find(q, backlog_name(d));

	if (b != 0)
		release(q, b);
}

void backlog_due(struct queue *q, uint32_t timer)
{
	backlog_timer_stop(q, timer);
	release(q, delivery_at(q, timer)->sibling);
}

void backlog_look_all(struct queue *q)
{
	for (size_t i = 0; i < QUEUE_BACKLOGS; i++) {
		uint32_t b = q->backlog[i], next;

		for (; b != 0; b = next) {
			next = backlog_at(q, b)->next;
			release(q, b);
		}
	}
}

/* Each list has a share of its own; a domain that is now of the other kind goes
 * there. */
static uint32_t first_of(struct queue *q, uint32_t head,
    enum permit_answer own)
{
	struct permits *p = ledger_permits(q->config.ledger);
	uint32_t n;

	for (int i = 0; i < ASIDE_A_TURN &&
	     (n = delivery_at(q, head)->next) != head; i++) {
		const struct delivery *d = delivery_at(q, n);
		struct permit_word w = permit_look(p, (int)d->leg,
		    (uint32_t)d->domain, q->now_us);

		if (w.answer == PERMIT_GRANTED)
			return n;
		if (w.answer == own)
			break;
		place_take(q, n);
		backlog_add(q, n, &w);
	}
	return 0;
}

uint32_t backlog_unproven(struct queue *q, int leg)
{
	uint32_t n = first_of(q, HEAD_NEW + (uint32_t)leg, PERMIT_NEW);

	return n != 0 ? n : first_of(q, HEAD_DOUBTFUL + (uint32_t)leg,
				PERMIT_DOUBTFUL);
}
