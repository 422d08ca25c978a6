/* SPDX-License-Identifier: ISC
 *
 * The table thread. A change made by anybody (the command line writes the
 * file itself) shows in SQLite's data_version; then the change log is read
 * from where we stood, by slices, and the queue is told whom it concerns.
 */
#include "relay/cutover/table_follow.h"

#include <stdio.h>

#include "policy/route.h"
#include "relay/audit/note.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/delivery/ask_cache.h"
#include "relay/settle/queue_thread.h"

enum { SLICE_ROWS = 1000, POLL_MS = 50 };
#define CHECKPOINT_US INT64_C(10000000)
static const char fact_change[] = "change";

struct follow {
	struct app *app;
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	struct mailbox box; /* only to be woken */
	struct live *live;
	_Atomic(struct live *) next_live;
	struct table *table;
	int64_t version;
	uint64_t seen;	/* changes below it are told, and of it … */
	char after[ADDR_MAX * 2]; /* … the keys up to here; "": all */
	uint64_t noted; /* changes up to it are in the audit trail */
	int64_t checkpoint_us;
	bool said; /* the table's trouble was logged */
};

/* ---- the log ---- */

struct slice_read {
	struct follow *f;
	struct wake_letter *wake;
	uint64_t change;
	struct slice key;
};

uint64_t follow_key_hash(const struct conf *c, struct slice key)
{
	struct strbuf b;
	uint64_t hash = 0;

	strbuf_init(&b, 2 * ADDR_MAX);
	if (route_base(c, key, &b))
		hash = hash_slice(strbuf_view(&b)) | 1;
	strbuf_fini(&b);
	return hash;
}

static void on_log_row(void *arg, uint64_t change, struct slice key)
{
	struct slice_read *r = arg;
	struct follow *f = r->f;
	size_t n = key.n < sizeof(f->after) - 1 ? key.n : sizeof(f->after) - 1;

	r->change = change;
	memcpy(f->after, key.p, n);
	f->after[n] = '\0';
	if (key.n > 0 && key.p[0] == '@')
		r->wake->all = true;
	else
		r->wake->hash[r->wake->n++] =
		    follow_key_hash(f->live->conf, key);
}

/* What a leg said of a recipient may not be so any more: as a rule he was
 * made there, or moved, before his row was written. */
static void forget_asked(struct follow *f, const struct wake_letter *wake)
{
	if (wake->all)
		askcache_clear(f->app->asked);
	for (unsigned i = 0; i < wake->n; i++)
		askcache_drop(f->app->asked, wake->hash[i]);
}

/* One slice of the log to the queue. Returns rows read, -1 on trouble. */
static int tell_slice(struct follow *f, struct error *err)
{
	struct slice_read r = {.f = f};
	int n;

	r.wake = mem_new(sizeof(*r.wake) + SLICE_ROWS * sizeof(uint64_t));
	r.wake->letter.kind = S_WAKE;
	n = table_log(f->table, f->seen, f->after[0] == '\0' ? NULL : f->after,
	    SLICE_ROWS, on_log_row, &r, err);
	if (n <= 0) {
		mem_free(r.wake);
		return n;
	}
	r.wake->change = r.change;
	f->seen = r.change; /* in the middle of it, behind `after` */
	forget_asked(f, r.wake);
	mailbox_post(settle_box(f->app->settle), &r.wake->letter);
	return n;
}

static void tell_applied(struct follow *f, uint64_t change)
{
	struct wake_letter *l = NEW(struct wake_letter);

	l->letter.kind = S_WAKE;
	l->change = change;
	l->applied = true;
	mailbox_post(settle_box(f->app->settle), &l->letter);
}

/* ---- the audit trail ---- */

static void on_change(void *arg, const struct table_change *c)
{
	struct follow *f = arg;
	struct spool_op *op = spool_op_new();
	struct note_writer w;
	struct strbuf note;
	struct jout *j;

	f->noted = c->change;
	strbuf_init(&note, 8192);
	j = note_begin(&w, &note, "change");
	jout_int(j, "change", (int64_t)c->change);
	jout_str(j, "who", c->who);
	jout_str(j, "host", c->host);
	jout_str(j, "command", c->command);
	jout_str(j, "note", c->note);
	jout_int(j, "recipients", (int64_t)c->recipients);
	if (c->undid != 0)
		jout_int(j, "undid", (int64_t)c->undid);
	note_end(&w);
	spool_op_note(op, NOTE_CHANGE, c->time_us, strbuf_view(&note));
	strbuf_fini(&note);
	spool_post(f->app->spool, op);
}

static int note_changes(struct follow *f, struct error *err)
{
	int n;

	do
		n = table_changes(f->table, f->noted, SLICE_ROWS, on_change, f,
		    err);
	while (n == SLICE_ROWS);
	return n < 0 ? -1 : 0;
}

static void remember(struct follow *f, uint64_t change)
{
	struct spool_op *op = spool_op_new();
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)change);
	spool_op_fact(op, fact_change, slice_str(text));
	spool_post(f->app->spool, op);
}

static uint64_t remembered(struct app *a)
{
	struct strbuf b;
	uint64_t v = 0;

	strbuf_init(&b, 64);
	if (!spool_fact(a->spool, fact_change, &b) ||
	    !slice_uint(strbuf_view(&b), INT64_MAX, &v))
		v = 0;
	strbuf_fini(&b);
	return v;
}

/* ---- steps ---- */

static void trouble(struct follow *f, const struct error *err)
{
	atomic_store(&f->app->table_bad, true);
	if (!f->said)
		log_error("table.trouble", kv_err(err),
		    kv_str("effect", "451 to senders, mail waits"));
	f->said = true;
	table_close(f->table);
	f->table = NULL;
}

static int64_t current(struct follow *f, struct error *err)
{
	int64_t now;

	if (table_begin(f->table, err) < 0)
		return -1;
	now = table_change(f->table, err);
	table_end(f->table);
	return now;
}

/* The number went back: a backup was put in its place. Until somebody says
 * that this is right, by a change above what was seen, nobody is routed by
 * it. */
static bool went_back(struct follow *f, uint64_t now, struct error *err)
{
	uint64_t floor = atomic_load(&f->app->change_floor);

	if (now >= floor)
		return false;
	error_set(err, "%s is at change %llu but change %llu was seen: a "
	    "backup was restored; say `posthouse table accept` if it is to be "
	    "used", f->app->table_path, (unsigned long long)now,
	    (unsigned long long)floor);
	return true;
}

static int catch_up(struct follow *f, uint64_t now, struct error *err)
{
	int n;

	while ((n = tell_slice(f, err)) > 0)
		;
	if (n < 0)
		return -1;
	f->seen = now;
	f->after[0] = '\0';
	if (now > atomic_load(&f->app->change_floor)) {
		if (note_changes(f, err) < 0)
			return -1;
		atomic_store(&f->app->change_floor, now);
		remember(f, now);
	}
	tell_applied(f, now);
	return 0;
}

/* The file that stands there; a backup may have been put in its place. */
static bool have_table(struct follow *f, struct error *err)
{
	if (f->table != NULL && table_moved(f->table)) {
		table_close(f->table);
		f->table = NULL;
	}
	if (f->table != NULL)
		return true;
	f->version = 0;
	f->table = table_open(f->app->table_path, f->app->names, err);
	return f->table != NULL;
}

static int read_changes(struct follow *f, struct error *err)
{
	int64_t now = current(f, err);

	if (now < 0)
		return -1;
	if (went_back(f, (uint64_t)now, err))
		return -1;
	return catch_up(f, (uint64_t)now, err);
}

static void look(struct follow *f)
{
	struct error err;
	int64_t version;

	if (!have_table(f, &err)) {
		trouble(f, &err);
		return;
	}
	/* Before it is read: what is committed meanwhile differs again. */
	version = table_data_version(f->table);
	if (version == f->version && !f->said)
		return;
	if (read_changes(f, &err) < 0) {
		trouble(f, &err);
		return;
	}
	f->version = version;
	if (f->said)
		log_info("table.back", kv_int("change",
		    (int64_t)atomic_load(&f->app->change_floor)));
	f->said = false;
	atomic_store(&f->app->table_bad, false);
}

static void take_live(struct follow *f)
{
	struct live *l = atomic_exchange(&f->next_live, NULL);

	if (l == NULL)
		return;
	live_unref(f->live);
	f->live = l;
}

void follow_step(struct follow *f)
{
	int64_t now = f->app->clock->mono_us(f->app->clock);
	struct error err;

	take_live(f);
	look(f);
	if (f->table == NULL || now < f->checkpoint_us)
		return;
	f->checkpoint_us = now + CHECKPOINT_US;
	if (table_checkpoint(f->app->table_path, &err) < 0)
		log_warn("table.checkpoint", kv_err(&err));
}

/* ---- the thread ---- */

struct follow *follow_new(struct app *a, uint64_t after, struct error *err)
{
	struct follow *f = NEW(struct follow);
	int64_t now;

	f->app = a;
	f->live = live_ref(a->live);
	mailbox_init(&f->box);
	if (table_prepare(a->table_path, a->live->conf,
		"posthoused", err) < 0)
		goto out;
	f->table = table_open(a->table_path, a->names, err);
	if (f->table == NULL)
		goto out;
	now = current(f, err);
	if (now < 0)
		goto out;
	f->noted = remembered(a);
	atomic_store(&a->change_floor, f->noted);
	f->seen = after < (uint64_t)now ? after : (uint64_t)now;
	follow_step(f);
	return f;
out:
	follow_free(f);
	return NULL;
}

static void *follow_thread(void *arg)
{
	struct follow *f = arg;

	while (!atomic_load(&f->stop)) {
		struct letter *l = mailbox_take(&f->box);

		(void)l; /* nobody posts, it is only woken */
		follow_step(f);
		mailbox_wait(&f->box, POLL_MS);
	}
	return NULL;
}

int follow_run(struct follow *f, struct error *err)
{
	int no = pthread_create(&f->thread, NULL, follow_thread, f);

	if (no != 0)
		return error_sys(err, no, "starting the table thread");
	f->running = true;
	return 0;
}

void follow_poke(struct follow *f)
{
	mailbox_wake(&f->box);
}

void follow_configure(struct follow *f, struct live *l)
{
	live_unref(atomic_exchange(&f->next_live, live_ref(l)));
}

void follow_stop(struct follow *f)
{
	if (f == NULL || !f->running)
		return;
	atomic_store(&f->stop, true);
	mailbox_wake(&f->box);
	pthread_join(f->thread, NULL);
	f->running = false;
}

void follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	table_close(f->table);
	live_unref(atomic_exchange(&f->next_live, NULL));
	live_unref(f->live);
	mailbox_fini(&f->box);
	mem_free(f);
}
