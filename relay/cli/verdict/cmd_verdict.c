/* SPDX-License-Identifier: ISC
 *
 * verdict: may the server behind a leg be switched off?
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/cli/verdict/gather.h"
#include "relay/cli/verdict/verdict_commands.h"
#include "relay/cli/verdict/verdict_relay.h"
#include "relay/cli/verdict/verdict_report.h"
#include "relay/cli/verdict/verdict_waive.h"

enum { NAMES_SHOWN = 3, EVIDENCE_BYTES = 16000 };

static const struct out_column columns[] = {
	{"reason", "REASON", false},
	{"state", "STATE", false},
	{"evidence", "EVIDENCE", false},
	{NULL, NULL, false},
};

static void say_waivers(const struct verdict_look *g)
{
	char until[CLOCK_LOCAL_MAX];

	for (int r = 0; r < REASONS; r++) {
		const struct waiver *w = g->waiver[r];

		if (w == NULL)
			continue;
		clock_local(w->until_us, until);
		out_say(&g->c->out, "waiver: %s %s %s, by %s: %s",
		    reason_name((enum reason_id)r), waiver_holds(w, g->now_us)
			? "until" : "ENDED at", until, w->who, w->note);
	}
}

static void put_reason(const struct verdict_look *g, enum reason_id r)
{
	struct out *out = &g->c->out;
	struct strbuf text;
	struct jout *j;

	strbuf_init(&text, EVIDENCE_BYTES);
	reason_print(&g->f, r, g->c->json ? EVIDENCE_ITEMS : NAMES_SHOWN,
	    &text);
	j = out_row(out);
	jout_str(j, "reason", reason_name(r));
	jout_str(j, "state", reason_state_text(reason_judge(&g->f, r)));
	jout_slice(j, "evidence", strbuf_view(&text));
	jout_time(j, "at", g->now_us);
	jout_bool(j, "waived", waiver_holds(g->waiver[r], g->now_us));
	out_row_end(out);
	strbuf_fini(&text);
}

static void put_answer(const struct verdict_look *g, struct verdict_answer a)
{
	static const struct out_column none[] = {{NULL, NULL, false}};
	struct out *out = &g->c->out;
	struct jout *j;

	if (!a.go)
		out_say(out, "NO-GO");
	else if (a.waived == 0)
		out_say(out, "GO");
	else
		out_say(out, "GO with %u waiver%s", a.waived,
		    a.waived == 1 ? "" : "s");
	if (!g->c->json)
		return;
	out_table(out, none);
	j = out_row(out);
	jout_str(j, "verdict", a.go ? "GO" : "NO-GO");
	jout_int(j, "waived", a.go ? a.waived : 0);
	jout_str(j, "name", g->v->name);
	jout_str(j, "leg", g->v->leg);
	jout_time(j, "at", g->now_us);
	jout_int(j, "change", (int64_t)g->heads.change);
	jout_str(j, "head", g->heads.change_head);
	out_row_end(out);
	out_end(out);
}

/* Without a daemon there is no trail to keep it, and the answer is NO-GO. */
static void tell_daemon(const struct verdict_look *g, struct verdict_answer a)
{
	struct strbuf bad;
	json_t *args;

	strbuf_init(&bad, 200);
	for (int r = 0; r < REASONS; r++)
		if (reason_judge(&g->f, (enum reason_id)r) != REASON_OK)
			strbuf_addf(&bad, "%s%s", bad.n == 0 ? "" : " ",
			    reason_name((enum reason_id)r));
	args = json_pack("{s:s, s:s, s:s, s:i, s:s}", "name", g->v->name,
	    "leg", g->v->leg, "state", a.go ? "GO" : "NO-GO", "waived",
	    a.go ? (int)a.waived : 0, "reason", strbuf_cstr(&bad));
	cli_call_if_running(g->c, "verdict.told", args, gather_ignore, NULL);
	strbuf_fini(&bad);
}

static int show(struct verdict_look *g, FILE *report)
{
	struct verdict_answer a = verdict_answer(&g->f, g->waiver, g->now_us);
	int code = a.go ? CLI_DONE : CLI_NO;

	say_waivers(g);
	out_table(&g->c->out, columns);
	for (int r = 0; r < REASONS; r++)
		put_reason(g, (enum reason_id)r);
	out_end(&g->c->out);
	put_answer(g, a);
	tell_daemon(g, a);
	if (report != NULL)
		gather_public(g);
	if (report != NULL && !verdict_report(g, report))
		code = cli_fail(g->c, "%s: %s", cli_value(g->c, "report"),
		    strerror(errno));
	return code;
}

static const struct conf_verdict *choose(struct cli *c)
{
	const struct conf *conf = cli_conf(c);
	const char *name = c->args > 0 ? c->arg[0] : "";
	const struct conf_verdict *v;

	if (conf == NULL)
		return NULL;
	v = conf_verdict(conf, slice_str(name));
	if (v == NULL && name[0] == '\0')
		cli_fail(c, "the configuration does not say which leg: add  "
		    "verdict { leg = \"legacy\" }");
	else if (v == NULL)
		cli_fail(c, "the configuration has no verdict \"%s\"", name);
	return v;
}

/* Written beside the user's other files, so before root becomes the owner of
 * the table. */
static int open_report(struct cli *c, FILE **report_out)
{
	const char *file = cli_value(c, "report");

	*report_out = NULL;
	if (file == NULL)
		return CLI_DONE;
	*report_out = fopen(file, "we");
	return *report_out != NULL
		   ? CLI_DONE : cli_fail(c, "%s: %s", file, strerror(errno));
}

static int run_verdict(struct cli *c)
{
	struct verdict_look *g;
	FILE *report;
	int code;

	if (cli_flag(c, "relay"))
		return verdict_relay_run(c);
	g = NEW(struct verdict_look);
	g->c = c;
	g->v = choose(c);
	g->conf = c->conf;
	code = g->v == NULL ? CLI_NO : open_report(c, &report);
	if (code == CLI_DONE) {
		code = gather_all(g);
		if (code == CLI_DONE)
			code = show(g, report);
		gather_end(g);
		if (report != NULL && fclose(report) != 0)
			code = cli_fail(c, "%s: %s", cli_value(c, "report"),
			    strerror(errno));
	}
	mem_free(g);
	return code;
}

static const struct cli_option verdict_options[] = {
	{"report", "FILE", "Writes it as HTML, to print and to sign."},
	{"relay", NULL, "Asks whether Posthouse itself may go."},
	{NULL, NULL, NULL},
};

static const struct cli_option waive_options[] = {
	{"until", "T", "When it counts again: a time, or +14d."},
	{"note", "TEXT", "Why it may go without."},
	{"name", "NAME", "Of the verdict of that name."},
	{"end", NULL, "Takes it back."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_verdict[] = {
	{.name = "verdict",
	    .args = "[NAME]",
	    .summary = "Says whether the old server may be switched off",
	    .details = "GO, exit code 0, or NO-GO, exit code 1, with each "
		       "reason and its evidence.\nWhat cannot be looked at is "
		       "unknown, and unknown is NO-GO. Which leg, and for how\n"
		       "long it has to be quiet, says the section verdict of "
		       "the configuration.",
	    .example = "posthouse verdict --report /root/verdict.html",
	    .options = verdict_options,
	    .max_args = 1,
	    .run = run_verdict},
	{.name = "verdict waive",
	    .args = "REASON",
	    .summary = "Takes a reason of the verdict on",
	    .details = "Recorded with who and why. It stands first in the "
		       "report; when it has ended, the\nreason counts again.",
	    .example = "posthouse verdict waive inside --until +30d --note "
		       "'the old server keeps no logs'",
	    .options = waive_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = verdict_waive_run},
	{.name = NULL},
};
