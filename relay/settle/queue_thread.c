/* SPDX-License-Identifier: ISC
 *
 * The queue thread. Every state of a delivery changes here and nowhere else:
 * first the record for the journal is posted, then the queue is told. Where a
 * change is told (to an administrator, or to a sender by a DSN), they and the
 * queue hear of it only when the journal has answered.
 */
#include "relay/settle/queue_thread.h"

#include <pthread.h>

#include "relay/base/log.h"
#include "relay/base/thread.h"
#include "relay/post/call.h"
#include "relay/post/delivery_ref.h"
#include "relay/settle/downtime.h"
#include "relay/settle/leg_health.h"
#include "relay/post/mail.h"
#include "relay/settle/queue_thread_int.h"

enum { RESOLVE_MAX = 64, PULL_MAX = 4 };

/* ---- letters ---- */

static void on_accepted(struct queue_thread *s, struct accepted_letter *l)
{
	queue_insert(s->queue, &(struct queue_arrival){l->id, l->size, l->item,
	    l->n, .claimed = l->claimed, .force = true, .sender = l->sender});
	mem_free(l);
}

/* After trouble not at once; and what the route does not name waits in case
 * nothing becomes of it there, or it would go round and round. */
static void on_unclaim(struct queue_thread *s, struct unclaim_letter *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		queue_domain(s->queue, l->id, l->row[i].number,
		    l->row[i].domain);
		queue_unclaim(s->queue, l->id, l->row[i].number,
		    l->trouble || l->stale);
	}
	if (l->stale)
		queue_stale(s->queue, l->id);
	mem_free(l);
}

/* Over one connection mail goes in the queue's order; over several it cannot,
 * and fetching ahead keeps them busy. */
static void on_pull(struct queue_thread *s, struct pull_letter *l)
{
	queue_pull(s->queue, l->worker, l->leg,
	    ledger_limit(s->shared->ledger, l->leg) == 1 ? 1 : PULL_MAX);
	mem_free(l);
}

static void on_wake(struct queue_thread *s, struct wake_letter *l)
{
	queue_reading(s->queue, l->change);
	if (l->all)
		queue_wake_all(s->queue);
	for (unsigned i = 0; i < l->n; i++)
		queue_wake(s->queue, l->hash[i]);
	if (l->n != 0)
		queue_wake(s->queue, QUEUE_ANYBODY);
	if (l->applied)
		queue_applied(s->queue, l->change);
	mem_free(l);
}

static void on_outcome(struct queue_thread *s, struct outcome_letter *o)
{
	if (!reroute_outcome_waits(s, o))
		outcome_take(s, o);
}

/* Outcomes whose message waited for the record of its new routes. */
static void take_ready(struct queue_thread *s)
{
	struct letter *l;

	while ((l = s->ready) != NULL) {
		s->ready = l->next;
		if (s->ready == NULL)
			s->ready_tail = &s->ready;
		on_outcome(s, (struct outcome_letter *)l);
	}
}

static void on_letter(struct queue_thread *s, struct letter *l)
{
	struct spool_op *op;

	switch ((enum queue_letter)l->kind) {
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
		reroute_resolved(s, (struct resolved_letter *)l);
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
		call_run(l);
		break;
	case S_ANSWERED:
		leg_answered(s, (struct question_letter *)l);
		mem_free(l);
		break;
	}
	take_ready(s);
}

/* ---- what the queue wants ---- */

static void on_down(void *arg, int leg)
{
	struct queue_thread *s = arg;

	downtime_write(s->shared, s->queue, leg);
}

static const struct queue_ops queue_ops = {
	jobs_start, jobs_resolve, jobs_offer, on_down, expire_parked};

/* ---- recovery ---- */

/* Empty: it could not be read yet, and recovery.c names it. */
static void read_envelope(const struct spool_told *m, struct arena *a,
    struct envelope *e)
{
	*e = (struct envelope){.from = ""};
	if (m->envelope.n == 0 || envelope_unpack(m->envelope, a, e) == 0)
		return;
	log_error("recover.envelope", kv_id("id", m->id),
	    kv_int("newer_format", envelope_newer(m->envelope)));
	e->rcpts = 0;
	e->from = "";
}

static void grow_items(struct queue_thread *s, unsigned n)
{
	if (n <= s->items_cap)
		return;
	s->items_cap = n;
	s->items = mem_resize(s->items, n * sizeof(*s->items));
}

void queue_thread_recovered(void *arg, const struct spool_told *m)
{
	struct queue_thread *s = arg;
	struct arena *a = m->envelope.n == 0 ? NULL : arena_new();
	struct envelope e;

	read_envelope(m, a, &e);
	grow_items(s, m->n);
	for (unsigned i = 0; i < m->n; i++) {
		const struct spool_delivery *d = &m->delivery[i];

		s->items[i] = delivery_ref_read(d, i);
		s->items[i].hash = d->rcpt < e.rcpts
				    ? mail_rcpt_hash(s->conf,
					  e.rcpt[d->rcpt].to)
				    : d->hash | QUEUE_ANYBODY;
		if (d->rcpt < e.rcpts && (d->flags & DF_EGRESS) != 0)
			s->items[i].domain = mail_domain(e.rcpt[d->rcpt].to);
		if (dstate_live(d->state) && d->change < s->oldest_change)
			s->oldest_change = d->change;
	}
	queue_insert(s->queue, &(struct queue_arrival){m->id, m->size,
	    s->items, m->n, .force = true,
	    .sender = e.rcpts != 0 ? mail_sender(e.from)
				     : mail_sender_stored(m->sender)});
	arena_free(a);
}

uint64_t queue_thread_oldest_change(const struct queue_thread *s)
{
	return s->oldest_change;
}

/* ---- the thread ---- */

struct queue_thread *queue_thread_new(const struct queue_thread_config *c)
{
	struct queue_thread *s = NEW(struct queue_thread);
	struct shared *sh = c->shared;
	struct queue_config qc = {.clock = sh->clock, .rng = sh->rng,
	    .ledger = sh->ledger, .ops = &queue_ops, .arg = s,
	    .resolve_max = RESOLVE_MAX};

	s->shared = sh;
	s->conf = conf_ref(c->conf);
	s->alarms = c->alarms;
	s->hints = c->hints;
	s->oldest_change = UINT64_MAX;
	s->row_cap = 64;
	s->rows = NEW_ARRAY(struct queue_row, s->row_cap);
	s->ready_tail = &s->ready;
	mailbox_init(&s->box);
	list_init(&s->bounces);
	list_init(&s->resolving);
	s->queue = queue_new(&qc, c->conf);
	s->health = leg_health_new(sh, s->alarms, s->conf);
	sh->queue = s->queue;
	sh->queue_box = &s->box;
	return s;
}

struct queue *queue_thread_queue(struct queue_thread *s)
{
	return s->queue;
}

void queue_thread_configure(struct queue_thread *s, struct conf *c)
{
	conf_unref(s->conf);
	s->conf = conf_ref(c);
	queue_configure(s->queue, c);
	leg_health_configure(s->health, s->conf);
}

static void take_letters(struct queue_thread *s)
{
	struct letter *l, *next;

	for (l = mailbox_take(&s->box); l != NULL; l = next) {
		next = l->next;
		on_letter(s, l);
	}
	act_bounces_look(s);
}

/* One turn: what was posted, then what is due. Ms until the next. */
int queue_thread_step(struct queue_thread *s)
{
	int trials, queue;

	queue_loaded(s->queue); /* what the start told of, the first time */
	take_letters(s);
	trials = leg_step(s);
	spool_look_at_clock(s->shared->spool);
	queue_pressed(s->queue, spool_pressed(s->shared->spool));
	queue = queue_step(s->queue);
	self_check_step(&s->check, s->queue, s->shared->spool,
	    s->shared->ledger, s->shared->clock->mono_us(s->shared->clock));
	return trials < queue ? trials : queue;
}

void queue_thread_drain(struct queue_thread *s)
{
	if (s == NULL)
		return;
	queue_loaded(s->queue);
	if (atomic_load(&s->stop)) {
		reroute_end(s);
		take_ready(s);
	}
	take_letters(s);
}

static void *thread_main(void *arg)
{
	struct queue_thread *s = arg;

	thread_name("ph-queue");
	while (!atomic_load(&s->stop))
		mailbox_wait(&s->box, queue_thread_step(s));
	return NULL;
}

int queue_thread_run(struct queue_thread *s, struct error *err)
{
	int no = pthread_create(&s->thread, NULL, thread_main, s);

	if (no != 0)
		return error_sys(err, no, "starting the queue thread");
	s->running = true;
	return 0;
}

void queue_thread_stop(struct queue_thread *s)
{
	if (s == NULL || !s->running)
		return;
	atomic_store(&s->stop, true);
	mailbox_wake(&s->box);
	pthread_join(s->thread, NULL);
	s->running = false;
}

void queue_thread_free(struct queue_thread *s)
{
	if (s == NULL)
		return;
	leg_health_free(s->health);
	act_bounces_free(s);
	queue_free(s->queue);
	conf_unref(s->conf);
	mailbox_fini(&s->box);
	mem_free(s->rows);
	mem_free(s->items);
	mem_free(s);
}
