/* SPDX-License-Identifier: ISC
 *
 * A message's routes, looked up anew.
 */
#include "relay/delivery/resolve.h"

#include "policy/chooser.h"
#include "relay/egress/egress_judge.h"
#include "relay/delivery/outgoing.h"
#include "relay/delivery/own_mail.h"

/* A change of the table waits for its turn behind these: it must not wait for
 * a stranger's DNS. */
enum { JUDGE_MS = 500 };

/* A message whose way out is asked about. */
struct resolve_wait {
	struct list node; /* of outgoing.resolving */
	struct timer limit;
	struct worker *w;
	struct worker_job *job;
	struct mail *mail;
	struct egress_question *question;
};

/* A message in one read transaction of the table. */
struct look_up {
	struct worker *w;
	struct table *table; /* NULL: it cannot be read */
	const struct mail *mail;
	const struct egress_judged *judged; /* NULL: not known */
	struct resolved_letter *letter;
};

/* Its leg was chosen once; if there was none, there may be one by now. */
static void resolve_notice(const struct look_up *l, const struct addr *to,
    unsigned i)
{
	struct resolved_letter *out = l->letter;
	struct decision d = {0};
	enum why why;

	out->rcpt[i].pinned = true;
	out->rcpt[i].hash = mail_hash(l->mail->env.rcpt[i].to);
	if (own_mail_route(l->w, to, &d, &why) && why == WHY_NONE)
		out->rcpt[i].route = d.route;
}

/* Where no way out is good, or none is known yet, it stays on its leg, whose
 * attempts ask anew. */
static void resolve_egress(const struct look_up *l, unsigned i)
{
	struct resolved_letter *out = l->letter;
	struct route *r = &out->rcpt[i].route;

	out->rcpt[i].hash = mail_hash(l->mail->env.rcpt[i].to);
	out->rcpt[i].pinned = l->judged == NULL || l->judged->leg < 0;
	if (out->rcpt[i].pinned)
		return;
	r->kind = ROUTE_LEGS;
	r->legs = 1;
	r->leg[0] = (uint16_t)l->judged->leg;
}

static bool resolve_table(const struct look_up *l, const struct addr *to,
    unsigned i)
{
	struct worker *w = l->w;
	struct resolved_letter *out = l->letter;
	struct decision d;

	memset(&d, 0, sizeof(d));
	if (!route_resolve(w->snapshot->conf, l->table, to, w->lookup, &d))
		return false;
	out->rcpt[i].loops =
	    !mail_without_loops(l->mail, i, w->shared->names, &d);
	out->rcpt[i].route = d.route;
	out->rcpt[i].held = d.held;
	out->rcpt[i].hash = mail_hash(d.base);
	return true;
}

static bool resolve_rcpt(const struct look_up *l, unsigned i)
{
	struct addr to;

	if (!mail_rcpt_addr(l->mail, i, &to))
		return false;
	switch (recipient_chooser(l->w->snapshot->conf, &l->mail->env, &to)) {
	case CHOOSER_NOTICE:
		resolve_notice(l, &to, i);
		return true;
	case CHOOSER_EGRESS:
		resolve_egress(l, i);
		return true;
	case CHOOSER_TABLE:
		break;
	}
	return resolve_table(l, &to, i);
}

/* False: the table cannot be read, or is behind what was seen of it. */
static bool take_change(const struct look_up *l)
{
	struct error err;
	int64_t change = l->table == NULL ? -1 : table_change(l->table, &err);

	if (change < 0 || (uint64_t)change < l->w->table_floor)
		return false;
	l->letter->change = (uint64_t)change;
	return true;
}

/* Takes the job. */
static void resolve_all(struct worker *w, struct worker_job *j,
    const struct mail *m, const struct egress_judged *judged)
{
	unsigned n = m == NULL ? 0 : m->env.rcpts;
	struct resolved_letter *out = mem_new(
	    sizeof(*out) + n * sizeof(out->rcpt[0]));
	struct error err;
	struct look_up l = {.w = w, .table = worker_table(w, &err), .mail = m,
	    .judged = judged, .letter = out};

	out->letter.kind = S_RESOLVED;
	out->id = j->id;
	out->n = n;
	out->failed = !take_change(&l) || m == NULL ||
		      atomic_load(&w->shared->stopping);
	for (unsigned i = 0; i < n && !out->failed; i++)
		out->failed = !resolve_rcpt(&l, i);
	mailbox_post(w->shared->queue_box, &out->letter);
	job_free(j);
}

static void wait_free(struct resolve_wait *r)
{
	timer_fini(&r->limit);
	list_remove(&r->node);
	egress_forget(r->question);
	mail_unref(r->mail);
	mem_free(r);
}

static void on_judged(void *arg, const struct egress_judged *judged)
{
	struct resolve_wait *r = arg;

	r->question = NULL;
	resolve_all(r->w, r->job, r->mail, judged);
	wait_free(r);
}

/* The question goes on for the next who ask. */
static void on_limit(void *arg)
{
	struct resolve_wait *r = arg;

	resolve_all(r->w, r->job, r->mail, NULL);
	wait_free(r);
}

static bool has_egress(const struct conf *c, const struct mail *m)
{
	struct addr to;

	for (unsigned i = 0; i < m->env.rcpts; i++)
		if (mail_rcpt_addr(m, i, &to) &&
		    recipient_chooser(c, &m->env, &to) == CHOOSER_EGRESS)
			return true;
	return false;
}

void resolve_routes(struct worker *w, struct worker_job *j, struct mail *m)
{
	const struct egress_judged *judged;
	struct egress_subject s;
	struct resolve_wait *r;

	if (m == NULL || atomic_load(&w->shared->stopping) ||
	    !has_egress(w->snapshot->conf, m)) {
		resolve_all(w, j, m, NULL);
		return;
	}
	s = egress_subject_of(w->snapshot->conf, &m->env,
	    clock_wall_us(w->shared->clock));
	r = NEW(struct resolve_wait);
	*r = (struct resolve_wait){.w = w, .job = j, .mail = mail_ref(m)};
	timer_init(&r->limit, w->loop, on_limit, r);
	timer_set(&r->limit, JUDGE_MS);
	list_push_back(&w->outgoing->resolving, &r->node);
	judged = egress_judge(w->outgoing->egress, &s, on_judged, r,
	    &r->question);
	if (judged == NULL)
		return;
	resolve_all(w, j, m, judged);
	wait_free(r);
}

void resolve_stop(struct worker *w)
{
	struct resolve_wait *r;

	while ((r = LIST_FIRST(&w->outgoing->resolving, struct resolve_wait,
	    node)) != NULL) {
		resolve_all(w, r->job, NULL, NULL);
		wait_free(r);
	}
}
