/* SPDX-License-Identifier: ISC
 *
 * The table `propagation` of the cutover table's file.
 */
#include "policy/propagation/file/stated.h"

#include <stdio.h>

#include "policy/db.h"
#include "policy/wave/file/decided.h"
#include "relay/base/clock.h"

enum { DETAIL_BYTES = 200 };
enum { STATED_BEGIN, STATED_COMMIT, STATED_TOUCH, STATED_PUT, STATED_GET };

static const char *const sql[DB_STATEMENTS] = {
	[STATED_BEGIN] = "BEGIN IMMEDIATE",
	[STATED_COMMIT] = "COMMIT",
	/* As each change does: db_log.c. */
	[STATED_TOUCH] = "UPDATE about SET writes = writes + 1",
	[STATED_PUT] = "INSERT OR REPLACE INTO propagation VALUES"
		       "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[STATED_GET] = "SELECT changed, ttl, time, who, host, command, note"
		       " FROM propagation WHERE domain = ?1",
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS propagation(domain TEXT PRIMARY KEY,"
    " changed INTEGER NOT NULL, ttl INTEGER NOT NULL, time INTEGER NOT NULL,"
    " who TEXT NOT NULL, host TEXT NOT NULL, command TEXT NOT NULL,"
    " note TEXT NOT NULL) WITHOUT ROWID;";

static int put_row(struct db *db, const struct stated *s, struct error *err)
{
	sqlite3_stmt *st = db_stmt(db, STATED_PUT, err);

	if (st == NULL)
		return -1;
	db_bind_str(st, 1, s->domain);
	sqlite3_bind_int64(st, 2, s->what.changed_us);
	sqlite3_bind_int64(st, 3, s->what.ttl_s);
	sqlite3_bind_int64(st, 4, s->time_us);
	db_bind_str(st, 5, s->who);
	db_bind_str(st, 6, s->host);
	db_bind_str(st, 7, s->command);
	db_bind_str(st, 8, s->note);
	return db_run(db, st, err);
}

/* In the chain of decisions. */
static int record(struct db *db, const struct stated *s, struct error *err)
{
	struct wave_file *w = wave_file_on(db, err);
	char detail[DETAIL_BYTES], changed[CLOCK_RFC3339_MAX];
	int rc;

	if (w == NULL)
		return -1;
	clock_rfc3339(s->what.changed_us, changed);
	snprintf(detail, sizeof(detail), "MX changed at %s, TTL %u s", changed,
	    (unsigned)s->what.ttl_s);
	rc = decided_add(w, &(struct decided){.time_us = s->time_us,
	    .who = s->who, .host = s->host, .command = s->command,
	    .note = s->note, .about = s->domain, .detail = detail}, err);
	wave_file_close(w);
	return rc;
}

/* A failure is rolled back when the file is closed. */
int stated_put(const char *path, const struct stated *s, struct error *err)
{
	struct db db = {0};
	int rc;

	if (db_open(&db, path, DB_WRITE, sql, err) < 0)
		return -1;
	rc = db_script(&db, "PRAGMA synchronous = FULL;", err);
	if (rc == 0)
		rc = db_do(&db, STATED_BEGIN, err);
	if (rc == 0)
		rc = db_script(&db, schema, err);
	if (rc == 0)
		rc = db_do(&db, STATED_TOUCH, err);
	if (rc == 0)
		rc = put_row(&db, s, err);
	if (rc == 0)
		rc = record(&db, s, err);
	if (rc == 0)
		rc = db_do(&db, STATED_COMMIT, err);
	db_close(&db);
	return rc;
}

static void take_row(sqlite3_stmt *st, struct arena *a, struct stated *out)
{
	int64_t ttl_s = sqlite3_column_int64(st, 1);

	out->what.changed_us = sqlite3_column_int64(st, 0);
	out->what.ttl_s = ttl_s < 0 || ttl_s > SPREAD_TTL_MAX_S
			      ? SPREAD_TTL_MAX_S : (uint32_t)ttl_s;
	out->time_us = sqlite3_column_int64(st, 2);
	out->who = arena_strdup(a, db_str(st, 3));
	out->host = arena_strdup(a, db_str(st, 4));
	out->command = arena_strdup(a, db_str(st, 5));
	out->note = arena_strdup(a, db_str(st, 6));
}

static int get_row(struct db *db, const char *domain, struct arena *a,
    struct stated *out, struct error *err)
{
	sqlite3_stmt *st = db_stmt(db, STATED_GET, err);
	int rc;

	if (st == NULL)
		return -1;
	db_bind_str(st, 1, domain);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		take_row(st, a, out);
	else if (rc != SQLITE_DONE)
		db_error(db, err);
	sqlite3_reset(st);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

int stated_get(const char *path, const char *domain, struct arena *a,
    struct stated *out, struct error *err)
{
	static const char there[] = "SELECT count(*) FROM sqlite_schema WHERE"
				    " type = 'table' AND name = 'propagation'";
	struct db db = {0};
	int64_t n = 0;
	int rc;

	*out = (struct stated){.domain = domain};
	if (db_open(&db, path, DB_READ, sql, err) < 0)
		return -1;
	rc = db_int(&db, there, &n, err);
	if (rc == 0 && n > 0)
		rc = get_row(&db, domain, a, out, err);
	db_close(&db);
	return rc;
}
