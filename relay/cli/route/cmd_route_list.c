/* SPDX-License-Identifier: ISC
 *
 * route list, route count: finds and counts rows of the cutover table. Read
 * page by page, so that no read transaction holds the table's log up.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "policy/row.h"
#include "policy/wave/file/wave_where.h"
#include "policy/where.h"
#include "relay/base/hash.h"
#include "relay/base/map.h"
#include "relay/base/mem.h"
#include "relay/cli/common/human.h"
#include "relay/cli/route/route_commands.h"
#include "relay/cli/table/cli_put.h"
#include "relay/cli/table/cli_table.h"

/* ---- which rows ------------------------------------------------------- */

static const struct {
	const char *option;
	enum where_field field;
} filters[] = {
	{"leg", WHERE_LEG},
	{"route", WHERE_ROUTE},
	{"domain", WHERE_DOMAIN},
	{"tag", WHERE_TAG},
	{"customer", WHERE_CUSTOMER},
};

static int add_filters(struct cli *c, struct where *w)
{
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		const char *value = cli_value(c, filters[i].option);

		if (value != NULL && where_narrow(w, filters[i].field,
					 slice_str(value), &err) < 0)
			return cli_usage(c, "--%s: %s", filters[i].option,
			    err.text);
	}
	if (cli_flag(c, "held") &&
	    where_narrow(w, WHERE_HELD, SLICE(""), &err) < 0)
		return cli_usage(c, "%s", err.text);
	return CLI_DONE;
}

/* NULL: the reason was said, and *code_out is the exit code. */
static struct where *read_filters(struct cli *c, int *code_out)
{
	const char *expr = cli_value(c, "where");
	const char *customer = cli_value(c, "customer");
	struct error err = {0};
	struct where *w;

	*code_out = CLI_NO;
	if (customer != NULL && !cli_customer(c, customer))
		return NULL;
	w = expr == NULL ? where_all() : where_parse(slice_str(expr), &err);
	if (w == NULL)
		*code_out = cli_usage(c, "%s", err.text);
	else
		*code_out = add_filters(c, w);
	if (*code_out == CLI_DONE)
		return w;
	where_free(w);
	return NULL;
}

/* ---- the walk --------------------------------------------------------- */

struct row_walk {
	struct cli *c;
	const struct where *where;
	/* A row that fits; false ends the walk. */
	bool (*fn)(struct row_walk *w, struct slice key,
	    const struct table_row *row);
	void *arg;
	struct slice tag[WHERE_NODES]; /* one of which each row bears … */
	unsigned tags;		       /* … 0: it need not */
	struct strbuf last; /* the key that was read last */
	uint64_t fitting;
	struct where_waves waves;
	struct error err; /* they cannot be read; "" */
	bool asks_wave;
	bool domains; /* rows of domains too */
	bool ended;
};

static struct slice customer_of(const struct row_walk *w, struct slice key)
{
	const struct conf_domain *d = conf_domain(w->c->conf, row_domain(key));

	return slice_str(d == NULL ? "" : d->customer);
}

/* Waves that cannot be read end the walk. */
static bool fits(struct row_walk *w, struct where_row *row)
{
	struct strbuf names;
	bool fit;

	if (!w->asks_wave)
		return where_match(w->where, row);
	strbuf_init(&names, WHERE_WAVES_TEXT);
	w->ended = w->waves.of(w->waves.arg, row->address, &names,
		       &w->err) < 0;
	row->waves = strbuf_view(&names);
	fit = !w->ended && where_match(w->where, row);
	strbuf_fini(&names);
	return fit;
}

static void on_row(void *arg, struct slice key, const struct table_row *row)
{
	struct row_walk *w = arg;
	struct where_row fields = {
	    .address = key,
	    .route = slice_str(row->route_text),
	    .mailbox = slice_str(row->mailbox),
	    .tags = slice_str(row->tags),
	    .customer = customer_of(w, key),
	    .change = row->change,
	    .held = row->held,
	};

	strbuf_reset(&w->last);
	strbuf_addsl(&w->last, key);
	if (w->ended || (!w->domains && key.n > 0 && key.p[0] == '@') ||
	    !fits(w, &fields))
		return;
	w->fitting++;
	w->ended = !w->fn(w, key, row);
}

static int walk_rows(struct row_walk *w, struct table *t)
{
	struct error err;
	int n;

	strbuf_init(&w->last, ROW_TEXT_MAX);
	do {
		struct arena *a = arena_new();
		char *last = mem_dup(w->last.p, w->last.n);
		const struct table_page page = {
		    .after = slice_of(last, w->last.n), .limit = TABLE_PAGE,
		    .a = a, .fn = on_row, .arg = w,
		    .tag = w->tag, .tags = w->tags};

		n = table_rows(t, &page, &err);
		mem_free(last);
		arena_free(a);
	} while (n == TABLE_PAGE && !w->ended && !ferror(w->c->out.to));
	strbuf_fini(&w->last);
	if (w->err.text[0] != '\0')
		return cli_fail(w->c, "%s", w->err.text);
	return n < 0 ? cli_fail(w->c, "%s", err.text) : CLI_DONE;
}

/* Opens the table and walks the rows that the options select. */
static int walk(struct row_walk *w)
{
	struct table *t = cli_table(w->c);
	struct where *where;
	int code;

	if (t == NULL)
		return CLI_NO;
	where = read_filters(w->c, &code);
	if (where != NULL) {
		w->where = where;
		w->tags = where_tags(where, w->tag);
		w->asks_wave = where_asks(where, WHERE_WAVE);
		w->waves = wave_where_new(w->c->conf->table.path);
		if (w->asks_wave &&
		    w->waves.known(w->waves.arg, where, &w->err) < 0)
			code = cli_fail(w->c, "%s", w->err.text);
		else
			code = walk_rows(w, t);
		w->waves.end(w->waves.arg);
		where_free(where);
	}
	table_close(t);
	return code;
}

static void say_number(struct cli *c, uint64_t n, const char *what)
{
	struct strbuf text;

	strbuf_init(&text, 40);
	human_count((int64_t)n, &text);
	out_say(&c->out, "%s %s%s", strbuf_cstr(&text), what,
	    n == 1 ? "" : "s");
	strbuf_fini(&text);
}

/* ---- list ------------------------------------------------------------- */

static bool put_listed(struct row_walk *w, struct slice key,
    const struct table_row *row)
{
	const uint64_t *limit = w->arg;

	if (w->fitting > *limit)
		return false;
	cli_put_row(w->c, key, row);
	return true;
}

static int run_list(struct cli *c)
{
	const char *text = cli_value(c, "limit");
	uint64_t limit = UINT64_MAX;
	struct row_walk w = {.c = c, .fn = put_listed, .arg = &limit,
	    .domains = !cli_flag(c, "tag") && !cli_flag(c, "where")};
	int code;

	if (text != NULL && !slice_uint(slice_str(text), INT64_MAX, &limit))
		return cli_usage(c, "--limit wants a number, not %s", text);
	out_table(&c->out, cli_row_columns);
	code = walk(&w);
	out_end(&c->out);
	if (code == CLI_DONE && w.ended)
		out_say(&c->out, "there are more");
	else if (code == CLI_DONE)
		say_number(c, w.fitting, "row");
	return code;
}

/* ---- count ------------------------------------------------------------ */

struct row_count {
	char *name;
	uint64_t rows;
};

struct row_counts {
	enum where_field by;
	struct map map;
	size_t n;
};

static void count_one(struct row_counts *g, struct slice name)
{
	uint64_t key = hash_slice(name);
	struct row_count *group;

	key += key == 0;
	group = map_get(&g->map, key);
	if (group == NULL) {
		group = NEW(struct row_count);
		group->name = mem_new(name.n + 1);
		memcpy(group->name, name.p, name.n);
		group->name[name.n] = '\0';
		map_put(&g->map, key, group);
		g->n++;
	}
	group->rows++;
}

static void count_parts(struct row_counts *g, struct slice list, char between)
{
	struct slice part;

	/* An empty list has one part, which is empty. */
	while (slice_next(&list, between, &part))
		count_one(g, part);
}

static bool count_row(struct row_walk *w, struct slice key,
    const struct table_row *row)
{
	struct row_counts *g = w->arg;

	if (g->by == WHERE_ROUTE)
		count_one(g, slice_str(row->route_text));
	else if (g->by == WHERE_LEG)
		count_parts(g, slice_str(row->route_text), '+');
	else if (g->by == WHERE_DOMAIN)
		count_one(g, row_domain(key));
	else if (g->by == WHERE_CUSTOMER)
		count_one(g, customer_of(w, key));
	else
		count_parts(g, slice_str(row->tags), ' ');
	return true;
}

/* The largest first, then by name. */
static int by_size(const void *a, const void *b)
{
	const struct row_count *const *x = a, *const *y = b;

	if ((*x)->rows != (*y)->rows)
		return (*x)->rows < (*y)->rows ? 1 : -1;
	return strcmp((*x)->name, (*y)->name);
}

static void put_groups(struct cli *c, struct row_counts *g, const char *by)
{
	struct row_count **sorted = NEW_ARRAY(struct row_count *, g->n + 1);
	struct row_count *one;
	size_t at = 0, n = 0;
	uint64_t key;

	while ((one = map_next(&g->map, &at, &key)) != NULL)
		sorted[n++] = one;
	qsort(sorted, n, sizeof(*sorted), by_size);
	for (size_t i = 0; i < n; i++) {
		struct jout *j = out_row(&c->out);

		jout_str(j, by, sorted[i]->name);
		jout_int(j, "recipients", (int64_t)sorted[i]->rows);
		out_row_end(&c->out);
		mem_free(sorted[i]->name);
		mem_free(sorted[i]);
	}
	mem_free(sorted);
}

static const struct {
	const char *name;
	enum where_field field;
	const struct out_column column[3];
} groupings[] = {
	{"route", WHERE_ROUTE, {{"route", "ROUTE", false},
	    {"recipients", "RECIPIENTS", true}, {NULL, NULL, false}}},
	{"leg", WHERE_LEG, {{"leg", "LEG", false},
	    {"recipients", "RECIPIENTS", true}, {NULL, NULL, false}}},
	{"domain", WHERE_DOMAIN, {{"domain", "DOMAIN", false},
	    {"recipients", "RECIPIENTS", true}, {NULL, NULL, false}}},
	{"tag", WHERE_TAG, {{"tag", "TAG", false},
	    {"recipients", "RECIPIENTS", true}, {NULL, NULL, false}}},
	{"customer", WHERE_CUSTOMER, {{"customer", "CUSTOMER", false},
	    {"recipients", "RECIPIENTS", true}, {NULL, NULL, false}}},
};

static int run_count(struct cli *c)
{
	const char *by = cli_value(c, "by");
	struct row_counts g = {.by = WHERE_ROUTE};
	struct row_walk w = {.c = c, .fn = count_row, .arg = &g};
	size_t i = 0;
	int code;

	if (by == NULL)
		by = "route";
	while (i < ARRAY_LEN(groupings) && strcmp(groupings[i].name, by) != 0)
		i++;
	if (i == ARRAY_LEN(groupings))
		return cli_usage(c, "--by wants route, leg, domain, tag or "
		    "customer, not %s", by);
	g.by = groupings[i].field;
	map_init(&g.map);
	code = walk(&w);
	out_table(&c->out, groupings[i].column);
	put_groups(c, &g, by);
	out_end(&c->out);
	map_fini(&g.map);
	if (code == CLI_DONE)
		say_number(c, w.fitting, "recipient");
	return code;
}

/* ---- the rows --------------------------------------------------------- */

#define FILTERS                                                            \
	{"leg", "L", "Whose route has this leg."},                         \
	{"route", "R", "With this route."},                                \
	{"domain", "D", "Of this domain."},                                \
	{"tag", "T", "That bear the tag."},                                \
	{"customer", "C", "Of the domains of this customer."},             \
	{"held", NULL, "That are held."},                                  \
	{"where", "EXPR", "That fit; see EXPRESSIONS in posthouse(1)."}

static const struct cli_option list_options[] = {
	FILTERS,
	{"limit", "N", "At most so many."},
	{NULL, NULL, NULL},
};

static const struct cli_option count_options[] = {
	{"by", "WHAT", "route (the default), leg, domain, tag or customer."},
	FILTERS,
	{NULL, NULL, NULL},
};

const struct cli_command cmd_route_list[] = {
	{
	    .name = "route list",
	    .args = "",
	    .summary = "Lists rows of the cutover table",
	    .details = "All options must fit. Rows of domains are listed too, "
		       "but not with --tag or\n--where, by which a flip does "
		       "not select them either.",
	    .example = "posthouse route list --leg legacy --where 'not vip'",
	    .options = list_options,
	    .run = run_list,
	},
	{
	    .name = "route count",
	    .args = "",
	    .summary = "Counts recipients by route, leg, domain, tag or "
		       "customer",
	    .details = "Rows of domains are not counted. A recipient of "
		       "several tags or legs is counted\nwith each; one "
		       "without any stands under \"-\", with --json under\n"
		       "an empty name.",
	    .example = "posthouse route count --by tag --domain example.com",
	    .options = count_options,
	    .run = run_count,
	},
	{.name = NULL},
};
