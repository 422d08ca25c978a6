/* SPDX-License-Identifier: ISC
 *
 * One hour of the audit index: schema, opening, writing, sealing.
 *
 * No secondary index exists while rows come in: they cost ten times the rows.
 * attempt and recipient are clustered by id, which grows, so an insert is an
 * append and one message is still found at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/audit/hourfile_int.h"
#include "relay/base/mem.h"

enum { READ_WAIT_MS = 2000 };

#define JOURNAL_TABLES \
	"CREATE TABLE journal(leg TEXT PRIMARY KEY, created INT," \
	" delivered INT, open INT, parked INT, bounced INT, superseded INT," \
	" deleted INT) WITHOUT ROWID;" \
	"CREATE TABLE base(leg TEXT PRIMARY KEY, created INT," \
	" delivered INT, open INT, parked INT, bounced INT, superseded INT," \
	" deleted INT) WITHOUT ROWID;"

static const char schema[] =
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1),"
    " format INT, node INT, generation INT, offset INT, seq INT, sealed INT,"
    " spool INT, era INT, until_generation INT, until_offset INT, again INT,"
    " known INT, based INT);"
    "CREATE TABLE message(id INTEGER PRIMARY KEY, accepted INT, client TEXT,"
    " name TEXT, listen TEXT, helo TEXT, tls TEXT, sender TEXT,"
    " message_id TEXT, size INT, recipients INT, spf TEXT, client_hash INT,"
    " sender_hash INT, message_id_hash INT, subject TEXT);"
    "CREATE TABLE recipient(id INT, rcpt INT, address TEXT,"
    " address_hash INT, legs TEXT, era INT, PRIMARY KEY(id, rcpt))"
    " WITHOUT ROWID;"
    "CREATE TABLE attempt(id INT, seq INT, time INT, event INT, rcpt INT,"
    " leg TEXT, role INT, why INT, uncertain INT, attempt INT, change INT,"
    " detail BLOB, code INT, PRIMARY KEY(id, seq)) WITHOUT ROWID;"
    "CREATE TABLE note(seq INTEGER PRIMARY KEY, time INT, event TEXT, id INT,"
    " client_hash INT, sender_hash INT, address_hash INT, fields TEXT);"
    "CREATE TABLE total(leg TEXT PRIMARY KEY, created INT, delivered INT,"
    " open INT, parked INT, bounced INT, superseded INT, deleted INT)"
    " WITHOUT ROWID;"
    JOURNAL_TABLES;

/* Files that are older do not have them. origin: few messages come from a leg;
 * owed and told: few eras begin; stripped: few messages have forged fields. */
static const char later_tables[] =
    "CREATE TABLE IF NOT EXISTS origin(id INTEGER PRIMARY KEY,"
    " came_from TEXT, parent INT);"
    "CREATE TABLE IF NOT EXISTS owed(one INTEGER PRIMARY KEY"
    " CHECK(one = 1), why TEXT, open INT, note INT, ledger INT);"
    "CREATE TABLE IF NOT EXISTS stripped(id INTEGER PRIMARY KEY,"
    " fields TEXT);"
    "CREATE TABLE IF NOT EXISTS told(one INTEGER PRIMARY KEY"
    " CHECK(one = 1), generation INT, offset INT);";

/* Format 1 is 2 without two columns. The current file gets them when it is
 * opened for writing; a sealed one stays as it is and is read. */
static const char from_1_to_2[] =
    "BEGIN IMMEDIATE;"
    "ALTER TABLE message ADD COLUMN subject TEXT;"
    "ALTER TABLE attempt ADD COLUMN code INT;"
    "UPDATE state SET format = 2;"
    "COMMIT;";

/* Rows of format 2 do not say what a delivery was before its hour: they stand
 * for what they say, and the count begins where the file is upgraded. */
static const char from_2_to_3[] =
    "BEGIN IMMEDIATE;"
    "ALTER TABLE state ADD COLUMN spool INT DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN era INT DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN until_generation INT DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN until_offset INT DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN again INT DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN known INT DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN based INT DEFAULT 0;"
    "ALTER TABLE recipient ADD COLUMN era INT;"
    JOURNAL_TABLES
    "DELETE FROM total;"
    "UPDATE state SET format = 3;"
    "COMMIT;";

static const char indexes[] =
    "BEGIN IMMEDIATE;"
    "CREATE INDEX message_client ON message(client_hash);"
    "CREATE INDEX message_sender ON message(sender_hash);"
    "CREATE INDEX message_message_id ON message(message_id_hash);"
    "CREATE INDEX recipient_address ON recipient(address_hash);"
    "CREATE INDEX note_id ON note(id) WHERE id IS NOT NULL;"
    "CREATE INDEX note_client ON note(client_hash)"
    " WHERE client_hash IS NOT NULL;"
    "CREATE INDEX note_sender ON note(sender_hash)"
    " WHERE sender_hash IS NOT NULL;"
    "CREATE INDEX note_address ON note(address_hash)"
    " WHERE address_hash IS NOT NULL;"
    "UPDATE state SET sealed = 1;"
    "COMMIT;";

/* Rows come in order: a larger cache keeps pages that are not met again, and
 * is there for as long as the daemon (2,000,000 records read in took as much
 * CPU with 16 MB). */
static const char setup[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -4000;";

static int path_of(const char *dir, int64_t hour, char out[PATH_MAX],
    struct error *err)
{
	char name[HOUR_NAME];

	hour_name(hour, name);
	if (snprintf(out, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		return error_set(err, "%s: the path is too long", dir);
	return 0;
}

/* ---- opening ----------------------------------------------------------- */

bool hourfile_damaged(const struct hourfile *f)
{
	int code = f->db == NULL ? SQLITE_OK : sqlite3_errcode(f->db) & 0xff;

	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

/* SQLITE_ERROR is a table that older files do not have. */
static bool is_failed(const struct hourfile *f)
{
	int code = f->db == NULL ? SQLITE_MISUSE : sqlite3_errcode(f->db);

	return code != SQLITE_OK && code != SQLITE_ROW &&
	       code != SQLITE_DONE && code != SQLITE_ERROR;
}

static int fail(struct hourfile *f, const char *path, struct error *err)
{
	if (f->state.format > HOUR_FORMAT)
		error_set(err, "%s: its format is %d, this version knows up "
		    "to %d: a newer version wrote it", path, f->state.format,
		    HOUR_FORMAT);
	else
		error_set(err, "%s: %s", path, hourfile_error(f));
	if (hourfile_damaged(f))
		err->no = EBADMSG;
	hourfile_close(f);
	return -1;
}

static struct hourfile *open_db(const char *path, int64_t hour, int flags,
    struct error *err)
{
	struct hourfile *f = NEW(struct hourfile);

	f->hour = hour;
	if (sqlite3_open_v2(path, &f->db, flags | SQLITE_OPEN_NOMUTEX, NULL) ==
	    SQLITE_OK)
		return f;
	fail(f, path, err);
	return NULL;
}

static struct spool_pos pos_at(sqlite3_stmt *s, int column)
{
	return (struct spool_pos){(uint64_t)sqlite3_column_int64(s, column),
	    (uint64_t)sqlite3_column_int64(s, column + 1)};
}

/* Columns that a format does not have are NULL, which is 0. */
static void take_state(sqlite3_stmt *s, struct hour_state *st)
{
	st->node = sqlite3_column_int(s, 2);
	st->cursor = pos_at(s, 3);
	st->seq = sqlite3_column_int64(s, 5);
	st->sealed = sqlite3_column_int(s, 6) != 0;
	st->spool = (uint64_t)sqlite3_column_int64(s, 7);
	st->era = sqlite3_column_int64(s, 8);
	st->until = pos_at(s, 9);
	if (sqlite3_column_int(s, 11) != 0) /* again: see the table `told` */
		st->told = st->until;
	st->known = sqlite3_column_int(s, 12) != 0;
	st->based = sqlite3_column_int(s, 13) != 0;
}

/* 1, 0 when nothing was ever committed, -1 when it is no file of ours (and
 * SQLite says why, but for a format we do not know). */
static int read_state(struct hourfile *f)
{
	sqlite3_stmt *s = NULL;
	struct hour_state *st = &f->state;
	int rc = sqlite3_prepare_v2(f->db, "SELECT * FROM state", -1, &s,
	    NULL);

	if (rc == SQLITE_ERROR) /* no such table */
		return 0;
	rc = rc == SQLITE_OK ? sqlite3_step(s) : rc;
	st->format = rc == SQLITE_ROW ? sqlite3_column_int(s, 1) : 0;
	if (st->format >= 1 && st->format <= HOUR_FORMAT) {
		take_state(s, st);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(s);
	return rc == SQLITE_OK ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

/* A descriptor that could not be had when the file, its log or its index was
 * opened leaves a connection that may only read. */
static bool writes(struct hourfile *f)
{
	return sqlite3_exec(f->db, "BEGIN IMMEDIATE; ROLLBACK;", NULL, NULL,
		   NULL) == SQLITE_OK;
}

static bool upgrade(struct hourfile *f)
{
	if (f->state.format < 2 &&
	    sqlite3_exec(f->db, from_1_to_2, NULL, NULL, NULL) != SQLITE_OK)
		return false;
	if (f->state.format < 3 &&
	    sqlite3_exec(f->db, from_2_to_3, NULL, NULL, NULL) != SQLITE_OK)
		return false;
	f->state.format = HOUR_FORMAT;
	return true;
}

/* The current one gets rows; what is sealed gets a name for it. */
static bool prepare(struct hourfile *f, enum hour_open how)
{
	if (how == HOUR_READ)
		return hourfile_functions(f);
	if (how == HOUR_WRITE && f->state.sealed)
		return hourfile_take_told(f) == 0;
	if (f->state.sealed)
		return writes(f);
	return sqlite3_exec(f->db, setup, NULL, NULL, NULL) == SQLITE_OK &&
	       writes(f) && upgrade(f) &&
	       sqlite3_exec(f->db, later_tables, NULL, NULL, NULL) ==
		   SQLITE_OK &&
	       hourfile_take_told(f) == 0;
}

int hourfile_snapshot(struct hourfile *f)
{
	return sqlite3_exec(f->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
		       read_state(f) == 1
		   ? 0
		   : -1;
}

struct hourfile *hourfile_open(const char *dir, int64_t hour,
    enum hour_open how, struct error *err)
{
	char path[PATH_MAX];
	struct hourfile *f;
	int rc;

	if (path_of(dir, hour, path, err) != 0)
		return NULL;
	if (access(path, F_OK) != 0) {
		error_sys(err, errno, "%s", path);
		return NULL;
	}
	if (how == HOUR_SEAL && chmod(path, 0640) != 0) {
		error_sys(err, errno, "%s: chmod", path);
		return NULL;
	}
	f = open_db(path, hour, how == HOUR_READ ? SQLITE_OPEN_READONLY
						 : SQLITE_OPEN_READWRITE, err);
	if (f == NULL)
		return NULL;
	sqlite3_busy_timeout(f->db, how == HOUR_READ ? READ_WAIT_MS : 0);
	rc = read_state(f);
	if (rc == 1 && prepare(f, how))
		return f;
	if (rc == 0) {
		hourfile_close(f);
		error_sys(err, ENOENT, "%s: nothing was committed", path);
		return NULL;
	}
	fail(f, path, err);
	return NULL;
}

static void unlink_all(const char *path)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	char name[PATH_MAX + 16];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

/* The folder too: a power cut must not bring back what was unlinked. */
static void remove_all(const char *dir, const char *path)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	unlink_all(path);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static int write_first(struct hourfile *f, const struct hour_state *st)
{
	sqlite3_stmt *s = NULL;
	int rc;

	f->state = *st;
	f->state.format = HOUR_FORMAT;
	f->state.seq = 0;
	f->state.sealed = f->state.known = f->state.based = false;
	if (sqlite3_exec(f->db, setup, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(f->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) !=
		SQLITE_OK ||
	    sqlite3_exec(f->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(f->db, later_tables, NULL, NULL, NULL) !=
		SQLITE_OK ||
	    sqlite3_prepare_v2(f->db, "INSERT INTO state VALUES"
		"(1,?,?,?,?,0,0,?,?,?,?,?,0,0)", -1, &s, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int(s, 1, HOUR_FORMAT);
	sqlite3_bind_int(s, 2, st->node);
	sqlite3_bind_int64(s, 3, (int64_t)st->cursor.generation);
	sqlite3_bind_int64(s, 4, (int64_t)st->cursor.offset);
	sqlite3_bind_int64(s, 5, (int64_t)st->spool);
	sqlite3_bind_int64(s, 6, st->era);
	sqlite3_bind_int64(s, 7, (int64_t)st->until.generation);
	sqlite3_bind_int64(s, 8, (int64_t)st->until.offset);
	sqlite3_bind_int(s, 9, st->told.generation != 0);
	rc = sqlite3_step(s);
	sqlite3_finalize(s);
	f->in_tx = true;
	return rc == SQLITE_DONE ? hourfile_put_told(f, st->told) : -1;
}

struct hourfile *hourfile_create(const char *dir, int64_t hour,
    const struct hour_state *st, struct hourfile *from, struct error *err)
{
	char path[PATH_MAX];
	struct hourfile *f;

	if (path_of(dir, hour, path, err) != 0)
		return NULL;
	unlink_all(path);
	f = open_db(path, hour, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	    err);
	if (f == NULL)
		return NULL;
	if (write_first(f, st) == 0 && hourfile_follow(f, from) == 0 &&
	    chmod(path, 0640) == 0)
		return f;
	fail(f, path, err);
	if (from != NULL && is_failed(from))
		error_set(err, "%s: %s", dir, hourfile_error(from));
	remove_all(dir, path);
	return NULL;
}

static void let_go(struct hourfile *f)
{
	for (int i = 0; i < SQLS; i++) {
		sqlite3_finalize(f->stmt[i]);
		f->stmt[i] = NULL;
	}
	sqlite3_close(f->db);
	f->db = NULL;
	f->in_tx = false;
}

void hourfile_close(struct hourfile *f)
{
	if (f == NULL)
		return;
	let_go(f);
	mem_free(f);
}

int hourfile_reopen(struct hourfile *f, const char *dir, struct error *err)
{
	struct hourfile *fresh;

	let_go(f); /* first: connections of one process share what is open */
	fresh = hourfile_open(dir, f->hour, HOUR_WRITE, err);
	if (fresh == NULL)
		return -1;
	*f = *fresh;
	mem_free(fresh);
	return 0;
}

int64_t hourfile_hour(const struct hourfile *f)
{
	return f->hour;
}

const struct hour_state *hourfile_state(const struct hourfile *f)
{
	return &f->state;
}

const char *hourfile_error(const struct hourfile *f)
{
	return f->db == NULL ? "not open" : sqlite3_errmsg(f->db);
}

/* ---- sealing ----------------------------------------------------------- */

/* A removed log must stay removed before the mode says that all is done: a
 * reader could do nothing about one that a power cut brings back. */
static int finish(const char *dir, const char *path, struct error *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (rc == 0)
		rc = chmod(path, 0440);
	if (rc != 0)
		error_sys(err, errno, "%s: seal", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* A reader may hold the file in WAL mode: then another time. The mode is left
 * without a journal on the disk: the one write that it takes changes a single
 * sector, and a reader could not roll back a journal that a crash left. */
int hourfile_seal(struct hourfile *f, const char *dir, struct error *err)
{
	char path[PATH_MAX];

	if (path_of(dir, f->hour, path, err) != 0) {
		hourfile_close(f);
		return -1;
	}
	if (!f->state.sealed &&
	    sqlite3_exec(f->db, indexes, NULL, NULL, NULL) != SQLITE_OK)
		return fail(f, path, err);
	f->state.sealed = true;
	if (sqlite3_exec(f->db, "PRAGMA journal_mode = MEMORY", NULL, NULL,
		NULL) != SQLITE_OK)
		return fail(f, path, err);
	hourfile_close(f);
	return finish(dir, path, err);
}
