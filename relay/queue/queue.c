/* SPDX-License-Identifier: ISC
 *
 * The entries of the queue and the places that they are in. Every change of
 * an entry goes through queue_insert(), queue_set() and queue_unclaim(), and
 * place_put() alone decides where it waits.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum {
	DUE_A_STEP = 20000, /* made ready, about a millisecond */
	ORDER_MAX = 32, /* how far an older one moves ahead when ready */
	IDLE_MS = 1000,
	SLOT_POLL_MS = 100,
	ATTEMPTS_MAX = (1 << 15) - 1,
};
#define WALL_STEP_US INT64_C(100000)
#define DUE_MAX ((INT64_C(1) << 47) - 1)
#define CREATED_MAX ((INT64_C(1) << 55) - 1)

/* ---- time -------------------------------------------------------------- */

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

static int64_t bounded(int64_t v, int64_t max)
{
	return v > max ? max : v < -max ? -max : v;
}

/* ---- lists and places -------------------------------------------------- */

static void insert_after(struct queue *q, uint32_t at, uint32_t n)
{
	struct delivery *a = delivery_at(q, at), *d = delivery_at(q, n);

	PH_ASSERT(n >= HEADS && delivery_at(q, a->next)->prev == at);
	d->prev = at;
	d->next = a->next;
	delivery_at(q, a->next)->prev = n;
	a->next = n;
}

void list_append(struct queue *q, uint32_t head, uint32_t n)
{
	insert_after(q, delivery_at(q, head)->prev, n);
}

static void ready_count(struct queue *q, int leg, int add)
{
	PH_ASSERT(add > 0 || q->leg[leg].ready > 0);
	q->leg[leg].ready += (unsigned)add;
	ledger_set_ready(q->config.ledger, leg, q->leg[leg].ready);
}

void place_take(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);

	if (d->place == PLACE_NONE)
		return;
	PH_ASSERT(delivery_at(q, d->prev)->next == n &&
		  delivery_at(q, d->next)->prev == n);
	delivery_at(q, d->prev)->next = d->next;
	delivery_at(q, d->next)->prev = d->prev;
	if (d->place == PLACE_READY)
		ready_count(q, (int)d->leg, -1);
	if (d->place == PLACE_CLAIMED) {
		PH_ASSERT(q->counts.leg[d->leg].claimed > 0);
		q->counts.leg[d->leg].claimed--;
	}
	d->place = PLACE_NONE;
}

/* Oldest message first, as far as that can be had by looking a little way
 * back: what becomes ready together was resolved or read out of order. */
void place_ready(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);
	uint32_t head = HEAD_READY + (uint32_t)d->leg;
	uint32_t at = delivery_at(q, head)->prev;
	uint64_t id = message_at(q, d->msg)->id;

	PH_ASSERT(d->place == PLACE_NONE && waits_for_time(d));
	for (int i = 0; at != head && i < ORDER_MAX &&
	     message_at(q, delivery_at(q, at)->msg)->id > id; i++)
		at = delivery_at(q, at)->prev;
	insert_after(q, at, n);
	d->place = PLACE_READY;
	ready_count(q, (int)d->leg, 1);
}

void place_put(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);

	PH_ASSERT(d->place == PLACE_NONE);
	if (!waits_for_time(d) ||
	    message_at(q, d->msg)->resolve != RESOLVE_NONE)
		return;
	if (d->due_us > q->now_us)
		wheel_add(q, n);
	else
		place_ready(q, n);
}

/* Changes that were applied may not have reached it yet: its message waits to
 * be resolved, or for the walk that a domain's row began. */
static bool is_planned(const struct queue *q, const struct message *m)
{
	return m->resolve == RESOLVE_NONE &&
	       (!q->walking || m->id <= q->walk_id);
}

/* The worker looks the route up after this, so the attempt is made under the
 * newest change that is known here, or a later one. The deliveries that this
 * change names must be there already: what an attempt brings says so. */
void place_claim(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);

	PH_ASSERT(d->place != PLACE_CLAIMED && !d->woken);
	place_take(q, n);
	list_append(q, HEAD_CLAIMED, n);
	d->place = PLACE_CLAIMED;
	q->counts.leg[d->leg].claimed++;
	if (d->change < q->applied && is_planned(q, message_at(q, d->msg)))
		d->change = q->applied;
}

/* ---- entries ----------------------------------------------------------- */

/* Callers ask for the numbers of a message one after another. */
static uint32_t find_number(struct queue *q, uint32_t msg, uint32_t number)
{
	uint32_t n = message_at(q, msg)->first;
	const struct delivery *hint;

	if (q->hint != 0) {
		hint = delivery_at(q, q->hint);
		if (hint->msg == msg && hint->number <= number)
			n = q->hint;
	}
	while (n != 0 && delivery_at(q, n)->number != number)
		n = delivery_at(q, n)->sibling;
	if (n != 0)
		q->hint = n;
	return n;
}

static void count(struct queue *q, const struct delivery *d, bool in)
{
	uint64_t one = in ? 1 : UINT64_MAX;
	uint64_t *all = &q->counts.leg[d->leg].state[d->state];
	uint32_t *live = &message_at(q, d->msg)->live;

	PH_ASSERT(in || *all > 0);
	*all += one;
	if (!dstate_live(d->state))
		return;
	PH_ASSERT(in || *live > 0);
	*live += (uint32_t)one;
}

static void fill(struct queue *q, struct delivery *d,
    const struct queue_item *i)
{
	PH_ASSERT(i->state > D_NONE && i->state < D_STATES);
	PH_ASSERT(i->leg < NAMES_MAX && i->role <= ROLE_COPY);
	d->rcpt = i->rcpt;
	d->leg = i->leg;
	d->role = i->role;
	d->state = i->state;
	d->uncertain = i->uncertain;
	d->reason = i->reason;
	d->flags = i->flags;
	d->attempts = i->attempts < ATTEMPTS_MAX ? i->attempts : ATTEMPTS_MAX;
	d->change = i->change;
	d->created_us = bounded(i->created_us - q->wall_us, CREATED_MAX);
	if (i->due_us != 0)
		d->due_us = bounded(i->due_us - q->wall_us, DUE_MAX);
	else if (i->state == D_PARKED)
		d->due_us = bounded(d->created_us, DUE_MAX);
	else
		d->due_us = q->now_us;
}

static uint32_t entry_new(struct queue *q, uint32_t msg,
    const struct queue_item *i)
{
	uint32_t n = slab_new(&q->deliveries);
	struct delivery *d = delivery_at(q, n);
	struct message *m = message_at(q, msg);

	/* Their order is that of the journal's record. */
	PH_ASSERT(m->last == 0 ||
		  delivery_at(q, m->last)->number < i->number);
	d->msg = msg;
	d->number = i->number;
	d->hash = i->hash;
	fill(q, d, i);
	if (m->last == 0)
		m->first = n;
	else
		delivery_at(q, m->last)->sibling = n;
	m->last = n; /* numbers are only ever added */
	chain_add(q, n);
	count(q, d, true);
	q->counts.deliveries++;
	atomic_fetch_add(&q->held, 1);
	return n;
}

static void entry_free(struct queue *q, uint32_t n)
{
	PH_ASSERT(q->counts.deliveries > 0);
	place_take(q, n);
	chain_remove(q, n);
	count(q, delivery_at(q, n), false);
	if (q->hint == n)
		q->hint = 0;
	slab_free(&q->deliveries, n);
	q->counts.deliveries--;
	atomic_fetch_sub(&q->held, 1);
}

void message_forget_if_over(struct queue *q, uint32_t msg)
{
	struct message *m = message_at(q, msg);
	uint32_t n, next;

	if (m->live != 0 || m->resolve == RESOLVE_ASKED)
		return;
	wake_forget(q, msg);
	for (n = m->first; n != 0; n = next) {
		next = delivery_at(q, n)->sibling;
		entry_free(q, n);
	}
	PH_ASSERT(m->live == 0 && m->resolve == RESOLVE_NONE);
	PH_ASSERT(q->counts.messages > 0);
	index_remove(q, msg);
	slab_free(&q->messages, msg);
	q->counts.messages--;
}

static uint32_t message_new(struct queue *q, uint64_t id, uint64_t size)
{
	uint32_t msg = slab_new(&q->messages);
	struct message *m = message_at(q, msg);

	m->id = id;
	m->size = size;
	index_add(q, msg);
	q->counts.messages++;
	return msg;
}

/* Its claim is over: a wake-up that it slept through counts now. */
static void claim_ended(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);

	PH_ASSERT(d->place == PLACE_CLAIMED);
	place_take(q, n);
	breaker_unclaimed(q, n);
	if (d->woken)
		wake_message(q, d->msg);
	d->woken = 0;
}

/* ---- what comes from outside ------------------------------------------- */

bool queue_full(const struct queue *q)
{
	return atomic_load(&q->held) >= atomic_load(&q->limit);
}

bool queue_insert(struct queue *q, uint64_t id, uint64_t size,
    const struct queue_item *items, unsigned n, bool claimed, bool force)
{
	uint32_t msg;

	queue_tick(q);
	if (!force && queue_full(q))
		return false;
	if (index_find(q, id) != 0)
		return true;
	msg = message_new(q, id, size);
	for (unsigned i = 0; i < n; i++) {
		uint32_t at = entry_new(q, msg, &items[i]);
		uint64_t change = items[i].change;

		if (claimed && items[i].state == D_QUEUED) {
			place_claim(q, at);
			delivery_at(q, at)->change = change;
		}
		if (change < q->reading)
			wake_delivery(q, at);
	}
	for (uint32_t at = message_at(q, msg)->first; at != 0;
	     at = delivery_at(q, at)->sibling)
		if (delivery_at(q, at)->place == PLACE_NONE)
			place_put(q, at);
	message_forget_if_over(q, msg);
	return true;
}

void queue_sender(struct queue *q, uint64_t id, uint64_t sender)
{
	uint32_t msg = index_find(q, id);

	if (msg != 0)
		message_at(q, msg)->sender = sender & QUEUE_SENDER_MASK;
}

void queue_set(struct queue *q, uint64_t id, const struct queue_item *item)
{
	uint32_t msg = index_find(q, id), n;
	struct delivery *d;

	queue_tick(q);
	if (msg == 0)
		return;
	n = find_number(q, msg, item->number);
	if (n == 0) {
		n = entry_new(q, msg, item);
	} else {
		d = delivery_at(q, n);
		count(q, d, false);
		if (d->place == PLACE_CLAIMED)
			claim_ended(q, n);
		place_take(q, n);
		d->tried |= item->attempts > d->attempts;
		fill(q, d, item);
		count(q, d, true);
	}
	place_put(q, n);
	message_forget_if_over(q, msg);
}

void queue_unclaim(struct queue *q, uint64_t id, uint32_t number, bool later)
{
	uint32_t msg = index_find(q, id), n;
	struct delivery *d;

	queue_tick(q);
	n = msg == 0 ? 0 : find_number(q, msg, number);
	if (n == 0 || delivery_at(q, n)->place != PLACE_CLAIMED)
		return;
	d = delivery_at(q, n);
	claim_ended(q, n);
	if (later && waits_for_time(d))
		d->due_us = bounded(q->now_us +
		    q->conf->retry.steps_ms[0] * 1000, DUE_MAX);
	place_put(q, n);
}

bool queue_claim(struct queue *q, uint64_t id, uint32_t number)
{
	uint32_t msg = index_find(q, id), n;

	n = msg == 0 ? 0 : find_number(q, msg, number);
	if (n == 0 || delivery_at(q, n)->place == PLACE_CLAIMED)
		return false;
	place_claim(q, n);
	return true;
}

void queue_retry(struct queue *q, uint64_t id, uint32_t number)
{
	uint32_t msg = index_find(q, id), n;

	queue_tick(q);
	n = msg == 0 ? 0 : find_number(q, msg, number);
	if (n == 0 || delivery_at(q, n)->place == PLACE_CLAIMED)
		return;
	if (waits_for_time(delivery_at(q, n))) {
		place_take(q, n);
		delivery_at(q, n)->due_us = q->now_us;
		place_put(q, n);
	}
	breaker_hurry(q, delivery_at(q, n)->leg);
}

/* ---- the step ---------------------------------------------------------- */

static int ms_until(const struct queue *q, int64_t us, int most)
{
	int64_t ms = (us - q->now_us + 999) / 1000;

	return us == INT64_MAX || ms > most ? most : ms < 1 ? 1 : (int)ms;
}

/* No call tells the queue when a slot is given back without a result. */
static int until_slot(const struct queue *q, int leg, int most)
{
	unsigned gates = ledger_gates(q->config.ledger, leg);
	int64_t probe_us = q->leg[leg].probe_us;

	if (q->leg[leg].ready == 0 ||
	    ((gates & ~(unsigned)GATE_BREAKER) != 0 &&
		!breaker_may_try(q, leg)))
		return most;
	if (gates == GATE_BREAKER && q->leg[leg].breaker != BREAKER_OPEN)
		return most;
	if (gates == GATE_BREAKER && probe_us > q->now_us)
		return ms_until(q, probe_us, most);
	return most < SLOT_POLL_MS ? most : SLOT_POLL_MS;
}

static int until_next(const struct queue *q)
{
	int ms = ms_until(q, wheel_next_us(q), IDLE_MS);

	for (int leg = 0; leg < NAMES_MAX; leg++)
		ms = until_slot(q, leg, ms);
	return ms_until(q, q->failed_us, ms);
}

int queue_step(struct queue *q, int64_t mono_ms)
{
	bool more;

	(void)mono_ms;
	queue_tick(q);
	/* Before what is due is claimed: nothing is always in a hand then. */
	notice_sweep(q);
	more = wheel_turn(q, DUE_A_STEP);
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
}
