/* SPDX-License-Identifier: ISC
 *
 * table backup, restore, check, accept: the cutover table as a file.
 *
 * The daemon refuses a table whose change number is below the last one that
 * its journal knows: it is an old copy, and its routes are those of then.
 * Accepting gives it a number above, by a change of its own.
 */
#include <inttypes.h>
#include <unistd.h>

#include "policy/change/table_copy.h"
#include "policy/change/table_log.h"
#include "policy/check/table_check.h"
#include "relay/cli/common/human.h"
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

/* ---- restore ---- */

static void say_restored(struct cli *c, const struct table_restored *done)
{
	struct jout *j;

	out_say(&c->out, "the table is that of change %" PRIu64 " now; it was "
	    "at change %" PRIu64 "%s%s", done->is, done->was,
	    done->kept[0] == '\0' ? "" : " and is kept as ", done->kept);
	if (done->is < done->was)
		out_say(&c->out, "mail is answered 451 until you say: "
		    "posthouse table accept");
	if (!c->json)
		return;
	j = out_row(&c->out);
	jout_int(j, "change", (int64_t)done->is);
	jout_int(j, "was", (int64_t)done->was);
	jout_str(j, "kept", done->kept);
	out_row_end(&c->out);
}

/* The file is opened before root becomes the user of the table. */
static int run_restore(struct cli *c)
{
	struct table_source from = {.name = c->arg[0]};
	struct table_restored done;
	struct error err = {0};
	const char *path;
	int code = CLI_DONE;

	from.fd = cli_open_input(c, c->arg[0]);
	if (from.fd < 0)
		return CLI_NO;
	path = cli_table_path(c);
	if (path == NULL)
		code = CLI_NO;
	else if (table_restore(path, &from, &done, &err) < 0)
		code = cli_fail(c, "%s; the table was not changed%s%s",
		    err.text, done.kept[0] == '\0' ? "" : ", a copy of it is ",
		    done.kept);
	else
		say_restored(c, &done);
	close(from.fd);
	return code;
}

/* ---- check ---- */

static void say_checked(struct cli *c, const struct table_checked *k)
{
	struct strbuf rows;
	struct jout *j;

	strbuf_init(&rows, 40);
	human_count((int64_t)k->rows, &rows);
	out_say(&c->out, "the table is whole: format %" PRId64 ", %s rows, "
	    "change %" PRIu64 ", %" PRIu64 " lines of history, each behind "
	    "the one before", k->format, strbuf_cstr(&rows), k->change,
	    k->lines);
	strbuf_fini(&rows);
	if (!c->json)
		return;
	j = out_row(&c->out);
	jout_int(j, "format", k->format);
	jout_int(j, "rows", (int64_t)k->rows);
	jout_int(j, "change", (int64_t)k->change);
	jout_int(j, "lines", (int64_t)k->lines);
	out_row_end(&c->out);
}

static int run_check(struct cli *c)
{
	struct table_checked checked;
	struct error err = {0};
	const char *path = cli_table_path(c);

	if (path == NULL)
		return CLI_NO;
	if (table_check(path, true, &checked, &err) < 0 ||
	    table_checked_say(&checked, &err) < 0)
		return cli_fail(c, "%s", err.text);
	say_checked(c, &checked);
	return CLI_DONE;
}

/* ---- accept ---- */

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

/* A copy was put over the table, and its log is still there: the copy is what
 * was meant. */
static int set_log_aside(struct cli *c)
{
	char aside[TABLE_ASIDE_PATH];
	const char *path = cli_table_path(c);
	struct error err = {0};
	int rc = path == NULL ? -1 : table_log_aside(path, aside, &err);

	if (rc < 0)
		return path == NULL ? CLI_NO : cli_fail(c, "%s", err.text);
	if (rc > 0)
		out_say(&c->out, "the write-ahead log of the table before it "
		    "is kept as %s", aside);
	return CLI_DONE;
}

static int run_accept(struct cli *c)
{
	struct change_by by = {.who = c->who, .host = c->host,
	    .command = "table accept", .note = cli_value(c, "note")};
	struct change_done done;
	struct error err = {0};
	struct change *ch;
	uint64_t above;
	int code = known_number(c, &above);

	if (code == CLI_DONE)
		code = set_log_aside(c);
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
	    .name = "table restore",
	    .args = "FILE",
	    .summary = "Puts a backup in the place of the table, also while "
		       "the daemon runs",
	    .details = "The backup is looked at first: its pages, format and "
		       "history. The table as it\nwas is kept beside it as "
		       "cutover.db.before-restore. Where the change number "
		       "goes\nback, mail is answered 451 until table "
		       "accept.",
	    .example = "posthouse table restore /var/backups/cutover.db",
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_restore,
	},
	{
	    .name = "table check",
	    .args = "",
	    .summary = "Reads the whole table and says whether it is whole",
	    .details = "Its pages, the tables by which rows are found, and "
		       "the history, of which each\nline names the one "
		       "before by its hash.",
	    .example = "posthouse table check",
	    .run = run_check,
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
