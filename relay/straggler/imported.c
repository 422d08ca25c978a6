/* SPDX-License-Identifier: ISC
 *
 * The tables of imported.db.
 */
#include "relay/straggler/imported.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/base/mem.h"

enum { IMPORTED_FORMAT = 1, BUSY_MS = 10000 };

static const char setup[] = "PRAGMA journal_mode = WAL;"
			    "PRAGMA synchronous = FULL;";
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS file(number INTEGER PRIMARY KEY,"
    " hash TEXT UNIQUE, name TEXT, format TEXT, who TEXT, note TEXT,"
    " time INT, lines INT, unread INT, first INT, last INT);"
    "CREATE TABLE IF NOT EXISTS client(client TEXT PRIMARY KEY, name TEXT,"
    " helo TEXT, senders TEXT, first INT, last INT, gap INT, messages INT,"
    " recipients INT, delivered INT) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS client_last ON client(last);"
    "CREATE TABLE IF NOT EXISTS inside(recipient TEXT PRIMARY KEY,"
    " sender TEXT, time INT, deliveries INT) WITHOUT ROWID;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

enum imported_sql { I_BEGIN, I_COMMIT, I_ROLLBACK, I_GET, I_PUT, I_INSIDE,
	I_HAS_FILE, I_PUT_FILE, I_CLIENTS, I_INSIDES, I_FILES, I_SQLS };

#define CLIENT_COLUMNS \
	"SELECT client, name, helo, senders, first, last, gap, messages," \
	" recipients, delivered FROM client"

static const char *const sql[I_SQLS] = {
	[I_BEGIN] = "BEGIN IMMEDIATE",
	[I_COMMIT] = "COMMIT",
	[I_ROLLBACK] = "ROLLBACK",
	[I_GET] = CLIENT_COLUMNS " WHERE client = ?1",
	[I_PUT] = "INSERT OR REPLACE INTO client VALUES(?1, ?2, ?3, ?4, ?5,"
		  " ?6, ?7, ?8, ?9, ?10)",
	[I_INSIDE] = "INSERT INTO inside VALUES(?1, ?2, ?3, ?4)"
		     " ON CONFLICT(recipient) DO UPDATE SET"
		     " sender = iif(excluded.time >= time, excluded.sender,"
		     " sender), time = max(time, excluded.time),"
		     " deliveries = deliveries + excluded.deliveries",
	[I_HAS_FILE] = "SELECT 1 FROM file WHERE hash = ?1",
	[I_PUT_FILE] = "INSERT INTO file VALUES(NULL, ?1, ?2, ?3, ?4, ?5, ?6,"
		       " ?7, ?8, ?9, ?10)",
	[I_CLIENTS] = CLIENT_COLUMNS " ORDER BY last DESC",
	[I_INSIDES] = "SELECT recipient, sender, time, deliveries FROM inside"
		      " WHERE time >= ?1 ORDER BY recipient",
	[I_FILES] = "SELECT hash, name, format, who, note, time, lines,"
		    " unread, first, last FROM file ORDER BY number",
};

struct imported {
	sqlite3 *db;
	sqlite3_stmt *stmt[I_SQLS];
};

static int fail(const struct imported *i, struct error *err)
{
	return error_set(err, IMPORTED_NAME ": %s", sqlite3_errmsg(i->db));
}

void imported_close(struct imported *i)
{
	if (i == NULL)
		return;
	for (int k = 0; k < I_SQLS; k++)
		sqlite3_finalize(i->stmt[k]);
	sqlite3_close(i->db);
	mem_free(i);
}

/* One that a newer version wrote is left alone. */
static int check_format(struct imported *i, bool write, struct error *err)
{
	sqlite3_stmt *s = NULL;
	int format = 0, rc;

	rc = sqlite3_prepare_v2(i->db, "PRAGMA user_version", -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		format = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW)
		return fail(i, err);
	if (format > IMPORTED_FORMAT || (format == 0 && !write))
		return error_set(err, IMPORTED_NAME ": its format is %d, this "
		    "version reads %d", format, IMPORTED_FORMAT);
	return 0;
}

static int prepare(struct imported *i, bool write, struct error *err)
{
	if (check_format(i, write, err) != 0)
		return -1;
	if (write && (sqlite3_exec(i->db, setup, NULL, NULL, NULL) !=
		SQLITE_OK || sqlite3_exec(i->db, schema, NULL, NULL, NULL) !=
		SQLITE_OK))
		return fail(i, err);
	for (int k = 0; k < I_SQLS; k++)
		if (sqlite3_prepare_v2(i->db, sql[k], -1, &i->stmt[k], NULL) !=
		    SQLITE_OK)
			return fail(i, err);
	return 0;
}

static int path_of(const char *dir, char path[PATH_MAX], struct error *err)
{
	return snprintf(path, PATH_MAX, "%s/" IMPORTED_NAME, dir) < PATH_MAX
		   ? 0 : error_set(err, "%s: the path is too long", dir);
}

struct imported *imported_open(const char *dir, bool write, struct error *err)
{
	struct imported *i = NEW(struct imported);
	char path[PATH_MAX];
	int flags = SQLITE_OPEN_NOMUTEX | (write
	    ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
	    : SQLITE_OPEN_READONLY);
	int rc = path_of(dir, path, err);

	if (rc == 0 && sqlite3_open_v2(path, &i->db, flags, NULL) != SQLITE_OK)
		rc = fail(i, err);
	if (rc == 0) {
		sqlite3_busy_timeout(i->db, BUSY_MS);
		rc = prepare(i, write, err);
	}
	if (rc == 0)
		return i;
	imported_close(i);
	return NULL;
}

struct imported *imported_open_any(const char *dir, bool *none_out,
    struct error *err)
{
	char path[PATH_MAX];

	*none_out = false;
	if (path_of(dir, path, err) != 0)
		return NULL;
	if (access(path, F_OK) != 0 && errno == ENOENT) {
		*none_out = true;
		return NULL;
	}
	return imported_open(dir, false, err);
}

/* ---- writing ------------------------------------------------------------- */

static int run(struct imported *i, enum imported_sql which, struct error *err)
{
	int rc = sqlite3_step(i->stmt[which]);

	sqlite3_reset(i->stmt[which]);
	return rc == SQLITE_DONE ? 0 : fail(i, err);
}

int imported_begin(struct imported *i, struct error *err)
{
	return run(i, I_BEGIN, err);
}

int imported_end(struct imported *i, int rc, struct error *err)
{
	struct error ignored;

	if (rc == 0)
		rc = run(i, I_COMMIT, err);
	if (rc != 0 && !sqlite3_get_autocommit(i->db) &&
	    run(i, I_ROLLBACK, &ignored) != 0)
		return -1; /* closing the file takes it back */
	return rc;
}

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text == NULL ? "" : text, -1,
	    SQLITE_TRANSIENT);
}

/* Texts of before stay where the new row has none. */
static void start_from(struct straggler_row *all,
    const struct imported_client *had)
{
	straggler_row_text(&all->name, slice_str(had->name));
	straggler_row_text(&all->helo, slice_str(had->helo));
	straggler_senders_parse(&all->senders, slice_str(had->senders));
	all->first_us = had->first_us;
	all->last_us = had->last_us;
	all->gap_us = had->gap_us;
	all->messages = had->messages;
	all->recipients = had->recipients;
	all->delivered = had->delivered;
}

static void bind_client(sqlite3_stmt *s, const char *client,
    const struct straggler_row *all)
{
	const uint64_t n[] = {all->messages, all->recipients, all->delivered};
	struct strbuf senders;

	strbuf_init(&senders, STRAGGLER_SENDERS_TEXT);
	straggler_senders_print(&all->senders, &senders);
	bind_text(s, 1, client);
	bind_text(s, 2, all->name);
	bind_text(s, 3, all->helo);
	bind_text(s, 4, strbuf_cstr(&senders));
	sqlite3_bind_int64(s, 5, all->first_us);
	sqlite3_bind_int64(s, 6, all->last_us);
	sqlite3_bind_int64(s, 7, all->gap_us);
	for (int k = 0; k < 3; k++)
		sqlite3_bind_int64(s, 8 + k, (int64_t)n[k]);
	strbuf_fini(&senders);
}

int imported_put_client(struct imported *i, const char *client,
    const struct straggler_row *row, struct error *err)
{
	struct straggler_row all = {.name = NULL};
	struct imported_client had;
	int rc = imported_get_client(i, client, &had, err);

	if (rc < 0)
		return -1;
	if (rc > 0)
		start_from(&all, &had);
	straggler_row_merge(&all, row);
	bind_client(i->stmt[I_PUT], client, &all);
	straggler_row_fini(&all);
	return run(i, I_PUT, err);
}

int imported_put_inside(struct imported *i, const struct imported_inside *d,
    struct error *err)
{
	sqlite3_stmt *s = i->stmt[I_INSIDE];

	bind_text(s, 1, d->to);
	bind_text(s, 2, d->from);
	sqlite3_bind_int64(s, 3, d->time_us);
	sqlite3_bind_int64(s, 4, (int64_t)d->deliveries);
	return run(i, I_INSIDE, err);
}

int imported_put_file(struct imported *i, const struct imported_file *f,
    struct error *err)
{
	sqlite3_stmt *s = i->stmt[I_HAS_FILE];
	int rc;

	bind_text(s, 1, f->hash);
	rc = sqlite3_step(s);
	sqlite3_reset(s);
	if (rc != SQLITE_DONE)
		return rc == SQLITE_ROW ? 1 : fail(i, err);
	s = i->stmt[I_PUT_FILE];
	bind_text(s, 1, f->hash);
	bind_text(s, 2, f->name);
	bind_text(s, 3, f->format);
	bind_text(s, 4, f->who);
	bind_text(s, 5, f->note);
	sqlite3_bind_int64(s, 6, f->time_us);
	sqlite3_bind_int64(s, 7, (int64_t)f->lines);
	sqlite3_bind_int64(s, 8, (int64_t)f->unread);
	sqlite3_bind_int64(s, 9, f->first_us);
	sqlite3_bind_int64(s, 10, f->last_us);
	return run(i, I_PUT_FILE, err);
}

/* ---- reading ------------------------------------------------------------- */

static const char *text(sqlite3_stmt *s, int column)
{
	const char *t = (const char *)sqlite3_column_text(s, column);

	return t == NULL ? "" : t;
}

static void fill_client(struct imported_client *c, sqlite3_stmt *s)
{
	*c = (struct imported_client){text(s, 0), text(s, 1), text(s, 2),
	    text(s, 3), sqlite3_column_int64(s, 4), sqlite3_column_int64(s, 5),
	    sqlite3_column_int64(s, 6), (uint64_t)sqlite3_column_int64(s, 7),
	    (uint64_t)sqlite3_column_int64(s, 8),
	    (uint64_t)sqlite3_column_int64(s, 9)};
}

int imported_get_client(struct imported *i, const char *client,
    struct imported_client *out, struct error *err)
{
	sqlite3_stmt *s = i->stmt[I_GET];
	int rc;

	sqlite3_reset(s);
	bind_text(s, 1, client);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		fill_client(out, s);
	else
		sqlite3_reset(s);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : fail(i, err);
}

/* Ends a walk whose last step gave `rc`. */
static int walked(struct imported *i, enum imported_sql which, int rc,
    struct error *err)
{
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		fail(i, err);
	sqlite3_reset(i->stmt[which]);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : -1;
}

int imported_clients(struct imported *i,
    bool (*fn)(void *arg, const struct imported_client *c), void *arg,
    struct error *err)
{
	sqlite3_stmt *s = i->stmt[I_CLIENTS];
	struct imported_client c;
	int rc;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		fill_client(&c, s);
		if (!fn(arg, &c))
			break;
	}
	return walked(i, I_CLIENTS, rc, err);
}

int imported_insides(struct imported *i, int64_t after_us,
    void (*fn)(void *arg, const struct imported_inside *d), void *arg,
    struct error *err)
{
	sqlite3_stmt *s = i->stmt[I_INSIDES];
	int rc;

	sqlite3_bind_int64(s, 1, after_us);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		fn(arg, &(struct imported_inside){text(s, 0), text(s, 1),
		    sqlite3_column_int64(s, 2),
		    (uint64_t)sqlite3_column_int64(s, 3)});
	return walked(i, I_INSIDES, rc, err);
}

int imported_files(struct imported *i,
    void (*fn)(void *arg, const struct imported_file *f), void *arg,
    struct error *err)
{
	sqlite3_stmt *s = i->stmt[I_FILES];
	int rc;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		fn(arg, &(struct imported_file){text(s, 0), text(s, 1),
		    text(s, 2), text(s, 3), text(s, 4),
		    sqlite3_column_int64(s, 5),
		    (uint64_t)sqlite3_column_int64(s, 6),
		    (uint64_t)sqlite3_column_int64(s, 7),
		    sqlite3_column_int64(s, 8), sqlite3_column_int64(s, 9)});
	return walked(i, I_FILES, rc, err);
}
