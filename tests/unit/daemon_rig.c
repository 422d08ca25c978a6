/* SPDX-License-Identifier: ISC
 *
 * The queue thread with all that it writes to, on one thread.
 */
#include "tests/unit/daemon_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/watch/loophint.h"
#include "relay/delivery/attempt.h"
#include "relay/delivery/bounce.h"
#include "relay/settle/downtime.h"
#include "relay/queue/queue_check.h"
#include "relay/spool/start/spool_open.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/spool_peek.h"

enum { PUMPS = 400, QUIET = 3, PUMP_US = 200000 };
#define WALL INT64_C(1790000000000000)

static const char conf_text[] =
    "hostname = \"relay.example\"\n"
    "leg \"legacy\" { hosts = \"192.0.2.1\" tls = \"none\" }\n"
    "leg \"cloud\" { hosts = \"192.0.2.2\" tls = \"none\" }\n"
    "egress \"outside\" { hosts = \"192.0.2.3\" tls = \"none\" }\n"
    "dsn { via = \"outside\" }\n"
    "domain \"example.com\" { route = \"legacy\" }\n"
    "retry { steps = { \"60s\" } jitter = 0 lifetime = \"1h\" }\n";

/* ---- birth and death ---- */

static void on_damage(void *arg, const char *line)
{
	(void)arg;
	fail_msg("damage: %s", line);
}

static void open_spool(struct drig *r)
{
	struct spool_config c = {.path = "/spool", .segment_bytes = 1 << 20,
	    .max_bytes = 256 << 20, .body_memory_bytes = 8 << 20,
	    .memory_window_bytes = 8 << 20, .spares = 3,
	    .retain_us = 1000000, .clock = r->shared.clock, .rng =
	    r->shared.rng,
	    .io = &r->disk->io, .names = r->shared.names,
	    .projector = r->read};
	struct spool_recovered told = {.message = queue_thread_recovered,
	    .damage = on_damage};
	struct error err;

	r->queue_thread = queue_thread_new(&(struct queue_thread_config){
	    .shared = &r->shared, .conf = r->snapshot->conf,
	    .alarms = r->alarms, .hints = r->hints});
	told.arg = r->queue_thread;
	r->shared.spool = spool_open(&c, &told, &r->start, &err);
	if (r->shared.spool == NULL)
		fail_msg("%s", err.text);
	downtime_restore(&r->shared, queue_thread_queue(r->queue_thread),
	    r->snapshot->conf);
	if (r->start.stopped_us != 0)
		queue_stopped(queue_thread_queue(r->queue_thread),
		    r->start.stopped_us);
}

static int leg_id(const struct drig *r, const char *name)
{
	return names_find(r->shared.names, slice_str(name));
}

struct drig *drig_new(void)
{
	struct drig *r = NEW(struct drig);
	struct shared *a = &r->shared;
	struct error err;

	log_setup(-1, LOG_LV_ERROR, &clock_system); /* faults are the point */
	assert_int_equal(conf_tmp_setup(&r->dir), 0);
	r->disk = fakedisk_new();
	clock_fake_init(&r->clock, WALL);
	rng_seeded_init(&r->rng, 1);
	a->clock = &r->clock.clock;
	a->rng = &r->rng.rng;
	a->names = names_new();
	r->snapshot =
	    snapshot_new(conf_tmp_good(r->dir, conf_text, a->names), &err);
	assert_non_null(r->snapshot);
	a->table_path = r->snapshot->conf->table.path;
	id_maker_init(&a->ids, a->clock, 0);
	a->ledger = ledger_new();
	r->hints = loophints_new(64, &r->clock.clock);
	ledger_configure(a->ledger, r->snapshot->conf);
	r->alarms = alarms_new(&(struct alarm_config){.shared = a,
	    .conf = r->snapshot->conf});
	a->workers = workers_new(1);
	a->workers->door[0].box = &r->worker.box;
	r->worker.shared = a;
	r->worker.alarms = r->alarms;
	r->worker.snapshot = r->snapshot;
	r->worker.lookup = arena_new();
	mailbox_init(&r->worker.box);
	r->legacy = leg_id(r, "legacy");
	r->cloud = leg_id(r, "cloud");
	r->outside = leg_id(r, "outside");
	r->route = drig_route(r, "legacy");
	r->answers = true;
	r->change = 1;
	r->said[1] = drig_word(r);
	open_spool(r);
	return r;
}

static void drop_jobs(struct drig *r)
{
	struct worker_job *j;

	while ((j = drig_job(r)) != NULL)
		mem_free(j);
}

static void close_spool(struct drig *r)
{
	bool answers = r->answers;

	drop_jobs(r);
	atomic_store(&r->queue_thread->stop, true);
	queue_thread_drain(r->queue_thread);
	r->answers = false;
	spool_stop(r->shared.spool);
	queue_thread_drain(r->queue_thread);
	drig_letters(r);
	r->answers = answers;
	drop_jobs(r);
	spool_close(r->shared.spool);
	queue_thread_free(r->queue_thread);
}

void drig_stop(struct drig *r, bool kill)
{
	if (kill) {
		r->disk->fault = FAULT_EIO;
		r->disk->fail_mask = ~0U;
		r->disk->fail_at = 1;
		r->disk->fail_on = true;
	}
	close_spool(r);
	r->disk->fault = FAULT_NONE;
	r->disk->fail_mask = 0;
	r->disk->fail_at = 0;
	r->disk->fail_on = r->disk->hit = false;
}

void drig_start(struct drig *r)
{
	open_spool(r);
	drig_pump(r);
}

void drig_restart(struct drig *r, bool kill)
{
	drig_stop(r, kill);
	drig_start(r);
}

void drig_free(struct drig *r)
{
	close_spool(r);
	mailbox_fini(&r->worker.box);
	arena_free(r->worker.lookup);
	ledger_free(r->shared.ledger);
	workers_free(r->shared.workers);
	alarms_free(r->alarms);
	loophints_free(r->hints);
	snapshot_unref(r->snapshot);
	names_free(r->shared.names);
	fakedisk_free(r->disk);
	conf_tmp_teardown(&r->dir);
	mem_free(r);
}

/* ---- the worker ---- */

struct drig_message *drig_message(struct drig *r, uint64_t id)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->m[i].id == id)
			return &r->m[i];
	return NULL;
}

static void answer_resolve(struct drig *r, uint64_t id)
{
	const struct drig_message *m = drig_message(r, id);
	unsigned n = m == NULL ? 1 : m->rcpts;
	struct resolved_letter *l =
	    mem_new(sizeof(*l) + n * sizeof(l->rcpt[0]));

	l->letter.kind = S_RESOLVED;
	l->id = id;
	l->change = r->change;
	l->failed = r->fails;
	l->n = n;
	for (unsigned i = 0; i < n; i++) {
		l->rcpt[i].route = r->route;
		l->rcpt[i].held = r->held;
		l->rcpt[i].loops = r->loops;
		l->rcpt[i].hash = 1;
		l->rcpt[i].pinned = m == NULL; /* a DSN of ours */
	}
	mailbox_post(r->shared.queue_box, &l->letter);
}

static void take_job(struct drig *r, struct spool_fetch *f)
{
	struct worker_job *j = f->arg;

	spool_fetch_free(f);
	if (j->kind != JOB_RESOLVE) {
		assert_true(r->jobs < DRIG_JOBS);
		r->word[r->jobs] = drig_word(r);
		r->job[r->jobs++] = j;
		return;
	}
	if (r->answers)
		answer_resolve(r, j->id);
	else
		r->asked++;
	mem_free(j);
}

static void note_question(struct drig *r, const struct question_letter *q)
{
	r->questions++;
	snprintf(r->asked_about, sizeof(r->asked_about), "%s", q->to);
}

static void on_worker_letter(struct drig *r, struct letter *l)
{
	struct spool_draft_letter *d;
	switch ((enum worker_letter)l->kind) {
	case W_STORED:
		d = (struct spool_draft_letter *)l;
		assert_int_equal(d->status, SPOOL_STORED);
		((struct drig_message *)d->arg)->stored = true;
		spool_draft_free(d->draft);
		break;
	case W_FETCHED:
		take_job(r, (struct spool_fetch *)l);
		break;
	case W_YIELD: /* of connections: there are none */
	case W_OFFER:
	case W_QUESTION:
		if (l->kind == W_QUESTION)
			note_question(r, (struct question_letter *)l);
		r->calls++;
		mem_free(l);
		break;
	default:
		fail_msg("a letter of kind %d", l->kind);
	}
}

void drig_letters(struct drig *r)
{
	struct letter *l, *next;

	spool_read(r->shared.spool);
	for (l = mailbox_take(&r->worker.box); l != NULL; l = next) {
		next = l->next;
		on_worker_letter(r, l);
	}
}

/* The worker has a slot for each job that came with one; those in its mailbox
 * are not counted, so it must be empty. */
void drig_recount(const struct drig *r)
{
	struct queue_checker c = {0};
	int held[NAMES_MAX];
	const char *why = queue_check(queue_thread_queue(r->queue_thread), &c);

	memcpy(held, r->idle, sizeof(held));
	for (unsigned i = 0; i < r->jobs; i++)
		held[r->job[i]->leg] += r->job[i]->slot;
	if (why == NULL)
		why = ledger_check(r->shared.ledger, held, &c);
	if (why != NULL)
		fail_msg("%s", why);
}

void drig_pump(struct drig *r)
{
	struct spool *s = r->shared.spool;
	int quiet = 0;

	for (int i = 0; i < PUMPS && quiet < QUIET; i++) {
		int64_t now = clock_mono_ms(r->shared.clock);
		bool busy = queue_thread_step(r->queue_thread) == 0;

		busy = spool_turn(s, now) || busy;
		drig_letters(r);
		drig_recount(r);
		clock_fake_step(&r->clock, PUMP_US);
		quiet = busy ? 0 : quiet + 1;
	}
}

void drig_later(struct drig *r, int64_t s)
{
	clock_fake_step(&r->clock, s * 1000000);
	drig_pump(r);
}

/* ---- messages ---- */

struct spool_delivery drig_delivery(const struct drig *r, uint32_t rcpt,
    int leg, enum role role, enum dstate state)
{
	return (struct spool_delivery){.rcpt = rcpt, .leg = (uint16_t)leg,
	    .role = (uint8_t)role, .state = (uint8_t)state,
	    .created_us = clock_wall_us(r->shared.clock), .change = r->change};
}

static void fill_envelope(const struct drig_message *m, struct arena *a,
    struct envelope *e)
{
	struct envelope_rcpt *rcpt = arena_alloc(a, m->rcpts * sizeof(*rcpt));

	for (unsigned i = 0; i < m->rcpts; i++) {
		char to[64];

		snprintf(to, sizeof(to), "user%u@example.com", i);
		rcpt[i] = (struct envelope_rcpt){
		    .to = arena_strdup(a, to), .notify = m->notify,
		    .orcpt = ""};
	}
	*e = (struct envelope){.id = m->id, .client = "192.0.2.9",
	    .client_name = "", .listen = "mx", .helo = "c", .tls = "",
	    .from = m->from, .envid = "", .message_id = "", .spf = "",
	    .rcpt = rcpt, .rcpts = m->rcpts};
}

static void commit(struct drig *r, struct drig_message *m,
    const struct spool_delivery *d, unsigned n)
{
	struct spool_draft *draft =
	    spool_draft_new(r->shared.spool, m->id, &r->worker.box, m);
	struct arena *a = arena_new();
	struct envelope e;
	struct strbuf packed;

	assert_int_equal(spool_draft_add(draft,
	    SLICE("Subject: x\r\n\r\ntext\r\n"), W_ROOM), ADD_OK);
	fill_envelope(m, a, &e);
	strbuf_init(&packed, 1 << 20);
	envelope_pack(&e, &packed);
	spool_draft_commit(draft, strbuf_view(&packed), d, n, W_STORED);
	strbuf_fini(&packed);
	arena_free(a);
}

static void tell_queue(struct drig *r, uint64_t id,
    const struct spool_delivery *d, unsigned n)
{
	struct accepted_letter *l =
	    mem_new(sizeof(*l) + n * sizeof(l->item[0]));

	l->letter.kind = S_ACCEPTED;
	l->id = id;
	l->sender = r->sender;
	l->n = n;
	for (unsigned i = 0; i < n; i++)
		l->item[i] = (struct delivery_ref){.number = i,
		    .rcpt = d[i].rcpt, .leg = d[i].leg, .role = d[i].role,
		    .state = d[i].state, .uncertain = d[i].uncertain,
		    .reason = d[i].reason, .flags = d[i].flags,
		    .attempts = d[i].attempts, .hash = 1 + d[i].rcpt,
		    .change = d[i].change, .created_us = d[i].created_us,
		    .due_us = d[i].due_us};
	mailbox_post(r->shared.queue_box, &l->letter);
}

uint64_t drig_accept(struct drig *r, const char *from, unsigned rcpts,
    const struct spool_delivery *d, unsigned n)
{
	struct drig_message *m = &r->m[r->n++];

	assert_true(r->n < DRIG_MESSAGES);
	*m = (struct drig_message){.id = id_make(&r->shared.ids),
	    .rcpts = rcpts, .from = from};
	commit(r, m, d, n);
	for (int i = 0; i < PUMPS && !m->stored; i++) {
		spool_turn(r->shared.spool, clock_mono_ms(r->shared.clock));
		drig_letters(r);
	}
	assert_true(m->stored);
	tell_queue(r, m->id, d, n);
	queue_thread_step(r->queue_thread);
	drig_letters(r);
	drig_recount(r);
	return m->id;
}

/* ---- the table ---- */

struct table_word drig_word(const struct drig *r)
{
	return (struct table_word){.known = true, .held = r->held,
	    .route = r->route, .change = r->change};
}

struct route drig_route(const struct drig *r, const char *text)
{
	struct route route = {.kind = ROUTE_LEGS};
	struct slice rest = slice_str(text), part;

	while (slice_next(&rest, '+', &part)) {
		int leg = names_find(r->shared.names, part);

		if (slice_eq(part, SLICE("reject")))
			return (struct route){.kind = ROUTE_REJECT};
		if (slice_eq(part, SLICE("gone")))
			return (struct route){.kind = ROUTE_GONE};
		if (leg < 0)
			return (struct route){.kind = ROUTE_DEFER};
		route.leg[route.legs++] = (uint16_t)leg;
	}
	return route;
}

void drig_flip(struct drig *r, const char *route, bool held)
{
	r->route = drig_route(r, route);
	r->held = held;
	assert_true(++r->change < DRIG_CHANGES);
	r->said[r->change] = drig_word(r);
}

void drig_tell(struct drig *r)
{
	struct wake_letter *l = NEW(struct wake_letter);

	l->letter.kind = S_WAKE;
	l->change = r->change;
	l->all = l->applied = true;
	mailbox_post(r->shared.queue_box, &l->letter);
}

void drig_change(struct drig *r, const char *route, bool held)
{
	drig_flip(r, route, held);
	drig_tell(r);
}

/* ---- what a worker says ---- */

struct worker_job *drig_job(struct drig *r)
{
	struct worker_job *j;

	if (r->jobs == 0)
		return NULL;
	j = r->job[0];
	r->taken = r->word[0];
	memmove(r->job, r->job + 1, --r->jobs * sizeof(r->job[0]));
	memmove(r->word, r->word + 1, r->jobs * sizeof(r->word[0]));
	if (j->slot)
		ledger_give(r->shared.ledger, j->leg);
	mem_free((char *)j->who);
	mem_free((char *)j->reason);
	j->who = j->reason = NULL;
	return j;
}

struct result drig_result(enum outcome outcome, int code, const char *text)
{
	return (struct result){.outcome = outcome, .code = code,
	    .stage = STAGE_RCPT, .remote = "192.0.2.1", .text = text, .tls = "",
	    .address = ""};
}

static void look_again(const struct drig *r, struct outcome_letter *o)
{
	bool asked = o->why == WHY_ATTEMPT && o->leg != r->outside;

	for (unsigned i = 0; i < o->n; i++) {
		if (asked) {
			o->row[i].began = r->began.known ? r->began
							 : drig_word(r);
			o->row[i].ended = drig_word(r);
		}
		o->row[i].stranger = r->stranger;
		o->row[i].on = r->on;
	}
	o->mailbox = r->mailbox;
}

void drig_report(struct drig *r, struct worker_job *j, enum why why,
    const struct result *result, unsigned n)
{
	static const struct drig_message dsn = {.rcpts = 1, .from = ""};
	const struct drig_message *dm = drig_message(r, j->id);
	struct arena *a = arena_new();
	struct mail *m = mail_new();
	struct attempt at = {.w = &r->worker, .mail = m, .leg = j->leg,
	    .role = j->role, .change = r->began.known ? r->began.change
						       : r->change,
	    .row = j->row, .n = j->n};
	struct outcome_letter *o;

	fill_envelope(dm != NULL ? dm : &dsn, m->arena, &m->env);
	m->env.id = j->id;
	o = attempt_outcome(&at, why);
	o->arena = a;
	o->tried = true;
	o->reached = !r->unreached;
	o->sender = r->sender;
	o->slows = r->slows;
	o->maybe_forged = r->maybe_forged;
	o->good = r->good;
	o->faulted = r->faulted;
	o->help = r->help;
	o->who = o->reason = "admin";
	for (unsigned i = 0; i < j->n; i++) {
		o->row[i].result = result[i < n ? i : n - 1];
		o->row[i].known = r->known;
		o->row[i].forged = r->forged;
	}
	look_again(r, o);
	if (o->role == ROLE_PRIMARY &&
	    bounce_due(r->snapshot->conf, m, o))
		bounce_prepare(&r->worker, m, SLICE("Subject: x\r\n"), o);
	mailbox_post(r->shared.queue_box, &o->letter);
	mail_unref(m);
	mem_free(j);
}

void drig_unclaim(struct drig *r, struct worker_job *j, bool stale,
    bool trouble)
{
	attempt_give_back(&r->worker, j->id, j->row, j->n,
	    stale ? BACK_STALE : trouble ? BACK_TROUBLE : BACK_READY);
	mem_free(j);
}

/* ---- an administrator ---- */

static void on_act(void *arg, bool ok)
{
	struct drig_act_seen *seen = arg;

	assert_false(seen->called);
	*seen = (struct drig_act_seen){true, ok};
}

bool drig_act(struct drig *r, enum act what, uint64_t id, uint32_t number,
    bool *ok_out)
{
	struct drig_act_seen *seen = &r->act[r->acts++];
	struct act_request act = {.what = what, .who = "ann", .reason = "why",
	    .done = on_act, .arg = seen};
	bool taken;

	assert_true(r->acts < DRIG_ACTS);
	r->act_said = act_apply(r->queue_thread, &act, id, number);
	taken = r->act_said == NULL;
	drig_pump(r);
	if (what != ACT_BOUNCE)
		assert_int_equal(taken, seen->called);
	*ok_out = seen->ok;
	return taken;
}

/* ---- looking ---- */

struct delivery_ref drig_item(struct drig *r, uint64_t id, uint32_t number)
{
	struct spool_delivery d = {0};
	bool there = spool_peek(r->shared.spool, id, number, &d);
	struct delivery_ref item = {0};

	assert_int_equal(there,
	    queue_get(queue_thread_queue(r->queue_thread), id, number, &item));
	assert_int_equal(item.state, d.state);
	assert_int_equal(item.role, d.role);
	assert_int_equal(item.leg, d.leg);
	assert_int_equal(item.flags, d.flags);
	assert_int_equal(item.uncertain, d.uncertain);
	return item;
}

enum dstate drig_state(struct drig *r, uint64_t id, uint32_t number)
{
	return (enum dstate)drig_item(r, id, number).state;
}

static void check_leg(const struct queue_counts *q,
    const struct spool_stats *s, int leg)
{
	uint64_t open = 0;

	for (int i = 0; i < D_STATES; i++)
		if (dstate_open((enum dstate)i))
			open += q->leg[leg].state[i];
	assert_int_equal(q->leg[leg].claimed, 0);
	assert_int_equal(s->leg[leg].total[T_OPEN], open);
	assert_int_equal(s->leg[leg].total[T_PARKED],
	    q->leg[leg].state[D_PARKED]);
}

void drig_check(struct drig *r)
{
	struct queue *q = queue_thread_queue(r->queue_thread);
	struct queue_counts counts;
	struct spool_stats stats;
	struct queue_row rows[64];
	struct queue_at at = {0, 0};
	unsigned n;

	queue_count(q, &counts);
	spool_stats(r->shared.spool, &stats);
	for (int leg = 0; leg < names_count(r->shared.names); leg++)
		check_leg(&counts, &stats, leg);
	assert_int_equal(counts.messages, stats.live_messages);
	while ((n = queue_walk(q, &at, rows, ARRAY_LEN(rows))) != 0)
		for (unsigned i = 0; i < n; i++) {
			drig_item(r, rows[i].id, rows[i].item.number);
		}
}
