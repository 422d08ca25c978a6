/* SPDX-License-Identifier: ISC
 *
 * verdict waive: a person takes a reason on, for a time. Written into the file
 * of the table as a recorded decision.
 */
#include "relay/cli/verdict/verdict_waive.h"

#include "policy/verdict/file/verdict_file.h"
#include "relay/base/clock.h"
#include "relay/cli/table/cli_table.h"

static int usage_reason(struct cli *c)
{
	struct strbuf names;
	int code;

	strbuf_init(&names, 200);
	for (int r = 0; r < REASONS; r++)
		strbuf_addf(&names, " %s", reason_name((enum reason_id)r));
	code = cli_usage(c, "there is no reason '%s':%s", c->arg[0],
	    strbuf_cstr(&names));
	strbuf_fini(&names);
	return code;
}

/* When it ends; 0: it is taken back. */
static int read_until(struct cli *c, int64_t now_us, int64_t *until_out)
{
	const char *until = cli_value(c, "until");

	*until_out = 0;
	if (cli_flag(c, "end"))
		return until == NULL ? CLI_DONE : cli_usage(c, "--end takes "
		    "it back at once; leave --until out");
	if (until == NULL)
		return cli_usage(c, "--until says when it has to be looked at "
		    "again: a time, or +14d");
	if (clock_parse(slice_str(until), now_us, until_out) != 0)
		return cli_usage(c, "'%s' is no time; write "
		    "2026-12-24T08:00:00Z or +14d", until);
	if (*until_out <= now_us)
		return cli_usage(c, "'%s' is over already", until);
	return CLI_DONE;
}

static int put(struct cli *c, const struct waiver_said *said)
{
	const char *path = cli_table_path(c);
	struct error err = {0};
	struct verdict_file *f;
	int rc;

	if (path == NULL)
		return CLI_NO;
	f = verdict_file_open(path, true, &err);
	rc = f == NULL ? -1 : waiver_put(f, said, &err);
	verdict_file_close(f);
	return rc < 0 ? cli_fail(c, "%s", err.text) : CLI_DONE;
}

static void say(struct cli *c, const struct waiver_said *said)
{
	char until[CLOCK_LOCAL_MAX];

	if (said->waiver.until_us == 0) {
		out_say(&c->out, "%s counts again",
		    reason_name(said->waiver.reason));
		return;
	}
	clock_local(said->waiver.until_us, until);
	out_say(&c->out, "%s is taken on by %s until %s",
	    reason_name(said->waiver.reason), c->who, until);
}

int verdict_waive_run(struct cli *c)
{
	const char *name = cli_value(c, "name"), *note = cli_value(c, "note");
	int reason = reason_find(slice_str(c->arg[0])), code;
	const struct conf *conf = cli_conf(c);
	struct waiver_said said = {.verdict = name == NULL ? "" : name,
	    .command = "verdict waive"};
	struct waiver *w = &said.waiver;

	if (conf == NULL)
		return CLI_NO;
	if (reason < 0)
		return usage_reason(c);
	if (conf_verdict(conf, slice_str(said.verdict)) == NULL)
		return cli_usage(c, "the configuration has no verdict \"%s\"",
		    said.verdict);
	if (note == NULL || note[0] == '\0')
		return cli_usage(c, "a waiver wants --note TEXT: why it may "
		    "go without");
	w->time_us = clock_wall_us(&clock_system);
	code = read_until(c, w->time_us, &w->until_us);
	if (code != CLI_DONE)
		return code;
	w->reason = (enum reason_id)reason;
	w->who = c->who;
	w->host = c->host;
	w->note = note;
	code = put(c, &said);
	if (code == CLI_DONE)
		say(c, &said);
	return code;
}
