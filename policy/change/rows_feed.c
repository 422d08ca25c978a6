/* SPDX-License-Identifier: ISC
 *
 * A virtual table over a function of ours (sqlite.org/vtab.html): eponymous,
 * read once from its beginning to its end.
 */
#include "policy/change/rows_feed.h"

#include "relay/base/mem.h"

struct feed_table {
	sqlite3_vtab base;
	struct rows_feed *const *feed;
};

struct feed_cursor {
	sqlite3_vtab_cursor base;
	struct rows_feed *feed;
	sqlite3_int64 row;
	bool ended;
};

static int on_connect(sqlite3 *handle, void *aux, int argc,
    const char *const *argv, sqlite3_vtab **table_out, char **why)
{
	struct feed_table *t;
	int rc = sqlite3_declare_vtab(handle,
	    "CREATE TABLE x(c0, c1, c2, c3, c4, c5, c6, c7, c8, "
	    "c9)");

	(void)argc;
	(void)argv;
	(void)why;
	if (rc != SQLITE_OK)
		return rc;
	t = NEW(struct feed_table);
	t->feed = aux;
	*table_out = &t->base;
	return SQLITE_OK;
}

static int on_disconnect(sqlite3_vtab *table)
{
	mem_free((struct feed_table *)table);
	return SQLITE_OK;
}

/* One way through it, and no row is known before. */
static int on_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void)table;
	info->estimatedCost = 1e6;
	info->estimatedRows = 1000000;
	return SQLITE_OK;
}

static int on_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor_out)
{
	struct feed_cursor *c = NEW(struct feed_cursor);

	c->feed = *((struct feed_table *)table)->feed;
	*cursor_out = &c->base;
	return SQLITE_OK;
}

static int on_close(sqlite3_vtab_cursor *cursor)
{
	mem_free((struct feed_cursor *)cursor);
	return SQLITE_OK;
}

static int on_next(sqlite3_vtab_cursor *cursor)
{
	struct feed_cursor *c = (struct feed_cursor *)cursor;

	c->row++;
	c->ended = c->feed == NULL || !c->feed->next(c->feed->arg);
	return SQLITE_OK;
}

static int on_filter(sqlite3_vtab_cursor *cursor, int number,
    const char *text, int argc, sqlite3_value **argv)
{
	(void)number;
	(void)text;
	(void)argc;
	(void)argv;
	return on_next(cursor);
}

static int on_eof(sqlite3_vtab_cursor *cursor)
{
	return ((struct feed_cursor *)cursor)->ended;
}

static int on_column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx,
    int column)
{
	const struct rows_feed *f = ((struct feed_cursor *)cursor)->feed;

	f->column(f->arg, ctx, column);
	return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *row_out)
{
	*row_out = ((struct feed_cursor *)cursor)->row;
	return SQLITE_OK;
}

int feed_register(sqlite3 *handle, struct rows_feed *const *feed)
{
	/* Without xCreate it exists by its name alone. */
	static const sqlite3_module module = {
	    .xConnect = on_connect,
	    .xBestIndex = on_best_index,
	    .xDisconnect = on_disconnect,
	    .xOpen = on_open,
	    .xClose = on_close,
	    .xFilter = on_filter,
	    .xNext = on_next,
	    .xEof = on_eof,
	    .xColumn = on_column,
	    .xRowid = on_rowid,
	};

	return sqlite3_create_module(handle, "feed", &module,
	    (void *)(uintptr_t)feed);
}
