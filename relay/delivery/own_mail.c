/* SPDX-License-Identifier: ISC
 *
 * A message of our own: drafted, committed, and given to the queue when the
 * journal has it. A worker's loop.
 */
#include "relay/delivery/own_mail.h"

#include "policy/chooser.h"
#include "relay/base/log.h"
#include "relay/post/delivery_ref.h"
#include "relay/post/mail.h"
#include "relay/mail/domain.h"
#include "relay/client/client.h"

enum { MESSAGE_BYTES = 64 << 10 };

/* On its way to the journal. */
struct own_mail {
	char *what, *to;
	struct envelope env;
	struct envelope_rcpt rcpt;
	struct decision d;
	bool lost; /* the table could not be read: its route is not known */
	bool committed;
	struct spool_delivery delivery[ROUTE_LEGS_MAX];
	unsigned deliveries;
};

/* ---- where it goes ---- */

static void one_leg(struct route *r, int leg)
{
	r->kind = ROUTE_LEGS;
	r->legs = 1;
	r->leg[0] = (uint16_t)leg;
}

bool own_mail_route(struct worker *w, const struct addr *to, struct decision *d,
    enum why *why_out)
{
	const struct conf *c = w->snapshot->conf;
	struct error err;
	struct table *t;
	uint64_t floor = atomic_load(&w->shared->change_seen);
	bool ok = true, parked = false;

	if (addr_is_ours(c, to)) {
		t = worker_table(w, &err);
		ok = t != NULL && route_resolve(c, t, to, w->lookup, d) &&
		     d->change >= floor;
		parked = d->route.kind != ROUTE_LEGS && !d->held;
	} else if (c->dsn.via[0] != '\0') {
		d->change = floor; /* none concerns it */
		one_leg(&d->route,
		    names_id(w->shared->names, slice_str(c->dsn.via)));
	} else {
		d->change = floor;
		parked = true;
	}
	if (d->route.kind != ROUTE_LEGS)
		one_leg(&d->route, names_id(w->shared->names, SLICE("none")));
	*why_out = parked ? WHY_NO_WAY : WHY_NONE;
	return ok;
}

unsigned own_mail_deliveries(const struct decision *d, enum why why,
    int64_t now_us, struct spool_delivery out[ROUTE_LEGS_MAX])
{
	enum dstate open = d->held ? D_HELD : D_QUEUED;

	for (unsigned i = 0; i < d->route.legs; i++)
		out[i] = (struct spool_delivery){.leg = d->route.leg[i],
		    .role = i == 0 ? ROLE_PRIMARY : ROLE_COPY,
		    .state = why != WHY_NONE ? D_PARKED : open,
		    .reason = (uint8_t)why, .created_us = now_us,
		    .due_us = why != WHY_NONE || d->held ? now_us : 0,
		    .change = d->change,
		    .hash = d->base[0] != '\0' ? mail_hash(d->base) : 0};
	return d->route.legs;
}

struct accepted_letter *own_mail_items(const struct envelope *e,
    const struct decision *d, const struct spool_delivery *dl, unsigned n)
{
	const char *key = d->base[0] != '\0' ? d->base : e->rcpt->to;
	struct accepted_letter *l = mem_new(
	    sizeof(*l) + n * sizeof(l->item[0]));

	l->letter.kind = S_ACCEPTED;
	l->id = e->id;
	l->size = e->size;
	l->sender = mail_sender(e->from);
	l->n = n;
	for (unsigned i = 0; i < n; i++) {
		l->item[i] = delivery_ref_read(&dl[i], i);
		l->item[i].hash = mail_hash(key);
	}
	return l;
}

/* ---- to the journal ---- */

static void own_mail_free(struct own_mail *o)
{
	mem_free(o->what);
	mem_free(o->to);
	mem_free(o);
}

static void failed(struct own_mail *o, struct spool_draft *d, const char *why)
{
	log_error("ours.failed", kv_str("what", o->what), kv_str("to", o->to),
	    kv_str("why", why));
	spool_draft_free(d);
	own_mail_free(o);
}

static void commit(struct own_mail *o, struct spool_draft *d)
{
	struct strbuf packed;

	o->committed = true;
	o->env.size = spool_draft_size(d);
	strbuf_init(&packed, ENVELOPE_MAX);
	envelope_pack(&o->env, &packed);
	spool_draft_sender(d, mail_sender(o->env.from));
	spool_draft_commit(d, strbuf_view(&packed), o->delivery,
	    o->deliveries, W_OWN_MAIL);
	strbuf_fini(&packed);
}

/* A delivery that is on no leg is looked up as soon as it can be
 * (reroute.c). */
static void tell_queue(struct worker *w, const struct own_mail *o)
{
	struct mailbox *box = w->shared->queue_box;
	struct accepted_letter *l =
	    own_mail_items(&o->env, &o->d, o->delivery, o->deliveries);
	struct unclaim_letter *stale;

	mailbox_post(box, &l->letter);
	if (!o->lost)
		return;
	stale = NEW(struct unclaim_letter);
	stale->letter.kind = S_UNCLAIM;
	stale->id = o->env.id;
	stale->stale = true;
	mailbox_post(box, &stale->letter);
}

void own_mail_letter(struct worker *w, struct spool_draft_letter *l)
{
	struct own_mail *o = l->arg;

	if (!o->committed) { /* there was no room, and there is now */
		if (atomic_load(&w->shared->stopping))
			failed(o, l->draft, "the daemon stops");
		else
			commit(o, l->draft);
		return;
	}
	if (l->status != SPOOL_STORED) {
		failed(o, l->draft, "it could not be stored");
		return;
	}
	tell_queue(w, o);
	spool_draft_free(l->draft);
	own_mail_free(o);
}

static void find_way(struct own_mail *o, struct worker *w,
    const struct addr *to)
{
	enum why why;

	o->lost = !own_mail_route(w, to, &o->d, &why);
	if (o->lost) {
		memset(&o->d, 0, sizeof(o->d));
		one_leg(&o->d.route, names_id(w->shared->names, SLICE("none")));
		why = WHY_NONE;
	}
	o->deliveries = own_mail_deliveries(&o->d, why, o->env.accepted_us,
	    o->delivery);
}

static struct own_mail *own_mail_new(struct worker *w, const char *what,
    const char *to)
{
	struct own_mail *o = NEW(struct own_mail);
	struct addr a;
	const char *why;

	o->what = mem_strdup(what);
	o->to = mem_strdup(to);
	o->rcpt = (struct envelope_rcpt){.to = o->to,
	    .notify = NOTIFY_NEVER, .orcpt = ""};
	o->env = (struct envelope){.id = id_make(&w->shared->ids),
	    .accepted_us = clock_wall_us(w->shared->clock), .client = "",
	    .client_name = "", .listen = "", .helo = "", .tls = "",
	    .from = "", .body = BODY_8BITMIME, .envid = "",
	    .message_id = "", .spf = "", .rcpt = &o->rcpt, .rcpts = 1};
	if (addr_parse(slice_str(o->to), true, &a, &why) < 0) {
		failed(o, NULL, why);
		return NULL;
	}
	find_way(o, w, &a);
	return o;
}

static void add(struct own_mail *o, struct spool_draft *d, struct slice text)
{
	switch (spool_draft_add(d, text, W_OWN_MAIL)) {
	case ADD_OK:
		commit(o, d);
		break;
	case ADD_WAIT: /* own_mail_letter() goes on */
		break;
	case ADD_FULL:
		failed(o, d, "no space");
		break;
	case ADD_FAILED:
		failed(o, d, "the disk failed");
		break;
	}
}

void own_mail_send(struct worker *w, const char *what, const char *to,
    own_mail_print_fn print, const void *arg)
{
	struct own_mail *o = own_mail_new(w, what, to);
	struct strbuf text;
	char id[ID_TEXT];

	if (o == NULL)
		return;
	id_text(o->env.id, id);
	strbuf_init(&text, MESSAGE_BYTES);
	print(arg, id, &text);
	o->env.eight_bit = !ascii_only(strbuf_view(&text));
	if (strbuf_ok(&text))
		add(o, spool_draft_new(w->shared->spool, o->env.id, &w->box, o),
		    strbuf_view(&text));
	else
		failed(o, NULL, "it is too long");
	strbuf_fini(&text);
}
