/* SPDX-License-Identifier: ISC
 *
 * stragglers set: what people decide about stragglers, in the table's file.
 */
#include <inttypes.h>
#include <string.h>

#include "policy/mark/straggler_file.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cli/straggler/straggler_commands.h"
#include "relay/cli/straggler/straggler_view.h"
#include "relay/cli/table/cli_table.h"

struct straggler_set {
	struct straggler_view v;
	enum straggler_mark mark;
	const char **about;
	size_t n, cap;
	struct straggler_where *where;
	struct straggler_marks *added; /* a client may have several rows */
};

static void add(struct straggler_set *m, const char *about)
{
	struct slice text = slice_str(about);

	if (text.p[0] != '.' && slice_find(text, '/') < 0) {
		if (straggler_marks_find(m->added, about, "").mark !=
		    STRAGGLER_UNMARKED)
			return;
		straggler_marks_add(m->added, text, STRAGGLER_KEEP, SLICE(""));
	}
	if (m->n == m->cap) {
		m->cap = m->cap == 0 ? 64 : 2 * m->cap;
		m->about = mem_resize(m->about, m->cap * sizeof(*m->about));
	}
	m->about[m->n++] = arena_strdup(m->v.c->arena, about);
}

static bool on_straggler(void *arg, const struct straggler_found *f)
{
	struct straggler_set *m = arg;
	struct straggler_values values;

	straggler_values_of(&m->v, f, straggler_where_asks_after(m->where),
	    &values);
	if (straggler_where_match(m->where, &values))
		add(m, f->seen.key.client);
	return true;
}

/* Those of --where, by what is known of them now. */
static int find_where(struct straggler_set *m, const char *text)
{
	struct cli *c = m->v.c;
	struct straggler_ask ask = {.quiet_us = m->v.quiet_us,
	    .fn = on_straggler, .arg = m};
	struct error err;

	m->where = straggler_where_parse(slice_str(text), m->v.now_us, &err);
	if (m->where == NULL)
		return cli_usage(c, "%s", err.text);
	if (straggler_where_asks_after(m->where) && m->v.ended_us == 0)
		return cli_usage(c, "the expression asks for `after`, and "
		    "whether old answers of the DNS have ended is not known: "
		    "--after TIME says when");
	if (stragglers_each(m->v.all, &ask, &err) != 0)
		return cli_fail(c, "%s", err.text);
	return m->n > 0 ? CLI_DONE
			: cli_fail(c, "no straggler fits %s", text);
}

static int find_named(struct straggler_set *m, int n)
{
	struct cli *c = m->v.c;
	struct strbuf about;
	const char *why;
	int code = CLI_DONE;

	strbuf_init(&about, STRAGGLER_MARKED_MAX);
	for (int i = 0; i < n && code == CLI_DONE; i++) {
		strbuf_reset(&about);
		if (straggler_marked_normal(slice_str(c->arg[i]), &about,
			&why) == 0)
			add(m, strbuf_cstr(&about));
		else
			code = cli_usage(c, "%s %s; name a client as "
			    "192.0.2.7, a network as 192.0.2.0/24, all below "
			    "a name as .example.net", c->arg[i], why);
	}
	strbuf_fini(&about);
	return code;
}

static int commit(struct straggler_set *m, const char *words)
{
	struct cli *c = m->v.c;
	const char *path = cli_table_path(c);
	struct straggler_decision d = {.about = m->about, .n = m->n,
	    .mark = m->mark, .time_us = m->v.now_us, .who = c->who,
	    .host = c->host, .command = c->command->name,
	    .note = cli_value(c, "note"), .words = words};
	struct error err;

	if (path == NULL)
		return CLI_NO;
	if (straggler_marks_put(path, &d, &err) != 0)
		return cli_fail(c, "%s", err.text);
	if (m->mark == STRAGGLER_UNMARKED)
		out_say(&c->out, "%zu marks taken back", m->n);
	else
		out_say(&c->out, "%zu marked %s", m->n,
		    straggler_mark_text(m->mark));
	return CLI_DONE;
}

static int confirm(const struct straggler_set *m)
{
	struct strbuf question;
	bool yes;

	if (m->n <= CLI_ASK_ABOVE)
		return CLI_DONE;
	strbuf_init(&question, 200);
	strbuf_addf(&question, "Mark %zu stragglers?", m->n);
	yes = cli_confirm(m->v.c, strbuf_cstr(&question));
	strbuf_fini(&question);
	return yes ? CLI_DONE : CLI_NO;
}

static int mark_all(struct straggler_set *m, const char *where, int named)
{
	int code = where != NULL ? find_where(m, where)
				 : find_named(m, named);

	if (code == CLI_DONE)
		code = confirm(m);
	return code == CLI_DONE ? commit(m, where != NULL ? where
		: m->v.c->arg[0]) : code;
}

/* The last operand says which mark. */
static int read_mark(struct cli *c, enum straggler_mark *mark_out)
{
	const char *last = c->arg[c->args - 1];

	for (int i = STRAGGLER_KEEP; i < STRAGGLER_MARKS; i++)
		if (strcmp(last, straggler_mark_text((enum straggler_mark)i)) ==
		    0) {
			*mark_out = (enum straggler_mark)i;
			return CLI_DONE;
		}
	if (strcmp(last, "none") == 0) {
		*mark_out = STRAGGLER_UNMARKED;
		return CLI_DONE;
	}
	return cli_usage(c, "the last word is keep, ignore or none, not %s",
	    last);
}

static int run_set(struct cli *c)
{
	const char *where = cli_value(c, "where");
	struct straggler_set m = {.n = 0};
	int code = read_mark(c, &m.mark);

	if (code != CLI_DONE)
		return code;
	if ((c->args == 1) == (where == NULL))
		return cli_usage(c, "name clients, networks or ends of names, "
		    "or --where EXPR");
	if (cli_value(c, "note") == NULL)
		return cli_usage(c, "a mark wants --note TEXT: why it is set");
	code = straggler_view_open(c, &m.v);
	if (code != CLI_DONE)
		return code;
	m.added = straggler_marks_new();
	code = mark_all(&m, where, c->args - 1);
	straggler_marks_free(m.added);
	straggler_where_free(m.where);
	straggler_view_close(&m.v);
	mem_free(m.about);
	return code;
}

static const struct cli_option options[] = {
	{"where", "EXPR", "Those that fit: client name helo listen customer "
			  "sender (= != like), first last messages "
			  "recipients refused delivered after (= != < > <= "
			  ">=)."},
	{"after", "T", "When the last old answer of the DNS ended, for "
		       "`after` in an expression."},
	{"note", "TEXT", "Why, kept with the decision and shown."},
	{"yes", NULL, "Does not ask before more than 1,000."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_straggler_set[] = {
	{.name = "stragglers set",
	    .args = "[CLIENT|NET|.NAME...] keep|ignore|none",
	    .summary = "Marks stragglers as legitimate, or as of no matter",
	    .details =
		"keep: it counts as legitimate, whatever it sends; ignore: "
		"it never holds a verdict; none takes a mark back. The mark "
		"of the address counts before that of a network, that before "
		"one of a name. With --where each client that fits now is "
		"marked, as one recorded decision. Marks are kept in the "
		"file of the cutover table.",
	    .example = "posthouse stragglers set 192.0.2.7 keep --note "
		       "'scanner, 3rd floor'\n"
		       "posthouse stragglers set --where 'helo = ylmf-pc' "
		       "ignore --note botnet",
	    .options = options,
	    .min_args = 1,
	    .max_args = -1,
	    .run = run_set},
	{.name = NULL},
};
