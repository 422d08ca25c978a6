/* SPDX-License-Identifier: ISC
 *
 * The table thread. A change (the command line writes the file itself) shows
 * in SQLite's data_version; then the change log is read on from the last
 * position, in slices, and the queue is told which recipients it concerns.
 */
#include "relay/cutover/table_follow.h"

#include <stdio.h>

#include "policy/change/table_log.h"
#include "policy/change/table_make.h"
#include "policy/route.h"
#include "relay/audit/note_post.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/base/thread.h"
#include "relay/cutover/decision_notes.h"
#include "relay/cutover/table_file.h"
#include "relay/delivery/ask_cache.h"
#include "relay/post/call.h"
#include "relay/post/mail.h"
#include "relay/post/queue_letters.h"

enum { SLICE_ROWS = 1000, POLL_MS = 50 };
static const char fact_change[] = "change";

struct table_follow {
	struct shared *shared;
	struct ask_cache *asked;
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	struct mailbox box; /* calls; and to be woken */
	struct conf_snapshot *snapshot;
	_Atomic(struct conf_snapshot *) next_snapshot;
	struct table *table;
	int64_t version;
	uint64_t seen;	/* changes below it are told, and of it … */
	char after[ADDR_MAX * 2]; /* … the keys up to here; "": all */
	uint64_t noted; /* changes up to it are in the audit trail */
	struct table_file file;
	struct decision_notes decisions;
	bool said; /* the table's trouble was logged */
};

/* ---- the log ---- */

struct slice_read {
	struct table_follow *f;
	struct wake_letter *wake;
	uint64_t change;
	struct slice key;
};

static void on_log_row(void *arg, uint64_t change, struct slice key)
{
	struct slice_read *r = arg;
	struct table_follow *f = r->f;
	size_t n = key.n < sizeof(f->after) - 1 ? key.n : sizeof(f->after) - 1;

	r->change = change;
	memcpy(f->after, key.p, n);
	f->after[n] = '\0';
	if (key.n > 0 && key.p[0] == '@')
		r->wake->all = true;
	else
		r->wake->hash[r->wake->n++] =
		    mail_key_hash(f->snapshot->conf, key);
}

/* A leg's answer about a recipient may be out of date: as a rule the mailbox
 * was made, or moved, before the row was written. */
static void forget_asked(struct table_follow *f, const struct wake_letter *wake)
{
	if (wake->all)
		ask_cache_clear(f->asked);
	for (unsigned i = 0; i < wake->n; i++)
		ask_cache_drop(f->asked, wake->hash[i]);
}

/* One slice of the log to the queue. Returns rows read, -1 on trouble. */
static int tell_slice(struct table_follow *f, struct error *err)
{
	struct slice_read r = {.f = f};
	const struct table_log_page page = {.after = f->seen,
	    .after_key = f->after[0] == '\0' ? NULL : f->after,
	    .limit = SLICE_ROWS, .fn = on_log_row, .arg = &r};
	int n;

	r.wake = mem_new(sizeof(*r.wake) + SLICE_ROWS * sizeof(uint64_t));
	r.wake->letter.kind = S_WAKE;
	n = table_log(f->table, &page, err);
	if (n <= 0) {
		mem_free(r.wake);
		return n;
	}
	r.wake->change = r.change;
	f->seen = r.change; /* in the middle of it, behind `after` */
	forget_asked(f, r.wake);
	mailbox_post(f->shared->queue_box, &r.wake->letter);
	return n;
}

static void tell_applied(struct table_follow *f, uint64_t change)
{
	struct wake_letter *l = NEW(struct wake_letter);

	l->letter.kind = S_WAKE;
	l->change = change;
	l->applied = true;
	mailbox_post(f->shared->queue_box, &l->letter);
}

/* ---- the audit trail ---- */

static void on_change(void *arg, const struct table_change *c)
{
	struct table_follow *f = arg;
	struct note_draft n;
	struct jout *j = note_open(&n, EVENT_CHANGE);

	f->noted = c->change;
	jout_int(j, "change", (int64_t)c->change);
	jout_str(j, "who", c->who);
	jout_str(j, "host", c->host);
	jout_str(j, "command", c->command);
	jout_str(j, "note", c->note);
	jout_int(j, "recipients", (int64_t)c->recipients);
	if (c->undid != 0)
		jout_int(j, "undid", (int64_t)c->undid);
	if (c->wave[0] != '\0')
		jout_str(j, "wave", c->wave);
	jout_str(j, "head", c->head);
	note_post(&n, f->shared->spool, NOTE_CHANGE, c->time_us);
}

static int note_changes(struct table_follow *f, struct error *err)
{
	int n;

	do {
		const struct table_changes_page page = {.after = f->noted,
		    .limit = SLICE_ROWS, .fn = on_change, .arg = f};

		n = table_changes(f->table, &page, err);
	} while (n == SLICE_ROWS);
	return n < 0 ? -1 : 0;
}

static void remember(struct table_follow *f, uint64_t change)
{
	struct spool_op *op = spool_op_new();
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)change);
	spool_op_fact(op, fact_change, slice_str(text));
	spool_post(f->shared->spool, op);
}

static uint64_t remembered(struct shared *sh)
{
	struct strbuf b;
	uint64_t v = 0;

	strbuf_init(&b, 64);
	if (!spool_fact(sh->spool, fact_change, &b) ||
	    !slice_uint(strbuf_view(&b), INT64_MAX, &v))
		v = 0;
	strbuf_fini(&b);
	return v;
}

/* ---- steps ---- */

static void trouble(struct table_follow *f, const struct error *err)
{
	atomic_store(&f->shared->table_bad, true);
	if (!f->said)
		log_error("table.trouble", kv_err(err),
		    kv_str("effect", "451 to senders, mail waits"));
	f->said = true;
	table_close(f->table);
	f->table = NULL;
}

static int64_t current(struct table_follow *f, struct error *err)
{
	int64_t now;

	if (table_begin(f->table, err) < 0)
		return -1;
	now = table_change(f->table, err);
	table_end(f->table);
	return now;
}

/* The number went back: a backup was put in its place. Until an administrator
 * accepts it, by a change above the newest one seen, no recipient is routed by
 * it. */
static bool went_back(struct table_follow *f, uint64_t now, struct error *err)
{
	uint64_t seen = atomic_load(&f->shared->change_seen);

	if (now >= seen)
		return false;
	error_set(err, "%s is at change %llu but change %llu was seen: a "
	    "backup was restored; say `posthouse table accept` if it is to be "
	    "used", f->shared->table_path, (unsigned long long)now,
	    (unsigned long long)seen);
	return true;
}

/* Workers know of `now` before the queue does, which asks them about mail that
 * it concerns. */
static int catch_up(struct table_follow *f, uint64_t now, struct error *err)
{
	int n;

	atomic_store(&f->shared->change_seen, now);
	while ((n = tell_slice(f, err)) > 0)
		;
	if (n < 0)
		return -1;
	f->seen = now;
	f->after[0] = '\0';
	if (now > atomic_load(&f->shared->change_told)) {
		if (note_changes(f, err) < 0)
			return -1;
		atomic_store(&f->shared->change_told, now);
		remember(f, now);
	}
	tell_applied(f, now);
	return 0;
}

/* The file that stands there; a backup may have been put in its place, or
 * copied over it. */
static bool have_table(struct table_follow *f, struct error *err)
{
	if (table_file_written(&f->file)) {
		log_warn("table.written", kv_str("path", f->file.path),
		    kv_str("by", "another program"),
		    kv_str("effect", "it is opened anew"));
		atomic_fetch_add(&f->shared->table_epoch, 1);
		table_close(f->table);
		f->table = NULL;
	}
	if (f->table != NULL)
		return true;
	f->version = 0;
	f->table = table_open(f->shared->table_path, f->shared->names, err);
	return f->table != NULL;
}

static int read_changes(struct table_follow *f, struct error *err)
{
	int64_t now = current(f, err);

	if (now < 0)
		return -1;
	if (went_back(f, (uint64_t)now, err))
		return -1;
	return catch_up(f, (uint64_t)now, err);
}

static void look(struct table_follow *f)
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
	decision_notes_look(&f->decisions);
	f->version = version;
	if (f->said)
		log_info("table.back", kv_int("change",
		    (int64_t)atomic_load(&f->shared->change_told)));
	f->said = false;
	atomic_store(&f->shared->table_bad, false);
}

static void take_snapshot(struct table_follow *f)
{
	struct conf_snapshot *l = atomic_exchange(&f->next_snapshot, NULL);

	if (l == NULL)
		return;
	snapshot_unref(f->snapshot);
	f->snapshot = l;
}

void table_follow_ask(struct table_follow *f, void (*fn)(void *arg), void *arg)
{
	call_post(&f->box, 0, fn, arg);
}

void table_follow_answer(struct table_follow *f)
{
	struct letter *l = mailbox_take(&f->box);

	while (l != NULL) {
		struct letter *next = l->next;

		call_run(l);
		l = next;
	}
}

struct table *table_follow_table(struct table_follow *f)
{
	return f->table;
}

void table_follow_step(struct table_follow *f)
{
	int64_t now = f->shared->clock->mono_us(f->shared->clock);

	table_follow_answer(f);
	take_snapshot(f);
	look(f);
	if (f->table != NULL)
		table_file_step(&f->file, now);
}

/* ---- the thread ---- */

/* The table, ready to be followed: its newest change. A log of another file
 * beside it is no reason to let mail down: 451 until an administrator says
 * what is to be used. -1 refuses the start. */
static int64_t open_table(struct table_follow *f, struct error *err)
{
	struct shared *sh = f->shared;
	struct error unmarked;

	if (table_prepare(sh->table_path, f->snapshot->conf, "posthoused",
		err) < 0) {
		if (!table_log_foreign(sh->table_path))
			return -1;
		trouble(f, err);
		return 0;
	}
	if (table_mark(sh->table_path, &unmarked) < 0)
		log_warn("table.mark", kv_err(&unmarked));
	f->table = table_open(sh->table_path, sh->names, err);
	return f->table == NULL ? -1 : current(f, err);
}

struct table_follow *table_follow_new(struct shared *sh,
    struct ask_cache *asked, struct conf_snapshot *snapshot, uint64_t after,
    struct error *err)
{
	struct table_follow *f = NEW(struct table_follow);
	int64_t now;

	f->shared = sh;
	f->asked = asked;
	f->snapshot = snapshot_ref(snapshot);
	mailbox_init(&f->box);
	f->file.path = sh->table_path;
	f->decisions.shared = sh;
	now = open_table(f, err);
	if (now < 0) {
		table_follow_free(f);
		return NULL;
	}
	table_file_take(&f->file);
	f->noted = remembered(sh);
	atomic_store(&sh->change_seen, f->noted);
	atomic_store(&sh->change_told, f->noted);
	f->seen = after < (uint64_t)now ? after : (uint64_t)now;
	table_follow_step(f);
	return f;
}

static void *follow_thread(void *arg)
{
	struct table_follow *f = arg;

	thread_name("ph-table");
	while (!atomic_load(&f->stop)) {
		table_follow_step(f);
		mailbox_wait(&f->box, POLL_MS);
	}
	return NULL;
}

int table_follow_run(struct table_follow *f, struct error *err)
{
	int no = pthread_create(&f->thread, NULL, follow_thread, f);

	if (no != 0)
		return error_sys(err, no, "starting the table thread");
	f->running = true;
	return 0;
}

void table_follow_poke(struct table_follow *f)
{
	mailbox_wake(&f->box);
}

void table_follow_configure(struct table_follow *f, struct conf_snapshot *l)
{
	snapshot_unref(atomic_exchange(&f->next_snapshot, snapshot_ref(l)));
}

void table_follow_stop(struct table_follow *f)
{
	if (f == NULL || !f->running)
		return;
	atomic_store(&f->stop, true);
	mailbox_wake(&f->box);
	pthread_join(f->thread, NULL);
	f->running = false;
	if (f->table != NULL)
		table_file_end(&f->file);
}

void table_follow_free(struct table_follow *f)
{
	if (f == NULL)
		return;
	table_close(f->table);
	snapshot_unref(atomic_exchange(&f->next_snapshot, NULL));
	snapshot_unref(f->snapshot);
	mailbox_fini(&f->box);
	mem_free(f);
}
