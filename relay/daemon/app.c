/* SPDX-License-Identifier: ISC
 *
 * Build and tear down, in one visible order each.
 */
#include "relay/daemon/app.h"

#include <sys/resource.h>
#include <unistd.h>

#include "relay/audit/known.h"
#include "relay/audit/lookup.h"
#include "relay/audit/projector.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/watch/certificates.h"
#include "relay/delivery/ask_cache.h"
#include "relay/watch/loophint.h"
#include "relay/watch/alarm.h"
#include "relay/control/control.h"
#include "relay/settle/downtime.h"
#include "relay/cutover/table_follow.h"
#include "relay/cutover/removal.h"
#include "relay/watch/oldtls.h"
#include "relay/daemon/recovery.h"
#include "relay/daemon/places.h"
#include "relay/intake/refusals.h"
#include "relay/daemon/sandbox.h"
#include "relay/settle/queue_thread.h"
#include "relay/watch/conditions.h"
#include "relay/intake/token.h"
#include "relay/daemon/worker.h"

enum {
	A_CALL = 1,
	DESCRIPTORS_RESERVED = 256,
	STOP_LOOK_MS = 20,
	ASKED_MAX = 128 << 10, /* recipients; 5 MiB */
	HINTS_MAX = 32 << 10,  /* messages, and deliveries of them; 1.5 MiB */
};

/* ---- calls to another thread ---- */

void call_post(struct mailbox *to, int kind, void (*fn)(void *arg), void *arg)
{
	struct call *c = NEW(struct call);

	c->letter.kind = kind;
	c->fn = fn;
	c->arg = arg;
	mailbox_post(to, &c->letter);
}

static void on_accept_letter(void *arg, struct letter *l)
{
	struct call *c = (struct call *)l;

	(void)arg;
	c->fn(c->arg);
	mem_free(c);
}

/* A call on the acceptor's thread that is waited for. */
struct accept_call {
	struct app *app;
	struct conf *conf; /* NULL: stop listening */
	struct error *err;
	int status;
	struct letter done;
};

static void do_accept_call(void *arg)
{
	struct accept_call *c = arg;

	if (c->conf == NULL)
		acceptor_stop(c->app->acceptor);
	else
		c->status = acceptor_listen(c->app->acceptor, c->conf, c->err);
	mailbox_post(&c->app->accept_back, &c->done);
}

/* The box of the answer outlives the call: it may still be rung when the
 * letter was taken already. */
static int accept_call(struct app *a, struct conf *conf, struct error *err)
{
	struct accept_call c = {.app = a, .conf = conf, .err = err};

	call_post(&a->accept_box, A_CALL, do_accept_call, &c);
	while (mailbox_take(&a->accept_back) == NULL)
		mailbox_wait(&a->accept_back, -1);
	return c.status;
}

static void *accept_thread(void *arg)
{
	struct app *a = arg;

	loop_run(a->accept_loop);
	return NULL;
}

/* ---- start ---- */

static int check_descriptors(const struct app *a, struct error *err)
{
	const struct conf *c = a->live->conf;
	struct rlimit lim;
	long legs = 0, need;

	for (int i = 0; i < c->legs; i++)
		legs += c->leg[i].connections;
	need = c->limits.connections + legs + 4L * a->workers +
	       DESCRIPTORS_RESERVED;
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return 0;
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) == 0 &&
	    (lim.rlim_max == RLIM_INFINITY || (rlim_t)need <= lim.rlim_max))
		return 0;
	return error_set(err, "too few file descriptors: limits.connections "
	    "%d + connections of the legs %ld + 4 * %d workers + %d make %ld, "
	    "but the limit is %ld; raise LimitNOFILE or lower them",
	    c->limits.connections, legs, a->workers, DESCRIPTORS_RESERVED,
	    need, (long)lim.rlim_max);
}

static int open_spool(struct app *a, struct error *err)
{
	const struct conf *c = a->live->conf;

	a->recovery = recovery_new(a);
	if (recovery_open(a->recovery, err) < 0)
		return -1;
	downtime_restore(a);
	a->projector = projector_open(c, a->spool, a->names, a->clock, err);
	return a->projector == NULL ? -1 : 0;
}

static void on_turned_away(void *arg, const struct netaddr *peer,
    const struct conf_listen *listen, const char *reason)
{
	struct app *a = arg;
	struct reply r;

	reply_set(&r, 421, "4.3.2", "%s", reason);
	refusals_add(a->turned_away, &(struct refusal){.client = peer,
	    .listen = listen->name, .stage = "connect", .reply = &r});
}

static int make_workers(struct app *a, struct error *err)
{
	a->accept_loop = loop_new(a->clock);
	mailbox_init(&a->accept_box);
	mailbox_init(&a->accept_back);
	mailbox_attach(&a->accept_box, a->accept_loop, on_accept_letter, a);
	a->acceptor = acceptor_new(a->accept_loop);
	a->turned_away = refusals_new(a->accept_loop, a->clock, a->spool);
	acceptor_on_refused(a->acceptor, on_turned_away, a);
	a->worker = NEW_ARRAY(struct worker *, a->workers);
	for (int i = 0; i < a->workers; i++) {
		a->worker[i] = worker_new(a, i, err);
		if (a->worker[i] == NULL)
			return -1;
		acceptor_worker(a->acceptor, &a->worker[i]->box, W_ACCEPTED);
	}
	return acceptor_listen(a->acceptor, a->live->conf, err);
}

static int run_threads(struct app *a, struct error *err)
{
	int no;

	if (spool_run(a->spool, err) < 0 || settle_run(a->settle, err) < 0 ||
	    projector_run(a->projector, err) < 0 ||
	    follow_run(a->follow, err) < 0)
		return -1;
	for (int i = 0; i < a->workers; i++)
		if (worker_run(a->worker[i], err) < 0)
			return -1;
	no = pthread_create(&a->accept_thread, NULL, accept_thread, a);
	if (no != 0)
		return error_sys(err, no, "starting the acceptor");
	a->accepting = true;
	return 0;
}

static void log_listeners(const struct app *a)
{
	const struct conf *c = a->live->conf;
	struct netaddr at;
	char text[NETADDR_TEXT];

	for (int i = 0; i < c->listens; i++)
		for (int k = 0; k < c->listen[i].addresses; k++)
			if (acceptor_address(a->acceptor, i, k, &at)) {
				netaddr_text(&at, text);
				log_info("listen",
				    kv_str("name", c->listen[i].name),
				    kv_str("address", text));
			}
}

/* Who may write there decides what becomes of mail. */
static int check_private(const struct conf *c, struct error *err)
{
	struct place_open o;

	if (!place_open_to_all(c, &o))
		return 0;
	return error_set(err, "%s.%s: everybody on this machine can write %s; "
	    "chmod o-w %s", o.section, o.key, o.path, o.path);
}

static int build(struct app *a, struct error *err)
{
	const struct conf *c = a->live->conf;

	a->table_path = mem_strdup(c->table.path);
	a->started_us = clock_wall_us(a->clock);
	a->workers = c->workers > 0 ? c->workers
				    : (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (check_descriptors(a, err) < 0 || check_private(c, err) < 0 ||
	    gone_from_table(c, err) < 0 || token_open(a, c, err) < 0)
		return -1;
	a->alarms = alarms_new(c, a->spawner);
	sandbox_prepare(c);
	id_maker_init(&a->ids, a->clock, (unsigned)c->node);
	a->ledger = ledger_new();
	ledger_configure(a->ledger, c);
	a->asked = askcache_new(ASKED_MAX, a->clock);
	a->hints = loophints_new(HINTS_MAX, a->clock);
	a->oldtls = oldtls_new();
	a->settle = settle_new(a);
	if (open_spool(a, err) < 0)
		return -1;
	a->follow = follow_new(a, settle_oldest_change(a->settle), err);
	if (a->follow == NULL || make_workers(a, err) < 0)
		return -1;
	a->watch = watch_new(a);
	a->control = control_open(a, err);
	return a->control == NULL ? -1 : 0;
}

int app_start(struct app *a, struct live *live, struct error *err)
{
	a->live = live;
	if (build(a, err) == 0) {
		log_listeners(a);
		sandbox_enter(live->conf);
		recovery_tell(a->recovery);
		if (run_threads(a, err) == 0) {
			a->certificates = certificates_new(a);
			return 0;
		}
	}
	app_stop(a);
	return -1;
}

/* ---- reload ---- */

static bool hop_differs(const struct conf_leg *a, const struct conf_leg *b)
{
	if (b == NULL || a->hosts != b->hosts || strcmp(a->mx, b->mx) != 0)
		return true;
	for (int i = 0; i < a->hosts; i++)
		if (a->host[i].port != b->host[i].port ||
		    strcmp(a->host[i].host, b->host[i].host) != 0)
			return true;
	return false;
}

/* Is a leg another server by now? Then what it said is of no use. */
static bool hops_differ(const struct conf *old, const struct conf *fresh)
{
	for (int i = 0; i < old->legs; i++)
		if (hop_differs(&old->leg[i],
			conf_leg_by_id(fresh, old->leg[i].id)))
			return true;
	return false;
}

int app_reconfigure(struct app *a, struct live *live, struct error *err)
{
	struct live *old = a->live;

	if (gone_from_table(live->conf, err) < 0 ||
	    gone_from_spool(old->conf, live->conf, a->spool, err) < 0 ||
	    token_open(a, live->conf, err) < 0) {
		live_unref(live);
		return -1;
	}
	/* Workers know it before a connection can come with it. */
	for (int i = 0; i < a->workers; i++)
		worker_configure(a->worker[i], live);
	if (accept_call(a, live->conf, err) < 0) {
		for (int i = 0; i < a->workers; i++)
			worker_configure(a->worker[i], old);
		live_unref(live);
		return -1;
	}
	ledger_configure(a->ledger, live->conf);
	alarms_configure(a->alarms, live->conf);
	spool_memory_set(a->spool, live->conf->limits.body_memory_bytes,
	    live->conf->limits.memory_window_bytes);
	learned_forget(&a->learned);
	if (hops_differ(old->conf, live->conf))
		askcache_clear(a->asked);
	control_configure(a->control, live);
	follow_configure(a->follow, live);
	projector_keep(a->projector, live->conf->audit.keep_ms);
	known_keep(projector_known(a->projector), live->conf->retry.known_ms);
	a->live = live;
	certificates_configure(a->certificates, live->conf);
	live_unref(old);
	return 0;
}

void app_yield(struct app *a, int leg, int worker)
{
	for (int i = 0; i < a->workers; i++)
		if (i != worker)
			worker_yield(a->worker[i], leg);
}

void app_offer(struct app *a, int leg)
{
	for (int i = 0; i < a->workers; i++)
		worker_offer(a->worker[i], leg);
}

/* ---- stop ---- */

static bool all_quiet(const struct app *a)
{
	for (int i = 0; i < a->workers; i++)
		if (!worker_quiet(a->worker[i]))
			return false;
	return true;
}

/* Nothing new is begun; what is under way may end by itself. */
static void wind_down(struct app *a)
{
	int64_t end = clock_mono_ms(a->clock) + a->live->conf->stop_after_ms;

	accept_call(a, NULL, NULL);
	for (int i = 0; i < names_count(a->names); i++)
		ledger_gate(a->ledger, i, GATE_STOP, true);
	for (int i = 0; i < a->workers; i++)
		worker_drain(a->worker[i]);
	while (!all_quiet(a) && clock_mono_ms(a->clock) < end)
		loop_once(a->ops, STOP_LOOK_MS);
}

/* All but the spool's and the projector's: only they are waited for below. */
static void join_threads(struct app *a)
{
	if (a->accepting) {
		loop_stop(a->accept_loop);
		pthread_join(a->accept_thread, NULL);
	}
	for (int i = 0; i < a->workers && a->worker != NULL; i++)
		worker_join(a->worker[i]);
	follow_stop(a->follow);
	settle_stop(a->settle);
}

/* From here on this thread does what the others did. Who still has something
 * under way gives it up, and tells the queue, which tells the journal; then
 * the journal's answers are taken, because each is somebody's memory. */
static void end_work(struct app *a)
{
	for (int i = 0; i < a->workers && a->worker != NULL; i++)
		worker_end(a->worker[i]);
	refusals_free(a->turned_away);
	a->turned_away = NULL;
	/* Its thread is there as long as the workers were. */
	while (a->projector != NULL && !projector_quiet(a->projector))
		loop_once(a->ops, STOP_LOOK_MS);
	settle_drain(a->settle);
	control_end(a->control);
	if (a->spool != NULL)
		spool_stop(a->spool);
	for (int i = 0; i < a->workers && a->worker != NULL; i++)
		worker_turn(a->worker[i]);
	settle_drain(a->settle);
}

static void free_acceptor(struct app *a)
{
	acceptor_free(a->acceptor);
	if (a->accept_loop == NULL)
		return;
	mailbox_fini(&a->accept_box);
	mailbox_fini(&a->accept_back);
	loop_free(a->accept_loop);
}

static void free_all(struct app *a)
{
	certificates_free(a->certificates);
	control_free(a->control);
	for (int i = 0; i < a->workers && a->worker != NULL; i++)
		worker_free(a->worker[i]);
	mem_free(a->worker);
	if (a->projector != NULL)
		projector_stop(a->projector);
	spool_close(a->spool); /* rings the projector's bell a last time */
	projector_close(a->projector);
	follow_free(a->follow);
	settle_free(a->settle);
	free_acceptor(a);
	ledger_free(a->ledger);
	watch_free(a->watch);
	recovery_free(a->recovery);
	alarms_free(a->alarms);
	askcache_free(a->asked);
	loophints_free(a->hints);
	oldtls_free(a->oldtls);
	mem_free(a->table_path);
	token_close(a);
	live_unref(a->live);
}

/* Also of a start that failed half way: what is not there is passed over. */
void app_stop(struct app *a)
{
	atomic_store(&a->stopping, true);
	watch_stop(a->watch);
	if (a->accepting)
		wind_down(a);
	join_threads(a);
	end_work(a);
	free_all(a);
}
