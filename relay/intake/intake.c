/* SPDX-License-Identifier: ISC
 *
 * A mail comes in: what the server asks is answered from the cutover table
 * and the spool. A worker's loop. RFC 5321 3.3, 4.2.5, 6.1, 6.3.
 *
 * 250 is said in intake_stored() and nowhere else: the journal's answer to a
 * commit is the only way there (T1).
 */
#include "relay/intake/intake.h"

#include "relay/audit/lookup.h"
#include "relay/base/assert.h"
#include "relay/delivery/dispatch.h"
#include "relay/delivery/leg_offers.h"
#include "relay/intake/intake_int.h"
#include "relay/watch/oldtls.h"
#include "relay/intake/refusals.h"
#include "relay/intake/client_count.h"
#include "relay/intake/from_leg.h"
#include "relay/intake/copy_bounce.h"
#include "relay/intake/sender_check.h"
#include "relay/post/delivery_ref.h"
#include "relay/post/queue_letters.h"
#include "relay/mail/domain.h"
#include "relay/mail/header.h"
#include "relay/mail/subject.h"
#include "relay/mail/trace_block.h"

enum {
	READ_TIGHT = 8 << 10, /* at once, while memory is short */
};

void intake_open(struct worker *w, const struct intake_config *c)
{
	struct intake_room *room = NEW(struct intake_room);

	room->c = *c;
	list_init(&room->logins);
	room->refusals = refusals_new(w->loop, w->shared->clock,
	    w->shared->spool);
	w->intake = room;
}

void intake_close(struct worker *w)
{
	if (w->intake == NULL)
		return;
	refusals_free(w->intake->refusals);
	mem_free(w->intake);
	w->intake = NULL;
}

const struct conf *intake_conf(const struct intake *in)
{
	return in->w->snapshot->conf;
}

void intake_free(struct intake *in)
{
	egress_drop(in);
	mail_unref(in->mail);
	intake_trace_drop(in);
	loophint_body_fini(&in->body);
	mem_free(in);
}

void intake_look_up(struct intake *in, struct lookup *l,
    void (*found)(struct intake *in, const struct lookup *l))
{
	PH_ASSERT(!in->owed);
	l->arg = in;
	in->owed = true;
	in->found = found;
	projector_lookup(in->w->projector, l);
}

void intake_found(struct lookup *l)
{
	struct intake *in = l->arg;

	PH_ASSERT(in->owed);
	in->owed = false;
	if (in->session == NULL)
		intake_free(in);
	else
		in->found(in, l);
	lookup_free(l);
}

static bool on_connected(void *arg, struct session *s, struct reply *r)
{
	struct worker *w = arg;

	(void)s;
	if (!atomic_load(&w->shared->stopping))
		return true;
	reply_set(r, 421, "4.3.2", "%s Service is stopping, try again later",
	    w->snapshot->conf->hostname);
	return false;
}

static void fill_session(struct envelope *e, struct session *s,
    struct arena *a)
{
	char client[NETADDR_TEXT];

	netaddr_ip(session_client(s), client);
	e->client = arena_strdup(a, client);
	e->client_name = "";
	e->listen = arena_strdup(a, session_listen(s)->name);
	e->proxy = proxy_kind_text(session_proxy(s));
	e->helo = arena_strdup(a, session_helo(s));
	e->esmtp = session_esmtp(s);
	e->tls = arena_strdup(a, session_tls(s));
	e->login = arena_strdup(a, session_login(s));
	e->message_id = e->spf = "";
}

/* A host's own user ("root") gets our name: a sender is an address. */
static const char *sender_text(struct arena *a, const struct conf *c,
    const struct addr *from)
{
	struct strbuf text;
	const char *kept;

	strbuf_init(&text, 2 * ADDR_MAX);
	strbuf_addsl(&text, from->text);
	if (from->text.n > 0 && from->domain.n == 0) {
		strbuf_addc(&text, '@');
		strbuf_adds(&text, c->hostname);
	}
	kept = arena_slicedup(a, strbuf_view(&text));
	strbuf_fini(&text);
	return kept;
}

static enum answer on_mail(void *arg, struct session *s,
    const struct mail_from *m, struct reply *r)
{
	enum outbound_right right;
	struct envelope *e;
	struct intake *in;

	if (!outbound_mail(arg, s, &m->from, &right, r))
		return ANSWER_NOW;
	in = NEW(struct intake);
	in->right = right;
	in->w = arg;
	in->session = s;
	in->mail = mail_new();
	list_node_init(&in->wait.node);
	e = &in->mail->env;
	fill_session(e, s, in->mail->arena);
	e->from = sender_text(in->mail->arena, session_conf(s), &m->from);
	e->body = m->body;
	e->utf8 = m->utf8;
	e->ret = m->ret;
	e->envid = arena_slicedup(in->mail->arena, m->envid);
	in->packed = 4096 + m->from.text.n + m->envid.n + strlen(e->helo);
	in->utf8_sender = m->from.utf8_local;
	in->size = m->size_given ? m->size : 0;
	returned_origin(in);
	sender_check_begin(in);
	oldtls_note(in->w->intake->c.oldtls, session_listen(s)->name,
	    session_client(s), session_tls(s),
	    clock_wall_us(in->w->shared->clock));
	session_set_user(s, in);
	reply_set(r, 250, "2.1.0", "Ok");
	return ANSWER_NOW;
}

/* ---- content ---- */

static void no_space(struct reply *r)
{
	reply_set(r, 452, "4.3.1", "Not enough space now, try again later");
}

static void disk_failed(struct reply *r)
{
	reply_set(r, 451, "4.3.0", "The message could not be stored, try "
				   "again later");
}

static enum take take_of(struct intake *in, enum spool_add a, struct reply *r)
{
	switch (a) {
	case ADD_OK:
		return TAKE_OK;
	case ADD_WAIT:
		in->owed = true;
		return TAKE_WAIT;
	case ADD_FULL:
		no_space(r);
		return TAKE_REFUSED;
	case ADD_FAILED:
		break;
	}
	disk_failed(r);
	return TAKE_REFUSED;
}

static void begin_body(struct intake *in, struct reply *r)
{
	struct worker *w = in->w;
	struct mail *m = in->mail;
	enum spool_add add;

	sender_check_name_client(in);
	m->env.id = id_make(&w->shared->ids);
	m->env.accepted_us = clock_wall_us(w->shared->clock);
	m->draft = spool_draft_new(w->shared->spool, m->env.id, &w->box, in);
	intake_trace_begin(in);
	add = queue_full(w->shared->queue)
		  ? ADD_FULL
		  : spool_draft_expect(m->draft, in->expect + TRACE_MAX);
	if (take_of(in, add, r) != TAKE_REFUSED)
		reply_set(r, 354, "", "End data with <CR><LF>.<CR><LF>");
}

static void on_sender_known(struct intake *in)
{
	struct reply r;

	begin_body(in, &r);
	session_answer(in->session, &r);
}

/* The trace block reports the sender's verdict. */
static enum answer on_body_begin(void *arg, struct session *s,
    uint64_t expect, struct reply *r)
{
	struct intake *in = session_user(s);

	(void)arg;
	in->expect = expect;
	if (!in->sender.known) {
		sender_check_await(in, on_sender_known);
		return ANSWER_LATER;
	}
	begin_body(in, r);
	return ANSWER_NOW;
}

static enum take on_body(void *arg, struct session *s, struct slice bytes,
    struct reply *r)
{
	struct intake *in = session_user(s);
	struct worker *w = arg;

	stream_scratch_limit(w->intake->c.scratch,
	    spool_memory_tight(w->shared->spool) ? READ_TIGHT : 0);
	loophint_body_add(&in->body, bytes);
	return take_of(in, intake_trace_add(in, bytes), r);
}

static bool takes_bare(const struct worker *w, const struct spool_delivery *d)
{
	struct leg_offer l = leg_offers_get(w->intake->c.offers, d->leg);

	return d->role != ROLE_PRIMARY || d->state != D_QUEUED || !l.known ||
	       l.chunking;
}

/* Content that cannot go out by DATA is refused now (RFC 3030); where that is
 * found at the attempt, the message is parked. */
static bool on_bare(void *arg, struct session *s, struct reply *r)
{
	const struct mail *m = ((struct intake *)session_user(s))->mail;

	for (unsigned i = 0; i < m->deliveries; i++) {
		if (takes_bare(arg, &m->delivery[i]))
			continue;
		reply_set(r, 554, "5.6.11", "Bare CR, LF or NUL in the "
		    "content, and the server of a recipient does not take "
		    "that; end lines with CR LF");
		return false;
	}
	return true;
}

void intake_room(struct spool_draft_letter *l)
{
	struct intake *in = l->arg;

	PH_ASSERT(in->owed);
	in->owed = false;
	if (in->session != NULL)
		session_resume(in->session);
	else
		intake_free(in);
}

static void read_header(const struct conf *c, struct mail *m)
{
	struct slice head = spool_draft_head(m->draft), value;
	struct strbuf b;

	strbuf_init(&b, 998);
	if (header_find(head, "Message-ID", &value)) {
		header_unfold(value, 998, &b);
		m->env.message_id = arena_slicedup(m->arena, strbuf_view(&b));
	}
	strbuf_reset(&b);
	if (c->audit.subject &&
	    header_find(head, "Subject", &value)) {
		subject_text(value, &b);
		m->env.subject = arena_slicedup(m->arena, strbuf_view(&b));
	}
	strbuf_fini(&b);
}

void intake_commit(struct intake *in)
{
	struct mail *m = in->mail;
	struct strbuf packed;
	/* Not when the content began: the clock may have been set since. */
	int64_t now_us = clock_wall_us(in->w->shared->clock);

	/* No letter of the spool is under way: the answer is one, too. */
	PH_ASSERT(!in->owed && in->session != NULL);
	if (!in->bounce)
		returned_hint(in);
	egress_settle(in);
	from_leg_count(in);
	for (unsigned i = 0; i < m->deliveries; i++) {
		struct spool_delivery *d = &m->delivery[i];

		PH_ASSERT(d->rcpt < m->env.rcpts);
		d->created_us = now_us;
		d->hash = m->hash[d->rcpt];
		if (d->state == D_HELD)
			d->due_us = now_us; /* since when */
	}
	strbuf_init(&packed, 2 * ENVELOPE_MAX);
	envelope_pack(&m->env, &packed);
	in->owed = true;
	spool_draft_sender(m->draft, mail_sender(m->env.from));
	spool_draft_commit(m->draft, strbuf_view(&packed), m->delivery,
	    m->deliveries, W_STORED);
	strbuf_fini(&packed);
}

static enum answer on_body_end(void *arg, struct session *s,
    const struct body_facts *f, struct reply *r)
{
	struct intake *in = session_user(s);
	struct mail *m = in->mail;
	struct author_fields fields;

	(void)arg;
	if (take_of(in, intake_trace_end(in), r) == TAKE_REFUSED)
		return ANSWER_NOW;
	m->env.size = spool_draft_size(m->draft);
	m->env.bare_lf = f->bare_lf;
	m->env.eight_bit = f->eight_bit;
	m->env.utf8_header = f->eight_bit &&
	    !ascii_only(header_section(spool_draft_head(m->draft)));
	author_read(spool_draft_head(m->draft), &fields);
	if (fields.hops > session_conf(s)->limits.hops) {
		reply_set(r, 554, "5.4.6", "Too many hops: this message "
					   "loops");
		return ANSWER_NOW;
	}
	read_header(intake_conf(in), m);
	egress_read_author(in, &fields);
	if (in->bounce)
		copy_bounce_read(in);
	if (in->bounce || !returned_begin(in))
		intake_commit(in);
	return ANSWER_LATER;
}

/* The queue is told before the first attempt's result can be. */
static void tell_queue(struct worker *w, const struct mail *m)
{
	struct accepted_letter *l = mem_new(
	    sizeof(*l) + m->deliveries * sizeof(l->item[0]));

	l->letter.kind = S_ACCEPTED;
	l->id = m->env.id;
	l->size = m->env.size;
	l->sender = mail_sender(m->env.from);
	l->claimed = true;
	l->n = m->deliveries;
	for (unsigned i = 0; i < m->deliveries; i++) {
		l->item[i] = delivery_ref_read(&m->delivery[i], i);
		if ((l->item[i].flags & DF_EGRESS) != 0)
			l->item[i].domain =
			    mail_domain(m->env.rcpt[l->item[i].rcpt].to);
	}
	mailbox_post_lazy(w->shared->queue_box, &l->letter);
}

void intake_stored(struct worker *w, struct spool_draft_letter *l)
{
	struct intake *in = l->arg;
	struct mail *m = mail_ref(in->mail);
	bool stored = l->status == SPOOL_STORED;
	struct reply r;
	char id[ID_TEXT];

	PH_ASSERT(in->owed && l->draft == m->draft);
	if (stored) {
		id_text(m->env.id, id);
		reply_set(&r, 250, "2.0.0", "Ok: queued as %s", id);
		/* At a stop the room is closed before the journal. */
		if (w->intake != NULL)
			loophint_stored(w->intake->c.hints, m->env.id,
			    in->hint);
		client_count(w, m);
		tell_queue(w, m);
	} else if (l->status == SPOOL_FULL) {
		no_space(&r);
	} else {
		disk_failed(&r);
	}
	in->owed = false;
	if (in->session != NULL)
		session_answer(in->session, &r); /* on_reset follows */
	else
		intake_free(in);
	if (stored)
		dispatch_fresh(w, m);
	mail_unref(m);
}

/* ---- ends ---- */

static void on_reset(void *arg, struct session *s)
{
	struct intake *in = session_user(s);

	(void)arg;
	if (in == NULL)
		return;
	session_set_user(s, NULL);
	in->session = NULL;
	ask_cancel(&in->wait);
	sender_check_drop(in);
	/* The letter is part of the draft: it comes first, and frees it. */
	if (!in->owed)
		intake_free(in);
}

static void on_closed(void *arg, struct session *s)
{
	struct worker *w = arg;

	intake_login_drop(w, s);
	atomic_store(&w->sessions, server_sessions(w->server));
}

static struct tls_server *on_tls(void *arg, const struct conf *c, int listen)
{
	struct conf_snapshot *l = worker_snapshot(arg, c);

	return l == NULL || l->listen[listen] == NULL
		   ? NULL : tls_server_ref(l->listen[listen]);
}

void intake_report(struct worker *w, const struct session *s,
    const struct server_report *r)
{
	static const enum refusal_kind kinds[] = {
		[REPORT_REFUSED] = REFUSAL_REFUSED,
		[REPORT_ABORTED] = REFUSAL_ABORTED,
		[REPORT_REPAIRED] = REFUSAL_REPAIRED,
	};

	refusals_add(w->intake->refusals, &(struct refusal){.kind =
	    kinds[r->what],
	    .client = session_client(s), .listen = session_listen(s)->name,
	    .stage = r->stage, .from = r->from, .to = r->to, .said = r->said,
	    .bytes = r->bytes, .reply = r->reply, .why = r->why});
}

static void on_report(void *arg, struct session *s,
    const struct server_report *r)
{
	if (r->what != REPORT_REFUSED ||
	    !returned_refused(session_user(s), r))
		intake_report(arg, s, r);
}

const struct server_ops intake_ops = {
	.connected = on_connected,
	.login = intake_login,
	.mail = on_mail,
	.rcpt = intake_rcpt,
	.body_begin = on_body_begin,
	.body = on_body,
	.bare = on_bare,
	.body_end = on_body_end,
	.reset = on_reset,
	.closed = on_closed,
	.report = on_report,
	.tls = on_tls,
};
