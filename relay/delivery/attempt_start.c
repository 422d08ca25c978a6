/* SPDX-License-Identifier: ISC
 *
 * One attempt, from the table's word to the leg's: the request that the client
 * gets, and its answer. A worker's loop.
 */
#include "relay/delivery/attempt_start.h"

#include "relay/delivery/attempt_egress.h"
#include "relay/delivery/attempt_end.h"
#include "relay/delivery/attempt_permit.h"
#include "relay/delivery/attempt_route.h"
#include "relay/delivery/attempt_sender.h"
#include "relay/delivery/classify_reply.h"
#include "relay/delivery/copy_sender.h"
#include "relay/delivery/forecast.h"
#include "relay/delivery/outgoing.h"
#include "relay/mail/domain.h"

/* The final address, when it is not the one that the message came with. */
static const char *rewritten(const struct attempt *at, unsigned i)
{
	const char *said = at->req.rcpt[i].address;
	const char *to = at->mail->env.rcpt[at->row[i].ref.rcpt].to;
	struct addr a;
	const char *why;

	return strcmp(said, to) == 0 ||
			       addr_parse(slice_str(to), true, &a, &why) < 0
		   ? "" : said;
}

/* Only recipients with a row: how mail to them fares shows what a leg makes of
 * real mail, not of guessed addresses. */
static void count_forecast(struct attempt *at, const struct outcome_letter *o)
{
	struct forecast_subject s = {.conf = at->req.conf, .leg = at->req.leg,
	    .envelope = &at->mail->env, .told = at->req.from};

	for (unsigned i = 0; i < o->n; i++)
		if (o->row[i].result.outcome == OUT_DELIVERED &&
		    at->word[i].known && !o->row[i].stranger) {
			forecast_count(at->w->outgoing->forecast, &s);
			return;
		}
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
	attempt_permit_end(at, attempt_permit_met(o));
	attempt_look_again(at, o);
	count_forecast(at, o);
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
	if (envelope_names_client(e)) {
		q->client = e->client;
		q->client_name = e->client_name;
		q->helo = e->helo;
		q->esmtp = e->esmtp;
	}
	q->patience_ms = at->permit.patience_ms;
	q->from = attempt_egress_sender(at);
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
	attempt_sender_set(at);
	copy_sender_set(at);
}

static void set_domain(struct attempt *at)
{
	struct addr to;
	struct strbuf name;

	if (at->req.leg == NULL || !at->req.leg->direct ||
	    !mail_rcpt_addr(at->mail, at->row[0].ref.rcpt, &to))
		return;
	strbuf_init(&name, ADDR_DOMAIN_MAX);
	if (domain_normal(to.domain, &name))
		at->req.domain = arena_slicedup(at->arena, strbuf_view(&name));
	strbuf_fini(&name);
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
	if (at->content == NULL || !attempt_resolve(at, &later)) {
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
	at->began_us = w->shared->clock->mono_us(w->shared->clock);
	list_remove(&at->node);
	attempt_egress_note(at);
	attempt_sender_note(at);
	dialogs_count(w);
	return true;
}
