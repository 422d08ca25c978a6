/* SPDX-License-Identifier: ISC
 *
 * undo: takes a change back, and names what was written since and stays.
 */
#include <inttypes.h>

#include "relay/base/mem.h"
#include "relay/cli/replay/replay_back.h"
#include "relay/cli/route/route_commands.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_commit.h"
#include "relay/cli/table/cli_put.h"
#include "relay/cli/table/cli_table.h"

static const struct out_column left_columns[] = {
	{"address", "STAYS", false},
	{"column", "COLUMN", false},
	{"value", "VALUE", false},
	{NULL, NULL, false},
};

static void put_left(void *arg, struct slice key, const char *column,
    const char *value, const struct table_value *now)
{
	struct cli *c = arg;
	struct jout *j = out_row(&c->out);

	jout_slice(j, "address", key);
	jout_str(j, "column", column);
	jout_str(j, "value", value);
	cli_put_value(j, "now", now);
	out_row_end(&c->out);
}

/* Names what was written since and stays. */
static int show_left(struct cli *c, struct change *ch, uint64_t undone,
    const struct change_done *done)
{
	struct error err = {0};
	int rc;

	if (done->left == 0)
		return CLI_DONE;
	out_say(&c->out, "%" PRIu64 " recipient%s changed since then, and "
	    "this stays:", done->left, done->left == 1 ? " was" : "s were");
	out_table(&c->out, left_columns);
	rc = change_left(ch, undone, put_left, c, &err);
	out_end(&c->out);
	if (rc < 0)
		return cli_fail(c, "%s", err.text);
	return done->recipients > 0 ? CLI_DONE : CLI_NO;
}

/* When it was made; CLI_DONE. */
static int time_of(struct cli *c, uint64_t change, int64_t *us_out)
{
	struct table *t = cli_table(c);
	struct table_change made;
	struct arena *a = arena_new();
	struct error err = {0};
	int code = CLI_NO, rc;

	if (t != NULL) {
		rc = table_change_get(t, change, a, &made, &err);
		if (rc > 0) {
			*us_out = made.time_us;
			code = CLI_DONE;
		} else {
			code = cli_fail(c, rc < 0 ? "%s"
			    : "there is no such change%s", err.text);
		}
	}
	table_close(t);
	arena_free(a);
	return code;
}

/* Mail that is not kept is named before anything is changed. */
static int preview_replay(struct cli *c, struct change *ch,
    const struct change_how *how, struct replay_back **b_out)
{
	struct change_show show = {.fn = replay_back_row};
	struct change_done done;
	struct error err;
	int64_t since_us = 0;
	int code;

	if (!cli_flag(c, "replay") || cli_flag(c, "dry-run"))
		return CLI_DONE;
	code = time_of(c, how->undo, &since_us);
	if (code != CLI_DONE)
		return code;
	*b_out = show.arg = replay_back_new(c, since_us, "");
	if (change_preview(ch, how, &show, &done, &err) < 0)
		return cli_change_fail(c, ch, &err);
	return replay_back_preview(*b_out);
}

static int run_undo(struct cli *c)
{
	struct change_how how = {.as_of = -1};
	struct change_done done = {0};
	struct replay_back *back = NULL;
	struct change *ch;
	int code;

	if (!cli_number(c, c->arg[0], &how.undo))
		return CLI_USAGE;
	if (how.undo == 0)
		return cli_usage(c, "changes are counted from 1");
	ch = cli_change(c);
	if (ch == NULL)
		return CLI_NO;
	code = preview_replay(c, ch, &how, &back);
	if (code == CLI_DONE)
		code = cli_flag(c, "dry-run") ? cli_dry_run(c, ch, &how)
					      : cli_commit(c, ch, &how, &done);
	if (code == CLI_DONE)
		code = show_left(c, ch, how.undo, &done);
	change_close(ch);
	if (code == CLI_DONE && back != NULL)
		code = replay_back_start(back, done.change);
	replay_back_free(back);
	return code;
}

static const struct cli_option undo_options[] = {
	{"replay", NULL, "What a leg got meanwhile goes to the legs that have "
	    "the recipients again; see `posthouse replay --help`."},
	{"dry-run", NULL, "Shows what would change, and changes nothing."},
	{"timeout", "T", "Waits so long for another change's end (10s)."},
	{"yes", NULL, "Asks nothing: above 1,000 rows on a terminal, or where "
	    "rows of domains would go."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_undo[] = {
	{
	    .name = "undo",
	    .args = "CHANGE",
	    .summary = "Takes a change back, column by column",
	    .details = "Each column that the change altered and that still "
		       "has its value gets the old one\nback; of the tags "
		       "those that it added or took, of the addresses each "
		       "leg's. A row\nthat it made goes if nothing else was "
		       "written to it. What stays is named.",
	    .example = "posthouse undo 42 --note 'cloud mailboxes were not "
		       "ready'",
	    .options = undo_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_undo,
	},
	{.name = NULL},
};
