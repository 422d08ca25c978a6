/* SPDX-License-Identifier: ISC
 *
 * All rows of the cutover table as CSV, page by page.
 */
#include "relay/cli/route/rows_csv.h"

#include <string.h>

#include "policy/csv/csv_cell.h"
#include "policy/row.h"
#include "relay/base/mem.h"
#include "relay/cli/table/cli_put.h"
#include "relay/cli/table/cli_table.h"

struct export {
	struct cli *c;
	FILE *to;
	const char *customer; /* NULL: all */
	bool json;
	struct strbuf line, last;
};

static const char *rewrite_of(const struct table_row *row, int leg)
{
	for (unsigned i = 0; i < row->addresses; i++)
		if (row->address[i].leg == leg)
			return row->address[i].address;
	return "";
}

static void put_line(struct export *e)
{
	strbuf_addc(&e->line, '\n');
	fwrite(e->line.p, 1, e->line.n, e->to);
	strbuf_reset(&e->line);
}

static void put_header(struct export *e)
{
	const struct conf *conf = e->c->conf;

	strbuf_adds(&e->line, "address,route,mailbox,tags");
	for (int i = 0; i < conf->legs; i++)
		if (!conf->leg[i].egress)
			strbuf_addf(&e->line, ",%s_address",
			    conf->leg[i].name);
	put_line(e);
}

static void put_csv(struct export *e, const struct table_row *row)
{
	const struct conf *conf = e->c->conf;

	csv_cell(&e->line, strbuf_cstr(&e->last));
	csv_cell(&e->line, row->route_text);
	csv_cell(&e->line, row->mailbox);
	csv_cell(&e->line, row->tags);
	for (int i = 0; i < conf->legs; i++)
		if (!conf->leg[i].egress)
			csv_cell(&e->line, rewrite_of(row, conf->leg[i].id));
	put_line(e);
}

static bool is_wanted(const struct export *e, struct slice key)
{
	const struct conf_domain *d;

	if (e->customer == NULL)
		return true;
	d = conf_domain(e->c->conf, row_domain(key));
	return d != NULL && strcmp(d->customer, e->customer) == 0;
}

static void put_exported(void *arg, struct slice key,
    const struct table_row *row)
{
	struct export *e = arg;

	strbuf_reset(&e->last);
	strbuf_addsl(&e->last, key);
	if (!is_wanted(e, key))
		return;
	if (e->json) {
		cli_put_row(e->c, key, row);
	} else {
		put_csv(e, row);
	}
}

/* Page by page, so that no read transaction holds the log up. */
static int export_rows(struct export *e, struct table *t)
{
	struct error err;
	int n;

	if (!e->json)
		put_header(e);
	do {
		struct arena *a = arena_new();
		char *last = mem_dup(e->last.p, e->last.n);
		const struct table_page page = {
		    .after = slice_of(last, e->last.n), .limit = TABLE_PAGE,
		    .a = a, .fn = put_exported, .arg = e};

		n = table_rows(t, &page, &err);
		mem_free(last);
		arena_free(a);
	} while (n == TABLE_PAGE && !ferror(e->to));
	return n < 0 ? cli_fail(e->c, "%s", err.text) : CLI_DONE;
}

int rows_csv_export(struct cli *c, struct table *t, FILE *to,
    const char *customer, bool json)
{
	struct export e = {.c = c, .to = to, .customer = customer,
	    .json = json};
	int code;

	strbuf_init(&e.line, OUT_ROW_MAX);
	strbuf_init(&e.last, ROW_TEXT_MAX);
	code = export_rows(&e, t);
	strbuf_fini(&e.line);
	strbuf_fini(&e.last);
	return code;
}
