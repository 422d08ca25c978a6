/* SPDX-License-Identifier: ISC
 *
 * A worker: builds what it owns, then turns letters into calls.
 */
#include "relay/daemon/worker_thread.h"

#include <pthread.h>
#include <stdio.h>

#include "policy/reply_class.h"
#include "relay/base/log.h"
#include "relay/base/thread.h"
#include "relay/delivery/ask.h"
#include "relay/delivery/dispatch.h"
#include "relay/delivery/leg_offers.h"
#include "relay/delivery/ask_doubt.h"
#include "relay/delivery/outgoing.h"
#include "relay/delivery/own_mail.h"
#include "relay/net/dns.h"
#include "relay/net/listen.h"
#include "relay/post/call.h"
#include "relay/post/workers.h"
#include "relay/spf/client_names.h"
#include "relay/spf/spf_check.h"
#include "relay/spf/spf_helper.h"
#include "relay/watch/alarm.h"
#include "relay/client/client.h"

struct worker_thread {
	struct worker w; /* the first: callbacks get it */
	struct acceptor *acceptor;
	struct leg_offers *offers;
	struct stream_scratch *scratch;
	pthread_t thread;
	bool running;
	uint64_t snapshots; /* taken: all workers get the same ones */
};

static struct worker_thread *thread_of(void *worker)
{
	return worker;
}

/* ---- letters ---- */

static void on_yield(struct worker *w, struct leg_letter *l)
{
	unsigned n = workers_yielded(w->shared->workers, w->index, l->leg);

	client_yield(w->client, l->leg, n);
	mem_free(l);
}

static void on_offer(struct worker *w, struct leg_letter *l)
{
	if (client_has_idle(w->client, l->leg))
		dispatch_idle(w, l->leg);
	mem_free(l);
}

static void on_leg_letter(struct worker *w, struct letter *l)
{
	if (l->kind == W_QUESTION)
		ask_doubt_take(w, (struct question_letter *)l);
	else if (l->kind == W_YIELD)
		on_yield(w, (struct leg_letter *)l);
	else
		on_offer(w, (struct leg_letter *)l);
}

static void on_letter(void *arg, struct letter *l)
{
	struct worker *w = arg;

	switch ((enum worker_letter)l->kind) {
	case W_ACCEPTED:
		server_accept(w->server, (struct accepted *)l);
		atomic_store(&w->sessions, server_sessions(w->server));
		break;
	case W_STORED:
		intake_stored(w, (struct spool_draft_letter *)l);
		break;
	case W_ROOM:
		intake_room((struct spool_draft_letter *)l);
		break;
	case W_FETCHED:
		dispatch_fetched(w, (struct spool_fetch *)l);
		break;
	case W_OWN_MAIL:
		own_mail_letter(w, (struct spool_draft_letter *)l);
		break;
	case W_LOGIN:
		intake_login_done(w, l);
		break;
	case W_FOUND:
		intake_found((struct lookup *)l);
		break;
	case W_CALL:
		call_run(l);
		break;
	case W_YIELD:
	case W_OFFER:
	case W_QUESTION:
		on_leg_letter(w, l);
		break;
	}
}

static void on_left(void *arg, const struct netaddr *peer)
{
	struct worker_thread *t = thread_of(arg);

	acceptor_closed(t->acceptor, t->w.index, peer);
}

static bool on_recount(void *arg, const struct netaddr *from,
    const struct netaddr *to)
{
	return acceptor_recount(thread_of(arg)->acceptor, from, to);
}

static struct tls_client *on_tls(void *arg, const struct conf *c,
    const struct conf_leg *leg)
{
	struct conf_snapshot *l = worker_snapshot(arg, c);
	struct tls_client *t = l == NULL ? NULL : l->leg[leg - c->leg];

	return t == NULL ? NULL : tls_client_ref(t);
}

/* Of the world's exchangers that would be news of others. */
static void on_in_clear(void *arg, const struct conf_leg *leg,
    const char *host, const char *why)
{
	struct worker *w = arg;
	char text[700];

	if (leg->direct)
		return;
	snprintf(text, sizeof(text), "%s offered TLS, it did not come about "
	    "(%s), and mail goes there in the clear; mend it there, or let "
	    "the mail wait with tls = \"encrypt\"", host, why);
	alarm_raise(w->alarms, ALARM_IN_CLEAR, leg->name, text);
}

static void on_learned(void *arg, int leg, const struct ehlo *e)
{
	leg_offers_set(thread_of(arg)->offers, leg, e);
}

static bool on_splits(
    void *arg, const struct conf_leg *leg, const struct result *r)
{
	struct result meant = *r;

	(void)arg;
	(void)reply_classify(leg->replies, &meant);
	return meant.class == CLASS_SPLIT;
}

static void make_server(struct worker_thread *t)
{
	struct server_config c = {.loop = t->w.loop, .scratch = t->scratch,
	    .sock = &sock_system, .ops = &intake_ops, .arg = t,
	    .left = on_left, .recount = on_recount};

	t->w.server = server_new(&c);
}

static void make_client(struct worker_thread *t)
{
	struct client_config c = {.loop = t->w.loop, .scratch = t->scratch,
	    .sock = &sock_system, .dns = t->w.dns, .slots = &outgoing_slots,
	    .slots_arg = t, .idle = dispatch_idle, .tls = on_tls,
	    .learned = on_learned, .in_clear = on_in_clear,
	    .splits = on_splits, .arg = t};

	t->w.client = client_new(&c);
}

static void on_spf_blamed(void *arg, const char *domain)
{
	struct worker *w = arg;

	alarm_raise(w->alarms, ALARM_SPF_DOMAIN, domain, "what this domain "
	    "has in the DNS ended posthouse-spf three times; for an hour its "
	    "checks are temperror unasked; report its records, for example "
	    "from posthouse spf check --json");
}

static void on_spf_absent(void *arg, const char *why)
{
	struct worker *w = arg;
	char text[500];

	snprintf(text, sizeof(text), "no process evaluates SPF (%s); until "
	    "one does each check is temperror, and mail goes on", why);
	alarm_raise(w->alarms, ALARM_SPF_HELPER, "posthouse-spf", text);
}

/* A process is started where mail needs it at once: the first check would have
 * to wait for it. */
static void begin_spf(struct worker *w)
{
	if (w->snapshot->conf->spf.check)
		spf_helper_begin(w->spf_helper);
}

static void make_spf(struct worker_thread *t, const struct worker_config *c)
{
	struct worker *w = &t->w;

	w->spf_helper = spf_helper_new(&(struct spf_helper_config){
	    .loop = w->loop, .starter = c->spf_starter,
	    .blame = c->spf_blame, .blamed = on_spf_blamed,
	    .absent = on_spf_absent, .arg = w});
	begin_spf(w);
	w->spf = spf_checker_new(w->loop, w->dns, w->spf_helper,
	    c->verdicts);
}

static void make_rooms(struct worker_thread *t, const struct worker_config *c)
{
	struct intake_config ic = c->intake;

	ic.scratch = t->scratch;
	intake_open(&t->w, &ic);
	t->w.ask = asker_new(&t->w, c->asked);
}

struct worker_thread *worker_thread_new(const struct worker_config *c,
    struct error *err)
{
	struct worker_thread *t = NEW(struct worker_thread);
	struct worker *w = &t->w;

	worker_init(w, c->shared, c->index, c->snapshot);
	w->alarms = c->alarms;
	w->projector = c->projector;
	t->acceptor = c->acceptor;
	t->offers = c->offers;
	mailbox_attach(&w->box, w->loop, on_letter, w);
	t->scratch = stream_scratch_new();
	t->w.dns = dns_new(w->loop, w->snapshot->conf, err);
	if (t->w.dns == NULL) {
		worker_thread_free(t);
		return NULL;
	}
	make_spf(t, c);
	w->outgoing = outgoing_new(w, dispatch_handover);
	w->client_names = client_names_new(w->loop, w->dns);
	make_client(t);
	make_server(t);
	make_rooms(t, c);
	return t;
}

struct worker *worker_thread_view(struct worker_thread *t)
{
	return t == NULL ? NULL : &t->w;
}

static void *thread_main(void *arg)
{
	struct worker_thread *t = arg;

	thread_name("ph-worker");
	loop_run(t->w.loop);
	return NULL;
}

int worker_thread_run(struct worker_thread *t, struct error *err)
{
	int no = pthread_create(&t->thread, NULL, thread_main, t);

	if (no != 0)
		return error_sys(err, no, "starting worker %d", t->w.index);
	t->running = true;
	return 0;
}

void worker_thread_join(struct worker_thread *t)
{
	if (t == NULL || !t->running)
		return;
	loop_stop(t->w.loop);
	pthread_join(t->thread, NULL);
	t->running = false;
}

/* Work that letters defer is due in the second turn. */
void worker_thread_turn(struct worker_thread *t)
{
	if (t == NULL)
		return;
	loop_once(t->w.loop, 0);
	loop_once(t->w.loop, 0);
}

void worker_thread_end(struct worker_thread *t)
{
	struct worker *w = worker_thread_view(t);

	if (t == NULL)
		return;
	worker_thread_turn(t);
	server_free(w->server);
	client_free(w->client);
	w->server = NULL;
	w->client = NULL;
	dispatch_stop(w);
	intake_close(w);
	asker_free(w->ask);
	w->ask = NULL;
}

void worker_thread_free(struct worker_thread *t)
{
	if (t == NULL)
		return;
	outgoing_free(t->w.outgoing);
	client_names_free(t->w.client_names);
	spf_checker_free(t->w.spf);
	spf_helper_free(t->w.spf_helper);
	dns_free(t->w.dns);
	stream_scratch_free(t->scratch);
	worker_fini(&t->w);
	mem_free(t);
}

/* ---- a new snapshot ---- */

struct take_snapshot {
	struct worker_thread *t;
	struct conf_snapshot *snapshot;
};

/* Answers about names are kept over a reload that changes nothing here.
 * /etc/resolv.conf may always have changed. */
static bool same_resolver(const struct conf *a, const struct conf *b)
{
	if (a->resolver.servers == 0 ||
	    a->resolver.servers != b->resolver.servers ||
	    a->resolver.timeout_ms != b->resolver.timeout_ms ||
	    a->resolver.validating != b->resolver.validating)
		return false;
	for (int i = 0; i < a->resolver.servers; i++)
		if (a->resolver.server[i].port != b->resolver.server[i].port ||
		    strcmp(a->resolver.server[i].host,
			b->resolver.server[i].host) != 0)
			return false;
	return true;
}

static void ask_elsewhere(struct worker_thread *t)
{
	struct worker *w = &t->w;
	struct error err;

	if (dns_configure(w->dns, w->snapshot->conf, &err) < 0)
		log_error("resolver.rejected", kv_err(&err));
	else
		spf_checker_forget(w->spf, t->snapshots);
}

static void on_snapshot(void *arg)
{
	struct take_snapshot *take = arg;
	struct worker_thread *t = take->t;
	struct worker *w = &t->w;

	worker_take_snapshot(w, take->snapshot);
	t->snapshots++;
	if (!same_resolver(w->old[0]->conf, w->snapshot->conf))
		ask_elsewhere(t);
	client_reload(w->client);
	begin_spf(w);
	mem_free(take);
}

void worker_thread_configure(struct worker_thread *t, struct conf_snapshot *s)
{
	struct take_snapshot *take = NEW(struct take_snapshot);

	take->t = t;
	take->snapshot = snapshot_ref(s);
	call_post(&t->w.box, W_CALL, on_snapshot, take);
}

/* ---- stopping ---- */

static void on_drain(void *arg)
{
	struct worker *w = arg;

	server_drain(w->server);
	client_drain(w->client);
	ask_drain(w->ask);
	dispatch_stop(w);
	atomic_store(&w->sessions, server_sessions(w->server));
	dialogs_count(w);
	atomic_store(&w->drained, true);
}

void worker_thread_drain(struct worker_thread *t)
{
	call_post(&t->w.box, W_CALL, on_drain, &t->w);
}

bool worker_thread_quiet(const struct worker_thread *t)
{
	const struct worker *w = &t->w;

	return atomic_load(&w->drained) && atomic_load(&w->sessions) == 0 &&
	       atomic_load(&w->dialogs) == 0;
}
