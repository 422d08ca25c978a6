/* SPDX-License-Identifier: ISC
 *
 * The time of the queue, and the lists that its entries are in. Below all its
 * other files.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"

#define WALL_STEP_US INT64_C(100000)

/* The two clocks drift against each other by less than a step between jumps
 * of the wall clock, and stamps should not tremble. */
void queue_tick(struct queue *q)
{
	int64_t wall, off;

	q->now_us = q->config.clock->mono_us(q->config.clock);
	wall = clock_wall_us(q->config.clock);
	off = wall - q->now_us;
	if (off - q->wall_us > WALL_STEP_US || q->wall_us - off > WALL_STEP_US)
		q->wall_us = off;
}

int64_t queue_bounded(int64_t v, int64_t max)
{
	return v > max ? max : v < -max ? -max : v;
}

void list_insert(struct queue *q, uint32_t at, uint32_t n)
{
	struct delivery *a = delivery_at(q, at), *d = delivery_at(q, n);

	PH_ASSERT(n >= HEADS && delivery_at(q, a->next)->prev == at);
	d->prev = at;
	d->next = a->next;
	delivery_at(q, a->next)->prev = n;
	a->next = n;
}

void list_take(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);

	PH_ASSERT(delivery_at(q, d->prev)->next == n &&
		  delivery_at(q, d->next)->prev == n);
	delivery_at(q, d->prev)->next = d->next;
	delivery_at(q, d->next)->prev = d->prev;
}

void list_append(struct queue *q, uint32_t head, uint32_t n)
{
	list_insert(q, delivery_at(q, head)->prev, n);
}
