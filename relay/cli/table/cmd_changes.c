/* SPDX-License-Identifier: ISC
 *
 * changes list, changes show: the history of the cutover table.
 */
#include <inttypes.h>

#include "relay/base/mem.h"
#include "relay/cli/table/cli_put.h"
#include "relay/cli/table/cli_table.h"
#include "relay/cli/table/table_commands.h"

static const struct out_column list_columns[] = {
	{"change", "CHANGE", true},
	{"time", "TIME", false},
	{"who", "WHO", false},
	{"host", "HOST", false},
	{"command", "COMMAND", false},
	{"undid", "UNDID", true},
	{"recipients", "RECIPIENTS", true},
	{"kind", "KIND", false},
	{"node", "NODE", true},
	{"wave", "WAVE", false},
	{"note", "NOTE", false},
	{NULL, NULL, false},
};

static void put_change(void *arg, const struct table_change *ch)
{
	struct cli *c = arg;
	struct jout *j = out_row(&c->out);

	cli_put_change(j, ch);
	jout_int(j, "recipients", (int64_t)ch->recipients);
	jout_str(j, "kind", ch->kind);
	jout_int(j, "node", ch->node);
	if (ch->wave[0] != '\0')
		jout_str(j, "wave", ch->wave);
	jout_str(j, "note", ch->note);
	jout_str(j, "head", ch->head);
	out_row_end(&c->out);
}

/* Where a list of the last `n` begins. */
static int64_t start_of(struct table *t, uint64_t n, struct error *err)
{
	int64_t newest = table_change(t, err);

	if (newest < 0)
		return -1;
	return (uint64_t)newest > n ? newest - (int64_t)n : 0;
}

static int run_list(struct cli *c)
{
	const char *last = cli_value(c, "last");
	struct table_changes_page page = {.limit = INT32_MAX,
	    .fn = put_change, .arg = c};
	uint64_t n = INT64_MAX;
	struct error err;
	struct table *t;
	int64_t start;
	int code = CLI_DONE;

	if (last != NULL && !slice_uint(slice_str(last), INT64_MAX, &n))
		return cli_usage(c, "--last wants a number, not %s", last);
	t = cli_table(c);
	if (t == NULL)
		return CLI_NO;
	out_table(&c->out, list_columns);
	start = start_of(t, n, &err);
	page.after = (uint64_t)start;
	if (start < 0 || table_changes(t, &page, &err) < 0)
		code = cli_fail(c, "%s", err.text);
	out_end(&c->out);
	table_close(t);
	return code;
}

static void put_row(void *arg, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	cli_put_pair(arg, key, before, after);
}

static int show(struct cli *c, struct table *t, uint64_t number,
    struct arena *a)
{
	struct table_change ch;
	struct error err;
	int rc = table_change_get(t, number, a, &ch, &err);

	if (rc == 0)
		return cli_fail(c, "there is no change %" PRIu64, number);
	if (rc > 0) {
		out_table(&c->out, list_columns);
		put_change(c, &ch);
		out_end(&c->out);
		out_table(&c->out, cli_pair_columns);
		rc = table_change_rows(t, number, put_row, c, &err);
		out_end(&c->out);
	}
	return rc < 0 ? cli_fail(c, "%s", err.text) : CLI_DONE;
}

static int run_show(struct cli *c)
{
	struct arena *a;
	struct table *t;
	uint64_t number;
	int code;

	if (!cli_number(c, c->arg[0], &number))
		return CLI_USAGE;
	t = cli_table(c);
	if (t == NULL)
		return CLI_NO;
	a = arena_new();
	code = show(c, t, number, a);
	arena_free(a);
	table_close(t);
	return code;
}

static const struct cli_option list_options[] = {
	{"last", "N", "Only the newest N."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_changes[] = {
	{
	    .name = "changes list",
	    .args = "",
	    .summary = "Lists the changes of the cutover table, oldest first",
	    .example = "posthouse changes list --last 10",
	    .options = list_options,
	    .run = run_list,
	},
	{
	    .name = "changes show",
	    .args = "CHANGE",
	    .summary = "Shows one change: who, when, why, and every row's "
		       "old and new value",
	    .example = "posthouse changes show 42",
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_show,
	},
	{.name = NULL},
};
