/* SPDX-License-Identifier: ISC
 *
 * route import, export, diff: the cutover table as CSV.
 */
#include <inttypes.h>
#include <unistd.h>

#include "policy/row.h"
#include "relay/base/mem.h"
#include "relay/cli/route/route_commands.h"
#include "relay/cli/route/rows_csv.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_commit.h"
#include "relay/cli/table/cli_put.h"
#include "relay/cli/table/cli_table.h"

/* ---- import and diff -------------------------------------------------- */

/* Stages the file named first; CLI_DONE or what was said. */
static int stage_file(struct cli *c, struct change *ch, int fd)
{
	struct error err = {0};
	int rc;

	cli_watch_file(c, ch, c->arg[0], fd);
	rc = change_csv(ch, fd, &err);
	progress_clear(&c->bar);
	return rc < 0 ? cli_change_fail(c, ch, &err) : CLI_DONE;
}

static bool import_how(struct cli *c, struct change_how *how)
{
	const char *as_of = cli_value(c, "as-of");
	uint64_t number;

	*how = (struct change_how){
	    .create = true,
	    .as_of = -1,
	    .replace = cli_flag(c, "replace"),
	    .twice = cli_flag(c, "force"),
	};
	if (as_of == NULL)
		return true;
	if (!cli_number(c, as_of, &number))
		return false;
	if (!cli_flag(c, "force"))
		how->as_of = (int64_t)number;
	return true;
}

/* Opens the file before root becomes the table's owner, who may not be able
 * to read it. */
static struct change *open_both(struct cli *c, int *fd_out)
{
	struct change *ch;

	*fd_out = cli_open_input(c, c->arg[0]);
	if (*fd_out < 0)
		return NULL;
	ch = cli_change(c);
	if (ch == NULL)
		close(*fd_out);
	return ch;
}

static int run_import(struct cli *c)
{
	struct change_done done;
	struct change_how how;
	struct change *ch;
	int fd, code;

	if (!import_how(c, &how))
		return CLI_USAGE;
	ch = open_both(c, &fd);
	if (ch == NULL)
		return CLI_NO;
	code = stage_file(c, ch, fd);
	close(fd);
	if (code == CLI_DONE)
		code = cli_flag(c, "dry-run") ? cli_dry_run(c, ch, &how)
					      : cli_commit(c, ch, &how, &done);
	change_close(ch);
	return code;
}

static void show_pair(void *arg, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	cli_put_pair(arg, key, before, after);
}

static int run_diff(struct cli *c)
{
	struct change_how how = {.create = true, .as_of = -1, .twice = true};
	const struct change_show show = {show_pair, c};
	struct change_done done;
	struct error err = {0};
	struct change *ch;
	int fd, code;

	how.replace = cli_flag(c, "replace");
	ch = open_both(c, &fd);
	if (ch == NULL)
		return CLI_NO;
	code = stage_file(c, ch, fd);
	close(fd);
	out_table(&c->out, cli_pair_columns);
	if (code == CLI_DONE &&
	    change_preview(ch, &how, &show, &done, &err) < 0)
		code = cli_change_fail(c, ch, &err);
	else if (code == CLI_DONE && done.recipients > 0)
		code = CLI_NO;
	out_end(&c->out);
	change_close(ch);
	return code;
}

/* ---- export ----------------------------------------------------------- */

static int run_export(struct cli *c)
{
	const char *customer = cli_value(c, "customer");
	struct table *t;
	int code;

	if (customer != NULL && !cli_customer(c, customer))
		return CLI_NO;
	t = cli_table(c);
	if (t == NULL)
		return CLI_NO;
	code = rows_csv_export(c, t, c->out.to, customer, c->json);
	table_close(t);
	return code;
}

/* ---- the rows --------------------------------------------------------- */

static const struct cli_option import_options[] = {
	{"dry-run", NULL, "Shows what would change, and changes nothing."},
	{"replace", NULL, "Deletes rows of the domains in the file whose "
	    "addresses are not in it; asks first."},
	{"yes", NULL, "Asks nothing: above 1,000 rows on a terminal, or with "
	    "--replace."},
	{"timeout", "T", "Waits so long for another change's end (10s)."},
	{"as-of", "CHANGE", "Refuses rows whose route was changed after "
	    "that change."},
	{"force", NULL, "Changes those too, and gives groups and rooms a "
	    "copy."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

static const struct cli_option export_options[] = {
	{"customer", "C", "Rows of the domains of this customer."},
	{NULL, NULL, NULL},
};

static const struct cli_option diff_options[] = {
	{"replace", NULL, "Rows of the domains in the file whose addresses "
	    "are not in it differ too."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_route_file[] = {
	{
	    .name = "route import",
	    .args = "FILE|-",
	    .summary = "Writes the rows of a CSV file in one change",
	    .details = "The header names the columns: address, route, "
		       "mailbox, tags, LEG_address.\nAbsent columns keep "
		       "their values, empty cells clear them. If a line is "
		       "wrong,\nnothing is imported: all such lines are "
		       "counted, and the first twenty named.",
	    .example = "posthouse route import users.csv --as-of 41 "
		       "--note 'from the directory'",
	    .options = import_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_import,
	},
	{
	    .name = "route export",
	    .args = "",
	    .summary = "Prints all rows as CSV that `route import` reads",
	    .example = "posthouse route export >users.csv",
	    .options = export_options,
	    .run = run_export,
	},
	{
	    .name = "route diff",
	    .args = "FILE|-",
	    .summary = "Shows where a CSV file and the table differ; exits 1 "
		       "if they do",
	    .example = "posthouse route diff users.csv",
	    .options = diff_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_diff,
	},
	{.name = NULL},
};
