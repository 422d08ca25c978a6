/* SPDX-License-Identifier: ISC
 *
 * Makes a staged change once that is agreed, or shows what it would do.
 */
#include "relay/cli/table/cli_commit.h"

#include <inttypes.h>

#include "relay/cli/table/cli_agree.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_put.h"

static void say_done(struct cli *c, const struct change_done *done)
{
	struct jout *j;

	if (done->change != 0)
		out_say(&c->out, "change %" PRIu64 ": %" PRIu64 " recipient%s",
		    done->change, done->recipients,
		    done->recipients == 1 ? "" : "s");
	else if (done->left > 0)
		out_say(&c->out, "nothing to take back");
	else if (done->same == 0)
		out_say(&c->out, "nothing to change");
	else
		out_say(&c->out, "nothing to change: %" PRIu64 " recipient%s "
		    "%s it already", done->same, done->same == 1 ? "" : "s",
		    done->same == 1 ? "has" : "have");
	if (c->json) {
		j = out_row(&c->out);
		jout_int(j, "change", (int64_t)done->change);
		jout_int(j, "recipients", (int64_t)done->recipients);
		jout_int(j, "same", (int64_t)done->same);
		if (done->kept > 0)
			jout_int(j, "kept", (int64_t)done->kept);
		out_row_end(&c->out);
	}
	/* The change is made: a process that is ended from here on has said
	 * its number. */
	fflush(c->out.to);
}

/* A row at a domain that is not ours is never asked for. */
static void warn_of_strangers(const struct cli *c, const struct change *ch)
{
	const char *first;
	uint64_t n = change_strangers(ch, &first);

	if (n == 1)
		cli_fail(c, "warning: the configuration has no domain for %s, "
		    "so mail for it is refused", first);
	else if (n > 1)
		cli_fail(c, "warning: the configuration has no domain for %"
		    PRIu64 " addresses, such as %s, so mail for them is "
		    "refused", n, first);
}

int cli_make(struct cli *c, struct change *ch, const struct change_how *how,
    struct change_done *done_out)
{
	struct change_by by = {
	    .who = c->who,
	    .host = c->host,
	    .command = c->command->name,
	    .note = cli_value(c, "note"),
	};
	struct error err = {0};

	if (change_commit(ch, how, &by, done_out, &err) < 0)
		return cli_change_fail(c, ch, &err);
	progress_end(&c->bar);
	say_done(c, done_out);
	warn_of_strangers(c, ch);
	return CLI_DONE;
}

int cli_commit(struct cli *c, struct change *ch, const struct change_how *how,
    struct change_done *done_out)
{
	int code = cli_agree(c, ch, how);

	return code != CLI_DONE ? code : cli_make(c, ch, how, done_out);
}

static void show_pair(void *arg, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	cli_put_pair(arg, key, before, after);
}

int cli_dry_run(struct cli *c, struct change *ch,
    const struct change_how *how)
{
	const struct change_show show = {show_pair, c};
	struct change_done done;
	struct error err = {0};

	out_table(&c->out, cli_pair_columns);
	if (change_preview(ch, how, &show, &done, &err) < 0)
		return cli_change_fail(c, ch, &err);
	progress_end(&c->bar);
	out_end(&c->out);
	out_say(&c->out, "would change %" PRIu64 " recipient%s, %" PRIu64
	    " %s it already; nothing was changed", done.recipients,
	    done.recipients == 1 ? "" : "s", done.same,
	    done.same == 1 ? "has" : "have");
	warn_of_strangers(c, ch);
	return CLI_DONE;
}
