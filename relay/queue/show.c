/* SPDX-License-Identifier: ISC
 *
 * The queue as others see it: rows, counts, what is under way.
 */
#include "relay/queue/queue_int.h"
#include "relay/queue/queue_people.h"

enum { WALK_RUN = 64 };

static void row_of(const struct queue *q, const struct message *m,
    const struct delivery *d, struct queue_row *out)
{
	*out = (struct queue_row){.id = m->id, .size = m->size,
	    .claimed = d->place == PLACE_CLAIMED,
	    .item = {.number = d->number, .rcpt = d->rcpt,
		.leg = (uint16_t)d->leg, .role = d->role, .state = d->state,
		.uncertain = d->uncertain, .reason = d->reason,
		.flags = d->flags, .attempts = (uint16_t)d->attempts,
		.hash = d->hash, .domain = (uint32_t)d->domain,
		.change = d->change,
		.created_us = d->created_us + q->wall_us,
		.due_us = d->due_us + q->wall_us}};
}

static unsigned rows_of(const struct queue *q, uint32_t msg,
    struct queue_row *rows, unsigned max)
{
	const struct message *m = message_at(q, msg);
	unsigned k = 0;

	for (uint32_t n = m->first; n != 0 && k < max;
	     n = delivery_at(q, n)->sibling)
		row_of(q, m, delivery_at(q, n), &rows[k++]);
	return k;
}

unsigned queue_message(const struct queue *q, uint64_t id,
    struct queue_row *rows, unsigned max)
{
	uint32_t msg = id_tree_find(q, id);

	return msg == 0 ? 0 : rows_of(q, msg, rows, max);
}

static uint32_t find_delivery(const struct queue *q, uint64_t id,
    uint32_t number)
{
	uint32_t msg = id_tree_find(q, id);
	uint32_t n = msg == 0 ? 0 : message_at(q, msg)->first;

	while (n != 0 && delivery_at(q, n)->number != number)
		n = delivery_at(q, n)->sibling;
	return n;
}

bool queue_get(const struct queue *q, uint64_t id, uint32_t number,
    struct delivery_ref *out)
{
	uint32_t n = find_delivery(q, id, number);
	struct queue_row row;

	if (n == 0)
		return false;
	row_of(q, message_at(q, id_tree_find(q, id)), delivery_at(q, n), &row);
	*out = row.item;
	return true;
}

/* Those of one message from a number on. */
static unsigned walk_message(const struct queue *q, uint32_t msg,
    struct queue_at *at, struct queue_row *rows, unsigned max)
{
	const struct message *m = message_at(q, msg);
	unsigned k = 0;

	for (uint32_t n = m->first; n != 0 && k < max;
	     n = delivery_at(q, n)->sibling) {
		const struct delivery *d = delivery_at(q, n);

		if (d->number < at->number)
			continue;
		row_of(q, m, d, &rows[k++]);
		at->number = (uint32_t)d->number + 1;
	}
	return k;
}

unsigned queue_walk(struct queue *q, struct queue_at *at,
    struct queue_row *rows, unsigned max)
{
	uint32_t msg[WALK_RUN];
	unsigned k = 0, n = 1;

	queue_tick(q);
	msg[0] = id_tree_find(q, at->id);
	if (msg[0] != 0)
		k = walk_message(q, msg[0], at, rows, max);
	while (k < max && n > 0) {
		n = id_tree_run(q, at->id, msg, WALK_RUN);
		for (unsigned i = 0; i < n && k < max; i++) {
			*at = (struct queue_at){message_at(q, msg[i])->id, 0};
			k += walk_message(q, msg[i], at, rows + k, max - k);
		}
	}
	return k;
}

unsigned queue_walk_message(struct queue *q, struct queue_at *at,
    struct queue_row *rows, unsigned max)
{
	uint32_t msg = id_tree_find(q, at->id);

	queue_tick(q);
	return msg == 0 ? 0 : walk_message(q, msg, at, rows, max);
}

void queue_recipient(struct queue *q, uint64_t hash,
    struct queue_recipient *out)
{
	*out = (struct queue_recipient){{0}, 0};
	for (uint32_t n = chain_newest(q, hash); n != 0;
	     n = delivery_at(q, n)->chain_next) {
		const struct delivery *d = delivery_at(q, n);

		if (d->hash != hash)
			continue;
		out->state[d->state]++;
		out->in_flight += d->place == PLACE_CLAIMED;
	}
}

static unsigned oldest_of(const struct queue *q, const struct message *m,
    uint64_t oldest[NAMES_MAX], unsigned *missing)
{
	unsigned k = 0;

	for (uint32_t n = m->first; n != 0; n = delivery_at(q, n)->sibling) {
		const struct delivery *d = delivery_at(q, n);

		k++;
		if (!waits_for_time(d) || oldest[d->leg] != 0)
			continue;
		oldest[d->leg] = m->id;
		--*missing;
	}
	return k;
}

static unsigned oldest_missing(const struct queue *q,
    const uint64_t oldest[NAMES_MAX])
{
	unsigned k = 0;

	for (int leg = 0; leg < NAMES_MAX; leg++) {
		const uint64_t *n = q->counts.leg[leg].state;

		k += oldest[leg] == 0 && n[D_QUEUED] + n[D_DEFERRED] != 0;
	}
	return k;
}

bool queue_oldest(struct queue *q, struct queue_at *at,
    uint64_t oldest[NAMES_MAX], unsigned max)
{
	unsigned seen = 0, missing = oldest_missing(q, oldest);

	while (seen < max && missing > 0) {
		uint32_t msg = id_tree_after(q, at->id);

		if (msg == 0)
			return false;
		at->id = message_at(q, msg)->id;
		seen += oldest_of(q, message_at(q, msg), oldest, &missing);
	}
	return missing > 0;
}

void queue_count(const struct queue *q, struct queue_counts *out)
{
	*out = q->counts;
}

const struct live_flow *queue_flow(const struct queue *q)
{
	return q->flow;
}

bool queue_claimed(const struct queue *q, uint64_t id, uint32_t number)
{
	uint32_t n = find_delivery(q, id, number);

	return n != 0 && delivery_at(q, n)->place == PLACE_CLAIMED;
}

static unsigned older(const struct delivery *d, uint64_t change)
{
	return d->place == PLACE_CLAIMED && d->change < change;
}

unsigned queue_older_attempts(const struct queue *q,
    const struct queue_people *people, uint64_t change)
{
	unsigned k = 0;

	for (uint32_t n = delivery_at(q, HEAD_CLAIMED)->next;
	     n != HEAD_CLAIMED; n = delivery_at(q, n)->next) {
		const struct delivery *d = delivery_at(q, n);

		if (older(d, change) && (people == NULL ||
		    queue_people_may(people, d->hash)))
			k++;
	}
	return k;
}

unsigned queue_open_at(const struct queue *q, uint64_t hash, int leg)
{
	unsigned k = 0;

	for (uint32_t n = chain_newest(q, hash); n != 0;
	     n = delivery_at(q, n)->chain_next) {
		const struct delivery *d = delivery_at(q, n);

		k += d->hash == hash && d->leg == (unsigned)leg &&
		     (d->place == PLACE_CLAIMED || waits_for_time(d));
	}
	return k;
}
