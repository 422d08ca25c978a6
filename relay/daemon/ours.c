/* SPDX-License-Identifier: ISC
 *
 * A message of our own: drafted, committed, and given to the queue when the
 * journal has it. A worker's loop.
 */
#include "relay/daemon/ours.h"

#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/daemon/mail.h"
#include "relay/daemon/settle.h"

enum { MESSAGE_BYTES = 64 << 10 };

/* On its way to the journal. */
struct ours {
	char *what, *to;
	uint64_t id;
	int64_t now_us;
	bool committed;
	bool lost; /* the table could not be read: its route is not known */
	struct decision d;
	enum why why;
	struct arena *arena;
	struct spool_delivery delivery[ROUTE_LEGS_MAX];
	unsigned deliveries;
	bool eight_bit;
};

/* ---- where it goes ---- */

static void one_leg(struct route *r, int leg)
{
	*r = (struct route){.kind = ROUTE_LEGS, .legs = 1};
	r->leg[0] = (uint16_t)leg;
}

/* While the table cannot be read it stands on no leg, and its route is looked
 * up as soon as it can (reroute.c). */
static void by_table(struct ours *o, struct worker *w, const struct addr *to)
{
	struct error err;
	struct table *t = worker_table(w, &err);

	o->lost = t == NULL ||
		  !route_resolve(w->live->conf, t, to, o->arena, &o->d) ||
		  o->d.change < atomic_load(&w->app->change_floor);
	if (t != NULL)
		table_end(t);
	if (o->lost)
		memset(&o->d, 0, sizeof(o->d));
	else if (o->d.route.kind != ROUTE_LEGS && !o->d.held)
		o->why = WHY_NO_WAY;
}

static void find_way(struct ours *o, struct worker *w, const struct addr *to)
{
	const struct conf *c = w->live->conf;
	int none = names_id(w->app->names, SLICE("none"));

	if (mail_is_ours(c, to)) {
		by_table(o, w, to);
		if (o->lost || o->d.route.kind != ROUTE_LEGS)
			one_leg(&o->d.route, none);
		return;
	}
	o->d.change = atomic_load(&w->app->change_floor);
	if (c->dsn.via[0] == '\0')
		o->why = WHY_NO_WAY;
	one_leg(&o->d.route, c->dsn.via[0] == '\0' ? none
	    : names_id(w->app->names, slice_str(c->dsn.via)));
}

static void make_deliveries(struct ours *o)
{
	enum dstate open = o->d.held ? D_HELD : D_QUEUED;

	o->deliveries = o->d.route.legs;
	for (unsigned i = 0; i < o->deliveries; i++)
		o->delivery[i] = (struct spool_delivery){
		    .leg = o->d.route.leg[i],
		    .role = i == 0 ? ROLE_PRIMARY : ROLE_COPY,
		    .state = o->why == WHY_NONE ? open : D_PARKED,
		    .reason = (uint8_t)o->why, .created_us = o->now_us,
		    .change = o->d.change};
}

/* ---- to the journal ---- */

static void ours_free(struct ours *o)
{
	arena_free(o->arena);
	mem_free(o->what);
	mem_free(o->to);
	mem_free(o);
}

static void failed(struct ours *o, struct spool_draft *d, const char *why)
{
	log_error("ours.failed", kv_str("what", o->what), kv_str("to", o->to),
	    kv_str("why", why));
	spool_draft_free(d);
	ours_free(o);
}

static void commit(struct ours *o, struct spool_draft *d)
{
	struct envelope_rcpt rcpt = {.to = o->to, .notify = NOTIFY_NEVER,
	    .orcpt = ""};
	struct envelope e = {.id = o->id, .accepted_us = o->now_us,
	    .client = "", .client_name = "", .listen = "", .helo = "",
	    .tls = "", .from = "", .body = BODY_8BITMIME, .envid = "",
	    .message_id = "", .spf = "", .rcpt = &rcpt, .rcpts = 1,
	    .eight_bit = o->eight_bit, .size = spool_draft_size(d)};
	struct strbuf packed;

	o->committed = true;
	strbuf_init(&packed, ENVELOPE_MAX);
	envelope_pack(&e, &packed);
	spool_draft_commit(d, strbuf_view(&packed), o->delivery,
	    o->deliveries, W_OURS);
	strbuf_fini(&packed);
}

static void tell_queue(struct worker *w, const struct ours *o, uint64_t size)
{
	struct mailbox *box = settle_box(w->app->settle);
	struct accepted_letter *l = mem_new(
	    sizeof(*l) + o->deliveries * sizeof(l->item[0]));
	const char *key = o->d.base[0] != '\0' ? o->d.base : o->to;
	struct unclaim_letter *stale;

	l->letter.kind = S_ACCEPTED;
	l->id = o->id;
	l->size = size;
	l->n = o->deliveries;
	for (unsigned i = 0; i < l->n; i++)
		l->item[i] = (struct queue_item){.number = i,
		    .leg = o->delivery[i].leg, .role = o->delivery[i].role,
		    .state = o->delivery[i].state,
		    .reason = o->delivery[i].reason,
		    .hash = hash_slice(slice_str(key)) | 1,
		    .change = o->d.change, .created_us = o->now_us};
	mailbox_post(box, &l->letter);
	if (!o->lost)
		return;
	stale = NEW(struct unclaim_letter);
	stale->letter.kind = S_UNCLAIM;
	stale->id = o->id;
	stale->stale = true;
	mailbox_post(box, &stale->letter);
}

void ours_letter(struct worker *w, struct spool_draft_letter *l)
{
	struct ours *o = l->arg;

	if (!o->committed) { /* there was no room, and there is now */
		if (atomic_load(&w->app->stopping))
			failed(o, l->draft, "the daemon stops");
		else
			commit(o, l->draft);
		return;
	}
	if (l->status != SPOOL_STORED) {
		failed(o, l->draft, "it could not be stored");
		return;
	}
	tell_queue(w, o, spool_draft_size(l->draft));
	spool_draft_free(l->draft);
	ours_free(o);
}

static struct ours *ours_new(struct worker *w, const char *what,
    const char *to)
{
	struct ours *o = NEW(struct ours);
	struct addr a;
	const char *why;

	o->what = mem_strdup(what);
	o->to = mem_strdup(to);
	o->id = id_make(&w->app->ids);
	o->now_us = clock_wall_us(w->app->clock);
	o->arena = arena_new();
	if (addr_parse(slice_str(o->to), true, &a, &why) < 0) {
		failed(o, NULL, why);
		return NULL;
	}
	find_way(o, w, &a);
	make_deliveries(o);
	return o;
}

static bool has_eight_bit(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}

void ours_send(struct worker *w, const char *what, const char *to,
    ours_print_fn print, const void *arg)
{
	struct ours *o = ours_new(w, what, to);
	struct spool_draft *d;
	struct strbuf text;
	char id[ID_TEXT];

	if (o == NULL)
		return;
	id_text(o->id, id);
	strbuf_init(&text, MESSAGE_BYTES);
	print(arg, id, &text);
	o->eight_bit = has_eight_bit(strbuf_view(&text));
	d = spool_draft_new(w->app->spool, o->id, &w->box, o);
	switch (strbuf_ok(&text) ? spool_draft_add(d, strbuf_view(&text),
				       W_OURS) : ADD_FAILED) {
	case ADD_OK:
		commit(o, d);
		break;
	case ADD_WAIT: /* ours_letter() goes on */
		break;
	case ADD_FULL:
		failed(o, d, "no space");
		break;
	case ADD_FAILED:
		failed(o, d, "it is too long, or the disk failed");
		break;
	}
	strbuf_fini(&text);
}
