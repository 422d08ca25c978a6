/* SPDX-License-Identifier: ISC
 *
 * Reads watermarks out of ledger.db, over a connection of its own.
 */
#include "relay/audit/delivered/watermark_reader.h"

#include "relay/audit/delivered/last_file.h"
#include "relay/audit/delivered/ledger_read.h"
#include "relay/base/mem.h"

enum reader_sql { READ_GET, READ_ALL, READ_TODO, READ_HOOK, READ_DOMAIN,
	READ_LEG, READ_UNMARKED, READ_WHOLE, READ_LAST,
	READ_SQLS };

#define COLUMNS "SELECT w.recipient, w.leg, w.address, l.name, w.change," \
	" w.state, w.time, w.id, w.at, w.open, w.told, w.hook, w.waived," \
	" w.note FROM watermark w JOIN leg l ON l.number = w.leg WHERE "
#define PAGE " (w.recipient, w.leg) > (?1, ?2) ORDER BY w.recipient, w.leg" \
	" LIMIT ?3"

static const char *const sql[READ_SQLS] = {
	[READ_GET] = COLUMNS "w.recipient = ?1 ORDER BY w.leg",
	[READ_ALL] = COLUMNS PAGE,
	[READ_TODO] = COLUMNS "(" WATERMARK_TODO ") AND" PAGE,
	[READ_HOOK] = COLUMNS WATERMARK_HOOK_DUE " AND" PAGE,
	[READ_DOMAIN] = "SELECT a.recipient, a.address, EXISTS (SELECT 1 FROM"
	    " delivery d JOIN leg l ON l.number = d.leg WHERE d.recipient ="
	    " a.recipient AND l.name = ?2) FROM address a WHERE a.recipient >"
	    " ?1 ORDER BY a.recipient LIMIT ?3",
	[READ_LEG] = COLUMNS "l.name = ?1 ORDER BY w.recipient, w.leg",
	[READ_UNMARKED] = "SELECT d.recipient, coalesce(a.address, ''),"
	    " max(d.time) FROM delivery d LEFT JOIN address a ON"
	    " a.recipient = d.recipient WHERE d.leg IN (SELECT number FROM leg"
	    " WHERE name = ?1) AND NOT EXISTS (SELECT 1 FROM watermark w WHERE"
	    " w.recipient = d.recipient AND w.leg = d.leg)"
	    " GROUP BY d.recipient ORDER BY d.recipient",
	[READ_LAST] = "SELECT coalesce(max(time), 0) FROM delivery",
	[READ_WHOLE] = "SELECT refill, hole FROM state",
};

struct watermark_reader {
	struct ledger_read ledger;
	sqlite3_stmt *stmt[READ_SQLS];
};

static struct watermark_reader *prepare(struct watermark_reader *r, int rc,
    struct error *err)
{
	if (rc == 0 && ledger_read_prepare(&r->ledger, sql, r->stmt, READ_SQLS,
			   err) == 0)
		return r;
	watermark_reader_close(r);
	return NULL;
}

struct watermark_reader *watermark_reader_open_at(const char *path,
    const struct conf *c, struct error *err)
{
	struct watermark_reader *r = NEW(struct watermark_reader);

	return prepare(r, ledger_read_open_at(path, c, &r->ledger, err), err);
}

struct watermark_reader *watermark_reader_open(const struct conf *c,
    struct error *err)
{
	struct watermark_reader *r = NEW(struct watermark_reader);

	return prepare(r, ledger_read_open(c, &r->ledger, err), err);
}

void watermark_reader_close(struct watermark_reader *r)
{
	if (r == NULL)
		return;
	for (int i = 0; i < READ_SQLS; i++)
		sqlite3_finalize(r->stmt[i]);
	ledger_read_close(&r->ledger);
	mem_free(r);
}

int64_t watermark_reader_since(const struct watermark_reader *r)
{
	return r->ledger.since_us;
}

int64_t watermark_reader_key(const struct watermark_reader *r,
    struct slice address)
{
	return ledger_read_key(&r->ledger, address);
}

static const char *text_at(sqlite3_stmt *s, int column)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return text == NULL ? "" : text;
}

/* A number that the file may not hold is read as one that begins again. */
static enum watermark_state state_at(sqlite3_stmt *s, int column)
{
	int state = sqlite3_column_int(s, column);

	return state > 0 && state < WATERMARK_STATES
		   ? (enum watermark_state)state : WATERMARK_PENDING;
}

static struct watermark row_at(sqlite3_stmt *s)
{
	return (struct watermark){
		.recipient = sqlite3_column_int64(s, 0),
		.leg_number = sqlite3_column_int(s, 1),
		.address = text_at(s, 2),
		.leg = text_at(s, 3),
		.change = (uint64_t)sqlite3_column_int64(s, 4),
		.state = state_at(s, 5),
		.time_us = sqlite3_column_int64(s, 6),
		.id = (uint64_t)sqlite3_column_int64(s, 7),
		.at_us = sqlite3_column_int64(s, 8),
		.open = (unsigned)sqlite3_column_int64(s, 9),
		.told = state_at(s, 10),
		.hook = (enum watermark_hook)(sqlite3_column_int(s, 11) & 3),
		.waived = sqlite3_column_int(s, 12) != 0,
		.note = text_at(s, 13),
	};
}

int watermark_reader_get(struct watermark_reader *r, struct slice address,
    watermark_fn *fn, void *arg, struct error *err)
{
	sqlite3_stmt *s = r->stmt[READ_GET];
	struct watermark w;
	int rc, n = 0;

	sqlite3_bind_int64(s, 1, watermark_reader_key(r, address));
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		w = row_at(s);
		fn(arg, &w);
		n++;
	}
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? n : ledger_read_fail(&r->ledger, err);
}

int watermark_reader_page(struct watermark_reader *r,
    struct watermark_page *page, struct error *err)
{
	static const enum reader_sql sql_of[] = {
	    [WATERMARKS_ALL] = READ_ALL, [WATERMARKS_TODO] = READ_TODO,
	    [WATERMARKS_HOOK] = READ_HOOK};
	sqlite3_stmt *s = r->stmt[sql_of[page->which]];
	struct watermark w;
	int rc, n = 0;

	sqlite3_bind_int64(s, 1, page->recipient);
	sqlite3_bind_int(s, 2, page->leg);
	sqlite3_bind_int64(s, 3, page->limit);
	page->full = false;
	while (!page->full && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		w = row_at(s);
		page->recipient = w.recipient;
		page->leg = w.leg_number;
		page->fn(page->arg, &w);
		n++;
	}
	sqlite3_reset(s);
	return page->full || rc == SQLITE_DONE
		   ? n : ledger_read_fail(&r->ledger, err);
}

static bool is_of(struct slice address, struct slice domain)
{
	long at = slice_rfind(address, '@');

	return at >= 0 && slice_eq(slice_from(address, (size_t)at + 1), domain);
}

int watermark_reader_domain(struct watermark_reader *r,
    struct watermark_domain *d, struct error *err)
{
	sqlite3_stmt *s = r->stmt[READ_DOMAIN];
	int rc, n = 0;

	sqlite3_bind_int64(s, 1, d->after);
	sqlite3_bind_text(s, 2, d->leg, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, d->limit);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct slice address = slice_str(text_at(s, 1));

		d->after = sqlite3_column_int64(s, 0);
		if (sqlite3_column_int(s, 2) != 0 && is_of(address, d->domain))
			d->fn(d->arg, address);
		n++;
	}
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? n : ledger_read_fail(&r->ledger, err);
}

/* ---- all that a leg ever had ------------------------------------------ */

static int end_rows(struct watermark_reader *r, sqlite3_stmt *s, int rc,
    struct error *err)
{
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : ledger_read_fail(&r->ledger, err);
}

static int each_marked(struct watermark_reader *r, const char *leg,
    watermark_fn *fn, void *arg, struct error *err)
{
	sqlite3_stmt *s = r->stmt[READ_LEG];
	struct watermark w;
	int rc;

	sqlite3_bind_text(s, 1, leg, -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		w = row_at(s);
		fn(arg, &w);
	}
	return end_rows(r, s, rc, err);
}

int watermark_reader_of_leg(struct watermark_reader *r, const char *leg,
    watermark_fn *fn, void *arg, struct error *err)
{
	sqlite3_stmt *s = r->stmt[READ_UNMARKED];
	int rc = each_marked(r, leg, fn, arg, err);

	if (rc < 0)
		return -1;
	sqlite3_bind_text(s, 1, leg, -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const struct watermark none = {
		    .recipient = sqlite3_column_int64(s, 0),
		    .address = text_at(s, 1), .leg = leg,
		    .state = WATERMARK_NONE,
		    .time_us = sqlite3_column_int64(s, 2), .note = ""};

		fn(arg, &none);
	}
	return end_rows(r, s, rc, err);
}

int watermark_reader_whole(struct watermark_reader *r, struct error *err)
{
	sqlite3_stmt *s = r->stmt[READ_WHOLE];
	int rc = sqlite3_step(s), whole = 0;

	if (rc == SQLITE_ROW)
		whole = sqlite3_column_int64(s, 0) == LAST_REFILLED &&
			sqlite3_column_int(s, 1) == 0;
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? whole : ledger_read_fail(&r->ledger, err);
}

int64_t watermark_reader_last(struct watermark_reader *r, struct error *err)
{
	sqlite3_stmt *s = r->stmt[READ_LAST];
	int rc = sqlite3_step(s);
	int64_t us = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;

	sqlite3_reset(s);
	return rc == SQLITE_ROW ? us : ledger_read_fail(&r->ledger, err);
}
