/* SPDX-License-Identifier: ISC
 *
 * The tables of SPF in ledger.db are written, over a connection of their own:
 * they are not bound to the journal's cursor.
 */
#include <sqlite3.h>

#include "relay/audit/delivered/spf_rows.h"
#include "relay/base/clock.h"

enum { BUSY_MS = 200 };

enum spf_sql { ADD_CLIENT, NEW_CLIENT, COUNT_CLIENTS, ADD_FORECAST,
	NEW_FORECAST, COUNT_FORECASTS, PUT_SINCE, DROP_CLIENTS, DROP_FORECASTS,
	SPF_SQLS };

#define FORECAST_SET \
	" SET by_spf = by_spf + ?4, by_signature = by_signature + ?5," \
	" fail_none = fail_none + ?6," \
	" fail_quarantine = fail_quarantine + ?7," \
	" fail_reject = fail_reject + ?8, unclear = unclear + ?9"

static const char *const sql[SPF_SQLS] = {
	[ADD_CLIENT] = "UPDATE spf_client SET messages = messages + ?4"
		       " WHERE day = ?1 AND domain = ?2 AND client = ?3",
	[NEW_CLIENT] = "INSERT INTO spf_client VALUES(?1, ?2, ?3, ?4)",
	[COUNT_CLIENTS] = "SELECT count(*) FROM spf_client WHERE day = ?1",
	[ADD_FORECAST] = "UPDATE forecast" FORECAST_SET
			 " WHERE day = ?1 AND leg = ?2 AND domain = ?3",
	[NEW_FORECAST] =
	    "INSERT INTO forecast VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[COUNT_FORECASTS] = "SELECT count(*) FROM forecast WHERE day = ?1",
	[PUT_SINCE] = "INSERT OR IGNORE INTO spf_since VALUES(1, ?1)",
	[DROP_CLIENTS] = "DELETE FROM spf_client WHERE day < ?1",
	[DROP_FORECASTS] = "DELETE FROM forecast WHERE day < ?1",
};

/* How a kind of row is written. */
static const struct {
	enum spf_sql add, insert, count;
	int64_t rows_max;
} kinds[] = {
	[SPF_ROW_CLIENT] = {ADD_CLIENT, NEW_CLIENT, COUNT_CLIENTS,
	    SPF_CLIENTS_MAX},
	[SPF_ROW_FORECAST] = {ADD_FORECAST, NEW_FORECAST, COUNT_FORECASTS,
	    SPF_SENDERS_MAX},
};

struct spf_writer {
	sqlite3 *db;
	sqlite3_stmt *stmt[SPF_SQLS];
	/* Rows that the file has of a day, by kind. */
	int64_t day[ARRAY_LEN(kinds)], rows[ARRAY_LEN(kinds)];
};

static int run(struct spf_writer *w, enum spf_sql which)
{
	int rc = sqlite3_step(w->stmt[which]);

	sqlite3_reset(w->stmt[which]);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run_with(struct spf_writer *w, enum spf_sql which, int64_t value)
{
	sqlite3_bind_int64(w->stmt[which], 1, value);
	return run(w, which);
}

static void bind(sqlite3_stmt *s, const struct spf_row_key *k,
    const uint64_t n[SPF_SHARES])
{
	sqlite3_bind_int64(s, 1, k->day);
	sqlite3_bind_text(s, 2, k->first, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, k->second, -1, SQLITE_STATIC);
	for (int i = 0; i < SPF_SHARES && i + 4 <=
			sqlite3_bind_parameter_count(s); i++)
		sqlite3_bind_int64(s, i + 4, (int64_t)n[i]);
}

/* Most rows are of today. */
static int count_day(struct spf_writer *w, enum spf_row_kind kind, int64_t day)
{
	sqlite3_stmt *s = w->stmt[kinds[kind].count];
	int rc;

	if (w->day[kind] == day)
		return SQLITE_OK;
	sqlite3_bind_int64(s, 1, day);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		w->day[kind] = day;
		w->rows[kind] = sqlite3_column_int64(s, 0);
	}
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* Past the ceiling of a day the row is that of the rest. */
static int put_rest(struct spf_writer *w, struct spf_row_key k,
    const uint64_t n[SPF_SHARES])
{
	int rc;

	if (k.kind == SPF_ROW_CLIENT)
		k.first = "";
	k.second = "";
	bind(w->stmt[kinds[k.kind].add], &k, n);
	rc = run(w, kinds[k.kind].add);
	if (rc != SQLITE_OK || sqlite3_changes(w->db) > 0)
		return rc;
	bind(w->stmt[kinds[k.kind].insert], &k, n);
	return run(w, kinds[k.kind].insert);
}

static int put_row(struct spf_writer *w, const struct spf_row *row)
{
	enum spf_row_kind kind = row->key.kind;
	int rc;

	bind(w->stmt[kinds[kind].add], &row->key, row->n);
	rc = run(w, kinds[kind].add);
	if (rc != SQLITE_OK || sqlite3_changes(w->db) > 0)
		return rc;
	rc = count_day(w, kind, row->key.day);
	if (rc != SQLITE_OK)
		return rc;
	if (w->rows[kind] >= kinds[kind].rows_max)
		return put_rest(w, row->key, row->n);
	w->rows[kind]++;
	bind(w->stmt[kinds[kind].insert], &row->key, row->n);
	return run(w, kinds[kind].insert);
}

static int put_all(struct spf_writer *w, struct spf_rows *r, int64_t now_us)
{
	int64_t oldest = now_us / DAY_US - SPF_KEEP_DAYS;
	int rc = run_with(w, PUT_SINCE, r->since_us);
	struct spf_row *row, *next;

	HASH_ITER(hh, r->table, row, next)
		if (rc == SQLITE_OK)
			rc = put_row(w, row);
	if (rc == SQLITE_OK)
		rc = run_with(w, DROP_CLIENTS, oldest);
	return rc == SQLITE_OK ? run_with(w, DROP_FORECASTS, oldest) : rc;
}

static int begin(struct spf_writer *w, const char *path)
{
	int rc = sqlite3_open_v2(path, &w->db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(w->db, BUSY_MS);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(w->db, "PRAGMA synchronous = NORMAL;"
		    "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (int i = 0; i < SPF_SQLS && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v2(w->db, sql[i], -1, &w->stmt[i], NULL);
	return rc;
}

int spf_rows_write(struct spf_rows *r, const char *path, int64_t now_us,
    struct error *err)
{
	struct spf_writer w = {.day = {-1, -1}};
	int rc = begin(&w, path);

	if (rc == SQLITE_OK)
		rc = put_all(&w, r, now_us);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(w.db, "COMMIT", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		error_set(err, "%s", sqlite3_errmsg(w.db));
	for (int i = 0; i < SPF_SQLS; i++)
		sqlite3_finalize(w.stmt[i]);
	sqlite3_close(w.db); /* what was not committed is undone */
	return rc == SQLITE_OK ? 0 : -1;
}
