/* SPDX-License-Identifier: ISC
 *
 * A leg that cannot be reached is not asked again and again by everything
 * that waits for it: after a few failures in a row its gate shuts, and from
 * then on one delivery at a time tries it. The first answer, good or bad,
 * opens it again. How long it was shut: down.c.
 */
#include "relay/queue/queue_int.h"

enum { FAILURES = 5 };
#define UNTRIED_US INT64_C(1000000)

/* ---- closed, open, half open ------------------------------------------- */

static void shut(struct queue *q, int leg)
{
	struct leg *l = &q->leg[leg];

	l->breaker = BREAKER_OPEN;
	l->probe = 0;
	l->probe_us = q->now_us + q->conf->retry.steps_ms[0] * 1000;
	ledger_gate(q->config.ledger, leg, GATE_BREAKER, true);
	down_mark(q, leg);
}

static void reopen(struct queue *q, int leg)
{
	struct leg *l = &q->leg[leg];

	l->breaker = BREAKER_CLOSED;
	l->probe = 0;
	ledger_gate(q->config.ledger, leg, GATE_BREAKER, false);
	down_mark(q, leg);
}

void queue_leg_result(struct queue *q, int leg, bool reached)
{
	struct leg *l = &q->leg[leg];

	queue_tick(q);
	l->failures = reached ? 0 : l->failures + 1;
	if (reached && l->breaker != BREAKER_CLOSED)
		reopen(q, leg);
	else if (!reached && (l->breaker == BREAKER_HALF_OPEN ||
				 (l->breaker == BREAKER_CLOSED &&
				     l->failures >= FAILURES)))
		shut(q, leg);
}

bool breaker_may_probe(const struct queue *q, int leg)
{
	return q->leg[leg].breaker == BREAKER_OPEN &&
	       q->now_us >= q->leg[leg].probe_us;
}

/* Somebody asks for it: he may know that the leg is back. */
void breaker_hurry(struct queue *q, int leg)
{
	if (q->leg[leg].breaker == BREAKER_OPEN)
		q->leg[leg].probe_us = q->now_us;
}

void breaker_probe(struct queue *q, int leg, uint32_t n)
{
	q->leg[leg].breaker = BREAKER_HALF_OPEN;
	q->leg[leg].probe = n;
}

void breaker_unclaimed(struct queue *q, uint32_t n)
{
	struct leg *l = &q->leg[delivery_at(q, n)->leg];

	if (l->probe != n)
		return;
	l->probe = 0;
	l->breaker = BREAKER_OPEN;
	l->probe_us = q->now_us + UNTRIED_US;
}

void queue_leg_suspend(struct queue *q, int leg, bool suspended)
{
	queue_tick(q);
	ledger_gate(q->config.ledger, leg, GATE_SUSPENDED, suspended);
	down_mark(q, leg);
}

enum breaker queue_leg_breaker(const struct queue *q, int leg)
{
	return q->leg[leg].breaker;
}
