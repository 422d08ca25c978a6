/* SPDX-License-Identifier: ISC
 *
 * Hands ready deliveries to the workers, oldest first, as far as there are
 * slots. Legs take turns, so one with a long list does not keep the others
 * waiting.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum {
	STARTS_A_STEP = 256, /* a leg gets at most an eighth before the next */
	STARTS_A_TURN = STARTS_A_STEP / 8,
	ENDS = 500, /* lifetimes that end in a second */
	LOOK_AHEAD = 64, /* past those that wait for an older one */
	TRIAL_LOOK = 4096, /* past those of senders that met a fault */
};
#define ENDS_US INT64_C(1000000)
#define WANTED_US INT64_C(100000)

/* Until when the leg slows its sender's domain, if that lies ahead; else 0. */
static int64_t slowed_until(const struct queue *q, const struct delivery *d)
{
	int64_t until = ledger_slowed(q->config.ledger, (int)d->leg,
	    message_at(q, d->msg)->sender).until_us;

	return until > q->now_us ? until : 0;
}

/* It waits with the domain of its sender, unless its lifetime ends. */
static bool put_off(struct queue *q, uint32_t n)
{
	struct delivery *d = delivery_at(q, n);
	int64_t until = slowed_until(q, d);

	if (until == 0 || start_ends(q, d))
		return false;
	place_take(q, n);
	d->due_us = until;
	place_put(q, n);
	return true;
}

/* It waits for a permit of its recipient's domain, unless its lifetime ends. */
static bool lacks_permit(struct queue *q, uint32_t n)
{
	const struct delivery *d = delivery_at(q, n);
	struct permit_word w;

	if (d->domain == 0 || start_ends(q, d))
		return false;
	w = permit_look(ledger_permits(q->config.ledger), (int)d->leg,
	    (uint32_t)d->domain, q->now_us);
	if (w.answer == PERMIT_GRANTED)
		return false;
	place_take(q, n);
	backlog_add(q, n, &w);
	return true;
}

/* It is moved to where it waits. What waits for a route goes back to its
 * message. */
static bool goes_aside(struct queue *q, uint32_t n)
{
	if (message_at(q, delivery_at(q, n)->msg)->resolve == RESOLVE_NONE)
		return put_off(q, n) || lacks_permit(q, n);
	place_take(q, n);
	return true;
}

/* The oldest of a list that may go; 0: none. */
static uint32_t next_of(struct queue *q, uint32_t head)
{
	uint32_t n = delivery_at(q, head)->next, next;
	int aside = 0;

	for (int i = 0; n != head && i < LOOK_AHEAD && aside < ASIDE_A_TURN;
	     n = next) {
		next = delivery_at(q, n)->next;
		if (goes_aside(q, n)) {
			aside++;
			continue;
		}
		if (!older_waits(q, n))
			return n;
		i++;
	}
	return 0;
}

/* The oldest of an unproven domain that may go, if it is the first of them. */
static uint32_t next_unproven(struct queue *q, int leg)
{
	uint32_t n;

	for (int i = 0; i < ASIDE_A_TURN &&
	     (n = backlog_unproven(q, leg)) != 0; i++) {
		if (!goes_aside(q, n))
			return older_waits(q, n) ? 0 : n;
		if (is_due(delivery_at(q, n)))
			break; /* the permit has gone since */
	}
	return 0;
}

/* The oldest of a leg; of what is replayed only when nothing else may go. */
static uint32_t next_ready(struct queue *q, int leg)
{
	uint32_t n = next_unproven(q, leg);

	if (n == 0)
		n = next_of(q, HEAD_READY + (uint32_t)leg);
	return n != 0 ? n : next_of(q, HEAD_BEHIND + (uint32_t)leg);
}

void job_add(struct queue *q, unsigned i, uint32_t number)
{
	if (i == q->job_cap) {
		q->job_cap = q->job_cap * 2 + 16;
		q->job = mem_resize(q->job, sizeof(*q->job) * q->job_cap);
	}
	q->job[i] = number;
}

/* Each end of a lifetime is a message to be read and mostly one to be written;
 * of many that end together, some do in a second. The others are tried once
 * more when they can be, which is what their senders want. */
bool start_may_end(struct queue *q)
{
	if (q->now_us - q->ends_us >= ENDS_US) {
		q->ends_us = q->now_us;
		q->ends = 0;
	}
	return q->ends < ENDS;
}

bool start_ends(struct queue *q, const struct delivery *d)
{
	return start_may_end(q) && retry_expired(q, d);
}

/* A permit is for one domain. */
static bool goes_along(const struct queue *q, const struct delivery *first,
    const struct delivery *d)
{
	const struct conf_leg *leg = conf_leg_by_id(q->conf, (int)first->leg);

	return is_due(d) && d->leg == first->leg && d->role == first->role &&
	       (d->domain == first->domain || leg == NULL || !leg->direct);
}

/* Delivery `n` and what else of its message goes the same way. */
void start_job(struct queue *q, uint32_t n, const struct how *how)
{
	const struct delivery *first = delivery_at(q, n);
	const struct message *m = message_at(q, first->msg);
	bool expired = start_ends(q, first);
	struct queue_job job = {.id = m->id, .leg = (int)first->leg,
	    .role = (enum role)first->role, .change = UINT64_MAX,
	    .expired = expired, .slot = how->slot, .permit = how->permit,
	    .trial = n == q->leg[first->leg].trial};

	for (uint32_t i = m->first; i != 0; i = delivery_at(q, i)->sibling) {
		const struct delivery *d = delivery_at(q, i);

		if (!goes_along(q, first, d) || start_ends(q, d) != expired)
			continue;
		job_add(q, job.n++, d->number);
		place_claim(q, i);
		if (d->change < job.change)
			job.change = d->change;
	}
	PH_ASSERT(job.n > 0 && first->place == PLACE_CLAIMED);
	job.number = q->job;
	q->ends += expired;
	q->config.ops->start(q->config.arg, how->worker, &job);
}

static void want_slot(struct queue *q, int leg)
{
	struct leg *l = &q->leg[leg];

	if (q->now_us < l->wanted_us)
		return;
	l->wanted_us = q->now_us + WANTED_US;
	q->config.ops->wants_slot(q->config.arg, leg);
}

static void scout(struct queue *q, int leg)
{
	uint32_t n;

	if (!breaker_may_scout(q, leg))
		return;
	n = next_ready(q, leg);
	if (n == 0 || !ledger_take_scout(q->config.ledger, leg))
		return;
	breaker_scout(q, leg, n);
	start_job(q, n, &(struct how){.worker = -1, .slot = true});
}

/* From `n` on, the first whose sender has not met the fault; else `n`. */
static uint32_t other_sender(struct queue *q, int leg, uint32_t n)
{
	uint32_t head = ready_head(delivery_at(q, n)), at = n;

	if (delivery_at(q, n)->place != PLACE_READY)
		return n;
	for (int i = 0; at != head && i < TRIAL_LOOK; i++) {
		const struct delivery *d = delivery_at(q, at);
		const struct message *m = message_at(q, d->msg);

		if (!breaker_shuns(q, leg, m) && m->resolve == RESOLVE_NONE &&
		    !retry_expired(q, d) && slowed_until(q, d) == 0 &&
		    !older_waits(q, at))
			return at;
		at = d->next;
	}
	return n;
}

/* A delivery over its lifetime proves nothing: sweep_ready() ends it. */
static uint32_t next_trial(struct queue *q, int leg)
{
	uint32_t n = breaker_may_try(q, leg) ? next_ready(q, leg) : 0;

	if (n != 0 && q->leg[leg].shuns != 0)
		n = other_sender(q, leg, n);
	return n == 0 || retry_expired(q, delivery_at(q, n)) ? 0 : n;
}

static void try_one(struct queue *q, int leg)
{
	uint32_t n = next_trial(q, leg);

	if (n == 0)
		return;
	if (!ledger_take_trial(q->config.ledger, leg)) {
		want_slot(q, leg);
		return;
	}
	breaker_try(q, leg, n);
	start_job(q, n, &(struct how){.worker = -1, .slot = true});
}

/* Workers take permits, too: it may have gone since it was looked for. */
static bool has_permit(struct queue *q, uint32_t n, struct permit *permit)
{
	const struct delivery *d = delivery_at(q, n);
	struct permit_word w = permit_take(ledger_permits(q->config.ledger),
	    (int)d->leg, (uint32_t)d->domain, q->now_us, permit);

	if (w.answer == PERMIT_GRANTED)
		return true;
	place_take(q, n);
	backlog_add(q, n, &w);
	return false;
}

/* Returns how many jobs; less than `max`: nothing more can go now. */
static unsigned start_leg(struct queue *q, int leg, unsigned max)
{
	unsigned gates = ledger_gates(q->config.ledger, leg), done;
	uint32_t n;

	if (gates == GATE_BREAKER || gates == (GATE_BREAKER | GATE_DOUBT))
		scout(q, leg);
	else if (gates != 0)
		try_one(q, leg);
	if (gates != 0)
		return 0;
	for (done = 0; done < max; done++) {
		struct how how = {.worker = -1};

		n = next_ready(q, leg);
		if (n == 0)
			break;
		how.slot = !start_ends(q, delivery_at(q, n));
		if (how.slot && !ledger_take(q->config.ledger, leg)) {
			want_slot(q, leg);
			break;
		}
		if (how.slot && !has_permit(q, n, &how.permit))
			ledger_give(q->config.ledger, leg);
		else
			start_job(q, n, &how);
	}
	return done;
}

bool start_ready(struct queue *q)
{
	unsigned left = STARTS_A_STEP, max;
	int leg = 0;

	for (int i = 0; i < NAMES_MAX && left > 0; i++) {
		leg = (int)((q->turn + (unsigned)i) % NAMES_MAX);
		if (q->leg[leg].ready == 0 && q->leg[leg].unproven == 0)
			continue;
		max = left < STARTS_A_TURN ? left : STARTS_A_TURN;
		left -= start_leg(q, leg, max);
	}
	q->turn = (unsigned)leg + 1;
	return left < STARTS_A_STEP;
}

/* All slots are idle connections, and one of them asks. */
static unsigned pull_trial(struct queue *q, int worker, int leg)
{
	unsigned gates = ledger_gates(q->config.ledger, leg);
	uint32_t n = gates & (GATE_STOP | GATE_BREAKER) ? 0 :
							  next_trial(q, leg);

	if (n == 0)
		return 0;
	breaker_try(q, leg, n);
	start_job(q, n, &(struct how){.worker = worker});
	return 1;
}

unsigned queue_pull(struct queue *q, int worker, int leg, unsigned max)
{
	unsigned done = 0;
	uint32_t n;

	queue_tick(q);
	if (ledger_gates(q->config.ledger, leg) != 0)
		return pull_trial(q, worker, leg);
	while (done < max && ledger_gates(q->config.ledger, leg) == 0 &&
	       (n = next_ready(q, leg)) != 0) {
		struct how how = {.worker = worker};
		bool expired = start_ends(q, delivery_at(q, n));

		if (!expired && !has_permit(q, n, &how.permit))
			break;
		done += !expired;
		start_job(q, n, &how);
	}
	return done;
}
