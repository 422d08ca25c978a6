/* SPDX-License-Identifier: ISC
 *
 * Expires mail that no event would wake: queued behind a gate that may be shut
 * for weeks, or parked past spool.parked. Walks all messages, a slice a
 * second; how soon an end of days or weeks is noticed does not matter.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/mem.h"

enum { SLICE_MESSAGES = 1000, SLICE_DELIVERIES = 5000 };
#define SWEEP_US INT64_C(1000000)

/* ---- lifetimes --------------------------------------------------------- */

/* Its place moves with it, so the list of the message is walked, which does
 * not change. */
static void sweep_ready(struct queue *q, uint32_t n)
{
	const struct delivery *d = delivery_at(q, n);

	if (is_due(d) && start_ends(q, d) &&
	    !(ledger_gates(q->config.ledger, (int)d->leg) & GATE_STOP))
		start_job(q, n, &(struct how){.worker = -1});
}

/* ---- parked mail ------------------------------------------------------- */

static void served_add(struct queue *q, uint32_t rcpt)
{
	uint32_t bytes = q->served_bytes;

	if (rcpt / 8 >= bytes) {
		q->served_bytes = rcpt / 8 + 64;
		q->served = mem_resize(q->served, q->served_bytes);
		memset(q->served + bytes, 0, q->served_bytes - bytes);
	}
	q->served[rcpt / 8] |= (unsigned char)(1U << rcpt % 8);
}

static bool served(const struct queue *q, uint32_t rcpt)
{
	return rcpt / 8 < q->served_bytes &&
	       (q->served[rcpt / 8] & 1U << rcpt % 8) != 0;
}

/* Marks the recipients that got the message as primary; returns when the last
 * of them did. */
static int64_t find_served(struct queue *q, const struct message *m)
{
	int64_t last_us = INT64_MIN;

	if (q->served != NULL)
		memset(q->served, 0, q->served_bytes);
	for (uint32_t n = m->first; n != 0; n = delivery_at(q, n)->sibling) {
		const struct delivery *d = delivery_at(q, n);

		if (d->role != ROLE_PRIMARY || d->state != D_DELIVERED)
			continue;
		served_add(q, (uint32_t)d->rcpt);
		if (d->due_us > last_us)
			last_us = d->due_us;
	}
	return last_us;
}

/* A copy whose primary was delivered is kept as delivered mail is: from the
 * last delivery on, and only while there is room. */
static bool parked_over(const struct queue *q, const struct delivery *d,
    int64_t last_us, bool *space)
{
	const struct conf *c = q->conf;
	bool spare = d->role == ROLE_COPY && served(q, (uint32_t)d->rcpt);
	int64_t since = spare && last_us > d->due_us ? last_us : d->due_us;
	int64_t keep_ms = spare ? c->spool.retain_ms : c->spool.parked_ms;

	*space = spare && q->pressed;
	return *space || q->now_us - since > keep_ms * 1000;
}

static void sweep_parked(struct queue *q, const struct message *m)
{
	int64_t last_us = find_served(q, m);
	bool space, short_of = false;
	unsigned k = 0;

	for (uint32_t n = m->first; n != 0; n = delivery_at(q, n)->sibling) {
		const struct delivery *d = delivery_at(q, n);

		if (d->state != D_PARKED || d->place == PLACE_CLAIMED ||
		    !parked_over(q, d, last_us, &space))
			continue;
		short_of |= space;
		job_add(q, k++, d->number);
	}
	if (k > 0)
		q->config.ops->over(q->config.arg, m->id, q->job, k, short_of);
}

/* ---- the walk ---------------------------------------------------------- */

/* Returns how many deliveries it has. */
static unsigned sweep_message(struct queue *q, uint32_t msg)
{
	const struct message *m = message_at(q, msg);
	bool parked = false;
	unsigned k = 0;

	for (uint32_t n = m->first; n != 0; n = delivery_at(q, n)->sibling) {
		k++;
		parked |= delivery_at(q, n)->state == D_PARKED;
		if (m->resolve == RESOLVE_NONE)
			sweep_ready(q, n);
	}
	if (parked && m->resolve == RESOLVE_NONE && q->config.ops->over != NULL)
		sweep_parked(q, m);
	return k;
}

void sweep(struct queue *q)
{
	unsigned seen = 0;

	if (q->now_us < q->sweep_us)
		return;
	q->sweep_us = q->now_us + SWEEP_US;
	for (int i = 0; i < SLICE_MESSAGES && seen < SLICE_DELIVERIES &&
	     start_may_end(q); i++) {
		uint32_t msg = id_tree_after(q, q->sweep_id);

		if (msg == 0) {
			q->sweep_id = 0;
			return;
		}
		q->sweep_id = message_at(q, msg)->id;
		seen += sweep_message(q, msg);
	}
}

void queue_pressed(struct queue *q, bool pressed)
{
	if (pressed && !q->pressed)
		q->sweep_id = 0;
	q->pressed = pressed;
}
