/* SPDX-License-Identifier: ISC
 *
 * When to try again, and when to give up (D10). Ages are monotonic: a clock
 * that is set ends no lifetime.
 */
#include "relay/queue/queue_int.h"

int64_t queue_next_due(struct queue *q, unsigned attempts, int64_t now_us)
{
	const struct conf *c = q->conf;
	unsigned step = attempts == 0 ? 0 : attempts - 1;
	unsigned last = (unsigned)c->retry.steps - 1;
	int64_t wait_us = c->retry.steps_ms[step < last ? step : last] * 1000;
	int64_t spread = wait_us / 100 * c->retry.jitter_percent;

	return now_us + wait_us - spread +
	       (int64_t)rng_below(q->config.rng, 2 * (uint64_t)spread + 1);
}

void queue_leg_slow(struct queue *q, int leg, uint64_t sender)
{
	struct ledger_slow slow = ledger_slowed(q->config.ledger, leg, sender);

	queue_tick(q);
	if (slow.until_us > q->now_us)
		return;
	slow.until_us = queue_next_due(q, ++slow.times, q->now_us);
	ledger_slow(q->config.ledger, leg, sender, slow);
}

void queue_leg_slow_end(struct queue *q, int leg, uint64_t sender)
{
	ledger_slow_end(q->config.ledger, leg, sender);
}

void queue_hurry(struct queue *q, uint64_t id, int leg)
{
	uint32_t msg = id_tree_find(q, id);

	if (msg != 0)
		queue_leg_slow_end(q, leg, message_at(q, msg)->sender);
}

void queue_stopped(struct queue *q, int64_t since_us)
{
	queue_tick(q);
	q->stop_from_us = since_us - q->wall_us;
	q->stop_to_us = q->now_us;
}

/* A lifetime that ended while nothing could be tried has one more attempt.
 * Time without the leg since then moves that end, too. */
static int64_t after_stop(const struct queue *q, const struct delivery *d,
    int64_t end_us)
{
	int64_t down = down_us(q, (int)d->leg, q->stop_to_us);
	int64_t was = end_us - down;

	if (d->tried || was <= q->stop_from_us || was > q->stop_to_us)
		return end_us;
	return q->stop_to_us + q->conf->retry.lifetime_ms * 1000 + down;
}

int64_t retry_end_us(const struct queue *q, const struct delivery *d)
{
	const struct conf_leg *leg = conf_leg_by_id(q->conf, (int)d->leg);
	int64_t end = d->created_us + q->conf->retry.lifetime_ms * 1000;
	int64_t down, most = q->conf->retry.suspended_ms * 1000;

	if (q->conf->soft_bounce || (leg != NULL && leg->soft_bounce))
		return INT64_MAX;
	/* A young delivery needs no look at the leg's past. */
	if (q->now_us <= end)
		return end;
	down = down_us(q, (int)d->leg, d->created_us);
	return after_stop(q, d, end + (down < most ? down : most));
}

bool retry_expired(const struct queue *q, const struct delivery *d)
{
	return q->now_us > retry_end_us(q, d);
}
