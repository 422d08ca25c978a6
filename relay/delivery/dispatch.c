/* SPDX-License-Identifier: ISC
 *
 * A mail goes out: where a worker's attempts come from (a message accepted a
 * moment ago, a job of the queue), and what a free connection does. A
 * worker's loop.
 */
#include "relay/delivery/dispatch.h"

#include "conf/profile.h"
#include "relay/base/log.h"
#include "relay/delivery/ask.h"
#include "relay/delivery/attempt.h"
#include "relay/delivery/attempt_egress.h"
#include "relay/delivery/attempt_end.h"
#include "relay/delivery/attempt_permit.h"
#include "relay/delivery/attempt_route.h"
#include "relay/delivery/attempt_sender.h"
#include "relay/delivery/attempt_start.h"
#include "relay/delivery/outgoing.h"
#include "relay/delivery/report.h"
#include "relay/delivery/resolve.h"
#include "relay/client/client.h"
#include "relay/post/delivery_ref.h"
#include "relay/post/workers.h"

enum { LATE_TEXT = 1000 };

/* ---- where attempts come from ---- */

static void wait_for_connection(struct attempt *at)
{
	struct worker *w = at->w;

	at->since_ms = loop_now_ms(w->loop);
	if (!w->outgoing->handover.set)
		timer_set(&w->outgoing->handover,
		    w->snapshot->conf->retry.handover_ms);
	list_push_back(&w->outgoing->waiting[at->leg], &at->node);
	if (attempt_below_share(at))
		workers_yield(w->shared->workers, at->leg, w->index);
}

static bool same_domain(const struct mail *m, const struct delivery_ref *a,
    const struct delivery_ref *b)
{
	struct addr x, y;

	return mail_rcpt_addr(m, a->rcpt, &x) &&
	       mail_rcpt_addr(m, b->rcpt, &y) &&
	       slice_case_eq(x.domain, y.domain);
}

/* Those that may not go with the first one return to the queue and come again
 * at once. */
static void keep_some(struct attempt *at,
    bool (*together)(const struct mail *m, const struct delivery_ref *a,
	const struct delivery_ref *b))
{
	struct job_row *rest =
	    arena_alloc(at->arena, at->n * sizeof(*rest));
	unsigned kept = 1, others = 0;

	for (unsigned i = 1; i < at->n; i++) {
		if (together(at->mail, &at->row[0].ref, &at->row[i].ref))
			at->row[kept++] = at->row[i];
		else
			rest[others++] = at->row[i];
	}
	at->n = kept;
	if (others > 0)
		attempt_give_back(at->w, at->mail->env.id, rest, others,
		    BACK_READY);
}

/* A direct egress has a next hop per domain, and some platforms take no more
 * than one domain at once. */
static void keep_one_domain(struct attempt *at)
{
	const struct conf_leg *leg =
	    conf_leg_by_id(at->w->snapshot->conf, at->leg);

	if (leg != NULL && (leg->direct || leg->replies->one_domain))
		keep_some(at, same_domain);
}

/* 0: not refused so far; 1: refused, but not heard at the last attempt. */
static int rank(const struct delivery_ref *r)
{
	if ((r->flags & DF_REFUSED) == 0)
		return 0;
	return (r->flags & DF_UNHEARD) != 0 ? 1 : 2;
}

static bool ranks_alike(const struct mail *m, const struct delivery_ref *a,
    const struct delivery_ref *b)
{
	(void)m;
	return rank(a) == rank(b);
}

/* A leg that ends sessions after so many errors would hear of the same refused
 * recipients at each try, and never of those behind them, or never let the
 * content come. Those that it did not refuse go first, and alone. */
static void keep_lowest_rank(struct attempt *at)
{
	for (unsigned i = 1; i < at->n; i++) {
		struct job_row first = at->row[0];

		if (rank(&at->row[i].ref) >= rank(&first.ref))
			continue;
		at->row[0] = at->row[i];
		at->row[i] = first;
	}
	keep_some(at, ranks_alike);
}

static void go(struct attempt *at)
{
	if (!attempt_permit(at))
		attempt_return(at, BACK_READY);
	else if (!attempt_start(at))
		wait_for_connection(at);
}

static void go_as_sender(struct attempt *at)
{
	if (attempt_sender(at, go) == EGRESS_GO)
		go(at);
}

static void launch(struct attempt *at)
{
	/* A trial goes whole: the leg is well when it takes any of it. */
	if (!at->trial)
		keep_lowest_rank(at);
	attempt_know_domains(at);
	keep_one_domain(at);
	if (attempt_egress(at, go_as_sender) == EGRESS_GO)
		go_as_sender(at);
}

static bool can_send(const struct worker *w, int leg)
{
	return !atomic_load(&w->shared->stopping) &&
	       ledger_gates(w->shared->ledger, leg) == 0 &&
	       conf_leg_by_id(w->snapshot->conf, leg) != NULL;
}

/* One leg gets at most half of the window: a slow one leaves the other its
 * part (D2). */
static bool has_memory(struct attempt *at)
{
	const struct conf *c = at->w->snapshot->conf;
	uint64_t bytes = at->mail->env.size;

	if (!ledger_memory_take(at->w->shared->ledger, at->leg, bytes,
		c->limits.memory_window_bytes / 2))
		return false;
	at->memory = bytes;
	return true;
}

static void fresh_group(struct worker *w, struct mail *m, unsigned first)
{
	const struct spool_delivery *f = &m->delivery[first];
	struct attempt *at =
	    attempt_new(w, m, f->leg, f->role, m->deliveries);

	at->planned = f->change;
	for (unsigned i = first; i < m->deliveries; i++) {
		const struct spool_delivery *d = &m->delivery[i];

		if (d->leg != f->leg || d->role != f->role ||
		    d->state != D_QUEUED)
			continue;
		at->row[at->n++].ref = delivery_ref_read(d, i);
		if (d->change < at->planned)
			at->planned = d->change;
	}
	if (can_send(w, f->leg) && has_memory(at))
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

static void job_return(struct worker *w, struct worker_job *j,
    enum giving_back how)
{
	if (j->slot)
		ledger_give(w->shared->ledger, j->leg);
	permit_give(ledger_permits(w->shared->ledger), &j->permit,
	    PERMIT_UNUSED, 0, w->shared->clock->mono_us(w->shared->clock));
	attempt_give_back(w, j->id, j->row, j->n, how);
	job_free(j);
}

/* The sender hears what kept it from going out at all (attempt_egress.c). */
static struct result result_late(struct attempt *at, unsigned i)
{
	struct result r = {.outcome = OUT_FAILED, .enh = "4.4.7",
	    .stage = STAGE_QUEUE, .remote = "", .tls = "", .address = ""};
	struct result last =
	    report_last_word(at->mail, &at->row[i].ref, at->arena);
	struct strbuf text;

	strbuf_init(&text, LATE_TEXT);
	strbuf_adds(&text, "The message could not be delivered in time");
	if (last.stage == STAGE_QUEUE && strcmp(last.enh, NO_WAY_ENH) == 0)
		strbuf_addf(&text, ": %s", last.text);
	r.text = arena_slicedup(at->arena, strbuf_view(&text));
	strbuf_fini(&text);
	return r;
}

/* The end of a lifetime, or an administrator's word: a result without a
 * dialog. */
static void end_without_dialog(struct attempt *at, struct worker_job *j)
{
	struct outcome_letter *o = attempt_outcome(at,
	    j->kind == JOB_EXPIRED ? WHY_LIFETIME : WHY_ADMIN);

	for (unsigned i = 0; i < o->n; i++)
		o->row[i].result = result_late(at, i);
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
	attempt_finish(at, o);
}

/* Its sender hears that it waits, with the leg's last word. */
static void tell_delay(struct attempt *at)
{
	struct outcome_letter *o;

	attempt_know_strangers(at);
	o = attempt_outcome(at, WHY_LATE);
	for (unsigned i = 0; i < o->n; i++)
		o->row[i].result =
		    report_last_word(at->mail, &at->row[i].ref, at->arena);
	at->content = mail_source(at->mail);
	attempt_finish(at, o);
}

/* A delivery to a recipient that the envelope does not have: one of them is
 * damaged. */
static bool fits(const struct worker_job *j, const struct mail *m)
{
	for (unsigned i = 0; i < j->n; i++)
		if (j->row[i].ref.rcpt >= m->env.rcpts)
			return false;
	return j->n > 0;
}

static void job_fetched(struct worker *w, struct worker_job *j,
    struct mail *m)
{
	struct attempt *at = attempt_new(w, m, j->leg, j->role, j->n);

	for (unsigned i = 0; i < j->n; i++)
		at->row[at->n++] = j->row[i];
	at->planned = j->change;
	at->slot = j->slot;
	at->permit = j->permit;
	at->trial = j->trial;
	at->snapshot = snapshot_ref(w->snapshot);
	if (j->kind == JOB_LATE)
		tell_delay(at);
	else if (j->kind != JOB_ATTEMPT)
		end_without_dialog(at, j);
	else
		launch(at);
	job_free(j);
}

void dispatch_fetched(struct worker *w, struct spool_fetch *f)
{
	struct worker_job *j = f->arg;
	struct mail *m = NULL;

	if (f->status == 0)
		m = mail_of_fetch(f);
	else {
		/* Unread is told by recovery.c; else it ended meanwhile. */
		log_info("dispatch.read", kv_id("id", f->id),
		    kv_err(&f->err));
		spool_fetch_free(f);
	}
	if (j->kind == JOB_RESOLVE)
		resolve_routes(w, j, m);
	else if (m == NULL || !fits(j, m))
		job_return(w, j, BACK_TROUBLE);
	else if (atomic_load(&w->shared->stopping))
		job_return(w, j, BACK_READY);
	else
		job_fetched(w, j, m);
	mail_unref(m);
}

/* ---- connections ---- */

/* False: the queue has nothing either. */
static bool pull(struct worker *w, int leg)
{
	struct pull_letter *l;

	if (ledger_ready(w->shared->ledger, leg) == 0 ||
	    atomic_load(&w->shared->stopping))
		return false;
	l = NEW(struct pull_letter);
	l->letter.kind = S_PULL;
	l->worker = w->index;
	l->leg = leg;
	mailbox_post(w->shared->queue_box, &l->letter);
	return true;
}

/* An attempt that goes back instead of being sent leaves the connection to the
 * next. */
bool dispatch_idle(void *arg, int leg)
{
	struct worker *w = arg;

	if (ledger_over(w->shared->ledger, leg))
		return false;
	if (ask_turn(w->ask, leg))
		return true;
	list_each_safe(n, &w->outgoing->waiting[leg]) {
		struct attempt *at = LIST_ENTRY(n, struct attempt, node);

		if (!attempt_start(at) || !client_has_idle(w->client, leg))
			return true;
	}
	return pull(w, leg) || ask_rest(w->ask, leg);
}

/* Those that wait since `before_ms` or longer. Ms until the next is so late;
 * INT64_MAX when none waits. */
static int64_t return_late(struct list *waiting, int64_t before_ms)
{
	struct attempt *at;

	while ((at = LIST_FIRST(waiting, struct attempt, node)) != NULL) {
		if (at->since_ms > before_ms)
			return at->since_ms - before_ms;
		attempt_return(at, BACK_READY);
	}
	return INT64_MAX;
}

/* Nothing may wait in a worker for longer than the handover: the queue may
 * know another way. */
void dispatch_handover(void *arg)
{
	struct worker *w = arg;
	int64_t limit = w->snapshot->conf->retry.handover_ms;
	int64_t now = loop_now_ms(w->loop), next = INT64_MAX;
	int legs = names_count(w->shared->names);

	for (int leg = 0; leg < legs; leg++) {
		int64_t left = return_late(&w->outgoing->waiting[leg],
		    now - limit);

		next = left < next ? left : next;
	}
	if (next != INT64_MAX)
		timer_set(&w->outgoing->handover, next);
}

void dispatch_stop(struct worker *w)
{
	struct attempt *at;

	for (int leg = 0; leg < NAMES_MAX; leg++)
		return_late(&w->outgoing->waiting[leg], INT64_MAX);
	return_late(&w->outgoing->judging, INT64_MAX);
	resolve_stop(w);
	while ((at = LIST_FIRST(&w->outgoing->reading, struct attempt,
	    node)) != NULL)
		attempt_untold(at);
}
