/* SPDX-License-Identifier: ISC
 *
 * route import: rows from CSV, and from what directories and other mail servers
 * write (doc/import.md).
 */
#include <inttypes.h>
#include <unistd.h>

#include "policy/import/stage/import_stage.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cli/route/route_commands.h"
#include "relay/cli/table/cli_agree.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_commit.h"
#include "relay/cli/table/cli_table.h"
#include "relay/mail/domain.h"

enum { KEPT_NAMED = 20 };

/* Users of a system, as distributions number them. */
enum { UID_MIN = 1000, UID_MAX = 60000 };

struct route_import {
	struct cli *c;
	struct import_how from;
	struct import_staging staging;
	struct change_how how;
	uint64_t kept; /* rows that were told to keep their route */
};

/* ---- the command line --------------------------------------------------- */

/* Rows of a directory are told apart from those that people wrote: a CSV file
 * with a route in each row means what it says. */
static bool is_directory(const struct route_import *im)
{
	return im->from.format != IMPORT_CSV || im->from.route != NULL;
}

static int read_format(struct route_import *im)
{
	const char *text = cli_value(im->c, "format");
	int format = text == NULL ? IMPORT_CSV : import_format_of(text);

	if (format < 0)
		return cli_usage(im->c, "--format %s: a format is csv, "
		    "exchange, google, postfix-transport, postfix-virtual or "
		    "passwd", text);
	im->from.format = (enum import_format)format;
	im->from.route = cli_value(im->c, "route");
	return CLI_DONE;
}

static int read_domain(struct route_import *im)
{
	const char *text = cli_value(im->c, "domain");
	bool virtual = im->from.format == IMPORT_VIRTUAL;
	const struct conf_domain *d = NULL;
	struct strbuf name;

	if (text == NULL && im->from.format == IMPORT_PASSWD)
		return cli_usage(im->c, "passwd has names alone: say by "
		    "--domain at which domain they are");
	if (text == NULL)
		return CLI_DONE;
	if (!virtual && im->from.format != IMPORT_PASSWD)
		return cli_usage(im->c, "--domain is for postfix-virtual and "
		    "passwd, whose names have none");
	strbuf_init(&name, ADDR_MAX);
	if (domain_normal(slice_str(text), &name))
		d = conf_domain(im->from.conf, strbuf_view(&name));
	strbuf_fini(&name);
	if (d == NULL)
		return cli_fail(im->c, "--domain %s: the configuration has no "
		    "such domain", text);
	im->from.domain = d->name;
	return CLI_DONE;
}

/* "1000-60000". */
static int read_uids(struct route_import *im)
{
	const char *text = cli_value(im->c, "uid");
	struct slice rest = slice_str(text), from;

	im->from.uid_min = UID_MIN;
	im->from.uid_max = UID_MAX;
	if (text == NULL)
		return CLI_DONE;
	if (im->from.format != IMPORT_PASSWD)
		return cli_usage(im->c, "--uid is for --format passwd");
	if (slice_next(&rest, '-', &from) &&
	    slice_uint(from, UINT32_MAX, &im->from.uid_min) &&
	    slice_uint(rest, UINT32_MAX, &im->from.uid_max) &&
	    im->from.uid_min <= im->from.uid_max)
		return CLI_DONE;
	return cli_usage(im->c, "--uid %s: a range is written 1000-60000",
	    text);
}

/* The newest change that the file can know of: its number, or the time when it
 * was written. */
static int read_as_of(struct route_import *im, struct change *ch)
{
	const char *text = cli_value(im->c, "as-of");
	struct error err = {0};
	uint64_t number = 0;
	int64_t at_us;

	im->how.as_of = -1;
	if (text == NULL)
		return CLI_DONE;
	if (!slice_uint(slice_str(text), INT64_MAX, &number)) {
		if (clock_parse(slice_str(text), clock_wall_us(&clock_system),
			&at_us) < 0)
			return cli_usage(im->c, "--as-of %s: it is the number "
			    "of a change, or a time such as "
			    "2026-11-22T05:00:00Z or -7d", text);
		if (change_at(ch, at_us, &number, &err) < 0)
			return cli_fail(im->c, "%s", err.text);
	}
	if (!cli_flag(im->c, "force"))
		im->how.as_of = (int64_t)number;
	return CLI_DONE;
}

/* Known rows get another route where both are said: which, and how old it may
 * be. A transport map says the route of each line. */
static int read_known(struct route_import *im)
{
	bool as_of = cli_flag(im->c, "as-of");
	bool says = im->from.route != NULL ||
		    im->from.format == IMPORT_TRANSPORT;

	im->staging.known = as_of && says;
	if (as_of && !says && is_directory(im))
		return cli_usage(im->c, "--as-of lets rows that the table has "
		    "get another route: say by --route which one");
	return CLI_DONE;
}

static int read_options(struct route_import *im)
{
	int code;

	im->from.conf = cli_conf(im->c);
	if (im->from.conf == NULL)
		return CLI_NO;
	if ((code = read_format(im)) != CLI_DONE ||
	    (code = read_domain(im)) != CLI_DONE ||
	    (code = read_uids(im)) != CLI_DONE)
		return code;
	im->how.create = true;
	im->how.replace = cli_flag(im->c, "replace");
	im->how.twice = cli_flag(im->c, "force");
	im->how.keep = im->how.join = is_directory(im);
	im->how.inherit = im->from.format != IMPORT_CSV;
	im->how.mailbox_of = im->from.format == IMPORT_VIRTUAL;
	return read_known(im);
}

/* ---- rows that stay, and what is left out ------------------------------- */

static void put_kept(struct cli *c, struct slice key, const char *route,
    const char *said)
{
	struct jout *j = out_row(&c->out);

	jout_slice(j, "address", key);
	jout_str(j, "kept", route);
	jout_str(j, "said", said);
	out_row_end(&c->out);
}

static void on_kept(void *arg, struct slice key, const char *route,
    const char *said)
{
	struct route_import *im = arg;

	if (im->c->json && cli_flag(im->c, "dry-run"))
		put_kept(im->c, key, route, said);
	if (im->kept++ >= KEPT_NAMED)
		return;
	progress_clear(&im->c->bar);
	if (route == NULL)
		cli_fail(im->c, "%.*s stays deleted", (int)key.n, key.p);
	else
		cli_fail(im->c, "%.*s keeps %s%s%s", (int)key.n, key.p, route,
		    said == NULL ? ", and is not in the file" : ", not ",
		    said == NULL ? "" : said);
}

static void say_kept(const struct route_import *im)
{
	if (im->kept == 0)
		return;
	if (im->how.as_of >= 0)
		cli_fail(im->c, "%" PRIu64 " row%s as a change after %" PRId64
		    " left %s%s", im->kept, im->kept == 1 ? " stays" : "s stay",
		    im->how.as_of, im->kept == 1 ? "it" : "them",
		    im->kept > KEPT_NAMED ? ", the first 20 are named" : "");
	else
		cli_fail(im->c, "%" PRIu64 " row%s the route that the table "
		    "has%s; --as-of and --route let the file change it",
		    im->kept, im->kept == 1 ? " keeps" : "s keep",
		    im->kept > KEPT_NAMED ? ", the first 20 are named" : "");
}

static void say_left_out(const struct route_import *im)
{
	const struct import_counts *n = &im->staging.counts;

	if (n->foreign > 0)
		cli_fail(im->c, "left out: %" PRIu64 " address%s at domains "
		    "that the configuration does not have, such as %s",
		    n->foreign, n->foreign == 1 ? "" : "es",
		    n->first_foreign);
	if (n->nameless > 0)
		cli_fail(im->c, "left out: %" PRIu64 " entr%s without a mail "
		    "address", n->nameless, n->nameless == 1 ? "y" : "ies");
	if (n->passed > 0)
		cli_fail(im->c, "left out: %" PRIu64 " line%s that name%s no "
		    "recipient of ours", n->passed, n->passed == 1 ? "" : "s",
		    n->passed == 1 ? "s" : "");
}

/* ---- the change --------------------------------------------------------- */

/* Stages the file; CLI_DONE or what was said. */
static int stage_file(struct route_import *im, struct change *ch)
{
	struct cli *c = im->c;
	struct error err = {0};
	int rc;

	cli_watch_file(c, ch, c->arg[0], im->staging.fd);
	if (im->from.format != IMPORT_CSV) {
		rc = import_stage(ch, &im->staging, &err);
	} else {
		if (im->from.route != NULL)
			change_csv_route(ch, im->from.route,
			    im->staging.known);
		rc = change_csv(ch, im->staging.fd, &err);
	}
	progress_clear(&c->bar);
	return rc < 0 ? cli_change_fail(c, ch, &err) : CLI_DONE;
}

static int make(struct route_import *im, struct change *ch)
{
	const struct change_kept kept = {on_kept, im};
	struct change_done done;
	bool dry = cli_flag(im->c, "dry-run");
	int code = dry ? CLI_DONE : cli_agree(im->c, ch, &im->how);

	if (code != CLI_DONE)
		return code;
	im->how.kept = &kept;
	code = dry ? cli_dry_run(im->c, ch, &im->how)
		   : cli_make(im->c, ch, &im->how, &done);
	if (code != CLI_DONE)
		return code;
	say_kept(im);
	say_left_out(im);
	return CLI_DONE;
}

static int run_import(struct cli *c)
{
	struct route_import im = {.c = c, .staging.how = &im.from};
	struct change *ch;
	int code = read_options(&im);

	if (code != CLI_DONE)
		return code;
	ch = cli_change_from(c, c->arg[0], &im.staging.fd);
	if (ch == NULL)
		return CLI_NO;
	code = read_as_of(&im, ch);
	if (code == CLI_DONE)
		code = stage_file(&im, ch);
	close(im.staging.fd);
	if (code == CLI_DONE)
		code = make(&im, ch);
	change_close(ch);
	return code;
}

/* ---- the row ------------------------------------------------------------ */

static const struct cli_option import_options[] = {
	{"format", "F", "csv (the default), exchange, google, "
	    "postfix-transport, postfix-virtual or passwd."},
	{"route", "R", "The route of new rows for which the file says none; "
	    "with --as-of of known rows too."},
	{"domain", "D", "The domain of names without one: of passwd, and in a "
	    "postfix-virtual map."},
	{"uid", "FROM-TO", "Users of passwd that are taken (1000-60000)."},
	{"dry-run", NULL, "Shows what would change, and changes nothing."},
	{"replace", NULL, "Deletes rows of the domains in the file whose "
	    "addresses are not in it; asks first."},
	{"yes", NULL, "Asks nothing: above 1,000 rows on a terminal, or with "
	    "--replace."},
	{"timeout", "T", "Waits so long for another change's end (10s)."},
	{"as-of", "CHANGE|TIME", "The newest change that the file knows of, or "
	    "when it was written. A CSV file with a route column: the import "
	    "is refused if a row's route was changed after that. Otherwise "
	    "such rows keep their route, and older ones get that of --route "
	    "(postfix-transport: of their line)."},
	{"force", NULL, "Changes those too, and gives groups and rooms a "
	    "copy."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_route_import[] = {
	{
	    .name = "route import",
	    .args = "FILE|-",
	    .summary = "Writes the rows of a file in one change",
	    .details = "The header of a CSV file names the columns: address, "
		       "route, mailbox, tags,\nLEG_address. Absent columns "
		       "keep their values, empty cells clear them.\n"
		       "Files of the other formats say which recipients there "
		       "are: rows that the table\nhas keep their route, new "
		       "ones get that of --route, else that of their mailbox,\n"
		       "else that of their domain. If a line is wrong, "
		       "nothing is imported: all such\nlines are counted, and "
		       "the first twenty named.",
	    .example = "posthouse route import users.csv --as-of 41 "
		       "--note 'from the directory'\n"
		       "posthouse route import recipients.csv --format "
		       "exchange --dry-run\n"
		       "posthouse route import /etc/passwd --format passwd "
		       "--domain example.com",
	    .options = import_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_import,
	},
	{.name = NULL},
};
