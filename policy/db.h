/* SPDX-License-Identifier: ISC
 *
 * The little of SQLite that the cutover table needs: a connection, its
 * statements, and errors as one clear sentence. Inside policy only; one
 * thread a connection (NOMUTEX).
 */
#ifndef POLICY_DB_H
#define POLICY_DB_H

#include <limits.h>
#include <sqlite3.h>

#include "relay/base/error.h"
#include "relay/base/slice.h"

enum {
	DB_APPLICATION = 0x50487470, /* "PHtp": application_id */
	DB_FORMAT = 3,		     /* user_version */
	DB_FORMAT_OLDEST = 1,	     /* that can be upgraded */
	DB_STATEMENTS = 72,
	DB_MARK_TEXT = 33,	     /* 32 hexadecimal digits */
	DB_BESIDE = PATH_MAX + 8,    /* a name with an ending of SQLite's */
};

/* Each transaction that writes does these, so that page 1 and that of the mark
 * are in the log (db_log.c). */
#define DB_TOUCH "UPDATE main.about SET writes = writes + 1"
#define DB_TOUCH_HEAD "PRAGMA main.user_version = 3" /* DB_FORMAT */

/* A mark that no other file has: 32 hexadecimal digits. */
#define DB_MARK_NEW "lower(hex(randomblob(16)))"
/* Instead of the former mark: the file may have any until the next checkpoint.
 */
#define DB_MARK_ANY "-"

/* DB_LOOK, DB_UPGRADE and DB_CREATE take older formats too, DB_CREATE also an
 * empty file. DB_LOOK and DB_READ only read. */
enum db_mode { DB_READ, DB_LOOK, DB_WRITE, DB_CREATE, DB_UPGRADE };

/* How long a write waits for another one's end. */
struct db_wait {
	int64_t limit_ms;
	/* Called once, when a wait begins; NULL: nothing is said. */
	void (*begun)(void *arg, int64_t limit_ms);
	void *arg;
	int64_t since_ms;
};

struct db {
	sqlite3 *handle;
	struct db_wait wait;
	char *path;
	/* db_open() refused it: for its log (db_log.c), for what it holds (no
	 * database, or a damaged one). */
	bool foreign, broken;
	const char *const *sql; /* numbered statements */
	sqlite3_stmt *stmt[DB_STATEMENTS];
};

/* Once, before the first database of this process is opened: SQLite no longer
 * counts the memory of all connections together, which takes a lock of all
 * threads at each allocation. Nothing asks for that count. */
void db_skip_memory_count(void);
/* Opens and checks that it is a cutover table of a format that `mode` takes,
 * and that the write-ahead log beside it is its own. `sql` outlives the
 * connection. */
int db_open(struct db *db, const char *path, enum db_mode mode,
    const char *const *sql, struct error *err) PH_CHECK;
void db_close(struct db *db);
/* Other than the usual ten seconds. */
void db_wait_for(struct db *db, const struct db_wait *wait);
/* A statement that is ready to bind; NULL when it can not be prepared. */
sqlite3_stmt *db_stmt(struct db *db, int number, struct error *err);
/* Steps a statement that gives no row, and resets it. */
int db_run(struct db *db, sqlite3_stmt *st, struct error *err) PH_CHECK;
/* Both in one for statements without parameters. */
int db_do(struct db *db, int number, struct error *err) PH_CHECK;
/* Constant text of several statements: schema, pragmas. */
int db_script(struct db *db, const char *sql, struct error *err) PH_CHECK;
/* The number in the first column of the first row of a constant text; -1:
 * there is none. */
int db_int(struct db *db, const char *sql, int64_t *value_out,
    struct error *err) PH_CHECK;
/* Fills `err` with the last failure, as a sentence; its `no` is EBUSY where
 * another one held the lock all the time, else 0. Returns -1. */
int db_error(const struct db *db, struct error *err);
/* Did the last call fail for what the file holds: no database, or a damaged
 * one? */
bool db_broken(const struct db *db);

/* db_log.c: is the write-ahead log beside the file that of another file? A
 * copy that is put over the table leaves it there, and SQLite would write its
 * pages into the copy. 1 it is (`err` says what to do), 0, -1. */
int db_log_foreign(struct db *db, struct error *err) PH_CHECK;
/* Does the mark as it is read, through the log, stand in the file itself? 1, 0
 * (the file has an older one until the next checkpoint), -1. */
int db_mark_in_file(struct db *db, struct error *err) PH_CHECK;
/* The name of a file that SQLite keeps beside a database, by its ending, such
 * as "-wal". Where `path` is a symbolic link that is beside the file itself. */
void db_beside(const char *path, const char *end, char name_out[DB_BESIDE]);
/* Bytes of the log beside `path`; 0: there is none. */
int64_t db_log_bytes(const char *path);

void db_bind(sqlite3_stmt *st, int at, struct slice text);
/* NULL binds NULL. The text outlives the statement's run. */
void db_bind_str(sqlite3_stmt *st, int at, const char *text);
/* Borrowed until the next step; never NULL, "" for NULL. */
struct slice db_text(sqlite3_stmt *st, int column);
const char *db_str(sqlite3_stmt *st, int column);

#endif
