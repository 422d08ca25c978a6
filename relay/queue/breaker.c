/* SPDX-License-Identifier: ISC
 *
 * A leg that cannot be reached is not asked again and again by everything
 * that waits for it: after a few failures in a row its gate shuts, and from
 * then on one delivery at a time tries it. The first answer, good or bad,
 * opens it again. How long it was shut: down.c.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"

enum { FAILURES = 5 };
#define UNTRIED_US INT64_C(1000000)

/* ---- closed, open, half open ------------------------------------------- */

static void shut(struct queue *q, int leg)
{
	struct leg *l = &q->leg[leg];

	l->breaker = BREAKER_OPEN;
	l->scout = 0;
	l->scout_us = q->now_us + q->conf->retry.steps_ms[0] * 1000;
	ledger_gate(q->config.ledger, leg, GATE_BREAKER, true);
	down_mark(q, leg);
}

static void reopen(struct queue *q, int leg)
{
	struct leg *l = &q->leg[leg];

	l->breaker = BREAKER_CLOSED;
	l->scout = 0;
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

bool breaker_may_scout(const struct queue *q, int leg)
{
	return q->leg[leg].breaker == BREAKER_OPEN &&
	       q->now_us >= q->leg[leg].scout_us;
}

/* An administrator asks for it, and may know that the leg is back. */
void breaker_hurry(struct queue *q, int leg)
{
	if (q->leg[leg].breaker == BREAKER_OPEN)
		q->leg[leg].scout_us = q->now_us;
}

void breaker_scout(struct queue *q, int leg, uint32_t n)
{
	PH_ASSERT(q->leg[leg].breaker == BREAKER_OPEN);
	PH_ASSERT(q->leg[leg].scout == 0 && delivery_at(q, n)->leg == leg);
	q->leg[leg].breaker = BREAKER_HALF_OPEN;
	q->leg[leg].scout = n;
}

static void trial_unclaimed(struct queue *q, struct leg *l)
{
	l->trial = 0;
	l->trial_wanted = true;
	l->trial_us = q->now_us + UNTRIED_US;
}

void breaker_unclaimed(struct queue *q, uint32_t n)
{
	struct leg *l = &q->leg[delivery_at(q, n)->leg];

	if (l->trial == n)
		trial_unclaimed(q, l);
	if (l->scout != n)
		return;
	PH_ASSERT(l->breaker == BREAKER_HALF_OPEN);
	l->scout = 0;
	l->breaker = BREAKER_OPEN;
	l->scout_us = q->now_us + UNTRIED_US;
}

/* ---- trials ------------------------------------------------------------ */

void queue_leg_trial(struct queue *q, int leg)
{
	struct leg *l = &q->leg[leg];

	queue_tick(q);
	l->trial_wanted = true;
	l->trial_us = q->now_us;
}

bool breaker_may_try(const struct queue *q, int leg)
{
	const struct leg *l = &q->leg[leg];

	return l->trial_wanted && l->trial == 0 && q->now_us >= l->trial_us;
}

void breaker_try(struct queue *q, int leg, uint32_t n)
{
	PH_ASSERT(q->leg[leg].trial == 0 && delivery_at(q, n)->leg == leg);
	q->leg[leg].trial_wanted = false;
	q->leg[leg].trial = n;
}

void queue_leg_shun(struct queue *q, int leg, uint64_t sender)
{
	struct leg *l = &q->leg[leg];
	struct message m = {.sender = sender & QUEUE_SENDER_MASK};

	if (!breaker_shuns(q, leg, &m))
		l->shun[l->shuns++ % QUEUE_SHUN] = m.sender;
}

void queue_leg_shun_none(struct queue *q, int leg)
{
	q->leg[leg].shuns = 0;
}

bool breaker_shuns(const struct queue *q, int leg, const struct message *m)
{
	const struct leg *l = &q->leg[leg];
	unsigned n = l->shuns < QUEUE_SHUN ? l->shuns : QUEUE_SHUN;

	for (unsigned i = 0; i < n; i++)
		if (l->shun[i] == m->sender)
			return true;
	return false;
}

bool queue_leg_tried(struct queue *q, int leg, uint64_t id, uint32_t number)
{
	struct leg *l = &q->leg[leg];
	const struct delivery *d = delivery_at(q, l->trial);

	if (l->trial == 0 || d->number != number ||
	    message_at(q, d->msg)->id != id)
		return false;
	l->trial = 0;
	return true;
}

/* A trial that is under way was of the state before. */
void queue_leg_suspend(struct queue *q, int leg, bool suspended)
{
	queue_tick(q);
	ledger_gate(q->config.ledger, leg, GATE_SUSPENDED, suspended);
	q->leg[leg].trial_wanted = false;
	q->leg[leg].trial = 0;
	down_mark(q, leg);
}

enum breaker queue_leg_breaker(const struct queue *q, int leg)
{
	return q->leg[leg].breaker;
}
