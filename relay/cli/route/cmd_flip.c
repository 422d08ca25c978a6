/* SPDX-License-Identifier: ISC
 *
 * flip, hold, release, undo: changes over many rows. Which rows is said in
 * one way: addresses, --file, --tag, --where or --all.
 */
#include <inttypes.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/cli/table/cli_table.h"
#include "relay/ops/ctl.h"

/* ---- which rows ------------------------------------------------------- */

struct choice {
	int first; /* operand where addresses begin */
	int fd;	   /* of --file, -1 */
	struct where *where;
};

static int count_ways(const struct cli *c, int first)
{
	return (c->args > first) + cli_flag(c, "tag") + cli_flag(c, "where") +
	       cli_flag(c, "file") + cli_flag(c, "all");
}

static int narrow(struct cli *c, struct choice *choice)
{
	const char *customer = cli_value(c, "customer");
	struct error err;

	if (customer == NULL)
		return CLI_DONE;
	if (!cli_customer(c, customer))
		return CLI_NO;
	if (where_narrow(choice->where, WHERE_CUSTOMER, slice_str(customer),
		&err) < 0)
		return cli_usage(c, "%s", err.text);
	return CLI_DONE;
}

static int read_where(struct cli *c, struct choice *choice)
{
	const char *tag = cli_value(c, "tag");
	const char *all = cli_value(c, "all");
	const char *where = cli_value(c, "where");
	struct error err = {0};

	if (tag != NULL)
		choice->where = where_equal(WHERE_TAG, slice_str(tag), &err);
	else if (all != NULL)
		choice->where = where_equal(WHERE_DOMAIN,
		    slice_str(all + (all[0] == '@')), &err);
	else
		choice->where = where_parse(slice_str(where), &err);
	if (choice->where == NULL)
		return cli_usage(c, "%s", err.text);
	return narrow(c, choice);
}

/* Files are opened before root becomes the table's owner. */
static int choose(struct cli *c, int first, struct choice *choice)
{
	const char *file = cli_value(c, "file");

	*choice = (struct choice){.first = first, .fd = -1};
	if (count_ways(c, first) != 1)
		return cli_usage(c, "say which recipients in one way: "
		    "addresses, --file, --tag, --where or --all");
	if (cli_flag(c, "customer") && !cli_flag(c, "tag") &&
	    !cli_flag(c, "where"))
		return cli_usage(c, "--customer narrows --tag and --where");
	if (file != NULL) {
		choice->fd = cli_open_input(c, file);
		return choice->fd < 0 ? CLI_NO : CLI_DONE;
	}
	return c->args > first ? CLI_DONE : read_where(c, choice);
}

static void choice_end(struct choice *choice)
{
	where_free(choice->where);
	if (choice->fd >= 0)
		close(choice->fd);
}

static int stage_list(struct cli *c, struct change *ch, int fd,
    const struct change_row *row, struct error *err)
{
	int rc;

	cli_watch_file(c, ch, cli_value(c, "file"), fd);
	rc = change_list(ch, fd, row, err);
	progress_clear(&c->bar);
	return rc;
}

/* Behind `not`, a mistyped word would select all. */
static void warn_of_tags(const struct cli *c, struct change *ch,
    const struct where *w)
{
	struct arena *a = arena_new();
	const char *tag = change_no_such_tag(ch, w, a);

	if (tag != NULL)
		cli_fail(c, "warning: no row has the tag %s", tag);
	arena_free(a);
}

static int stage(struct cli *c, struct change *ch,
    const struct choice *choice, const struct change_row *row)
{
	bool addresses = choice->where == NULL && choice->fd < 0;
	struct error err = {0};
	int rc = 0;

	if (choice->where != NULL) {
		warn_of_tags(c, ch, choice->where);
		rc = change_where(ch, choice->where, row, &err);
	} else if (choice->fd >= 0) {
		rc = stage_list(c, ch, choice->fd, row, &err);
	}
	for (int i = choice->first; addresses && i < c->args && rc == 0; i++)
		rc = change_set(ch, slice_str(c->arg[i]), row, &err);
	if (rc < 0)
		return cli_change_fail(c, ch, &err);
	if (change_staged(ch) == 0)
		return cli_fail(c, "no recipient is selected");
	return CLI_DONE;
}

/* ---- waiting ---------------------------------------------------------- */

enum { WAIT_BYTES = CTL_REQUEST_MAX / 2 };

/* Whom to wait for: those of a change. None: everybody. */
struct waited {
	json_t *addresses;
	size_t bytes;
	bool everybody; /* too many to name, or a whole domain */
};

static void add_waited(void *arg, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	struct waited *w = arg;

	(void)before;
	(void)after;
	w->bytes += key.n + 4;
	if (key.p[0] == '@' || w->bytes > WAIT_BYTES)
		w->everybody = true;
	if (!w->everybody)
		json_array_append_new(w->addresses,
		    json_stringn_nocheck(key.p, key.n));
}

static int list_waited(struct cli *c, uint64_t *change, struct waited *w)
{
	struct table *t = cli_table(c);
	struct error err = {0};
	int rc = 0;

	if (t == NULL)
		return CLI_NO;
	w->everybody = *change == 0;
	if (*change != 0)
		rc = table_change_rows(t, *change, add_waited, w, &err);
	else
		*change = (uint64_t)table_change(t, &err);
	table_close(t);
	return rc < 0 ? cli_fail(c, "%s", err.text) : CLI_DONE;
}

/* Until no attempt that was begun before the change is under way for its
 * recipients; when nothing was changed, for anybody. */
static int wait_for(struct cli *c, uint64_t change)
{
	struct waited w = {.addresses = json_array()};
	json_t *args = json_object();
	int code = list_waited(c, &change, &w);

	json_object_set_new(args, "change",
	    json_integer((json_int_t)change));
	if (c->timeout_ms > 0)
		json_object_set_new(args, "timeout_ms",
		    json_integer((json_int_t)c->timeout_ms));
	if (w.everybody)
		json_decref(w.addresses);
	else
		json_object_set_new(args, "addresses", w.addresses);
	if (code == CLI_DONE)
		return cli_call(c, "route.wait", args, NULL, NULL);
	json_decref(args);
	return code;
}

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
	code = stage(c, ch, choice, row);
	if (code == CLI_DONE)
		code = cli_flag(c, "dry-run") ? cli_dry_run(c, ch, &how)
					      : cli_commit(c, ch, &how, done);
	change_close(ch);
	return code;
}

/* Who wants to wait needs the daemon: he is told before anything is changed,
 * not after. Waiting for change 0 is over at once. */
static int can_wait(struct cli *c)
{
	return cli_call(c, "route.wait",
	    json_pack("{s:i, s:[]}", "change", 0, "addresses"), NULL, NULL);
}

static int make_and_wait(struct cli *c, int first,
    const struct change_row *row)
{
	bool waits = cli_flag(c, "wait") && !cli_flag(c, "dry-run");
	struct change_done done = {0};
	struct choice choice;
	int code = choose(c, first, &choice);

	if (code == CLI_DONE && waits)
		code = can_wait(c);
	if (code == CLI_DONE)
		code = make(c, &choice, row, &done);
	choice_end(&choice);
	if (code == CLI_DONE && waits)
		code = wait_for(c, done.change);
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

/* ---- undo ------------------------------------------------------------- */

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

static int run_undo(struct cli *c)
{
	struct change_how how = {.as_of = -1};
	struct change_done done = {0};
	struct change *ch;
	int code;

	if (!cli_number(c, c->arg[0], &how.undo))
		return CLI_USAGE;
	if (how.undo == 0)
		return cli_usage(c, "changes are counted from 1");
	ch = cli_change(c);
	if (ch == NULL)
		return CLI_NO;
	code = cli_flag(c, "dry-run") ? cli_dry_run(c, ch, &how)
				      : cli_commit(c, ch, &how, &done);
	if (code == CLI_DONE)
		code = show_left(c, ch, how.undo, &done);
	change_close(ch);
	return code;
}

/* ---- the rows --------------------------------------------------------- */

#define CHOICE                                                              \
	{"file", "FILE", "Addresses, one a line; - for standard input."},   \
	{"tag", "TAG", "All rows that bear the tag."},                      \
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

static const struct cli_option undo_options[] = {
	{"dry-run", NULL, "Shows what would change, and changes nothing."},
	{"timeout", "T", "Waits so long for another change's end (10s)."},
	{"yes", NULL, "Asks nothing: above 1,000 rows on a terminal, or where "
	    "rows of domains would go."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_flip[] = {
	{
	    .name = "flip",
	    .args = "ROUTE (ADDR... | --file F | --tag T | --where E | "
		    "--all D)",
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
	{
	    .name = "hold",
	    .args = "ADDR... | --file F | --tag T | --where E | --all D",
	    .summary = "Accepts their mail and delivers none of it",
	    .example = "posthouse hold ann@example.com --wait",
	    .options = hold_options,
	    .max_args = -1,
	    .run = run_hold,
	},
	{
	    .name = "release",
	    .args = "ADDR... | --file F | --tag T | --where E | --all D",
	    .summary = "Lets held mail go, oldest first, by the route as it "
		       "is now",
	    .example = "posthouse release ann@example.com",
	    .options = release_options,
	    .max_args = -1,
	    .run = run_release,
	},
	{.name = NULL},
};
