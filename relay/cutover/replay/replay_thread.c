/* SPDX-License-Identifier: ISC
 *
 * The thread of replays: takes orders, runs one replay after the other, and
 * goes on with one that a stop or a kill interrupted.
 */
#include "relay/cutover/replay/replay_int.h"

#include <stdio.h>

#include "policy/table.h"
#include "relay/audit/delivered/last_delivery.h"
#include "relay/base/log.h"
#include "relay/post/call.h"

enum { IDLE_MS = 1000, RETRY_MS = 10000 };
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

/* ---- orders ------------------------------------------------------------ */

struct order_call {
	struct replay *r;
	struct replay_order *o;
};

static void on_lead(void *arg, const struct replay_lead *l)
{
	struct replay_order *o = arg;

	if (l->verdict == REPLAY_THERE)
		o->row.there++;
	if (l->verdict == REPLAY_WAITS)
		o->row.waits++;
	if (l->verdict != REPLAY_GO)
		return;
	o->go++;
	o->messages += l->id != o->last_id;
	o->last_id = l->id;
}

/* Mail of that recipient was delivered there since then, or it is not known. */
static bool may_lack(struct replay *r, const struct replay_row *row,
    const char *address)
{
	struct last_delivered last;

	if (row->covered_us == 0)
		return false;
	if (last_delivery_find(r->c.last, row->from_leg, slice_str(address),
		&last))
		return last.time_us >= row->since_us;
	return last_delivery_since(r->c.last) > row->since_us;
}

static void look_for_lacks(struct replay *r, struct replay_order *o,
    const struct replay_hunt *h)
{
	struct spool_stats st;

	spool_stats(r->c.shared->spool, &st);
	o->row.covered_us = replay_hunt_gave_back(h) &&
		st.oldest_us > o->row.since_us ? st.oldest_us : 0;
	for (size_t i = 0; i < o->users; i++)
		o->user[i].lacks = may_lack(r, &o->row, o->user[i].address);
}

/* All segments at once: the one who asks waits for it. Of an order that is
 * taken the job looks through them again, and here the first is enough. */
static int search(struct replay *r, struct replay_order *o,
    struct replay_hunt *h)
{
	int rc = -1;

	while (!atomic_load(&r->stop) &&
	       (rc = replay_hunt_step(h, &o->err)) > 0 && o->dry_run)
		;
	if (rc < 0)
		return -1;
	look_for_lacks(r, o, h);
	if (o->dry_run)
		replay_hunt_judge(h, on_lead, o);
	o->row.unread = h->unread;
	return 0;
}

static int count(struct replay *r, struct replay_order *o)
{
	struct replay_hunt h;
	struct replay_asked asked;
	struct replay_wanted *w = replay_wanted_of(r->snapshot->conf, o->user,
	    o->users, o->arena, &o->err);
	uint64_t *hash;
	int rc;

	if (w == NULL || !replay_asked_of(r, &o->row, &asked, &o->err))
		return -1;
	hash = NEW_ARRAY(uint64_t, o->users + 1);
	for (size_t i = 0; i < o->users; i++)
		hash[i] = w[i].hash;
	replay_hunt_init(&h, r->c.shared->spool, hash,
	    o->dry_run ? o->users : 0);
	mem_free(hash);
	h.asked = asked;
	rc = search(r, o, &h);
	replay_hunt_fini(&h);
	return rc;
}

static void begin(struct replay *r, struct replay_order *o)
{
	struct error prune;

	o->row.state = REPLAY_SEARCHES;
	o->row.started_us = replay_wall_us(r);
	o->row.users = (int64_t)o->users;
	if (replay_file_prune(r->path, o->row.started_us -
		r->snapshot->conf->audit.keep_ms * 1000, &prune) < 0)
		log_error("replay.file", kv_err(&prune));
	if (replay_file_add(r->path, &o->row, o->user, o->users, &o->err) < 0)
		return;
	o->err.text[0] = '\0';
	r->look = true;
}

static void on_order(void *arg)
{
	struct order_call *call = arg;
	struct replay *r = call->r;
	struct replay_order *o = call->o;

	mem_free(call);
	o->err = (struct error){0};
	if (r->ended)
		error_set(&o->err, "the daemon is about to stop");
	else if (count(r, o) < 0 && o->err.text[0] == '\0')
		error_set(&o->err, "the daemon is about to stop");
	else if (o->err.text[0] == '\0' && !o->dry_run)
		begin(r, o);
	o->done(o);
}

void replay_ask(struct replay *r, struct replay_order *o)
{
	struct order_call *call = NEW(struct order_call);

	*call = (struct order_call){r, o};
	call_post(&r->box, R_CALL, on_order, call);
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

static bool is_aside(const struct replay *r, int64_t number)
{
	const struct replay_job *j = r->aside;

	while (j != NULL && j->row.number != number)
		j = j->next;
	return j != NULL;
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
	while (rc > 0 && is_aside(r, row.number));

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
	if (j->row.state < REPLAY_DONE) {
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

/* They come first: they read little, and the other one always something. */
static int step_aside(struct replay *r)
{
	struct replay_job **at = &r->aside, *next;
	int wait = IDLE_MS, one;

	while (*at != NULL) {
		next = (*at)->next;
		if (step_job(r, *at, &one)) {
			*at = next;
			continue;
		}
		wait = one < wait ? one : wait;
		at = &(*at)->next;
	}
	return wait;
}

/* A leg that is suspended is no reason for the next one to wait. It queues no
 * more, so two never queue at once. */
static void put_aside(struct replay *r)
{
	r->job->next = r->aside;
	r->aside = r->job;
	r->job = NULL;
	r->look = true;
}

int replay_step(struct replay *r)
{
	int wait, one;

	take_snapshot(r);
	take_letters(r);
	wait = step_aside(r);
	if (r->job == NULL && r->look && replay_now_ms(r) >= r->retry_ms)
		take_job(r);
	if (r->job == NULL)
		return wait;
	if (step_job(r, r->job, &one)) {
		r->job = NULL;
		return 0;
	}
	if (replay_job_waits(r->job))
		put_aside(r);
	return one < wait ? one : wait;
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
