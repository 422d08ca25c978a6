/* SPDX-License-Identifier: ISC
 *
 * A mail goes out: attempts of one worker. An attempt is the deliveries of
 * one message to one leg in one role; its route is looked up when a
 * connection is there for it and not before (design.md D1), and what the
 * table no longer says goes back to the queue instead. A worker's loop.
 */
#include "relay/daemon/dispatch.h"

#include "policy/reply_class.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/daemon/bounce.h"
#include "relay/mail/domain.h"
#include "relay/daemon/settle.h"

struct attempt {
	struct list node; /* in worker.waiting, or nowhere */
	struct worker *w;
	struct mail *mail;
	struct live *live; /* the snapshot that it runs under */
	int leg;
	enum role role;
	bool slot;	   /* a slot of the ledger is ours */
	int64_t since_ms;  /* waiting since */
	uint64_t change;
	uint32_t *number;  /* in arena */
	unsigned n;
	struct client_request req;
	struct arena *arena; /* goes along with the outcome */
	struct source *content;
	struct outcome_letter *outcome; /* waits for the header of a DSN */
	struct strbuf head;
};

enum { HEAD_MAX = 64 << 10 };

/* ---- small things ----------------------------------------------------------- */

static struct attempt *attempt_new(struct worker *w, struct mail *m, int leg,
    enum role role, unsigned cap)
{
	struct attempt *at = NEW(struct attempt);

	list_node_init(&at->node);
	at->w = w;
	at->mail = mail_ref(m);
	at->leg = leg;
	at->role = role;
	at->arena = arena_new();
	at->number = arena_alloc(at->arena, cap * sizeof(*at->number));
	strbuf_init(&at->head, HEAD_MAX);
	return at;
}

static void attempt_free(struct attempt *at)
{
	list_remove(&at->node);
	if (at->slot)
		ledger_give(at->w->app->ledger, at->leg);
	source_free(at->content);
	strbuf_fini(&at->head);
	mail_unref(at->mail);
	live_unref(at->live);
	arena_free(at->arena);
	mem_free(at);
}

enum giving_back {
	BACK_READY,   /* whenever there is a connection                     */
	BACK_STALE,   /* its route is another by now                        */
	BACK_TROUBLE, /* the table or the journal could not be read: later  */
};

static void give_back(struct worker *w, uint64_t id, const uint32_t *number,
    unsigned n, enum giving_back how)
{
	struct unclaim_letter *l = mem_new(
	    sizeof(*l) + n * sizeof(l->number[0]));

	if (n != 0)
		memcpy(l->number, number, n * sizeof(l->number[0]));
	l->letter.kind = S_UNCLAIM;
	l->id = id;
	l->stale = how == BACK_STALE;
	l->trouble = how == BACK_TROUBLE;
	l->n = n;
	mailbox_post(settle_box(w->app->settle), &l->letter);
}

static void attempt_return(struct attempt *at, enum giving_back how)
{
	give_back(at->w, at->mail->env.id, at->number, at->n, how);
	attempt_free(at);
}

/* ---- the route, late ----------------------------------------------------------- */

/* A DSN of ours to somebody else's domain: no row of the table speaks of it,
 * dsn.via chose its leg once. */
static bool is_pinned(const struct conf *c, const struct envelope *e,
    const struct addr *to)
{
	struct strbuf name;
	bool ours;

	if (e->listen[0] != '\0' || e->from[0] != '\0')
		return false;
	strbuf_init(&name, ADDR_DOMAIN_MAX);
	ours = domain_normal(to->domain, &name) &&
	       conf_domain(c, strbuf_view(&name)) != NULL;
	strbuf_fini(&name);
	return !ours;
}

static bool names_leg(const struct decision *d, int leg, enum role role)
{
	for (unsigned i = 0; i < d->route.legs; i++)
		if (d->route.leg[i] == leg)
			return (i == 0 ? ROLE_PRIMARY : ROLE_COPY) == role;
	return false;
}

static void add_rcpt(struct attempt *at, uint32_t number,
    const struct envelope_rcpt *rcpt, struct slice address)
{
	struct client_rcpt *cr = &at->req.rcpt[at->req.rcpts++];

	at->number[at->n++] = number;
	cr->address = arena_slicedup(at->arena, address);
	/* Only the primary may cause a DSN (D3). */
	cr->notify = at->role == ROLE_COPY ? NOTIFY_NEVER : rcpt->notify;
	cr->orcpt = rcpt->orcpt;
}

enum where { WHERE_HERE, WHERE_ELSEWHERE, WHERE_UNKNOWN };

/* Does the table still say so? Fills the final address. */
static enum where resolve_one(struct attempt *at, struct table *t,
    uint32_t number)
{
	const struct conf *c = at->live->conf;
	const struct mail *m = at->mail;
	uint32_t rcpt = m->delivery[number].rcpt;
	struct decision d;
	struct addr to;
	struct strbuf address;

	if (!mail_rcpt_addr(m, rcpt, &to))
		return WHERE_UNKNOWN;
	if (is_pinned(c, &m->env, &to)) {
		add_rcpt(at, number, &m->env.rcpt[rcpt], to.text);
		return WHERE_HERE;
	}
	memset(&d, 0, sizeof(d));
	if (!route_resolve(c, t, &to, at->w->lookup, &d) ||
	    d.change < atomic_load(&at->w->app->change_floor))
		return WHERE_UNKNOWN;
	at->change = d.change;
	if (d.held || !names_leg(&d, at->leg, at->role))
		return WHERE_ELSEWHERE;
	strbuf_init(&address, 2 * ADDR_MAX);
	route_address(&d, at->leg, &to, c, &address);
	add_rcpt(at, number, &m->env.rcpt[rcpt], strbuf_view(&address));
	strbuf_fini(&address);
	return WHERE_HERE;
}

/* All recipients in one read transaction. Returns false when nothing is left
 * to send; `later` says the table could not be asked. */
static bool resolve(struct attempt *at, bool *later)
{
	struct error err;
	struct table *t = worker_table(at->w, &err);
	uint32_t *number = at->number;
	unsigned n = at->n;

	*later = t == NULL;
	if (t == NULL)
		return false;
	at->req.rcpt = arena_alloc(at->arena, n * sizeof(*at->req.rcpt));
	at->number = arena_alloc(at->arena, n * sizeof(*number));
	at->n = at->req.rcpts = 0;
	for (unsigned i = 0; i < n; i++) {
		switch (resolve_one(at, t, number[i])) {
		case WHERE_HERE:
			break;
		case WHERE_ELSEWHERE:
			give_back(at->w, at->mail->env.id, &number[i], 1,
			    BACK_STALE);
			break;
		case WHERE_UNKNOWN:
			/* Put back what is not decided; ask again soon. */
			at->number[at->n++] = number[i];
			*later = true;
			break;
		}
	}
	table_end(t);
	return at->req.rcpts != 0 && !*later;
}

/* ---- a dialog ---------------------------------------------------------------------- */

static struct outcome_letter *outcome_new(const struct attempt *at,
    enum why why)
{
	struct outcome_letter *o = mem_new(
	    sizeof(*o) + at->n * sizeof(o->row[0]));

	o->letter.kind = S_OUTCOME;
	o->id = at->mail->env.id;
	o->leg = at->leg;
	o->role = at->role;
	o->change = at->change;
	o->time_us = clock_wall_us(at->w->app->clock);
	o->why = why;
	o->n = at->n;
	for (unsigned i = 0; i < at->n; i++)
		o->row[i].number = at->number[i];
	return o;
}

/* A failure for good that may be told, or not, becomes what the queue is to
 * do with it. */
static void judge(const struct attempt *at, struct outcome_letter *o,
    unsigned i)
{
	const struct conf *c = at->live->conf;
	const struct conf_leg *leg = conf_leg_by_id(c, at->leg);
	struct result *r = &o->row[i].result;

	reply_classify(leg != NULL ? leg->profile : "generic", r);
	if (r->outcome == OUT_FAILED &&
	    (c->soft_bounce || (leg != NULL && leg->soft_bounce)))
		r->outcome = OUT_DEFERRED;
	o->tried |= r->outcome != OUT_UNTRIED;
	o->reached |= r->code != 0;
}

static void post_outcome(struct attempt *at)
{
	struct outcome_letter *o = at->outcome;

	o->arena = at->arena;
	at->arena = NULL;
	mailbox_post(settle_box(at->w->app->settle), &o->letter);
	attempt_free(at);
}

static void defer_failed(struct outcome_letter *o)
{
	for (unsigned i = 0; i < o->n; i++)
		if (o->row[i].result.outcome == OUT_FAILED)
			o->row[i].result.outcome = OUT_DEFERRED;
}

/* Reads the head of the original for its DSN. False: the journal's reader
 * will call again. */
static bool read_head(struct attempt *at)
{
	struct slice chunk;

	if (at->mail->draft != NULL) {
		strbuf_addsl(&at->head,
		    slice_head(spool_draft_head(at->mail->draft), HEAD_MAX));
		return true;
	}
	while (at->content != NULL) {
		switch (source_next(at->content, &chunk)) {
		case SOURCE_CHUNK:
			strbuf_addsl(&at->head,
			    slice_head(chunk, HEAD_MAX - at->head.n));
			if (at->head.n == HEAD_MAX)
				return true;
			break;
		case SOURCE_WAIT:
			return false;
		case SOURCE_END:
		case SOURCE_ERROR:
			return true;
		}
	}
	return true;
}

static void on_head(void *arg)
{
	struct attempt *at = arg;

	if (!read_head(at))
		return;
	if (!bounce_prepare(at->w, at->mail, strbuf_view(&at->head),
		at->outcome))
		defer_failed(at->outcome);
	post_outcome(at);
}

static void finish(struct attempt *at, struct outcome_letter *o)
{
	at->outcome = o;
	if (o->role == ROLE_COPY || !bounce_due(at->mail, o)) {
		post_outcome(at);
		return;
	}
	if (at->content != NULL) {
		source_rewind(at->content);
		at->content->ready = on_head;
		at->content->ready_arg = at;
	}
	on_head(at);
}

static void on_done(void *arg, struct client_request *req)
{
	struct attempt *at = arg;
	struct worker *w = at->w;
	struct outcome_letter *o = outcome_new(at, WHY_ATTEMPT);

	for (unsigned i = 0; i < at->n; i++) {
		struct result *r = &o->row[i].result;
		struct slice to;
		struct addr said;
		const char *why;

		*r = req->rcpt[i].result;
		to = slice_str(at->mail->env.rcpt[
		    at->mail->delivery[at->number[i]].rcpt].to);
		r->address = slice_eq(slice_str(req->rcpt[i].address), to) ||
				     addr_parse(to, true, &said, &why) < 0
				 ? "" : req->rcpt[i].address;
		judge(at, o, i);
	}
	atomic_store(&w->dialogs, (int)client_busy(w->client));
	finish(at, o);
}

static void fill_request(struct attempt *at)
{
	const struct envelope *e = &at->mail->env;
	struct client_request *q = &at->req;

	q->conf = at->live->conf;
	q->leg = conf_leg_by_id(at->live->conf, at->leg);
	q->id = e->id;
	q->from = e->from;
	q->body = e->body;
	q->utf8 = e->utf8;
	q->bare_lf = e->bare_lf;
	q->eight_bit = e->eight_bit;
	q->ret = e->ret;
	q->envid = e->envid;
	q->content = at->content;
	q->arena = at->arena;
	q->done = on_done;
	q->arg = at;
}

static void set_domain(struct attempt *at)
{
	struct addr to;
	struct strbuf name;

	if (at->req.leg == NULL || !at->req.leg->direct ||
	    !mail_rcpt_addr(at->mail, at->mail->delivery[at->number[0]].rcpt,
		&to))
		return;
	strbuf_init(&name, ADDR_DOMAIN_MAX);
	if (domain_normal(to.domain, &name))
		at->req.domain = arena_slicedup(at->arena, strbuf_view(&name));
	strbuf_fini(&name);
}

static void wait_for_connection(struct attempt *at)
{
	struct worker *w = at->w;

	at->since_ms = loop_now_ms(w->loop);
	if (list_empty(&w->waiting))
		timer_set(&w->handover, w->live->conf->retry.handover_ms);
	list_push_back(&w->waiting, &at->node);
	app_yield(w->app, at->leg, w->index);
}

/* With a connection in sight: route, then talk. True: the attempt is on its
 * way or over; false: no connection. */
static bool attempt_start(struct attempt *at)
{
	struct worker *w = at->w;
	bool later = false;

	if (!at->slot && !client_has_idle(w->client, at->leg)) {
		at->slot = ledger_take(w->app->ledger, at->leg);
		if (!at->slot)
			return false;
	}
	if (at->live == NULL)
		at->live = live_ref(w->live);
	if (at->content == NULL)
		at->content = mail_source(at->mail);
	arena_free(w->lookup);
	w->lookup = arena_new();
	if (at->content == NULL || !resolve(at, &later)) {
		attempt_return(at, later ? BACK_TROUBLE : BACK_READY);
		return true;
	}
	fill_request(at);
	set_domain(at);
	if (at->req.leg == NULL) { /* it left the configuration */
		attempt_return(at, BACK_STALE);
		return true;
	}
	if (!client_send(w->client, &at->req, at->slot))
		return false;
	at->slot = false; /* the connection's now */
	atomic_store(&w->dialogs, (int)client_busy(w->client));
	return true;
}

/* ---- where attempts come from --------------------------------------------------------- */

static bool same_domain(const struct mail *m, uint32_t a, uint32_t b)
{
	struct addr x, y;

	return mail_rcpt_addr(m, m->delivery[a].rcpt, &x) &&
	       mail_rcpt_addr(m, m->delivery[b].rcpt, &y) &&
	       slice_case_eq(x.domain, y.domain);
}

/* A direct egress has a next hop per domain: the first domain goes, the rest
 * returns to the queue and comes again. */
static void keep_one_domain(struct attempt *at)
{
	const struct conf_leg *leg =
	    conf_leg_by_id(at->w->live->conf, at->leg);
	unsigned kept = 1;

	if (leg == NULL || !leg->direct)
		return;
	for (unsigned i = 1; i < at->n; i++) {
		if (same_domain(at->mail, at->number[0], at->number[i]))
			at->number[kept++] = at->number[i];
		else
			give_back(at->w, at->mail->env.id, &at->number[i], 1,
			    BACK_READY);
	}
	at->n = kept;
}

static void launch(struct attempt *at)
{
	keep_one_domain(at);
	if (!attempt_start(at))
		wait_for_connection(at);
}

static bool can_send(const struct worker *w, int leg)
{
	return !atomic_load(&w->app->stopping) &&
	       ledger_gates(w->app->ledger, leg) == 0 &&
	       conf_leg_by_id(w->live->conf, leg) != NULL;
}

static void fresh_group(struct worker *w, struct mail *m, unsigned first)
{
	const struct spool_delivery *f = &m->delivery[first];
	struct attempt *at =
	    attempt_new(w, m, f->leg, f->role, m->deliveries);

	for (unsigned i = first; i < m->deliveries; i++)
		if (m->delivery[i].leg == f->leg &&
		    m->delivery[i].role == f->role &&
		    m->delivery[i].state == D_QUEUED)
			at->number[at->n++] = i;
	if (can_send(w, f->leg))
		at->content = mail_source(m);
	/* No bytes in memory, or a leg that takes nothing: the queue's. */
	if (at->content == NULL)
		attempt_return(at, BACK_READY);
	else
		launch(at);
}

void dispatch_fresh(struct worker *w, struct mail *m)
{
	for (unsigned i = 0; i < m->deliveries; i++) {
		const struct spool_delivery *d = &m->delivery[i];
		bool first = d->state == D_QUEUED;

		for (unsigned k = 0; first && k < i; k++)
			first = m->delivery[k].leg != d->leg ||
				m->delivery[k].role != d->role ||
				m->delivery[k].state != D_QUEUED;
		if (first)
			fresh_group(w, m, i);
	}
}

static void fetch(struct worker *w, struct job_letter *j, bool want_body)
{
	struct spool_fetch *f = spool_fetch_new(j->id, &w->box, W_FETCHED);

	f->want_body = want_body;
	f->arg = j;
	spool_fetch_post(w->app->spool, f);
}

static void job_free(struct job_letter *j)
{
	mem_free((char *)j->who);
	mem_free((char *)j->reason);
	mem_free(j);
}

static void job_return(struct worker *w, struct job_letter *j,
    enum giving_back how)
{
	if (j->slot)
		ledger_give(w->app->ledger, j->leg);
	give_back(w, j->id, j->number, j->n, how);
	job_free(j);
}

void dispatch_job(struct worker *w, struct job_letter *j)
{
	if (j->kind == JOB_ATTEMPT && atomic_load(&w->app->stopping))
		job_return(w, j, BACK_READY);
	else
		fetch(w, j, true);
}

void dispatch_resolve(struct worker *w, struct job_letter *j)
{
	fetch(w, j, false);
}

/* The end of a lifetime, or an administrator's word: a result without a
 * dialog. */
static void end_without_dialog(struct attempt *at, struct job_letter *j)
{
	struct outcome_letter *o = outcome_new(at,
	    j->kind == JOB_EXPIRED ? WHY_LIFETIME : WHY_ADMIN);

	for (unsigned i = 0; i < o->n; i++)
		o->row[i].result = (struct result){.outcome = OUT_FAILED,
		    .enh = "4.4.7", .stage = "queue", .remote = "",
		    .text = "The message could not be delivered in time",
		    .tls = "", .address = ""};
	if (j->kind == JOB_BOUNCE) {
		for (unsigned i = 0; i < o->n; i++) {
			struct result *r = &o->row[i].result;

			memcpy(r->enh, "5.7.0", sizeof("5.7.0"));
			r->text = j->reason[0] != '\0'
				? arena_strdup(at->arena, j->reason)
				: "The administrator returned this message";
		}
		o->who = arena_strdup(at->arena, j->who);
		o->reason = arena_strdup(at->arena, j->reason);
	}
	at->content = mail_source(at->mail);
	finish(at, o);
}

static void job_fetched(struct worker *w, struct job_letter *j,
    struct mail *m)
{
	struct attempt *at = attempt_new(w, m, j->leg, j->role, j->n);

	for (unsigned i = 0; i < j->n; i++)
		if (j->number[i] < m->deliveries)
			at->number[at->n++] = j->number[i];
	at->slot = j->slot;
	at->live = live_ref(w->live);
	if (j->kind != JOB_ATTEMPT)
		end_without_dialog(at, j);
	else
		launch(at);
	job_free(j);
}

/* ---- resolving anew -------------------------------------------------------------------- */

static bool resolve_rcpt(struct worker *w, struct table *t,
    const struct mail *m, struct resolved_letter *l, unsigned i)
{
	const struct conf *c = w->live->conf;
	struct decision d;
	struct addr to;

	if (!mail_rcpt_addr(m, i, &to))
		return false;
	if (is_pinned(c, &m->env, &to)) {
		l->rcpt[i].pinned = true;
		return true;
	}
	memset(&d, 0, sizeof(d));
	if (!route_resolve(c, t, &to, w->lookup, &d) ||
	    d.change < atomic_load(&w->app->change_floor))
		return false;
	l->rcpt[i].route = d.route;
	l->rcpt[i].held = d.held;
	l->rcpt[i].hash = hash_slice(slice_str(d.base)) | 1;
	l->change = d.change;
	return true;
}

static void resolve_fetched(struct worker *w, struct job_letter *j,
    struct mail *m)
{
	unsigned n = m == NULL ? 0 : m->env.rcpts;
	struct resolved_letter *l = mem_new(
	    sizeof(*l) + n * sizeof(l->rcpt[0]));
	struct error err;
	struct table *t = worker_table(w, &err);

	l->letter.kind = S_RESOLVED;
	l->id = j->id;
	l->n = n;
	l->failed = t == NULL || m == NULL;
	for (unsigned i = 0; i < n && !l->failed; i++)
		l->failed = !resolve_rcpt(w, t, m, l, i);
	if (t != NULL)
		table_end(t);
	mailbox_post(settle_box(w->app->settle), &l->letter);
	job_free(j);
}

void dispatch_fetched(struct worker *w, struct spool_fetch *f)
{
	struct job_letter *j = f->arg;
	struct mail *m = NULL;

	if (f->status == 0)
		m = mail_of_fetch(f);
	else {
		log_error("dispatch.read", kv_id("id", f->id),
		    kv_err(&f->err));
		spool_fetch_free(f);
	}
	if (j->letter.kind == W_RESOLVE)
		resolve_fetched(w, j, m);
	else if (m == NULL)
		job_return(w, j, BACK_TROUBLE);
	else
		job_fetched(w, j, m);
	mail_unref(m);
}

/* ---- connections ------------------------------------------------------------------------- */

static void pull(struct worker *w, int leg)
{
	struct pull_letter *l;

	if (ledger_ready(w->app->ledger, leg) == 0 ||
	    atomic_load(&w->app->stopping))
		return;
	l = NEW(struct pull_letter);
	l->letter.kind = S_PULL;
	l->worker = w->index;
	l->leg = leg;
	mailbox_post(settle_box(w->app->settle), &l->letter);
}

void dispatch_idle(void *arg, int leg)
{
	struct worker *w = arg;

	list_each_safe(n, &w->waiting) {
		struct attempt *at = LIST_ENTRY(n, struct attempt, node);

		if (at->leg != leg)
			continue;
		list_remove(&at->node);
		if (!attempt_start(at))
			list_push_front(&w->waiting, &at->node);
		return;
	}
	pull(w, leg);
}

/* Nothing may wait in a worker for longer than the handover: the queue may
 * know another way. */
static void on_handover(void *arg)
{
	struct worker *w = arg;
	int64_t limit = w->live->conf->retry.handover_ms;
	int64_t now = loop_now_ms(w->loop);
	struct attempt *at;

	while ((at = LIST_FIRST(&w->waiting, struct attempt, node)) != NULL) {
		int64_t left = at->since_ms + limit - now;

		if (left > 0) {
			timer_set(&w->handover, left);
			return;
		}
		attempt_return(at, BACK_READY);
	}
}

void dispatch_init(struct worker *w)
{
	list_init(&w->waiting);
	timer_init(&w->handover, w->loop, on_handover, w);
}

void dispatch_stop(struct worker *w)
{
	struct attempt *at;

	while ((at = LIST_FIRST(&w->waiting, struct attempt, node)) != NULL)
		attempt_return(at, BACK_READY);
}

static bool slots_take(void *arg, int leg)
{
	struct worker *w = arg;

	return ledger_take(w->app->ledger, leg);
}

static void slots_give(void *arg, int leg)
{
	struct worker *w = arg;

	ledger_give(w->app->ledger, leg);
}

static bool slots_wanted(void *arg, int leg)
{
	struct worker *w = arg;

	return ledger_wanted(w->app->ledger, leg);
}

const struct client_slots dispatch_slots = {
	slots_take, slots_give, slots_wanted};
