/* SPDX-License-Identifier: ISC
 *
 * The step of the queue, its birth and its death.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/mem.h"

enum {
	DUE_A_STEP = 20000, /* made ready, about a millisecond */
	IDLE_MS = 1000,
	SLOT_POLL_MS = 100,
};

static int ms_until(const struct queue *q, int64_t us, int most)
{
	int64_t ms = (us - q->now_us + 999) / 1000;

	return us == INT64_MAX || ms > most ? most : ms < 1 ? 1 : (int)ms;
}

/* No call tells the queue when a slot is given back without a result. */
static int until_slot(const struct queue *q, int leg, int most)
{
	unsigned gates = ledger_gates(q->config.ledger, leg);
	int64_t scout_us = q->leg[leg].scout_us;

	if ((q->leg[leg].ready == 0 && q->leg[leg].unproven == 0) ||
	    ((gates & ~(unsigned)GATE_BREAKER) != 0 &&
		!breaker_may_try(q, leg)))
		return most;
	if (gates == GATE_BREAKER && q->leg[leg].breaker != BREAKER_OPEN)
		return most;
	if (gates == GATE_BREAKER && scout_us > q->now_us)
		return ms_until(q, scout_us, most);
	return most < SLOT_POLL_MS ? most : SLOT_POLL_MS;
}

static int until_next(const struct queue *q)
{
	int ms = ms_until(q, wheel_next_us(q), IDLE_MS);

	for (int leg = 0; leg < NAMES_MAX; leg++)
		ms = until_slot(q, leg, ms);
	return ms_until(q, q->failed_us, ms);
}

static void due(struct queue *q, uint32_t n)
{
	if (delivery_at(q, n)->msg == 0)
		backlog_due(q, n);
	else
		place_again(q, n);
}

int queue_step(struct queue *q)
{
	bool more;

	queue_tick(q);
	/* Before what is due is claimed: nothing is always in a hand then. */
	notice_sweep(q);
	more = wheel_turn(q, DUE_A_STEP, due);
	more |= wake_step(q);
	more |= start_ready(q);
	sweep(q);
	return more ? 0 : until_next(q);
}

/* ---- birth and death --------------------------------------------------- */

static void make_heads(struct queue *q)
{
	for (uint32_t i = 1; i < HEADS; i++) {
		struct delivery *d;

		slab_new(&q->deliveries);
		d = delivery_at(q, i);
		d->prev = d->next = i;
	}
	for (uint32_t i = 1; i < MESSAGE_HEADS; i++) {
		struct message *m;

		slab_new(&q->messages);
		m = message_at(q, i);
		m->prev = m->next = i;
	}
}

struct queue *queue_new(const struct queue_config *c, struct conf *conf)
{
	struct queue *q = NEW(struct queue);

	q->config = *c;
	q->conf = conf_ref(conf);
	atomic_store(&q->limit, conf->queue.max);
	slab_init(&q->deliveries, sizeof(struct delivery));
	slab_init(&q->messages, sizeof(struct message));
	slab_init(&q->backlogs, sizeof(struct backlog));
	make_heads(q);
	q->failed_us = INT64_MAX;
	queue_tick(q);
	wheel_init(q);
	return q;
}

void queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	chain_fini(q);
	slab_fini(&q->deliveries);
	slab_fini(&q->messages);
	slab_fini(&q->backlogs);
	conf_unref(q->conf);
	mem_free(q->job);
	mem_free(q->served);
	mem_free(q);
}

void queue_configure(struct queue *q, struct conf *conf)
{
	conf_ref(conf);
	conf_unref(q->conf);
	q->conf = conf;
	atomic_store(&q->limit, conf->queue.max);
	queue_tick(q);
	backlog_look_all(q);
}
