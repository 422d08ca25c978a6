/* SPDX-License-Identifier: ISC
 *
 * Staging from files: CSV rows, and lists of addresses. A bad line is a
 * fault and reading goes on, so that one run names all that is to be mended;
 * nothing was written by then.
 */
#include <inttypes.h>

#include "policy/change/change_int.h"
#include "policy/csv/csv.h"
#include "policy/csv/csv_column.h"
#include "relay/base/mem.h"

struct import {
	struct change *ch;
	struct csv csv;
	struct csv_column column[CSV_FIELDS];
	unsigned columns;
	struct strbuf cell[CSV_LEG + 1]; /* by enum csv_what, a final NUL */
};

/* ---- the header ------------------------------------------------------- */

static bool is_ours(enum csv_what what)
{
	return what <= CSV_LEG;
}

static int header_cell(struct import *im, struct slice heading,
    struct error *err)
{
	struct csv_column *c = &im->column[im->columns];

	if (csv_column_named(heading, im->ch->conf, c, err) < 0)
		return -1;
	for (unsigned i = 0; is_ours(c->what) && i < im->columns; i++)
		if (im->column[i].what == c->what &&
		    slice_eq(im->column[i].leg, c->leg))
			return error_set(err, "the column '%.*s' stands twice "
			    "(column %u means the same); leave one out",
			    (int)heading.n, heading.p, i + 1);
	im->columns++;
	return 0;
}

static bool has_column(const struct import *im, enum csv_what what)
{
	for (unsigned i = 0; i < im->columns; i++)
		if (im->column[i].what == what)
			return true;
	return false;
}

static int read_header(struct import *im, struct error *err)
{
	int rc = csv_header(&im->csv, err);

	if (rc == CSV_END)
		return error_set(err, "the file is empty: a header is needed, "
		    "such as address,route");
	for (unsigned i = 0; rc > 0 && i < im->csv.fields; i++)
		if (header_cell(im, im->csv.field[i], err) < 0)
			rc = -1;
	if (rc > 0 && !has_column(im, CSV_ADDRESS))
		rc = error_set(err, "the header has no column 'address'");
	if (rc > 0 && im->ch->csv_route != NULL && has_column(im, CSV_ROUTE))
		rc = error_set(err, "the header has a column 'route', so "
		    "--route has no effect: remove one of the two");
	if (rc > 0)
		return 0;
	change_fault(im->ch, im->csv.line, err->text);
	return change_faulty(im->ch, err);
}

void change_csv_route(struct change *ch, const char *route, bool known)
{
	ch->csv_route = route;
	ch->csv_route_known = known;
}

/* ---- rows ------------------------------------------------------------- */

static int take_cell(struct import *im, unsigned i, struct error *err)
{
	struct slice cell = row_trim(im->csv.field[i]);
	enum csv_what what = im->column[i].what;
	struct strbuf *to;

	if (what == CSV_UNNAMED && cell.n > 0)
		return error_set(err, "cell %u stands under no heading",
		    i + 1);
	if (!is_ours(what))
		return 0;
	to = &im->cell[what];
	if (slice_find(cell, '\0') >= 0)
		return error_set(err, "there is a NUL in it");
	if (what == CSV_LEG)
		strbuf_addf(to, "%s%.*s=", to->n == 0 ? "" : "\n",
		    (int)im->column[i].leg.n, im->column[i].leg.p);
	strbuf_addsl(to, cell);
	return strbuf_ok(to) ? 0 : error_set(err, "a cell is too long");
}

static const char *given(struct import *im, enum csv_what what)
{
	return has_column(im, what) ? strbuf_cstr(&im->cell[what]) : NULL;
}

static int take_cells(struct import *im, struct error *err)
{
	if (csv_check_width(&im->csv, im->columns, err) < 0)
		return -1;
	for (int i = 0; i <= CSV_LEG; i++)
		strbuf_reset(&im->cell[i]);
	for (unsigned i = 0; i < im->columns; i++)
		if (take_cell(im, i, err) < 0)
			return -1;
	return 0;
}

static int take_record(struct import *im, struct error *err)
{
	struct change_row row = {.held = -1, .line = im->csv.line};
	struct strbuf key;
	int rc = 0;

	if (take_cells(im, err) < 0)
		return -1;
	row.route = given(im, CSV_ROUTE);
	if (row.route == NULL) {
		row.route = im->ch->csv_route;
		row.new_route = !im->ch->csv_route_known;
	}
	row.mailbox = given(im, CSV_MAILBOX);
	row.tags = given(im, CSV_TAGS);
	row.addresses = given(im, CSV_LEG);
	strbuf_init(&key, ADDR_MAX);
	rc = row_key(strbuf_view(&im->cell[CSV_ADDRESS]), &key, err);
	if (rc == 0)
		rc = change_stage_row(im->ch, strbuf_view(&key), &row, err);
	strbuf_fini(&key);
	return rc;
}

static void tell(struct change *ch, const struct csv *c)
{
	enum { EVERY = 4096 };

	if (c->lines % EVERY == 0)
		change_read_so_far(ch, c->file.bytes);
}

static int read_rows(struct import *im, struct error *err)
{
	int rc;

	while ((rc = csv_next(&im->csv, err)) != CSV_END) {
		if (rc == CSV_RECORD_READ && csv_empty_from(&im->csv, 0))
			continue;
		if (rc < 0 || take_record(im, err) < 0)
			change_fault(im->ch, im->csv.line, err->text);
		if (rc == CSV_FAILED)
			break;
		tell(im->ch, &im->csv);
	}
	return change_file_end(im->ch, err);
}

int change_csv(struct change *ch, int fd, struct error *err)
{
	struct import im = {.ch = ch};
	int rc;

	ch->once = true;
	csv_init(&im.csv, fd);
	for (int i = 0; i <= CSV_LEG; i++)
		strbuf_init(&im.cell[i], ROW_TEXT_MAX);
	rc = read_header(&im, err);
	if (rc == 0)
		rc = read_rows(&im, err);
	for (int i = 0; i <= CSV_LEG; i++)
		strbuf_fini(&im.cell[i]);
	csv_fini(&im.csv);
	return rc;
}

/* ---- lists ------------------------------------------------------------ */

int change_list(struct change *ch, int fd, const struct change_row *row,
    struct error *err)
{
	struct change_row at = *row;
	struct csv c;
	int rc;

	csv_init(&c, fd);
	while ((rc = csv_line(&c, err)) != CSV_END) {
		struct slice text = row_trim(c.field[0]);

		if (rc > 0 && (text.n == 0 || text.p[0] == '#'))
			continue;
		at.line = c.line;
		if (rc < 0 || change_set(ch, text, &at, err) < 0)
			change_fault(ch, c.line, err->text);
		if (rc == CSV_FAILED)
			break;
		tell(ch, &c);
	}
	csv_fini(&c);
	return change_file_end(ch, err);
}
