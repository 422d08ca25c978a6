/* SPDX-License-Identifier: ISC
 *
 * When a sender is told, and the DSN as a draft of its own (RFC 3461 4 and
 * 5.2, RFC 3464, RFC 5321 6.1). The DSN is accepted in the same journal
 * record that says "bounced", so there is never one without the other (D3).
 * A worker's loop.
 */
#include "relay/daemon/bounce.h"

#include <stdio.h>

#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/mail/domain.h"
#include "relay/mail/dsn.h"
#include "relay/mail/header.h"

/* A DSN stays so small that the spool takes it at once. Recipients beyond
 * these wait, and fail again, for the next one. */
enum { DSN_BYTES = 512 << 10, TOLD_MAX = 100, TEXT_MAX = 1000 };

static bool is_dsn_of_ours(const struct envelope *e)
{
	return e->from[0] == '\0';
}

bool bounce_wanted(const struct envelope *e, unsigned rcpt)
{
	unsigned notify = e->rcpt[rcpt].notify;

	return notify == 0 || (notify & NOTIFY_FAILURE) != 0;
}

static bool row_fails(const struct mail *m, const struct outcome_letter *o,
    unsigned i)
{
	return o->row[i].result.outcome == OUT_FAILED &&
	       o->row[i].delivery.rcpt < m->env.rcpts;
}

bool bounce_due(const struct mail *m, const struct outcome_letter *o)
{
	if (is_dsn_of_ours(&m->env))
		return false;
	for (unsigned i = 0; i < o->n; i++)
		if (row_fails(m, o, i))
			return true;
	return false;
}

/* ---- the text ---- */

/* `text` with every `inner` (the address a leg knows) replaced by `outer`
 * (the one the sender knows): the inside of the house is nobody's business
 * (D9). */
static const char *scrub(struct arena *a, const char *text, const char *inner,
    const char *outer)
{
	struct slice rest = slice_str(text), key = slice_str(inner);
	struct strbuf out;
	const char *clean;

	if (key.n == 0)
		return text;
	strbuf_init(&out, 4096);
	while (rest.n > 0) {
		if (slice_case_starts(rest, key)) {
			strbuf_adds(&out, outer);
			rest = slice_from(rest, key.n);
			continue;
		}
		strbuf_addc(&out, rest.p[0]);
		rest = slice_from(rest, 1);
	}
	clean = arena_slicedup(a, strbuf_view(&out));
	strbuf_fini(&out);
	return clean;
}

static const char *diagnostic(struct arena *a, const struct result *r,
    const char *original)
{
	struct strbuf b;
	const char *text;

	if (r->code == 0)
		return scrub(a, r->text, r->address, original);
	strbuf_init(&b, 2048);
	strbuf_addf(&b, "%d %s%s%.*s", r->code, r->enh,
	    r->enh[0] != '\0' ? " " : "", TEXT_MAX, r->text);
	text = arena_slicedup(a, strbuf_view(&b));
	strbuf_fini(&b);
	return scrub(a, text, r->address, original);
}

static void fill_row(struct dsn_recipient *d, struct arena *a,
    const struct envelope_rcpt *rcpt, const struct outcome_letter *o,
    unsigned i)
{
	const struct result *r = &o->row[i].result;

	d->original = rcpt->to;
	d->orcpt = rcpt->orcpt;
	d->action = "failed";
	d->status = r->enh[0] != '\0' ? r->enh : "5.0.0";
	d->diagnostic = diagnostic(a, r, rcpt->to);
	d->remote = r->code != 0 ? r->remote : "";
	d->last_attempt_us = o->time_us;
}

static void print(struct worker *w, const struct mail *m, struct slice header,
    struct dsn *d, struct strbuf *out)
{
	char boundary[40];
	uint64_t r[2] = {rng_u64(w->app->rng), rng_u64(w->app->rng)};
	char about[ID_TEXT];

	snprintf(boundary, sizeof(boundary), "=_%016llx%016llx",
	    (unsigned long long)r[0], (unsigned long long)r[1]);
	id_text(m->env.id, about);
	d->hostname = w->live->conf->hostname;
	d->about = about;
	d->now_us = clock_wall_us(w->app->clock);
	d->arrival_us = m->env.accepted_us;
	d->to = m->env.from;
	d->envid = m->env.envid;
	d->utf8 = m->env.utf8;
	d->header = header_section(header);
	d->boundary = boundary;
	dsn_print(d, out);
}

/* ---- where it goes ---- */

static void one_leg(struct route *r, int leg)
{
	r->kind = ROUTE_LEGS;
	r->legs = 1;
	r->leg[0] = (uint16_t)leg;
}

/* By the table for our own domains, by dsn.via for others. *parked_out: there
 * is no way. False: the table cannot be read now. */
static bool find_way(struct worker *w, const struct addr *to,
    struct decision *d, bool *parked_out)
{
	const struct conf *c = w->live->conf;
	struct error err;
	struct table *t;
	uint64_t floor = atomic_load(&w->app->change_floor);
	bool ok = true;

	*parked_out = false;
	if (mail_is_ours(c, to)) {
		t = worker_table(w, &err);
		ok = t != NULL && route_resolve(c, t, to, w->lookup, d) &&
		     d->change >= floor;
		if (t != NULL)
			table_end(t);
		*parked_out = d->route.kind != ROUTE_LEGS && !d->held;
	} else if (c->dsn.via[0] != '\0') {
		d->change = floor; /* none concerns it */
		one_leg(&d->route,
		    names_id(w->app->names, slice_str(c->dsn.via)));
	} else {
		d->change = floor;
		*parked_out = true;
	}
	if (d->route.kind != ROUTE_LEGS)
		one_leg(&d->route, names_id(w->app->names, SLICE("none")));
	return ok;
}

static unsigned make_deliveries(const struct decision *d, bool parked,
    int64_t now_us, struct spool_delivery out[ROUTE_LEGS_MAX])
{
	for (unsigned i = 0; i < d->route.legs; i++)
		out[i] = (struct spool_delivery){.leg = d->route.leg[i],
		    .role = i == 0 ? ROLE_PRIMARY : ROLE_COPY,
		    .state = parked ? D_PARKED : d->held ? D_HELD : D_QUEUED,
		    .reason = parked ? WHY_NO_WAY : WHY_NONE,
		    .created_us = now_us, .change = d->change};
	return d->route.legs;
}

static struct accepted_letter *make_items(const struct envelope *e,
    const struct spool_delivery *dl, unsigned n, uint64_t hash)
{
	struct accepted_letter *l = mem_new(
	    sizeof(*l) + n * sizeof(l->item[0]));

	l->letter.kind = S_ACCEPTED;
	l->id = e->id;
	l->size = e->size;
	l->n = n;
	for (unsigned i = 0; i < n; i++)
		l->item[i] = (struct queue_item){.number = i,
		    .leg = dl[i].leg, .role = dl[i].role,
		    .state = dl[i].state, .reason = dl[i].reason,
		    .hash = hash, .change = dl[i].change,
		    .created_us = dl[i].created_us};
	return l;
}

/* ---- all together ---- */

/* The draft is prepared; it is written by the group that it becomes. */
static void prepare(struct outcome_letter *o, struct envelope *e,
    const struct decision *d, bool parked)
{
	struct spool_delivery dl[ROUTE_LEGS_MAX];
	unsigned n = make_deliveries(d, parked, e->accepted_us, dl);
	const char *key = d->base[0] != '\0' ? d->base : e->rcpt->to;
	struct strbuf packed;

	e->size = spool_draft_size(o->dsn);
	strbuf_init(&packed, ENVELOPE_MAX);
	envelope_pack(e, &packed);
	spool_draft_prepare(o->dsn, strbuf_view(&packed), dl, n);
	strbuf_fini(&packed);
	o->dsn_items = make_items(e, dl, n, hash_slice(slice_str(key)) | 1);
}

static bool make(struct worker *w, const struct mail *m, struct slice header,
    struct outcome_letter *o, struct dsn *dsn)
{
	struct envelope_rcpt rcpt = {.to = m->env.from,
	    .notify = NOTIFY_NEVER, .orcpt = ""};
	struct envelope e = {.id = id_make(&w->app->ids),
	    .accepted_us = clock_wall_us(w->app->clock), .client = "",
	    .client_name = "", .listen = "", .helo = "", .tls = "", .from = "",
	    .body = BODY_8BITMIME, .utf8 = m->env.utf8, .envid = "",
	    .message_id = "", .spf = "", .rcpt = &rcpt, .rcpts = 1};
	struct decision d = {0};
	struct addr to;
	struct strbuf text;
	char id[ID_TEXT];
	const char *why;
	bool parked, ok;

	if (addr_parse(slice_str(m->env.from), true, &to, &why) < 0 ||
	    !find_way(w, &to, &d, &parked))
		return false;
	id_text(e.id, id);
	dsn->id = id;
	strbuf_init(&text, DSN_BYTES);
	print(w, m, header, dsn, &text);
	o->dsn = spool_draft_new(w->app->spool, e.id, &w->box, NULL);
	ok = strbuf_ok(&text) &&
	     spool_draft_add(o->dsn, strbuf_view(&text), W_ROOM) <= ADD_WAIT;
	strbuf_fini(&text);
	if (ok)
		prepare(o, &e, &d, parked);
	return ok;
}

/* Who is told, who is not, and who is to come again. */
static void choose(const struct mail *m, struct outcome_letter *o)
{
	unsigned told = 0;

	for (unsigned i = 0; i < o->n; i++) {
		const struct job_row *dl = &o->row[i].delivery;

		if (!row_fails(m, o, i))
			continue;
		o->row[i].silent = !bounce_wanted(&m->env, dl->rcpt) ||
				   (dl->flags & DF_DSN_SENT) != 0;
		o->row[i].told = !o->row[i].silent && told++ < TOLD_MAX;
		if (!o->row[i].silent && !o->row[i].told)
			o->row[i].result.outcome = OUT_DEFERRED;
	}
}

bool bounce_prepare(struct worker *w, const struct mail *m,
    struct slice header, struct outcome_letter *o)
{
	struct arena *a = arena_new();
	struct dsn dsn = {0};
	struct dsn_recipient *row =
	    arena_alloc(a, o->n * sizeof(struct dsn_recipient));
	bool ok;

	choose(m, o);
	for (unsigned i = 0; i < o->n; i++)
		if (o->row[i].told)
			fill_row(&row[dsn.rcpts++], a,
			    &m->env.rcpt[o->row[i].delivery.rcpt], o, i);
	dsn.rcpt = row;
	ok = dsn.rcpts == 0 || make(w, m, header, o, &dsn);
	if (!ok && o->dsn != NULL) {
		spool_draft_free(o->dsn);
		o->dsn = NULL;
	}
	arena_free(a);
	return ok;
}
