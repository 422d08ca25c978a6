/* SPDX-License-Identifier: ISC
 *
 * wave exclude, include: rules that leave recipients out of all waves.
 */
#include <inttypes.h>

#include "policy/wave/file/exclude.h"
#include "policy/wave/file/wave_where.h"
#include "relay/base/clock.h"
#include "relay/cli/table/cli_table.h"
#include "relay/cli/wave/wave_commands.h"
#include "relay/cli/wave/wave_open.h"

static const struct out_column rule_columns[] = {
	{"number", "RULE", true},
	{"where", "EXPRESSION", false},
	{"time", "SINCE", false},
	{"who", "WHO", false},
	{"note", "NOTE", false},
	{NULL, NULL, false},
};

static void put_rule(void *arg, const struct exclude *e)
{
	struct cli *c = arg;
	struct jout *j = out_row(&c->out);

	jout_int(j, "number", (int64_t)e->number);
	jout_str(j, "where", e->where);
	jout_time(j, "time", e->time_us);
	jout_str(j, "who", e->who);
	jout_str(j, "note", e->note);
	out_row_end(&c->out);
}

static int list_rules(struct cli *c)
{
	struct wave_file *f = wave_open(c, false);
	struct error err = {0};
	int rc;

	if (f == NULL)
		return CLI_NO;
	out_table(&c->out, rule_columns);
	rc = exclude_each(f, put_rule, c, &err);
	out_end(&c->out);
	wave_file_close(f);
	return rc < 0 ? cli_fail(c, "%s", err.text) : CLI_DONE;
}

/* 1 or 0 as exclude_remove(), -1 and `err`. */
static int write_rule(struct cli *c, struct exclude_said *said, bool add,
    uint64_t *number_out, struct error *err)
{
	const struct change_by by = wave_by(c);
	struct wave_file *f = wave_open(c, true);
	int rc = -1;

	if (f == NULL)
		return -1;
	said->by = &by;
	said->now_us = clock_wall_us(&clock_system);
	if (wave_begin(f, err) == 0) {
		rc = add ? exclude_add(f, said, number_out, err)
			 : exclude_remove(f, said, err);
		if (wave_end(f, rc < 0 ? -1 : 0, err) < 0)
			rc = -1;
	}
	wave_file_close(f);
	return rc;
}

/* Waves that it names must be there. */
static int check_where(struct cli *c, const char *text)
{
	const char *path = cli_table_path(c);
	struct where_waves waves;
	struct error err;
	struct where *w = where_parse(slice_str(text), &err);
	int rc;

	if (w == NULL)
		return cli_usage(c, "%s", err.text);
	if (path == NULL || !where_asks(w, WHERE_WAVE)) {
		where_free(w);
		return path == NULL ? CLI_NO : CLI_DONE;
	}
	waves = wave_where_new(path);
	rc = waves.known(waves.arg, w, &err);
	waves.end(waves.arg);
	where_free(w);
	return rc < 0 ? cli_fail(c, "%s", err.text) : CLI_DONE;
}

static int run_exclude(struct cli *c)
{
	const char *where = cli_value(c, "where");
	struct exclude_said said = {.where = where};
	struct error err = {0};
	uint64_t number = 0;
	int code;

	if (where == NULL)
		return list_rules(c);
	code = check_where(c, where);
	if (code != CLI_DONE)
		return code;
	if (!cli_flag(c, "note"))
		return cli_usage(c, "--note says why, for those who find the "
		    "rule later");
	if (write_rule(c, &said, true, &number, &err) < 0)
		return err.text[0] == '\0' ? CLI_NO
					    : cli_fail(c, "%s", err.text);
	out_say(&c->out, "rule %" PRIu64 " leaves them out of every later "
	    "slice, until wave include %" PRIu64, number, number);
	if (c->json) {
		struct jout *j = out_row(&c->out);

		jout_int(j, "number", (int64_t)number);
		jout_str(j, "where", where);
		out_row_end(&c->out);
	}
	return CLI_DONE;
}

static int run_include(struct cli *c)
{
	const char *where = cli_value(c, "where");
	struct exclude_said said = {.where = where};
	struct error err = {0};
	int rc;

	if ((where != NULL) == (c->args > 0))
		return cli_usage(c, "say which rule: its number or its "
		    "--where");
	if (c->args > 0 &&
	    (!slice_uint(slice_str(c->arg[0]), INT64_MAX, &said.number) ||
		said.number == 0))
		return cli_usage(c, "'%s' is no number of a rule", c->arg[0]);
	rc = write_rule(c, &said, false, NULL, &err);
	if (rc < 0)
		return err.text[0] == '\0' ? CLI_NO
					    : cli_fail(c, "%s", err.text);
	if (rc == 0)
		return cli_fail(c, "there is no such rule; posthouse wave "
		    "exclude shows all");
	out_say(&c->out, "the rule is gone; members that it had left out are "
	    "pending again");
	return CLI_DONE;
}

static const struct cli_option exclude_options[] = {
	{"where", "EXPR", "Rows to leave out; without it the rules are "
	    "shown."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

static const struct cli_option include_options[] = {
	{"where", "EXPR", "The expression of the rule, as it was written."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_wave_rule[] = {
	{
	    .name = "wave exclude",
	    .args = "[--where E --note TEXT]",
	    .summary = "Leaves recipients out of every later slice of every "
		       "wave",
	    .details = "The rows are looked at when a slice is made. A "
		       "mailbox of which one address fits is\nleft out as "
		       "a whole; wave show names its members as excluded.",
	    .example = "posthouse wave exclude --where client=apple-mail "
		       "--note 'no calendars, case 77'",
	    .options = exclude_options,
	    .run = run_exclude,
	},
	{
	    .name = "wave include",
	    .args = "NUMBER | --where E",
	    .summary = "Takes a rule of wave exclude away",
	    .details = "What it had left out of waves that are not over is "
		       "pending again.",
	    .example = "posthouse wave include 1",
	    .options = include_options,
	    .max_args = 1,
	    .run = run_include,
	},
	{.name = NULL},
};
