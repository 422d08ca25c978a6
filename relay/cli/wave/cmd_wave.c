/* SPDX-License-Identifier: ISC
 *
 * wave create, add, remove, delete: which recipients move together.
 */
#include <inttypes.h>

#include "policy/wave/file/wave_make.h"
#include "relay/base/clock.h"
#include "relay/cli/table/choice.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/wave/wave_commands.h"
#include "relay/cli/wave/wave_open.h"

/* ---- members ---------------------------------------------------------- */

/* Stages what the command line names; `choice` is read. */
static int stage(struct cli *c, struct change *ch,
    const struct choice *choice)
{
	static const struct change_row keep = {.held = -1};
	const char *failed = cli_value(c, "failed-of");
	const struct wave_stage of = {failed, MEMBER_FAILED, &keep};
	struct error err = {0};

	if (failed == NULL)
		return choice_stage(c, ch, choice, &keep);
	if (wave_stage(ch, &of, &err) < 0)
		return cli_fail(c, "%s", err.text);
	return change_staged(ch) > 0
		   ? CLI_DONE
		   : cli_fail(c, "wave %s has no failed member", failed);
}

static int read_choice(struct cli *c, struct choice *choice)
{
	if (!cli_flag(c, "failed-of"))
		return choice_read(c, 1, choice);
	*choice = (struct choice){.fd = -1};
	if (c->args > 1 || cli_flag(c, "file") || cli_flag(c, "where") ||
	    cli_flag(c, "tag"))
		return cli_usage(c, "--failed-of says all recipients; leave "
		    "the others out");
	return CLI_DONE;
}

/* Opens a change with those recipients staged; NULL: *code_out. */
static struct change *staged(struct cli *c, struct choice *choice,
    int *code_out)
{
	struct change *ch = cli_change(c);

	*code_out = CLI_NO;
	if (ch == NULL)
		return NULL;
	change_refuse_domains(ch);
	*code_out = stage(c, ch, choice);
	if (*code_out == CLI_DONE)
		return ch;
	change_close(ch);
	return NULL;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void warn_of_members(const struct cli *c, const struct wave_made *m)
{
	if (m->no_row > 0)
		cli_fail(c, "warning: %" PRIu64 " member%s ha%s no row, and "
		    "will be left out", m->no_row, plural(m->no_row),
		    m->no_row == 1 ? "s" : "ve");
	if (m->elsewhere == 0)
		return;
	if (m->line > 0 && c->input != NULL)
		cli_fail(c, "warning: %s: line %" PRIu64 ": %s is in wave %s, "
		    "which is scheduled, running or paused", c->input,
		    m->line, m->address, m->wave);
	else
		cli_fail(c, "warning: %s is in wave %s, which is scheduled, "
		    "running or paused", m->address, m->wave);
	if (m->elsewhere > 1)
		cli_fail(c, "warning: so are %" PRIu64 " more members, in "
		    "such waves", m->elsewhere - 1);
	cli_fail(c, "warning: until then this wave is not scheduled or "
	    "started");
}

/* `name` NULL: all that are planned. */
static void say_members(struct cli *c, const char *name, const char *what,
    const struct wave_made *m)
{
	struct jout *j;

	if (name == NULL)
		out_say(&c->out, "%" PRIu64 " member%s%s from waves that are "
		    "planned", m->members, plural(m->members), what);
	else
		out_say(&c->out, "wave %s: %" PRIu64 " member%s%s", name,
		    m->members, plural(m->members), what);
	if (!c->json)
		return;
	j = out_row(&c->out);
	jout_str(j, "name", name);
	jout_int(j, "members", (int64_t)m->members);
	jout_int(j, "no_row", (int64_t)m->no_row);
	jout_int(j, "elsewhere", (int64_t)m->elsewhere);
	out_row_end(&c->out);
}

static int end(struct cli *c, struct change *ch, int rc,
    const struct error *err)
{
	int code = rc < 0 ? cli_change_fail(c, ch, err) : CLI_DONE;

	progress_end(&c->bar);
	change_close(ch);
	return code;
}

/* ---- create ----------------------------------------------------------- */

static int create(struct cli *c, struct choice *choice, const char *route)
{
	const struct change_by by = wave_by(c);
	const struct wave_new w = {.name = c->arg[0], .route = route,
	    .by = &by, .now_us = clock_wall_us(&clock_system)};
	struct wave_made made;
	struct error err = {0};
	struct change *ch;
	int code;

	ch = staged(c, choice, &code);
	if (ch == NULL)
		return code;
	code = end(c, ch, wave_create(ch, &w, &made, &err), &err);
	if (code != CLI_DONE)
		return code;
	say_members(c, c->arg[0], "", &made);
	warn_of_members(c, &made);
	return CLI_DONE;
}

static int run_create(struct cli *c)
{
	const char *to = cli_value(c, "to"), *route = NULL;
	struct choice choice;
	struct error err;
	int code;

	if (wave_name_check(c->arg[0], &err) < 0)
		return cli_fail(c, "%s", err.text);
	code = read_choice(c, &choice);
	if (code == CLI_DONE && to != NULL) {
		route = wave_route(c, to);
		code = route == NULL ? CLI_NO : CLI_DONE;
	}
	if (code == CLI_DONE)
		code = create(c, &choice, route);
	choice_end(&choice);
	return code;
}

/* ---- add, remove ------------------------------------------------------ */

static int run_add(struct cli *c)
{
	const struct change_by by = wave_by(c);
	struct wave_made made;
	struct choice choice;
	struct error err = {0};
	struct change *ch = NULL;
	int code = choice_read(c, 1, &choice);

	if (code == CLI_DONE)
		ch = staged(c, &choice, &code);
	if (ch != NULL)
		code = end(c, ch, wave_add(ch, c->arg[0], &by, &made, &err),
		    &err);
	choice_end(&choice);
	if (code != CLI_DONE)
		return code;
	say_members(c, c->arg[0], " added", &made);
	warn_of_members(c, &made);
	return CLI_DONE;
}

static int remove_members(struct cli *c, const char *name,
    struct choice *choice)
{
	const struct change_by by = wave_by(c);
	struct wave_made made = {0};
	struct error err = {0};
	struct change *ch;
	int code;

	ch = staged(c, choice, &code);
	if (ch == NULL)
		return code;
	code = end(c, ch, wave_remove(ch, name, &by, &made.members, &err),
	    &err);
	if (code == CLI_DONE)
		say_members(c, name, " removed", &made);
	return code;
}

static int run_remove(struct cli *c)
{
	bool all = cli_flag(c, "all");
	struct choice choice;
	int code;

	if (!all && c->args == 0)
		return cli_usage(c, "say of which wave, or --all for every "
		    "wave that is planned");
	code = choice_read(c, all ? 0 : 1, &choice);
	if (code == CLI_DONE)
		code = remove_members(c, all ? NULL : c->arg[0], &choice);
	choice_end(&choice);
	return code;
}

/* ---- delete ----------------------------------------------------------- */

static int run_delete(struct cli *c)
{
	const struct change_by by = wave_by(c);
	const struct wave_said said = {.event = WAVE_DELETE, .by = &by,
	    .now_us = clock_wall_us(&clock_system)};
	struct wave_file *f = wave_open(c, true);
	struct error err = {0};
	int rc;

	if (f == NULL)
		return CLI_NO;
	rc = wave_begin(f, &err);
	if (rc == 0)
		rc = wave_end(f, wave_move(f, c->arg[0], &said, NULL, &err),
		    &err);
	wave_file_close(f);
	if (rc < 0)
		return cli_fail(c, "%s", err.text);
	out_say(&c->out, "wave %s is deleted", c->arg[0]);
	return CLI_DONE;
}

/* ---- the rows --------------------------------------------------------- */

#define MEMBERS                                                             \
	{"file", "FILE", "Addresses, one a line; - for standard input."},   \
	{"where", "EXPR", "Rows that fit; see EXPRESSIONS in "              \
	    "posthouse(1)."},                                               \
	{"tag", "TAG", "All rows that bear the tag."},                      \
	{"customer", "C", "Of those, rows of the domains of one customer."}, \
	{"timeout", "T", "Waits so long for another change's end (10s)."},  \
	{"note", "TEXT", "Why, for the history."}

static const struct cli_option create_options[] = {
	MEMBERS,
	{"failed-of", "WAVE", "The members of another wave whose move "
	    "failed."},
	{"to", "ROUTE", "Where they are to go; without it wave start says "
	    "it."},
	{NULL, NULL, NULL},
};

static const struct cli_option add_options[] = {
	MEMBERS,
	{NULL, NULL, NULL},
};

static const struct cli_option remove_options[] = {
	MEMBERS,
	{"all", NULL, "Of every wave that is planned."},
	{NULL, NULL, NULL},
};

static const struct cli_option delete_options[] = {
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_wave[] = {
	{
	    .name = "wave create",
	    .args = "NAME (ADDR... | --file F | --where E | --tag T | "
		    "--failed-of WAVE)",
	    .summary = "Makes a wave of recipients, with all addresses of "
		       "their mailboxes",
	    .details = "The members, and the route that each has now, are "
		       "written down. Nothing moves before\nwave start or "
		       "wave schedule. A member that another change moves "
		       "meanwhile is left out,\nand so is one without a "
		       "row.",
	    .example = "posthouse wave create w7 --file sales.txt --to cloud\n"
		       "posthouse wave create w8 --where 'dept=sales and not "
		       "vip'",
	    .options = create_options,
	    .min_args = 1,
	    .max_args = -1,
	    .run = run_create,
	},
	{
	    .name = "wave add",
	    .args = "NAME (ADDR... | --file F | --where E | --tag T)",
	    .summary = "Adds recipients to a wave that is planned",
	    .example = "posthouse wave add w7 ann@example.com",
	    .options = add_options,
	    .min_args = 1,
	    .max_args = -1,
	    .run = run_add,
	},
	{
	    .name = "wave remove",
	    .args = "(NAME | --all) (ADDR... | --file F | --where E | "
		    "--tag T)",
	    .summary = "Takes recipients out of waves that are planned",
	    .example = "posthouse wave remove w7 ann@example.com\n"
		       "posthouse wave remove --all --where vip --note "
		       "'they move last'",
	    .options = remove_options,
	    .max_args = -1,
	    .run = run_remove,
	},
	{
	    .name = "wave delete",
	    .args = "NAME",
	    .summary = "Deletes a wave that is planned",
	    .example = "posthouse wave delete w7",
	    .options = delete_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_delete,
	},
	{.name = NULL},
};
