/* SPDX-License-Identifier: ISC
 *
 * Messages by id: a treap whose priorities are mixed ids, so it needs no
 * memory for balance, is walked in order of id, and new messages, whose ids
 * ascend, touch only its right edge. Ids are our own, so no client can choose
 * a bad order.
 */
#include "relay/queue/queue_int.h"

#include "relay/base/assert.h"

static uint64_t priority(uint64_t id)
{
	id = (id ^ (id >> 31)) * UINT64_C(0x9e3779b97f4a7c15);
	return id ^ (id >> 29);
}

uint32_t id_tree_find(const struct queue *q, uint64_t id)
{
	uint32_t n = q->root;

	while (n != 0) {
		const struct message *m = message_at(q, n);

		if (m->id == id)
			break;
		n = id < m->id ? m->left : m->right;
	}
	return n;
}

uint32_t id_tree_after(const struct queue *q, uint64_t id)
{
	uint32_t n = q->root, best = 0;

	while (n != 0) {
		const struct message *m = message_at(q, n);

		if (m->id > id)
			best = n;
		n = m->id > id ? m->left : m->right;
	}
	return best;
}

struct id_run {
	uint64_t after; /* an id */
	uint32_t *out;
	unsigned n, max;
};

/* Calls itself as often as the tree is deep, some ten times. */
static void run_below(const struct queue *q, uint32_t n, struct id_run *r)
{
	while (n != 0 && r->n < r->max) {
		const struct message *m = message_at(q, n);

		if (m->id > r->after) {
			run_below(q, m->left, r);
			if (r->n < r->max)
				r->out[r->n++] = n;
		}
		n = m->right;
	}
}

unsigned id_tree_run(const struct queue *q, uint64_t id, uint32_t *out,
    unsigned max)
{
	struct id_run r = {.after = id, .out = out, .max = max};

	run_below(q, q->root, &r);
	return r.n;
}

/* Cuts tree `n` into those below and those above `id`. */
static void split(struct queue *q, uint32_t n, uint64_t id, struct message *to)
{
	uint32_t *below = &to->left, *above = &to->right;

	while (n != 0) {
		struct message *m = message_at(q, n);

		if (m->id < id) {
			*below = n;
			below = &m->right;
			n = *below;
		} else {
			*above = n;
			above = &m->left;
			n = *above;
		}
	}
	*below = *above = 0;
}

/* One tree of two, where all of `a` is below all of `b`. */
static uint32_t join(struct queue *q, uint32_t a, uint32_t b)
{
	uint32_t root = 0, *to = &root;

	while (a != 0 && b != 0) {
		struct message *ma = message_at(q, a), *mb = message_at(q, b);

		if (priority(ma->id) > priority(mb->id)) {
			*to = a;
			to = &ma->right;
			a = *to;
		} else {
			*to = b;
			to = &mb->left;
			b = *to;
		}
	}
	*to = a != 0 ? a : b;
	return root;
}

void id_tree_add(struct queue *q, uint32_t msg)
{
	struct message *m = message_at(q, msg);
	uint32_t *to = &q->root;

	while (*to != 0 && priority(message_at(q, *to)->id) > priority(m->id)) {
		struct message *at = message_at(q, *to);

		PH_ASSERT(at->id != m->id);
		to = m->id < at->id ? &at->left : &at->right;
	}
	split(q, *to, m->id, m);
	*to = msg;
}

void id_tree_remove(struct queue *q, uint32_t msg)
{
	struct message *m = message_at(q, msg);
	uint32_t *to = &q->root;

	while (*to != msg) {
		struct message *at = message_at(q, *to);

		PH_ASSERT(*to != 0);
		to = m->id < at->id ? &at->left : &at->right;
	}
	*to = join(q, m->left, m->right);
}
