/* SPDX-License-Identifier: ISC
 *
 * route export and diff: the cutover table as CSV.
 */
#include <inttypes.h>
#include <unistd.h>

#include "policy/row.h"
#include "relay/base/mem.h"
#include "relay/cli/route/route_commands.h"
#include "relay/cli/route/rows_csv.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_put.h"
#include "relay/cli/table/cli_table.h"

/* ---- diff ------------------------------------------------------------- */

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
	ch = cli_change_from(c, c->arg[0], &fd);
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
