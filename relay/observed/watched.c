/* SPDX-License-Identifier: ISC
 *
 * The tables `watched` and `came`.
 */
#include "relay/observed/watched.h"

/* NULL: `err`. */
static sqlite3_stmt *prepare(struct observed *o, const char *sql,
    struct error *err)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(observed_db(o), sql, -1, &s, NULL) != SQLITE_OK)
		observed_error(o, err);
	return s;
}

static int finish(struct observed *o, sqlite3_stmt *s, int rc,
    struct error *err)
{
	if (rc != SQLITE_DONE)
		observed_error(o, err);
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

static const char *text_at(sqlite3_stmt *s, int column)
{
	const char *t = (const char *)sqlite3_column_text(s, column);

	return t == NULL ? "" : t;
}

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

/* ---- listeners ---- */

int watched_put(struct observed *o, const struct watched_row *row,
    struct error *err)
{
	sqlite3_stmt *s = prepare(o,
	    "INSERT OR REPLACE INTO watched VALUES(?1, ?2, ?3, ?4)", err);

	if (s == NULL)
		return -1;
	bind_text(s, 1, row->listen);
	sqlite3_bind_int64(s, 2, row->from_us);
	sqlite3_bind_int64(s, 3, row->to_us);
	sqlite3_bind_int64(s, 4, row->observed_us);
	return finish(o, s, sqlite3_step(s), err);
}

int watched_each(struct observed *o,
    void (*fn)(void *arg, const struct watched_row *row), void *arg,
    struct error *err)
{
	sqlite3_stmt *s = prepare(o, "SELECT listen, began, ended, observed"
	    " FROM watched ORDER BY listen, began", err);
	int rc;

	if (s == NULL)
		return -1;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const struct watched_row row = {text_at(s, 0),
		    sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2),
		    sqlite3_column_int64(s, 3)};

		fn(arg, &row);
	}
	return finish(o, s, rc, err);
}

int watched_prune(struct observed *o, int64_t before_us, struct error *err)
{
	sqlite3_stmt *s = prepare(o, "DELETE FROM watched WHERE ended < ?1",
	    err);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, before_us);
	return finish(o, s, sqlite3_step(s), err);
}

/* ---- legs ---- */

int came_add(struct observed *o, const struct came_row *row,
    struct error *err)
{
	sqlite3_stmt *s = prepare(o, "INSERT INTO came VALUES"
	    "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET"
	    " last = ?5, messages = messages + ?6, id = ?7,"
	    " hop = iif(?8 = '', hop, ?8)", err);

	if (s == NULL)
		return -1;
	bind_text(s, 1, row->leg);
	sqlite3_bind_int(s, 2, row->kind);
	bind_text(s, 3, row->domain);
	sqlite3_bind_int64(s, 4, row->first_us);
	sqlite3_bind_int64(s, 5, row->last_us);
	sqlite3_bind_int64(s, 6, (sqlite3_int64)row->messages);
	sqlite3_bind_int64(s, 7, (sqlite3_int64)row->id);
	bind_text(s, 8, row->hop);
	return finish(o, s, sqlite3_step(s), err);
}

int came_each(struct observed *o,
    void (*fn)(void *arg, const struct came_row *row), void *arg,
    struct error *err)
{
	sqlite3_stmt *s = prepare(o, "SELECT leg, kind, domain, first, last,"
	    " messages, id, hop FROM came ORDER BY leg, kind, domain", err);
	int rc;

	if (s == NULL)
		return -1;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const struct came_row row = {.leg = text_at(s, 0),
		    .kind = sqlite3_column_int(s, 1), .domain = text_at(s, 2),
		    .first_us = sqlite3_column_int64(s, 3),
		    .last_us = sqlite3_column_int64(s, 4),
		    .messages = (uint64_t)sqlite3_column_int64(s, 5),
		    .id = (uint64_t)sqlite3_column_int64(s, 6),
		    .hop = text_at(s, 7)};

		fn(arg, &row);
	}
	return finish(o, s, rc, err);
}
