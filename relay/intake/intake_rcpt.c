/* SPDX-License-Identifier: ISC
 *
 * RCPT: whether a recipient is taken, and the deliveries that it gets (T4,
 * T5). Asked are the cutover table, where the mail came from (D6), what the
 * legs are known to take, and for unknown = "probe" the leg. A worker's loop.
 */
#include "relay/intake/intake_int.h"

#include "relay/audit/lookup.h"
#include "relay/delivery/leg_offers.h"
#include "relay/intake/copy_bounce.h"
#include "relay/intake/sender_check.h"
#include "relay/intake/srs_rcpt.h"

static struct spool_delivery *new_delivery(struct intake *in)
{
	struct mail *m = in->mail;

	if (m->deliveries == in->delivery_cap) {
		in->delivery_cap = in->delivery_cap * 2 + 4;
		m->delivery = mem_resize(m->delivery,
		    in->delivery_cap * sizeof(*m->delivery));
	}
	m->delivery[m->deliveries] = (struct spool_delivery){0};
	return &m->delivery[m->deliveries++];
}

/* Has the sender or the recipient, as that leg is told it, a local part that
 * is not ASCII? What else needs SMTPUTF8 is not known before the content. */
static bool needs_utf8(const struct intake *in, const struct decision *d,
    const struct addr *to, int leg)
{
	struct strbuf text;
	struct addr a;
	const char *why;
	bool needs;

	if (in->utf8_sender || !to->utf8_local)
		return in->utf8_sender;
	strbuf_init(&text, 2 * ADDR_MAX);
	route_address(d, leg, to, intake_conf(in), &text);
	needs = addr_parse(strbuf_view(&text), true, &a, &why) < 0 ||
		a.utf8_local;
	strbuf_fini(&text);
	return needs;
}

/* Says why the leg is known not to take this message. WHY_NONE also for a leg
 * that was never greeted. */
static enum why misfit(const struct intake *in, const struct decision *d,
    const struct addr *to, int leg)
{
	struct leg_offer l = leg_offers_get(in->w->intake->c.offers, leg);

	if (l.known && l.size != 0 && in->size > l.size)
		return WHY_TOO_LARGE;
	if (l.known && !l.utf8 && needs_utf8(in, d, to, leg))
		return WHY_NO_UTF8;
	return WHY_NONE;
}

/* A primary that cannot take it is the sender's to know now (RFC 1870 6.1,
 * RFC 6531 3.5); a copy is parked. What is held may go to another leg. */
static bool primary_fits(const struct intake *in, const struct decision *d,
    const struct addr *to, struct reply *r)
{
	if (d->held || d->route.kind != ROUTE_LEGS)
		return true;
	switch (misfit(in, d, to, d->route.leg[0])) {
	case WHY_TOO_LARGE:
		reply_set(r, 552, "5.3.4", "The message is larger than this "
		    "recipient's server takes");
		return false;
	case WHY_NO_UTF8:
		reply_set(r, 553, "5.6.7", "This recipient's server does not "
		    "take local parts that are not ASCII (SMTPUTF8)");
		return false;
	default:
		return true;
	}
}

static void add_deliveries(struct intake *in, const struct decision *d,
    const struct addr *to)
{
	struct names *names = in->w->shared->names;
	struct route route = d->route;

	/* Held beneath an answer: something must stand for the recipient
	 * until a flip names a leg. */
	if (route.kind != ROUTE_LEGS) {
		route.legs = 1;
		route.leg[0] = (uint16_t)names_id(names, SLICE("none"));
	}
	for (unsigned i = 0; i < route.legs; i++) {
		struct spool_delivery *dl = new_delivery(in);

		dl->rcpt = in->mail->env.rcpts;
		dl->leg = route.leg[i];
		dl->role = i == 0 ? ROLE_PRIMARY : ROLE_COPY;
		dl->state = d->held ? D_HELD : D_QUEUED;
		dl->change = d->change;
		if (!d->held && i > 0)
			dl->reason = (uint8_t)misfit(in, d, to, dl->leg);
		if (dl->reason != WHY_NONE)
			dl->state = D_PARKED;
	}
}

/* Recipients grow in the transaction's arena by doubling. */
void intake_add(struct intake *in, const struct rcpt_to *t,
    const struct decision *d)
{
	struct mail *m = in->mail;
	struct envelope *e = &m->env;
	struct envelope_rcpt *rcpt;

	if (e->rcpts == in->rcpt_cap) {
		in->rcpt_cap = in->rcpt_cap * 2 + 2;
		rcpt = arena_alloc(m->arena, in->rcpt_cap * sizeof(*rcpt));
		if (e->rcpts != 0)
			memcpy(rcpt, e->rcpt, e->rcpts * sizeof(*rcpt));
		e->rcpt = rcpt;
		m->hash = mem_resize(m->hash,
		    in->rcpt_cap * sizeof(*m->hash));
	}
	in->has_row |= d->row.found && d->rule != RULE_DOMAIN;
	add_deliveries(in, d, &t->to);
	rcpt = &e->rcpt[e->rcpts];
	rcpt->to = arena_slicedup(m->arena, t->to.text);
	rcpt->notify = t->notify;
	rcpt->orcpt = arena_slicedup(m->arena, t->orcpt);
	m->hash[e->rcpts] = mail_hash(d->base);
	e->rcpts++;
	returned_mark(in);
	in->packed += RCPT_OVERHEAD + t->to.text.n + t->orcpt.n;
}

/* Bare <postmaster> is ours (RFC 5321 4.5.1): it gets our name. */
static void qualify(struct arena *a, const struct conf *c, struct rcpt_to *t)
{
	struct strbuf b;
	const char *why;

	if (t->to.domain.n != 0)
		return;
	strbuf_init(&b, ADDR_MAX);
	strbuf_addsl(&b, t->to.local);
	strbuf_addc(&b, '@');
	strbuf_adds(&b, c->hostname);
	if (addr_parse(slice_str(arena_slicedup(a, strbuf_view(&b))), false,
		&t->to, &why) < 0)
		t->to.domain = slice_of(NULL, 0);
	strbuf_fini(&b);
}

static void table_trouble(struct reply *r)
{
	reply_set(r, 451, "4.3.0", "The cutover table cannot be read now, try "
				   "again later");
}

/* In the transaction of this turn. False: *r refuses. */
static bool decide(struct intake *in, struct table *t, const struct addr *to,
    struct decision *d, struct reply *r)
{
	const struct conf *c = intake_conf(in);

	route_decide(c, t, to, in->w->lookup, d);
	if (d->change < in->w->table_floor) {
		table_trouble(r);
		return false;
	}
	if (d->verdict == VERDICT_REFUSE) {
		*r = d->reply;
		return outbound_rcpt(in, to, d, r) &&
		       primary_fits(in, d, to, r);
	}
	return returned_rcpt(in, t, to, d, r) && primary_fits(in, d, to, r);
}

/* The table's word. False: *r refuses. */
static bool look_up(struct intake *in, const struct rcpt_to *t,
    struct decision *d, struct reply *r)
{
	struct error err;
	struct table *table = worker_table(in->w, &err);

	memset(d, 0, sizeof(*d));
	if (table == NULL) {
		table_trouble(r);
		return false;
	}
	return decide(in, table, &t->to, d, r);
}

/* The leg's word, or what its silence means. False: *r refuses. */
static bool is_known(const struct conf *c, enum ask_answer answer,
    struct reply *r)
{
	if (answer == ASK_NO)
		reply_set(r, 550, "5.1.1", "No such recipient");
	else if (answer == ASK_NO_ANSWER &&
		 c->probe.no_answer == NO_ANSWER_DEFER)
		reply_set(r, 450, "4.4.3", "The recipient cannot be verified "
					   "now, try again later");
	else
		return true;
	return false;
}

static void take_rcpt(struct intake *in, const struct rcpt_to *t,
    const struct decision *d, struct reply *r)
{
	/* The way of mail that a leg handed over is another. */
	if (in->origin < 0)
		mail_keep_decision(in->mail, in->mail->env.rcpts,
		    in->w->snapshot->conf, d);
	intake_add(in, t, d);
	reply_set(r, 250, "2.1.5", "Ok");
}

/* The table is asked once more: a change made meanwhile counts, and where it
 * still has no row for the recipient the answer does. */
static void on_answer(void *arg, enum ask_answer answer)
{
	struct intake *in = arg;
	const struct rcpt_to *t = &in->asked;
	struct decision d;
	struct reply r;

	if (look_up(in, t, &d, &r) &&
	    (!d.ask || is_known(intake_conf(in), answer, &r)))
		take_rcpt(in, t, &d, &r);
	session_answer(in->session, &r);
}

/* `to`, whose slices are all of one text, on a copy of that text. */
static struct addr keep_addr(struct arena *a, const struct addr *to)
{
	struct addr kept = *to;

	kept.text.p = arena_slicedup(a, to->text);
	kept.local.p = kept.text.p + (to->local.p - to->text.p);
	kept.domain.p = kept.text.p + (to->domain.p - to->text.p);
	return kept;
}

/* The address outlives the command line. */
static void keep_asked(struct intake *in, const struct rcpt_to *t)
{
	struct arena *a = in->mail->arena;

	in->asked = *t;
	in->asked.orcpt = slice_str(arena_slicedup(a, t->orcpt));
	in->asked.to = keep_addr(a, &t->to);
}

static enum answer ask(struct intake *in, const struct rcpt_to *t,
    const struct decision *d, struct reply *r)
{
	enum ask_answer answer;

	in->wait.done = on_answer;
	in->wait.arg = in;
	in->wait.client = ask_client(session_client(in->session));
	answer = ask_leg(in->w->ask, d, &t->to, &in->wait);
	if (answer != ASK_LATER) {
		if (is_known(intake_conf(in), answer, r))
			take_rcpt(in, t, d, r);
		return ANSWER_NOW;
	}
	keep_asked(in, t);
	return ANSWER_LATER;
}

static void on_sender(struct intake *in);

/* The sender's verdict comes before the leg is asked: mail that is refused for
 * it costs the leg nothing. */
static enum answer rcpt(struct intake *in, const struct rcpt_to *t,
    struct reply *r)
{
	struct decision d;

	if (copy_bounce_rcpt(in, t, r) || !look_up(in, t, &d, r))
		return ANSWER_NOW;
	if (sender_check_matters(in, &t->to, &d)) {
		if (!in->sender.known) {
			keep_asked(in, t);
			sender_check_await(in, on_sender);
			return ANSWER_LATER;
		}
		if (!sender_check_passes(in, &t->to, &d, r))
			return ANSWER_NOW;
	}
	if (d.ask)
		return ask(in, t, &d, r);
	take_rcpt(in, t, &d, r);
	return ANSWER_NOW;
}

/* From the beginning: the table may have changed meanwhile. */
static void on_sender(struct intake *in)
{
	struct rcpt_to t = in->asked;
	struct reply r;

	if (rcpt(in, &t, &r) == ANSWER_NOW)
		session_answer(in->session, &r);
}

static void on_led_back(struct intake *in, const struct lookup *l)
{
	struct rcpt_to t = in->asked;
	struct reply r;

	if (!srs_rcpt_found(in, l, &t, &r) || rcpt(in, &t, &r) == ANSWER_NOW)
		session_answer(in->session, &r);
}

static enum answer lead_back(struct intake *in, struct rcpt_to *t,
    struct reply *r)
{
	struct lookup *l;
	uint64_t id;

	switch (srs_rcpt(in, t, &id, r)) {
	case LED_REFUSED:
		return ANSWER_NOW;
	case LED_LATER:
		keep_asked(in, t);
		l = lookup_new(id, &in->w->box, W_FOUND);
		l->carried = l->sender = true;
		intake_look_up(in, l, on_led_back);
		return ANSWER_LATER;
	default:
		return rcpt(in, t, r);
	}
}

enum answer intake_rcpt(void *arg, struct session *s,
    const struct rcpt_to *given, struct reply *r)
{
	struct intake *in = session_user(s);
	struct rcpt_to t = *given;

	(void)arg;
	qualify(in->mail->arena, intake_conf(in), &t);
	if (in->packed + RCPT_OVERHEAD + t.to.text.n + t.orcpt.n >
	    ENVELOPE_MAX) {
		reply_set(r, 452, "4.5.3", "Too many recipients");
		return ANSWER_NOW;
	}
	return lead_back(in, &t, r);
}
