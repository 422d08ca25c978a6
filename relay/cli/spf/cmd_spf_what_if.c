/* SPDX-License-Identifier: ISC
 *
 * spf what-if: what another SPF record of a domain would say of each egress,
 * and of each client that sent in its name last week.
 */
#include <errno.h>
#include <stdlib.h>

#include "relay/audit/delivered/spf_ledger.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cli/spf/spf_commands.h"
#include "relay/egress/egress_alone.h"
#include "relay/mail/domain.h"
#include "relay/net/dns.h"

enum {
	DAYS = 7,
	CLIENTS_MAX = SPF_CLIENTS_MAX, /* are judged, the busiest */
	SHOWN = 100,
	TERM_BYTES = 96,
};

/* Of a client or an egress, under a record. */
struct client_verdict {
	enum spf_result result;
	char term[TERM_BYTES];
};

struct seen_client {
	const char *text;
	uint64_t messages;
	struct client_verdict before, after;
};

struct what_if {
	struct cli *c;
	const char *domain; /* in normal form */
	const char *record;
	struct addr sender; /* postmaster there */
	/* Two resolvers, of which one knows the other record. */
	struct spf_alone *before, *after;
	struct seen_client *client;
	size_t n, cap;
	int64_t since_us;	 /* 0: no clients are known */
	uint64_t more;		 /* messages past the ceiling of the ledger */
	struct error ledger;	 /* why it is not read; or "" */
	char problem[256];	 /* of the new record; or "" */
};

static const struct out_column columns[] = {
	{"kind", "KIND", false},
	{"name", "NAME", false},
	{"messages", "MESSAGES", true},
	{"before", "BEFORE", false},
	{"before_mechanism", "BY", false},
	{"after", "AFTER", false},
	{"after_mechanism", "BY", false},
	{NULL, NULL, false},
};

/* ---- clients ------------------------------------------------------------- */

static void on_client(void *arg, const char *client, uint64_t messages)
{
	struct what_if *w = arg;

	if (w->n == CLIENTS_MAX) {
		w->more += messages;
		return;
	}
	if (w->n == w->cap) {
		w->cap = w->cap == 0 ? 256 : 2 * w->cap;
		w->client = mem_resize(w->client,
		    w->cap * sizeof(*w->client));
	}
	w->client[w->n++] = (struct seen_client){
	    .text = arena_strdup(w->c->arena, client), .messages = messages};
}

static void read_clients(struct what_if *w)
{
	int64_t day = clock_wall_us(&clock_system) / DAY_US - DAYS + 1;
	struct spf_ledger *l = spf_ledger_open(w->c->conf->audit.path,
	    &w->ledger);

	if (l == NULL)
		return;
	w->ledger.text[0] = '\0';
	w->since_us = spf_ledger_since(l);
	w->more = spf_ledger_more_clients(l, day);
	if (spf_ledger_clients(l, w->domain, day, on_client, w) != 0)
		error_set(&w->ledger, "ledger.db: %s", spf_ledger_error(l));
	spf_ledger_close(l);
}

static void on_checked(void *arg, const struct spf_checked *f)
{
	struct client_verdict *out = arg;
	struct slice term = slice_head(f->verdict.mechanism,
	    sizeof(out->term) - 1);

	out->result = f->verdict.result;
	if (term.n > 0)
		memcpy(out->term, term.p, term.n);
	out->term[term.n] = '\0';
}

static void judge_client(const struct what_if *w, struct seen_client *s)
{
	struct netaddr address;
	struct spf_subject subject = {.client = &address, .ours = true,
	    .helo = SLICE("unknown"), .sender = w->sender.text};

	if (netaddr_parse(&address, slice_str(s->text), 0) != 0)
		return; /* both are none */
	spf_alone_run(w->before, &subject, on_checked, &s->before);
	spf_alone_run(w->after, &subject, on_checked, &s->after);
}

static bool is_changed(const struct seen_client *s)
{
	return s->before.result != s->after.result;
}

/* Those that change first, then the busiest. */
static int order(const void *a, const void *b)
{
	const struct seen_client *x = a, *y = b;

	if (is_changed(x) != is_changed(y))
		return is_changed(x) ? -1 : 1;
	if (x->messages != y->messages)
		return x->messages > y->messages ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void judge_clients(struct what_if *w)
{
	progress_begin(&w->c->bar, "clients", w->n);
	for (size_t i = 0; i < w->n; i++) {
		judge_client(w, &w->client[i]);
		progress_at(&w->c->bar, i + 1);
	}
	progress_end(&w->c->bar);
	if (w->n > 0)
		qsort(w->client, w->n, sizeof(*w->client), order);
}

/* ---- the record itself --------------------------------------------------- */

static void on_problem(void *arg, const struct spf_checked *f)
{
	struct what_if *w = arg;
	struct slice text = slice_head(f->verdict.problem,
	    sizeof(w->problem) - 1);

	if (f->verdict.result != SPF_PERMERROR)
		return;
	if (text.n == 0)
		text = SLICE("it is in error");
	memcpy(w->problem, text.p, text.n);
	w->problem[text.n] = '\0';
}

/* A client of no network (RFC 1112 4) has each term of the record evaluated. */
static void check_record(struct what_if *w)
{
	struct netaddr nowhere;
	struct spf_subject s = {.client = &nowhere, .ours = true,
	    .helo = SLICE("unknown"), .sender = w->sender.text};

	if (netaddr_parse(&nowhere, SLICE("240.0.0.1"), 0) == 0)
		spf_alone_run(w->after, &s, on_problem, w);
}

/* ---- what is shown ------------------------------------------------------- */

static void put_row(struct cli *c, const char *kind, const char *name,
    const struct seen_client *s)
{
	struct jout *j = out_row(&c->out);

	jout_str(j, "kind", kind);
	jout_str(j, "name", name);
	if (s->messages > 0)
		jout_int(j, "messages", (int64_t)s->messages);
	jout_str(j, "before", spf_result_text(s->before.result));
	jout_str(j, "before_mechanism", s->before.term);
	jout_str(j, "after", spf_result_text(s->after.result));
	jout_str(j, "after_mechanism", s->after.term);
	out_row_end(&c->out);
}

static struct client_verdict said_of(const struct egress_verdict *v)
{
	struct client_verdict s = {.result = v->result};

	snprintf(s.term, sizeof(s.term), "%s", v->mechanism);
	return s;
}

static void show_egresses(const struct what_if *w)
{
	struct egress_subject s = {.conf = w->c->conf, .from = w->sender};
	struct egress_found before, after;

	if (w->c->conf->outbound.ways == 0)
		return;
	egress_judge_alone(w->before, &s, &before);
	egress_judge_alone(w->after, &s, &after);
	for (unsigned i = 0; i < before.judged.n; i++) {
		const struct egress_verdict *v = &before.judged.way[i];
		struct seen_client row = {.before = said_of(v),
		    .after = said_of(&after.judged.way[i])};

		put_row(w->c, "egress", names_text(w->c->names, v->leg), &row);
	}
}

static size_t changed(const struct what_if *w, uint64_t *messages_out)
{
	size_t n = 0;

	*messages_out = 0;
	for (; n < w->n && is_changed(&w->client[n]); n++)
		*messages_out += w->client[n].messages;
	return n;
}

static void put_total(struct what_if *w, size_t n, uint64_t messages)
{
	static const struct out_column none[] = {{NULL, NULL, false}};
	char since[CLOCK_RFC3339_MAX];
	struct jout *j;

	clock_rfc3339(w->since_us, since);
	out_table(&w->c->out, none);
	j = out_row(&w->c->out);
	jout_str(j, "kind", "total");
	jout_int(j, "clients", (int64_t)w->n);
	jout_int(j, "changed", (int64_t)n);
	jout_int(j, "messages", (int64_t)messages);
	jout_int(j, "not_judged", (int64_t)w->more);
	jout_str(j, "since", w->since_us == 0 ? NULL : since);
	jout_str(j, "problem", w->problem);
	out_row_end(&w->c->out);
	out_end(&w->c->out);
}

static void say_total(struct what_if *w, size_t n, uint64_t messages)
{
	struct out *o = &w->c->out;
	char since[CLOCK_LOCAL_MAX];

	clock_local(w->since_us, since);
	if (w->ledger.text[0] != '\0')
		out_say(o, "no clients are known: %s", w->ledger.text);
	else if (w->since_us == 0)
		out_say(o, "no clients are known: no mail was counted yet");
	else
		out_say(o, "%zu client%s in %d days, of which %zu change%s "
		    "(%llu message%s); counted since %s", w->n,
		    w->n == 1 ? "" : "s", DAYS, n, n == 1 ? "s" : "",
		    (unsigned long long)messages, messages == 1 ? "" : "s",
		    since);
	if (w->more > 0)
		out_say(o, "%llu messages of further clients are not judged",
		    (unsigned long long)w->more);
	if (w->problem[0] != '\0')
		out_say(o, "the record is in error: %s", w->problem);
}

static void show(struct what_if *w)
{
	uint64_t messages;
	size_t n = changed(w, &messages);
	bool all = w->c->json || cli_flag(w->c, "all") || w->n < SHOWN;
	size_t shown = all ? w->n : SHOWN;

	out_table(&w->c->out, columns);
	show_egresses(w);
	for (size_t i = 0; i < shown; i++)
		put_row(w->c, "client", w->client[i].text, &w->client[i]);
	out_end(&w->c->out);
	if (w->c->json) {
		put_total(w, n, messages);
		return;
	}
	if (shown < w->n)
		out_say(&w->c->out, "and %zu more, see --all", w->n - shown);
	say_total(w, n, messages);
}

/* ---- the command --------------------------------------------------------- */

/* False: it is no domain, which was said. */
static bool take_domain(struct what_if *w)
{
	struct cli *c = w->c;
	struct strbuf domain, sender;
	const char *why = "it has no form in the DNS";
	bool ok;

	strbuf_init(&domain, ADDR_DOMAIN_MAX);
	strbuf_init(&sender, 2 * ADDR_MAX);
	ok = domain_normal(slice_str(c->arg[0]), &domain);
	w->domain = arena_slicedup(c->arena, strbuf_view(&domain));
	strbuf_addf(&sender, "postmaster@%s", w->domain);
	ok = ok && addr_parse(slice_str(arena_slicedup(c->arena,
		       strbuf_view(&sender))), true, &w->sender, &why) == 0;
	strbuf_fini(&sender);
	strbuf_fini(&domain);
	if (!ok)
		cli_usage(c, "'%s' is no domain: %s", c->arg[0], why);
	return ok;
}

/* RFC 7208 4.5 */
static bool is_spf(const char *record)
{
	struct slice r = slice_str(record);

	return slice_case_starts(r, SLICE("v=spf1")) &&
	       (r.n == 6 || r.p[6] == ' ');
}

static int judge(struct what_if *w)
{
	struct error err;

	w->before = spf_alone_new(w->c->conf, &err);
	if (w->before == NULL)
		return cli_fail(w->c, "%s", err.text);
	w->after = spf_alone_new(w->c->conf, &err);
	if (w->after == NULL)
		return cli_fail(w->c, "%s", err.text);
	dns_set_txt(spf_alone_dns(w->after), w->domain, w->record);
	check_record(w);
	read_clients(w);
	judge_clients(w);
	show(w);
	return CLI_DONE;
}

static int run_what_if(struct cli *c)
{
	struct what_if w = {.c = c, .record = cli_value(c, "record")};
	int code;

	if (w.record == NULL)
		return cli_usage(c, "which record would it have? --record "
		    "'v=spf1 ... -all'");
	if (!is_spf(w.record))
		return cli_usage(c, "'%s' is no SPF record: it begins with "
		    "v=spf1 and a blank", w.record);
	if (!take_domain(&w))
		return CLI_USAGE;
	if (cli_conf(c) == NULL)
		return CLI_NO;
	code = judge(&w);
	spf_alone_free(w.before);
	spf_alone_free(w.after);
	mem_free(w.client);
	return code;
}

static const struct cli_option options[] = {
	{"record", "RECORD", "The record that DOMAIN would have."},
	{"all", NULL, "Shows each client, not the first 100."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_spf_what_if[] = {
	{.name = "spf what-if",
	    .args = "DOMAIN",
	    .summary = "Judges egresses and clients by another SPF record",
	    .details =
		"For each egress of outbound.use, and for each client that "
		"sent in the name of a domain of ours in the last seven days: "
		"what the SPF record of DOMAIN says now, and what RECORD "
		"would say in its place. Clients that change come first. "
		"Known are the clients whose mail came here and was judged; "
		"they are counted in ledger.db, which says since when. The "
		"resolvers of the configuration are asked for all other "
		"names; the daemon is not needed.",
	    .example = "posthouse spf what-if example.com --record "
		       "'v=spf1 include:spf.example.net -all'",
	    .options = options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_what_if},
	{.name = NULL},
};
