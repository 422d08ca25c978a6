/* SPDX-License-Identifier: ISC
 *
 * The write-ahead log beside the table. The table thread moves it into the
 * file, never a command that changes the table; without a daemon the last
 * connection that closes does it.
 */
#include "policy/change/table_log.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "policy/change/change_int.h"
#include "policy/change/table_lock.h"

/* For readers, with the lock that writers want: they wait as long. */
enum { WAIT_MS = 5, PACE_BYTES = 1 << 20 };

int64_t table_log_bytes(const char *path)
{
	return db_log_bytes(path);
}

/* ---- moving it into the file ------------------------------------------ */

/* SQLite writes all pages and syncs them then: 100 MB on their way to the disk
 * at once, and each sync of the journal, which mail waits for, behind them. So
 * the file of the connection gets other methods while the log is moved: a write
 * that makes a megabyte full is synced. */
struct paced {
	sqlite3_io_methods methods; /* first: the file points at it */
	const sqlite3_io_methods *own;
	sqlite3_file *file;
	int bytes;
};

static int paced_write(sqlite3_file *file, const void *data, int n,
    sqlite3_int64 at)
{
	struct paced *p = (struct paced *)(uintptr_t)file->pMethods;
	int rc = p->own->xWrite(file, data, n, at);

	if (rc != SQLITE_OK || (p->bytes += n) < PACE_BYTES)
		return rc;
	p->bytes = 0;
	return p->own->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

static void pace(struct paced *p, struct db *db)
{
	*p = (struct paced){.own = NULL};
	if (sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER,
		&p->file) != SQLITE_OK || p->file == NULL ||
	    p->file->pMethods == NULL)
		return;
	p->own = p->file->pMethods;
	p->methods = *p->own;
	p->methods.xWrite = paced_write;
	p->file->pMethods = &p->methods;
}

static void unpace(struct paced *p)
{
	if (p->own != NULL)
		p->file->pMethods = p->own;
}

/* 1 done, 0 not all of it, -1. */
static int move_log(struct db *db, int mode, struct error *err)
{
	int log = 0, moved = 0, code;
	struct paced paced;

	pace(&paced, db);
	code = sqlite3_wal_checkpoint_v2(db->handle, "main", mode, &log,
	    &moved);
	unpace(&paced);
	if (code == SQLITE_BUSY)
		return 0;
	if (code != SQLITE_OK)
		return db_error(db, err);
	return log == moved;
}

/* The large part without the lock that writers want, the rest and the
 * emptying with it. */
static int empty_log(struct db *db, struct error *err)
{
	int rc = move_log(db, SQLITE_CHECKPOINT_PASSIVE, err);

	return rc <= 0 ? rc : move_log(db, SQLITE_CHECKPOINT_TRUNCATE, err);
}

static int is_unsettled(struct db *db, struct error *err)
{
	sqlite3_stmt *st = db_stmt(db, CS_MARK_FORMER, err);
	int rc = st == NULL ? SQLITE_ERROR : sqlite3_step(st);

	if (st != NULL && rc != SQLITE_ROW && rc != SQLITE_DONE)
		db_error(db, err);
	sqlite3_reset(st);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

/* One statement in a transaction of its own that writes the marks' pages: 1
 * written, 0 not. Both take the mark of now to be in the file. Before the lock
 * a restore may have put one into the log that is not; then it is left for the
 * next time. */
static int write_mark(struct db *db, enum change_statement which,
    struct error *err)
{
	int rc = db_do(db, CS_LOCK, err);

	if (rc == 0)
		rc = db_mark_in_file(db, err);
	if (rc == 0)
		return db_do(db, CS_ROLLBACK, err);
	if (rc < 0 || db_do(db, which, err) < 0 ||
	    db_do(db, CS_TOUCH_HEAD, err) < 0)
		return -1; /* closing rolls back */
	return db_do(db, CS_COMMIT, err) < 0 ? -1 : 1;
}

static int open_log(struct db *db, const char *path, struct error *err)
{
	if (db_open(db, path, DB_WRITE, change_sql, err) < 0)
		return -1;
	sqlite3_busy_timeout(db->handle, WAIT_MS);
	return 0;
}

/* Once the file has the mark, the former one is no longer taken. */
static int settle(struct db *db, struct error *err)
{
	int rc = is_unsettled(db, err);

	if (rc > 0)
		rc = write_mark(db, CS_MARK_SETTLE, err);
	if (rc > 0)
		rc = empty_log(db, err);
	return rc < 0 ? -1 : 0;
}

int table_checkpoint(const char *path, struct error *err)
{
	struct db db;
	int rc;

	if (open_log(&db, path, err) < 0)
		return -1;
	rc = empty_log(&db, err);
	if (rc > 0 && settle(&db, err) < 0)
		rc = -1;
	db_close(&db);
	return rc;
}

int table_mark(const char *path, struct error *err)
{
	struct db db;
	int rc;

	if (open_log(&db, path, err) < 0)
		return -1;
	rc = empty_log(&db, err);
	if (rc > 0)
		rc = write_mark(&db, CS_MARK_DRAW, err);
	if (rc > 0)
		rc = empty_log(&db, err);
	if (rc > 0)
		rc = settle(&db, err);
	db_close(&db);
	return rc < 0 ? -1 : 0;
}

/* ---- a log that is not ours ------------------------------------------- */

static int rename_log(const char *path, char aside_out[TABLE_ASIDE_PATH],
    struct error *err)
{
	char log[DB_BESIDE], shm[DB_BESIDE];

	db_beside(path, "-wal", log);
	db_beside(path, "-shm", shm);
	if (table_free_name(log, "aside", aside_out, TABLE_ASIDE_PATH,
		err) < 0)
		return -1;
	if (rename(log, aside_out) < 0)
		return error_sys(err, errno, "%s", log);
	if (unlink(shm) < 0 && errno != ENOENT)
		return error_sys(err, errno, "%s", shm);
	return 0;
}

bool table_log_foreign(const char *path)
{
	struct error ignored;
	struct db db;

	if (db_open(&db, path, DB_LOOK, change_sql, &ignored) < 0)
		return db.foreign;
	db_close(&db);
	return false;
}

int table_log_aside(const char *path, char aside_out[TABLE_ASIDE_PATH],
    struct error *err)
{
	struct table_lock lock;
	int rc;

	if (!table_log_foreign(path))
		return 0;
	if (table_lock(&lock, path, err) < 0)
		return -1;
	rc = rename_log(path, aside_out, err);
	table_unlock(&lock);
	return rc < 0 ? -1 : 1;
}
