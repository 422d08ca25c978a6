/* SPDX-License-Identifier: ISC
 *
 * A notice to a sender (RFC 3461 5.2 and 6, RFC 3464). It shows the address
 * that the sender knows, and no internal names: neither the addresses by which
 * legs know the recipients, nor their domains, nor the hosts of a leg, be it
 * in the words of a reply or as Remote-MTA (D9). A host outside, that of an
 * egress, is named. A worker's loop.
 */
#include "relay/delivery/report.h"

#include <stdio.h>

#include "policy/chooser.h"
#include "relay/delivery/own_mail.h"
#include "relay/mail/codec.h"
#include "relay/mail/domain.h"
#include "relay/mail/dsn.h"
#include "relay/mail/header.h"
#include "relay/mail/received.h"
#include "relay/mail/scrub.h"
#include "relay/client/client.h"

/* Room for 64 KiB of header in quoted-printable and for all recipients that an
 * envelope can have. Their replies share a budget, so that a notice of many is
 * not much larger than the mail that it is about; a share too small to say
 * anything is none. */
enum {
	NOTICE_BYTES = 16 << 20,
	REPLIES_BYTES = 100000,
	REPLY_LEAST = 40,
	TEXT_MAX = 1000,
};

/* ---- one recipient ---- */

/* The address as the sender wrote it, when it came as one of a leg's own. */
static const char *shown(const struct conf *c, struct arena *a,
    const struct envelope_rcpt *rcpt)
{
	struct slice orcpt = slice_str(rcpt->orcpt);
	const char *known = rcpt->to, *why;
	struct addr to;
	struct strbuf name;

	strbuf_init(&name, 2 * ADDR_MAX);
	if (slice_case_starts(orcpt, SLICE("rfc822;")) &&
	    addr_parse(slice_str(rcpt->to), true, &to, &why) == 0 &&
	    domain_normal(to.domain, &name) &&
	    conf_leg_of_domain(c, strbuf_view(&name)) != NULL) {
		strbuf_reset(&name);
		if (xtext_decode(slice_from(orcpt, 7), &name) &&
		    addr_parse(strbuf_view(&name), true, &to, &why) == 0)
			known = arena_slicedup(a, strbuf_view(&name));
	}
	strbuf_fini(&name);
	return known;
}

/* A final address that is not in a domain of ours has a domain inside. */
static void hide_final(struct scrub *s, const struct conf *c,
    struct arena *a, const struct result *r)
{
	struct strbuf name;
	struct addr final;
	const char *why;

	s->inner = r->address;
	if (r->address[0] == '\0' ||
	    addr_parse(slice_str(r->address), true, &final, &why) < 0 ||
	    addr_is_ours(c, &final))
		return;
	strbuf_init(&name, ADDR_DOMAIN_MAX);
	if (domain_normal(final.domain, &name))
		scrub_domain(s, arena_slicedup(a, strbuf_view(&name)));
	strbuf_fini(&name);
}

static const char *scrubbed(const struct scrub *s, struct arena *a,
    const char *text)
{
	struct strbuf out;
	const char *clean;

	strbuf_init(&out, 4 * TEXT_MAX);
	scrub_text(s, slice_head(slice_str(text), TEXT_MAX), &out);
	clean = arena_slicedup(a, strbuf_view(&out));
	strbuf_fini(&out);
	return clean;
}

static const char *diagnostic(const struct conf *c, struct arena *a,
    const struct result *r, const struct dsn_recipient *d, bool inside)
{
	struct scrub s = {.shown = d->original,
	    .remote = inside ? r->remote : ""};
	struct strbuf b;
	const char *text;

	for (int i = 0; i < c->legs; i++)
		for (int k = 0; k < c->leg[i].domains.count; k++)
			scrub_domain(&s, c->leg[i].domains.s[k]);
	hide_final(&s, c, a, r);
	text = scrubbed(&s, a, r->text);
	if (r->code == 0)
		return text;
	strbuf_init(&b, 5 * TEXT_MAX);
	strbuf_addf(&b, "%d %s%s%s", r->code, r->enh,
	    r->enh[0] != '\0' ? " " : "", text);
	text = arena_slicedup(a, strbuf_view(&b));
	strbuf_fini(&b);
	return text;
}

/* "mx.example.net [192.0.2.7]:25": its name alone. */
static const char *remote_name(struct arena *a, const char *remote)
{
	struct slice s = slice_str(remote);
	long blank = slice_find(s, ' ');

	return blank < 0 ? remote : arena_slicedup(a,
	    slice_head(s, (size_t)blank));
}

/* The leg's, of the class that the action has. */
static const char *status(struct arena *a, const char *classes,
    const char *enh)
{
	char *own;

	if (enh[0] != '\0' && strchr(classes, enh[0]) != NULL)
		return enh;
	own = arena_strdup(a, enh[0] != '\0' && classes[0] == '4'
				  ? enh : "x.0.0");
	own[0] = classes[0];
	return own;
}

/* The subject of a notice. */
struct notice_subject {
	const struct conf *conf;
	struct arena *arena;
	const struct outcome_letter *o;
	enum told what;
};

/* Only what a server said is a diagnostic of a delay: what we ourselves met
 * on the way in is of no use to the sender. */
static void fill_row(struct dsn_recipient *d, const struct notice_subject *ab,
    const struct envelope_rcpt *rcpt, unsigned i)
{
	const struct outcome_letter *o = ab->o;
	const struct conf *c = ab->conf;
	struct arena *a = ab->arena;
	enum told what = ab->what;
	const struct result *r = &o->row[i].result;
	int leg = o->why == WHY_LATE ? o->row[i].delivery.leg : o->leg;
	bool inside = conf_leg_by_id(c, leg) == NULL ||
		      !conf_leg_by_id(c, leg)->egress;

	d->original = shown(c, a, rcpt);
	d->orcpt = rcpt->orcpt;
	d->diagnostic = d->remote = "";
	if (what == TOLD_PASSED) {
		d->action = o->mailbox ? DSN_DELIVERED : DSN_RELAYED;
		d->status = status(a, "2", r->enh);
		return;
	}
	d->action = what == TOLD_DELAYED ? DSN_DELAYED : DSN_FAILED;
	d->status = status(a, what == TOLD_DELAYED ? "4" : "54", r->enh);
	if (what == TOLD_FAILED || r->code != 0)
		d->diagnostic = diagnostic(c, a, r, d, inside);
	if (r->code != 0 && !inside)
		d->remote = remote_name(a, r->remote);
	d->last_attempt_us = what == TOLD_FAILED ? o->time_us : 0;
	d->retry_until_us = o->row[i].until_us;
}

static void share_replies(struct arena *a, struct dsn_recipient *row,
    unsigned n)
{
	size_t share = n == 0 ? 0 : REPLIES_BYTES / n;

	if (share < REPLY_LEAST)
		share = 0;
	for (unsigned i = 0; i < n; i++)
		if (strlen(row[i].diagnostic) > share)
			row[i].diagnostic = arena_slicedup(a,
			    slice_head(slice_str(row[i].diagnostic), share));
}

struct result report_last_word(const struct mail *m,
    const struct delivery_ref *ref, struct arena *a)
{
	struct result r = {.outcome = OUT_DEFERRED, .remote = "",
	    .text = "", .tls = "", .address = ""}, last;
	unsigned reason;

	if (m->fetch == NULL || ref->number >= m->deliveries)
		return r;
	reason = m->delivery[ref->number].reason;
	if ((why_has_result(reason) || reason == WHY_LATE) &&
	    result_unpack(strbuf_view(&m->fetch->reply[ref->number]), a,
		&last) == 0)
		r = last;
	return r;
}

/* ---- the text ---- */

/* The mark of our trace field is for those who hand the mail back, not for
 * its sender (token.h). */
static void print(struct worker *w, const struct mail *m, struct slice head,
    struct dsn *d, struct strbuf *out)
{
	bool all = m->env.ret == RET_FULL && head.n == m->env.size;
	struct strbuf shown;
	char boundary[40], about[ID_TEXT];
	uint64_t r[2] = {rng_u64(w->shared->rng), rng_u64(w->shared->rng)};

	snprintf(boundary, sizeof(boundary), "=_%016llx%016llx",
	    (unsigned long long)r[0], (unsigned long long)r[1]);
	id_text(m->env.id, about);
	d->hostname = w->snapshot->conf->hostname;
	d->about = about;
	d->now_us = clock_wall_us(w->shared->clock);
	d->arrival_us = m->env.accepted_us;
	d->to = m->env.from;
	d->envid = m->env.envid;
	d->utf8 = m->env.utf8;
	strbuf_init(&shown, head.n);
	received_unmark(head, &shown);
	d->header = header_section(strbuf_view(&shown));
	/* A longer one is not all there (RFC 3461 6.2 lets us set a bound). */
	if (all)
		d->whole = strbuf_view(&shown);
	d->boundary = boundary;
	dsn_print(d, out);
	strbuf_fini(&shown);
}

/* ---- all together ---- */

/* The draft is prepared; it is written by the group that it becomes. */
static void prepare(struct outcome_notice *n, struct envelope *e,
    const struct decision *d, enum why why)
{
	struct spool_delivery dl[ROUTE_LEGS_MAX];
	unsigned count = own_mail_deliveries(d, why, e->accepted_us, dl);
	struct strbuf packed;

	e->size = spool_draft_size(n->draft);
	strbuf_init(&packed, ENVELOPE_MAX);
	envelope_pack(e, &packed);
	spool_draft_sender(n->draft, mail_sender(e->from));
	spool_draft_prepare(n->draft, strbuf_view(&packed), dl, count);
	strbuf_fini(&packed);
	n->items = own_mail_items(e, d, dl, count);
}

static bool make(struct worker *w, const struct mail *m, struct slice head,
    struct outcome_notice *n, struct dsn *dsn)
{
	struct envelope_rcpt rcpt = {.to = m->env.from,
	    .notify = NOTIFY_NEVER, .orcpt = ""};
	struct envelope e = {.id = id_make(&w->shared->ids),
	    .accepted_us = clock_wall_us(w->shared->clock), .client = "",
	    .client_name = "", .listen = "", .helo = "", .tls = "", .from = "",
	    .body = BODY_8BITMIME, .utf8 = m->env.utf8, .envid = "",
	    /* Its To, and the header that it shows. */
	    .utf8_header = m->env.utf8_header ||
		!ascii_only(slice_str(m->env.from)),
	    .message_id = "", .spf = "", .rcpt = &rcpt, .rcpts = 1};
	struct decision d = {0};
	struct addr to;
	struct strbuf text;
	char id[ID_TEXT];
	const char *bad;
	enum why why;
	bool ok;

	if (addr_parse(slice_str(m->env.from), true, &to, &bad) < 0 ||
	    !own_mail_route(w, &to, &d, &why))
		return false;
	id_text(e.id, id);
	dsn->id = id;
	strbuf_init(&text, NOTICE_BYTES);
	print(w, m, head, dsn, &text);
	e.eight_bit = !ascii_only(strbuf_view(&text));
	n->draft = spool_draft_new(w->shared->spool, e.id, &w->box, NULL);
	ok = strbuf_ok(&text) &&
	     spool_draft_add(n->draft, strbuf_view(&text), 0) == ADD_OK;
	strbuf_fini(&text);
	if (ok)
		prepare(n, &e, &d, n->guarded ? WHY_GUARD : why);
	return ok;
}

bool report_make(struct worker *w, const struct mail *m, struct slice head,
    struct outcome_letter *o, unsigned number)
{
	struct outcome_notice *n = &o->notice[number - 1];
	struct arena *a = arena_new();
	struct dsn dsn = {0};
	struct dsn_recipient *row =
	    arena_alloc(a, o->n * sizeof(struct dsn_recipient));
	const struct notice_subject subject = {.conf = w->snapshot->conf,
	    .arena = a, .o = o, .what = n->what};
	bool ok;

	for (unsigned i = 0; i < o->n; i++)
		if (o->row[i].told == number)
			fill_row(&row[dsn.rcpts++], &subject,
			    &m->env.rcpt[o->row[i].delivery.rcpt], i);
	share_replies(a, row, dsn.rcpts);
	dsn.rcpt = row;
	ok = make(w, m, head, n, &dsn);
	if (!ok) {
		spool_draft_free(n->draft);
		n->draft = NULL;
	}
	arena_free(a);
	return ok;
}
