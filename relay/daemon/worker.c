/* SPDX-License-Identifier: ISC
 *
 * A worker: builds what it owns, then turns letters into calls.
 */
#include "relay/daemon/worker.h"

#include <stdio.h>

#include "policy/reply_class.h"
#include "relay/base/log.h"
#include "relay/watch/alarm.h"
#include "relay/delivery/ask.h"
#include "relay/delivery/dispatch.h"
#include "relay/intake/intake.h"
#include "relay/delivery/own_mail.h"
#include "relay/intake/refusals.h"

struct live *worker_live(struct worker *w, const struct conf *c)
{
	if (w->live->conf == c)
		return w->live;
	for (int i = 0; i < LIVES_MAX - 1; i++)
		if (w->old[i] != NULL && w->old[i]->conf == c)
			return w->old[i];
	return NULL;
}

void worker_count_dialogs(struct worker *w)
{
	atomic_store(&w->dialogs,
	    (int)(client_busy(w->client) - ask_busy(w->ask)));
}

struct table *worker_table(struct worker *w, struct error *err)
{
	int64_t now_ms = loop_now_ms(w->loop);

	/* Another file at its place: what we hold is no longer the table. Two
	 * system calls, so one look a millisecond. */
	if (w->table != NULL && w->looked_ms != now_ms &&
	    table_moved(w->table)) {
		table_close(w->table);
		w->table = NULL;
	}
	w->looked_ms = now_ms;
	/* Before the transaction: a change that is committed and noticed while
	 * it runs makes nobody's answer too old. */
	w->table_floor = atomic_load(&w->app->change_floor);
	if (w->table == NULL)
		w->table = table_open(w->app->table_path,
		    w->app->names, err);
	/* What the last transaction looked up is over. */
	arena_free(w->lookup);
	w->lookup = arena_new();
	if (w->table == NULL || table_begin(w->table, err) == 0)
		return w->table;
	/* Damaged, perhaps mended by then: the next asker opens it anew. */
	table_close(w->table);
	w->table = NULL;
	return NULL;
}

static void on_letter(void *arg, struct letter *l)
{
	struct worker *w = arg;
	struct call *call;

	switch ((enum worker_letter)l->kind) {
	case W_ACCEPTED:
		server_accept(w->server, (struct accepted *)l);
		atomic_store(&w->sessions, server_sessions(w->server));
		break;
	case W_STORED:
		intake_stored(w, (struct spool_draft_letter *)l);
		break;
	case W_ROOM:
		intake_room(w, (struct spool_draft_letter *)l);
		break;
	case W_JOB:
		dispatch_job(w, (struct job_letter *)l);
		break;
	case W_RESOLVE:
		dispatch_resolve(w, (struct job_letter *)l);
		break;
	case W_FETCHED:
		dispatch_fetched(w, (struct spool_fetch *)l);
		break;
	case W_OURS:
		ours_letter(w, (struct spool_draft_letter *)l);
		break;
	case W_PARENT:
		intake_parent(w, (struct lookup *)l);
		break;
	case W_CALL:
		call = (struct call *)l;
		call->fn(call->arg);
		mem_free(call);
		break;
	}
}

static void on_left(void *arg, const struct netaddr *peer)
{
	struct worker *w = arg;

	acceptor_closed(w->app->acceptor, w->index, peer);
}

static bool on_recount(void *arg, const struct netaddr *from,
    const struct netaddr *to)
{
	struct worker *w = arg;

	return acceptor_recount(w->app->acceptor, from, to);
}

static struct tls_client *on_tls(void *arg, const struct conf *c,
    const struct conf_leg *leg)
{
	struct live *l = worker_live(arg, c);
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
	alarm_raise(w->app, "in-clear", leg->name, text);
}

static void on_learned(void *arg, int leg, const struct ehlo *e)
{
	struct worker *w = arg;

	learned_set(&w->app->learned, leg, e);
}

static bool on_splits(
    void *arg, const struct conf_leg *leg, const struct result *r)
{
	struct result meant = *r;

	(void)arg;
	(void)reply_classify(leg->replies, &meant);
	return meant.class == CLASS_SPLIT;
}

static void make_server(struct worker *w)
{
	struct server_config c = {.loop = w->loop, .scratch = w->scratch,
	    .sock = &sock_system, .ops = &intake_ops, .arg = w,
	    .left = on_left, .recount = on_recount};

	w->server = server_new(&c);
}

static void make_client(struct worker *w)
{
	struct client_config c = {.loop = w->loop, .scratch = w->scratch,
	    .sock = &sock_system, .dns = w->dns, .slots = &dispatch_slots,
	    .slots_arg = w, .idle = dispatch_idle, .tls = on_tls,
	    .learned = on_learned, .in_clear = on_in_clear,
	    .splits = on_splits, .arg = w};

	w->client = client_new(&c);
}

struct worker *worker_new(struct app *a, int index, struct error *err)
{
	struct worker *w = NEW(struct worker);

	w->app = a;
	w->index = index;
	w->live = live_ref(a->live);
	w->loop = loop_new(a->clock);
	mailbox_init(&w->box);
	mailbox_attach(&w->box, w->loop, on_letter, w);
	w->scratch = stream_scratch_new();
	w->lookup = arena_new();
	dispatch_init(w);
	w->dns = dns_new(w->loop, w->live->conf, err);
	if (w->dns == NULL) {
		worker_free(w);
		return NULL;
	}
	make_client(w);
	make_server(w);
	w->refusals = refusals_new(w->loop, a->clock, a->spool);
	w->ask = asker_new(w);
	return w;
}

static void *worker_thread(void *arg)
{
	struct worker *w = arg;

	loop_run(w->loop);
	return NULL;
}

int worker_run(struct worker *w, struct error *err)
{
	int no = pthread_create(&w->thread, NULL, worker_thread, w);

	if (no != 0)
		return error_sys(err, no, "starting worker %d", w->index);
	w->running = true;
	return 0;
}

void worker_join(struct worker *w)
{
	if (w == NULL || !w->running)
		return;
	loop_stop(w->loop);
	pthread_join(w->thread, NULL);
	w->running = false;
}

/* What letters defer is due in the second turn. */
void worker_turn(struct worker *w)
{
	if (w == NULL)
		return;
	loop_once(w->loop, 0);
	loop_once(w->loop, 0);
}

void worker_end(struct worker *w)
{
	if (w == NULL)
		return;
	worker_turn(w);
	server_free(w->server);
	client_free(w->client);
	w->server = NULL;
	w->client = NULL;
	dispatch_stop(w);
	refusals_free(w->refusals);
	w->refusals = NULL;
	asker_free(w->ask);
	w->ask = NULL;
}

void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	timer_fini(&w->handover);
	dns_free(w->dns);
	table_close(w->table);
	arena_free(w->lookup);
	mailbox_fini(&w->box);
	stream_scratch_free(w->scratch);
	for (int i = 0; i < LIVES_MAX - 1; i++)
		live_unref(w->old[i]);
	live_unref(w->live);
	loop_free(w->loop);
	mem_free(w);
}

/* ---- a new snapshot ---- */

struct take_live {
	struct worker *w;
	struct live *live;
};

/* What is known of names stays known over a reload that changes nothing here.
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

static void on_live(void *arg)
{
	struct take_live *t = arg;
	struct worker *w = t->w;
	struct error err;

	live_unref(w->old[LIVES_MAX - 2]);
	for (int i = LIVES_MAX - 2; i > 0; i--)
		w->old[i] = w->old[i - 1];
	w->old[0] = w->live;
	w->live = t->live;
	if (!same_resolver(w->old[0]->conf, w->live->conf) &&
	    dns_configure(w->dns, w->live->conf, &err) < 0)
		log_error("resolver.rejected", kv_err(&err));
	client_reload(w->client);
	mem_free(t);
}

void worker_configure(struct worker *w, struct live *l)
{
	struct take_live *t = NEW(struct take_live);

	t->w = w;
	t->live = live_ref(l);
	call_post(&w->box, W_CALL, on_live, t);
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
	worker_count_dialogs(w);
	atomic_store(&w->drained, true);
}

void worker_drain(struct worker *w)
{
	call_post(&w->box, W_CALL, on_drain, w);
}

bool worker_quiet(const struct worker *w)
{
	return atomic_load(&w->drained) && atomic_load(&w->sessions) == 0 &&
	       atomic_load(&w->dialogs) == 0;
}

/* Asked for by another thread. */
struct asked {
	struct worker *w;
	int leg;
};

static void ask(struct worker *w, int leg, void (*fn)(void *arg))
{
	struct asked *a = NEW(struct asked);

	*a = (struct asked){w, leg};
	call_post(&w->box, W_CALL, fn, a);
}

static void on_yield(void *arg)
{
	struct asked *a = arg;
	unsigned n = atomic_exchange(&a->w->yield[a->leg], 0);

	client_yield(a->w->client, a->leg, n);
	mem_free(a);
}

void worker_yield(struct worker *w, int leg)
{
	if (atomic_fetch_add(&w->yield[leg], 1) == 0)
		ask(w, leg, on_yield);
}

static void on_offer(void *arg)
{
	struct asked *a = arg;

	if (client_has_idle(a->w->client, a->leg))
		dispatch_idle(a->w, a->leg);
	mem_free(a);
}

void worker_offer(struct worker *w, int leg)
{
	ask(w, leg, on_offer);
}
