/* SPDX-License-Identifier: ISC
 *
 * The daemon under test: app_start() to app_stop() in a task, as main() does
 * it. A crash drops its memory, keeps of the journal what the disk kept, and
 * of the SQLite files what was written: they are copied to a new folder.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/daemon/app.h"
#include "tests/sim/sim_admin.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_fd.h"
#include "tests/sim/sim_trace.h"
#include "tests/sim/sim_world.h"

enum { PATH_BYTES = 200, COPY_BYTES = 1 << 16 };
#define START_US INT64_C(60000000)

enum phase { PHASE_DOWN, PHASE_STARTS, PHASE_UP, PHASE_STOPS, PHASE_FAILED };

static struct {
	char folder[PATH_BYTES];
	uint64_t seed;
	unsigned starts;
	enum phase phase;
	struct app *app;
	struct task *task, *waits;
} d;

static const char conf_text[] =
    "hostname = \"relay.sim\"\n"
    "workers = 2\n"
    "sandbox = false\n"
    "stop_after = \"5s\"\n"
    "listen \"mx\" { address = \"" SIM_RELAY_IP ":25\" }\n"
    "leg \"legacy\" { hosts = \"legacy.sim:25\" tls = \"none\" %s\n"
    "    connections = %u command_timeout = \"60s\"\n"
    "    data_done_timeout = \"2m\" greeting_timeout = \"60s\" }\n"
    "leg \"cloud\" { hosts = \"cloud.sim:25\" tls = \"none\"\n"
    "    connections = %u command_timeout = \"60s\"\n"
    "    data_done_timeout = \"2m\" greeting_timeout = \"60s\" }\n"
    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\" tls = \"none\" }\n"
    "dsn { via = \"outside\" guard = \"off\" delay = \"5m\" }\n"
    "domain \"corp.example\" { route = \"legacy\" unknown = \"%s\" }\n"
    "retry { steps = { \"20s\", \"60s\", \"2m\" } lifetime = \"%s\"\n"
    "    suspended = \"1m\" grace = \"10m\" known_wait = \"10m\" }\n"
    "spool { path = \"%s/spool\" segment = \"128K\" max = \"64M\" }\n"
    "limits { body_memory = \"1M\" memory_window = \"%s\" }\n"
    "table { path = \"%s/cutover.db\" }\n"
    "audit { path = \"%s/audit\" events = \"%s/events.jsonl\" }\n"
    "control { socket = \"%s/control\" }\n";

static void write_conf(unsigned variant)
{
	static const char *const unknown[] = {"probe", "route", "reject"};
	static const char *const window[] = {"64K", "1M"};
	char path[PATH_BYTES + 20];
	const char *f = d.folder;
	FILE *to;

	snprintf(path, sizeof(path), "%s/posthouse.conf", f);
	to = fopen(path, "w");
	if (to == NULL)
		sim_fail("%s cannot be written", path);
	fprintf(to, conf_text,
	    d.seed % 2 == 0 ? "clients = \"" SIM_LEGACY_IP "\"" : "",
	    1 + variant % 3, 1 + variant % 2,
	    unknown[d.seed % 3], d.seed % 4 == 0 ? "3m" : "40m", f,
	    window[variant % 2], f, f, f, f);
	fclose(to);
}

void daemon_setup(uint64_t seed)
{
	char audit[PATH_BYTES + 20];

	d.seed = seed;
	snprintf(d.folder, sizeof(d.folder), "/dev/shm/ph-sim-XXXXXX");
	if (mkdtemp(d.folder) == NULL)
		sim_fail("no folder in /dev/shm");
	snprintf(audit, sizeof(audit), "%s/audit", d.folder);
	mkdir(audit, 0700);
	write_conf((unsigned)seed);
}

bool daemon_refuses_unknown(void)
{
	return d.seed % 3 == 2;
}

const char *daemon_folder(void)
{
	return d.folder;
}

struct app *daemon_app(void)
{
	return d.app;
}

bool daemon_up(void)
{
	return d.phase == PHASE_UP;
}

/* ---- files ---- */

static void copy_file(const char *from, const char *to)
{
	char buf[COPY_BYTES];
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	size_t n;

	if (in == NULL || out == NULL)
		sim_fail("%s cannot be copied", from);
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
		fwrite(buf, 1, n, out);
	fclose(in);
	fclose(out);
	chmod(to, 0600);
}

/* Each file of `from` is moved to `to`, or only removed (NULL). */
static void each_file(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char a[600], b[600];
		size_t n = strlen(e->d_name);
		bool shm = n > 4 && strcmp(e->d_name + n - 4, "-shm") == 0;

		snprintf(a, sizeof(a), "%s/%s", from, e->d_name);
		if (e->d_type != DT_REG)
			continue;
		snprintf(b, sizeof(b), "%s/%s", to == NULL ? "" : to,
		    e->d_name);
		if (to != NULL && !shm)
			copy_file(a, b);
		unlink(a);
	}
	if (dir != NULL)
		closedir(dir);
}

static void remove_folder(const char *folder)
{
	char audit[PATH_BYTES + 20];

	snprintf(audit, sizeof(audit), "%s/audit", folder);
	each_file(audit, NULL);
	rmdir(audit);
	each_file(folder, NULL);
	rmdir(folder);
}

void daemon_remove(void)
{
	remove_folder(d.folder);
}

/* SQLite in this process still has the old files open, with locks. */
static void copy_folder(void)
{
	char old[PATH_BYTES + 20], from[PATH_BYTES + 40], to[PATH_BYTES + 40];

	snprintf(old, sizeof(old), "%s.old", d.folder);
	rename(d.folder, old);
	mkdir(d.folder, 0700);
	snprintf(from, sizeof(from), "%s/audit", old);
	snprintf(to, sizeof(to), "%s/audit", d.folder);
	mkdir(to, 0700);
	each_file(from, to);
	each_file(old, d.folder);
	remove_folder(old);
}

/* ---- its life ---- */

static struct conf_snapshot *load(struct app *a, struct error *err)
{
	char path[PATH_BYTES + 20];
	struct conf *c;

	snprintf(path, sizeof(path), "%s/posthouse.conf", d.folder);
	c = conf_load(path, a->shared.names, err);
	return c == NULL ? NULL : snapshot_new(c, err);
}

static void started(enum phase phase)
{
	d.phase = phase;
	task_wake(d.waits);
}

static struct app *app_blank(void)
{
	struct app *a = NEW(struct app);
	struct rng_seeded *rng = NEW(struct rng_seeded);

	rng_seeded_init(rng, d.seed * 1000 + d.starts);
	a->shared.clock = &sim_clock;
	a->shared.rng = &rng->rng;
	a->shared.names = names_new();
	a->ops = loop_new(&sim_clock);
	return a;
}

static void *life(void *arg)
{
	struct app *a = app_blank();
	struct error err;
	struct conf_snapshot *l;

	(void)arg;
	hash_setup(a->shared.rng);
	log_setup(TRACE_LOG_FD, LOG_LV_INFO, &sim_clock);
	l = load(a, &err);
	if (l == NULL)
		sim_fail("configuration: %s", err.text);
	d.app = a;
	if (app_start(a, l, &err) < 0) {
		trace_line("start: %s", err.text);
		d.app = NULL;
		started(PHASE_FAILED);
		return NULL;
	}
	trace_line("started");
	started(PHASE_UP);
	loop_run(a->ops);
	d.phase = PHASE_STOPS;
	app_stop(a);
	loop_free(a->ops);
	trace_line("stopped");
	d.app = NULL;
	d.phase = PHASE_DOWN;
	return NULL;
}

bool daemon_start(void)
{
	int64_t end = sim_now_us() + START_US;

	d.starts++;
	d.phase = PHASE_STARTS;
	d.waits = task_self();
	d.task = task_new(SIDE_DAEMON, "ops", life, NULL);
	while (d.phase == PHASE_STARTS && sim_now_us() < end)
		task_wait_until(end);
	d.waits = NULL;
	if (d.phase == PHASE_STARTS)
		sim_fail("the daemon does not come up");
	return d.phase == PHASE_UP;
}

void daemon_stop(void)
{
	if (d.phase != PHASE_UP)
		return;
	loop_stop(d.app->ops);
	task_join(d.task);
	d.task = NULL;
	if (sim_fd_daemon_open() != 0)
		sim_fail("%u descriptors are open after a stop",
		    sim_fd_daemon_open());
}

void daemon_crash(enum fake_cut how, uint64_t seed)
{
	if (d.phase == PHASE_DOWN)
		return;
	trace_line("crash %d", (int)how);
	task_kill_daemon();
	sim_fd_kill_daemon();
	sim_locks_forget();
	sim_ctl_kill();
	sim_disk_cut(how, seed);
	copy_folder();
	d.app = NULL;
	d.task = NULL;
	d.phase = PHASE_DOWN;
}

/* ---- reload ---- */

struct reload {
	struct defer defer;
	struct app *app;
};

/* On the ops loop, as the signal's handler is. */
static void on_reload(void *arg)
{
	struct reload *r = arg;
	struct error err;
	struct conf_snapshot *l = load(r->app, &err);

	if (l == NULL || app_reconfigure(r->app, l, &err) < 0)
		trace_line("reload: %s", err.text);
	else
		trace_line("reloaded");
	mem_free(r);
}

void daemon_reload(unsigned variant)
{
	struct reload *r;

	if (d.phase != PHASE_UP)
		return;
	write_conf(variant);
	r = NEW(struct reload);
	r->app = d.app;
	defer_init(&r->defer, on_reload, r);
	loop_defer(d.app->ops, &r->defer);
}
