/* SPDX-License-Identifier: ISC
 *
 * stragglers: the clients that still deliver by the old MX. Reads ledger.db,
 * imported.db and the table itself; the daemon is not needed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cli/common/human.h"
#include "relay/cli/straggler/straggler_commands.h"
#include "relay/cli/straggler/straggler_view.h"

enum { SHOWN = 100, CHARTS = 20, WANTING_BYTES = OUT_LINE_MAX / 2 };

struct straggler_list {
	struct straggler_view v;
	struct straggler_marks *only; /* of these alone; NULL: all */
	bool csv, all;
	uint64_t n[STRAGGLER_GROUPS], restless;
	struct straggler_found *shown[STRAGGLER_GROUPS];
	size_t kept[STRAGGLER_GROUPS];
};

/* ---- gathering ----------------------------------------------------------- */

static const char *copy(struct cli *c, const char *text)
{
	return arena_strdup(c->arena, text);
}

/* Texts are borrowed from the row that is read. */
static struct straggler_found keep(struct cli *c,
    const struct straggler_found *f)
{
	struct straggler_found k = *f;

	k.seen.key = (struct straggler_key){copy(c, f->seen.key.client),
	    copy(c, f->seen.key.listen), copy(c, f->seen.key.customer)};
	k.seen.name = copy(c, f->seen.name);
	k.seen.helo = copy(c, f->seen.helo);
	k.seen.tls = copy(c, f->seen.tls);
	k.seen.senders = copy(c, f->seen.senders);
	return k;
}

static void add_shown(struct straggler_list *l, enum straggler_group g,
    const struct straggler_found *f)
{
	size_t n = l->kept[g];

	if (n >= SHOWN && !l->all)
		return;
	if ((n & (n - 1)) == 0)
		l->shown[g] = mem_resize(l->shown[g],
		    (n == 0 ? 1 : 2 * n) * sizeof(*f));
	l->shown[g][l->kept[g]++] = keep(l->v.c, f);
}

static bool on_straggler(void *arg, const struct straggler_found *f)
{
	struct straggler_list *l = arg;
	enum straggler_group g;

	if (l->only != NULL && straggler_marks_find(l->only,
		f->seen.key.client, f->seen.name).mark == STRAGGLER_UNMARKED)
		return true;
	g = straggler_group_of(&l->v, f);
	l->n[g]++;
	l->restless += f->legitimate && f->quiet_at_us > l->v.now_us;
	if (l->csv)
		straggler_put_csv(&l->v, f);
	else if (l->v.c->json)
		straggler_put(&l->v, f);
	else
		add_shown(l, g, f);
	return true;
}

/* ---- for people ---------------------------------------------------------- */

static void put_group(struct straggler_list *l, enum straggler_group g)
{
	static const char *const titles[STRAGGLER_GROUPS] = {
		[GROUP_LEGITIMATE] = "Legitimate: mail of them was delivered "
				     "and SPF or their network speaks for it",
		[GROUP_OTHER] = "Others: nothing speaks for them, or they are "
				"marked ignore",
		[GROUP_LATE] = "Late: first seen after the last old answer of "
			       "the DNS had ended",
	};
	struct out *out = &l->v.c->out;

	if (l->n[g] == 0)
		return;
	out_say(out, "%s", titles[g]);
	out_table(out, straggler_columns);
	for (size_t i = 0; i < l->kept[g]; i++)
		straggler_put(&l->v, &l->shown[g][i]);
	out_end(out);
	if (l->kept[g] < l->n[g])
		out_say(out, "... and %" PRIu64 " more: --all, --csv or "
		    "--json", l->n[g] - l->kept[g]);
	out_say(out, "%s", "");
}

static void say_sum(struct straggler_list *l)
{
	uint64_t all = l->n[GROUP_LEGITIMATE] + l->n[GROUP_OTHER] +
		       l->n[GROUP_LATE];
	int64_t since_us = stragglers_since(l->v.all);
	char since[CLOCK_LOCAL_MAX];
	struct strbuf n;

	clock_local(since_us, since);
	strbuf_init(&n, 200);
	human_count((int64_t)all, &n);
	strbuf_addf(&n, " straggler%s, ", all == 1 ? "" : "s");
	human_count((int64_t)l->restless, &n);
	out_say(&l->v.c->out, "%s legitimate and not quiet; counted since %s",
	    strbuf_cstr(&n), since_us == 0 ? "(nothing was counted yet)"
					   : since);
	strbuf_fini(&n);
	if (l->v.ended_us == 0)
		out_say(&l->v.c->out, "whether old answers of the DNS have "
		    "ended is not known (posthouse propagation), so none is "
		    "late; --after TIME says when");
}

static void put_charts(struct straggler_list *l)
{
	size_t shown = 0;

	for (int g = 0; g < STRAGGLER_GROUPS; g++)
		for (size_t i = 0; i < l->kept[g] && shown < CHARTS; i++) {
			straggler_chart(&l->v, &l->shown[g][i]);
			shown++;
		}
}

static void print_people(struct straggler_list *l)
{
	for (int g = 0; g < STRAGGLER_GROUPS; g++)
		put_group(l, (enum straggler_group)g);
	say_sum(l);
	if (l->only != NULL || cli_flag(l->v.c, "chart"))
		put_charts(l);
}

/* ---- --outbound ---------------------------------------------------------- */

struct wanting {
	struct straggler_view *v;
	struct straggler_marks *named; /* a client may have several rows */
	struct strbuf list;
};

static void put_wanting(struct wanting *w, const struct straggler *s)
{
	struct cli *c = w->v->c;
	char at[CLOCK_RFC3339_MAX];
	struct jout *j;

	if (!c->json) {
		clock_rfc3339(s->wants_us, at);
		out_say(&c->out, "# %s at %s, %s: %" PRIu64 " refused, the "
		    "last at %s", s->key.client, s->key.listen,
		    s->name[0] != '\0' ? s->name : "no name", s->wants, at);
		return;
	}
	j = out_row(&c->out);
	jout_str(j, "client", s->key.client);
	jout_str(j, "listen", s->key.listen);
	jout_str(j, "name", s->name);
	jout_int(j, "refused", (int64_t)s->wants);
	jout_time(j, "last", s->wants_us);
	out_row_end(&c->out);
}

static bool on_wanting(void *arg, const struct straggler_found *f)
{
	const char *client = f->seen.key.client;
	struct wanting *w = arg;

	put_wanting(w, &f->seen);
	if (straggler_marks_find(w->named, client, "").mark !=
	    STRAGGLER_UNMARKED)
		return true;
	straggler_marks_add(w->named, slice_str(client), STRAGGLER_KEEP,
	    SLICE(""));
	strbuf_addf(&w->list, "%s\"%s\"", w->list.n == 0 ? "" : ", ", client);
	return true;
}

static int list_wanting(struct straggler_view *v)
{
	struct wanting w = {.v = v, .named = straggler_marks_new()};
	struct straggler_ask ask = {.which = STRAGGLERS_WANTING,
	    .quiet_us = v->quiet_us, .listen = cli_value(v->c, "listen"),
	    .fn = on_wanting, .arg = &w};
	int code = CLI_DONE;
	struct error err;

	strbuf_init(&w.list, WANTING_BYTES);
	if (stragglers_each(v->all, &ask, &err) != 0)
		code = cli_fail(v->c, "%s", err.text);
	else if (w.list.n == 0)
		out_say(&v->c->out, "no client of a private network was "
		    "refused mail to the outside");
	else
		out_say(&v->c->out, "outbound { clients = { %s } }",
		    strbuf_cstr(&w.list));
	strbuf_fini(&w.list);
	straggler_marks_free(w.named);
	return code;
}

/* ---- the command --------------------------------------------------------- */

/* The operands, as marks that are looked for. */
static int read_only(struct straggler_list *l)
{
	struct cli *c = l->v.c;
	struct strbuf about;
	const char *why;

	if (c->args == 0)
		return CLI_DONE;
	l->only = straggler_marks_new();
	strbuf_init(&about, STRAGGLER_MARKED_MAX);
	for (int i = 0; i < c->args; i++) {
		strbuf_reset(&about);
		if (straggler_marked_normal(slice_str(c->arg[i]), &about,
			&why) != 0) {
			strbuf_fini(&about);
			return cli_usage(c, "%s %s; name clients as 192.0.2.7, "
			    "192.0.2.0/24 or .example.net", c->arg[i], why);
		}
		straggler_marks_add(l->only, strbuf_view(&about),
		    STRAGGLER_KEEP, SLICE(""));
	}
	strbuf_fini(&about);
	return CLI_DONE;
}

static int read_since(struct cli *c, int64_t now_us, int64_t *since_out)
{
	const char *since = cli_value(c, "since");

	*since_out = 0;
	if (since == NULL ||
	    clock_parse(slice_str(since), now_us, since_out) == 0)
		return CLI_DONE;
	return cli_usage(c, "--since %s is no time: 2026-12-01, or -3d",
	    since);
}

static int list(struct straggler_list *l)
{
	struct cli *c = l->v.c;
	struct straggler_ask ask = {.quiet_us = l->v.quiet_us,
	    .listen = cli_value(c, "listen"),
	    .customer = cli_value(c, "customer"),
	    .fn = on_straggler, .arg = l};
	struct error err;
	int code = read_since(c, l->v.now_us, &ask.since_us);

	if (code != CLI_DONE)
		return code;
	l->csv = cli_flag(c, "csv");
	l->all = cli_flag(c, "all");
	if (l->csv)
		straggler_put_csv_header(&l->v);
	else
		out_table(&c->out, straggler_columns);
	if (stragglers_each(l->v.all, &ask, &err) != 0)
		return cli_fail(c, "%s", err.text);
	out_end(&c->out);
	if (!l->csv && !c->json)
		print_people(l);
	return CLI_DONE;
}

static int run_stragglers(struct cli *c)
{
	struct straggler_list l = {.csv = false};
	int code = straggler_view_open(c, &l.v);

	if (code != CLI_DONE)
		return code;
	code = read_only(&l);
	if (code == CLI_DONE)
		code = cli_flag(c, "outbound") ? list_wanting(&l.v) : list(&l);
	for (int g = 0; g < STRAGGLER_GROUPS; g++)
		mem_free(l.shown[g]);
	straggler_marks_free(l.only);
	straggler_view_close(&l.v);
	return code;
}

static const struct cli_option options[] = {
	{"listen", "NAME", "Only at that listener."},
	{"customer", "NAME", "Only for that customer."},
	{"since", "T", "Only those that were seen since then."},
	{"after", "T", "When the last old answer of the DNS ended, where "
		       "posthouse propagation does not know: those that came "
		       "later stand in a group of their own."},
	{"all", NULL, "All of them, not the newest 100 of each group."},
	{"chart", NULL, "A bar a day for each, 20 at most."},
	{"csv", NULL, "Comma-separated values: a list of owners to write to."},
	{"outbound", NULL, "Those of private networks that were refused mail "
			   "to the outside, as outbound.clients."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_stragglers[] = {
	{.name = "stragglers",
	    .args = "[CLIENT|NET|.NAME...]",
	    .summary = "The clients that still deliver by the old MX",
	    .details =
		"Each client that was seen here, by listener and customer, "
		"the newest first; then those that logs of the old server "
		"name. Legitimate is one whose mail a leg took and that SPF, "
		"its private network or spf.exempt speaks for, or that is "
		"marked keep; quiet is one that was not seen for "
		"verdict.quiet and for twice its longest gap, 62 days at "
		"most. AFTER is the share of its messages since the last "
		"old answer of the DNS ended. "
		"With clients, networks or ends of names only those, with a "
		"bar a day. What came in the last seconds is not in it yet; "
		"the daemon is not needed.",
	    .example = "posthouse stragglers --since -7d\n"
		       "posthouse stragglers .example.net\n"
		       "posthouse stragglers --csv >owners.csv",
	    .options = options,
	    .min_args = 0,
	    .max_args = -1,
	    .run = run_stragglers},
	{.name = NULL},
};
