/* SPDX-License-Identifier: ISC
 *
 * Messages that may be for a recipient or from a sender: all entries are
 * passed in the order in which they are in memory, which is much quicker than
 * in that of their ids.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/mem.h"

enum { A_CALL = 50000 }; /* some hundred microseconds */

static void add(struct queue_ids *out, uint64_t id)
{
	if (out->n > 0 && out->id[out->n - 1] == id)
		return;
	if (out->n == out->cap) {
		out->cap = out->cap == 0 ? 256 : out->cap * 2;
		out->id = mem_resize(out->id, out->cap * sizeof(*out->id));
	}
	out->id[out->n++] = id;
}

static bool is_from(const struct message *m, uint32_t from)
{
	return from == 0 || m->from == 0 || m->from == from;
}

static bool is_to(const struct delivery *d, const struct queue_wanted *w)
{
	if (d->msg == 0)
		return false;
	for (unsigned i = 0; i < w->to_n; i++)
		if (d->hash == w->to[i])
			return true;
	return d->hash <= QUEUE_ANYBODY;
}

static bool by_delivery(const struct queue *q, const struct queue_wanted *w,
    uint32_t *at, uint32_t end, struct queue_ids *out)
{
	for (; *at <= q->deliveries.used && *at < end; ++*at) {
		const struct delivery *d = delivery_at(q, *at);

		if (is_to(d, w) && is_from(message_at(q, d->msg), w->from))
			add(out, message_at(q, d->msg)->id);
	}
	return *at <= q->deliveries.used;
}

/* A place that was given back still has what it had. */
static bool by_message(const struct queue *q, const struct queue_wanted *w,
    uint32_t *at, uint32_t end, struct queue_ids *out)
{
	for (; *at <= q->messages.used && *at < end; ++*at) {
		const struct message *m = message_at(q, *at);

		if (is_from(m, w->from) && id_tree_find(q, m->id) == *at)
			add(out, m->id);
	}
	return *at <= q->messages.used;
}

bool queue_candidates(const struct queue *q, const struct queue_wanted *w,
    uint32_t *at, struct queue_ids *out)
{
	uint32_t end;

	if (*at == 0)
		*at = 1;
	end = *at + A_CALL;
	return w->to_n > 0 ? by_delivery(q, w, at, end, out)
			   : by_message(q, w, at, end, out);
}
