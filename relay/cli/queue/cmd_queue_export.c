/* SPDX-License-Identifier: ISC
 *
 * queue export: messages as they were received, one on standard output or
 * any number as files. queue.export answers body rows; that a message was
 * read is on record. With --all, and queue import: mail carried by hand.
 */
#include "relay/cli/queue/carry_files.h"
#include "relay/cli/queue/queue_commands.h"
#include "relay/cli/queue/queue_files.h"
#include "relay/cli/queue/queue_select.h"

static int find(struct cli *c, json_t *ids)
{
	json_t *args = json_object();
	int code = queue_choose(c, args);

	if (code != CLI_DONE) {
		json_decref(args);
		return code;
	}
	code = cli_call(c, "queue.list", args, queue_file_add, ids);
	if (code == CLI_DONE && json_array_size(ids) == 0)
		return cli_fail(c, "nothing in the queue fits");
	return code;
}

static int run_all(struct cli *c)
{
	if (c->args != 1 || c->givens != 1 + cli_flag(c, "json"))
		return cli_usage(c, "--all wants a folder and nothing else");
	return carry_export(c, c->arg[0]);
}

static int run_import(struct cli *c)
{
	return carry_import(c, c->arg[0]);
}

static int run_export(struct cli *c)
{
	const char *dir = cli_value(c, "to-dir");
	json_t *ids;
	int code;

	if (cli_flag(c, "all"))
		return run_all(c);
	ids = json_array();
	if (dir == NULL && (c->args != 1 || c->givens != cli_flag(c, "json"))) {
		json_decref(ids);
		return cli_usage(c, "one id is written to standard output; for "
		    "more, or with --leg, --to, --from, --customer, --age or "
		    "--state, say "
		    "--to-dir DIR");
	}
	if (dir == NULL) {
		json_decref(ids);
		return queue_file_message(c, c->arg[0], c->out.to);
	}
	code = find(c, ids);
	if (code == CLI_DONE)
		code = queue_files_write(c, dir, ids);
	json_decref(ids);
	return code;
}

static const struct cli_option export_options[] = {
	QUEUE_FILTERS,
	{"to-dir", "DIR", "Each message as DIR/ID.eml."},
	{"all", NULL, "All that waits, with its envelopes, into a new FOLDER "
	    "that `queue import` takes."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_queue_export[] = {
	{.name = "queue export",
	    .args = "ID | --to-dir DIR [ID...] | --all FOLDER",
	    .summary = "Messages as they were received, on standard output or "
		       "as files",
	    .details = "An ID may be that of a message that is over, while it "
		       "is kept (spool.retain). That a message was read is on "
		       "record. Files that exist are left alone.\n--all writes "
		       "what can be read: what cannot is counted as unread, "
		       "and the exit code is 1.",
	    .example = "posthouse queue export 01JD5K3W7Q2MA > mail.eml\n"
		       "posthouse queue export --state parked --to-dir parked\n"
		       "posthouse queue export --all /root/carried",
	    .options = export_options,
	    .max_args = -1,
	    .run = run_export},
	{.name = "queue import",
	    .args = "FOLDER",
	    .summary = "Take in what `queue export --all` wrote elsewhere",
	    .details = "A message keeps its id: one that is known here is "
		       "passed over, so an import that was cut off can be run "
		       "again.",
	    .example = "posthouse queue import /root/carried",
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_import},
	{.name = NULL},
};
