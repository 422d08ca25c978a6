/* SPDX-License-Identifier: ISC
 *
 * All SQL of verdicts over the file of the cutover table.
 */
#include "policy/verdict/file/verdict_file.h"

#include <stdio.h>
#include <string.h>

#include "policy/db.h"
#include "policy/wave/file/decided.h"

enum verdict_sql {
	VERDICT_BEGIN, VERDICT_COMMIT, VERDICT_ROLLBACK, VERDICT_TOUCH,
	VERDICT_ROWS, VERDICT_MARKS, VERDICT_PUT, VERDICT_GET, VERDICT_TIME,
	VERDICT_STATEMENTS
};
_Static_assert((int)VERDICT_STATEMENTS <= (int)DB_STATEMENTS,
    "room for statements");

static const char *const sql[DB_STATEMENTS] = {
	[VERDICT_BEGIN] = "BEGIN IMMEDIATE",
	[VERDICT_COMMIT] = "COMMIT",
	[VERDICT_ROLLBACK] = "ROLLBACK",
	[VERDICT_TOUCH] = DB_TOUCH,
	[VERDICT_ROWS] = "SELECT address, route, held FROM route"
			 " ORDER BY address",
	[VERDICT_MARKS] = "SELECT address, time, who, note, change FROM mark"
			  " WHERE leg = ?1 AND waived = 1 ORDER BY address",
	[VERDICT_PUT] = "INSERT OR REPLACE INTO waiver VALUES"
			"(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[VERDICT_GET] = "SELECT reason, until, time, who, host, note"
			" FROM waiver WHERE verdict = ?1 AND until > 0",
	[VERDICT_TIME] = "SELECT time FROM change WHERE change = ?1",
};

/* The mark of the file is written with it, as with each change. */
static const char schema[] =
    "BEGIN IMMEDIATE;" DB_TOUCH ";"
    "CREATE TABLE IF NOT EXISTS waiver(verdict TEXT NOT NULL,"
    " reason TEXT NOT NULL, until INTEGER NOT NULL, time INTEGER NOT NULL,"
    " who TEXT NOT NULL, host TEXT NOT NULL, command TEXT NOT NULL,"
    " note TEXT NOT NULL, PRIMARY KEY(verdict, reason)) WITHOUT ROWID;"
    "COMMIT;";

struct verdict_file {
	struct db db;
};

/* Is the table there? 1, 0, -1. */
static int has_table(struct verdict_file *f, const char *name,
    struct error *err)
{
	char text[120];
	int64_t n;

	snprintf(text, sizeof(text), "SELECT count(*) FROM sqlite_schema"
	    " WHERE type = 'table' AND name = '%s'", name);
	return db_int(&f->db, text, &n, err) < 0 ? -1 : n > 0;
}

struct verdict_file *verdict_file_open(const char *path, bool write,
    struct error *err)
{
	struct verdict_file *f = NEW(struct verdict_file);
	int rc;

	if (db_open(&f->db, path, write ? DB_WRITE : DB_READ, sql, err) < 0) {
		mem_free(f);
		return NULL;
	}
	rc = write ? has_table(f, "waiver", err) : 1;
	if (rc == 0)
		rc = db_script(&f->db, schema, err);
	if (rc >= 0 && write)
		rc = db_script(&f->db, "PRAGMA synchronous = FULL;", err);
	if (rc >= 0)
		return f;
	verdict_file_close(f);
	return NULL;
}

void verdict_file_close(struct verdict_file *f)
{
	if (f == NULL)
		return;
	db_close(&f->db);
	mem_free(f);
}

/* 0 at the end of the rows, -1; `st` is reset. */
static int end(struct verdict_file *f, sqlite3_stmt *st, int rc,
    struct error *err)
{
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		rc = db_error(&f->db, err);
	else
		rc = 0;
	sqlite3_reset(st);
	return rc;
}

int verdict_rows(struct verdict_file *f,
    void (*fn)(void *arg, const struct verdict_row *r), void *arg,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&f->db, VERDICT_ROWS, err);
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		const struct verdict_row r = {.address = db_text(st, 0),
		    .route = db_text(st, 1),
		    .held = sqlite3_column_int(st, 2) != 0};

		fn(arg, &r);
	}
	return end(f, st, rc, err);
}

int verdict_marks_waived(struct verdict_file *f, const char *leg,
    void (*fn)(void *arg, const struct verdict_waived *w), void *arg,
    struct error *err)
{
	sqlite3_stmt *st;
	int rc = has_table(f, "mark", err);

	if (rc <= 0)
		return rc;
	st = db_stmt(&f->db, VERDICT_MARKS, err);
	if (st == NULL)
		return -1;
	db_bind_str(st, 1, leg);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		const struct verdict_waived w = {.address = db_text(st, 0),
		    .time_us = sqlite3_column_int64(st, 1),
		    .who = db_str(st, 2), .note = db_str(st, 3),
		    .change = (uint64_t)sqlite3_column_int64(st, 4)};

		fn(arg, &w);
	}
	return end(f, st, rc, err);
}

/* ---- waivers ---------------------------------------------------------- */

static int put_row(struct verdict_file *f, const struct waiver_said *s,
    struct error *err)
{
	const struct waiver *w = &s->waiver;
	sqlite3_stmt *st = db_stmt(&f->db, VERDICT_PUT, err);

	if (st == NULL)
		return -1;
	db_bind_str(st, 1, s->verdict);
	db_bind_str(st, 2, reason_name(w->reason));
	sqlite3_bind_int64(st, 3, w->until_us);
	sqlite3_bind_int64(st, 4, w->time_us);
	db_bind_str(st, 5, w->who);
	db_bind_str(st, 6, w->host);
	db_bind_str(st, 7, s->command);
	db_bind_str(st, 8, w->note);
	return db_run(&f->db, st, err);
}

static int record(struct verdict_file *f, const struct waiver_said *s,
    struct error *err)
{
	const struct waiver *w = &s->waiver;
	struct wave_file *file = wave_file_on(&f->db, err);
	char about[80], detail[80];
	int rc;

	if (file == NULL)
		return -1;
	snprintf(about, sizeof(about), "verdict%s%.64s",
	    s->verdict[0] == '\0' ? "" : " ", s->verdict);
	if (w->until_us == 0)
		snprintf(detail, sizeof(detail), "%s: no waiver any more",
		    reason_name(w->reason));
	else
		snprintf(detail, sizeof(detail), "%s: waived until %lld s",
		    reason_name(w->reason),
		    (long long)(w->until_us / 1000000));
	rc = decided_add(file, &(struct decided){.time_us = w->time_us,
	    .who = w->who, .host = w->host, .command = s->command,
	    .note = w->note, .about = about, .detail = detail}, err);
	wave_file_close(file);
	return rc;
}

int waiver_put(struct verdict_file *f, const struct waiver_said *said,
    struct error *err)
{
	struct error ignored;
	int rc = db_do(&f->db, VERDICT_BEGIN, err);

	if (rc < 0)
		return -1;
	rc = db_do(&f->db, VERDICT_TOUCH, err);
	if (rc == 0)
		rc = put_row(f, said, err);
	if (rc == 0)
		rc = record(f, said, err);
	if (rc == 0)
		rc = db_do(&f->db, VERDICT_COMMIT, err);
	if (rc < 0 && db_do(&f->db, VERDICT_ROLLBACK, &ignored) < 0)
		return -1; /* a failed commit has ended it */
	return rc;
}

static void keep(sqlite3_stmt *st, struct arena *a,
    const struct waiver *waiver_out[REASONS])
{
	int reason = reason_find(db_text(st, 0));
	struct waiver *w;

	if (reason < 0)
		return; /* of a later version */
	w = arena_alloc(a, sizeof(*w));
	*w = (struct waiver){.reason = (enum reason_id)reason,
	    .until_us = sqlite3_column_int64(st, 1),
	    .time_us = sqlite3_column_int64(st, 2),
	    .who = arena_strdup(a, db_str(st, 3)),
	    .host = arena_strdup(a, db_str(st, 4)),
	    .note = arena_strdup(a, db_str(st, 5))};
	waiver_out[reason] = w;
}

int waivers_get(struct verdict_file *f, const char *verdict, struct arena *a,
    const struct waiver *waiver_out[REASONS], struct error *err)
{
	sqlite3_stmt *st;
	int rc = has_table(f, "waiver", err);

	memset(waiver_out, 0, sizeof(*waiver_out) * REASONS);
	if (rc <= 0)
		return rc;
	st = db_stmt(&f->db, VERDICT_GET, err);
	if (st == NULL)
		return -1;
	db_bind_str(st, 1, verdict);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		keep(st, a, waiver_out);
	return end(f, st, rc, err);
}

/* ---- heads of the chains ---------------------------------------------- */

int verdict_heads(struct verdict_file *f, struct chain_heads *out,
    struct error *err)
{
	return chain_heads(&f->db, out, err);
}

int verdict_change_time(struct verdict_file *f, uint64_t change,
    int64_t *time_us_out, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&f->db, VERDICT_TIME, err);
	int rc;

	*time_us_out = 0;
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)change);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*time_us_out = sqlite3_column_int64(st, 0);
	return end(f, st, rc, err);
}
