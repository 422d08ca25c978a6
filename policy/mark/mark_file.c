/* SPDX-License-Identifier: ISC
 *
 * The table `mark` of the cutover table's file.
 */
#include "policy/mark/mark_file.h"

#include "policy/db.h"
#include "relay/base/mem.h"

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

static const char schema[] =
    "PRAGMA synchronous = FULL;"
    "CREATE TABLE IF NOT EXISTS mark(address TEXT NOT NULL,"
    " leg TEXT NOT NULL, waived INTEGER NOT NULL, change INTEGER NOT NULL,"
    " time INTEGER NOT NULL, who TEXT NOT NULL, host TEXT NOT NULL,"
    " command TEXT NOT NULL, note TEXT NOT NULL,"
    " PRIMARY KEY(address, leg, waived)) WITHOUT ROWID;";

struct mark_file {
	struct db db;
};

struct mark_file *mark_file_open(const char *path, struct error *err)
{
	struct mark_file *f = NEW(struct mark_file);

	if (db_open(&f->db, path, DB_WRITE, sql, err) < 0) {
		mem_free(f);
		return NULL;
	}
	if (db_script(&f->db, schema, err) == 0)
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

int mark_put(struct mark_file *f, const struct watermark_mark *marks, size_t n,
    struct error *err)
{
	struct error ignored;
	int rc = db_do(&f->db, MARK_BEGIN, err);

	if (rc < 0)
		return -1;
	rc = db_do(&f->db, MARK_TOUCH, err);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put_one(f, &marks[i], err);
	if (rc == 0)
		rc = db_do(&f->db, MARK_COMMIT, err);
	if (rc < 0 && db_do(&f->db, MARK_ROLLBACK, &ignored) < 0)
		return -1; /* a failed commit has ended it */
	return rc;
}

int mark_get(struct mark_file *f, struct watermark_mark *m, struct error *err)
{
	sqlite3_stmt *st = of(f, MARK_GET, m, err);
	int rc;

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
