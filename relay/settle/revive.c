/* SPDX-License-Identifier: ISC
 *
 * Revives mail. What is over gets the journal's record of a revival and is
 * then in the queue again, with all its deliveries; what is live still gets
 * new deliveries as a plan would make them. Queue thread.
 */
#include "relay/settle/revive.h"

#include "relay/mail/actor.h"
#include "relay/post/delivery_ref.h"
#include "relay/settle/queue_thread_int.h"

enum { DETAIL_BYTES = 1024 };

/* Waits for the journal. */
struct reviving {
	struct written written;
	struct revive_request *request;
	struct delivery_ref *item; /* the new ones */
};

/* No attempt is made under the table's number that stands there: a wake-up of
 * a later change asks about held recipients. */
static struct delivery_ref new_delivery(const struct revive_request *q,
    unsigned i, int64_t now_us)
{
	return (struct delivery_ref){.number = q->first + i,
	    .rcpt = q->to[i].rcpt, .leg = (uint16_t)q->leg,
	    .role = ROLE_COPY, .state = D_QUEUED, .reason = WHY_ADMIN,
	    .flags = DF_PINNED | DF_REPLAYED, .hash = q->to[i].hash,
	    .change = q->change, .created_us = now_us};
}

static struct reviving *reviving_new(struct queue_thread *s,
    struct revive_request *q)
{
	struct reviving *r = NEW(struct reviving);
	int64_t now_us = clock_wall_us(s->shared->clock);

	r->request = q;
	r->item = NEW_ARRAY(struct delivery_ref, q->n);
	for (unsigned i = 0; i < q->n; i++)
		r->item[i] = new_delivery(q, i, now_us);
	return r;
}

static void end(struct reviving *r, enum revive_status status)
{
	struct revive_request *q = r->request;

	mem_free(r->item);
	mem_free(r);
	q->done(q, status);
}

/* ---- over -------------------------------------------------------------- */

/* All its deliveries: their numbers are those of the journal. */
static void insert(struct queue_thread *s, const struct reviving *r)
{
	const struct spool_fetch *f = r->request->fetch;
	unsigned n = f->deliveries + r->request->n;
	struct delivery_ref *all = NEW_ARRAY(struct delivery_ref, n);

	for (unsigned i = 0; i < f->deliveries; i++)
		all[i] = delivery_ref_read(&f->delivery[i], i);
	memcpy(all + f->deliveries, r->item,
	    r->request->n * sizeof(r->item[0]));
	queue_insert(s->queue, &(struct queue_arrival){f->id, f->size, all, n,
	    .force = true, .sender = r->request->sender});
	mem_free(all);
}

static void on_revived(struct queue_thread *s, struct spool_op *op)
{
	struct reviving *r = op->arg;
	enum spool_status status = op->status;

	spool_op_free(op);
	if (status == SPOOL_STORED)
		insert(s, r);
	end(r, status == SPOOL_STORED ? REVIVE_DONE
	    : status == SPOOL_GONE    ? REVIVE_CHANGED : REVIVE_FAILED);
}

static void revive_over(struct queue_thread *s, struct reviving *r,
    struct slice detail)
{
	struct revive_request *q = r->request;
	struct spool_update *u = NEW_ARRAY(struct spool_update, q->n);
	struct spool_op *op = spool_op_new();

	for (unsigned i = 0; i < q->n; i++)
		u[i] = (struct spool_update){r->item[i].number,
		    delivery_ref_written(&r->item[i]), detail};
	spool_op_revive(s->shared->spool, op, q->fetch, u, q->n);
	mem_free(u);
	r->written.fn = on_revived;
	moves_post(s, op, &r->written);
}

/* ---- live still -------------------------------------------------------- */

/* They are in the queue since the record was posted, so that no plan gives
 * their numbers to others, and in hand until it is written. */
static void on_added(struct queue_thread *s, struct spool_op *op)
{
	struct reviving *r = op->arg;
	const struct revive_request *q = r->request;
	bool ok = op->status == SPOOL_STORED;

	spool_op_free(op);
	for (unsigned i = 0; ok && i < q->n; i++)
		queue_unclaim(s->queue, q->fetch->id, r->item[i].number,
		    false);
	end(r, ok ? REVIVE_DONE : REVIVE_FAILED);
}

static void revive_live(struct queue_thread *s, struct reviving *r,
    struct slice detail)
{
	const struct revive_request *q = r->request;
	struct moves m;
	struct spool_op *op;

	moves_init(&m, q->fetch->id, clock_wall_us(s->shared->clock));
	strbuf_addsl(&m.details, detail);
	for (unsigned i = 0; i < q->n; i++)
		moves_add(&m, &r->item[i])->detail_n = detail.n;
	op = moves_op(s, &m);
	moves_apply(s, &m);
	for (unsigned i = 0; i < q->n; i++)
		queue_claim(s->queue, m.id, r->item[i].number);
	moves_fini(&m);
	r->written.fn = on_added;
	moves_post(s, op, &r->written);
}

/* ---- the door ---------------------------------------------------------- */

/* Is the message as it was fetched, and in no hand? */
static enum revive_status may(struct queue_thread *s,
    const struct revive_request *q)
{
	unsigned n, all = q->n + (q->fetch->over ? q->fetch->deliveries : 0);
	const struct queue_row *rows = moves_rows(s, q->fetch->id, &n);

	if (!spool_revive_holds(s->shared->spool, all, 0))
		return REVIVE_LARGE;
	if (queue_full(s->queue) || reroute_waits(s, q->fetch->id))
		return REVIVE_BUSY;
	for (unsigned i = 0; i < n; i++)
		if (rows[i].claimed)
			return REVIVE_BUSY;
	return n == (q->fetch->over ? 0 : q->fetch->deliveries)
	    ? REVIVE_DONE : REVIVE_CHANGED;
}

void revive_apply(struct queue_thread *s, struct revive_request *q)
{
	enum revive_status status = may(s, q);
	struct reviving *r;
	struct strbuf detail;

	if (status != REVIVE_DONE) {
		q->done(q, status);
		return;
	}
	q->first = q->fetch->deliveries;
	r = reviving_new(s, q);
	strbuf_init(&detail, DETAIL_BYTES);
	actor_pack(&(struct actor){q->who, q->reason}, &detail);
	if (q->fetch->over)
		revive_over(s, r, strbuf_view(&detail));
	else
		revive_live(s, r, strbuf_view(&detail));
	strbuf_fini(&detail);
}
