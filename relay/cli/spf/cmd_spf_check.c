/* SPDX-License-Identifier: ISC
 *
 * spf check: what SPF says of a client and a sender, and which term of which
 * record says it.
 */
#include "relay/cli/spf/spf_commands.h"
#include "relay/spf/spf_alone.h"

struct shown {
	struct cli *c;
	int64_t began_ms;
};

static void say_text(struct cli *c, const char *title, struct slice text)
{
	struct strbuf line;

	if (text.n == 0)
		return;
	strbuf_init(&line, OUT_LINE_MAX);
	utf8_show(text, &line);
	out_say(&c->out, "%-12s %s", title, strbuf_cstr(&line));
	strbuf_fini(&line);
}

static void say_records(struct cli *c, const struct spf_checked *f)
{
	struct strbuf line;

	for (int i = 0; i < f->reads; i++) {
		strbuf_init(&line, OUT_LINE_MAX);
		utf8_show(f->read[i].name, &line);
		strbuf_adds(&line, "  ");
		utf8_show(f->read[i].record, &line);
		out_say(&c->out, "%-12s %s", i == 0 ? "records" : "",
		    strbuf_cstr(&line));
		strbuf_fini(&line);
	}
}

static void say(struct cli *c, const struct spf_checked *f, int64_t ms)
{
	const struct spf_verdict *v = &f->verdict;

	say_text(c, "result", slice_str(spf_result_text(v->result)));
	say_text(c, "mechanism", v->mechanism);
	say_text(c, "domain", v->domain);
	say_text(c, "problem", v->problem);
	say_text(c, "explanation", v->explanation);
	out_say(&c->out, "%-12s %s", "identity",
	    f->of_helo ? "helo" : "mailfrom");
	out_say(&c->out, "%-12s %u of 10, %u of 2 without an answer",
	    "lookups", v->lookups, v->voids);
	out_say(&c->out, "%-12s %d in %lld ms", "questions", f->queries,
	    (long long)ms);
	say_records(c, f);
}

static void print_records(struct jout *j, const struct spf_checked *f)
{
	jout_array(j, "records");
	for (int i = 0; i < f->reads; i++) {
		jout_object(j, NULL);
		jout_slice(j, "domain", f->read[i].name);
		jout_slice(j, "record", f->read[i].record);
		jout_object_end(j);
	}
	jout_array_end(j);
}

static void print_row(struct cli *c, const struct spf_checked *f, int64_t ms)
{
	static const struct out_column none[] = {{NULL, NULL, false}};
	const struct spf_verdict *v = &f->verdict;
	struct jout *j;

	out_table(&c->out, none);
	j = out_row(&c->out);
	jout_str(j, "result", spf_result_text(v->result));
	jout_slice(j, "mechanism", v->mechanism);
	jout_slice(j, "domain", v->domain);
	jout_int(j, "lookups", v->lookups);
	jout_int(j, "voids", v->voids);
	jout_slice(j, "explanation", v->explanation);
	jout_slice(j, "problem", v->problem);
	jout_str(j, "identity", f->of_helo ? "helo" : "mailfrom");
	jout_int(j, "queries", f->queries);
	jout_int(j, "time_ms", ms);
	print_records(j, f);
	out_row_end(&c->out);
	out_end(&c->out);
}

static void on_found(void *arg, const struct spf_checked *f)
{
	struct shown *s = arg;
	int64_t ms = clock_mono_ms(&clock_system) - s->began_ms;

	if (s->c->json)
		print_row(s->c, f, ms);
	else
		say(s->c, f, ms);
}

/* Without the brackets of SMTP; "" and "<>" are the null sender. */
static struct slice sender_of(const char *text)
{
	struct slice s = slice_str(text);

	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = slice_of(s.p + 1, s.n - 2);
	return s;
}

static int run_check(struct cli *c)
{
	struct netaddr client;
	struct spf_subject s = {.client = &client, .explain = true};
	struct shown shown = {.c = c};
	struct spf_alone *o;
	struct error err;

	if (netaddr_parse(&client, slice_str(c->arg[0]), 0) != 0)
		return cli_usage(c, "%s is no IPv4 or IPv6 address",
		    c->arg[0]);
	s.sender = sender_of(c->arg[1]);
	if (s.sender.n == 0 && c->args < 3)
		return cli_usage(c, "a null sender is judged by its HELO "
				    "name: give that as well");
	s.helo = slice_str(c->args > 2 ? c->arg[2] : "unknown");
	if (cli_conf(c) == NULL)
		return CLI_NO;
	o = spf_alone_new(c->conf, &err);
	if (o == NULL)
		return cli_fail(c, "%s", err.text);
	shown.began_ms = clock_mono_ms(&clock_system);
	spf_alone_run(o, &s, on_found, &shown);
	spf_alone_free(o);
	return CLI_DONE;
}

const struct cli_command cmd_spf_check[] = {
	{.name = "spf check",
	    .args = "IP SENDER [HELO]",
	    .summary = "Judges a client and a sender by SPF (RFC 7208)",
	    .details =
		"Shows the result, the term that decided and the domain whose "
		"record has it, the explanation of a fail, the records read "
		"and what they cost: terms that ask the DNS (at most 10) and "
		"names without an answer (at most 2). The resolvers of the "
		"configuration are asked; the daemon is not needed. '' or "
		"'<>' is the null sender, which HELO is judged for. The exit "
		"code is 0 whatever the result, 1 when there was none.",
	    .example = "posthouse spf check 192.0.2.10 ann@example.com\n"
		       "posthouse spf check 2001:db8::1 '<>' mail.example.com",
	    .min_args = 2,
	    .max_args = 3,
	    .run = run_check},
	{.name = NULL},
};
