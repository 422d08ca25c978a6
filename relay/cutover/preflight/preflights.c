/* SPDX-License-Identifier: ISC
 *
 * The thread that has legs asked, and its commands.
 */
#include "relay/cutover/preflight/preflights_int.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/base/thread.h"
#include "relay/post/call.h"

enum {
	BUSY_MS = 500, IDLE_MS = 10000, TROUBLE_MS = 10000,
	KEEP_DAYS = 62,
};

int64_t preflights_wall_us(const struct preflights *p)
{
	return clock_wall_us(p->shared->clock);
}

int64_t preflights_mono_ms(const struct preflights *p)
{
	return clock_mono_ms(p->shared->clock);
}

bool preflights_db(struct preflights *p, struct error *err)
{
	if (p->o == NULL)
		p->o = observed_open(p->dir, preflights_wall_us(p), err);
	return p->o != NULL;
}

void preflights_trouble(struct preflights *p, const struct error *err)
{
	log_warn("preflight.trouble", kv_err(err), kv_str("effect",
	    "no leg is asked meanwhile; it is tried again"));
	p->trouble_ms = preflights_mono_ms(p) + TROUBLE_MS;
}

static void close_db(struct preflights *p)
{
	observed_close(p->o);
	p->o = NULL;
}

/* ---- commands ------------------------------------------------------------ */

void preflights_ask(struct preflights *p, void (*fn)(void *arg), void *arg)
{
	call_post(&p->box, 0, fn, arg);
}

static int see(struct preflights *p, int64_t number,
    struct preflight_seen *out, struct error *err)
{
	const struct asking_which which = {.number = number};
	struct arena *a = arena_new();
	struct asking at;
	int rc = asking_get(p->o, &which, a, &at, err);

	*out = (struct preflight_seen){.number = number};
	if (rc == 0)
		rc = error_set(err, "observed.db has no asking %lld any more",
		    (long long)number);
	if (rc > 0) {
		out->ended = at.ended_us > 0;
		out->stop = at.stop;
		snprintf(out->reason, sizeof(out->reason), "%s", at.reason);
		rc = asking_count(p->o, number, &out->counts, err);
	}
	arena_free(a);
	return rc < 0 ? -1 : 0;
}

static int64_t find_running(struct preflights *p,
    const struct preflight_order *o, struct error *err)
{
	const struct asking_which which = {.kind = o->kind, .about = o->wave};
	struct arena *a = arena_new();
	int64_t number = 0;
	struct asking at;
	int rc = 0;

	if (o->kind == ASKING_WAVE)
		rc = asking_get(p->o, &which, a, &at, err);
	if (rc > 0 && at.ended_us == 0)
		number = at.number;
	if (number > 0 && o->route != NULL && strcmp(o->route, at.route) != 0)
		number = error_set(err, "wave %s is being asked about for the "
		    "route %s; wait for its end", o->wave, at.route);
	arena_free(a);
	return rc < 0 ? -1 : number;
}

int preflights_order(struct preflights *p, const struct preflight_order *o,
    struct preflight_seen *out, struct error *err)
{
	int64_t number;

	if (!preflights_db(p, err))
		return -1;
	number = find_running(p, o, err);
	if (number == 0)
		number = preflight_rows(p, o, err);
	p->look = true;
	p->trouble_ms = 0;
	return number < 0 ? -1 : see(p, number, out, err);
}

int preflights_look(struct preflights *p, int64_t number,
    struct preflight_seen *out, struct error *err)
{
	return preflights_db(p, err) ? see(p, number, out, err) : -1;
}

/* ---- steps --------------------------------------------------------------- */

static void take_snapshot(struct preflights *p)
{
	struct conf_snapshot *s = atomic_exchange(&p->next_snapshot, NULL);

	if (s == NULL)
		return;
	snapshot_unref(p->snapshot);
	p->snapshot = s;
}

static void take_letters(struct preflights *p)
{
	struct letter *l = mailbox_take(&p->box);

	while (l != NULL) {
		struct letter *next = l->next;

		call_run(l);
		l = next;
	}
}

static bool has_job(const struct preflights *p, int64_t number)
{
	const struct preflight_job *j = p->job;

	while (j != NULL && j->asking.number != number)
		j = j->next;
	return j != NULL;
}

/* Those that a command or an earlier run of the daemon left in the file. */
static int take_jobs(struct preflights *p, struct error *err)
{
	struct preflight_job **end = &p->job;
	struct asking at = {.number = 0};
	int rc;

	while (*end != NULL)
		end = &(*end)->next;
	for (;;) {
		struct arena *a = arena_new();

		rc = asking_next(p->o, at.number, a, &at, err);
		if (rc <= 0 || has_job(p, at.number)) {
			arena_free(a);
			if (rc <= 0)
				return rc;
			continue;
		}
		*end = preflight_job_new(a, &at);
		end = &(*end)->next;
	}
}

static void drop_over(struct preflights *p)
{
	struct preflight_job **at = &p->job;

	while (*at != NULL) {
		struct preflight_job *j = *at;

		if (!j->over || j->flights > 0) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		preflight_job_free(j);
	}
}

static int work(struct preflights *p, struct error *err)
{
	preflight_shadow_step(p);
	if (!p->look && p->job == NULL)
		return 0;
	if (!preflights_db(p, err))
		return -1;
	if (p->look && take_jobs(p, err) < 0)
		return -1;
	p->look = false;
	for (struct preflight_job *j = p->job; j != NULL; j = j->next)
		if (!j->over && preflight_job_step(p, j, err) < 0)
			return -1;
	return 0;
}

/* Once an hour. */
static int prune(struct preflights *p, struct error *err)
{
	int64_t now_ms = preflights_mono_ms(p);
	int rc;

	if (now_ms < p->prune_ms)
		return 0;
	p->prune_ms = now_ms + HOUR_MS;
	if (!preflights_db(p, err) ||
	    observed_do(p->o, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	rc = asked_prune(p->o, preflights_wall_us(p) - KEEP_DAYS * DAY_US,
	    err);
	return observed_do(p->o, rc < 0 ? "ROLLBACK" : "COMMIT", err) < 0
		   ? -1 : rc;
}

/* Waves are looked at every ten seconds. A table that cannot be read is the
 * table thread's to report, and one that is not there has no waves. */
static void schedule(struct preflights *p)
{
	int64_t now_ms = preflights_mono_ms(p);
	struct error err;

	if (now_ms < p->schedule_ms ||
	    access(p->shared->table_path, F_OK) != 0)
		return;
	p->schedule_ms = now_ms + IDLE_MS;
	if (preflight_schedule(p, &err) < 0)
		log_warn("preflight.schedule", kv_err(&err));
}

int preflights_step(struct preflights *p)
{
	struct error err;

	take_snapshot(p);
	take_letters(p);
	if (preflights_mono_ms(p) >= p->trouble_ms) {
		schedule(p);
		if (work(p, &err) < 0 || prune(p, &err) < 0)
			preflights_trouble(p, &err);
	}
	drop_over(p);
	close_db(p);
	return p->job != NULL || p->look || preflight_shadow_busy(p)
		   ? BUSY_MS : IDLE_MS;
}

/* ---- the thread ---------------------------------------------------------- */

struct preflights *preflights_new(const struct preflights_config *c)
{
	struct preflights *p = NEW(struct preflights);

	p->cfg = *c;
	p->shared = c->shared;
	p->snapshot = snapshot_ref(c->snapshot);
	p->dir = mem_strdup(c->snapshot->conf->audit.path);
	p->look = true;
	p->prune_ms = preflights_mono_ms(p) + HOUR_MS;
	mailbox_init(&p->box);
	return p;
}

static void *thread_main(void *arg)
{
	struct preflights *p = arg;

	thread_name("ph-preflight");
	while (!atomic_load(&p->stop))
		mailbox_wait(&p->box, preflights_step(p));
	return NULL;
}

int preflights_run(struct preflights *p, struct error *err)
{
	int no = pthread_create(&p->thread, NULL, thread_main, p);

	if (no != 0)
		return error_sys(err, no, "starting the preflight thread");
	p->running = true;
	return 0;
}

void preflights_configure(struct preflights *p, struct conf_snapshot *s)
{
	snapshot_unref(atomic_exchange(&p->next_snapshot, snapshot_ref(s)));
}

void preflights_stop(struct preflights *p)
{
	if (p == NULL)
		return;
	atomic_store(&p->stop, true);
	mailbox_wake(&p->box);
	if (p->running)
		pthread_join(p->thread, NULL);
	p->running = false;
	p->ended = true;
}

void preflights_drain(struct preflights *p)
{
	if (p == NULL)
		return;
	take_letters(p);
	close_db(p);
}

void preflights_free(struct preflights *p)
{
	if (p == NULL)
		return;
	preflights_drain(p);
	while (p->job != NULL) {
		struct preflight_job *j = p->job;

		p->job = j->next;
		preflight_job_free(j);
	}
	preflight_shadow_free(p);
	snapshot_unref(atomic_exchange(&p->next_snapshot, NULL));
	snapshot_unref(p->snapshot);
	mailbox_fini(&p->box);
	mem_free(p->dir);
	mem_free(p);
}
