/* SPDX-License-Identifier: ISC
 *
 * Events of watermarks on their way into ledger.db. Under the lock of the last
 * deliveries; the projector's thread takes, any thread posts.
 */
#include "relay/audit/delivered/watermark_post.h"

#include <string.h>

#include "relay/audit/delivered/last_delivery_int.h"
#include "relay/base/assert.h"
#include "relay/base/mem.h"
#include "relay/mail/addr.h"

enum { FIRST_OPS = 64 };

static void free_texts(struct watermark_op *op)
{
	mem_free((char *)(uintptr_t)op->address.p);
	mem_free((char *)(uintptr_t)op->note);
}

void watermark_ops_drop(struct last_delivery *l, size_t n)
{
	PH_ASSERT(n <= l->ops);
	for (size_t i = 0; i < n; i++)
		free_texts(&l->op[i]);
	l->ops -= n;
	if (l->ops != 0)
		memmove(l->op, l->op + n, l->ops * sizeof(*l->op));
}

static void append(struct last_delivery *l, const struct watermark_op *op)
{
	struct watermark_op *to;

	if (l->ops == l->op_cap) {
		l->op_cap = l->op_cap == 0 ? FIRST_OPS : l->op_cap * 2;
		l->op = mem_resize(l->op, l->op_cap * sizeof(*l->op));
	}
	to = &l->op[l->ops++];
	*to = *op;
	to->leg = NULL;
	to->address = slice_str(mem_slicedup(op->address));
	to->note = mem_strdup(op->note);
}

static void mark(struct last_delivery *l, const struct watermark_op *op)
{
	pthread_mutex_lock(&l->lock);
	if (op->change > l->marked)
		l->marked = op->change;
	append(l, op);
	pthread_mutex_unlock(&l->lock);
}

bool watermark_post(struct last_delivery *l, const struct watermark_op *op)
{
	struct watermark_op o = *op;
	struct strbuf base;
	int number;

	if (op->what == DO_MARKED) {
		mark(l, op);
		return true;
	}
	number = names_id(l->legs, slice_str(op->leg));
	if (number < 0 || op->address.n == 0)
		return false;
	o.leg_number = (uint16_t)number;
	strbuf_init(&base, 2 * ADDR_MAX);
	pthread_mutex_lock(&l->lock);
	o.recipient = recipient_key_text(l->separators, l->secret,
	    op->address, &base).base;
	o.address = strbuf_view(&base);
	append(l, &o);
	pthread_mutex_unlock(&l->lock);
	strbuf_fini(&base);
	return true;
}

size_t watermark_waits(struct last_delivery *l)
{
	size_t n;

	pthread_mutex_lock(&l->lock);
	n = l->ops;
	pthread_mutex_unlock(&l->lock);
	return n;
}

void watermark_hurry(struct last_delivery *l)
{
	pthread_mutex_lock(&l->lock);
	l->hurry = l->ops != 0;
	pthread_mutex_unlock(&l->lock);
}

uint64_t watermark_marked(struct last_delivery *l)
{
	uint64_t change;

	pthread_mutex_lock(&l->lock);
	change = l->marked;
	pthread_mutex_unlock(&l->lock);
	return change;
}

bool watermark_took(struct last_delivery *l, struct spool_pos pos)
{
	bool took;

	pthread_mutex_lock(&l->lock);
	took = spool_pos_cmp(l->taken, pos) >= 0;
	pthread_mutex_unlock(&l->lock);
	return took;
}

const char *watermark_path(const struct last_delivery *l)
{
	return l->path;
}

/* ---- the projector's thread --------------------------------------------- */

bool watermark_ops_due(struct last_delivery *l)
{
	bool due;

	pthread_mutex_lock(&l->lock);
	due = l->hurry || l->ops >= WATERMARK_WAITS_MAX;
	pthread_mutex_unlock(&l->lock);
	return due;
}

/* A copy: posting goes on, and may move the array. */
void watermark_ops_take(struct last_delivery *l, struct last_batch *b,
    struct last_header *h)
{
	pthread_mutex_lock(&l->lock);
	b->ops = l->ops;
	b->op = b->ops == 0 ? NULL : mem_dup(l->op, b->ops * sizeof(*l->op));
	h->marked = l->marked;
	l->hurry = false;
	pthread_mutex_unlock(&l->lock);
}

void watermark_ops_taken(struct last_delivery *l, struct last_batch *b,
    bool written)
{
	pthread_mutex_lock(&l->lock);
	if (written)
		watermark_ops_drop(l, b->ops);
	pthread_mutex_unlock(&l->lock);
	mem_free((struct watermark_op *)(uintptr_t)b->op);
}
