/* SPDX-License-Identifier: ISC
 *
 * The new states of some deliveries of one message: one record of the
 * journal, and the queue's entries. Queue thread.
 */
#include "relay/settle/queue_thread_int.h"

#include "relay/base/assert.h"
#include "relay/post/delivery_ref.h"

/* The deliveries of a message as the queue has them; valid until the next
 * call. */
struct queue_row *moves_rows(struct queue_thread *s, uint64_t id,
    unsigned *n_out)
{
	for (;;) {
		unsigned n = queue_message(s->queue, id, s->rows, s->row_cap);

		if (n < s->row_cap) {
			*n_out = n;
			return s->rows;
		}
		s->row_cap *= 2;
		s->rows = mem_resize(s->rows, s->row_cap * sizeof(*s->rows));
	}
}

void moves_init(struct moves *m, uint64_t id, int64_t time_us)
{
	*m = (struct moves){.id = id, .time_us = time_us};
	strbuf_init(&m->details, 1 << 20);
}

void moves_fini(struct moves *m)
{
	mem_free(m->move);
	strbuf_fini(&m->details);
}

struct move *moves_add(struct moves *m, const struct delivery_ref *item)
{
	if (m->n == m->cap) {
		m->cap = m->cap * 2 + 4;
		m->move = mem_resize(m->move, m->cap * sizeof(*m->move));
	}
	m->move[m->n] = (struct move){.item = *item};
	return &m->move[m->n++];
}

/* How long it was parked, or its message retained, counts from here; what is
 * over or parked has no other use for a due time. */
static void stamp(struct delivery_ref *i, int64_t now_us)
{
	if (i->state == D_PARKED || i->state == D_DELIVERED)
		i->due_us = now_us;
}

/* That a leg may have the message already is true of each delivery of the
 * recipient there, of its successors too (D8). */
static void raise_mark(struct delivery_ref *i, const struct delivery_ref *other)
{
	if (i->rcpt == other->rcpt && i->leg == other->leg &&
	    i->uncertain < other->uncertain)
		i->uncertain = other->uncertain;
}

static void spread_mark(struct moves *m, const struct delivery_ref *marked)
{
	for (unsigned i = 0; i < m->n && marked->uncertain != UNC_NO; i++)
		raise_mark(&m->move[i].item, marked);
}

static void keep_marks(struct queue_thread *s, struct moves *m)
{
	unsigned n;
	const struct queue_row *rows = moves_rows(s, m->id, &n);

	for (unsigned i = 0; i < n; i++)
		spread_mark(m, &rows[i].item);
	for (unsigned i = 0; i < m->n; i++)
		spread_mark(m, &m->move[i].item);
}

struct spool_op *moves_op(struct queue_thread *s, struct moves *m)
{
	struct spool_op *op = spool_op_new();
	struct spool_update *u = NEW_ARRAY(struct spool_update, m->n);
	struct slice all = strbuf_view(&m->details);

	keep_marks(s, m);
	for (unsigned i = 0; i < m->n; i++) {
		stamp(&m->move[i].item, m->time_us);
		u[i].delivery = m->move[i].item.number;
		u[i].to = delivery_ref_written(&m->move[i].item);
		u[i].detail = slice_head(
		    slice_from(all, m->move[i].detail_at), m->move[i].detail_n);
	}
	spool_op_update(op, m->id, m->time_us, u, m->n);
	mem_free(u);
	return op;
}

/* A delivery keeps its recipient and its leg; what is over stays what it
 * became; that it may be a duplicate is never forgotten (D8). */
static void assert_follows(struct queue_thread *s, uint64_t id,
    const struct delivery_ref *to)
{
	struct delivery_ref was;

	if (!queue_get(s->queue, id, to->number, &was))
		return;
	PH_ASSERT(was.rcpt == to->rcpt && was.leg == to->leg);
	PH_ASSERT(dstate_live(was.state) || was.state == to->state);
	PH_ASSERT(was.uncertain <= to->uncertain);
	PH_ASSERT(was.attempts <= to->attempts);
}

void moves_apply(struct queue_thread *s, const struct moves *m)
{
	for (unsigned i = 0; i < m->n; i++)
		assert_follows(s, m->id, &m->move[i].item);
	for (unsigned i = 0; i < m->n; i++)
		queue_set(s->queue, m->id, &m->move[i].item);
}

static void answer_to(struct queue_thread *s, struct spool_op *op,
    struct written *w)
{
	op->to = &s->box;
	op->kind = S_WRITTEN;
	op->arg = w;
}

void moves_post(struct queue_thread *s, struct spool_op *op, struct written *w)
{
	PH_ASSERT(w->fn != NULL);
	op->flags = OP_SYNC;
	answer_to(s, op, w);
	spool_post(s->shared->spool, op);
}

/* Deliveries that wait until the record of a plan is written. */
struct planned {
	struct written written;
	uint64_t id;
	unsigned n;
	uint32_t number[];
};

/* Should the journal write nothing any more they stay in hand: what it does
 * not know must not go out. */
static void on_planned(struct queue_thread *s, struct spool_op *op)
{
	struct planned *p = op->arg;

	for (unsigned i = 0; i < p->n && op->status == SPOOL_STORED; i++)
		queue_unclaim(s->queue, p->id, p->number[i], false);
	mem_free(p);
	spool_op_free(op);
}

static bool goes_out(const struct delivery_ref *i)
{
	return i->state == D_QUEUED || i->state == D_DEFERRED;
}

/* Claims them until then. */
static struct planned *hold_planned(struct queue_thread *s,
    const struct moves *m)
{
	struct planned *p = mem_new(
	    sizeof(*p) + m->planned * sizeof(p->number[0]));

	p->written.fn = on_planned;
	p->id = m->id;
	for (unsigned i = 0; i < m->planned; i++) {
		const struct delivery_ref *it = &m->move[i].item;

		if (goes_out(it) && queue_claim(s->queue, m->id, it->number))
			p->number[p->n++] = it->number;
	}
	return p;
}

void moves_write(struct queue_thread *s, struct moves *m)
{
	struct spool_op *op;

	if (m->n == 0)
		return;
	op = moves_op(s, m);
	moves_apply(s, m);
	if (m->planned != 0)
		answer_to(s, op, &hold_planned(s, m)->written);
	spool_post(s->shared->spool, op);
}
