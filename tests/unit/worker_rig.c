/* SPDX-License-Identifier: ISC
 *
 * The true daemon under a unit test.
 */
#include "tests/unit/worker_rig.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/change/change.h"
#include "relay/base/clock.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/daemon/app.h"
#include "tests/sim/sim_admin.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_trace.h"
#include "tests/unit/rig_leg.h"

enum { PATH_BYTES = 100, TEXT_MAX = 8 << 20, REAL_SECONDS = 120,
       STOP_MAX_US = 8000000 };
#define WALL_US INT64_C(1790000000000000)

static const struct rig_conf usual = {
	.legs =
	    "leg \"legacy\" { hosts = \"legacy.sim:25\" tls = \"none\" }\n"
	    "leg \"cloud\" { hosts = \"cloud.sim:25\" tls = \"none\" }\n"
	    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" }\n",
	.listen = "listen \"mx\" { address = \"" SIM_RELAY_IP ":25\" }\n",
	.domain = "domain \"corp.example\" { route = \"legacy\" }\n",
	.retry = "retry { steps = { \"20s\", \"60s\", \"2m\" }\n"
		 "    lifetime = \"40m\" }\n",
	.dsn = "dsn { via = \"outside\" guard = \"off\" }\n",
	.limits = "",
	.more = "",
};

static struct {
	char folder[PATH_BYTES];
	const struct rig_test *test;
	struct app *app;
	struct task *task;
	bool up, failed, over;
	struct strbuf text; /* the last answer */
} rig;

/* ---- checks ---- */

void rig_failed(const char *file, int line, const char *what)
{
	sim_fail("%s:%d: %s", file, line, what);
}

void rig_has(const char *got, const char *want)
{
	bool no = want[0] == '!';

	if ((strstr(got, want + no) == NULL) != no)
		sim_fail("%s '%s' in:\n%s", no ? "there is" : "no", want + no,
		    got);
}

/* ---- files ---- */

static void remove_tree(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char path[PATH_BYTES + 300];

		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (e->d_type == DT_REG)
			unlink(path);
		else if (e->d_type == DT_DIR && e->d_name[0] != '.')
			remove_tree(path);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(folder);
}

static void remove_folder(void)
{
	remove_tree(rig.folder);
}

static const char *path_of(const char *name)
{
	static char path[PATH_BYTES + 40];

	snprintf(path, sizeof(path), "%s/%s", rig.folder, name);
	return path;
}

const char *rig_folder(void)
{
	return rig.folder;
}

const char *rig_table_path(void)
{
	return path_of("cutover.db");
}

#define PART(c, field) \
	((c) != NULL && (c)->field != NULL ? (c)->field : usual.field)

/* "%s" is the folder. */
static void put_more(FILE *to, const char *text)
{
	const char *at;

	for (; (at = strstr(text, "%s")) != NULL; text = at + 2)
		fprintf(to, "%.*s%s", (int)(at - text), text, rig.folder);
	fputs(text, to);
}

/* Files that a configuration of a test may name. */
static void write_secrets(void)
{
	FILE *to = fopen(path_of("secrets"), "w");

	CHECK(to != NULL);
	fputs("0123456789abcdef0123456789abcdef\n", to);
	fclose(to);
	chmod(path_of("secrets"), 0600);
}

void rig_configure(const struct rig_conf *c)
{
	const char *f = rig.folder;
	FILE *to = fopen(path_of("posthouse.conf"), "w");

	CHECK(to != NULL);
	fprintf(to, "hostname = \"relay.sim\"\nworkers = 2\n"
	    "sandbox = false\nstop_after = \"5s\"\n%s%s%s%s%s%s",
	    PART(c, listen), PART(c, legs), PART(c, domain), PART(c, retry),
	    PART(c, dsn), PART(c, limits));
	put_more(to, PART(c, more));
	/* There is no program that evaluates. */
	if (strstr(PART(c, more), "spf {") == NULL)
		fputs("spf { check = false }\n", to);
	fprintf(to, "spool { path = \"%s/spool\" segment = \"128K\"\n"
	    "    max = \"64M\" }\n"
	    "table { path = \"%s/cutover.db\" }\n"
	    "audit { path = \"%s/audit\" events = \"%s/events.jsonl\" }\n"
	    "control { socket = \"%s/control\" }\n", f, f, f, f, f);
	fclose(to);
}

/* ---- the daemon's life ---- */

static struct conf_snapshot *load(struct app *a, struct error *err)
{
	struct conf *c = conf_load(path_of("posthouse.conf"),
	    a->shared.names, err);

	return c == NULL ? NULL : snapshot_new(c, err);
}

static void *life(void *arg)
{
	struct app *a = NEW(struct app);
	struct rng_seeded *rng = NEW(struct rng_seeded);
	struct error err;
	struct conf_snapshot *l;

	(void)arg;
	rng_seeded_init(rng, 7);
	a->shared.clock = &sim_clock;
	a->shared.rng = &rng->rng;
	a->shared.names = names_new();
	a->ops = loop_new(&sim_clock);
	hash_setup(a->shared.rng);
	log_setup(TRACE_LOG_FD, LOG_LV_INFO, &sim_clock);
	l = load(a, &err);
	if (l == NULL || app_start(a, l, &err) < 0)
		sim_fail("start: %s", err.text);
	rig.app = a;
	rig.up = true;
	loop_run(a->ops);
	app_stop(a);
	loop_free(a->ops);
	rig.app = NULL;
	rig.up = false;
	return NULL;
}

static bool is_up(void *arg)
{
	(void)arg;
	return rig.up;
}

void rig_start(void)
{
	rig.task = task_new(SIDE_DAEMON, "ops", life, NULL);
	rig_until(is_up, NULL);
}

void rig_stop(void)
{
	int64_t begun_us = sim_now_us();

	if (!rig.up)
		return;
	loop_stop(rig.app->ops);
	task_join(rig.task);
	CHECK(sim_fd_daemon_open() == 0);
	/* Longer: for a request that was never counted as answered. */
	CHECK(sim_now_us() - begun_us < STOP_MAX_US);
}

void rig_kill(void)
{
	task_kill_daemon();
	sim_fd_kill_daemon();
	sim_ctl_kill();
	sim_disk_cut(CUT_DROPS_ALL, 1);
	rig.up = false;
}

struct reload {
	struct defer defer;
	bool done, taken;
};

/* On the ops loop, as the signal's handler is. */
static void on_reload(void *arg)
{
	struct reload *r = arg;
	struct error err = {0};
	struct conf_snapshot *l = load(rig.app, &err);

	r->taken = l != NULL && app_reconfigure(rig.app, l, &err) == 0;
	trace_line("reload: %s", err.text);
	r->done = true;
}

static bool is_reloaded(void *arg)
{
	return ((struct reload *)arg)->done;
}

bool rig_reload(const struct rig_conf *c)
{
	struct reload r = {0};

	rig_configure(c);
	defer_init(&r.defer, on_reload, &r);
	loop_defer(rig.app->ops, &r.defer);
	rig_until(is_reloaded, &r);
	return r.taken;
}

/* ---- time ---- */

void rig_sleep(int64_t s)
{
	task_sleep_us(s * 1000000);
}

void rig_until(bool (*fn)(void *arg), void *arg)
{
	int64_t end = sim_now_us() + HOUR_US;

	while (!fn(arg)) {
		if (sim_now_us() > end)
			sim_fail("it does not come about");
		task_sleep_us(10000);
	}
}

/* ---- a test's process ---- */

static void *play(void *arg)
{
	(void)arg;
	rig_start();
	rig.test->fn();
	rig_stop();
	rig.over = true;
	return NULL;
}

/* RIG_SEED in the environment: another order of the threads. */
static void run(void)
{
	const char *seed = getenv("RIG_SEED");

	alarm(REAL_SECONDS);
	task_setup(seed == NULL ? 1 : strtoull(seed, NULL, 10), WALL_US);
	snprintf(rig.folder, sizeof(rig.folder), "/tmp/posthouse-rig-XXXXXX");
	if (mkdtemp(rig.folder) == NULL)
		abort();
	atexit(remove_folder);
	mkdir(path_of("audit"), 0700);
	trace_setup(getenv("RIG_TRACE") != NULL, rig.folder);
	strbuf_init(&rig.text, TEXT_MAX);
	write_secrets();
	rig_configure(rig.test->conf);
	sim_disk_setup();
	rig_legs_begin();
	task_new(SIDE_WORLD, "test", play, NULL);
	task_run(&rig.over);
	exit(0);
}

void rig_test(void **state)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		rig.test = *state;
		run();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("it ended with status %d", status);
}

/* ---- the table ---- */

static uint64_t change(const char *address, const struct change_row *row)
{
	static const struct change_by by = {.who = "admin", .host = "sim",
	    .command = "test", .note = ""};
	struct change_how how = {.create = true, .as_of = -1};
	struct change_done done = {0};
	struct error err;
	struct change *ch = change_open(rig_table_path(),
	    rig.app->snapshot->conf, &err);

	if (ch == NULL || change_set(ch, slice_str(address), row, &err) < 0 ||
	    change_commit(ch, &how, &by, &done, &err) < 0)
		sim_fail("table: %s", err.text);
	change_close(ch);
	return done.change;
}

void rig_rows(int n, const char *route)
{
	static const struct change_by by = {.who = "admin", .host = "sim",
	    .command = "test", .note = ""};
	struct change_row row = {.route = route, .held = -1};
	struct change_how how = {.create = true, .as_of = -1};
	struct change_done done = {0};
	struct error err;
	struct change *ch = change_open(rig_table_path(),
	    rig.app->snapshot->conf, &err);

	CHECK(ch != NULL);
	for (int i = 0; i < n; i++) {
		char address[100];

		snprintf(address, sizeof(address), "u%d@corp.example", i);
		CHECK(change_set(ch, slice_str(address), &row, &err) == 0);
	}
	if (change_commit(ch, &how, &by, &done, &err) < 0)
		sim_fail("table: %s", err.text);
	change_close(ch);
}

uint64_t rig_row(const char *address, const char *route, int held)
{
	return change(address,
	    &(struct change_row){.route = route, .held = held});
}

uint64_t rig_rewritten(const char *address, const char *route,
    const char *addresses)
{
	return change(address, &(struct change_row){.route = route,
	    .held = -1, .addresses = addresses});
}

/* ---- clients ---- */

const char *rig_say(struct peer *p, const char *line, const char *want)
{
	static char last[PEER_LINE];

	if (line != NULL)
		peer_sayf(p, "%s\r\n", line);
	do {
		if (!peer_line(p, last))
			sim_fail("%s: no answer, not '%s'",
			    line == NULL ? "" : line, want);
	} while (strlen(last) > 3 && last[3] == '-');
	if (strncmp(last, want, strlen(want)) != 0)
		sim_fail("%s: '%s', not '%s'", line == NULL ? "" : line, last,
		    want);
	return last;
}

struct peer *rig_client(const char *ip)
{
	struct peer *p = NEW(struct peer);

	CHECK(peer_connect(p, ip, SIM_RELAY_IP));
	rig_say(p, NULL, "220 ");
	rig_say(p, "EHLO client.sim", "250 ");
	return p;
}

void rig_leave(struct peer *p)
{
	rig_say(p, "QUIT", "221 ");
	peer_close(p, false);
	mem_free(p);
}

static void say_rcpts(struct peer *p, const char *to)
{
	struct slice rest = slice_str(to), one;
	char line[PEER_LINE];

	while (slice_next(&rest, ' ', &one)) {
		snprintf(line, sizeof(line), "RCPT TO:<%.*s>", (int)one.n,
		    one.p);
		rig_say(p, line, "250 ");
	}
}

void rig_mail_from(const char *ip, const char *from, const char *to,
    const char *content, char id_out[16])
{
	struct peer *p = rig_client(ip);
	char line[PEER_LINE];
	const char *as;

	snprintf(line, sizeof(line), "MAIL FROM:<%s>", from);
	rig_say(p, line, "250 ");
	say_rcpts(p, to);
	rig_say(p, "DATA", "354 ");
	peer_say(p, slice_str(content));
	as = strstr(rig_say(p, ".", "250 "), "queued as ");
	CHECK(as != NULL);
	snprintf(id_out, 16, "%s", as + 10);
	rig_leave(p);
}

void rig_mail(const char *from, const char *to, char id_out[16])
{
	rig_mail_from("198.51.100.7", from, to,
	    "Message-ID: <1@client.sim>\r\nSubject: a mail\r\n\r\nhello\r\n",
	    id_out);
}

/* ---- the administrator ---- */

struct app *rig_app(void)
{
	return rig.app;
}

const char *rig_ctl_any(const char *command, const char *args,
    const char *const *lines, int *code_out)
{
	json_t *o = json_loads(args, 0, NULL);

	if (o == NULL)
		sim_fail("%s: no JSON: %s", command, args);
	strbuf_reset(&rig.text);
	sim_ctl_further(lines);
	*code_out = sim_ctl(command, o, &rig.text);
	sim_ctl_further(NULL);
	return strbuf_cstr(&rig.text);
}

const char *rig_ctl_lines(int code, const char *command, const char *args,
    const char *const *lines)
{
	int got;
	const char *rows = rig_ctl_any(command, args, lines, &got);

	if (got != code)
		sim_fail("%s %s: %d (%s), not %d", command, args, got,
		    sim_ctl_error(), code);
	return rows;
}

const char *rig_ctl(int code, const char *command, const char *args)
{
	return rig_ctl_lines(code, command, args, NULL);
}

const char *rig_ctl_error(void)
{
	return sim_ctl_error();
}

struct wanted {
	const char *id, *want;
	char got[1000];
};

static void add_delivery(struct wanted *w, const json_t *o)
{
	const char *leg = json_string_value(json_object_get(o, "leg"));
	const char *state = json_string_value(json_object_get(o, "state"));
	size_t n = strlen(w->got);

	if (leg != NULL && state != NULL)
		snprintf(w->got + n, sizeof(w->got) - n, "%s%s %s",
		    n == 0 ? "" : ",", leg, state);
}

static bool is_so(void *arg)
{
	struct wanted *w = arg;
	struct slice rest, line;
	char args[100];

	snprintf(args, sizeof(args), "{\"ids\": [\"%s\"], "
	    "\"all_states\": true}", w->id);
	rest = slice_str(rig_ctl(0, "queue.list", args));
	w->got[0] = '\0';
	while (rest.n > 0 && slice_next(&rest, '\n', &line)) {
		json_t *o = json_loadb(line.p, line.n, 0, NULL);

		add_delivery(w, o);
		json_decref(o);
	}
	return strcmp(w->got, w->want) == 0;
}

void rig_deliveries(const char *id, const char *want)
{
	struct wanted w = {.id = id, .want = want};

	if (!is_so(&w))
		sim_fail("'%s', not '%s'", w.got, want);
}

void rig_becomes(const char *id, const char *want)
{
	struct wanted w = {.id = id, .want = want};
	int64_t end = sim_now_us() + HOUR_US;

	while (!is_so(&w)) {
		if (sim_now_us() > end)
			sim_fail("'%s', and never '%s'", w.got, want);
		task_sleep_us(100000);
	}
}

const char *rig_events(void)
{
	char buf[8192];
	FILE *f;
	size_t n;

	rig_sleep(5);
	strbuf_reset(&rig.text);
	f = fopen(path_of("events.jsonl"), "r");
	while (f != NULL && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_add(&rig.text, buf, n);
	if (f != NULL)
		fclose(f);
	return strbuf_cstr(&rig.text);
}
