/* SPDX-License-Identifier: ISC
 *
 * stragglers import: logs of the old server into imported.db.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "policy/csv/csv.h"
#include "relay/base/clock.h"
#include "relay/cli/common/file_hash.h"
#include "relay/cli/common/human.h"
#include "relay/cli/straggler/straggler_commands.h"
#include "relay/cli/table/cli_table.h"
#include "relay/straggler/log_import.h"
#include "relay/base/civil.h"
#include "relay/when/zone_file.h"

struct log_run {
	struct cli *c;
	enum log_format format;
	struct oldlog_clock clock;
	struct imported *to;
	int *fd; /* one a file: opened before root becomes another user */
};

/* ---- one file ------------------------------------------------------------ */

static int read_lines(struct log_run *r, int fd, struct log_import *l,
    struct file_hash *hash)
{
	struct csv lines;
	struct error err;
	int rc;

	csv_init(&lines, fd);
	while ((rc = csv_line(&lines, &err)) == CSV_RECORD_READ ||
	       rc == CSV_BAD) {
		if (rc == CSV_BAD) {
			log_import_bad_line(l);
			continue;
		}
		file_hash_add(hash, lines.field[0].p, lines.field[0].n);
		file_hash_add(hash, "\n", 1);
		if (log_import_line(l, lines.field[0], &err) != 0)
			break;
	}
	csv_fini(&lines);
	return rc == CSV_END && log_import_end(l, &err) == 0
		   ? CLI_DONE : cli_fail(r->c, "%s", err.text);
}

static void put_result(struct log_run *r, const char *name,
    const struct log_import_counts *n, bool again)
{
	struct cli *c = r->c;
	struct jout *j;

	if (!c->json) {
		if (again)
			out_say(&c->out, "%s: it was imported before, nothing "
			    "is counted twice", name);
		else
			out_say(&c->out, "%s: %" PRIu64 " lines, %" PRIu64
			    " messages of clients, %" PRIu64 " deliveries into "
			    "its own mailboxes, %" PRIu64 " lines not read",
			    name, n->lines, n->messages, n->inside, n->unread);
		return;
	}
	j = out_row(&c->out);
	jout_str(j, "file", name);
	jout_bool(j, "again", again);
	jout_int(j, "lines", (int64_t)n->lines);
	jout_int(j, "messages", (int64_t)n->messages);
	jout_int(j, "inside", (int64_t)n->inside);
	jout_int(j, "unread", (int64_t)n->unread);
	if (n->first_us != 0) {
		jout_time(j, "first", n->first_us);
		jout_time(j, "last", n->last_us);
	}
	out_row_end(&c->out);
}

static void show_unread(struct log_run *r, const char *name,
    const struct log_import_counts *n)
{
	for (uint64_t i = 0; i < n->unread && i < LOG_UNREAD_SHOWN; i++)
		out_say(&r->c->out, "  %s:%" PRIu64 ": not a line of %s: %s",
		    name, n->shown[i].line, log_format_name(r->format),
		    n->shown[i].text);
}

/* The file as a whole, or nothing of it. */
static int record(struct log_run *r, const char *name, const char *hash,
    const struct log_import_counts *n)
{
	const char *note = cli_value(r->c, "note");
	struct imported_file f = {.hash = hash, .name = name,
	    .format = log_format_name(r->format), .who = r->c->who,
	    .note = note == NULL ? "" : note, .time_us = r->clock.now_us,
	    .lines = n->lines, .unread = n->unread, .first_us = n->first_us,
	    .last_us = n->last_us};
	struct error err, ignored;
	int rc = n->lines > n->unread ? imported_put_file(r->to, &f, &err)
	    : error_set(&err, "%s: no line of it is one of %s", name,
		log_format_name(r->format));

	if (rc == 0 && imported_end(r->to, 0, &err) != 0)
		rc = -1;
	else if (rc != 0 && imported_end(r->to, -1, &ignored) == 0)
		rc = -1;
	if (rc < 0) {
		show_unread(r, name, n);
		return cli_fail(r->c, "%s", err.text);
	}
	put_result(r, name, n, rc == 1);
	show_unread(r, name, n);
	return CLI_DONE;
}

static int import_file(struct log_run *r, int fd, const char *name)
{
	struct file_hash *hash = file_hash_new();
	char text[FILE_HASH_TEXT];
	struct log_import *l;
	struct error err, ignored;
	int code;

	if (imported_begin(r->to, &err) != 0) {
		file_hash_end(hash, text);
		return cli_fail(r->c, "%s", err.text);
	}
	l = log_import_new(r->c->conf, r->to, r->format, &r->clock);
	code = read_lines(r, fd, l, hash);
	file_hash_end(hash, text);
	if (code == CLI_DONE)
		code = record(r, name, text, log_import_counts(l));
	else if (imported_end(r->to, -1, &ignored) == 0)
		code = CLI_NO;
	log_import_free(l);
	return code;
}

/* ---- the command --------------------------------------------------------- */

static int read_clock(struct log_run *r)
{
	const char *zone = cli_value(r->c, "zone");
	const char *year = cli_value(r->c, "year");
	struct error err;
	uint64_t n = 0;

	r->clock.now_us = clock_wall_us(&clock_system);
	r->clock.zone = zone == NULL
	    ? zone_load_system(r->c->arena, &err)
	    : zone_load(r->c->arena, slice_str(zone), &err);
	if (r->clock.zone == NULL)
		return cli_usage(r->c, "%s", err.text);
	if (year != NULL && (!slice_uint(slice_str(year), CIVIL_YEAR_MAX,
		&n) || n < CIVIL_YEAR_MIN))
		return cli_usage(r->c, "--year %s is no year, such as 2026",
		    year);
	r->clock.year = (int)n;
	return CLI_DONE;
}

static int read_format(struct log_run *r)
{
	const char *format = cli_value(r->c, "format");
	int found = format == NULL ? -1 : log_format_find(slice_str(format));

	if (found < 0)
		return cli_usage(r->c, "--format is exchange-tracking, postfix "
		    "or exim");
	r->format = (enum log_format)found;
	return CLI_DONE;
}

static int import_all(struct log_run *r)
{
	struct cli *c = r->c;
	struct error err;
	int code = CLI_DONE;

	if (cli_table_path(c) == NULL) /* as the user that owns the files */
		return CLI_NO;
	r->to = imported_open(c->conf->audit.path, true, &err);
	if (r->to == NULL)
		return cli_fail(c, "%s", err.text);
	for (int i = 0; i < c->args && code == CLI_DONE; i++)
		code = import_file(r, r->fd[i], c->arg[i]);
	imported_close(r->to);
	return code;
}

static int run_import(struct cli *c)
{
	struct log_run r = {.c = c};
	int opened = 0, code = read_format(&r);

	if (code == CLI_DONE)
		code = read_clock(&r);
	if (code != CLI_DONE)
		return code;
	if (cli_conf(c) == NULL)
		return CLI_NO;
	r.fd = arena_alloc(c->arena, (size_t)c->args * sizeof(*r.fd));
	for (; opened < c->args && code == CLI_DONE; opened++) {
		r.fd[opened] = cli_open_input(c, c->arg[opened]);
		if (r.fd[opened] < 0)
			code = CLI_NO;
	}
	if (code == CLI_DONE)
		code = import_all(&r);
	for (int i = 0; i < opened; i++)
		if (r.fd[i] > STDERR_FILENO)
			close(r.fd[i]);
	return code;
}

static const struct cli_option options[] = {
	{"format", "F", "exchange-tracking, postfix or exim."},
	{"zone", "ZONE", "Of times without an offset, as Europe/London; "
			 "without it the zone of this system."},
	{"year", "Y", "Of the first line, where syslog leaves it out; without "
		      "it the latest that is past."},
	{"note", "TEXT", "Kept with each file."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_straggler_import[] = {
	{.name = "stragglers import",
	    .args = "FILE...",
	    .summary = "Reads logs of the old server",
	    .details =
		"Its clients are listed beside those that were seen here: "
		"devices of the time before day one. Its deliveries into its "
		"own mailboxes (Exchange DELIVER; Postfix local, virtual, "
		"lmtp; Exim local transports) are what a verdict looks for. "
		"Name files in the order of their times; - is standard input, "
		"for files that are compressed. A file is taken in whole or "
		"not at all, and one that was taken in before counts for "
		"nothing. Lines that are not of the format are counted, and "
		"the first five shown. Logs say nothing of SPF: a client "
		"counts as legitimate where the server delivered its mail.",
	    .example = "posthouse stragglers import --format postfix --zone "
		       "Europe/Berlin /var/log/mail.log.1 /var/log/mail.log",
	    .options = options,
	    .min_args = 1,
	    .max_args = -1,
	    .run = run_import},
	{.name = NULL},
};
