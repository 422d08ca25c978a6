/* SPDX-License-Identifier: ISC
 *
 * The little of SQLite that the cutover table needs.
 *
 * WAL and synchronous=FULL: with NORMAL a power cut loses changes that an
 * administrator was told were made. No mmap: a file that a restored backup
 * replaces would be a SIGBUS. What the schema of a foreign file says is not
 * trusted (defensive, trusted_schema off).
 */
#include "policy/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"

enum { BUSY_MS = 10000 };

static const char pragmas[] =
    "PRAGMA synchronous = FULL;"
    "PRAGMA mmap_size = 0;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA wal_autocheckpoint = 0;";

static int locked(const struct db *db, struct error *err)
{
	if (err == NULL)
		return -1;
	error_set(err, "%s is locked: another change is being made, and was "
	    "not done in %lld s; try again, or wait longer (--timeout)",
	    db->path, (long long)(db->wait.limit_ms + 999) / 1000);
	err->no = EBUSY;
	return -1;
}

int db_error(const struct db *db, struct error *err)
{
	int code = sqlite3_errcode(db->handle);

	switch (code & 0xff) {
	case SQLITE_NOTADB:
		return error_set(err, "%s is not a cutover table "
		    "(not an SQLite database)", db->path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return locked(db, err);
	case SQLITE_CORRUPT:
		return error_set(err, "%s is damaged (%s); restore a backup",
		    db->path, sqlite3_errmsg(db->handle));
	case SQLITE_FULL:
		return error_set(err, "%s: no space left to write it",
		    db->path);
	case SQLITE_READONLY:
		return error_set(err, "%s can not be written by this user",
		    db->path);
	case SQLITE_CANTOPEN:
		return error_set(err, "%s can not be opened by this user "
		    "(its directory must be writable too)", db->path);
	default:
		return error_set(err, "%s: %s", db->path,
		    sqlite3_errmsg(db->handle));
	}
}

int db_script(struct db *db, const char *sql, struct error *err)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_error(db, err);
	return 0;
}

static bool reads_only(enum db_mode mode)
{
	return mode == DB_READ || mode == DB_LOOK;
}

/* SQLite's own answer to a file that is not there or not ours says little.
 * The file is not opened for it: closing it would drop the locks of every
 * other connection of this process (fcntl(2)), and the next program to close
 * the table would take itself for the last and delete the WAL under us. */
static int check_file(const char *path, enum db_mode mode, struct error *err)
{
	int want = reads_only(mode) ? R_OK : R_OK | W_OK;
	struct stat st;

	if (stat(path, &st) < 0 && errno == ENOENT)
		return error_set(err, "the cutover table %s does not exist",
		    path);
	if (faccessat(AT_FDCWD, path, want, AT_EACCESS) < 0)
		return error_sys(err, errno, "the cutover table %s", path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return error_set(err, "%s is no file, and can be no cutover "
		    "table", path);
	return 0;
}

int db_int(struct db *db, const char *sql, int64_t *value_out,
    struct error *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*value_out = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : db_error(db, err);
}

/* A later version's table `about` has the column that names it. */
static int too_new(struct db *db, int64_t format, struct error *err)
{
	sqlite3_stmt *st = NULL;
	const char *by = "a later version";

	if (sqlite3_prepare_v2(db->handle, "SELECT made_by FROM about", -1,
		&st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		by = db_str(st, 0);
	error_set(err, "%s has format %lld, made by %s; this is Posthouse "
	    PACKAGE_VERSION ", which reads up to format %d: use that version, "
	    "or move the file away, with its -wal, and restore a backup of "
	    "the older format", db->path,
	    (long long)format, by, DB_FORMAT);
	sqlite3_finalize(st);
	return -1;
}

static int check_format(struct db *db, enum db_mode mode, struct error *err)
{
	int64_t application = 0, format = 0, pages = 0;

	if (db_int(db, "PRAGMA application_id", &application, err) < 0 ||
	    db_int(db, "PRAGMA user_version", &format, err) < 0 ||
	    db_int(db, "PRAGMA page_count", &pages, err) < 0)
		return -1;
	if (mode == DB_CREATE && pages == 0)
		return 0;
	if (application != DB_APPLICATION)
		return error_set(err, "%s is not a cutover table of "
		    "Posthouse", db->path);
	if (format > DB_FORMAT)
		return too_new(db, format, err);
	if (format == DB_FORMAT ||
	    (format >= DB_FORMAT_OLDEST &&
		mode != DB_READ && mode != DB_WRITE))
		return 0;
	return error_set(err, "%s has format %lld; the next start of the "
	    "daemon, or a command that changes it, upgrades it to format %d",
	    db->path, (long long)format, DB_FORMAT);
}

bool db_broken(const struct db *db)
{
	int code = sqlite3_errcode(db->handle) & 0xff;

	return code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
}

void db_skip_memory_count(void)
{
	/* Refused once a database is open: then it goes on as it was. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int db_open(struct db *db, const char *path, enum db_mode mode,
    const char *const *sql, struct error *err)
{
	int flags = SQLITE_OPEN_NOMUTEX |
		    (reads_only(mode) ? SQLITE_OPEN_READONLY
				      : SQLITE_OPEN_READWRITE);
	int foreign;

	*db = (struct db){.sql = sql};
	if (check_file(path, mode, err) < 0)
		return -1;
	db->path = mem_strdup(path);
	if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
		if (db->handle == NULL)
			error_set(err, "%s: no memory to open it", path);
		else
			db_error(db, err);
		db_close(db);
		return -1;
	}
	db->wait.limit_ms = BUSY_MS;
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* Closing would write a foreign log into the file. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
	    NULL);
	foreign = db_script(db, pragmas, err) < 0 ? -1
						   : db_log_foreign(db, err);
	if (foreign != 0 || check_format(db, mode, err) < 0) {
		bool broken = db_broken(db);

		db_close(db);
		db->foreign = foreign > 0;
		db->broken = broken;
		return -1;
	}
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0,
	    NULL);
	return 0;
}

/* SQLite asks again after each wait; 0 gives up. */
static int on_busy(void *arg, int times)
{
	enum { STEP_MS = 20 };
	struct db_wait *w = arg;
	int64_t now = clock_mono_ms(&clock_system);

	if (times == 0) {
		w->since_ms = now;
		if (w->begun != NULL)
			w->begun(w->arg, w->limit_ms);
	}
	if (now - w->since_ms >= w->limit_ms)
		return 0;
	sqlite3_sleep(STEP_MS);
	return 1;
}

void db_wait_for(struct db *db, const struct db_wait *wait)
{
	db->wait = *wait;
	sqlite3_busy_handler(db->handle, on_busy, &db->wait);
}

void db_close(struct db *db)
{
	for (int i = 0; i < DB_STATEMENTS; i++)
		sqlite3_finalize(db->stmt[i]);
	sqlite3_close(db->handle);
	mem_free(db->path);
	*db = (struct db){0};
}

sqlite3_stmt *db_stmt(struct db *db, int number, struct error *err)
{
	sqlite3_stmt **st = &db->stmt[number];

	if (*st == NULL &&
	    sqlite3_prepare_v3(db->handle, db->sql[number], -1,
		SQLITE_PREPARE_PERSISTENT, st, NULL) != SQLITE_OK) {
		db_error(db, err);
		return NULL;
	}
	sqlite3_reset(*st);
	return *st;
}

int db_run(struct db *db, sqlite3_stmt *st, struct error *err)
{
	int rc = st == NULL ? SQLITE_ERROR : sqlite3_step(st);

	if (st == NULL)
		return -1;
	if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
		db_error(db, err);
		sqlite3_reset(st);
		return -1;
	}
	sqlite3_reset(st);
	return 0;
}

int db_do(struct db *db, int number, struct error *err)
{
	return db_run(db, db_stmt(db, number, err), err);
}

void db_bind(sqlite3_stmt *st, int at, struct slice text)
{
	sqlite3_bind_text(st, at, text.p == NULL ? "" : text.p, (int)text.n,
	    SQLITE_STATIC);
}

void db_bind_str(sqlite3_stmt *st, int at, const char *text)
{
	sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

const char *db_str(sqlite3_stmt *st, int column)
{
	const unsigned char *text = sqlite3_column_text(st, column);

	return text == NULL ? "" : (const char *)text;
}

struct slice db_text(sqlite3_stmt *st, int column)
{
	const char *text = db_str(st, column);

	return slice_of(text, (size_t)sqlite3_column_bytes(st, column));
}
