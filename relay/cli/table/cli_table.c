/* SPDX-License-Identifier: ISC
 *
 * The cutover table for the commands.
 */
#include "relay/cli/table/cli_table.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/row.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"

enum { NOTE_MAX = 1000 };

/* ---- as whom ---------------------------------------------------------- */

/* The file's owner, or its directory's when it is still to be made. */
static int owner_of(const char *path, struct stat *st)
{
	char *copy;
	int rc;

	if (stat(path, st) == 0)
		return 0;
	copy = mem_strdup(path);
	rc = stat(dirname(copy), st);
	mem_free(copy);
	return rc;
}

/* What root wrote (the log beside the table, say) the daemon could not read:
 * so root becomes the daemon's user. */
static int become_owner(struct cli *c, const char *path)
{
	struct stat st;

	if (geteuid() != 0 || owner_of(path, &st) < 0 || st.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 ||
	    setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
		return cli_fail(c, "can not become the owner of %s (uid %u)",
		    path, (unsigned)st.st_uid);
	return 0;
}

static const char *table_path(struct cli *c)
{
	struct conf *conf = cli_conf(c);

	if (conf == NULL || become_owner(c, conf->table.path) != 0)
		return NULL;
	return conf->table.path;
}

/* ---- what a file is read into ----------------------------------------- */

enum { FAULTS_NAMED = 20 };

static void on_fault(void *arg, uint64_t line, const char *why)
{
	struct cli *c = arg;

	if (c->input_faults++ >= FAULTS_NAMED)
		return;
	progress_clear(&c->bar);
	if (line > 0)
		cli_fail(c, "%s: line %" PRIu64 ": %s", c->input, line, why);
	else
		cli_fail(c, "%s: %s", c->input, why);
}

static void on_read(void *arg, uint64_t bytes)
{
	struct cli *c = arg;

	progress_at(&c->bar, bytes);
}

static void on_phase(void *arg, const char *what)
{
	struct cli *c = arg;

	if (what == NULL)
		progress_clear(&c->bar);
	else
		progress_phase(&c->bar, what);
}

static void on_waits(void *arg, int64_t limit_ms)
{
	struct cli *c = arg;

	progress_clear(&c->bar);
	cli_fail(c, "another change is being made; waiting up to %lld s for "
	    "its end", (long long)(limit_ms + 999) / 1000);
}

/* --timeout in ms, 0 without it. CLI_DONE, or what was said. */
static int read_timeout(struct cli *c, int64_t *ms_out)
{
	const char *text = cli_value(c, "timeout");
	int64_t us = 0;

	if (text != NULL && clock_duration(slice_str(text), &us) < 0)
		return cli_usage(c, "--timeout wants a time like 30s, 5m, 2h");
	*ms_out = us / 1000;
	return CLI_DONE;
}

static void watch(struct cli *c, struct change *ch)
{
	struct change_watch watch = {
	    .arg = c,
	    .fault = c->input == NULL ? NULL : on_fault,
	    .read = on_read,
	    .phase = isatty(STDERR_FILENO) ? on_phase : NULL,
	    .waits = on_waits,
	    .wait_ms = c->timeout_ms,
	};

	change_watch(ch, &watch);
}

void cli_watch_file(struct cli *c, struct change *ch, const char *name,
    int fd)
{
	struct stat st = {0};

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		st.st_size = 0;
	c->input = strcmp(name, "-") == 0 ? "standard input" : name;
	c->input_faults = 0;
	progress_begin(&c->bar, "reading", (uint64_t)st.st_size);
	watch(c, ch);
}

int cli_change_fail(struct cli *c, const struct change *ch,
    const struct error *err)
{
	uint64_t n = change_faults(ch);

	progress_end(&c->bar);
	if (n == 0 || c->input == NULL)
		return cli_fail(c, "%s%s%s", c->input == NULL ? "" : c->input,
		    c->input == NULL ? "" : ": ", err->text);
	return cli_fail(c, "%s: %" PRIu64 " line%s wrong%s; nothing was "
	    "changed", c->input, n, n == 1 ? " is" : "s are",
	    n > FAULTS_NAMED ? ", the first 20 are named" : "");
}

/* ---- opening ---------------------------------------------------------- */

struct table *cli_table(struct cli *c)
{
	const char *path = table_path(c);
	struct error err = {0};
	struct table *t;

	if (path == NULL)
		return NULL;
	if (access(path, F_OK) != 0 && errno == ENOENT &&
	    table_prepare(path, c->conf, c->who, &err) < 0) {
		cli_fail(c, "%s", err.text);
		return NULL;
	}
	t = table_open(path, c->names, &err);
	if (t == NULL)
		cli_fail(c, "%s", err.text);
	return t;
}

struct change *cli_change(struct cli *c)
{
	const char *path = table_path(c), *note = cli_value(c, "note");
	struct error err = {0};
	struct change *ch = NULL;

	if (path == NULL)
		return NULL;
	if (note != NULL && strlen(note) > NOTE_MAX) {
		cli_fail(c, "the note is longer than %d bytes", NOTE_MAX);
		return NULL;
	}
	if (read_timeout(c, &c->timeout_ms) != CLI_DONE)
		return NULL;
	if (table_prepare(path, c->conf, c->who, &err) == 0)
		ch = change_open(path, c->conf, &err);
	if (ch == NULL) {
		cli_fail(c, "%s", err.text);
		return NULL;
	}
	progress_begin(&c->bar, "", 0);
	watch(c, ch);
	return ch;
}

int cli_open_input(struct cli *c, const char *name)
{
	int fd;

	if (strcmp(name, "-") == 0)
		return dup(STDIN_FILENO);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		struct error err;

		error_sys(&err, errno, "%s", name);
		cli_fail(c, "%s", err.text);
	}
	return fd;
}

/* ---- values ----------------------------------------------------------- */

static void put_tags(struct jout *j, const char *tags)
{
	struct slice rest = slice_str(tags), tag;

	jout_array(j, "tags");
	while (slice_next(&rest, ' ', &tag))
		if (tag.n > 0)
			jout_slice(j, NULL, tag);
	jout_array_end(j);
}

static void put_addresses(struct jout *j, const char *addresses)
{
	struct slice rest = slice_str(addresses), leg, address;

	jout_object(j, "addresses");
	while (row_next_address(&rest, &leg, &address)) {
		char key[NAME_BYTES + 1];

		snprintf(key, sizeof(key), "%.*s", (int)leg.n, leg.p);
		jout_slice(j, key, address);
	}
	jout_object_end(j);
}

void cli_put_value(struct jout *j, const char *key,
    const struct table_value *v)
{
	if (!v->row) {
		jout_str(j, key, NULL);
		return;
	}
	jout_object(j, key);
	jout_str(j, "route", v->route);
	jout_bool(j, "held", v->held);
	jout_str(j, "mailbox", v->mailbox);
	put_tags(j, v->tags);
	put_addresses(j, v->addresses);
	jout_object_end(j);
}

void cli_put_undid(struct jout *j, const struct table_change *ch)
{
	if (ch->undid != 0)
		jout_int(j, "undid", (int64_t)ch->undid);
}

static void put_rewrites(const struct cli *c, struct jout *j,
    const struct table_row *row)
{
	jout_object(j, "addresses");
	for (unsigned i = 0; i < row->addresses; i++)
		jout_str(j, names_text(c->names, row->address[i].leg),
		    row->address[i].address);
	jout_object_end(j);
}

const struct out_column cli_row_columns[] = {
	{"address", "ADDRESS", false},
	{"route", "ROUTE", false},
	{"held", "HELD", false},
	{"mailbox", "MAILBOX", false},
	{"tags", "TAGS", false},
	{"addresses", "ADDRESSES", false},
	{"change", "CHANGE", true},
	{NULL, NULL, false},
};

void cli_put_row(struct cli *c, struct slice key,
    const struct table_row *row)
{
	struct jout *j = out_row(&c->out);

	jout_slice(j, "address", key);
	jout_str(j, "route", row->route_text);
	jout_bool(j, "held", row->held);
	jout_str(j, "mailbox", row->mailbox);
	put_tags(j, row->tags);
	put_rewrites(c, j, row);
	jout_int(j, "change", (int64_t)row->change);
	out_row_end(&c->out);
}

const struct out_column cli_pair_columns[] = {
	{"address", "ADDRESS", false},
	{"old", "OLD", false},
	{"new", "NEW", false},
	{NULL, NULL, false},
};

void cli_put_pair(struct cli *c, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	struct jout *j = out_row(&c->out);

	jout_slice(j, "address", key);
	cli_put_value(j, "old", before);
	cli_put_value(j, "new", after);
	out_row_end(&c->out);
}

int cli_key(struct cli *c, const char *text, struct strbuf *key_out)
{
	struct error err;

	if (row_key(slice_str(text), key_out, &err) < 0)
		return cli_fail(c, "%s", err.text);
	return CLI_DONE;
}

bool cli_customer(struct cli *c, const char *name)
{
	const struct conf *conf = cli_conf(c);

	if (conf == NULL)
		return false;
	for (int i = 0; i < conf->domains; i++)
		if (strcmp(conf->domain[i].customer, name) == 0)
			return true;
	cli_fail(c, "no domain of the configuration belongs to the customer "
	    "%s", name);
	return false;
}

bool cli_number(struct cli *c, const char *text, uint64_t *number_out)
{
	if (slice_uint(slice_str(text), INT64_MAX, number_out))
		return true;
	cli_usage(c, "'%s' is no change number", text);
	return false;
}

/* ---- making it -------------------------------------------------------- */

static void say_done(struct cli *c, const struct change_done *done)
{
	struct jout *j;

	if (done->change != 0)
		out_say(&c->out, "change %" PRIu64 ": %" PRIu64 " recipient%s",
		    done->change, done->recipients,
		    done->recipients == 1 ? "" : "s");
	else if (done->left > 0)
		out_say(&c->out, "nothing to take back");
	else if (done->same == 0)
		out_say(&c->out, "nothing to change");
	else
		out_say(&c->out, "nothing to change: %" PRIu64 " recipient%s "
		    "%s it already", done->same, done->same == 1 ? "" : "s",
		    done->same == 1 ? "has" : "have");
	if (c->json) {
		j = out_row(&c->out);
		jout_int(j, "change", (int64_t)done->change);
		jout_int(j, "recipients", (int64_t)done->recipients);
		jout_int(j, "same", (int64_t)done->same);
		out_row_end(&c->out);
	}
	/* It is made: whoever ends us from here on has its number. */
	fflush(c->out.to);
}

/* A row at a domain that is not ours is never asked for. */
static void warn_of_strangers(const struct cli *c, const struct change *ch)
{
	const char *first;
	uint64_t n = change_strangers(ch, &first);

	if (n == 1)
		cli_fail(c, "warning: the configuration has no domain for %s, "
		    "so mail for it is refused", first);
	else if (n > 1)
		cli_fail(c, "warning: the configuration has no domain for %"
		    PRIu64 " addresses, such as %s, so mail for them is "
		    "refused", n, first);
}

int cli_make(struct cli *c, struct change *ch, const struct change_how *how,
    struct change_done *done_out)
{
	struct change_by by = {
	    .who = c->who,
	    .host = c->host,
	    .command = c->command->name,
	    .note = cli_value(c, "note"),
	};
	struct error err = {0};

	if (change_commit(ch, how, &by, done_out, &err) < 0)
		return cli_change_fail(c, ch, &err);
	progress_end(&c->bar);
	say_done(c, done_out);
	warn_of_strangers(c, ch);
	return CLI_DONE;
}

int cli_commit(struct cli *c, struct change *ch, const struct change_how *how,
    struct change_done *done_out)
{
	int code = cli_agree(c, ch, how);

	return code != CLI_DONE ? code : cli_make(c, ch, how, done_out);
}

static void show_pair(void *arg, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	cli_put_pair(arg, key, before, after);
}

int cli_dry_run(struct cli *c, struct change *ch,
    const struct change_how *how)
{
	struct change_done done;
	struct error err = {0};

	out_table(&c->out, cli_pair_columns);
	if (change_preview(ch, how, show_pair, c, &done, &err) < 0)
		return cli_change_fail(c, ch, &err);
	progress_end(&c->bar);
	out_end(&c->out);
	out_say(&c->out, "would change %" PRIu64 " recipient%s, %" PRIu64
	    " %s it already; nothing was changed", done.recipients,
	    done.recipients == 1 ? "" : "s", done.same,
	    done.same == 1 ? "has" : "have");
	warn_of_strangers(c, ch);
	return CLI_DONE;
}
