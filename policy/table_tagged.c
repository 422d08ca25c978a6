/* SPDX-License-Identifier: ISC
 *
 * Rows that bear at least one of several tags, in order of their keys: the
 * rows of each tag come in that order from the table `tag`, and are merged.
 */
#include "policy/row.h"
#include "policy/table_int.h"
#include "relay/base/mem.h"

static const char rows_of_tag[] = "SELECT " TABLE_COLUMNS("r.")
    " FROM main.tag t CROSS JOIN main.route r ON r.address = t.address"
    " WHERE t.key = ?1 AND t.value = ?2 AND t.address > ?3"
    " ORDER BY t.address";
enum { COL_ADDRESS = 6 };

/* The rows of one tag; NULL when they have ended. */
struct tag_rows {
	sqlite3_stmt *st;
};

static int advance(struct table *t, struct tag_rows *r, struct error *err)
{
	int rc = sqlite3_step(r->st);

	if (rc == SQLITE_ROW)
		return 0;
	if (rc != SQLITE_DONE)
		return db_error(&t->db, err);
	sqlite3_finalize(r->st);
	r->st = NULL;
	return 0;
}

static int begin(struct table *t, struct tag_rows *r, struct slice tag,
    struct slice after, struct error *err)
{
	struct slice key, value;

	if (sqlite3_prepare_v2(t->db.handle, rows_of_tag, -1, &r->st, NULL) !=
	    SQLITE_OK)
		return db_error(&t->db, err);
	row_tag_parts(tag, &key, &value);
	db_bind(r->st, 1, key);
	db_bind(r->st, 2, value);
	db_bind(r->st, 3, after);
	return advance(t, r, err);
}

static int compare_keys(const struct tag_rows *a, const struct tag_rows *b)
{
	return strcmp(db_str(a->st, COL_ADDRESS), db_str(b->st, COL_ADDRESS));
}

/* The one whose row comes first; NULL at the end. */
static struct tag_rows *first_of(struct tag_rows *r, unsigned n)
{
	struct tag_rows *first = NULL;

	for (unsigned i = 0; i < n; i++)
		if (r[i].st != NULL &&
		    (first == NULL || compare_keys(&r[i], first) < 0))
			first = &r[i];
	return first;
}

/* Past the row of `first`, which comes last: the others are held against it.
 */
static int pass(struct table *t, struct tag_rows *r, unsigned n,
    struct tag_rows *first, struct error *err)
{
	for (unsigned i = 0; i < n; i++)
		if (r[i].st != NULL && &r[i] != first &&
		    compare_keys(&r[i], first) == 0 &&
		    advance(t, &r[i], err) < 0)
			return -1;
	return advance(t, first, err);
}

static int merge(struct table *t, const struct table_page *page,
    struct tag_rows *r, struct error *err)
{
	struct tag_rows *first;
	struct table_row row;
	int n = 0;

	while (n < (int)page->limit &&
	       (first = first_of(r, page->tags)) != NULL) {
		table_take_row(t, first->st, page->a, &row);
		page->fn(page->arg, db_text(first->st, COL_ADDRESS), &row);
		n++;
		if (pass(t, r, page->tags, first, err) < 0)
			return -1;
	}
	return n;
}

int table_tagged(struct table *t, const struct table_page *page,
    struct error *err)
{
	struct tag_rows *r = NEW_ARRAY(struct tag_rows, page->tags);
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < page->tags; i++)
		rc = begin(t, &r[i], page->tag[i], page->after, err);
	if (rc == 0)
		rc = merge(t, page, r, err);
	for (unsigned i = 0; i < page->tags; i++)
		sqlite3_finalize(r[i].st);
	mem_free(r);
	return rc;
}
