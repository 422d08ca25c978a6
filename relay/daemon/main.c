/* SPDX-License-Identifier: ISC
 *
 * posthoused: options and signals. The main thread is the ops loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "conf/profile.h"
#include "policy/db.h"
#include "relay/audit/projector.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/daemon/app.h"
#include "relay/daemon/background.h"
#include "relay/daemon/places.h"
#include "relay/daemon/privileges.h"
#include "relay/daemon/programs.h"
#include "relay/daemon/sandbox.h"
#include "relay/daemon/sd.h"
#include "relay/daemon/start_check.h"
#include "relay/egress/outbound_check.h"
#include "relay/spawn/spawner.h"

enum { TEXT_BYTES = 5000 };

struct options {
	bool foreground, test, dns;
	const char *file;
};

struct daemon {
	struct app app;
	struct options opt;
	struct timer watchdog;
	int log_fd;
};

static const char usage[] =
    "usage: posthoused [-f] [-t [--dns]] [-c FILE] [-V]\n"
    "  -f       stay in the foreground and log to stderr\n"
    "  -t       check the configuration and exit\n"
    "  --dns    with -t: compare it with the DNS, too, and warn\n"
    "  -c FILE  configuration (" PH_SYSCONFDIR "/posthouse/posthouse.conf)\n"
    "  -V       print the version and exit\n"
    "example: posthoused -t -c ./posthouse.conf\n";

static void set_log(const struct daemon *d, const struct conf *c)
{
	log_setup(d->log_fd, c->log.level, d->app.shared.clock);
}

/* Other threads write meanwhile: another file takes the place of the old one
 * under the same descriptor. What cannot be opened is told where it was. */
static void open_log(struct daemon *d, const struct conf *c)
{
	struct error err;
	int fd = -1;

	if (c->log.file[0] != '\0')
		fd = open(c->log.file,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		error_sys(&err, errno, "%s", c->log.file);
	if (fd >= 0 && d->log_fd != STDERR_FILENO) {
		dup3(fd, d->log_fd, O_CLOEXEC);
		close(fd);
	} else if (fd >= 0) {
		d->log_fd = fd;
	}
	set_log(d, c);
	if (fd < 0 && c->log.file[0] != '\0')
		log_error("log.unopened", kv_err(&err));
}

static struct conf_snapshot *load(const char *file, struct names *names,
    struct error *err)
{
	struct conf *c = conf_load(file, names, err);

	return c == NULL ? NULL : snapshot_new(c, err);
}

/* ---- signals ---- */

/* Keys that count only after a restart, a line each. */
static void warn_of_restart(struct slice lines)
{
	struct slice line;

	while (slice_next(&lines, '\n', &line))
		if (line.n > 0)
			log_warn("conf.restart", kv_slice("key", line));
}

static void reload(struct daemon *d)
{
	struct app *a = &d->app;
	struct error err;
	struct strbuf lines;
	struct conf_snapshot *l;

	sd_notify("RELOADING=1");
	l = load(d->opt.file, a->shared.names, &err);
	if (l != NULL) {
		strbuf_init(&lines, 65536);
		if (!conf_diff(a->snapshot->conf, l->conf, &lines))
			warn_of_restart(strbuf_view(&lines));
		strbuf_fini(&lines);
		if (app_reconfigure(a, l, &err) < 0)
			l = NULL;
	}
	if (l == NULL) {
		log_error("conf.rejected", kv_err(&err),
		    kv_str("effect", "the running configuration stays"));
	} else {
		log_info("conf.loaded", kv_str("file", d->opt.file));
		set_log(d, l->conf);
	}
	sd_notify("READY=1");
}

static void on_signal(void *arg, int signo)
{
	struct daemon *d = arg;

	switch (signo) {
	case SIGHUP:
		if (!atomic_load(&d->app.shared.stopping))
			reload(d);
		break;
	case SIGUSR1:
		open_log(d, d->app.snapshot->conf);
		projector_reopen(d->app.projector);
		break;
	default:
		log_info("stop.asked", kv_int("signal", signo));
		loop_stop(d->app.ops);
		break;
	}
}

static void on_watchdog(void *arg)
{
	struct daemon *d = arg;

	sd_notify("WATCHDOG=1");
	timer_set(&d->watchdog, sd_watchdog_ms());
}

/* ---- run ---- */

static const int signals[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT};

static void serve(struct daemon *d)
{
	struct app *a = &d->app;

	timer_init(&d->watchdog, a->ops, on_watchdog, d);
	if (sd_watchdog_ms() > 0)
		on_watchdog(d);
	log_info("ready", kv_str("version", PACKAGE_VERSION),
	    kv_int("workers", a->workers));
	sd_notify("READY=1");
	background_ready();
	loop_run(a->ops);
	sd_notify("STOPPING=1");
	app_stop(a);
	timer_fini(&d->watchdog);
}

static int run(struct daemon *d, struct conf_snapshot *snapshot,
    struct error *err)
{
	struct app *a = &d->app;
	struct event *ev[ARRAY_LEN(signals)];
	int status;

	a->ops = loop_new(a->shared.clock);
	/* Before any thread: they inherit the loop's signal mask as it is, and
	 * only this loop is told. */
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		ev[i] = loop_signal(a->ops, signals[i], on_signal, d);
	status = app_start(a, snapshot, err);
	if (status == 0)
		serve(d);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		loop_signal_free(ev[i]);
	loop_free(a->ops);
	return status;
}

/* -1, or the exit code. */
static int check_options(int argc, char **argv, const struct options *o)
{
	if (o->dns && !o->test) {
		fprintf(stderr, "posthoused: --dns goes with -t\n%s", usage);
		return 2;
	}
	if (optind < argc) {
		fprintf(stderr, "posthoused: %s: no arguments are taken\n%s",
		    argv[optind], usage);
		return 2;
	}
	return -1;
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option words[] = {
		{"dns", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int c;

	*o = (struct options){
	    .file = PH_SYSCONFDIR "/posthouse/posthouse.conf"};
	while ((c = getopt_long(argc, argv, "ftc:Vh", words, NULL)) != -1) {
		switch (c) {
		case 'f':
		case 't':
		case 'd':
			o->foreground |= c == 'f';
			o->test |= c == 't';
			o->dns |= c == 'd';
			break;
		case 'c':
			o->file = optarg;
			break;
		case 'V':
			printf("posthoused %s\n", PACKAGE_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	return check_options(argc, argv, o);
}

static void warn_of_writers(const struct conf *c)
{
	struct strbuf who;

	strbuf_init(&who, TEXT_BYTES);
	if (start_check_writers(c, &who))
		log_warn("conf.writers", kv_slice("note", strbuf_view(&who)));
	strbuf_fini(&who);
}

static int run_logged(struct daemon *d, struct conf_snapshot *snapshot)
{
	struct error err;

	if (privileges_become(snapshot->conf, &err) < 0) {
		fprintf(stderr, "posthoused: %s\n", err.text);
		snapshot_unref(snapshot);
		return 1;
	}
	if (!d->opt.foreground && background_enter() > 0) {
		snapshot_unref(snapshot);
		return background_wait();
	}
	open_log(d, snapshot->conf);
	warn_of_writers(snapshot->conf);
	db_skip_memory_count();
	d->app.spawner = programs_start(snapshot->conf, &err);
	if (d->app.spawner == NULL) {
		snapshot_unref(snapshot);
	} else if (run(d, snapshot, &err) == 0) {
		spawner_free(d->app.spawner);
		log_info("stopped");
		return 0;
	}
	spawner_free(d->app.spawner);
	fprintf(stderr, "posthoused: %s\n", err.text);
	log_error("start.failed", kv_err(&err));
	return 1;
}

/* A leg that does not believe us refuses what SPF fails for our address. */
static void advise_leg(const struct conf *c, const struct conf_leg *l)
{
	if (l->replies->note[0] != '\0')
		printf("%s:%d: note: leg \"%s\": %s\n", l->file, l->line,
		    l->name, l->replies->note);
	if (!l->egress && l->trust == TRUST_NONE &&
	    l->rewrite_sender == REWRITE_NEVER)
		printf("%s:%d: note: leg \"%s\" has trust = \"none\", so it "
		    "judges senders by our address; write rewrite_sender = "
		    "\"when-spf-fails\"%s\n", l->file, l->line, l->name,
		    c->srs.domain[0] != '\0' ? "" : ", and srs { ... } for "
						   "it");
}

static void say_good(const char *file, const struct conf *c)
{
	struct strbuf who;

	strbuf_init(&who, TEXT_BYTES);
	if (start_check_writers(c, &who))
		printf("note: %s\n", strbuf_cstr(&who));
	strbuf_fini(&who);
	for (int i = 0; i < c->legs; i++)
		advise_leg(c, &c->leg[i]);
	printf("%s: good\n", file);
}

/* ---- posthoused -t ---- */

static void say_fault(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* Judged as the user that the daemon runs as: what only root can read, the
 * second reading does not find. */
static struct conf_snapshot *load_as_owner(struct daemon *d,
    struct conf_snapshot *snapshot,
    struct error *err)
{
	int became = privileges_become(snapshot->conf, err);

	if (became == 0)
		return snapshot;
	snapshot_unref(snapshot);
	return became < 0 ? NULL : load(d->opt.file, d->app.shared.names, err);
}

static void say_warning(void *arg, const char *line)
{
	(void)arg;
	printf("warning: %s\n", line);
}

static int check_dns(const struct conf *c)
{
	struct error err;
	struct spf_alone *o = spf_alone_new(c, &err);

	if (o == NULL) {
		fprintf(stderr, "--dns: %s\n", err.text);
		return -1;
	}
	outbound_check(o, c, say_warning, NULL);
	spf_alone_free(o);
	return 0;
}

static int test_configuration(struct daemon *d, struct conf_snapshot *snapshot)
{
	struct error err;
	int faults = 1;

	snapshot = load_as_owner(d, snapshot, &err);
	if (snapshot == NULL || programs_check(snapshot->conf, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	else
		faults = start_check(snapshot->conf, say_fault, NULL);
	if (faults == 0 && d->opt.dns && check_dns(snapshot->conf) < 0)
		faults = 1;
	if (faults == 0)
		say_good(d->opt.file, snapshot->conf);
	snapshot_unref(snapshot);
	return faults == 0 ? 0 : 1;
}

static int load_and_run(struct daemon *d)
{
	struct error err;
	struct conf_snapshot *snapshot = load(d->opt.file, d->app.shared.names,
	    &err);

	if (snapshot == NULL) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	return d->opt.test ? test_configuration(d, snapshot) : run_logged(d,
	    snapshot);
}

int main(int argc, char **argv)
{
	struct daemon d = {.log_fd = STDERR_FILENO};
	int status = parse_options(argc, argv, &d.opt);

	if (status >= 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	d.app.shared.clock = &clock_system;
	d.app.shared.rng = &rng_system;
	d.app.shared.names = names_new();
	hash_setup(d.app.shared.rng);
	status = load_and_run(&d);
	names_free(d.app.shared.names);
	return status;
}
