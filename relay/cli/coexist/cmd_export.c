/* SPDX-License-Identifier: ISC
 *
 * export coexist: a file for the server behind a leg, on standard output. What
 * has no line in it is counted on standard error.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "policy/coexist/coexist_rows.h"
#include "relay/cli/coexist/coexist_commands.h"
#include "relay/cli/table/cli_table.h"

enum { LINE_BYTES = 1 << 20 }; /* the heading names the domains of all legs */

struct export_view {
	struct cli *c;
	struct coexist_how how;
	struct strbuf line;
};

static int put(struct export_view *x, struct error *err)
{
	bool ok = fwrite(x->line.p, 1, x->line.n, stdout) == x->line.n;

	strbuf_reset(&x->line);
	return ok ? 0 : error_sys(err, errno, "standard output");
}

static int on_begin(void *arg, struct error *err)
{
	struct export_view *x = arg;

	if (x->c->json)
		return 0;
	coexist_head(&x->how, &x->line);
	return put(x, err);
}

static void put_json(struct export_view *x, const struct coexist_entry *e)
{
	struct jout *j;

	if (e->where != COEXIST_AWAY && !x->how.part)
		return;
	j = out_row(&x->c->out);
	jout_slice(j, "address", e->key);
	jout_str(j, "leg", e->leg == NULL ? "" : e->leg->name);
	jout_str(j, "target", e->address);
	jout_int(j, "change", (int64_t)x->how.change);
	out_row_end(&x->c->out);
}

static int on_entry(void *arg, const struct coexist_entry *e,
    struct error *err)
{
	struct export_view *x = arg;

	if (x->c->json) {
		put_json(x, e);
		return 0;
	}
	coexist_line(&x->how, e, &x->line);
	return x->line.n == 0 ? 0 : put(x, err);
}

static void say(struct cli *c, uint64_t n, const char *what)
{
	if (n > 0)
		cli_fail(c, "%" PRIu64 " recipient%s: %s", n, n == 1 ? "" : "s",
		    what);
}

static void say_counts(struct export_view *x, const struct coexist_walk *w)
{
	bool by_address = x->how.format == COEXIST_EXCHANGE ||
			  x->how.format == COEXIST_GOOGLE;

	cli_fail(x->c, "change %" PRIu64 ": other legs than %s have %" PRIu64
	    " recipient%s", x->how.change, x->how.leg->name, w->counts.away,
	    w->counts.away == 1 ? "" : "s");
	say(x->c, w->counts.nowhere, "left out, for they have no address of "
	    "their own on their leg; give them one (route set --address), or "
	    "the leg domains");
	say(x->c, w->counts.odd, "left out, for their addresses have quotes "
	    "or signs that such a file cannot hold");
	if (by_address && w->counts.domains > 0)
		cli_fail(x->c, "the rows of %" PRIu64 " domains lead to other "
		    "legs; this format has no line for recipients without a "
		    "row", w->counts.domains);
}

static int export_from(struct export_view *x, struct table *t)
{
	struct coexist_walk w = {.how = &x->how, .since = -1,
	    .begin = on_begin, .entry = on_entry, .arg = x};
	uint64_t since;
	struct error err = {0};
	int rc;

	if (cli_flag(x->c, "since")) {
		if (!cli_number(x->c, cli_value(x->c, "since"), &since))
			return CLI_USAGE;
		w.since = (int64_t)since;
	}
	strbuf_init(&x->line, LINE_BYTES);
	rc = coexist_rows(&w, t, &err);
	strbuf_fini(&x->line);
	if (rc == 0 && fflush(stdout) != 0)
		rc = error_sys(&err, errno, "standard output");
	if (rc < 0)
		return cli_fail(x->c, "%s", err.text);
	say_counts(x, &w);
	return CLI_DONE;
}

static int run_coexist(struct cli *c)
{
	struct export_view x = {.c = c};
	const struct coexist_said said = {cli_value(c, "format"),
	    cli_value(c, "map"), cli_value(c, "leg"), cli_value(c, "via")};
	struct error err;
	struct table *t;
	int code;

	if (!cli_conf(c))
		return CLI_NO;
	if (coexist_read(c->conf, &said, &x.how, &err) < 0)
		return cli_usage(c, "%s", err.text);
	t = cli_table(c);
	if (t == NULL)
		return CLI_NO;
	code = export_from(&x, t);
	table_close(t);
	return code;
}

static const struct cli_option coexist_options[] = {
	{"format", "F", "exchange, postfix, exim or google."},
	{"map", "M", "Of postfix and exim: transport (where mail goes, the "
	    "default) or recipient (the address there)."},
	{"leg", "L", "The leg whose server reads it; without it the only one "
	    "that the format fits."},
	{"via", "HOST", "Of map transport: the next hop for all, HOST or "
	    "HOST:PORT; without it the leg's first host."},
	{"since", "CHANGE", "Only recipients that a change above it touched; "
	    "those that the leg has are named too."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_export[] = {
	{
	    .name = "export coexist",
	    .args = "--format F",
	    .summary = "Tells one side where the recipients of others are",
	    .details = "exchange: CSV with targetAddress. postfix, exim: a "
		       "map to next hops or addresses.\ngoogle: a recipient "
		       "address map. The number of the change stands in it, "
		       "and on\nstandard error. A coexist section of "
		       "posthouse.conf(5) keeps such a file up to date.",
	    .example = "posthouse export coexist --format postfix "
		       ">/etc/postfix/moved\n"
		       "posthouse export coexist --format exchange --since "
		       "41",
	    .options = coexist_options,
	    .run = run_coexist,
	},
	{.name = NULL},
};
