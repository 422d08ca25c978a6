/* SPDX-License-Identifier: ISC
 *
 * The thread of the section `coexist`. Nothing is kept over a restart: all
 * files are written at a start, and the program is run for each.
 */
#include "relay/cutover/coexist/coexist_files.h"

#include <pthread.h>
#include <stdio.h>

#include "relay/base/jout.h"
#include "relay/base/log.h"
#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"
#include "relay/cutover/coexist/coexist_write.h"
#include "relay/cutover/watermark/hook_said.h"
#include "relay/spawn/spawn_run.h"
#include "relay/watch/alarm.h"

enum {
	LOOK_MS = 500,
	AGAIN_MS = 10000,   /* after trouble */
	REST = 10,	    /* times what it took, until the next writing */
	LAG_MS = 15 * 60000, /* then it is an alarm */
	EXIT_AGAIN = 75,    /* EX_TEMPFAIL */
	TEXT = 1024,
};

struct coexist_file {
	struct coexist_files *k;
	const struct conf_coexist *x;
	bool written;	   /* since the start, or since the legs changed */
	uint64_t change;   /* that it is of */
	int64_t behind_ms; /* since when it is not; 0: it is */
	int64_t next_ms;   /* not before */
	bool late;	   /* the alarm was raised */
	char fault[TEXT];  /* of the last writing; "" */
	bool hook_due;
	struct hook_pause pause;
	struct spawn_run *run;
};

struct coexist_files {
	struct coexist_config c;
	struct conf_snapshot *first, *snapshot;
	_Atomic(struct conf_snapshot *) next_snapshot;
	struct loop *loop;
	struct timer again;
	struct coexist_file *file;
	int files;
	pthread_t thread;
	bool running;
};

static int64_t now_ms(const struct coexist_files *k)
{
	return clock_mono_ms(k->c.shared->clock);
}

/* ---- writing ------------------------------------------------------------- */

static int write_file(struct coexist_file *f, struct error *err)
{
	struct shared *sh = f->k->c.shared;
	struct table *t = table_open(sh->table_path, sh->names, err);
	int rc;

	if (t == NULL)
		return -1;
	rc = coexist_write(f->k->snapshot->conf, f->x, t, &f->change, err);
	table_close(t);
	return rc;
}

static void try_write(struct coexist_file *f)
{
	int64_t begun_ms = now_ms(f->k), end_ms;
	struct error err;

	if (write_file(f, &err) < 0) {
		log_error("coexist.write", kv_str("coexist", f->x->name),
		    kv_err(&err));
		snprintf(f->fault, sizeof(f->fault), "%s", err.text);
		f->next_ms = now_ms(f->k) + AGAIN_MS;
		return;
	}
	end_ms = now_ms(f->k);
	f->next_ms = end_ms + (end_ms - begun_ms) * REST;
	f->written = true;
	f->fault[0] = '\0';
	f->hook_due = true;
	log_info("coexist.written", kv_str("coexist", f->x->name),
	    kv_int("change", (int64_t)f->change));
}

static void raise_lag(struct coexist_file *f, uint64_t change)
{
	char text[2 * TEXT];

	snprintf(text, sizeof(text), "%s is of change %llu and the table at "
	    "change %llu, for 15 minutes now%s%s; its reader sends mail to "
	    "where recipients were", f->x->path,
	    (unsigned long long)f->change, (unsigned long long)change,
	    f->fault[0] == '\0' ? "" : ": ", f->fault);
	alarm_raise(f->k->c.alarms, ALARM_COEXIST, f->x->name, text);
	f->late = true;
}

static void step_write(struct coexist_file *f)
{
	uint64_t change = atomic_load(&f->k->c.shared->change_seen);
	int64_t now = now_ms(f->k);

	if (f->written && f->change >= change) {
		f->behind_ms = 0;
		f->late = false;
		return;
	}
	if (f->behind_ms == 0)
		f->behind_ms = now;
	if (now >= f->next_ms)
		try_write(f);
	if (!f->late && (!f->written || f->change < change) &&
	    now - f->behind_ms >= LAG_MS)
		raise_lag(f, change);
}

/* ---- the program --------------------------------------------------------- */

static void raise_failed(struct coexist_file *f, const struct spawn_end *end)
{
	struct slice said = end->output;
	char text[TEXT];

	while (said.n > 0 && said.p[said.n - 1] == '\n')
		said.n--;
	snprintf(text, sizeof(text), "hook.on_export failed for %s (it ended "
	    "with %d)%s%.*s; it is run again after the next change, or by a "
	    "restart", f->x->path, end->code, said.n == 0 ? "" : ": ",
	    (int)said.n, said.n == 0 ? "" : said.p);
	alarm_raise(f->k->c.alarms, ALARM_HOOK, "export", text);
}

static void on_done(void *arg, const struct spawn_end *end)
{
	struct coexist_file *f = arg;
	bool again = end->fate != SPAWN_EXITED || end->code == EXIT_AGAIN;

	if (again) {
		log_warn("hook.again", kv_str("hook", "export"),
		    kv_str("coexist", f->x->name), kv_int("in_s",
			hook_pause_again(&f->pause, now_ms(f->k)) / 1000));
		f->hook_due = true;
	} else {
		hook_pause_over(&f->pause);
		if (end->code != 0)
			raise_failed(f, end);
	}
	spawn_run_free(f->run);
	f->run = NULL;
}

static void put_input(const struct coexist_file *f, struct strbuf *out)
{
	struct jout j;

	jout_init(&j, out);
	jout_object(&j, NULL);
	jout_str(&j, "name", f->x->name);
	jout_str(&j, "format", f->x->format);
	jout_str(&j, "file", f->x->path);
	jout_int(&j, "change", (int64_t)f->change);
	jout_object_end(&j);
	strbuf_addc(out, '\n');
}

static void step_hook(struct coexist_file *f)
{
	struct coexist_files *k = f->k;
	struct spawn_job job = {.row = SPAWN_EXPORT, .arg = "export",
	    .done = on_done, .done_arg = f};
	struct strbuf input;
	struct error err;

	if (!f->hook_due || f->run != NULL ||
	    !hook_pause_due(&f->pause, now_ms(k)))
		return;
	if (!spawner_has(k->c.spawner, SPAWN_EXPORT)) {
		f->hook_due = false;
		return;
	}
	strbuf_init(&input, 2 * PATH_MAX);
	put_input(f, &input);
	job.input = strbuf_view(&input);
	f->run = spawn_run_new(k->c.spawner, k->loop, &job, &err);
	strbuf_fini(&input);
	f->hook_due = f->run == NULL;
	if (f->run == NULL) {
		log_warn("hook.start", kv_str("hook", "export"),
		    kv_err(&err));
		hook_pause_again(&f->pause, now_ms(k));
	}
}

/* ---- the thread ---------------------------------------------------------- */

static void take_snapshot(struct coexist_files *k)
{
	struct conf_snapshot *s = atomic_exchange(&k->next_snapshot, NULL);

	if (s == NULL)
		return;
	snapshot_unref(k->snapshot);
	k->snapshot = s;
	for (int i = 0; i < k->files; i++)
		k->file[i].written = false;
}

int coexist_files_step(struct coexist_files *k)
{
	take_snapshot(k);
	for (int i = 0; i < k->files; i++) {
		step_write(&k->file[i]);
		step_hook(&k->file[i]);
	}
	return LOOK_MS;
}

static void on_again(void *arg)
{
	struct coexist_files *k = arg;

	timer_set(&k->again, coexist_files_step(k));
}

struct coexist_files *coexist_files_new(const struct coexist_config *c)
{
	struct coexist_files *k = NEW(struct coexist_files);
	const struct conf *conf = c->snapshot->conf;

	k->c = *c;
	k->first = snapshot_ref(c->snapshot);
	k->snapshot = snapshot_ref(c->snapshot);
	k->loop = loop_new(c->shared->clock);
	timer_init(&k->again, k->loop, on_again, k);
	k->files = conf->coexists;
	k->file = NEW_ARRAY(struct coexist_file, k->files + 1);
	for (int i = 0; i < k->files; i++)
		k->file[i] = (struct coexist_file){.k = k,
		    .x = &conf->coexist[i]};
	return k;
}

static void *run(void *arg)
{
	struct coexist_files *k = arg;

	thread_name("ph-coexist");
	timer_set(&k->again, 0);
	loop_run(k->loop);
	return NULL;
}

int coexist_files_run(struct coexist_files *k, struct error *err)
{
	int no;

	if (k->files == 0)
		return 0;
	no = pthread_create(&k->thread, NULL, run, k);
	k->running = no == 0;
	return no == 0 ? 0 : error_sys(err, no, "starting the thread of "
	    "coexist");
}

void coexist_files_configure(struct coexist_files *k, struct conf_snapshot *s)
{
	snapshot_unref(atomic_exchange(&k->next_snapshot, snapshot_ref(s)));
}

void coexist_files_stop(struct coexist_files *k)
{
	if (k == NULL || !k->running)
		return;
	loop_stop(k->loop);
	pthread_join(k->thread, NULL);
	timer_del(&k->again);
	k->running = false;
}

void coexist_files_free(struct coexist_files *k)
{
	if (k == NULL)
		return;
	for (int i = 0; i < k->files; i++)
		spawn_run_free(k->file[i].run);
	timer_fini(&k->again);
	loop_free(k->loop);
	mem_free(k->file);
	snapshot_unref(atomic_exchange(&k->next_snapshot, NULL));
	snapshot_unref(k->snapshot);
	snapshot_unref(k->first);
	mem_free(k);
}
