/* SPDX-License-Identifier: ISC
 *
 * Orders of an administrator: a replay is counted or begun, or one that runs is
 * cancelled. The thread of the replay.
 */
#include "relay/cutover/replay/replay_int.h"

#include "relay/audit/delivered/last_delivery.h"
#include "relay/base/log.h"
#include "relay/post/call.h"

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

/* ---- cancelled --------------------------------------------------------- */

struct cancel_call {
	struct replay *r;
	struct replay_cancel *c;
};

static void tell_row(void *arg, const struct replay_row *row)
{
	replay_tell(arg, row);
}

/* One that no job was made for yet. */
static void tell_cancelled(struct replay *r, int64_t number)
{
	struct arena *a = arena_new();
	const struct replay_reader in = {.number = number, .a = a,
	    .row = tell_row, .arg = r};
	struct error err;

	if (replay_file_read(r->path, &in, &err) < 0)
		log_error("replay.file", kv_err(&err));
	arena_free(a);
}

/* The file first: what is answered stands after a kill, too. */
static void cancel(struct replay *r, struct replay_cancel *c)
{
	const struct replay_row row = {.number = c->number,
	    .reason = c->reason, .ended_us = replay_wall_us(r)};
	struct replay_job *j = replay_job_of(r, c->number);
	int rc = replay_file_cancel(r->path, &row, &c->err);

	if (rc == 0)
		error_set(&c->err, "replay %lld has ended",
		    (long long)c->number);
	if (rc <= 0)
		return;
	c->err.text[0] = '\0';
	if (j == NULL) {
		tell_cancelled(r, c->number);
		return;
	}
	j->row.state = REPLAY_CANCELLED;
	j->row.ended_us = row.ended_us;
	j->row.reason = arena_strdup(j->arena, c->reason);
}

static void on_cancel(void *arg)
{
	struct cancel_call *call = arg;
	struct replay_cancel *c = call->c;

	c->err = (struct error){0};
	if (call->r->ended)
		error_set(&c->err, "the daemon is about to stop");
	else
		cancel(call->r, c);
	mem_free(call);
	c->done(c);
}

void replay_cancel(struct replay *r, struct replay_cancel *c)
{
	struct cancel_call *call = NEW(struct cancel_call);

	*call = (struct cancel_call){r, c};
	call_post(&r->box, R_CALL, on_cancel, call);
}
