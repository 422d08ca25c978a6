/* SPDX-License-Identifier: ISC
 *
 * Mail of a direct egress whose recipient domain gets no permit: it waits in a
 * list of its domain, or, when the domain might go and the unproven ones have
 * all that they may have, in one list of the leg. So it costs nothing, and is
 * in front of no other mail. A domain that cannot be reached has a timer in the
 * wheel, which lets one delivery go.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"

enum { BUCKETS_MASK = QUEUE_BACKLOGS - 1 };

static uint32_t *bucket(struct queue *q, uint32_t name)
{
	return &q->backlog[(name >> 8 ^ name) & BUCKETS_MASK];
}

uint32_t backlog_find(struct queue *q, uint32_t name)
{
	uint32_t b = *bucket(q, name);

	while (b != 0 && backlog_at(q, b)->name != name)
		b = backlog_at(q, b)->next;
	return b;
}

/* An entry that is no delivery: of no message. */
static uint32_t mark_new(struct queue *q, uint32_t b)
{
	uint32_t n = slab_new(&q->deliveries);
	struct delivery *d = delivery_at(q, n);

	d->prev = d->next = n;
	d->sibling = b;
	return n;
}

static uint32_t make(struct queue *q, uint32_t name)
{
	uint32_t b = slab_new(&q->backlogs), *to = bucket(q, name);
	struct backlog *l = backlog_at(q, b);

	l->name = name;
	l->head = mark_new(q, b);
	l->timer = mark_new(q, b);
	l->next = *to;
	*to = b;
	q->in_backlogs.domains++;
	return b;
}

void backlog_timer_stop(struct queue *q, uint32_t timer)
{
	struct delivery *d = delivery_at(q, timer);

	if (d->place == PLACE_WHEEL)
		list_take(q, timer);
	d->place = PLACE_NONE;
}

void backlog_timer(struct queue *q, struct backlog *l, int64_t until_us)
{
	struct delivery *d = delivery_at(q, l->timer);

	if (d->place == PLACE_WHEEL && d->due_us == until_us)
		return;
	backlog_timer_stop(q, l->timer);
	d->due_us = until_us;
	wheel_add(q, l->timer);
}

static void end(struct queue *q, uint32_t b)
{
	struct backlog *l = backlog_at(q, b);
	uint32_t *to = bucket(q, l->name);

	while (*to != b)
		to = &backlog_at(q, *to)->next;
	*to = l->next;
	backlog_timer_stop(q, l->timer);
	slab_free(&q->deliveries, l->timer);
	slab_free(&q->deliveries, l->head);
	slab_free(&q->backlogs, b);
	PH_ASSERT(q->in_backlogs.domains > 0);
	q->in_backlogs.domains--;
}

/* ---- in and out -------------------------------------------------------- */

static void add_unproven(struct queue *q, uint32_t n, bool doubtful)
{
	struct delivery *d = delivery_at(q, n);

	list_append(q, (doubtful ? HEAD_DOUBTFUL : HEAD_NEW) +
	    (uint32_t)d->leg, n);
	d->place = doubtful ? PLACE_DOUBTFUL : PLACE_NEW;
	q->leg[d->leg].unproven++;
}

void backlog_add(struct queue *q, uint32_t n, const struct permit_word *w)
{
	struct delivery *d = delivery_at(q, n);
	uint32_t b;

	PH_ASSERT(d->place == PLACE_NONE && w->answer != PERMIT_GRANTED);
	if (w->answer == PERMIT_NEW || w->answer == PERMIT_DOUBTFUL) {
		add_unproven(q, n, w->answer == PERMIT_DOUBTFUL);
		return;
	}
	b = backlog_find(q, backlog_name(d));
	if (b == 0)
		b = make(q, backlog_name(d));
	list_append(q, backlog_at(q, b)->head, n);
	d->place = PLACE_BACKLOG;
	backlog_at(q, b)->n++;
	q->in_backlogs.deliveries++;
	if (w->answer == PERMIT_WAIT)
		backlog_timer(q, backlog_at(q, b), w->until_us);
}

void backlog_left(struct queue *q, uint32_t n)
{
	const struct delivery *d = delivery_at(q, n);
	uint32_t b;

	if (d->place != PLACE_BACKLOG) {
		PH_ASSERT(q->leg[d->leg].unproven > 0);
		q->leg[d->leg].unproven--;
		return;
	}
	b = backlog_find(q, backlog_name(d));
	PH_ASSERT(b != 0 && backlog_at(q, b)->n > 0);
	PH_ASSERT(q->in_backlogs.deliveries > 0);
	q->in_backlogs.deliveries--;
	if (--backlog_at(q, b)->n == 0)
		end(q, b);
}
