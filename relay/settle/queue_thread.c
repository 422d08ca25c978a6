/* SPDX-License-Identifier: ISC
 *
 * The queue thread. Every state of a delivery changes here and nowhere else:
 * first the record for the journal is posted, then the queue is told. Where
 * somebody is told of it (an administrator, a sender by a DSN), the queue
 * and they hear of it only when the journal has answered.
 */
#include "relay/settle/queue_thread.h"

#include "relay/base/log.h"
#include "relay/settle/downtime.h"
#include "relay/cutover/table_follow.h"
#include "relay/settle/leg_health.h"
#include "relay/post/mail.h"
#include "relay/settle/queue_thread_int.h"
#include "relay/daemon/worker.h"

enum { RESOLVE_MAX = 64, PULL_MAX = 4 };

/* ---- items ---- */

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

/* ---- letters ---- */

static void on_accepted(struct settle *s, struct accepted_letter *l)
{
	queue_insert(s->queue, l->id, l->size, l->item, l->n, l->claimed,
	    true);
	queue_sender(s->queue, l->id, l->sender);
	mem_free(l);
}

/* After trouble not at once; and what the route does not name waits in case
 * nothing becomes of it there, or it would go round and round. */
static void on_unclaim(struct settle *s, struct unclaim_letter *l)
{
	for (unsigned i = 0; i < l->n; i++)
		queue_unclaim(s->queue, l->id, l->number[i],
		    l->trouble || l->stale);
	if (l->stale)
		queue_stale(s->queue, l->id);
	mem_free(l);
}

/* Over one connection mail goes in the queue's order; over several it cannot,
 * and fetching ahead keeps them busy. */
static void on_pull(struct settle *s, struct pull_letter *l)
{
	queue_pull(s->queue, l->worker, l->leg,
	    ledger_limit(s->app->ledger, l->leg) == 1 ? 1 : PULL_MAX);
	mem_free(l);
}

static void on_wake(struct settle *s, struct wake_letter *l)
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

static void on_letter(struct settle *s, struct letter *l)
{
	struct spool_op *op;
	struct call *call;

	switch ((enum settle_letter)l->kind) {
	case S_ACCEPTED:
		on_accepted(s, (struct accepted_letter *)l);
		break;
	case S_OUTCOME:
		settle_outcome(s, (struct outcome_letter *)l);
		break;
	case S_UNCLAIM:
		on_unclaim(s, (struct unclaim_letter *)l);
		break;
	case S_RESOLVED:
		settle_resolved(s, (struct resolved_letter *)l);
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
			    .number = item.number, .rcpt = item.rcpt,
			    .flags = item.flags, .leg = item.leg};
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

	j->kind = job->late ? JOB_LATE
			    : job->expired ? JOB_EXPIRED : JOB_ATTEMPT;
	for (unsigned i = 0; job->late && i < j->n; i++)
		j->row[i].until_us = queue_gives_up_us(
		    s->queue, j->id, j->row[i].number);
	j->leg = job->leg;
	j->role = job->role;
	j->change = job->change;
	j->slot = job->slot;
	j->trial = job->trial;
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

	app_offer(s->app, leg);
}

static void queue_down(void *arg, int leg)
{
	struct settle *s = arg;

	downtime_write(s->app, leg);
}

static const struct queue_ops queue_ops = {
	queue_start, queue_resolve, queue_wants_slot, queue_down, settle_over};

/* ---- recovery ---- */

/* The queue's key of a recipient, without the table. */
static uint64_t base_hash(struct settle *s, const char *to)
{
	struct strbuf key;
	struct addr a;
	const char *why;
	uint64_t hash = QUEUE_ANYBODY;

	strbuf_init(&key, 2 * ADDR_MAX);
	if (addr_parse(slice_str(to), true, &a, &why) == 0 &&
	    route_is_itself(s->app->live->conf, &a) &&
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

	/* Empty: it could not be read yet, and recovery.c names it. */
	if (envelope_unpack(envelope, a, &e) < 0) {
		if (envelope.n > 0)
			log_error("recover.envelope", kv_id("id", id));
		e.rcpts = 0;
		e.size = 0;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t hash = d[i].rcpt < e.rcpts
				    ? base_hash(s, e.rcpt[d[i].rcpt].to)
				    : QUEUE_ANYBODY;

		items[i] = item_of(&d[i], i, hash);
		if (dstate_live(d[i].state) && d[i].change < s->oldest_change)
			s->oldest_change = d[i].change;
	}
	queue_insert(s->queue, id, e.size, items, n, false, true);
	if (e.rcpts != 0)
		queue_sender(s->queue, id, mail_sender(e.from));
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
	list_init(&s->bounces);
	list_init(&s->resolving);
	s->queue = queue_new(&c, a->live->conf);
	s->legs = legs_new(a);
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
	legs_configure(s->legs, c);
}

static void take_letters(struct settle *s)
{
	struct letter *l, *next;

	for (l = mailbox_take(&s->box); l != NULL; l = next) {
		next = l->next;
		on_letter(s, l);
	}
	settle_bounces_look(s);
}

/* One turn: what was posted, then what is due. Ms until the next. */
int settle_step(struct settle *s)
{
	int trials, queue;

	take_letters(s);
	trials = legs_step(s);
	spool_look_at_clock(s->app->spool);
	queue_pressed(s->queue, spool_pressed(s->app->spool));
	queue = queue_step(s->queue, clock_mono_ms(s->app->clock));
	return trials < queue ? trials : queue;
}

void settle_drain(struct settle *s)
{
	if (s == NULL)
		return;
	if (atomic_load(&s->stop))
		settle_resolving_end(s);
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
	legs_free(s->legs);
	settle_bounces_free(s);
	queue_free(s->queue);
	mailbox_fini(&s->box);
	mem_free(s->rows);
	mem_free(s);
}
