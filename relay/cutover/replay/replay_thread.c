/* SPDX-License-Identifier: ISC
 *
 * The thread of replays: takes orders, begins one replay after the other, and
 * goes on with those that a stop or a kill interrupted.
 */
#include "relay/cutover/replay/replay_int.h"

#include <stdio.h>

#include "policy/table.h"
#include "relay/base/log.h"
#include "relay/base/thread.h"
#include "relay/post/behind_mail.h"
#include "relay/post/call.h"

enum {
	IDLE_MS = 1000,
	RETRY_MS = 10000,
	ASIDE_MAX = 8, /* with more to queue: each has its list in memory */
};
static const char file_name[] = "/ledger.db";

int64_t replay_now_ms(const struct replay *r)
{
	return clock_mono_ms(r->c.shared->clock);
}

int64_t replay_now_us(const struct replay *r)
{
	return r->c.shared->clock->mono_us(r->c.shared->clock);
}

int64_t replay_wall_us(const struct replay *r)
{
	return clock_wall_us(r->c.shared->clock);
}

const char *replay_path(const struct replay *r)
{
	return r->path;
}

/* ---- steps ------------------------------------------------------------- */

static void take_letters(struct replay *r)
{
	struct letter *l, *next;
	struct spool_fetch *f;

	for (l = mailbox_take(&r->box); l != NULL; l = next) {
		next = l->next;
		if (l->kind == R_CALL) {
			call_run(l);
			continue;
		}
		if (l->kind == R_WRITTEN) {
			spool_op_free((struct spool_op *)l);
			r->telling--;
			continue;
		}
		f = CONTAINER_OF(l, struct spool_fetch, letter);
		r->fetching = false;
		if (r->ended)
			spool_fetch_free(f);
		else
			replay_job_fetched(r->fetch_job, f);
	}
}

static void take_snapshot(struct replay *r)
{
	struct conf_snapshot *l = atomic_exchange(&r->next_snapshot, NULL);

	if (l == NULL)
		return;
	snapshot_unref(r->snapshot);
	r->snapshot = l;
}

struct replay_job *replay_job_of(struct replay *r, int64_t number)
{
	struct replay_job *j = r->aside;

	if (r->job != NULL && r->job->row.number == number)
		return r->job;
	while (j != NULL && j->row.number != number)
		j = j->next;
	return j;
}

/* The next that has not ended. */
static void take_job(struct replay *r)
{
	struct arena *a = arena_new();
	struct replay_row row = {.number = 0};
	struct error err;
	int rc;

	do
		rc = replay_file_next(r->path, row.number, a, &row, &err);
	while (rc > 0 && replay_job_of(r, row.number) != NULL);

	if (rc < 0) {
		log_error("replay.file", kv_err(&err));
		r->retry_ms = replay_now_ms(r) + RETRY_MS;
	}
	r->look = rc != 0;
	if (rc > 0)
		r->job = replay_job_new(r, a, &row);
	else
		arena_free(a);
}

/* True: it is over, and freed. */
static bool step_job(struct replay *r, struct replay_job *j, int *wait)
{
	enum replay_state was = j->row.state;

	*wait = replay_job_step(j);
	if (!replay_job_over(j)) {
		if (j->row.state != was)
			replay_tell(r, &j->row);
		return false;
	}
	j->row.ended_us = replay_wall_us(r);
	replay_tell(r, &j->row);
	replay_made_put(j);
	replay_job_free(j);
	return true;
}

/* One that read a message goes behind the others. */
static struct replay_job **to_end(struct replay_job **at)
{
	struct replay_job *j = *at, **last = at;

	if (j->next == NULL)
		return &j->next;
	*at = j->next;
	while (*last != NULL)
		last = &(*last)->next;
	*last = j;
	j->next = NULL;
	return at;
}

static int step_aside(struct replay *r)
{
	struct replay_job **at = &r->aside, *next;
	int wait = IDLE_MS, one;
	bool fetching;
	unsigned n = 0;

	for (const struct replay_job *j = r->aside; j != NULL; j = j->next)
		n++;
	for (; n > 0; n--) {
		next = (*at)->next;
		fetching = r->fetching;
		if (step_job(r, *at, &one)) {
			*at = next;
			continue;
		}
		wait = one < wait ? one : wait;
		at = r->fetching && !fetching ? to_end(at) : &(*at)->next;
	}
	return wait;
}

/* A leg that is suspended, or mailboxes that had enough for now, are no reason
 * for the next one to wait. */
static void put_aside(struct replay *r)
{
	r->job->next = r->aside;
	r->aside = r->job;
	r->job = NULL;
	r->look = true;
}

static bool may_stand_aside(const struct replay *r)
{
	unsigned n = 0;

	if (!replay_job_waits(r->job))
		return false;
	for (const struct replay_job *j = r->aside; j != NULL; j = j->next)
		n += j->cand_at < j->cands;
	return r->job->cand_at == r->job->cands || n < ASIDE_MAX;
}

static int step_current(struct replay *r)
{
	int wait;

	if (r->job == NULL && r->look && replay_now_ms(r) >= r->retry_ms)
		take_job(r);
	if (r->job == NULL)
		return IDLE_MS;
	if (step_job(r, r->job, &wait)) {
		r->job = NULL;
		return 0;
	}
	if (may_stand_aside(r))
		put_aside(r);
	return wait;
}

int replay_step(struct replay *r)
{
	int wait = IDLE_MS, one;
	bool others_first = r->job_fetched;

	take_snapshot(r);
	take_letters(r);
	if (others_first)
		wait = step_aside(r);
	one = step_current(r);
	wait = one < wait ? one : wait;
	if (!others_first) {
		one = step_aside(r);
		wait = one < wait ? one : wait;
	}
	return wait;
}

/* ---- the thread -------------------------------------------------------- */

struct replay *replay_new(const struct replay_config *c)
{
	struct replay *r = NEW(struct replay);
	const char *dir = c->snapshot->conf->audit.path;
	size_t n = strlen(dir) + sizeof(file_name);

	r->c = *c;
	r->snapshot = snapshot_ref(c->snapshot);
	r->path = mem_new(n);
	snprintf(r->path, n, "%s%s", dir, file_name);
	mailbox_init(&r->box);
	r->look = true;
	return r;
}

void replay_configure(struct replay *r, struct conf_snapshot *l)
{
	snapshot_unref(atomic_exchange(&r->next_snapshot, snapshot_ref(l)));
}

static void *thread_main(void *arg)
{
	struct replay *r = arg;

	thread_name("ph-replay");
	thread_behind_mail(5);
	while (!atomic_load(&r->stop))
		mailbox_wait(&r->box, replay_step(r));
	return NULL;
}

int replay_run(struct replay *r, struct error *err)
{
	int no = pthread_create(&r->thread, NULL, thread_main, r);

	if (no != 0)
		return error_sys(err, no, "starting the thread of replays");
	r->running = true;
	return 0;
}

void replay_stop(struct replay *r)
{
	if (r == NULL)
		return;
	atomic_store(&r->stop, true);
	mailbox_wake(&r->box);
	if (r->running)
		pthread_join(r->thread, NULL);
	r->running = false;
	r->ended = true;
	if (r->job != NULL)
		replay_made_put(r->job);
	for (struct replay_job *j = r->aside; j != NULL; j = j->next)
		replay_made_put(j);
}

void replay_drain(struct replay *r)
{
	if (r != NULL)
		take_letters(r);
}

void replay_free(struct replay *r)
{
	struct replay_job *next;

	if (r == NULL)
		return;
	take_letters(r);
	replay_job_free(r->job);
	for (; r->aside != NULL; r->aside = next) {
		next = r->aside->next;
		replay_job_free(r->aside);
	}
	table_close(r->table);
	snapshot_unref(atomic_exchange(&r->next_snapshot, NULL));
	snapshot_unref(r->snapshot);
	mailbox_fini(&r->box);
	mem_free(r->path);
	mem_free(r);
}
