/* SPDX-License-Identifier: ISC
 *
 * One replay: it looks for the messages, then takes them one after the other,
 * oldest first, and last waits until what it queued has come to an end. The
 * thread of the replay.
 */
#include "relay/cutover/replay/replay_int.h"

#include <stdio.h>

#include "conf/profile.h"
#include "relay/base/log.h"
#include "relay/post/call.h"
#include "relay/post/mail.h"
#include "relay/post/queue_letters.h"

enum {
	OPEN_MAX = 2000, /* queued and not over: the queue is not filled up */
	AGAIN_MS = 1000, /* a message that is in hand, a full queue */
	STEP_MS = 200,	 /* letters come before */
};

/* ---- birth and death --------------------------------------------------- */

struct file_taking {
	struct replay_job *j;
	struct replay_user *user;
	size_t n, cap;
};

static void on_user(void *arg, const struct replay_user *user)
{
	struct file_taking *t = arg;

	if (t->n == t->cap) {
		t->cap = t->cap * 2 + 64;
		t->user = mem_resize(t->user, t->cap * sizeof(*t->user));
	}
	t->user[t->n++] = *user;
}

static void on_mail(void *arg, const struct replay_mail *m)
{
	struct file_taking *t = arg;

	replay_made_take(t->j, m);
}

/* Its recipients, and what it made before. */
static bool take_file(struct replay_job *j, struct error *err)
{
	struct file_taking t = {.j = j};
	struct replay_reader in = {.number = j->row.number, .a = j->arena,
	    .user = on_user, .mail = on_mail, .arg = &t};
	bool ok = replay_file_read(replay_path(j->r), &in, err) == 0;

	if (ok) {
		j->wanted = replay_wanted_of(j->r->snapshot->conf, t.user,
		    t.n, j->arena, err);
		j->wanteds = t.n;
		ok = j->wanted != NULL;
	}
	mem_free(t.user);
	return ok;
}

static void begin_hunt(struct replay_job *j)
{
	uint64_t *hash = NEW_ARRAY(uint64_t, j->wanteds + 1);

	for (size_t i = 0; i < j->wanteds; i++)
		hash[i] = j->wanted[i].hash;
	replay_hunt_init(&j->hunt, j->r->c.shared->spool, hash, j->wanteds);
	j->hunt.asked = j->asked;
	j->hunting = true;
	mem_free(hash);
}

static void fail(struct replay_job *j, const char *why)
{
	j->row.state = REPLAY_FAILED;
	j->row.reason = arena_strdup(j->arena, why);
	j->row_dirty = true;
}

bool replay_asked_of(const struct replay *r, const struct replay_row *row,
    struct replay_asked *asked, struct error *err)
{
	const struct conf *c = r->snapshot->conf;
	const struct conf_leg *to = conf_leg_by_name(c,
	    slice_str(row->to_leg));

	*asked = (struct replay_asked){
	    .from_leg = names_find(r->c.shared->names,
		slice_str(row->from_leg)),
	    .since_us = row->since_us, .until_us = row->until_us,
	    .started_us = row->started_us};
	if (to == NULL || asked->from_leg < 0) {
		error_set(err, "no leg is called \"%s\"; see `posthouse leg "
		    "list`", to == NULL ? row->to_leg : row->from_leg);
		return false;
	}
	asked->to_leg = to->id;
	if (asked->to_leg != asked->from_leg)
		return true;
	error_set(err, "both legs are \"%s\"", row->to_leg);
	return false;
}

struct replay_job *replay_job_new(struct replay *r, struct arena *arena,
    const struct replay_row *row)
{
	struct replay_job *j = NEW(struct replay_job);
	const struct conf_leg *to;
	struct error err;

	j->r = r;
	j->arena = arena;
	j->row = *row;
	map_init(&j->known);
	snprintf(j->reason, sizeof(j->reason), "replay %lld",
	    (long long)row->number);
	/* All that it meets is counted anew. */
	j->row.there = j->row.waits = j->row.came_from = j->row.gone = 0;
	j->row.unread = 0;
	if (!replay_asked_of(r, row, &j->asked, &err) || !take_file(j, &err)) {
		fail(j, err.text);
		replay_pace_init(&j->pace, 0);
		return j;
	}
	to = conf_leg_by_id(r->snapshot->conf, j->asked.to_leg);
	replay_pace_init(&j->pace, to->replies == NULL ? 0
	    : to->replies->mailbox_hour);
	j->row.state = REPLAY_SEARCHES;
	replay_tell(r, &j->row);
	begin_hunt(j);
	return j;
}

void replay_job_free(struct replay_job *j)
{
	if (j == NULL)
		return;
	replay_hunt_fini(&j->hunt);
	replay_pace_fini(&j->pace);
	map_fini(&j->known);
	spool_fetch_free(j->fetch);
	mem_free(j->cand);
	mem_free(j->lead_hash);
	mem_free(j->mail);
	mem_free(j->dirty);
	mem_free(j->probe);
	mem_free(j->to);
	mem_free(j->to_address);
	arena_free(j->arena);
	mem_free(j);
}

/* ---- the search -------------------------------------------------------- */

static struct replay_candidate *candidate(struct replay_job *j, uint64_t id)
{
	if (j->cands > 0 && j->cand[j->cands - 1].id == id)
		return &j->cand[j->cands - 1];
	if (j->cands == j->cand_cap) {
		j->cand_cap = j->cand_cap * 2 + 256;
		j->cand = mem_resize(j->cand, j->cand_cap * sizeof(*j->cand));
	}
	j->cand[j->cands] = (struct replay_candidate){.id = id,
	    .first = j->leads};
	return &j->cand[j->cands++];
}

static void add_lead(struct replay_job *j, const struct replay_lead *l)
{
	struct replay_candidate *c = candidate(j, l->id);

	if (j->leads == j->lead_cap) {
		j->lead_cap = j->lead_cap * 2 + 256;
		j->lead_hash = mem_resize(j->lead_hash,
		    j->lead_cap * sizeof(*j->lead_hash));
	}
	j->lead_hash[j->leads++] = l->hash | 1;
	c->n++;
}

static void on_lead(void *arg, const struct replay_lead *l)
{
	struct replay_job *j = arg;

	if (l->verdict == REPLAY_THERE)
		j->row.there++;
	else if (l->verdict == REPLAY_WAITS)
		j->row.waits++;
	else if (l->verdict == REPLAY_GO ||
	    !replay_made_knows(j, l->id, l->rcpt))
		add_lead(j, l);
}

/* Those that went before a restart count still. */
static void pace_known(struct replay_job *j)
{
	int64_t ahead_us = replay_wall_us(j->r) - replay_now_us(j->r);

	for (size_t i = 0; i < j->mails; i++)
		replay_pace_add(&j->pace, mail_rcpt_hash(
		    j->r->snapshot->conf, j->mail[i].address),
		    j->mail[i].time_us - ahead_us);
}

static int hunt(struct replay_job *j)
{
	struct error err;
	int rc = replay_hunt_step(&j->hunt, &err);

	if (rc > 0)
		return 0;
	j->hunting = false;
	if (rc < 0) {
		fail(j, err.text);
		return 0;
	}
	replay_hunt_judge(&j->hunt, on_lead, j);
	j->row.unread += j->hunt.unread;
	replay_hunt_fini(&j->hunt);
	pace_known(j);
	j->row.state = REPLAY_RUNS;
	j->row_dirty = true;
	return 0;
}

/* ---- one message after the other --------------------------------------- */

static void fetch(struct replay_job *j, uint64_t id)
{
	struct spool_fetch *f = spool_fetch_new(id, &j->r->box, R_FETCHED);

	f->want_kept = true;
	f->lane = (unsigned)id;
	j->r->fetching = true;
	j->r->fetch_job = j;
	j->r->job_fetched = j == j->r->job;
	spool_fetch_post(j->r->c.shared->spool, f);
}

static void again(struct replay_job *j)
{
	j->hand->again_ms = replay_now_ms(j->r) + AGAIN_MS;
	j->hand = NULL;
}

static void over(struct replay_job *j)
{
	j->hand->over = true;
	j->hand = NULL;
}

static void let_go(struct replay_job *j)
{
	spool_fetch_free(j->fetch);
	j->fetch = NULL;
}

static void made(struct replay_job *j)
{
	const struct revive_request *q = &j->request;
	int64_t now_us = replay_now_us(j->r);

	for (unsigned i = 0; i < q->n; i++) {
		replay_made_add(j, &(struct replay_mail){.id = q->fetch->id,
		    .rcpt = q->to[i].rcpt, .number = q->first + i,
		    .address = j->to_address[i], .state = D_QUEUED,
		    .time_us = replay_wall_us(j->r)});
		replay_pace_add(&j->pace, q->to[i].hash, now_us);
	}
}

/* Its turn does not come again: it will not get smaller. */
static void too_large(struct replay_job *j)
{
	log_warn("replay.large", kv_id("id", j->request.fetch->id),
	    kv_int("replay", j->row.number), kv_int("deliveries",
		(int64_t)j->request.fetch->deliveries + j->request.n));
	j->row.unread++;
	j->row_dirty = true;
}

/* Its thread: what the queue thread said. */
static void on_revived(void *arg)
{
	struct replay_job *j = arg;
	enum revive_status status =
	    (enum revive_status)(uintptr_t)j->request.arg;

	j->reviving = false;
	if (status == REVIVE_DONE)
		made(j);
	if (status == REVIVE_LARGE)
		too_large(j);
	if (status == REVIVE_DONE || status == REVIVE_LARGE)
		over(j);
	else
		again(j);
	let_go(j);
}

/* Queue thread. */
static void on_done(struct revive_request *q, enum revive_status status)
{
	struct replay_job *j = CONTAINER_OF(q, struct replay_job, request);

	q->arg = (void *)(uintptr_t)status;
	call_post(&j->r->box, R_CALL, on_revived, j);
}

static void do_revive(void *arg)
{
	struct replay_job *j = arg;

	revive_apply(j->r->c.queue_thread, &j->request);
}

static void revive(struct replay_job *j)
{
	struct revive_request *q = &j->request;

	q->fetch = j->fetch;
	q->to = j->to;
	q->leg = j->asked.to_leg;
	q->who = j->row.who;
	q->reason = j->reason;
	q->done = on_done;
	j->reviving = true;
	call_post(j->r->c.shared->queue_box, S_CALL, do_revive, j);
}

/* ---- a message was read ------------------------------------------------- */

void replay_job_fetched(struct replay_job *j, struct spool_fetch *f)
{
	if (j->looks) {
		j->looks = false;
		replay_made_read(j, f);
		spool_fetch_free(f);
		return;
	}
	if (j->row.state >= REPLAY_DONE) { /* cancelled meanwhile */
		spool_fetch_free(f);
		j->hand = NULL;
		return;
	}
	j->fetch = f;
	if (f->status != 0) {
		j->row.gone += f->err.no == 0;
		j->row.unread += f->err.no != 0;
		j->row_dirty = true;
		over(j);
		let_go(j);
	} else if (!replay_mail_look(j)) {
		again(j);
		let_go(j);
	} else if (j->request.n == 0) {
		over(j);
		let_go(j);
	} else {
		revive(j);
	}
}

/* ---- steps ------------------------------------------------------------- */

static bool paced(const struct replay_job *k, const struct replay_job *j,
    uint64_t mailbox, int64_t now_us)
{
	return k->asked.to_leg != j->asked.to_leg ||
	       replay_pace_may(&k->pace, mailbox, now_us);
}

/* Mail of other replays to that mailbox counts too. */
static bool mailbox_may(const struct replay_job *j, uint64_t mailbox,
    int64_t now_us)
{
	const struct replay *r = j->r;

	if (r->job != NULL && !paced(r->job, j, mailbox, now_us))
		return false;
	for (const struct replay_job *k = r->aside; k != NULL; k = k->next)
		if (!paced(k, j, mailbox, now_us))
			return false;
	return true;
}

static bool may_go(const struct replay_job *j,
    const struct replay_candidate *c, int64_t now_ms)
{
	int64_t now_us = replay_now_us(j->r);

	if (c->over || c->again_ms > now_ms)
		return false;
	for (unsigned i = 0; i < c->n; i++)
		if (!mailbox_may(j, j->lead_hash[c->first + i], now_us))
			return false;
	return true;
}

/* The oldest that may go; of one mailbox the oldest is always first. */
static struct replay_candidate *next(struct replay_job *j)
{
	int64_t now_ms = replay_now_ms(j->r);

	while (j->cand_at < j->cands && j->cand[j->cand_at].over)
		j->cand_at++;
	for (size_t i = j->cand_at; i < j->cands; i++)
		if (may_go(j, &j->cand[i], now_ms))
			return &j->cand[i];
	return NULL;
}

bool replay_job_waits(const struct replay_job *j)
{
	return j->row.state == REPLAY_RUNS && j->idle_ms > 0 && !j->reviving;
}

bool replay_job_over(const struct replay_job *j)
{
	return j->row.state >= REPLAY_DONE && !j->reviving && !j->probing &&
	       !(j->r->fetching && j->r->fetch_job == j);
}

static void end_if_over(struct replay_job *j)
{
	if (j->cand_at < j->cands || j->open > 0)
		return;
	j->row.state = REPLAY_DONE;
	j->row_dirty = true;
}

/* All that waits is looked through to find nothing: not at each letter. */
static void take_next(struct replay_job *j)
{
	int64_t now_ms = replay_now_ms(j->r);

	if (j->idle_ms > now_ms)
		return;
	j->hand = j->open < OPEN_MAX ? next(j) : NULL;
	j->idle_ms = j->hand == NULL ? now_ms + STEP_MS : 0;
	if (j->hand != NULL)
		fetch(j, j->hand->id);
	else
		end_if_over(j);
}

int replay_job_step(struct replay_job *j)
{
	uint64_t id;

	if (j->row.state >= REPLAY_DONE)
		return replay_job_over(j) ? 0 : STEP_MS;
	if (j->hunting)
		return j->r->telling > 0 ? STEP_MS : hunt(j);
	replay_made_put_if_due(j);
	if (j->reviving || j->r->fetching)
		return STEP_MS;
	if (replay_made_look(j, &id)) {
		j->looks = id != 0;
		if (j->looks)
			fetch(j, id);
		return STEP_MS;
	}
	take_next(j);
	return STEP_MS;
}
