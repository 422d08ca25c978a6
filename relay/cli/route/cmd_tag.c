/* SPDX-License-Identifier: ISC
 *
 * tag add, tag remove: the tags of recipients alone; the others stay.
 */
#include "relay/cli/route/route_commands.h"
#include "relay/cli/table/choice.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_commit.h"

/* A tag may have an @ in its value: together=ann@example.com. */
static bool is_address(const char *word)
{
	return strchr(word, '@') != NULL && strchr(word, '=') == NULL;
}

/* The operands before the first address, with blanks between. */
static int read_tags(struct cli *c, struct strbuf *tags)
{
	int n = 0;

	for (; n < c->args && !is_address(c->arg[n]); n++)
		strbuf_addf(tags, "%s%s", n == 0 ? "" : " ", c->arg[n]);
	return n;
}

static int change_tags(struct cli *c, struct choice *choice,
    const struct change_row *row)
{
	const struct change_how how = {.as_of = -1,
	    .twice = cli_flag(c, "force")};
	struct change_done done = {0};
	struct change *ch = cli_change(c);
	int code;

	if (ch == NULL)
		return CLI_NO;
	code = choice_stage(c, ch, choice, row);
	if (code == CLI_DONE)
		code = cli_flag(c, "dry-run") ? cli_dry_run(c, ch, &how)
					      : cli_commit(c, ch, &how, &done);
	change_close(ch);
	return code;
}

static int run(struct cli *c, bool add)
{
	struct change_row row = {.held = -1};
	struct choice choice = {.fd = -1};
	struct strbuf tags;
	int first, code;

	strbuf_init(&tags, 1 << 16);
	first = read_tags(c, &tags);
	row.add_tags = add ? strbuf_cstr(&tags) : NULL;
	row.drop_tags = add ? NULL : strbuf_cstr(&tags);
	if (first == 0)
		code = cli_usage(c, "say which tags, before the addresses");
	else
		code = choice_read(c, first, &choice);
	if (code == CLI_DONE)
		code = change_tags(c, &choice, &row);
	choice_end(&choice);
	strbuf_fini(&tags);
	return code;
}

static int run_add(struct cli *c)
{
	return run(c, true);
}

static int run_remove(struct cli *c)
{
	return run(c, false);
}

#define CHOICE                                                              \
	{"file", "FILE", "Addresses, one a line; - for standard input."},   \
	{"tag", "TAG", "All rows that bear the tag."},                      \
	{"where", "EXPR", "Rows that fit; see EXPRESSIONS in "              \
	    "posthouse(1)."},                                               \
	{"customer", "C", "Of those, rows of the domains of one customer."}, \
	{"wave", "W", "The members of a wave."},                            \
	{"all", "DOMAIN", "All rows of a domain, its default too."},        \
	{"dry-run", NULL, "Shows what would change, and changes nothing."}, \
	{"yes", NULL, "Asks nothing: above 1,000 rows on a terminal, or "    \
	    "with rows of several customers."},                             \
	{"timeout", "T", "Waits so long for another change's end (10s)."},  \
	{"note", "TEXT", "Why, for the history."}

static const struct cli_option add_options[] = {
	CHOICE,
	{"force", NULL, "Makes a group or a room (kind=group, kind=room) of "
	    "what has a copy too."},
	{NULL, NULL, NULL},
};

static const struct cli_option remove_options[] = {
	CHOICE,
	{NULL, NULL, NULL},
};

const struct cli_command cmd_tag[] = {
	{
	    .name = "tag add",
	    .args = "TAG... (ADDR... | --file F | --tag T | --where E | "
		    "--wave W | --all D)",
	    .summary = "Gives recipients tags besides those that they have",
	    .details = "Nothing but the tags is changed, and of one address "
		       "alone, not of its mailbox.\nA word with an @ and "
		       "without a = is an address. An undo takes back the "
		       "tags that\nwere added.",
	    .example = "posthouse tag add vip wave-1 ann@example.com\n"
		       "posthouse tag add dept=sales --file sales.txt",
	    .options = add_options,
	    .min_args = 1,
	    .max_args = -1,
	    .run = run_add,
	},
	{
	    .name = "tag remove",
	    .args = "TAG... (ADDR... | --file F | --tag T | --where E | "
		    "--wave W | --all D)",
	    .summary = "Takes tags from recipients; the others stay",
	    .example = "posthouse tag remove wave-1 --where 'leg = cloud'",
	    .options = remove_options,
	    .min_args = 1,
	    .max_args = -1,
	    .run = run_remove,
	},
	{.name = NULL},
};
