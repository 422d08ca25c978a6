/* SPDX-License-Identifier: ISC
 *
 * Staging from files: CSV rows, and lists of addresses. The first bad line
 * ends it with its number; nothing was written by then.
 */
#include <inttypes.h>
#include <stdio.h>

#include "policy/change_int.h"
#include "policy/csv.h"
#include "relay/base/mem.h"
#include "relay/mail/addr.h"

enum column { COL_ADDRESS, COL_ROUTE, COL_MAILBOX, COL_TAGS, COL_LEG };

static const char *const names[] = {
	[COL_ADDRESS] = "address",
	[COL_ROUTE] = "route",
	[COL_MAILBOX] = "mailbox",
	[COL_TAGS] = "tags",
};
static const char leg_suffix[] = "_address";

struct import {
	struct change *ch;
	struct csv csv;
	struct {
		enum column what;
		struct slice leg;
	} column[CSV_FIELDS];
	unsigned columns;
	struct strbuf cell[COL_LEG + 1]; /* with a final NUL */
};

/* Puts "line N: " before what was said. */
static int at_line(uint64_t line, struct error *err)
{
	struct error said = *err;

	error_set(err, "line %" PRIu64 ": %s", line, said.text);
	return -1;
}

static int leg_column(struct import *im, struct slice name,
    struct slice *leg_out, struct error *err)
{
	const struct conf_leg *leg = NULL;

	if (slice_case_ends(name, slice_str(leg_suffix)))
		leg = conf_leg_by_name(im->ch->conf, slice_head(name,
		    name.n - strlen(leg_suffix)));
	if (leg == NULL || leg->egress)
		return error_set(err, "the column '%.*s' is none of address, "
		    "route, mailbox, tags and LEG_address of a leg of the "
		    "configuration", (int)slice_head(name, 60).n, name.p);
	*leg_out = slice_str(leg->name);
	return 0;
}

static int header_cell(struct import *im, struct slice name,
    struct error *err)
{
	unsigned n = im->columns;

	name = slice_trim(name);
	im->column[n].leg = slice_of("", 0);
	im->column[n].what = COL_LEG;
	for (int i = 0; i < COL_LEG; i++)
		if (slice_case_eq(name, slice_str(names[i])))
			im->column[n].what = (enum column)i;
	if (im->column[n].what == COL_LEG &&
	    leg_column(im, name, &im->column[n].leg, err) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (im->column[i].what == im->column[n].what &&
		    slice_eq(im->column[i].leg, im->column[n].leg))
			return error_set(err, "the column '%.*s' stands twice",
			    (int)name.n, name.p);
	im->columns++;
	return 0;
}

static int read_header(struct import *im, struct error *err)
{
	int rc = csv_next(&im->csv, err);
	bool address = false;

	if (rc == 0)
		return error_set(err, "the file is empty: a header is needed, "
		    "such as address,route");
	for (unsigned i = 0; rc > 0 && i < im->csv.fields; i++) {
		if (header_cell(im, im->csv.field[i], err) < 0)
			rc = -1;
		else if (im->column[i].what == COL_ADDRESS)
			address = true;
	}
	if (rc > 0 && !address)
		rc = error_set(err, "the header has no column 'address'");
	return rc < 0 ? at_line(im->csv.line, err) : 0;
}

static int take_cell(struct import *im, unsigned i, struct error *err)
{
	struct slice cell = slice_trim(im->csv.field[i]);
	struct strbuf *to = &im->cell[im->column[i].what];

	if (slice_find(cell, '\0') >= 0)
		return error_set(err, "there is a NUL in it");
	if (im->column[i].what == COL_LEG)
		strbuf_addf(to, "%s%.*s=", to->n == 0 ? "" : "\n",
		    (int)im->column[i].leg.n, im->column[i].leg.p);
	strbuf_addsl(to, cell);
	return strbuf_ok(to) ? 0 : error_set(err, "a cell is too long");
}

static const char *given(struct import *im, enum column what)
{
	for (unsigned i = 0; i < im->columns; i++)
		if (im->column[i].what == what)
			return strbuf_cstr(&im->cell[what]);
	return NULL;
}

static int take_record(struct import *im, struct error *err)
{
	struct change_row row = {.held = -1, .line = im->csv.line};
	struct strbuf key;
	int rc = 0;

	if (im->csv.fields != im->columns)
		return error_set(err, "%u cells where the header has %u",
		    im->csv.fields, im->columns);
	for (int i = 0; i <= COL_LEG; i++)
		strbuf_reset(&im->cell[i]);
	for (unsigned i = 0; i < im->columns; i++)
		if (take_cell(im, i, err) < 0)
			return -1;
	row.route = given(im, COL_ROUTE);
	row.mailbox = given(im, COL_MAILBOX);
	row.tags = given(im, COL_TAGS);
	row.addresses = given(im, COL_LEG);
	strbuf_init(&key, ADDR_MAX);
	rc = row_key(strbuf_view(&im->cell[COL_ADDRESS]), &key, err);
	if (rc == 0)
		rc = change_stage_row(im->ch, strbuf_view(&key), &row, err);
	strbuf_fini(&key);
	return rc;
}

static bool is_blank(const struct csv *c)
{
	return c->fields == 1 && slice_trim(c->field[0]).n == 0;
}

static int read_rows(struct import *im,
    void (*fn)(void *arg, uint64_t bytes), void *arg, struct error *err)
{
	enum { TELL = 4096 };
	int rc;

	while ((rc = csv_next(&im->csv, err)) > 0) {
		if (!is_blank(&im->csv) && take_record(im, err) < 0)
			break;
		if (fn != NULL && im->csv.lines % TELL == 0)
			fn(arg, im->csv.bytes);
	}
	return rc == 0 ? 0 : at_line(im->csv.line, err);
}

int change_csv(struct change *ch, int fd,
    void (*fn)(void *arg, uint64_t bytes), void *arg, struct error *err)
{
	struct import im = {.ch = ch};
	int rc;

	ch->once = true;
	csv_init(&im.csv, fd);
	for (int i = 0; i <= COL_LEG; i++)
		strbuf_init(&im.cell[i], ROW_TEXT_MAX);
	rc = read_header(&im, err);
	if (rc == 0)
		rc = read_rows(&im, fn, arg, err);
	for (int i = 0; i <= COL_LEG; i++)
		strbuf_fini(&im.cell[i]);
	csv_fini(&im.csv);
	return rc;
}

int change_list(struct change *ch, int fd, const struct change_row *row,
    struct error *err)
{
	struct csv c;
	int rc;

	csv_init(&c, fd);
	while ((rc = csv_line(&c, err)) > 0) {
		struct slice text = slice_trim(c.field[0]);

		if (text.n == 0 || text.p[0] == '#')
			continue;
		if (change_set(ch, text, row, err) < 0)
			break;
	}
	if (rc != 0)
		at_line(c.line, err);
	csv_fini(&c);
	return rc == 0 ? 0 : -1;
}
