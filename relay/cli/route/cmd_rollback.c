/* SPDX-License-Identifier: ISC
 *
 * rollback: takes flips back across changes, by recipients and time, and
 * names what was written since and stays.
 */
#include <inttypes.h>

#include "policy/change/back/rollback.h"
#include "relay/base/clock.h"
#include "relay/cli/replay/replay_back.h"
#include "relay/cli/route/route_commands.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_commit.h"
#include "relay/cli/table/cli_table.h"

static const struct out_column left_columns[] = {
	{"address", "STAYS", false},
	{"column", "COLUMN", false},
	{"value", "VALUE", false},
	{NULL, NULL, false},
};

static void put_left(void *arg, struct slice key, const char *column,
    const char *value)
{
	struct cli *c = arg;
	struct jout *j = out_row(&c->out);

	jout_slice(j, "address", key);
	jout_str(j, "column", column);
	jout_str(j, "value", value);
	out_row_end(&c->out);
}

static int show_left(struct cli *c, const struct rollback *rb,
    const struct change_done *done)
{
	const struct rollback_stays stays = {put_left, c};

	if (done->left == 0)
		return CLI_DONE;
	out_say(&c->out, "%" PRIu64 " recipient%s changed since then, and "
	    "this stays:", done->left, done->left == 1 ? " was" : "s were");
	out_table(&c->out, left_columns);
	rollback_left(rb, &stays);
	out_end(&c->out);
	return done->recipients > 0 ? CLI_DONE : CLI_NO;
}

/* Mail that is not kept is named before anything is changed. */
static int preview_replay(struct cli *c, struct change *ch,
    const struct change_how *how, struct replay_back *b)
{
	const struct change_show show = {replay_back_row_across, b};
	struct change_done done;
	struct error err;

	if (b == NULL)
		return CLI_DONE;
	if (change_preview(ch, how, &show, &done, &err) < 0)
		return cli_change_fail(c, ch, &err);
	return replay_back_preview(b);
}

/* `back`: NULL when nothing is to be replayed. */
static int take_back(struct cli *c, struct rollback *rb,
    struct replay_back *back)
{
	const struct change_part part = {.stage = rollback_stage, .arg = rb};
	const struct change_how how = {.as_of = -1, .kind = "rollback",
	    .part = &part};
	struct change_done done = {0};
	struct change *ch = cli_change(c);
	int code;

	if (ch == NULL)
		return CLI_NO;
	code = preview_replay(c, ch, &how, back);
	if (code == CLI_DONE)
		code = cli_flag(c, "dry-run") ? cli_dry_run(c, ch, &how)
					      : cli_commit(c, ch, &how, &done);
	if (code == CLI_DONE)
		code = show_left(c, rb, &done);
	change_close(ch);
	if (code == CLI_DONE && back != NULL)
		code = replay_back_start(back, done.change);
	return code;
}

static int read_where(struct cli *c, struct where **where_out)
{
	const char *text = cli_value(c, "where");
	const char *customer = cli_value(c, "customer");
	struct error err;

	*where_out = where_parse(slice_str(text), &err);
	if (*where_out == NULL)
		return cli_usage(c, "%s", err.text);
	if (customer == NULL)
		return CLI_DONE;
	if (!cli_customer(c, customer))
		return CLI_NO;
	if (where_narrow(*where_out, WHERE_CUSTOMER, slice_str(customer),
		&err) < 0)
		return cli_usage(c, "%s", err.text);
	return CLI_DONE;
}

static int read_since(struct cli *c, int64_t *since_us_out)
{
	const char *text = cli_value(c, "since");

	if (clock_parse(slice_str(text), clock_wall_us(&clock_system),
		since_us_out) == 0)
		return CLI_DONE;
	return cli_usage(c, "--since %s: a time is 2026-11-22T05:00:00Z, "
	    "'2026-11-22 05:00' (local), -2h, -3d, yesterday or now", text);
}

static int run_rollback(struct cli *c)
{
	struct rollback_since what = {
	    .only_address = cli_flag(c, "only-address"),
	};
	struct rollback *rb;
	struct replay_back *back = NULL;
	struct where *where = NULL;
	int code;

	if (!cli_flag(c, "where") || !cli_flag(c, "since"))
		return cli_usage(c, "say whose flips by --where, and since "
		    "when by --since; posthouse undo takes one change back");
	code = read_where(c, &where);
	if (code == CLI_DONE)
		code = read_since(c, &what.since_us);
	if (code == CLI_DONE) {
		rb = rollback_new();
		what.where = where;
		rollback_since(rb, &what);
		if (cli_flag(c, "replay") && !cli_flag(c, "dry-run"))
			back = replay_back_new(c, what.since_us, "");
		code = take_back(c, rb, back);
		replay_back_free(back);
		rollback_free(rb);
	}
	where_free(where);
	return code;
}

static const struct cli_option rollback_options[] = {
	{"where", "EXPR", "Rows that fit now; see EXPRESSIONS in "
	    "posthouse(1)."},
	{"since", "T", "Flips since then: RFC 3339, '2026-11-22 05:00', -2h, "
	    "-3d, yesterday."},
	{"customer", "C", "Of those, rows of the domains of one customer."},
	{"only-address", NULL, "Not the other addresses of their "
	    "mailboxes."},
	{"replay", NULL, "What a leg got meanwhile goes to the legs that have "
	    "the recipients again; see `posthouse replay --help`."},
	{"dry-run", NULL, "Shows what would change, and changes nothing."},
	{"timeout", "T", "Waits so long for another change's end (10s)."},
	{"yes", NULL, "Asks nothing: above 1,000 rows on a terminal, or "
	    "with rows of several customers."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_rollback[] = {
	{
	    .name = "rollback",
	    .args = "--where E --since T",
	    .summary = "Takes the flips of recipients back, across changes",
	    .details = "Each recipient gets back what it had before its own "
		       "first flip since then, column\nby column as by undo, "
		       "whatever change or wave that was. Flips that were "
		       "undone do\nnot count. What was written since stays "
		       "and is named.",
	    .example = "posthouse rollback --where client=apple-mail --since "
		       "-12h --note 'no calendars'",
	    .options = rollback_options,
	    .run = run_rollback,
	},
	{.name = NULL},
};
