/* SPDX-License-Identifier: ISC
 *
 * Mail that a leg hands back (D6, RFC 5321 6.3): it goes to a leg of the route
 * that has not had it, never to one that had. A leg is known by its listener
 * or its addresses, and whatever way the mail took by the tokens in its
 * header: they name messages of ours, whose deliveries are looked up. A
 * worker's loop.
 *
 * The legs that already have the message are looked up per recipient: what one
 * recipient was sent may be new to another on the same leg, as when a list that
 * is somewhere else sends it on.
 */
#include "policy/origin.h"
#include "relay/audit/lookup.h"
#include "relay/audit/note_post.h"
#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/watch/alarm.h"
#include "relay/intake/from_leg.h"
#include "relay/intake/intake.h"
#include "relay/intake/intake_int.h"

enum { ALARM_MAX = 1024, ALARM_AGAIN_MS = MINUTE_MS };

/* ---- whose connection it is ---- */

static const struct conf_leg *leg_of(const struct intake *in)
{
	const struct session *s = in->session;
	int own = session_listen(s)->leg;

	if (own >= 0)
		return &session_conf(s)->leg[own];
	/* The address of a proxy is not that of the leg behind it. */
	return proxy_names_client(session_proxy(s))
		   ? origin_leg(intake_conf(in), &session_client(s)->sa)
		   : NULL;
}

void returned_origin(struct intake *in)
{
	const struct conf_leg *leg = leg_of(in);
	struct envelope *e = &in->mail->env;

	in->origin = leg == NULL ? -1 : leg->id;
	e->came_from = leg == NULL
			   ? "" : arena_strdup(in->mail->arena, leg->name);
}

void returned_mark(struct intake *in)
{
	struct envelope *e = &in->mail->env;

	if (in->origin >= 0)
		e->rcpt[e->rcpts - 1].had =
		    envelope_had(e, in->mail->arena, e->came_from);
}

/* ---- what is said ---- */

/* Mail loops as fast as servers talk; each refusal is on record, an alarm about
 * one address once a minute will do. */
static bool is_told(struct worker *w, const char *to)
{
	uint64_t hash = mail_hash(to);
	int64_t now_ms = loop_now_ms(w->loop);
	struct intake_room *room = w->intake;
	unsigned i = hash / 2 % LOOPS_TOLD;

	if (room->loop_told[i].hash == hash &&
	    now_ms - room->loop_told[i].at_ms < ALARM_AGAIN_MS)
		return true;
	room->loop_told[i].hash = hash;
	room->loop_told[i].at_ms = now_ms;
	return false;
}

static void say_loop(struct intake *in, const char *to, const char *what)
{
	const struct envelope *e = &in->mail->env;
	char parent[ID_TEXT] = "";
	struct strbuf text;

	if (is_told(in->w, to))
		return;
	if (e->parent != 0)
		id_text(e->parent, parent);
	strbuf_init(&text, ALARM_MAX);
	strbuf_addf(&text, "mail for %s came back from %s%s%s; its route has "
	    "no leg that has not had it: %s. End the forwarding there, or "
	    "change the route", to, e->came_from,
	    parent[0] != '\0' ? ", where it was " : "", parent, what);
	alarm_raise(in->w->alarms, ALARM_LOOP, to, strbuf_cstr(&text));
	strbuf_fini(&text);
}

bool returned_rcpt(struct intake *in, struct table *t, const struct addr *to,
    struct decision *d, struct reply *r)
{
	if (in->origin < 0)
		return true;
	origin_decide(intake_conf(in), t,
	    &(struct origin_mail){in->origin, to,
		clock_wall_us(in->w->shared->clock)}, d);
	if (d->verdict == VERDICT_ACCEPT)
		return true;
	*r = d->reply;
	from_leg_refused(in, to);
	say_loop(in, arena_slicedup(in->mail->arena, to->text),
	    "it was refused");
	return false;
}

/* ---- what became of it before ---- */

/* A leg that is still to get it counts with those that had it: another
 * delivery there would be a second one. It may also be the one that hands it
 * back, whose reply is not on record yet. */
static bool had_it(const struct lookup_row *d)
{
	return d->state == D_DELIVERED || dstate_open((enum dstate)d->state);
}

/* Is any of the deliveries under way, or waits to be? */
static bool mark_legs(struct intake *in, unsigned rcpt,
    const struct lookup *l, unsigned of)
{
	struct mail *m = in->mail;
	bool under_way = false;

	for (unsigned i = 0; i < l->rows; i++) {
		const struct lookup_row *d = &l->row[i];

		if (d->rcpt != of || !had_it(d))
			continue;
		under_way |= d->state == D_QUEUED || d->state == D_DEFERRED;
		m->env.rcpt[rcpt].had |= envelope_had(&m->env, m->arena,
		    names_text(in->w->shared->names, d->leg));
	}
	return under_way;
}

static bool is_looping(const struct intake *in, const struct spool_delivery *d)
{
	return envelope_loops(&in->mail->env, d->rcpt,
	    names_text(in->w->shared->names, d->leg));
}

static bool has_new_leg(const struct intake *in, unsigned rcpt)
{
	const struct mail *m = in->mail;

	for (unsigned i = 0; i < m->deliveries; i++)
		if (m->delivery[i].rcpt == rcpt &&
		    m->delivery[i].state != D_HELD &&
		    !is_looping(in, &m->delivery[i]))
			return true;
	return false;
}

/* The hash of the row for a recipient of the earlier message, by the table as
 * it is: a leg's own address is that of its row. 0: it has none any more. */
static uint64_t whose(struct intake *in, struct table *t, const char *to)
{
	struct decision d;
	struct addr a;
	const char *why;

	memset(&d, 0, sizeof(d));
	if (addr_parse(slice_str(to), true, &a, &why) < 0 ||
	    !route_resolve(intake_conf(in), t, &a, in->w->lookup,
		&d) || d.base[0] == '\0')
		return 0;
	return mail_hash(d.base);
}

/* A leg that the route names since a moment ago gets the earlier message too,
 * if that is not over: whether it does is on record soon. */
static void compare(struct intake *in, struct table *t,
    const struct lookup *l)
{
	const struct mail *m = in->mail;

	for (unsigned i = 0; i < l->rcpts; i++) {
		uint64_t hash = whose(in, t, l->rcpt[i]);

		for (unsigned k = 0; k < m->env.rcpts; k++)
			if (hash != 0 && m->hash[k] == hash &&
			    mark_legs(in, k, l, i) && has_new_leg(in, k))
				in->early = true;
	}
}

static void take_parent(struct intake *in, const struct lookup *l)
{
	struct error err;
	struct table *t = worker_table(in->w, &err);

	in->blind = t == NULL;
	if (t != NULL)
		compare(in, t, l);
}

static void on_parent(struct intake *in, const struct lookup *l);

static void ask_next(struct intake *in)
{
	intake_look_up(in, lookup_new(in->was.id[in->parents_seen++],
	    &in->w->box, W_FOUND), on_parent);
}

/* A mark of ours in a message that it was not made for: copied from another
 * message, or from before marks were bound. It proves nothing. */
static void note_foreign(struct intake *in)
{
	const struct envelope *e = &in->mail->env;
	struct shared *sh = in->w->shared;
	struct note_draft n;
	struct jout *j = note_open(&n, EVENT_TOKEN);
	char id[ID_TEXT];

	id_text(e->id, id);
	jout_str(j, "id", id);
	jout_slice(j, "about", in->was.foreign);
	jout_str(j, "client", e->client);
	jout_str(j, "from", e->from);
	jout_str(j, "reason", "its mark was not made for this message, so it "
	    "is ignored");
	note_post(&n, sh->spool, NOTE_SYSTEM, clock_wall_us(sh->clock));
}

bool returned_begin(struct intake *in)
{
	struct envelope *e = &in->mail->env;
	struct slice head = spool_draft_head(in->mail->draft);

	/* The return address tells what a bounce of ours is about. */
	if (in->bounce)
		return false;
	token_find(in->w->intake->c.tokens, intake_conf(in),
	    slice_from(head, in->trace_n), &in->was);
	if (in->was.foreign.n != 0)
		note_foreign(in);
	if (in->was.ids == 0)
		return false;
	e->parent = in->was.id[0];
	ask_next(in);
	return true;
}

/* ---- and what follows ---- */

/* Of one recipient's deliveries, those that may be made, put at *kept; if
 * there is none, the first, parked. False for that. */
static bool sift(struct intake *in, unsigned from, unsigned to,
    unsigned *kept)
{
	struct spool_delivery *all = in->mail->delivery;
	struct spool_delivery first = all[from];
	unsigned start = *kept;

	for (unsigned i = from; i < to; i++)
		if (all[i].state == D_HELD || !is_looping(in, &all[i]))
			all[(*kept)++] = all[i];
	if (*kept == start) {
		first.state = D_PARKED;
		first.reason = WHY_LOOP;
		all[(*kept)++] = first;
		return false;
	}
	/* A copy that was parked before it was tried is the one that counts
	 * now. */
	if (all[start].role == ROLE_COPY && all[start].state == D_PARKED) {
		all[start].state = D_QUEUED;
		all[start].reason = WHY_NONE;
	}
	all[start].role = ROLE_PRIMARY;
	return true;
}

/* Returns how many recipients loop, and notes them in `looping`. */
static unsigned sift_all(struct intake *in, bool *looping)
{
	struct mail *m = in->mail;
	unsigned kept = 0, loops = 0;

	for (unsigned i = 0, next; i < m->deliveries; i = next) {
		uint32_t rcpt = m->delivery[i].rcpt;

		for (next = i + 1; next < m->deliveries &&
				   m->delivery[next].rcpt == rcpt; next++)
			;
		looping[rcpt] = !sift(in, i, next, &kept);
		loops += looping[rcpt];
	}
	m->deliveries = kept;
	return loops;
}

static bool rcpt_in_grace(struct intake *in, struct table *t, unsigned rcpt)
{
	const struct conf *c = intake_conf(in);
	struct decision d;
	struct addr to;

	memset(&d, 0, sizeof(d));
	return mail_rcpt_addr(in->mail, rcpt, &to) &&
	       route_resolve(c, t, &to, in->w->lookup, &d) &&
	       origin_in_grace(c, t, &d, clock_wall_us(in->w->shared->clock));
}

static bool any_in_grace(struct intake *in)
{
	struct error err;
	struct table *t = worker_table(in->w, &err);
	bool found = t == NULL;

	for (unsigned i = 0; i < in->mail->env.rcpts && !found; i++)
		found = rcpt_in_grace(in, t, i);
	return found;
}

/* "cloud", "legacy+cloud": for the audit trail, when no connection said it. */
static void name_legs(struct mail *m)
{
	struct strbuf b;

	if (m->env.came_from[0] != '\0')
		return;
	strbuf_init(&b, (size_t)HAD_MAX * (NAME_BYTES + 1));
	for (unsigned i = 0; i < m->env.had_legs; i++)
		strbuf_addf(&b, "%s%s", i == 0 ? "" : "+", m->env.had_leg[i]);
	m->env.came_from = arena_slicedup(m->arena, strbuf_view(&b));
	strbuf_fini(&b);
}

static void conclude(struct intake *in)
{
	struct mail *m = in->mail;
	bool *looping = arena_alloc(m->arena, m->env.rcpts);
	unsigned loops = sift_all(in, looping);
	bool all = loops == m->env.rcpts;
	struct reply r;

	name_legs(m);
	for (unsigned i = 0; i < m->env.rcpts; i++)
		if (looping[i])
			say_loop(in, m->env.rcpt[i].to,
			    all ? "it was refused" : "it is parked");
	in->looping = all ? looping : NULL;
	if (all) {
		origin_refuse(&r, any_in_grace(in),
		    slice_str(m->env.rcpt[0].to));
		session_answer(in->session, &r);
	} else {
		intake_commit(in);
	}
}

/* ---- without our trace field ---- */

static void slow_down(struct intake *in, struct spool_delivery *d,
    unsigned rounds)
{
	const struct mail *m = in->mail;
	bool parked = rounds >= LOOPHINT_PARKS;

	d->state = parked ? D_PARKED : D_DEFERRED;
	d->reason = WHY_HINT;
	d->due_us = parked ? 0 : m->env.accepted_us + loophint_wait_us(rounds);
	log_warn("loop.hint", kv_id("id", m->env.id),
	    kv_str("to", m->env.rcpt[d->rcpt].to),
	    kv_str("leg", names_text(in->w->shared->names, d->leg)),
	    kv_int("rounds", (int64_t)rounds),
	    kv_str("effect", parked ? "it is parked" : "it waits"));
}

/* Logged and recorded as an event, without an alarm: it is a hint, and the leg
 * may not be at fault. */
void returned_hint(struct intake *in)
{
	struct mail *m = in->mail;

	in->hint = loophint_key(m->env.message_id, m->env.from, &in->body);
	for (unsigned i = 0; i < m->deliveries && in->hint != 0; i++) {
		struct spool_delivery *d = &m->delivery[i];
		unsigned rounds = loophint_rounds(in->w->intake->c.hints,
		    in->hint,
		    m->hash[d->rcpt], d->leg);

		if (d->state == D_QUEUED && rounds >= LOOPHINT_SLOWS)
			slow_down(in, d, rounds);
	}
}

bool returned_refused(const struct intake *in, const struct server_report *r)
{
	struct server_report each = *r;
	const struct envelope *e;

	if (in == NULL || in->looping == NULL)
		return false;
	e = &in->mail->env;
	for (unsigned i = 0; i < e->rcpts; i++) {
		each.to = slice_str(e->rcpt[i].to);
		intake_report(in->w, in->session, &each);
	}
	return true;
}

static void on_parent(struct intake *in, const struct lookup *l)
{
	struct reply r;

	if (l->found)
		take_parent(in, l);
	if (in->blind) {
		reply_set(&r, 451, "4.3.0", "The cutover table cannot be read "
					    "now, try again later");
		session_answer(in->session, &r);
	} else if (in->early) {
		reply_set(&r, 451, "4.4.6", "This message is still being "
		    "delivered by a route that has changed, try again later");
		session_answer(in->session, &r);
	} else if (in->parents_seen < in->was.ids) {
		ask_next(in);
	} else {
		conclude(in);
	}
}
