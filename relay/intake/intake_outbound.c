/* SPDX-License-Identifier: ISC
 *
 * Clients that may send to the outside: their logins (RFC 4954), what is said
 * to them at MAIL, and recipients at domains that are not ours. A worker's
 * loop.
 */
#include "relay/base/assert.h"
#include "relay/base/hash.h"
#include "relay/intake/intake.h"
#include "relay/intake/intake_int.h"
#include "relay/intake/rate_table.h"
#include "relay/login/logins.h"
#include "relay/watch/alarm.h"

/* ---- logins ---- */

static void login_reply(enum login_verdict v, struct reply *r)
{
	switch (v) {
	case LOGIN_RIGHT:
		reply_set(r, 235, "2.7.0", "Logged in");
		return;
	case LOGIN_BLOCKED:
		reply_set(r, 421, "4.7.0", "Too many logins failed, try again "
					   "in a minute");
		return;
	case LOGIN_BUSY:
		reply_set(r, 454, "4.7.0", "Too many log in at once, try again "
					   "later");
		return;
	default:
		reply_set(r, 535, "5.7.8", "Name or password is wrong");
	}
}

enum answer intake_login(void *arg, struct session *s,
    const struct credentials *c, struct reply *r)
{
	struct worker *w = arg;
	struct login_ask q = {.conf = w->snapshot->conf,
	    .client = session_client(s), .said = c, .back = &w->box,
	    .kind = W_LOGIN, .asker = s};
	struct login_job *job;
	enum login_verdict v = logins_ask(w->intake->c.logins, &q, &job);

	if (v == LOGIN_LATER) {
		list_push_back(&w->intake->logins, &job->node);
		return ANSWER_LATER;
	}
	login_reply(v, r);
	return ANSWER_NOW;
}

void intake_login_done(struct worker *w, struct letter *l)
{
	struct login_job *job = (struct login_job *)l;
	struct session *s = job->asker;
	struct reply r;

	PH_ASSERT(w->intake != NULL);
	login_reply(logins_finish(w->intake->c.logins, job), &r);
	if (s != NULL)
		session_answer(s, &r);
}

void intake_login_drop(struct worker *w, const struct session *s)
{
	struct list *all = &w->intake->logins;

	for (struct list *n = all->next; n != all; n = n->next) {
		struct login_job *j = CONTAINER_OF(n, struct login_job, node);

		if (j->asker == s)
			j->asker = NULL;
	}
}

/* ---- MAIL ---- */

static struct outbound_client client_of(const struct session *s)
{
	/* The address of a proxy is not that of the client behind it. */
	bool named = proxy_names_client(session_proxy(s));

	return (struct outbound_client){
	    .address = named ? &session_client(s)->sa : NULL,
	    .login = session_login(s),
	    .certificate = session_certificate(s)};
}

bool outbound_mail(struct worker *w, const struct session *s,
    const struct addr *from, enum outbound_right *right_out, struct reply *r)
{
	const struct conf *c = w->snapshot->conf;
	struct outbound_client who = client_of(s);

	*right_out = outbound_right(c, session_listen(s), &who);
	if (*right_out == RIGHT_NONE &&
	    session_listen(s)->outbound == OUTBOUND_ONLY)
		reply_set(r, 530, "5.7.0", "This server is for those who log "
		    "in or are known by their address");
	else if (!outbound_sender_fits(c, *right_out, &who, from))
		reply_set(r, 553, "5.7.1", "Your login may not send as this "
					   "sender");
	else
		return true;
	return false;
}

/* ---- RCPT ---- */

/* "user x", "client 192.0.2.1" */
static void print_who(const struct intake *in, struct strbuf *out)
{
	const struct session *s = in->session;
	char ip[NETADDR_TEXT];

	if (in->right == RIGHT_USER) {
		strbuf_adds(out, "user ");
		strbuf_adds(out, session_login(s));
	} else if (in->right == RIGHT_CERTIFICATE) {
		strbuf_adds(out, "certificate ");
		strbuf_adds(out, session_certificate(s));
	} else {
		netaddr_ip(session_client(s), ip);
		strbuf_adds(out, "client ");
		strbuf_adds(out, ip);
	}
}

/* It is counted as that; a client by its address, of IPv6 its /64: a machine
 * has all addresses of one. */
static uint64_t who_key(const struct intake *in, struct slice who)
{
	return in->right == RIGHT_USER || in->right == RIGHT_CERTIFICATE
		   ? hash_slice(who)
		   : netaddr_client_key(session_client(in->session));
}

static void tell_rate(const struct intake *in, const char *who, int limit)
{
	struct strbuf text;

	strbuf_init(&text, 1024);
	strbuf_addf(&text, "%s has sent to %d recipients at the outside in "
	    "an hour and is told 450 until the hour is over; if that is no "
	    "mistake, block it (a user: change its line in outbound.users and "
	    "reload), or raise outbound.rate", who, limit);
	alarm_raise(in->w->alarms, ALARM_OUTBOUND_RATE, who,
	    strbuf_cstr(&text));
	strbuf_fini(&text);
}

static bool within_rate(const struct intake *in, struct reply *r)
{
	int limit = intake_conf(in)->outbound.rate;
	struct strbuf who;
	enum rate_answer a;

	strbuf_init(&who, 512);
	print_who(in, &who);
	a = rate_table_take(in->w->intake->c.rate,
	    who_key(in, strbuf_view(&who)), limit,
	    clock_mono_ms(in->w->shared->clock));
	if (a == RATE_OVER_FIRST)
		tell_rate(in, strbuf_cstr(&who), limit);
	strbuf_fini(&who);
	if (a != RATE_TAKEN)
		reply_set(r, 450, "4.7.1", "You have sent to too many "
		    "recipients in this hour, try again later");
	return a == RATE_TAKEN;
}

bool outbound_rcpt(struct intake *in, const struct addr *to,
    struct decision *d, struct reply *r)
{
	const struct conf *c = intake_conf(in);
	const struct conf_leg *way;

	/* Also by an SRS address. A client may know any number: to one that
	 * leads to itself it writes as its victim, and is given the next. */
	if (!outbound_may(c, to, in->right, in->led_back, d) ||
	    !within_rate(in, r))
		return false;
	outbound_take(c, to, in->led_back, d);
	if (d->verdict == VERDICT_REFUSE) {
		*r = d->reply;
		return false;
	}
	way = &c->leg[c->outbound.way[0]];
	in->mail->env.egress = arena_strdup(in->mail->arena, way->name);
	egress_ask(in, way);
	return true;
}
