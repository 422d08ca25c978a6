/* SPDX-License-Identifier: ISC
 *
 * route get, set, delete, history: single rows of the cutover table.
 */
#include "policy/row.h"
#include "relay/base/mem.h"
#include "relay/cli/route/route_commands.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_commit.h"
#include "relay/cli/table/cli_put.h"
#include "relay/cli/table/cli_table.h"
#include "relay/cli/watermark/watermark_show.h"

/* ---- get -------------------------------------------------------------- */

static int get_one(struct cli *c, struct table *t, const char *address,
    struct slice *key_out)
{
	struct arena *a = arena_new();
	struct table_row row;
	struct strbuf key;
	struct error err;
	int code, rc = 0;

	strbuf_init(&key, ROW_TEXT_MAX);
	code = cli_key(c, address, &key);
	if (code == CLI_DONE)
		rc = table_get(t, strbuf_view(&key), a, &row, &err);
	if (rc > 0)
		cli_put_row(c, strbuf_view(&key), &row);
	else if (rc < 0)
		code = cli_fail(c, "%s", err.text);
	else if (code == CLI_DONE)
		code = cli_fail(c, "%s has no row", address);
	*key_out = slice_str(arena_slicedup(c->arena, strbuf_view(&key)));
	strbuf_fini(&key);
	arena_free(a);
	return code;
}

static int run_get(struct cli *c)
{
	struct table *t = cli_table(c);
	struct slice *key = arena_alloc(c->arena,
	    (size_t)(c->args + 1) * sizeof(*key));
	int code = CLI_DONE;

	if (t == NULL)
		return CLI_NO;
	out_table(&c->out, cli_row_columns);
	for (int i = 0; i < c->args; i++) {
		int one = get_one(c, t, c->arg[i], &key[i]);

		if (one != CLI_DONE)
			code = one;
	}
	out_end(&c->out);
	table_close(t);
	/* For programs a line is a row; whereis --json has the watermarks. */
	if (!c->json)
		watermark_show_of(c, key, (size_t)c->args);
	return code;
}

/* ---- set -------------------------------------------------------------- */

/* All values of an option joined, each option once: --tag a --tag b. False:
 * they are too long, which was said; *text_out is NULL without the option. */
static bool join_values(struct cli *c, const char *option, char separator,
    struct strbuf *out, const char **text_out)
{
	const char *value;

	for (int i = 0; (value = cli_value_at(c, option, i)) != NULL; i++) {
		if (i > 0)
			strbuf_addc(out, separator);
		strbuf_adds(out, value);
	}
	if (!strbuf_ok(out)) {
		cli_usage(c, "--%s: at most %d bytes in all", option,
		    ROW_TEXT_MAX);
		return false;
	}
	*text_out = cli_flag(c, option) ? strbuf_cstr(out) : NULL;
	return true;
}

static bool rewrites_ok(struct cli *c)
{
	const char *value;

	for (int i = 0; (value = cli_value_at(c, "address", i)) != NULL; i++)
		if (strchr(value, '=') == NULL || strchr(value, '\n') != NULL) {
			cli_usage(c, "--address %s: LEG=ADDRESS is expected",
			    value);
			return false;
		}
	return true;
}

static int stage_operands(struct cli *c, struct change *ch,
    const struct change_row *row)
{
	struct error err = {0};

	for (int i = 1; i < c->args; i++)
		if (change_set(ch, slice_str(c->arg[i]), row, &err) < 0)
			return cli_fail(c, "%s", err.text);
	return CLI_DONE;
}

static int set_rows(struct cli *c, const struct change_row *row)
{
	struct change_how how = {.create = true, .as_of = -1,
	    .twice = cli_flag(c, "force")};
	struct change *ch = cli_change(c);
	struct change_done done;
	int code;

	if (ch == NULL)
		return CLI_NO;
	code = stage_operands(c, ch, row);
	if (code == CLI_DONE)
		code = cli_commit(c, ch, &how, &done);
	change_close(ch);
	return code;
}

static int run_set(struct cli *c)
{
	struct change_row row = {.route = c->arg[0], .held = -1,
	    .mailbox = cli_value(c, "mailbox")};
	struct strbuf tags, addresses;
	int code = CLI_USAGE;

	if (!rewrites_ok(c))
		return CLI_USAGE;
	strbuf_init(&tags, ROW_TEXT_MAX);
	strbuf_init(&addresses, ROW_TEXT_MAX);
	if (join_values(c, "tag", ' ', &tags, &row.tags) &&
	    join_values(c, "address", '\n', &addresses, &row.addresses))
		code = set_rows(c, &row);
	strbuf_fini(&tags);
	strbuf_fini(&addresses);
	return code;
}

/* ---- delete ----------------------------------------------------------- */

static int run_delete(struct cli *c)
{
	static const struct change_how how = {.as_of = -1};
	struct change *ch = cli_change(c);
	struct change_done done;
	struct error err = {0};
	int code = CLI_DONE;

	if (ch == NULL)
		return CLI_NO;
	for (int i = 0; i < c->args && code == CLI_DONE; i++)
		if (change_delete(ch, slice_str(c->arg[i]), &err) < 0)
			code = cli_fail(c, "%s", err.text);
	if (code == CLI_DONE)
		code = cli_commit(c, ch, &how, &done);
	change_close(ch);
	return code;
}

/* ---- history ---------------------------------------------------------- */

static const struct out_column history_columns[] = {
	{"change", "CHANGE", true},
	{"time", "TIME", false},
	{"who", "WHO", false},
	{"host", "HOST", false},
	{"command", "COMMAND", false},
	{"undid", "UNDID", true},
	{"old.route", "OLD", false},
	{"new.route", "NEW", false},
	{"new.held", "HELD", false},
	{"note", "NOTE", false},
	{NULL, NULL, false},
};

static void put_history(void *arg, const struct table_change *ch,
    const struct table_value *before, const struct table_value *after)
{
	struct cli *c = arg;
	struct jout *j = out_row(&c->out);

	cli_put_change(j, ch);
	cli_put_value(j, "old", before);
	cli_put_value(j, "new", after);
	jout_str(j, "note", ch->note);
	out_row_end(&c->out);
}

static int run_history(struct cli *c)
{
	struct table *t = cli_table(c);
	struct strbuf key;
	struct error err;
	int code, n = 0;

	if (t == NULL)
		return CLI_NO;
	strbuf_init(&key, ROW_TEXT_MAX);
	out_table(&c->out, history_columns);
	code = cli_key(c, c->arg[0], &key);
	if (code == CLI_DONE)
		n = table_history(t, strbuf_view(&key), put_history, c, &err);
	if (n < 0)
		code = cli_fail(c, "%s", err.text);
	else if (n == 0 && code == CLI_DONE)
		code = cli_fail(c, "%s never had a row", c->arg[0]);
	out_end(&c->out);
	strbuf_fini(&key);
	table_close(t);
	return code;
}

/* ---- the rows --------------------------------------------------------- */

static const struct cli_option set_options[] = {
	{"address", "LEG=ADDR", "What the recipient is called on that leg; "
	    "empty clears it."},
	{"mailbox", "NAME", "Addresses with one mailbox flip together."},
	{"tag", "TAG", "Replaces the tags; may stand several times."},
	{"force", NULL, "Gives a group or a room (tag kind=group, kind=room) a "
	    "copy."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

static const struct cli_option note_options[] = {
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_route[] = {
	{
	    .name = "route get",
	    .args = "ADDR...",
	    .summary = "Shows rows of the cutover table",
	    .details = "@example.com is the row of the domain, its default.",
	    .example = "posthouse route get ann@example.com @example.com",
	    .min_args = 1,
	    .max_args = -1,
	    .run = run_get,
	},
	{
	    .name = "route set",
	    .args = "ROUTE ADDR...",
	    .summary = "Writes rows: a route is legs joined by +, the first "
		       "primary, or an answer",
	    .details = "Routes: LEG, LEG+LEG, both (as the domain's `both` "
		       "says), defer, reject, gone.\nWhat is not given stays "
		       "as it is.",
	    .example = "posthouse route set cloud+legacy ann@example.com "
		       "--address cloud=ann@tenant.example --tag wave-1",
	    .options = set_options,
	    .min_args = 2,
	    .max_args = -1,
	    .run = run_set,
	},
	{
	    .name = "route delete",
	    .args = "ADDR...",
	    .summary = "Deletes rows; the domain's row decides from then on",
	    .example = "posthouse route delete ann@example.com "
		       "--note 'left the company'",
	    .options = note_options,
	    .min_args = 1,
	    .max_args = -1,
	    .run = run_delete,
	},
	{
	    .name = "route history",
	    .args = "ADDR",
	    .summary = "Shows every change of a row, oldest first",
	    .example = "posthouse route history ann@example.com",
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_history,
	},
	{.name = NULL},
};
