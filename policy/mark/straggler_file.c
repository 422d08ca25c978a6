/* SPDX-License-Identifier: ISC
 *
 * The table `straggler_mark` of the cutover table's file.
 */
#include "policy/mark/straggler_file.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/db.h"
#include "policy/wave/file/decided.h"

enum { DETAIL_BYTES = 200 };
enum { MARK_BEGIN, MARK_COMMIT, MARK_ROLLBACK, MARK_TOUCH, MARK_PUT,
	MARK_DROP, MARK_ALL };

static const char *const sql[DB_STATEMENTS] = {
	[MARK_BEGIN] = "BEGIN IMMEDIATE",
	[MARK_COMMIT] = "COMMIT",
	[MARK_ROLLBACK] = "ROLLBACK",
	/* As each change does: db_log.c. */
	[MARK_TOUCH] = DB_TOUCH,
	[MARK_PUT] = ("INSERT OR REPLACE INTO straggler_mark VALUES"
		      "(?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
	[MARK_DROP] = "DELETE FROM straggler_mark WHERE about = ?1",
	[MARK_ALL] = "SELECT about, mark, note FROM straggler_mark",
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS straggler_mark(about TEXT PRIMARY KEY,"
    " mark INTEGER NOT NULL, time INTEGER NOT NULL, who TEXT NOT NULL,"
    " host TEXT NOT NULL, command TEXT NOT NULL, note TEXT NOT NULL)"
    " WITHOUT ROWID;";

/* ---- putting ------------------------------------------------------------- */

static int put_one(struct db *db, const struct straggler_decision *d,
    const char *about, struct error *err)
{
	bool drop = d->mark == STRAGGLER_UNMARKED;
	sqlite3_stmt *st = db_stmt(db, drop ? MARK_DROP : MARK_PUT, err);

	if (st == NULL)
		return -1;
	db_bind_str(st, 1, about);
	if (!drop) {
		sqlite3_bind_int(st, 2, (int)d->mark);
		sqlite3_bind_int64(st, 3, d->time_us);
		db_bind_str(st, 4, d->who);
		db_bind_str(st, 5, d->host);
		db_bind_str(st, 6, d->command);
		db_bind_str(st, 7, d->note);
	}
	return db_run(db, st, err);
}

/* The decision as a whole, in the chain of decisions. */
static int record(struct db *db, const struct straggler_decision *d,
    struct error *err)
{
	struct wave_file *w = wave_file_on(db, err);
	const char *mark = straggler_mark_text(d->mark);
	char detail[DETAIL_BYTES];
	int rc;

	if (w == NULL)
		return -1;
	snprintf(detail, sizeof(detail), "%s, %zu straggler%s: table "
	    "straggler_mark", mark[0] == '\0' ? "no mark" : mark, d->n,
	    d->n == 1 ? "" : "s");
	rc = decided_add(w, &(struct decided){.time_us = d->time_us,
	    .who = d->who, .host = d->host, .command = d->command,
	    .note = d->note, .about = d->words, .detail = detail}, err);
	wave_file_close(w);
	return rc;
}

static int put_all(struct db *db, const struct straggler_decision *d,
    struct error *err)
{
	struct error ignored;
	int rc = db_do(db, MARK_BEGIN, err);

	if (rc < 0)
		return -1;
	rc = db_do(db, MARK_TOUCH, err);
	if (rc == 0)
		rc = db_script(db, schema, err);
	for (size_t i = 0; i < d->n && rc == 0; i++)
		rc = put_one(db, d, d->about[i], err);
	if (rc == 0)
		rc = record(db, d, err);
	if (rc == 0)
		rc = db_do(db, MARK_COMMIT, err);
	if (rc < 0 && db_do(db, MARK_ROLLBACK, &ignored) < 0)
		return -1; /* a failed commit has ended it */
	return rc;
}

int straggler_marks_put(const char *path, const struct straggler_decision *d,
    struct error *err)
{
	struct db db;
	int rc;

	if (db_open(&db, path, DB_WRITE, sql, err) < 0)
		return -1;
	rc = db_script(&db, "PRAGMA synchronous = FULL;", err);
	if (rc == 0)
		rc = put_all(&db, d, err);
	db_close(&db);
	return rc;
}

/* ---- loading ------------------------------------------------------------- */

static int load(struct db *db, struct straggler_marks *m, struct error *err)
{
	static const char there[] = "SELECT count(*) FROM sqlite_schema WHERE"
	    " type = 'table' AND name = 'straggler_mark'";
	sqlite3_stmt *st;
	int64_t n;
	int rc;

	if (db_int(db, there, &n, err) < 0)
		return -1;
	if (n == 0)
		return 0;
	st = db_stmt(db, MARK_ALL, err);
	if (st == NULL)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		int mark = sqlite3_column_int(st, 1);

		if ((mark != STRAGGLER_KEEP && mark != STRAGGLER_IGNORE) ||
		    straggler_marks_add(m, db_text(st, 0),
			(enum straggler_mark)mark, db_text(st, 2)) != 0) {
			sqlite3_reset(st);
			return error_set(err, "a row of straggler_mark in the "
			    "table's file says nothing that is understood");
		}
	}
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : db_error(db, err);
}

struct straggler_marks *straggler_marks_load(const char *path,
    struct error *err)
{
	struct straggler_marks *m;
	struct db db;
	int rc;

	if (db_open(&db, path, DB_READ, sql, err) < 0)
		return NULL;
	m = straggler_marks_new();
	rc = load(&db, m, err);
	db_close(&db);
	if (rc == 0)
		return m;
	straggler_marks_free(m);
	return NULL;
}
