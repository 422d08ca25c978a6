/* SPDX-License-Identifier: ISC
 *
 * The route of an attempt, late. It is looked up when a connection is there
 * for the attempt and not before (D1), and once more when a dialog is over;
 * what the table no longer says goes back to the queue. A worker's loop.
 */
#include "relay/delivery/attempt_route.h"

#include "policy/chooser.h"
#include "relay/delivery/unknown.h"
#include "relay/mail/codec.h"

enum where { WHERE_HERE, WHERE_ELSEWHERE, WHERE_UNKNOWN };

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
	const struct envelope_rcpt *rcpt = &at->mail->env.rcpt[row->ref.rcpt];
	struct client_rcpt *cr = &at->req.rcpt[at->req.rcpts++];

	at->row[at->n++] = *row;
	cr->address = arena_slicedup(at->arena, address);
	/* Only the primary may cause a DSN (D3). */
	cr->notify = at->role == ROLE_COPY ? NOTIFY_NEVER : rcpt->notify;
	cr->orcpt = original(at, rcpt, address);
}

/* A replay chose its leg once (doc/routing.md, 9): the table says whether it
 * is held, and by which address the leg knows it. */
static bool is_pinned(const struct job_row *row)
{
	return (row->ref.flags & DF_PINNED) != 0;
}

static struct table_word word_of(const struct decision *d)
{
	return (struct table_word){.known = true, .held = d->held,
	    .route = d->route, .change = d->change};
}

/* Does the route lead there, without the legs that handed the message back? */
static bool names_way(const struct attempt *at, const struct job_row *row,
    struct decision *d)
{
	return mail_without_loops(at->mail, row->ref.rcpt,
		   at->w->shared->names, d) && names_leg(d, at);
}

/* The table's word; asked for only where it may be another than at RCPT. */
static bool decide(const struct attempt *at, struct table *t, unsigned rcpt,
    const struct addr *to, struct decision *d)
{
	const struct conf *c = at->snapshot->conf;
	struct error err;

	if (!mail_decision(at->mail, rcpt, c, table_change(t, &err), d)) {
		memset(d, 0, sizeof(*d));
		if (!route_resolve(c, t, to, at->w->lookup, d))
			return false;
	}
	return d->change >= at->w->table_floor;
}

/* Does the table still say so? Fills the final address. */
static enum where resolve_one(struct attempt *at, struct table *t,
    const struct job_row *row)
{
	const struct conf *c = at->snapshot->conf;
	const struct mail *m = at->mail;
	struct decision d;
	struct addr to;
	struct strbuf address;

	if (!mail_rcpt_addr(m, row->ref.rcpt, &to))
		return WHERE_UNKNOWN;
	if (recipient_chooser(c, &m->env, &to) != CHOOSER_TABLE) {
		add_rcpt(at, row, to.text);
		return WHERE_HERE;
	}
	if (!decide(at, t, row->ref.rcpt, &to, &d))
		return WHERE_UNKNOWN;
	at->change = d.change;
	if (d.held || (!is_pinned(row) && !names_way(at, row, &d)))
		return WHERE_ELSEWHERE;
	strbuf_init(&address, 2 * ADDR_MAX);
	route_address(&d, at->leg, &to, c, &address);
	at->word[at->n] = is_pinned(row) ? (struct table_word){0}
					 : word_of(&d);
	add_rcpt(at, row, strbuf_view(&address));
	at->row[at->n - 1].stranger = is_stranger(&d);
	strbuf_fini(&address);
	return WHERE_HERE;
}

/* All recipients in one read transaction. Returns false when nothing is left
 * to send; `later` says the table could not be asked. */
bool attempt_resolve(struct attempt *at, bool *later)
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
	return at->req.rcpts != 0 && !*later;
}

/* The table's word by now. False: it cannot be read. */
static bool look_again(const struct attempt *at, struct table *t,
    struct outcome_letter *o, unsigned i)
{
	const struct mail *m = at->mail;
	struct decision d;
	struct addr to;

	if (!mail_rcpt_addr(m, at->row[i].ref.rcpt, &to) ||
	    recipient_chooser(at->snapshot->conf, &m->env, &to) !=
		CHOOSER_TABLE)
		return true;
	if (!decide(at, t, at->row[i].ref.rcpt, &to, &d))
		return false;
	(void)mail_without_loops(m, at->row[i].ref.rcpt, at->w->shared->names,
	    &d);
	if (!is_pinned(&at->row[i]))
		o->row[i].ended = word_of(&d);
	if (o->row[i].result.outcome != OUT_FAILED)
		return true;
	o->row[i].stranger = is_stranger(&d);
	return unknown_judge(at, t, &d, o, i);
}

void attempt_know_strangers(struct attempt *at)
{
	struct error err;
	struct table *t = worker_table(at->w, &err);
	struct decision d;
	struct addr to;

	for (unsigned i = 0; t != NULL && i < at->n; i++) {
		unsigned rcpt = at->row[i].ref.rcpt;

		if (mail_rcpt_addr(at->mail, rcpt, &to) &&
		    recipient_chooser(at->snapshot->conf, &at->mail->env,
			&to) == CHOOSER_TABLE &&
		    decide(at, t, rcpt, &to, &d))
			at->row[i].stranger = is_stranger(&d);
	}
}

static void defer_failed(struct outcome_letter *o)
{
	for (unsigned i = 0; i < o->n; i++)
		if (o->row[i].result.outcome == OUT_FAILED)
			o->row[i].result.outcome = OUT_DEFERRED;
}

/* A change that the queue has heard of while the dialog lasted is in the table
 * that is read here, perhaps also one that it has not: what it makes of a
 * recipient must be planned while the attempt still counts as under way
 * (doc/routing.md, rule 5). */
void attempt_look_again(const struct attempt *at, struct outcome_letter *o)
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
	/* Nothing is given up under a route that cannot be read. */
	if (!known)
		defer_failed(o);
}
