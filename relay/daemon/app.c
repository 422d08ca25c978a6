/* SPDX-License-Identifier: ISC
 *
 * Build and tear down, in one visible order each.
 */
#include "relay/daemon/app.h"

#include <unistd.h>

#include "relay/audit/delivered/last_delivery.h"
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
#include "relay/cutover/watermark/watermarks.h"
#include "relay/cutover/preflight/preflights.h"
#include "relay/cutover/replay/replay.h"
#include "relay/watch/from_legs.h"
#include "relay/watch/oldtls.h"
#include "relay/daemon/descriptors.h"
#include "relay/daemon/recovery.h"
#include "relay/daemon/places.h"
#include "relay/intake/rate_table.h"
#include "relay/intake/refusals.h"
#include "relay/daemon/sandbox.h"
#include "relay/settle/queue_thread.h"
#include "relay/watch/conditions.h"
#include "relay/intake/token.h"
#include "relay/login/logins.h"
#include "relay/observed/observed.h"
#include "relay/daemon/worker_thread.h"
#include "relay/delivery/alarm_mail.h"
#include "relay/post/call.h"
#include "relay/post/workers.h"
#include "relay/spawn/spawner.h"
#include "relay/spf/shared_verdicts.h"
#include "relay/spf/spf_blame.h"

enum {
	STOP_LOOK_MS = 20,
	PROJECTOR_MS = 1000, /* that it has at least, to end */
	ASKED_MAX = 128 << 10, /* recipients; 5 MiB */
	VERDICTS_BYTES = 32 << 20, /* of SPF, of all workers */
	HINTS_MAX = 32 << 10,  /* messages, and deliveries of them; 1.5 MiB */
};

/* ---- start ---- */

static int open_spool(struct app *a, struct error *err)
{
	const struct conf *c = a->snapshot->conf;

	a->recovery = recovery_new(&a->shared, a->queue_thread, a->alarms);
	if (recovery_open(a->recovery, c, err) < 0)
		return -1;
	downtime_restore(&a->shared, queue_thread_queue(a->queue_thread), c);
	a->projector = projector_open(c, a->shared.spool, a->shared.names,
	    a->shared.clock, err);
	recovery_era(a->recovery, a->projector);
	return a->projector == NULL ? -1 : 0;
}

static void on_turned_away(void *arg, const struct netaddr *peer,
    const struct conf_listen *listen, const char *reason)
{
	struct app *a = arg;
	struct reply r;

	reply_set(&r, 421, "4.3.2", "%s", reason);
	refusals_add(a->turned_away, &(struct refusal){.client = peer,
	    .listen = listen->name, .stage = STAGE_CONNECT, .reply = &r});
}

static struct worker_thread *make_worker(struct app *a, int index,
    struct error *err)
{
	struct worker_config c = {.shared = &a->shared, .index = index,
	    .snapshot = a->snapshot, .alarms = a->alarms,
	    .projector = a->projector, .acceptor = a->accept.acceptor,
	    .asked = a->asked, .offers = &a->offers,
	    .spf_starter = spawner_has(a->spawner, SPAWN_SPF)
			       ? &a->spf_starter : NULL,
	    .spf_blame = a->spf_blame, .verdicts = a->verdicts,
	    .intake = {.hints = a->hints, .offers = &a->offers,
		.oldtls = a->oldtls, .tokens = a->tokens,
		.logins = a->logins, .rate = a->rate,
		.srs_forged = a->srs_forged, .srs_mail = a->srs_mail,
		.from_legs = a->from_legs}};

	return worker_thread_new(&c, err);
}

static int make_workers(struct app *a, struct error *err)
{
	accept_thread_init(&a->accept, a->shared.clock);
	a->turned_away = refusals_new(a->accept.loop, a->shared.clock,
	    a->shared.spool);
	acceptor_on_refused(a->accept.acceptor, on_turned_away, a);
	a->worker = NEW_ARRAY(struct worker_thread *, (size_t)a->workers);
	a->view = NEW_ARRAY(struct worker *, (size_t)a->workers);
	for (int i = 0; i < a->workers; i++) {
		a->worker[i] = make_worker(a, i, err);
		if (a->worker[i] == NULL)
			return -1;
		a->view[i] = worker_thread_view(a->worker[i]);
		a->shared.workers->door[i].box = &a->view[i]->box;
		acceptor_worker(a->accept.acceptor, &a->view[i]->box,
		    W_ACCEPTED);
	}
	return acceptor_listen(a->accept.acceptor, a->snapshot->conf, err);
}

static int run_threads(struct app *a, struct error *err)
{
	if (spool_run(a->shared.spool, err) < 0 ||
	    queue_thread_run(a->queue_thread, err) < 0 ||
	    projector_run(a->projector, err) < 0 ||
	    table_follow_run(a->follow, err) < 0 ||
	    watermarks_run(a->watermarks, err) < 0 ||
	    replay_run(a->replay, err) < 0 ||
	    cutover_threads_run(&a->cutover, err) < 0)
		return -1;
	for (int i = 0; i < a->workers; i++)
		if (worker_thread_run(a->worker[i], err) < 0)
			return -1;
	return accept_thread_start(&a->accept, err);
}

/* On any thread. */
static void mail_alarm(void *arg, const struct alarm_told *told)
{
	const struct app *a = arg;

	if (a->view != NULL && a->view[0] != NULL)
		alarm_mail_post(a->view[0], told);
}

static const struct conf_snapshot *snapshot_now(void *arg)
{
	const struct app *a = arg;

	return a->snapshot;
}

/* Makes the handles that threads share and that need no journal. */
static void make_shared(struct app *a, const struct conf *c)
{
	struct alarm_config ac = {.shared = &a->shared, .conf = c,
	    .exec = a->spawner, .mail = mail_alarm, .arg = a};
	struct queue_thread_config qc;

	a->alarms = alarms_new(&ac);
	id_maker_init(&a->shared.ids, a->shared.clock, (unsigned)c->node);
	a->shared.ledger = ledger_new();
	ledger_configure(a->shared.ledger, c);
	a->shared.workers = workers_new(a->workers);
	a->asked = ask_cache_new(ASKED_MAX, a->shared.clock);
	a->hints = loophints_new(HINTS_MAX, a->shared.clock);
	a->oldtls = oldtls_new();
	a->from_legs = from_legs_new();
	a->spf_starter = spf_starter_spawn(a->spawner);
	a->spf_blame = spf_blame_new(a->shared.clock);
	a->verdicts = shared_verdicts_new(VERDICTS_BYTES);
	a->logins = logins_new(a->shared.clock, a->shared.rng);
	a->rate = rate_table_new(HOUR_MS);
	a->srs_forged = rate_table_new(MINUTE_MS);
	a->srs_mail = rate_table_new(HOUR_MS);
	qc = (struct queue_thread_config){.shared = &a->shared,
	    .conf = a->snapshot->conf, .alarms = a->alarms,
	    .hints = a->hints};
	a->queue_thread = queue_thread_new(&qc);
}

static int make_control(struct app *a, struct error *err)
{
	const struct control_config c = {.ops = a->ops, .shared = &a->shared,
	    .snapshot = a->snapshot, .queue_thread = a->queue_thread,
	    .follow = a->follow, .watermarks = a->watermarks,
	    .waves = a->cutover.waves, .observer = a->cutover.observer,
	    .preflights = a->cutover.preflights,
	    .propagation = a->cutover.propagation,
	    .asked = a->asked,
	    .replay = a->replay,
	    .projector = a->projector, .worker = a->view,
	    .acceptor = a->accept.acceptor, .oldtls = a->oldtls,
	    .certificates = a->certificates, .started_us = a->started_us,
	    .degraded = recovery_degraded(a->recovery),
	    .missing = recovery_missing(a->recovery)};

	a->control = control_open(&c, err);
	return a->control == NULL ? -1 : 0;
}

static void make_watch(struct app *a)
{
	struct conditions_config c = {.loop = a->ops, .shared = &a->shared,
	    .alarms = a->alarms, .projector = a->projector,
	    .queue = queue_thread_queue(a->queue_thread),
	    .snapshot = snapshot_now, .arg = a};

	a->conditions = conditions_new(&c);
	a->certificates = certificates_new(a->ops, a->shared.clock, a->alarms,
	    a->snapshot->conf);
}

static int build(struct app *a, struct error *err)
{
	const struct conf *c = a->snapshot->conf;

	a->table_path = mem_strdup(c->table.path);
	a->shared.table_path = a->table_path;
	a->audit_path = mem_strdup(c->audit.path);
	a->started_us = clock_wall_us(a->shared.clock);
	a->workers = c->workers > 0 ? c->workers
				    : (int)sysconf(_SC_NPROCESSORS_ONLN);
	a->tokens = tokens_new(a->shared.rng, a->table_path);
	a->descriptors = descriptors_limit();
	sandbox_prepare(c);
	if (descriptors_check(c, a->workers, a->descriptors, err) < 0 ||
	    place_check_private(c, err) < 0 ||
	    removal_check_table(c, err) < 0 ||
	    tokens_open(a->tokens, c, err) < 0)
		return -1;
	make_shared(a, c);
	if (open_spool(a, err) < 0)
		return -1;
	observed_prepare(c->audit.path, a->started_us);
	a->follow = table_follow_new(&a->shared, a->asked, a->snapshot,
	    queue_thread_oldest_change(a->queue_thread), err);
	a->replay = replay_new(&(struct replay_config){.shared = &a->shared,
	    .queue_thread = a->queue_thread, .snapshot = a->snapshot,
	    .last = projector_last(a->projector)});
	if (a->follow == NULL || make_workers(a, err) < 0)
		return -1;
	make_watch(a);
	cutover_threads_make(&a->cutover, &(struct cutover_config){&a->shared,
	    a->alarms, a->spawner, a->snapshot, a->from_legs, &a->offers,
	    a->view, a->audit_path});
	a->watermarks = watermarks_new(&(struct watermarks_config){
	    .shared = &a->shared, .projector = a->projector,
	    .queue_thread = a->queue_thread, .alarms = a->alarms,
	    .spawner = a->spawner, .snapshot = a->snapshot});
	return make_control(a, err);
}

int app_start(struct app *a, struct conf_snapshot *snapshot, struct error *err)
{
	a->snapshot = snapshot;
	if (build(a, err) == 0) {
		acceptor_log(a->accept.acceptor, snapshot->conf);
		sandbox_enter(snapshot->conf);
		recovery_tell(a->recovery, snapshot->conf);
		if (run_threads(a, err) == 0) {
			certificates_watch(a->certificates);
			return 0;
		}
	}
	app_stop(a);
	return -1;
}

/* ---- reload ---- */

static int may_run(struct app *a, const struct conf *c, struct error *err)
{
	if (descriptors_check(c, a->workers, a->descriptors, err) < 0 ||
	    removal_check_table(c, err) < 0 ||
	    removal_check_spool(a->snapshot->conf, c, a->shared.spool,
		err) < 0)
		return -1;
	return tokens_open(a->tokens, c, err);
}

static void configure_threads(struct app *a, struct conf_snapshot *snapshot)
{
	control_configure(a->control, snapshot);
	table_follow_configure(a->follow, snapshot);
	watermarks_configure(a->watermarks, snapshot);
	replay_configure(a->replay, snapshot);
	cutover_threads_configure(&a->cutover, snapshot);
}

int app_reconfigure(struct app *a, struct conf_snapshot *snapshot,
    struct error *err)
{
	struct conf_snapshot *old = a->snapshot;

	if (may_run(a, snapshot->conf, err) < 0) {
		snapshot_unref(snapshot);
		return -1;
	}
	/* Workers know it before a connection can come with it. */
	for (int i = 0; i < a->workers; i++)
		worker_thread_configure(a->worker[i], snapshot);
	if (accept_thread_call(&a->accept, snapshot->conf, err) < 0) {
		for (int i = 0; i < a->workers; i++)
			worker_thread_configure(a->worker[i], old);
		snapshot_unref(snapshot);
		return -1;
	}
	ledger_configure(a->shared.ledger, snapshot->conf);
	alarms_configure(a->alarms, snapshot->conf);
	spool_memory_set(a->shared.spool,
	    snapshot->conf->limits.body_memory_bytes,
	    snapshot->conf->limits.memory_window_bytes);
	spool_limits_set(a->shared.spool, snapshot->conf->spool.max_bytes,
	    snapshot->conf->spool.retain_ms * 1000);
	leg_offers_forget(&a->offers);
	if (conf_hops_differ(old->conf, snapshot->conf))
		ask_cache_clear(a->asked);
	configure_threads(a, snapshot);
	projector_keep(a->projector, snapshot->conf->audit.keep_ms);
	last_delivery_configure(projector_last(a->projector), snapshot->conf);
	a->snapshot = snapshot;
	certificates_configure(a->certificates, snapshot->conf);
	snapshot_unref(old);
	return 0;
}

/* ---- stop ---- */

static bool all_quiet(const struct app *a)
{
	for (int i = 0; i < a->workers; i++)
		if (!worker_thread_quiet(a->worker[i]))
			return false;
	return true;
}

/* Nothing new is begun; what is under way may end by itself. */
static void wind_down(struct app *a)
{
	accept_thread_call(&a->accept, NULL, NULL);
	for (int i = 0; i < names_count(a->shared.names); i++)
		ledger_gate(a->shared.ledger, i, GATE_STOP, true);
	for (int i = 0; i < a->workers; i++)
		worker_thread_drain(a->worker[i]);
	while (!all_quiet(a) && clock_mono_ms(a->shared.clock) <
	    a->stop_by_ms)
		loop_once(a->ops, STOP_LOOK_MS);
}

/* All but the spool's and the projector's: only they are waited for below. */
static void join_threads(struct app *a)
{
	accept_thread_stop(&a->accept);
	for (int i = 0; i < a->workers && a->worker != NULL; i++)
		worker_thread_join(a->worker[i]);
	logins_stop(a->logins);
	watermarks_stop(a->watermarks);
	replay_stop(a->replay);
	cutover_threads_stop(&a->cutover);
	table_follow_stop(a->follow);
	queue_thread_stop(a->queue_thread);
}

/* From here on this thread does what the others did. A worker that has
 * something under way gives it up and tells the queue, which tells the
 * journal; then the journal's answers are taken, because each holds memory. */
static void end_work(struct app *a)
{
	for (int i = 0; i < a->workers && a->worker != NULL; i++)
		worker_thread_end(a->worker[i]);
	refusals_free(a->turned_away);
	a->turned_away = NULL;
	/* Its thread is there as long as the workers were. */
	while (a->projector != NULL && !projector_quiet(a->projector))
		loop_once(a->ops, STOP_LOOK_MS);
	queue_thread_drain(a->queue_thread);
	control_end(a->control);
	if (a->shared.spool != NULL)
		spool_stop(a->shared.spool);
	for (int i = 0; i < a->workers && a->worker != NULL; i++)
		worker_thread_turn(a->worker[i]);
	queue_thread_drain(a->queue_thread);
}

/* After a start with a full journal it may be far behind. */
static void stop_projector(struct app *a)
{
	int64_t least = clock_mono_ms(a->shared.clock) + PROJECTOR_MS;

	if (a->projector != NULL)
		projector_stop(a->projector,
		    a->stop_by_ms > least ? a->stop_by_ms : least);
}

static void free_all(struct app *a)
{
	certificates_free(a->certificates);
	control_free(a->control);
	replay_free(a->replay);
	for (int i = 0; i < a->workers && a->worker != NULL; i++)
		worker_thread_free(a->worker[i]);
	mem_free(a->worker);
	preflights_free(a->cutover.preflights);
	mem_free(a->view);
	workers_free(a->shared.workers);
	stop_projector(a);
	/* Rings the projector's bell a last time. */
	watermarks_free(a->watermarks);
	spool_close(a->shared.spool);
	projector_close(a->projector);
	cutover_threads_free(&a->cutover);
	table_follow_free(a->follow);
	queue_thread_free(a->queue_thread);
	accept_thread_free(&a->accept);
	ledger_free(a->shared.ledger);
	conditions_free(a->conditions);
	recovery_free(a->recovery);
	alarms_free(a->alarms);
	ask_cache_free(a->asked);
	loophints_free(a->hints);
	oldtls_free(a->oldtls);
	from_legs_free(a->from_legs);
	spf_blame_free(a->spf_blame);
	shared_verdicts_free(a->verdicts);
	logins_free(a->logins);
	rate_table_free(a->rate);
	rate_table_free(a->srs_forged);
	rate_table_free(a->srs_mail);
	mem_free(a->table_path);
	mem_free(a->audit_path);
	tokens_free(a->tokens);
	snapshot_unref(a->snapshot);
}

/* Also of a start that failed half way: what is not there is passed over. */
void app_stop(struct app *a)
{
	atomic_store(&a->shared.stopping, true);
	conditions_stop(a->conditions);
	a->stop_by_ms = clock_mono_ms(a->shared.clock) +
	    a->snapshot->conf->stop_after_ms;
	if (a->accept.running)
		wind_down(a);
	join_threads(a);
	end_work(a);
	free_all(a);
}
