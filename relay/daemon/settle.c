/* SPDX-License-Identifier: ISC
 *
 * The queue thread. Every state of a delivery changes here and nowhere else:
 * first the record for the journal is posted, then the queue is told. Where
 * somebody is told of it (an administrator, a sender by a DSN), the queue
 * and they hear of it only when the journal has answered.
 */
#include "relay/daemon/settle.h"

#include "relay/base/log.h"
#include "relay/daemon/follow.h"
#include "relay/daemon/mail.h"
#include "relay/daemon/settle_int.h"
#include "relay/daemon/worker.h"
#include "relay/mail/actor.h"

enum { RESOLVE_MAX = 64, PULL_MAX = 4 };
#define TROUBLE_US INT64_C(30000000)

/* ---- items ---- */

struct spool_delivery settle_delivery(const struct queue_item *i)
{
	return (struct spool_delivery){.rcpt = i->rcpt, .leg = i->leg,
	    .role = i->role, .state = i->state, .uncertain = i->uncertain,
	    .reason = i->reason, .flags = i->flags, .attempts = i->attempts,
	    .created_us = i->created_us, .due_us = i->due_us,
	    .change = i->change};
}

static struct queue_item item_of(const struct spool_delivery *d,
    uint32_t number, uint64_t hash)
{
	return (struct queue_item){.number = number, .rcpt = d->rcpt,
	    .leg = d->leg, .role = d->role, .state = d->state,
	    .uncertain = d->uncertain, .reason = d->reason,
	    .flags = d->flags, .attempts = d->attempts, .hash = hash,
	    .change = d->change, .created_us = d->created_us,
	    .due_us = d->due_us};
}

/* The deliveries of a message as the queue has them; valid until the next
 * call. */
struct queue_row *settle_rows(struct settle *s, uint64_t id, unsigned *n_out)
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

/* ---- moves ---- */

void settle_moves_init(struct moves *m, uint64_t id, int64_t time_us)
{
	*m = (struct moves){.id = id, .time_us = time_us};
	strbuf_init(&m->details, 1 << 20);
}

void settle_moves_fini(struct moves *m)
{
	mem_free(m->move);
	strbuf_fini(&m->details);
}

struct move *settle_move(struct moves *m, const struct queue_item *item)
{
	if (m->n == m->cap) {
		m->cap = m->cap * 2 + 4;
		m->move = mem_resize(m->move, m->cap * sizeof(*m->move));
	}
	m->move[m->n] = (struct move){.item = *item};
	return &m->move[m->n++];
}

/* Writes all of them as one record. */
struct spool_op *settle_op(const struct moves *m)
{
	struct spool_op *op = spool_op_new();
	struct spool_update *u = NEW_ARRAY(struct spool_update, m->n);
	struct slice all = strbuf_view(&m->details);

	for (unsigned i = 0; i < m->n; i++) {
		u[i].delivery = m->move[i].item.number;
		u[i].to = settle_delivery(&m->move[i].item);
		u[i].detail = slice_head(
		    slice_from(all, m->move[i].detail_at), m->move[i].detail_n);
	}
	spool_op_update(op, m->id, m->time_us, u, m->n);
	mem_free(u);
	return op;
}

void settle_apply(struct settle *s, const struct moves *m)
{
	for (unsigned i = 0; i < m->n; i++)
		queue_set(s->queue, m->id, &m->move[i].item);
}

/* ---- an attempt's outcome ---- */

static void move_failed(const struct outcome_letter *o, unsigned k,
    struct queue_item *i)
{
	bool over = o->row[k].told || o->row[k].silent || o->why == WHY_ADMIN;

	if (o->row[k].told)
		i->flags |= DF_DSN_SENT;
	/* A lifetime's end keeps the message (D10); so does a failure that
	 * nobody can be told of, and that of a copy (D3). */
	if (o->why == WHY_LIFETIME || i->role == ROLE_COPY || !over)
		i->state = D_PARKED;
	else
		i->state = D_BOUNCED;
}

static void move_outcome(struct settle *s, const struct outcome_letter *o,
    unsigned k, struct queue_item *i)
{
	const struct result *r = &o->row[k].result;

	i->reason = (uint8_t)o->why;
	/* Sticky: what may have been sent before may be a duplicate now (D8). */
	if (r->uncertain)
		i->uncertain = UNC_YES;
	if (o->change != 0)
		i->change = o->change;
	if (o->why == WHY_ATTEMPT)
		i->attempts++;
	switch (r->outcome) {
	case OUT_DELIVERED:
		i->state = D_DELIVERED;
		break;
	case OUT_FAILED:
		move_failed(o, k, i);
		break;
	case OUT_DEFERRED:
	case OUT_UNTRIED:
		i->state = D_DEFERRED;
		i->due_us = queue_next_due(s->queue, i->attempts, o->time_us);
		break;
	}
}

static void outcome_free(struct outcome_letter *o)
{
	arena_free(o->arena);
	mem_free(o->dsn_items);
	mem_free(o);
}

void settle_post(struct settle *s, struct spool_op *op, struct written *w)
{
	op->flags = OP_SYNC;
	op->to = &s->box;
	op->kind = S_WRITTEN;
	op->arg = w;
	spool_post(s->app->spool, op);
}

/* A group is written: the bounce holds and its DSN is ours, or neither. */
static void on_group(struct settle *s, struct spool_op *op)
{
	struct group *g = op->arg;
	struct outcome_letter *o = g->outcome;

	if (op->status == SPOOL_STORED) {
		settle_apply(s, &g->moves);
		queue_insert(s->queue, o->dsn_items->id, o->dsn_items->size,
		    o->dsn_items->item, o->dsn_items->n, false, true);
	} else {
		for (unsigned i = 0; i < g->moves.n; i++)
			queue_unclaim(s->queue, o->id,
			    g->moves.move[i].item.number, true);
	}
	spool_draft_free(o->dsn);
	settle_moves_fini(&g->moves);
	outcome_free(o);
	mem_free(g);
	spool_op_free(op);
}

static void post_group(struct settle *s, struct outcome_letter *o,
    struct moves *m)
{
	struct group *g = NEW(struct group);
	struct spool_op *op = settle_op(m);

	g->outcome = o;
	g->moves = *m;
	op->group = o->dsn;
	g->written.fn = on_group;
	settle_post(s, op, &g->written);
}

static void add_detail(struct moves *m, struct move *mv,
    const struct outcome_letter *o, unsigned k)
{
	mv->detail_at = m->details.n;
	if (o->why == WHY_ADMIN)
		actor_pack(&(struct actor){o->who, o->reason}, &m->details);
	else
		result_pack(&o->row[k].result, &m->details);
	mv->detail_n = m->details.n - mv->detail_at;
}

static void on_outcome(struct settle *s, struct outcome_letter *o)
{
	struct moves m;

	if (o->tried)
		queue_leg_result(s->queue, o->leg, o->reached);
	settle_moves_init(&m, o->id, o->time_us);
	for (unsigned k = 0; k < o->n; k++) {
		struct queue_item item;

		/* Deleted meanwhile: nothing is owed any more. */
		if (!queue_get(s->queue, o->id, o->row[k].delivery.number, &item))
			continue;
		if (o->row[k].result.outcome == OUT_UNTRIED) {
			queue_unclaim(s->queue, o->id, item.number, true);
			continue;
		}
		move_outcome(s, o, k, &item);
		add_detail(&m, settle_move(&m, &item), o, k);
	}
	if (o->dsn != NULL && m.n != 0) {
		post_group(s, o, &m);
		return;
	}
	if (m.n != 0) {
		spool_post(s->app->spool, settle_op(&m));
		settle_apply(s, &m);
	}
	if (o->dsn != NULL)
		spool_draft_free(o->dsn);
	settle_moves_fini(&m);
	outcome_free(o);
}

/* ---- routes anew (doc/routing.md) ---- */

static unsigned have_of(const struct queue_row *rows, unsigned n,
    uint32_t rcpt, struct plan_have *have)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n && k < PLAN_MAX; i++) {
		const struct queue_item *it = &rows[i].item;

		if (it->rcpt != rcpt)
			continue;
		have[k++] = (struct plan_have){.number = it->number,
		    .leg = it->leg, .role = it->role, .state = it->state,
		    .uncertain = it->uncertain, .claimed = rows[i].claimed,
		    .dsn_sent = (it->flags & DF_DSN_SENT) != 0,
		    .no_route = it->state == D_PARKED &&
			it->reason == WHY_NO_ROUTE};
	}
	return k;
}

static const struct queue_item *row_item(const struct queue_row *rows,
    unsigned n, uint32_t number)
{
	for (unsigned i = 0; i < n; i++)
		if (rows[i].item.number == number)
			return &rows[i].item;
	return NULL;
}

/* Held time never counts against the lifetime (D10): the moment it was held
 * stands in the due time, which a held delivery has no other use for. */
static void hold(struct queue_item *i, int64_t now_us)
{
	i->state = D_HELD;
	i->due_us = now_us;
}

static void release(struct queue_item *i, int64_t now_us)
{
	if (i->due_us > 0 && i->due_us < now_us)
		i->created_us += now_us - i->due_us;
	i->state = i->attempts == 0 ? D_QUEUED : D_DEFERRED;
	i->due_us = 0;
}

/* What a step makes of the delivery it names. */
static enum why step_item(const struct plan_step *st, struct queue_item *i,
    int64_t now_us)
{
	switch (st->what) {
	case PLAN_CREATE:
		i->state = st->state;
		if (i->state == D_HELD)
			hold(i, now_us);
		return WHY_ROUTE;
	case PLAN_SUPERSEDE:
		i->state = D_SUPERSEDED;
		return WHY_ROUTE;
	case PLAN_ROLE:
		i->role = st->role;
		return WHY_ROUTE;
	case PLAN_HOLD:
		hold(i, now_us);
		return WHY_HOLD;
	case PLAN_RELEASE:
		release(i, now_us);
		return WHY_RELEASE;
	case PLAN_PARK:
		i->state = D_PARKED;
		return WHY_NO_ROUTE;
	}
	return WHY_NONE;
}

static void add_step(struct moves *m, const struct resolved_letter *l,
    uint32_t rcpt, const struct plan_step *st, const struct queue_item *old)
{
	struct queue_item item = {0};

	if (st->what == PLAN_CREATE) {
		item = (struct queue_item){.number = m->next_number++,
		    .rcpt = rcpt, .leg = st->leg, .role = st->role,
		    .hash = l->rcpt[rcpt].hash, .created_us = m->time_us};
	} else if (old != NULL) {
		item = *old;
	} else {
		return;
	}
	item.change = l->change;
	item.reason = (uint8_t)step_item(st, &item, m->time_us);
	settle_move(m, &item);
}

static void plan_rcpt(struct settle *s, const struct resolved_letter *l,
    uint32_t rcpt, struct moves *m)
{
	struct plan_have have[PLAN_MAX];
	struct plan_step step[PLAN_MAX];
	unsigned n, k;
	struct queue_row *rows = settle_rows(s, l->id, &n);

	k = have_of(rows, n, rcpt, have);
	k = route_plan(&l->rcpt[rcpt].route, l->rcpt[rcpt].held, have, k, step);
	for (unsigned i = 0; i < k; i++)
		add_step(m, l, rcpt, &step[i],
		    row_item(rows, n, step[i].number));
}

/* A new delivery is started when the journal has it and not before: whoever
 * reads the message for it must find it there. */
struct resolving {
	struct written written;
	uint64_t id, change;
};

static void on_rerouted(struct settle *s, struct spool_op *op)
{
	struct resolving *r = op->arg;

	queue_resolved(s->queue, r->id,
	    op->status == SPOOL_STORED ? r->change : 0);
	mem_free(r);
	spool_op_free(op);
}

static void reroute(struct settle *s, const struct moves *m, uint64_t change)
{
	struct resolving *r = NEW(struct resolving);

	*r = (struct resolving){{on_rerouted}, m->id, change};
	settle_post(s, settle_op(m), &r->written);
	settle_apply(s, m);
}

static void on_resolved(struct settle *s, struct resolved_letter *l)
{
	struct moves m;
	unsigned n;
	struct queue_row *rows = settle_rows(s, l->id, &n);

	settle_moves_init(&m, l->id, clock_wall_us(s->app->clock));
	for (unsigned i = 0; i < n; i++)
		if (rows[i].item.number >= m.next_number)
			m.next_number = rows[i].item.number + 1;
	for (uint32_t i = 0; n != 0 && !l->failed && i < l->n; i++)
		if (!l->rcpt[i].pinned)
			plan_rcpt(s, l, i, &m);
	if (m.n != 0)
		reroute(s, &m, l->change);
	else
		queue_resolved(s->queue, l->id, l->failed ? 0 : l->change);
	settle_moves_fini(&m);
	mem_free(l);
}

/* ---- the other letters ---- */

static void on_accepted(struct settle *s, struct accepted_letter *l)
{
	queue_insert(s->queue, l->id, l->size, l->item, l->n, l->claimed,
	    true);
	mem_free(l);
}

static void on_unclaim(struct settle *s, struct unclaim_letter *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		struct queue_item item;

		if (!l->trouble) {
			queue_unclaim(s->queue, l->id, l->number[i], false);
			continue;
		}
		if (!queue_get(s->queue, l->id, l->number[i], &item))
			continue;
		item.state = D_DEFERRED;
		item.due_us = clock_wall_us(s->app->clock) + TROUBLE_US;
		queue_set(s->queue, l->id, &item);
	}
	if (l->stale)
		queue_stale(s->queue, l->id);
	mem_free(l);
}

static void on_pull(struct settle *s, struct pull_letter *l)
{
	queue_pull(s->queue, l->worker, l->leg, PULL_MAX);
	mem_free(l);
}

static void on_wake(struct settle *s, struct wake_letter *l)
{
	if (l->all)
		queue_wake_all(s->queue);
	for (unsigned i = 0; i < l->n; i++)
		queue_wake(s->queue, l->hash[i]);
	if (l->change != 0)
		queue_applied(s->queue, l->change);
	mem_free(l);
}

static void on_letter(struct settle *s, struct letter *l)
{
	struct spool_op *op;
	struct call *call;

	switch ((enum settle_letter)l->kind) {
	case S_ACCEPTED:
		on_accepted(s, (struct accepted_letter *)l);
		break;
	case S_OUTCOME:
		on_outcome(s, (struct outcome_letter *)l);
		break;
	case S_UNCLAIM:
		on_unclaim(s, (struct unclaim_letter *)l);
		break;
	case S_RESOLVED:
		on_resolved(s, (struct resolved_letter *)l);
		break;
	case S_PULL:
		on_pull(s, (struct pull_letter *)l);
		break;
	case S_WAKE:
		on_wake(s, (struct wake_letter *)l);
		break;
	case S_WRITTEN:
		op = (struct spool_op *)l;
		((struct written *)op->arg)->fn(s, op);
		break;
	case S_CALL:
		call = (struct call *)l;
		call->fn(call->arg);
		mem_free(call);
		break;
	}
}

/* ---- what the queue wants ---- */

static struct worker *pick(struct settle *s, int worker)
{
	if (worker < 0)
		worker = (int)(s->turn++ % (unsigned)s->app->workers);
	return s->app->worker[worker];
}

/* The journal may be behind: what a worker must know of the deliveries goes
 * along. */
struct job_letter *settle_job(struct settle *s, uint64_t id,
    const uint32_t *number, unsigned n)
{
	struct job_letter *j = mem_new(sizeof(*j) + n * sizeof(j->row[0]));
	struct queue_item item;

	j->letter.kind = W_JOB;
	j->id = id;
	for (unsigned i = 0; i < n; i++)
		if (queue_get(s->queue, id, number[i], &item))
			j->row[j->n++] = (struct job_row){
			    item.number, item.rcpt, item.flags};
	return j;
}

void settle_send_job(struct settle *s, int worker, struct job_letter *j)
{
	mailbox_post(&pick(s, worker)->box, &j->letter);
}

static void queue_start(void *arg, int worker, const struct queue_job *job)
{
	struct settle *s = arg;
	struct job_letter *j = settle_job(s, job->id, job->number, job->n);

	j->kind = job->expired ? JOB_EXPIRED : JOB_ATTEMPT;
	j->leg = job->leg;
	j->role = job->role;
	j->change = job->change;
	j->slot = job->slot;
	settle_send_job(s, worker, j);
}

static void queue_resolve(void *arg, uint64_t id)
{
	struct settle *s = arg;
	struct job_letter *j = settle_job(s, id, NULL, 0);

	j->letter.kind = W_RESOLVE;
	settle_send_job(s, -1, j);
}

static void queue_wants_slot(void *arg, int leg)
{
	struct settle *s = arg;

	app_yield(s->app, leg, -1);
}

static const struct queue_ops queue_ops = {
	queue_start, queue_resolve, queue_wants_slot};

/* ---- recovery ---- */

/* The queue's key of a recipient, without the table. */
static uint64_t base_hash(struct settle *s, const char *to)
{
	struct strbuf key;
	struct addr a;
	const char *why;
	uint64_t hash = 0;

	strbuf_init(&key, 2 * ADDR_MAX);
	if (addr_parse(slice_str(to), true, &a, &why) == 0 &&
	    addr_key(&a, '\0', &key))
		hash = follow_key_hash(s->app->live->conf, strbuf_view(&key));
	strbuf_fini(&key);
	return hash | 1;
}

void settle_recovered(void *arg, uint64_t id, struct slice envelope,
    const struct spool_delivery *d, unsigned n)
{
	struct settle *s = arg;
	struct arena *a = arena_new();
	struct queue_item *items = NEW_ARRAY(struct queue_item, n);
	struct envelope e;

	if (envelope_unpack(envelope, a, &e) < 0) {
		log_error("recover.envelope", kv_id("id", id));
		e.rcpts = 0;
		e.size = 0;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t hash = d[i].rcpt < e.rcpts
				    ? base_hash(s, e.rcpt[d[i].rcpt].to) : 1;

		items[i] = item_of(&d[i], i, hash);
		if (dstate_live(d[i].state) && d[i].change < s->oldest_change)
			s->oldest_change = d[i].change;
	}
	queue_insert(s->queue, id, e.size, items, n, false, true);
	mem_free(items);
	arena_free(a);
}

uint64_t settle_oldest_change(const struct settle *s)
{
	return s->oldest_change;
}

/* ---- the thread ---- */

struct settle *settle_new(struct app *a)
{
	struct settle *s = NEW(struct settle);
	struct queue_config c = {.clock = a->clock, .rng = a->rng,
	    .ledger = a->ledger, .ops = &queue_ops, .arg = s,
	    .resolve_max = RESOLVE_MAX};

	s->app = a;
	s->oldest_change = UINT64_MAX;
	s->row_cap = 64;
	s->rows = NEW_ARRAY(struct queue_row, s->row_cap);
	mailbox_init(&s->box);
	s->queue = queue_new(&c, a->live->conf);
	return s;
}

struct mailbox *settle_box(struct settle *s)
{
	return &s->box;
}

struct queue *settle_queue(struct settle *s)
{
	return s->queue;
}

void settle_configure(struct settle *s, struct conf *c)
{
	queue_configure(s->queue, c);
}

static void take_letters(struct settle *s)
{
	struct letter *l, *next;

	for (l = mailbox_take(&s->box); l != NULL; l = next) {
		next = l->next;
		on_letter(s, l);
	}
}

/* One turn: what was posted, then what is due. Ms until the next. */
int settle_step(struct settle *s)
{
	take_letters(s);
	return queue_step(s->queue, clock_mono_ms(s->app->clock));
}

void settle_drain(struct settle *s)
{
	if (s != NULL)
		take_letters(s);
}

static void *settle_thread(void *arg)
{
	struct settle *s = arg;

	while (!atomic_load(&s->stop))
		mailbox_wait(&s->box, settle_step(s));
	return NULL;
}

int settle_run(struct settle *s, struct error *err)
{
	int no = pthread_create(&s->thread, NULL, settle_thread, s);

	if (no != 0)
		return error_sys(err, no, "starting the queue thread");
	s->running = true;
	return 0;
}

void settle_stop(struct settle *s)
{
	if (s == NULL || !s->running)
		return;
	atomic_store(&s->stop, true);
	mailbox_wake(&s->box);
	pthread_join(s->thread, NULL);
	s->running = false;
}

void settle_free(struct settle *s)
{
	if (s == NULL)
		return;
	queue_free(s->queue);
	mailbox_fini(&s->box);
	mem_free(s->rows);
	mem_free(s);
}
