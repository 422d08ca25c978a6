/* SPDX-License-Identifier: ISC
 *
 * Deliveries by the time they are due: a hierarchical timing wheel. An entry
 * is on the level of the highest group of bits in which its tick differs
 * from now, so adding and taking out are a few instructions however many
 * wait, and each is moved down at most WHEEL_LEVELS times. A tick is 2^14 us
 * (16 ms); six levels reach past all that due_us can say.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"

/* Rounded up: nothing is early. */
static uint64_t tick_of(int64_t us)
{
	return us <= 0 ? 0 :
			 ((uint64_t)us + (1 << TICK_BITS) - 1) >> TICK_BITS;
}

static int level_of(uint64_t now, uint64_t tick)
{
	return (63 - __builtin_clzll((now ^ tick) | 1)) / SLOT_BITS;
}

static uint32_t head_of(int level, unsigned slot)
{
	return HEAD_WHEEL + (uint32_t)level * WHEEL_SLOTS + slot;
}

void wheel_add(struct queue *q, uint32_t n)
{
	struct wheel *w = &q->wheel;
	uint64_t tick = tick_of(delivery_at(q, n)->due_us);
	unsigned slot;
	int level;

	PH_ASSERT(delivery_at(q, n)->place == PLACE_NONE);
	if (tick <= w->now)
		tick = w->now + 1;
	level = level_of(w->now, tick);
	slot = (tick >> (SLOT_BITS * level)) & (WHEEL_SLOTS - 1);
	w->occupied[level] |= UINT64_C(1) << slot;
	delivery_at(q, n)->place = PLACE_WHEEL;
	list_append(q, head_of(level, slot), n);
}

/* The next slot that may hold something, and the tick it begins at. */
static bool next_slot(const struct wheel *w, int *level, unsigned *slot,
    uint64_t *tick)
{
	for (int l = 0; l < WHEEL_LEVELS; l++) {
		int above = SLOT_BITS * (l + 1);

		if (w->occupied[l] == 0)
			continue;
		*level = l;
		*slot = (unsigned)__builtin_ctzll(w->occupied[l]);
		*tick = (w->now >> above << above) |
			((uint64_t)*slot << (SLOT_BITS * l));
		return true;
	}
	return false;
}

/* Empties a slot that now has reached. */
static unsigned empty_slot(struct queue *q, uint32_t head, unsigned max,
    wheel_again_fn again)
{
	uint32_t n;
	unsigned done = 0;

	while ((n = delivery_at(q, head)->next) != head && done < max) {
		again(q, n);
		done++;
	}
	return done;
}

bool wheel_turn(struct queue *q, unsigned max, wheel_again_fn again)
{
	struct wheel *w = &q->wheel;
	uint64_t to = (uint64_t)q->now_us >> TICK_BITS, tick;
	uint32_t head;
	unsigned slot;
	int level;

	while (next_slot(w, &level, &slot, &tick) && tick <= to) {
		if (max == 0)
			return true;
		if (tick > w->now)
			w->now = tick;
		head = head_of(level, slot);
		max -= empty_slot(q, head, max, again);
		if (delivery_at(q, head)->next == head)
			w->occupied[level] &= ~(UINT64_C(1) << slot);
	}
	if (to > w->now)
		w->now = to;
	return false;
}

int64_t wheel_next_us(const struct queue *q)
{
	uint64_t tick;
	unsigned slot;
	int level;

	return next_slot(&q->wheel, &level, &slot, &tick) ?
	    (int64_t)(tick << TICK_BITS) : INT64_MAX;
}

void wheel_init(struct queue *q)
{
	q->wheel.now = (uint64_t)q->now_us >> TICK_BITS;
}
