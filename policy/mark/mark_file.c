/* SPDX-License-Identifier: ISC
 *
 * The table `mark` of the cutover table's file.
 */
#include "policy/mark/mark_file.h"

#include <stdio.h>

#include "policy/db.h"
#include "policy/wave/file/decided.h"
#include "relay/mail/addr.h"
#include "relay/base/mem.h"

enum { DETAIL_BYTES = 200 };
enum { MARK_BEGIN, MARK_COMMIT, MARK_ROLLBACK, MARK_TOUCH, MARK_PUT,
	MARK_GET };

static const char *const sql[DB_STATEMENTS] = {
	[MARK_BEGIN] = "BEGIN IMMEDIATE",
	[MARK_COMMIT] = "COMMIT",
	[MARK_ROLLBACK] = "ROLLBACK",
	/* As each change does: db_log.c. */
	[MARK_TOUCH] = "UPDATE about SET writes = writes + 1",
	[MARK_PUT] = "INSERT OR REPLACE INTO mark VALUES"
		     "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[MARK_GET] = "SELECT change, time FROM mark WHERE address = ?1 AND"
		     " leg = ?2 AND waived = ?3",
};

/* The mark of the file is written with it, as with each change. */
static const char schema[] =
    "BEGIN IMMEDIATE; UPDATE about SET writes = writes + 1;"
    "CREATE TABLE IF NOT EXISTS mark(address TEXT NOT NULL,"
    " leg TEXT NOT NULL, waived INTEGER NOT NULL, change INTEGER NOT NULL,"
    " time INTEGER NOT NULL, who TEXT NOT NULL, host TEXT NOT NULL,"
    " command TEXT NOT NULL, note TEXT NOT NULL,"
    " PRIMARY KEY(address, leg, waived)) WITHOUT ROWID; COMMIT;";

struct mark_file {
	struct db db;
	bool empty; /* as a rule, and then nothing is looked up */
};

static int make_table(struct mark_file *f, struct error *err)
{
	static const char there[] = "SELECT count(*) FROM sqlite_schema WHERE"
				    " type = 'table' AND name = 'mark'";
	static const char none[] = "SELECT NOT EXISTS (SELECT 1 FROM mark)";
	int64_t n;

	if (db_int(&f->db, there, &n, err) < 0 ||
	    (n == 0 && db_script(&f->db, schema, err) < 0) ||
	    db_int(&f->db, none, &n, err) < 0)
		return -1;
	f->empty = n != 0;
	return 0;
}

struct mark_file *mark_file_open(const char *path, struct error *err)
{
	struct mark_file *f = NEW(struct mark_file);

	if (db_open(&f->db, path, DB_WRITE, sql, err) < 0) {
		mem_free(f);
		return NULL;
	}
	if (db_script(&f->db, "PRAGMA synchronous = FULL;", err) == 0 &&
	    make_table(f, err) == 0)
		return f;
	mark_file_close(f);
	return NULL;
}

void mark_file_close(struct mark_file *f)
{
	if (f == NULL)
		return;
	db_close(&f->db);
	mem_free(f);
}

static sqlite3_stmt *of(struct mark_file *f, int which,
    const struct watermark_mark *m, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&f->db, which, err);

	if (st == NULL)
		return NULL;
	db_bind(st, 1, m->address);
	db_bind_str(st, 2, m->leg);
	sqlite3_bind_int(st, 3, m->waived);
	return st;
}

static int put_one(struct mark_file *f, const struct watermark_mark *m,
    struct error *err)
{
	sqlite3_stmt *st = of(f, MARK_PUT, m, err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 4, (sqlite3_int64)m->change);
	sqlite3_bind_int64(st, 5, m->time_us);
	db_bind_str(st, 6, m->who);
	db_bind_str(st, 7, m->host);
	db_bind_str(st, 8, m->command);
	db_bind_str(st, 9, m->note);
	return db_run(&f->db, st, err);
}

/* The decision as a whole, in the chain of decisions. */
static int record(struct mark_file *f, const struct watermark_mark *first,
    size_t n, struct error *err)
{
	struct wave_file *w = wave_file_on(&f->db, err);
	char address[ADDR_MAX], detail[DETAIL_BYTES];
	int rc;

	if (w == NULL)
		return -1;
	snprintf(address, sizeof(address), "%.*s", (int)first->address.n,
	    first->address.p);
	snprintf(detail, sizeof(detail), "%s at %s%s",
	    first->waived ? "waived" : "synced", first->leg,
	    n == 1 ? "" : ", and more: table mark");
	rc = decided_add(w, &(struct decided){.time_us = first->time_us,
	    .who = first->who, .host = first->host,
	    .command = first->command, .note = first->note,
	    .about = address, .detail = detail}, err);
	wave_file_close(w);
	return rc;
}

int mark_put(struct mark_file *f, const struct watermark_mark *marks, size_t n,
    struct error *err)
{
	struct error ignored;
	int rc = db_do(&f->db, MARK_BEGIN, err);

	if (rc < 0)
		return -1;
	f->empty = false;
	rc = db_do(&f->db, MARK_TOUCH, err);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put_one(f, &marks[i], err);
	if (rc == 0 && n > 0)
		rc = record(f, &marks[0], n, err);
	if (rc == 0)
		rc = db_do(&f->db, MARK_COMMIT, err);
	if (rc < 0 && db_do(&f->db, MARK_ROLLBACK, &ignored) < 0)
		return -1; /* a failed commit has ended it */
	return rc;
}

int mark_get(struct mark_file *f, struct watermark_mark *m, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (f->empty)
		return 0;
	st = of(f, MARK_GET, m, err);
	if (st == NULL)
		return -1;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		m->change = (uint64_t)sqlite3_column_int64(st, 0);
		m->time_us = sqlite3_column_int64(st, 1);
	}
	sqlite3_reset(st);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return db_error(&f->db, err);
	return rc == SQLITE_ROW;
}
