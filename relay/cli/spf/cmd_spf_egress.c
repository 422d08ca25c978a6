/* SPDX-License-Identifier: ISC
 *
 * spf egress: which way out mail of a domain would take, and what its record
 * says of each.
 */
#include "relay/base/mem.h"
#include "relay/cli/spf/egress_show.h"
#include "relay/cli/spf/spf_commands.h"

static const struct out_column columns[] = {
	{"egress", "EGRESS", false},
	{"result", "RESULT", false},
	{"mechanism", "MECHANISM", false},
	{"domain", "RECORD OF", false},
	{NULL, NULL, false},
};

/* The domain's own sender, or an address, or "<>". False: it is neither, which
 * was said. */
static bool sender_of(struct cli *c, const char *text, struct addr *from_out)
{
	struct strbuf address;
	const char *why;
	bool ok;

	*from_out = (struct addr){.text = slice_of("", 0)};
	if (text[0] == '\0' || strcmp(text, "<>") == 0)
		return true;
	strbuf_init(&address, 2 * ADDR_MAX);
	if (strchr(text, '@') == NULL)
		strbuf_adds(&address, "postmaster@");
	strbuf_adds(&address, text);
	ok = addr_parse(slice_str(arena_slicedup(c->arena,
	    strbuf_view(&address))), true, from_out, &why) == 0;
	strbuf_fini(&address);
	if (!ok)
		cli_usage(c, "'%s' is no domain and no sender: %s", text, why);
	return ok;
}

static void show_rows(struct cli *c, const struct egress_judged *judged)
{
	out_table(&c->out, columns);
	for (unsigned i = 0; i < judged->n; i++) {
		egress_put_verdict(c, &judged->way[i], out_row(&c->out));
		out_row_end(&c->out);
	}
	out_end(&c->out);
}

static void show(struct cli *c, const char *text,
    const struct egress_found *found)
{
	static const struct out_column none[] = {{NULL, NULL, false}};
	struct strbuf line;
	struct jout *j;

	if (!c->json) {
		strbuf_init(&line, OUT_LINE_MAX);
		egress_say_choice(c, found, &line);
		out_say(&c->out, "%s: %s", text, strbuf_cstr(&line));
		strbuf_fini(&line);
		show_rows(c, &found->judged);
		return;
	}
	out_table(&c->out, none);
	j = out_row(&c->out);
	jout_str(j, "sender", text);
	egress_put_choice(c, found, j);
	out_row_end(&c->out);
	out_end(&c->out);
}

static int judge_all(struct cli *c, struct spf_alone *o)
{
	struct egress_found found;
	struct egress_subject s = {.conf = c->conf};

	for (int i = 0; i < c->args; i++) {
		if (!sender_of(c, c->arg[i], &s.from))
			return CLI_USAGE;
		egress_judge_alone(o, &s, &found);
		show(c, s.from.text.n == 0 ? "<>" : c->arg[i], &found);
	}
	return CLI_DONE;
}

static int run_egress(struct cli *c)
{
	struct spf_alone *o;
	struct error err;
	int code;

	if (cli_conf(c) == NULL)
		return CLI_NO;
	if (c->conf->outbound.ways == 0)
		return cli_fail(c, "outbound.use names no egress: nothing goes "
				   "out");
	o = spf_alone_new(c->conf, &err);
	if (o == NULL)
		return cli_fail(c, "%s", err.text);
	code = judge_all(c, o);
	spf_alone_free(o);
	return code;
}

const struct cli_command cmd_spf_egress[] = {
	{.name = "spf egress",
	    .args = "DOMAIN...",
	    .summary = "Says which egress mail of a domain would leave by",
	    .details =
		"For each egress of outbound.use: what the SPF record of the "
		"domain says of its addresses, the worst of them; then the "
		"choice and its reason, by the function that the daemon asks "
		"before each attempt (doc/egress.md). An address stands for a "
		"sender, and '<>' for the null sender. The resolvers of the "
		"configuration are asked; the daemon is not needed. The "
		"DMARC policy is the one of the sender's domain, as if From "
		"had the same: mail under srs.domain needs a signature then, "
		"if it is quarantine or reject.",
	    .example = "posthouse spf egress example.com example.org\n"
		       "posthouse spf egress ann@example.com '<>'",
	    .min_args = 1,
	    .max_args = -1,
	    .run = run_egress},
	{.name = NULL},
};
