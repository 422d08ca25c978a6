/* SPDX-License-Identifier: ISC
 *
 * table backup, table accept: the cutover table as a file.
 *
 * The daemon refuses a table whose change number is below the last one that
 * its journal knows: it is an old copy, and its routes are those of then.
 * Accepting gives it a number above, by a change of its own.
 */
#include <inttypes.h>

#include "policy/change/table_make.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_table.h"
#include "relay/cli/table/table_commands.h"

static int run_backup(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	struct error err = {0};

	if (conf == NULL)
		return CLI_NO;
	if (table_backup(conf->table.path, c->arg[0], &err) < 0)
		return cli_fail(c, "%s", err.text);
	out_say(&c->out, "%s is a copy of %s", c->arg[0], conf->table.path);
	return CLI_DONE;
}

static void take_known(void *arg, json_t *row)
{
	const char *section = json_string_value(
	    json_object_get(row, "section"));

	if (section != NULL && strcmp(section, "table") == 0)
		*(uint64_t *)arg = (uint64_t)json_integer_value(
		    json_object_get(row, "change"));
}

/* The number that the table must come to lie above. */
static int known_number(struct cli *c, uint64_t *above_out)
{
	const char *above = cli_value(c, "above");

	*above_out = 0;
	if (above != NULL)
		return cli_number(c, above, above_out) ? CLI_DONE : CLI_USAGE;
	return cli_call(c, "status", NULL, take_known, above_out);
}

static int run_accept(struct cli *c)
{
	struct change_by by = {c->who, c->host, "table accept",
		cli_value(c, "note")};
	struct change_done done;
	struct error err = {0};
	struct change *ch;
	uint64_t above;
	int code = known_number(c, &above);

	if (code != CLI_DONE)
		return code;
	ch = cli_change(c);
	if (ch == NULL)
		return CLI_NO;
	if (change_accept(ch, above, &by, &done, &err) < 0)
		code = cli_fail(c, "%s", err.text);
	else
		out_say(&c->out, "change %" PRIu64 ": the table is taken as "
		    "it is", done.change);
	if (code == CLI_DONE && c->json) {
		jout_int(out_row(&c->out), "change", (int64_t)done.change);
		out_row_end(&c->out);
	}
	change_close(ch);
	return code;
}

static const struct cli_option accept_options[] = {
	{"above", "CHANGE", "The last number that was known; without it the "
	    "daemon is asked."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_table[] = {
	{
	    .name = "table backup",
	    .args = "FILE",
	    .summary = "Copies the cutover table to a new file, also while "
		       "the daemon runs",
	    .example = "posthouse table backup /var/backups/cutover.db",
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_backup,
	},
	{
	    .name = "table accept",
	    .args = "",
	    .summary = "Takes a restored table as it is, though it is older "
		       "than what was known",
	    .example = "posthouse table accept --note 'restored from "
		       "Monday'",
	    .options = accept_options,
	    .run = run_accept,
	},
	{.name = NULL},
};
