/* SPDX-License-Identifier: ISC
 *
 * watermark list, synced, waive. The list reads ledger.db itself; a decision is
 * the daemon's, which knows the state that it is about.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/row.h"
#include "policy/wave/file/wave_where.h"
#include "relay/base/mem.h"
#include "relay/cli/common/json_get.h"
#include "relay/cli/table/cli_table.h"
#include "relay/cli/watermark/watermark_show.h"
#include "relay/cli/wave/wave_commands.h"
#include "relay/cli/wave/wave_filter.h"

enum {
	LIST_ROWS = 1000,
	BATCH = 1000, /* addresses of one request */
	LINE_BYTES = 4096,
};

/* ---- list ---------------------------------------------------------------- */

struct watermark_listing {
	struct cli *c;
	const char *leg; /* NULL: each */
	int state;	 /* -1: each    */
	int64_t since_us;
	struct wave_filter wave;
};

static void on_watermark(void *arg, const struct watermark *w)
{
	struct watermark_listing *l = arg;

	if ((l->leg == NULL || strcmp(l->leg, w->leg) == 0) &&
	    (l->state < 0 || l->state == (int)w->state) &&
	    wave_filter_has(&l->wave, w->address))
		watermark_show(l->c, w, l->since_us);
}

static int list_pages(struct watermark_listing *l,
    struct watermark_reader *r)
{
	struct watermark_page page = {.which = WATERMARKS_ALL,
	    .recipient = INT64_MIN, .leg = -1, .limit = LIST_ROWS,
	    .fn = on_watermark, .arg = l};
	struct error err;
	int n;

	while ((n = watermark_reader_page(r, &page, &err)) > 0)
		;
	return n < 0 ? cli_fail(l->c, "%s", err.text) : CLI_DONE;
}

static int run_list(struct cli *c)
{
	const char *state = cli_value(c, "state");
	struct watermark_listing l = {.c = c, .leg = cli_value(c, "leg"),
	    .state = -1};
	struct conf *conf = cli_conf(c);
	struct watermark_reader *r;
	struct error err;
	int code;

	if (conf == NULL)
		return CLI_NO;
	if (state != NULL) {
		l.state = watermark_state_parse(slice_str(state));
		if (l.state <= WATERMARK_NONE)
			return cli_usage(c, "there is no state %s: pending "
			    "reached withdrawn synced", state);
	}
	r = watermark_reader_open(conf, &err);
	if (r == NULL)
		return cli_fail(c, "%s", err.text);
	l.since_us = watermark_reader_since(r);
	code = wave_filter_open(c, &l.wave);
	if (code == CLI_DONE) {
		out_table(&c->out, watermark_columns);
		code = list_pages(&l, r);
		out_end(&c->out);
		watermark_show_end(c);
		if (wave_filter_close(c, &l.wave) != CLI_DONE)
			code = CLI_NO;
	}
	watermark_reader_close(r);
	return code;
}

/* ---- synced, waive ------------------------------------------------------- */

struct deciding {
	struct cli *c;
	bool waive;
	json_t *batch;
	int code;
};

/* The daemon tells of each address that was not taken. */
static void on_refused(void *arg, json_t *row)
{
	struct deciding *d = arg;
	const char *to = json_text(row, "address");
	const char *why = json_text(row, "why");

	d->code = cli_fail(d->c, "%s: %s", to, why);
}

static void send_batch(struct deciding *d)
{
	struct cli *c = d->c;
	const char *leg = cli_value(c, "leg"), *note = cli_value(c, "note");
	json_t *args;
	int code;

	if (json_array_size(d->batch) == 0)
		return;
	args = json_pack("{s:o, s:b, s:s, s:s, s:s}", "addresses", d->batch,
	    "waive", d->waive, "leg", leg == NULL ? "" : leg, "note",
	    note == NULL ? "" : note, "host", c->host);
	code = cli_call(c, "watermark.mark", args, on_refused, d);
	if (code != CLI_DONE)
		d->code = code;
	d->batch = json_array();
}

static void add_address(struct deciding *d, struct slice text)
{
	struct slice address = slice_trim(text);

	if (address.n == 0 || address.p[0] == '#')
		return;
	json_array_append_new(d->batch,
	    json_stringn(address.p, address.n));
	if (json_array_size(d->batch) == BATCH)
		send_batch(d);
}

static int read_file(struct deciding *d, const char *path)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char line[LINE_BYTES];

	if (f == NULL)
		return cli_fail(d->c, "%s: %s", path, strerror(errno));
	while (d->code != CLI_NO_DAEMON && fgets(line, sizeof(line), f) != NULL)
		add_address(d, slice_of(line, strcspn(line, "\r\n")));
	if (f != stdin)
		fclose(f);
	return CLI_DONE;
}

/* ---- by an expression ---- */

struct where_decide {
	struct deciding *d;
	const struct where *where;
	struct where_waves waves;
	struct strbuf last; /* the key that was read last */
	struct error err;
};

/* Rows of domains are no recipients. */
static void on_row(void *arg, struct slice key, const struct table_row *row)
{
	struct where_decide *w = arg;
	const struct conf_domain *domain =
	    conf_domain(w->d->c->conf, row_domain(key));
	struct where_row fields = {.address = key,
	    .route = slice_str(row->route_text),
	    .mailbox = slice_str(row->mailbox), .tags = slice_str(row->tags),
	    .customer = slice_str(domain == NULL ? "" : domain->customer),
	    .change = row->change, .held = row->held};
	struct strbuf names;

	strbuf_reset(&w->last);
	strbuf_addsl(&w->last, key);
	if (w->err.text[0] != '\0' || (key.n > 0 && key.p[0] == '@'))
		return;
	strbuf_init(&names, WHERE_WAVES_TEXT);
	if (!where_asks(w->where, WHERE_WAVE) ||
	    w->waves.of(w->waves.arg, key, &names, &w->err) >= 0) {
		fields.waves = strbuf_view(&names);
		if (where_match(w->where, &fields))
			add_address(w->d, key);
	}
	strbuf_fini(&names);
}

static int walk_rows(struct where_decide *w, struct table *t)
{
	int n;

	strbuf_init(&w->last, ROW_TEXT_MAX);
	do {
		struct arena *a = arena_new();
		char *last = mem_dup(w->last.p, w->last.n);
		const struct table_page page = {
		    .after = slice_of(last, w->last.n), .limit = LIST_ROWS,
		    .a = a, .fn = on_row, .arg = w};

		n = table_rows(t, &page, &w->err);
		mem_free(last);
		arena_free(a);
	} while (n == LIST_ROWS && w->err.text[0] == '\0' &&
		 w->d->code != CLI_NO_DAEMON);
	strbuf_fini(&w->last);
	return n < 0 || w->err.text[0] != '\0' ? -1 : 0;
}

static int add_where(struct deciding *d, const char *text)
{
	struct where_decide w = {.d = d};
	struct table *t = cli_table(d->c);
	struct where *where;
	int rc = -1;

	if (t == NULL)
		return CLI_NO;
	where = where_parse(slice_str(text), &w.err);
	if (where != NULL) {
		w.where = where;
		w.waves = wave_where_new(d->c->conf->table.path);
		if (w.waves.known(w.waves.arg, where, &w.err) >= 0)
			rc = walk_rows(&w, t);
		w.waves.end(w.waves.arg);
		where_free(where);
	}
	table_close(t);
	return rc < 0 ? cli_fail(d->c, "%s", w.err.text) : CLI_DONE;
}

/* ---- all ---- */

static int run_decide(struct cli *c)
{
	struct deciding d = {.c = c,
	    .waive = strcmp(c->command->name, "watermark waive") == 0};
	const char *file = cli_value(c, "file");
	const char *where = cli_value(c, "where");

	if ((c->args > 0) + (file != NULL) + (where != NULL) != 1)
		return cli_usage(c, "name addresses, or --file FILE with one "
		    "a line, or --where EXPRESSION");
	if (d.waive && cli_value(c, "note") == NULL)
		return cli_usage(c, "a waiver wants --note TEXT: why it may go "
		    "without");
	d.batch = json_array();
	for (int i = 0; i < c->args && d.code != CLI_NO_DAEMON; i++)
		add_address(&d, slice_str(c->arg[i]));
	if (file != NULL && read_file(&d, file) != CLI_DONE)
		d.code = CLI_NO;
	if (where != NULL && add_where(&d, where) != CLI_DONE)
		d.code = CLI_NO;
	if (d.code != CLI_NO_DAEMON)
		send_batch(&d);
	json_decref(d.batch);
	return d.code;
}

static const struct cli_option list_options[] = {
	{"state", "S", "Only pending, reached, withdrawn or synced."},
	{"leg", "L", "Only of that leg."},
	{"wave", "W", "Only of members of that wave."},
	{NULL, NULL, NULL},
};

static const struct cli_option decide_options[] = {
	{"leg", "L", "Of that leg; without it of each that has one."},
	{"file", "FILE", "Addresses, one a line; - is standard input."},
	{"where", "E", "The rows of the table that fit."},
	{"note", "TEXT", "Why, kept with the decision."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_watermark[] = {
	{.name = "watermark list",
	    .args = "",
	    .summary = "Since when legs that were left get no more mail",
	    .details = "One row for each recipient and leg that its route has "
		       "left, or that is held. Reached: nothing is open "
		       "there, and LAST is the last delivery. It speaks of "
		       "mail that passed here alone.",
	    .example = "posthouse watermark list --leg legacy --state reached",
	    .options = list_options,
	    .max_args = 0,
	    .run = run_list},
	{.name = "watermark synced",
	    .args = "ADDR...",
	    .summary = "Records that mailboxes were synchronized",
	    .details = "Refused for a watermark that is not reached: that run "
		       "was too early.",
	    .example = "posthouse watermark synced ann@example.com --leg "
		       "legacy",
	    .options = decide_options,
	    .max_args = -1,
	    .run = run_decide},
	{.name = "watermark waive",
	    .args = "ADDR...",
	    .summary = "Does without the watermark of mailboxes",
	    .details = "The state stays as it is; the waiver and its note are "
		       "kept and shown.",
	    .example = "posthouse watermark waive old@example.com --note "
		       "'mailbox is empty'",
	    .options = decide_options,
	    .max_args = -1,
	    .run = run_decide},
	{.name = NULL},
};
