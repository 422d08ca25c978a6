/* SPDX-License-Identifier: ISC
 *
 * Writes the rows of a change from its log into the table, and its line into
 * the history. The log is read once, for the digest; rows that change only
 * route and hold are written during that. Other statements run only if a row
 * needs them.
 */
#include "policy/change/change_index.h"
#include "policy/change/change_int.h"
#include "relay/base/clock.h"

/* Rows of as many pages, two megabytes, at most. */
enum { PUSH_ROWS = 256 };

struct rows_writing {
	struct change *ch;
	int64_t number;
	uint64_t updated;
	bool others; /* rows are new, or more of them than the route */
	bool gone, tags, rewrites;
	bool failed; /* `err` says why */
	struct error *err;
};

/* Columns of CHAIN_LOG_COLUMNS. */
enum { ADDRESS, OLD_ROUTE, OLD_HELD, OLD_MAILBOX, OLD_TAGS, OLD_ADDRESSES,
	NEW_ROUTE, NEW_HELD, NEW_MAILBOX, NEW_TAGS, NEW_ADDRESSES };

static bool is_null(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL;
}

static bool differ(sqlite3_stmt *row, int old, int fresh)
{
	return !slice_eq(db_text(row, old), db_text(row, fresh));
}

static int update(struct rows_writing *w, sqlite3_stmt *row)
{
	sqlite3_stmt *st = db_stmt(&w->ch->db, CS_UPDATE, w->err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, w->number);
	db_bind(st, 2, db_text(row, NEW_ROUTE));
	sqlite3_bind_int64(st, 3, sqlite3_column_int64(row, NEW_HELD));
	db_bind(st, 4, db_text(row, ADDRESS));
	return db_run(&w->ch->db, st, w->err);
}

/* The page of the row is written to next: a cursor holds the page, so it is
 * not written to the log until it is full. */
static int push_before(struct rows_writing *w, struct slice address)
{
	struct change *ch = w->ch;
	sqlite3_stmt *st = db_stmt(&ch->db, CS_HOLD_PAGE, w->err);
	int rc;

	if (st == NULL)
		return -1;
	db_bind(st, 1, address);
	rc = sqlite3_step(st);
	rc = rc == SQLITE_ROW || rc == SQLITE_DONE
		 ? log_push(&ch->push, &ch->db, w->err)
		 : db_error(&ch->db, w->err);
	sqlite3_reset(st);
	return rc;
}

static int on_row(void *arg, sqlite3_stmt *row)
{
	struct rows_writing *w = arg;
	bool made = is_null(row, OLD_ROUTE), gone = is_null(row, NEW_ROUTE);
	bool tags = differ(row, OLD_TAGS, NEW_TAGS);
	bool rewrites = differ(row, OLD_ADDRESSES, NEW_ADDRESSES);

	w->ch->made = w->ch->made || made;
	w->gone = w->gone || gone;
	w->tags = w->tags || tags;
	w->rewrites = w->rewrites || rewrites;
	if (gone)
		return 0;
	if (made || tags || rewrites ||
	    differ(row, OLD_MAILBOX, NEW_MAILBOX)) {
		w->others = true;
		return 0;
	}
	if (++w->updated % PUSH_ROWS == 0 &&
	    push_before(w, db_text(row, ADDRESS)) < 0)
		w->failed = true;
	w->failed = w->failed || update(w, row) < 0;
	return w->failed ? -1 : 0;
}

static int read_log(struct change *ch, int64_t number,
    const struct chain_each *each, unsigned char digest_out[CHAIN_BYTES],
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&ch->db, CS_CHAIN_LOG, err);
	uint64_t rows;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, number);
	return chain_log(st, each, digest_out, &rows);
}

int change_digest(struct change *ch, int64_t number,
    unsigned char digest_out[CHAIN_BYTES], struct error *err)
{
	return read_log(ch, number, NULL, digest_out, err) < 0
		   ? db_error(&ch->db, err) : 0;
}

int change_write_rows(struct change *ch, int64_t number,
    unsigned char digest_out[CHAIN_BYTES], struct error *err)
{
	struct rows_writing w = {.ch = ch, .number = number, .err = err};
	const struct chain_each each = {on_row, &w};

	if (read_log(ch, number, &each, digest_out, err) < 0)
		return w.failed ? -1 : db_error(&ch->db, err);
	if ((w.others && change_run(ch, CS_UPSERT, number, err) < 0) ||
	    (w.gone && change_run(ch, CS_DELETE, number, err) < 0) ||
	    (w.tags && change_index_tags(ch, number, err) < 0) ||
	    (w.rewrites && change_index_rewrites(ch, number, err) < 0))
		return -1;
	return 0;
}

/* ---- the line in the history ------------------------------------------ */

/* Bytes of the hash of the newest line; 0: there is none. -1. */
static int hash_newest(struct change *ch, unsigned char hash[CHAIN_BYTES],
    struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, CS_LAST_LINE, 0, &st, err);

	if (rc > 0)
		chain_line(st, hash);
	sqlite3_reset(st);
	return rc < 0 ? -1 : rc * CHAIN_BYTES;
}

int change_touch(struct db *db, struct error *err)
{
	return db_do(db, CS_TOUCH, err) < 0 ? -1
					    : db_do(db, CS_TOUCH_HEAD, err);
}

/* Two of the three hashes that a line holds, and their bytes. */
struct line_hashes {
	unsigned char previous[CHAIN_BYTES], decided[CHAIN_BYTES];
	int previous_n, decided_n;
};

static int make_hashes(struct change *ch, struct line_hashes *h,
    struct error *err)
{
	h->previous_n = hash_newest(ch, h->previous, err);
	if (h->previous_n < 0)
		return -1;
	h->decided_n = chain_newest_decision(&ch->db, h->decided, err);
	return h->decided_n < 0 ? -1 : 0;
}

static void bind_said(sqlite3_stmt *st, const struct change_by *by)
{
	db_bind_str(st, 3, by->who);
	db_bind_str(st, 4, by->host);
	db_bind_str(st, 5, by->command);
	db_bind_str(st, 6, by->note == NULL ? "" : by->note);
	db_bind_str(st, 10, by->wave == NULL ? "" : by->wave);
}

int change_write_line(struct change *ch, const struct change_line *line,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&ch->db, CS_CHANGE, err);
	struct line_hashes h;

	if (st == NULL || make_hashes(ch, &h, err) < 0 ||
	    change_touch(&ch->db, err) < 0)
		return -1;
	bind_said(st, line->by);
	sqlite3_bind_int64(st, 1, (sqlite3_int64)line->number);
	sqlite3_bind_int64(st, 2, clock_wall_us(&clock_system));
	sqlite3_bind_int64(st, 7, (sqlite3_int64)line->recipients);
	sqlite3_bind_int(st, 8, ch->conf->node);
	db_bind_str(st, 9, line->kind);
	sqlite3_bind_blob(st, 11, h.previous, h.previous_n, SQLITE_STATIC);
	sqlite3_bind_blob(st, 12, line->rows, CHAIN_BYTES, SQLITE_STATIC);
	sqlite3_bind_blob(st, 13, h.decided, h.decided_n, SQLITE_STATIC);
	return db_run(&ch->db, st, err);
}
