/* SPDX-License-Identifier: ISC
 *
 * flip, hold, release: changes over many rows.
 */
#include "relay/cli/route/flip_wait.h"
#include "relay/cli/route/route_commands.h"
#include "relay/cli/table/choice.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_commit.h"

/* ---- making it -------------------------------------------------------- */

static int make(struct cli *c, const struct choice *choice,
    const struct change_row *row, struct change_done *done)
{
	struct change_how how = {
	    .create = cli_flag(c, "create"),
	    .inherit = cli_flag(c, "create") && row->route == NULL,
	    .mailboxes = !cli_flag(c, "only-address"),
	    .as_of = -1,
	    .twice = row->route == NULL || cli_flag(c, "force"),
	};
	struct change *ch = cli_change(c);
	int code;

	if (ch == NULL)
		return CLI_NO;
	code = choice_stage(c, ch, choice, row);
	if (code == CLI_DONE)
		code = cli_flag(c, "dry-run") ? cli_dry_run(c, ch, &how)
					      : cli_commit(c, ch, &how, done);
	change_close(ch);
	return code;
}

static int make_and_wait(struct cli *c, int first,
    const struct change_row *row)
{
	bool waits = cli_flag(c, "wait") && !cli_flag(c, "dry-run");
	struct change_done done = {0};
	struct choice choice;
	int code = choice_read(c, first, &choice);

	if (code == CLI_DONE && waits)
		code = flip_can_wait(c);
	if (code == CLI_DONE)
		code = make(c, &choice, row, &done);
	choice_end(&choice);
	if (code == CLI_DONE && waits)
		code = flip_wait(c, done.change);
	return code;
}

static int run_flip(struct cli *c)
{
	struct change_row row = {.route = c->arg[0], .held = -1};

	return make_and_wait(c, 1, &row);
}

static int run_hold(struct cli *c)
{
	struct change_row row = {.held = 1};

	return make_and_wait(c, 0, &row);
}

static int run_release(struct cli *c)
{
	struct change_row row = {.held = 0};

	return make_and_wait(c, 0, &row);
}

/* ---- the rows --------------------------------------------------------- */

#define CHOICE                                                              \
	{"file", "FILE", "Addresses, one a line; - for standard input."},   \
	{"tag", "TAG", "All rows that bear the tag."},                      \
	{"wave", "WAVE", "The members of a wave."},                         \
	{"where", "EXPR", "Rows that fit; see EXPRESSIONS in "              \
	    "posthouse(1)."},                                               \
	{"customer", "C", "Of those, rows of the domains of one customer."}, \
	{"all", "DOMAIN", "All rows of a domain, its default too."},        \
	{"only-address", NULL, "Not the other addresses of their "          \
	    "mailboxes."},                                                  \
	{"dry-run", NULL, "Shows what would change, and changes nothing."}, \
	{"yes", NULL, "Asks nothing: above 1,000 rows on a terminal, or "    \
	    "with rows of several customers."},                             \
	{"timeout", "T", "Waits so long for another change's end (10s), "   \
	    "and with --wait for that of attempts (no limit)."},            \
	{"note", "TEXT", "Why, for the history."}

static const struct cli_option flip_options[] = {
	CHOICE,
	{"create", NULL, "Makes rows for addresses that have none."},
	{"force", NULL, "Gives groups and rooms (tag kind=group, kind=room) a "
	    "copy too."},
	{"wait", NULL, "Returns when nothing to the old leg is under way; "
	    "without the daemon nothing is changed."},
	{NULL, NULL, NULL},
};

static const struct cli_option hold_options[] = {
	CHOICE,
	{"create", NULL, "Makes rows, with the route of their domain, for "
	    "addresses that have none."},
	{"wait", NULL, "Returns when nothing for them is under way; "
	    "without the daemon nothing is changed."},
	{NULL, NULL, NULL},
};

static const struct cli_option release_options[] = {
	CHOICE,
	{"wait", NULL, "Returns when nothing for them is under way; "
	    "without the daemon nothing is changed."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_flip[] = {
	{
	    .name = "flip",
	    .args = "ROUTE (ADDR... | --file F | --tag T | --where E | "
		    "--wave W | --all D)",
	    .summary = "Moves recipients to a route, with all addresses of "
		       "their mailboxes",
	    .details = "An expression: client=apple-mail and leg = legacy "
		       "and not (vip or held).\nA word that is no column is a "
		       "tag. Rows of domains are moved by name or by --all "
		       "only.",
	    .example = "posthouse flip cloud ann@example.com --wait\n"
		       "posthouse flip cloud --where 'wave-1 and not vip'",
	    .options = flip_options,
	    .min_args = 1,
	    .max_args = -1,
	    .run = run_flip,
	},
	{.name = NULL},
};

const struct cli_command cmd_hold[] = {
	{
	    .name = "hold",
	    .args = "ADDR... | --file F | --tag T | --where E | --wave W | "
		    "--all D",
	    .summary = "Accepts their mail and delivers none of it",
	    .example = "posthouse hold ann@example.com --wait",
	    .options = hold_options,
	    .max_args = -1,
	    .run = run_hold,
	},
	{
	    .name = "release",
	    .args = "ADDR... | --file F | --tag T | --where E | --wave W | "
		    "--all D",
	    .summary = "Lets held mail go, oldest first, by the route as it "
		       "is now",
	    .example = "posthouse release ann@example.com",
	    .options = release_options,
	    .max_args = -1,
	    .run = run_release,
	},
	{.name = NULL},
};
