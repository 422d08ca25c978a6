/* SPDX-License-Identifier: ISC
 *
 * posthoused -t beyond the text of the configuration. Every check is a row of
 * a table or a function that reports its faults and goes on, so that one run
 * names them all.
 */
#include "relay/daemon/start_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/table.h"
#include "policy/check/table_check.h"
#include "relay/base/mem.h"
#include "relay/client/client.h"
#include "relay/daemon/places.h"
#include "relay/net/sockaddr.h"

struct checking {
	const struct conf *c;
	void (*fault)(void *arg, const char *line);
	void *arg;
	int faults;
};

static void report(struct checking *k, const char *file, int line,
    const char *fmt, ...) PH_PRINTF(4, 5);

static void report(struct checking *k, const char *file, int line,
    const char *fmt, ...)
{
	char text[1200];
	va_list ap;
	int n = snprintf(text, sizeof(text), "%s:%d: ", file, line);

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < sizeof(text))
		vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	k->fault(k->arg, text);
	k->faults++;
}

/* ---- folders and files ---- */

/* The folder that holds `path`; the caller frees it. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder;

	if (slash == NULL)
		return mem_strdup(".");
	if (slash == path)
		return mem_strdup("/");
	folder = mem_strdup(path);
	folder[slash - path] = '\0';
	return folder;
}

/* The reason why this user cannot make files in a folder; NULL: it can. */
static const char *folder_trouble(const char *folder)
{
	struct stat st;

	if (stat(folder, &st) < 0)
		return errno == ENOENT ? "there is no such folder; make it"
				       : strerror(errno);
	if (!S_ISDIR(st.st_mode))
		return "it is not a folder; name a folder";
	if (access(folder, R_OK | W_OK | X_OK) < 0)
		return "this user cannot write there; chown or chmod it";
	return NULL;
}

/* The daemon makes the last folder of the path itself. */
static void check_own_folder(struct checking *k, struct conf_place at,
    const char *path)
{
	char *parent = folder_of(path);
	bool there = access(path, F_OK) == 0;
	const char *bad = folder_trouble(there ? path : parent);

	if (bad != NULL)
		report(k, at.file, at.line, "%s.%s: %s: %s", at.section,
		    at.key, there ? path : parent, bad);
	mem_free(parent);
}

/* A file that is appended to, and made when it is missing. */
static void check_appended(struct checking *k, struct conf_place at,
    const char *path)
{
	char *folder = folder_of(path);
	struct stat st;
	const char *bad = NULL, *where = path;

	if (stat(path, &st) < 0) {
		where = folder;
		bad = folder_trouble(folder);
	} else if (S_ISDIR(st.st_mode)) {
		bad = "it is a folder; name a file";
	} else if (access(path, W_OK) < 0) {
		bad = "this user cannot write it; chown or chmod it";
	}
	if (bad != NULL)
		report(k, at.file, at.line, "%s.%s: %s: %s", at.section,
		    at.key, where, bad);
	mem_free(folder);
}

/* A file whose folder gets others beside it (a socket, a write-ahead log). */
static void check_folder_of(struct checking *k, struct conf_place at,
    const char *path)
{
	char *folder = folder_of(path), *above = folder_of(folder);
	const char *bad = folder_trouble(folder);

	/* The service manager makes and removes what is right below /run
	 * (RuntimeDirectory= of the unit). */
	if (bad != NULL && strcmp(above, "/run") == 0 &&
	    access(folder, F_OK) < 0)
		bad = NULL;
	if (bad != NULL)
		report(k, at.file, at.line, "%s.%s: %s: %s", at.section,
		    at.key, folder, bad);
	mem_free(above);
	mem_free(folder);
}

static void check_profiles_folder(struct checking *k, struct conf_place at,
    const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		report(k, at.file, at.line, "%s: %s: %s; name a folder of "
		    "NAME.profile files", at.key, path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		report(k, at.file, at.line, "%s: %s: it is not a folder; name "
		    "a folder of NAME.profile files", at.key, path);
	else if (access(path, R_OK | X_OK) < 0)
		report(k, at.file, at.line, "%s: %s: this user cannot read "
		    "it; chmod it", at.key, path);
}

static void check_paths(struct checking *k)
{
	const struct conf *c = k->c;
	/* clang-format off */
	const struct {
		const char *section, *key, *path;
		void (*check)(struct checking *k, struct conf_place at,
		    const char *path);
	} rows[] = {
		{ "spool",   "path",     c->spool.path,     check_own_folder      },
		{ "audit",   "path",     c->audit.path,     check_own_folder      },
		{ "audit",   "events",   c->audit.events,   check_appended        },
		{ "table",   "path",     c->table.path,     check_folder_of       },
		{ "control", "socket",   c->control.socket, check_folder_of       },
		{ "log",     "file",     c->log.file,       check_appended        },
		{ "",        "profiles", c->profiles,       check_profiles_folder },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].path[0] != '\0')
			rows[i].check(k, conf_place(c, rows[i].section,
					  rows[i].key), rows[i].path);
}

static void check_private(struct checking *k)
{
	struct place_open o;
	struct conf_place at;

	if (!place_open_to_all(k->c, &o))
		return;
	at = conf_place(k->c, o.section, o.key);
	report(k, at.file, at.line, "%s.%s: everybody on this machine can "
	    "write %s; chmod o-w %s", o.section, o.key, o.path, o.path);
}

/* ---- the cutover table ---- */

static void check_table_file(struct checking *k, const struct table *t,
    const struct error *err)
{
	struct conf_place at = conf_place(k->c, "table", "path");
	const char *path = k->c->table.path;
	struct stat st;

	if (stat(path, &st) < 0)
		return; /* made at the start */
	if (!S_ISREG(st.st_mode))
		report(k, at.file, at.line, "table.path: %s: it is not a "
		    "file; name the file of the cutover table", path);
	else if (access(path, R_OK | W_OK) < 0)
		report(k, at.file, at.line, "table.path: %s: this user cannot "
		    "read and write it; chown or chmod it", path);
	else if (t == NULL && st.st_size > 0)
		report(k, at.file, at.line, "table.path: %s", err->text);
}

/* Has the table a row for the domain itself? */
static bool domain_row(struct table *t, const char *domain)
{
	struct arena *a = arena_new();
	struct error err;
	struct table_row row;
	char key[300];
	bool found = false;

	snprintf(key, sizeof(key), "@%s", domain);
	if (table_begin(t, &err) == 0) {
		found = table_get(t, slice_str(key), a, &row, &err) > 0;
		table_end(t);
	}
	arena_free(a);
	return found;
}

static void check_domains(struct checking *k, struct table *t)
{
	for (int i = 0; i < k->c->domains; i++) {
		const struct conf_domain *d = &k->c->domain[i];

		if (d->route[0] == '\0' &&
		    (t == NULL || !domain_row(t, d->name)))
			report(k, d->file, d->line, "domain \"%s\" has no "
			    "route, and the table has no row @%s: a recipient "
			    "without a row of its own is answered 451; add "
			    "route = \"LEG\"", d->name, d->name);
	}
}

static void on_gone(void *arg, bool leg, const char *name, uint64_t rows)
{
	struct checking *k = arg;
	struct strbuf text;

	strbuf_init(&text, 1000);
	table_gone_text(leg, name, rows, &text);
	report(k, k->c->file, 1, "%s", strbuf_cstr(&text));
	strbuf_fini(&text);
}

/* A file that cannot be read was reported already. */
static void check_gone(struct checking *k)
{
	struct error ignored;

	if (table_gone(k->c->table.path, k->c, on_gone, k, &ignored) < 0)
		return;
}

/* Behind an open handle: its log is its own. */
static void check_history(struct checking *k)
{
	struct conf_place at = conf_place(k->c, "table", "path");
	struct table_checked checked;
	struct error err;

	if (table_check(k->c->table.path, false, &checked, &err) < 0 ||
	    table_checked_say(&checked, &err) < 0)
		report(k, at.file, at.line, "table.path: %s", err.text);
}

static void check_table(struct checking *k)
{
	struct error err = {0};
	struct stat st;
	struct table *t = NULL;

	if (stat(k->c->table.path, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size > 0)
		t = table_open_old(k->c->table.path, k->c->names, &err);
	check_table_file(k, t, &err);
	if (t != NULL)
		check_history(k);
	check_domains(k, t);
	if (t == NULL)
		return;
	table_close(t);
	check_gone(k);
}

/* ---- addresses ---- */

/* Bound to a free port: the one that is configured may need a privilege of
 * the service, or be in use by the running daemon. */
static bool is_local(const char *ip)
{
	struct netaddr a;
	bool local;
	int fd;

	if (netaddr_parse(&a, slice_str(ip), 0) != 0)
		return true; /* not an address: judged elsewhere */
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true;
	local = bind(fd, &a.sa, a.len) == 0 || errno != EADDRNOTAVAIL;
	close(fd);
	return local;
}

static void check_listeners(struct checking *k)
{
	for (int i = 0; i < k->c->listens; i++) {
		const struct conf_listen *l = &k->c->listen[i];

		for (int j = 0; j < l->addresses; j++)
			if (!is_local(l->address[j].host))
				report(k, l->file, l->line, "listen \"%s\": "
				    "%s is not an address of this machine (ip "
				    "address shows which there are)", l->name,
				    l->address[j].host);
	}
}

/* Does any listener, a wildcard one too, serve that port? */
static bool port_is_served(const struct conf *c, int port)
{
	for (int i = 0; i < c->listens; i++)
		for (int j = 0; j < c->listen[i].addresses; j++)
			if (c->listen[i].address[j].port == port)
				return true;
	return false;
}

static bool host_is_self(const struct conf *c, const struct conf_hostport *h)
{
	static const char any4[] = "0.0.0.0", any6[] = "::";
	struct netaddr a;

	if (netaddr_parse(&a, slice_str(h->host), h->port) != 0)
		return strcasecmp(h->host, c->hostname) == 0 &&
		       port_is_served(c, h->port);
	if (client_is_self(c, &a))
		return true;
	for (int i = 0; i < c->listens; i++)
		for (int j = 0; j < c->listen[i].addresses; j++) {
			const struct conf_hostport *l =
			    &c->listen[i].address[j];

			if (l->port == h->port && is_local(h->host) &&
			    (strcmp(l->host, any4) == 0 ||
				strcmp(l->host, any6) == 0))
				return true;
		}
	return false;
}

static void check_leg(struct checking *k, const struct conf_leg *l)
{
	const char *kind = l->egress ? "egress" : "leg";
	int self = 0;

	if (l->source[0] != '\0' && !is_local(l->source))
		report(k, l->file, l->line, "%s \"%s\": source %s is not an "
		    "address of this machine, so nothing can be sent from it "
		    "(ip address shows which there are)", kind, l->name,
		    l->source);
	for (int i = 0; i < l->hosts; i++)
		self += host_is_self(k->c, &l->host[i]);
	if (l->hosts > 0 && self == l->hosts)
		report(k, l->file, l->line, "%s \"%s\": every host is "
		    "ourselves, a listener of this file, so it takes no mail; "
		    "name the server that the mail is for", kind, l->name);
}

bool start_check_writers(const struct conf *c, struct strbuf *out)
{
	struct stat st;

	if (stat(c->file, &st) < 0)
		return false;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		strbuf_addf(out, "%s:1: it belongs to uid %u, who decides what "
		    "the daemon does; chown root it", c->file,
		    (unsigned)st.st_uid);
	else if ((st.st_mode & S_IWGRP) != 0)
		strbuf_addf(out, "%s:1: its group (gid %u) may write it; chmod "
		    "g-w it, unless that is meant", c->file,
		    (unsigned)st.st_gid);
	return out->n > 0;
}

/* ---- all of it ---- */

int start_check(const struct conf *c,
    void (*fault)(void *arg, const char *line), void *arg)
{
	struct checking k = {.c = c, .fault = fault, .arg = arg};

	check_paths(&k);
	check_private(&k);
	check_table(&k);
	check_listeners(&k);
	for (int i = 0; i < c->legs; i++)
		check_leg(&k, &c->leg[i]);
	return k.faults;
}
