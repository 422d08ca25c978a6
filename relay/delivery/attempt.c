/* SPDX-License-Identifier: ISC
 *
 * One attempt, from the look-up in the table to the leg's reply. Its route is
 * looked up when a connection is there for it and not before (D1); a delivery
 * that the route no longer names goes back to the queue. A worker's loop.
 */
#include "relay/delivery/attempt.h"

#include "relay/base/assert.h"
#include "relay/delivery/bounce.h"
#include "relay/delivery/classify_reply.h"
#include "relay/delivery/copy_sender.h"
#include "relay/delivery/outgoing.h"
#include "relay/delivery/unknown.h"
#include "relay/mail/codec.h"
#include "relay/mail/domain.h"
#include "relay/client/client.h"
#include "relay/post/workers.h"

enum { HEAD_MAX = 64 << 10 };

/* ---- small things ---- */

struct attempt *attempt_new(struct worker *w, struct mail *m, int leg,
    enum role role, unsigned cap)
{
	struct attempt *at = NEW(struct attempt);

	list_node_init(&at->node);
	at->w = w;
	at->mail = mail_ref(m);
	at->leg = leg;
	at->role = role;
	at->arena = arena_new();
	at->row = arena_alloc(at->arena, cap * sizeof(*at->row));
	strbuf_init(&at->head, HEAD_MAX);
	return at;
}

static void attempt_free(struct attempt *at)
{
	list_remove(&at->node);
	if (at->slot)
		ledger_give(at->w->shared->ledger, at->leg);
	ledger_memory_give(at->w->shared->ledger, at->leg, at->memory);
	source_free(at->content);
	strbuf_fini(&at->head);
	mail_unref(at->mail);
	snapshot_unref(at->snapshot);
	arena_free(at->arena);
	mem_free(at);
}

void attempt_give_back(struct worker *w, uint64_t id,
    const struct job_row *row, unsigned n, enum giving_back how)
{
	struct unclaim_letter *l = mem_new(
	    sizeof(*l) + n * sizeof(l->number[0]));

	for (unsigned i = 0; i < n; i++)
		l->number[i] = row[i].number;
	l->letter.kind = S_UNCLAIM;
	l->id = id;
	l->stale = how == BACK_STALE;
	l->trouble = how == BACK_TROUBLE;
	l->n = n;
	mailbox_post(w->shared->queue_box, &l->letter);
}

void attempt_return(struct attempt *at, enum giving_back how)
{
	PH_ASSERT(at->outcome == NULL); /* given back or reported: one */
	attempt_give_back(at->w, at->mail->env.id, at->row, at->n, how);
	attempt_free(at);
}

/* ---- the route, late ---- */

/* A DSN of ours to a domain that is not ours: no row of the table speaks of
 * it, dsn.via chose its leg once. */
bool attempt_pinned(const struct conf *c, const struct envelope *e,
    const struct addr *to)
{
	return e->listen[0] == '\0' && e->from[0] == '\0' &&
	       !mail_is_ours(c, to);
}

/* The other role is right when the routes were asked at this change already:
 * where a primary is over, the leg that is first by now gets a copy. */
static bool names_leg(const struct decision *d, const struct attempt *at)
{
	for (unsigned i = 0; i < d->route.legs; i++)
		if (d->route.leg[i] == at->leg)
			return (i == 0 ? ROLE_PRIMARY : ROLE_COPY) ==
				   at->role || at->planned >= d->change;
	return false;
}

/* The address that the leg's own DSNs are to name: the one that the sender
 * knows (RFC 3461 5.2.1), also when the route makes it another. */
static const char *original(struct attempt *at,
    const struct envelope_rcpt *rcpt, struct slice address)
{
	struct slice to = slice_str(rcpt->to);
	const char *orcpt = rcpt->orcpt;
	struct strbuf made;

	if (orcpt[0] != '\0' || slice_eq(to, address))
		return orcpt;
	strbuf_init(&made, 2 * ORCPT_MAX);
	if (orcpt_encode(to, &made))
		orcpt = arena_slicedup(at->arena, strbuf_view(&made));
	strbuf_fini(&made);
	return orcpt;
}

/* Taken by the domain's default alone. */
static bool is_stranger(const struct decision *d)
{
	return d->rule == RULE_DOMAIN ||
	       (d->rule == RULE_LEG_DOMAIN && !d->row.found);
}

static void add_rcpt(struct attempt *at, const struct job_row *row,
    struct slice address)
{
	const struct envelope_rcpt *rcpt = &at->mail->env.rcpt[row->rcpt];
	struct client_rcpt *cr = &at->req.rcpt[at->req.rcpts++];

	at->row[at->n++] = *row;
	cr->address = arena_slicedup(at->arena, address);
	/* Only the primary may cause a DSN (D3). */
	cr->notify = at->role == ROLE_COPY ? NOTIFY_NEVER : rcpt->notify;
	cr->orcpt = original(at, rcpt, address);
}

static struct table_word word_of(const struct decision *d)
{
	return (struct table_word){.known = true, .held = d->held,
	    .route = d->route, .change = d->change};
}

enum where { WHERE_HERE, WHERE_ELSEWHERE, WHERE_UNKNOWN };

/* Does the table still say so? Fills the final address. */
static enum where resolve_one(struct attempt *at, struct table *t,
    const struct job_row *row)
{
	const struct conf *c = at->snapshot->conf;
	const struct mail *m = at->mail;
	struct decision d;
	struct addr to;
	struct strbuf address;

	if (!mail_rcpt_addr(m, row->rcpt, &to))
		return WHERE_UNKNOWN;
	if (attempt_pinned(c, &m->env, &to)) {
		add_rcpt(at, row, to.text);
		return WHERE_HERE;
	}
	memset(&d, 0, sizeof(d));
	if (!route_resolve(c, t, &to, at->w->lookup, &d) ||
	    d.change < at->w->table_floor)
		return WHERE_UNKNOWN;
	at->change = d.change;
	if (d.held ||
	    !mail_without_loops(m, row->rcpt, at->w->shared->names, &d) ||
	    !names_leg(&d, at))
		return WHERE_ELSEWHERE;
	strbuf_init(&address, 2 * ADDR_MAX);
	route_address(&d, at->leg, &to, c, &address);
	at->word[at->n] = word_of(&d);
	add_rcpt(at, row, strbuf_view(&address));
	at->row[at->n - 1].stranger = is_stranger(&d);
	strbuf_fini(&address);
	return WHERE_HERE;
}

/* All recipients in one read transaction. Returns false when nothing is left
 * to send; `later` says the table could not be asked. */
static bool resolve(struct attempt *at, bool *later)
{
	struct error err;
	struct table *t = worker_table(at->w, &err);
	struct job_row *row = at->row;
	unsigned n = at->n;

	*later = t == NULL;
	if (t == NULL)
		return false;
	at->req.rcpt = arena_alloc(at->arena, n * sizeof(*at->req.rcpt));
	at->row = arena_alloc(at->arena, n * sizeof(*row));
	at->word = arena_alloc(at->arena, n * sizeof(*at->word));
	at->n = at->req.rcpts = 0;
	for (unsigned i = 0; i < n; i++) {
		switch (resolve_one(at, t, &row[i])) {
		case WHERE_HERE:
			break;
		case WHERE_ELSEWHERE:
			attempt_give_back(at->w, at->mail->env.id,
			    &row[i], 1, BACK_STALE);
			break;
		case WHERE_UNKNOWN:
			/* Put back what is not decided; ask again soon. */
			at->row[at->n++] = row[i];
			*later = true;
			break;
		}
	}
	table_end(t);
	return at->req.rcpts != 0 && !*later;
}

/* ---- a dialog ---- */

struct outcome_letter *attempt_outcome(const struct attempt *at,
    enum why why)
{
	struct outcome_letter *o = mem_new(
	    sizeof(*o) + at->n * sizeof(o->row[0]));

	o->letter.kind = S_OUTCOME;
	o->id = at->mail->env.id;
	o->leg = at->leg;
	o->role = at->role;
	o->change = at->change;
	o->time_us = clock_wall_us(at->w->shared->clock);
	o->why = why;
	o->n = at->n;
	for (unsigned i = 0; i < at->n; i++) {
		o->row[i].delivery = at->row[i];
		if (at->word != NULL)
			o->row[i].began = at->word[i];
	}
	return o;
}

static void post_outcome(struct attempt *at)
{
	struct outcome_letter *o = at->outcome;

	PH_ASSERT(o != NULL && at->arena != NULL && o->n == at->n);
	o->arena = at->arena;
	at->arena = NULL;
	mailbox_post_lazy(at->w->shared->queue_box, &o->letter);
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
	bounce_prepare(at->w, at->mail, strbuf_view(&at->head), at->outcome);
	post_outcome(at);
}

void attempt_untold(struct attempt *at)
{
	bounce_forget(at->outcome);
	post_outcome(at);
}

void attempt_finish(struct attempt *at, struct outcome_letter *o)
{
	PH_ASSERT(at->outcome == NULL);
	at->outcome = o;
	if (o->role == ROLE_COPY ||
	    !bounce_due(at->snapshot->conf, at->mail, o)) {
		post_outcome(at);
		return;
	}
	if (at->content != NULL) {
		source_rewind(at->content);
		at->content->ready = on_head;
		at->content->ready_arg = at;
	}
	list_push_back(&at->w->outgoing->reading, &at->node);
	on_head(at);
}

/* The final address, when it is not the one that the message came with. */
static const char *rewritten(const struct attempt *at, unsigned i)
{
	const char *said = at->req.rcpt[i].address;
	const char *to = at->mail->env.rcpt[at->row[i].rcpt].to;
	struct addr a;
	const char *why;

	return strcmp(said, to) == 0 ||
			       addr_parse(slice_str(to), true, &a, &why) < 0
		   ? "" : said;
}

/* The table's word by now. False: it cannot be read. */
static bool look_again(const struct attempt *at, struct table *t,
    struct outcome_letter *o, unsigned i)
{
	const struct mail *m = at->mail;
	struct decision d;
	struct addr to;

	if (!mail_rcpt_addr(m, at->row[i].rcpt, &to) ||
	    attempt_pinned(at->snapshot->conf, &m->env, &to))
		return true;
	memset(&d, 0, sizeof(d));
	if (!route_resolve(at->snapshot->conf, t, &to, at->w->lookup, &d) ||
	    d.change < at->w->table_floor)
		return false;
	(void)mail_without_loops(m, at->row[i].rcpt, at->w->shared->names, &d);
	o->row[i].ended = word_of(&d);
	if (o->row[i].result.outcome != OUT_FAILED)
		return true;
	o->row[i].delivery.stranger = is_stranger(&d);
	return unknown_judge(at, t, &d, &to, o, i);
}

void attempt_know_strangers(struct attempt *at)
{
	struct error err;
	struct table *t = worker_table(at->w, &err);
	struct addr to;

	for (unsigned i = 0; t != NULL && i < at->n; i++) {
		struct decision d = {0};

		if (mail_rcpt_addr(at->mail, at->row[i].rcpt, &to) &&
		    !attempt_pinned(at->snapshot->conf, &at->mail->env, &to) &&
		    route_resolve(at->snapshot->conf, t, &to, at->w->lookup,
		    &d))
			at->row[i].stranger = is_stranger(&d);
	}
	if (t != NULL)
		table_end(t);
}

/* A change that came while the dialog lasted is known here before the queue
 * hears of it: what it makes of a recipient must be planned while the attempt
 * still counts as under way (doc/routing.md, rule 5). */
static void look_at_end(const struct attempt *at, struct outcome_letter *o)
{
	struct error err;
	struct table *t = worker_table(at->w, &err);
	bool known = true, changed;

	changed = t != NULL && table_change(t, &err) != (int64_t)at->change;
	for (unsigned i = 0; i < o->n; i++) {
		bool failed = o->row[i].result.outcome == OUT_FAILED;

		if (failed || changed)
			known = t != NULL && look_again(at, t, o, i) && known;
	}
	if (t != NULL)
		table_end(t);
	/* Nothing is given up under a route that cannot be read. */
	if (!known)
		defer_failed(o);
}

static void on_done(void *arg, struct client_request *req)
{
	struct attempt *at = arg;
	struct worker *w = at->w;
	struct outcome_letter *o = attempt_outcome(at, WHY_ATTEMPT);

	o->mailbox = req->leg->protocol == PROTOCOL_LMTP;
	for (unsigned i = 0; i < at->n; i++) {
		o->row[i].result = req->rcpt[i].result;
		o->row[i].result.address = rewritten(at, i);
		o->row[i].on = req->rcpt[i].dsn;
		classify_result(at, o, i);
	}
	classify_attempt(at, o);
	look_at_end(at, o);
	dialogs_count(w);
	attempt_finish(at, o);
}

/* The one change that is made for a leg, and asked for by name (T3): a copy is
 * not to be answered a second time. */
static void suppress_auto(struct attempt *at)
{
	const struct conf_leg *leg = conf_leg_by_id(at->snapshot->conf,
	    at->leg);

	if (at->role != ROLE_COPY || leg == NULL || !leg->suppress_auto ||
	    at->suppressed)
		return;
	at->content = source_behind(
	    SLICE("X-Auto-Response-Suppress: All\r\n"), at->content);
	at->suppressed = true;
}

static void fill_request(struct attempt *at)
{
	const struct envelope *e = &at->mail->env;
	struct client_request *q = &at->req;

	q->conf = at->snapshot->conf;
	q->leg = conf_leg_by_id(at->snapshot->conf, at->leg);
	q->id = e->id;
	q->from = e->from;
	q->body = e->body;
	q->utf8 = e->utf8;
	q->utf8_header = e->utf8_header;
	q->bare_lf = e->bare_lf;
	q->eight_bit = e->eight_bit;
	q->ret = e->ret;
	q->envid = e->envid;
	q->content = at->content;
	q->arena = at->arena;
	q->done = on_done;
	q->arg = at;
	copy_sender_set(at);
}

static void set_domain(struct attempt *at)
{
	struct addr to;
	struct strbuf name;

	if (at->req.leg == NULL || !at->req.leg->direct ||
	    !mail_rcpt_addr(at->mail, at->row[0].rcpt, &to))
		return;
	strbuf_init(&name, ADDR_DOMAIN_MAX);
	if (domain_normal(to.domain, &name))
		at->req.domain = arena_slicedup(at->arena, strbuf_view(&name));
	strbuf_fini(&name);
}

/* A worker with its part of the slots waits for its own connections: taking an
 * idle one from another costs a new dialog, and that worker would take it
 * back. */
bool attempt_below_share(const struct attempt *at)
{
	const struct shared *sh = at->w->shared;
	int share = ledger_limit(sh->ledger, at->leg) / sh->workers->n;

	return client_connections(at->w->client, at->leg) <
	       (unsigned)(share > 0 ? share : 1);
}

/* Does it have a connection, or the right to open one? */
static bool has_way(struct attempt *at)
{
	struct worker *w = at->w;

	/* A gate that was shut since; what came with a slot is a probe. */
	if (!at->slot && !at->trial &&
	    ledger_gates(w->shared->ledger, at->leg) != 0)
		return false;
	if (!at->slot && !client_has_idle(w->client, at->leg))
		at->slot = attempt_below_share(at)
			? ledger_take(w->shared->ledger, at->leg)
			: ledger_take_spare(w->shared->ledger, at->leg);
	return at->slot || client_has_idle(w->client, at->leg);
}

/* The queue has it wait with its sender's domain. */
static bool is_slowed(const struct attempt *at)
{
	const struct shared *sh = at->w->shared;

	return ledger_slowed(sh->ledger, at->leg,
		   mail_sender(at->mail->env.from)).until_us >
	       sh->clock->mono_us(sh->clock);
}

bool attempt_start(struct attempt *at)
{
	struct worker *w = at->w;
	bool later = false;

	if (is_slowed(at)) {
		attempt_return(at, BACK_READY);
		return true;
	}
	if (!has_way(at))
		return false;
	if (at->snapshot == NULL)
		at->snapshot = snapshot_ref(w->snapshot);
	if (at->content == NULL)
		at->content = mail_source(at->mail);
	if (at->content == NULL || !resolve(at, &later)) {
		attempt_return(at, later ? BACK_TROUBLE : BACK_READY);
		return true;
	}
	suppress_auto(at);
	fill_request(at);
	set_domain(at);
	if (at->req.leg == NULL) { /* it left the configuration */
		attempt_return(at, BACK_STALE);
		return true;
	}
	if (!client_send(w->client, &at->req, at->slot))
		return false;
	at->slot = false; /* the connection's now */
	list_remove(&at->node);
	dialogs_count(w);
	return true;
}
