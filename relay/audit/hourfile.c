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
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/audit/hourfile_int.h"
#include "relay/base/mem.h"

enum { FORMAT = 1, PATH_BYTES = 4096, READ_WAIT_MS = 2000 };

static const char schema[] =
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1),"
    " format INT, node INT, generation INT, offset INT, seq INT, sealed INT);"
    "CREATE TABLE message(id INTEGER PRIMARY KEY, accepted INT, client TEXT,"
    " name TEXT, listen TEXT, helo TEXT, tls TEXT, sender TEXT,"
    " message_id TEXT, size INT, recipients INT, spf TEXT, client_hash INT,"
    " sender_hash INT, message_id_hash INT);"
    "CREATE TABLE recipient(id INT, rcpt INT, address TEXT,"
    " address_hash INT, legs TEXT, PRIMARY KEY(id, rcpt)) WITHOUT ROWID;"
    "CREATE TABLE attempt(id INT, seq INT, time INT, event INT, rcpt INT,"
    " leg TEXT, role INT, why INT, uncertain INT, attempt INT, change INT,"
    " detail BLOB, PRIMARY KEY(id, seq)) WITHOUT ROWID;"
    "CREATE TABLE note(seq INTEGER PRIMARY KEY, time INT, event TEXT, id INT,"
    " client_hash INT, sender_hash INT, address_hash INT, fields TEXT);"
    "CREATE TABLE total(leg TEXT PRIMARY KEY, created INT, delivered INT,"
    " open INT, parked INT, bounced INT, superseded INT, deleted INT)"
    " WITHOUT ROWID;";

/* Few messages come from a leg. Files that are older do not have it. */
static const char origin_table[] =
    "CREATE TABLE IF NOT EXISTS origin(id INTEGER PRIMARY KEY,"
    " came_from TEXT, parent INT);";

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

static const char setup[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16000;";

#define MESSAGE_COLUMNS \
	"id, accepted, client, name, listen, helo, tls, sender, message_id," \
	" size, recipients, spf"

static const char *const sql[SQLS] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_CURSOR] = "UPDATE state SET generation = ?, offset = ?, seq = ?",
	[SQL_PUT_MESSAGE] = "INSERT OR IGNORE INTO message VALUES"
			    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[SQL_PUT_ORIGIN] = "INSERT OR IGNORE INTO origin VALUES(?,?,?)",
	[SQL_PUT_RECIPIENT] =
	    "INSERT OR REPLACE INTO recipient VALUES(?,?,?,?,?)",
	[SQL_PUT_MOVE] =
	    "INSERT INTO attempt VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
	[SQL_PUT_NOTE] = "INSERT INTO note VALUES(?,?,?,?,?,?,?,?)",
	[SQL_PUT_TOTAL] =
	    "INSERT INTO total VALUES(?,?,?,?,?,?,?,?)"
	    " ON CONFLICT(leg) DO UPDATE SET"
	    " created = created + excluded.created,"
	    " delivered = delivered + excluded.delivered,"
	    " open = open + excluded.open,"
	    " parked = parked + excluded.parked,"
	    " bounced = bounced + excluded.bounced,"
	    " superseded = superseded + excluded.superseded,"
	    " deleted = deleted + excluded.deleted",
	[SQL_MESSAGE] =
	    "SELECT " MESSAGE_COLUMNS " FROM message WHERE id = ?",
	[SQL_ORIGIN] = "SELECT came_from, parent FROM origin WHERE id = ?",
	[SQL_RECIPIENTS] = "SELECT id, rcpt, address, legs FROM recipient"
			   " WHERE id = ? ORDER BY rcpt",
	[SQL_ALL_RECIPIENTS] = "SELECT id, rcpt, address, legs FROM recipient"
			       " ORDER BY id, rcpt",
	[SQL_MOVES] = "SELECT time, event, rcpt, leg, role, why, uncertain,"
		      " attempt, change, detail FROM attempt"
		      " WHERE id = ? ORDER BY seq",
	[SQL_BY_MESSAGE_ID] =
	    "SELECT id FROM message WHERE message_id_hash = ?"
	    " ORDER BY id DESC",
	[SQL_BY_TO] = "SELECT DISTINCT id FROM recipient"
		      " WHERE address_hash = ? ORDER BY id DESC",
	[SQL_BY_FROM] =
	    "SELECT id FROM message WHERE sender_hash = ? ORDER BY id DESC",
	[SQL_BY_CLIENT] =
	    "SELECT id FROM message WHERE client_hash = ? ORDER BY id DESC",
	[SQL_BY_TIME] = "SELECT id FROM message WHERE accepted BETWEEN ? AND ?"
			" ORDER BY id DESC",
	[SQL_NOTES_ID] = "SELECT time, event, fields FROM note WHERE id = ?"
			 " ORDER BY seq",
	[SQL_NOTES_TO] = "SELECT time, event, fields FROM note"
			 " WHERE address_hash = ? ORDER BY seq",
	[SQL_NOTES_FROM] = "SELECT time, event, fields FROM note"
			   " WHERE sender_hash = ? ORDER BY seq",
	[SQL_NOTES_CLIENT] = "SELECT time, event, fields FROM note"
			     " WHERE client_hash = ? ORDER BY seq",
	[SQL_NOTES_TIME] = "SELECT time, event, fields FROM note"
			   " WHERE time BETWEEN ? AND ? ORDER BY seq",
	[SQL_TOTALS] = "SELECT leg, created, delivered, open, parked,"
		       " bounced, superseded, deleted FROM total",
};

sqlite3_stmt *hourfile_stmt(struct hourfile *f, enum hour_sql which)
{
	sqlite3_stmt **s = &f->stmt[which];

	if (f->db == NULL)
		return NULL;
	if (*s == NULL)
		sqlite3_prepare_v3(f->db, sql[which], -1,
		    SQLITE_PREPARE_PERSISTENT, s, NULL);
	else
		sqlite3_reset(*s);
	return *s;
}

static int path_of(const char *dir, int64_t hour, char out[PATH_BYTES],
    struct error *err)
{
	char name[HOUR_NAME];

	hour_name(hour, name);
	if (snprintf(out, PATH_BYTES, "%s/%s", dir, name) >= PATH_BYTES)
		return error_set(err, "%s: the path is too long", dir);
	return 0;
}

/* ---- opening ----------------------------------------------------------- */

bool hourfile_damaged(const struct hourfile *f)
{
	int code = f->db == NULL ? SQLITE_OK : sqlite3_errcode(f->db) & 0xff;

	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

static int fail(struct hourfile *f, const char *path, struct error *err)
{
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

/* 1, 0 when nothing was ever committed, -1 when it is no file of ours (and
 * SQLite says why, but for a format we do not know). */
static int read_state(struct hourfile *f)
{
	sqlite3_stmt *s = NULL;
	struct hour_state *st = &f->state;
	int rc = sqlite3_prepare_v2(f->db,
	    "SELECT format, node, generation, offset, seq, sealed FROM state",
	    -1, &s, NULL);

	if (rc == SQLITE_ERROR) /* no such table */
		return 0;
	rc = rc == SQLITE_OK ? sqlite3_step(s) : rc;
	if (rc == SQLITE_ROW && sqlite3_column_int(s, 0) == FORMAT) {
		st->node = sqlite3_column_int(s, 1);
		st->cursor.generation = (uint64_t)sqlite3_column_int64(s, 2);
		st->cursor.offset = (uint64_t)sqlite3_column_int64(s, 3);
		st->seq = sqlite3_column_int64(s, 4);
		st->sealed = sqlite3_column_int(s, 5) != 0;
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

/* The current one gets rows; what is sealed gets a name for it. */
static bool prepare(struct hourfile *f, enum hour_open how)
{
	if (how == HOUR_READ || (how == HOUR_WRITE && f->state.sealed))
		return true;
	if (f->state.sealed)
		return writes(f);
	return sqlite3_exec(f->db, setup, NULL, NULL, NULL) == SQLITE_OK &&
	       writes(f) &&
	       sqlite3_exec(f->db, origin_table, NULL, NULL, NULL) ==
		   SQLITE_OK;
}

int hourfile_snapshot(struct hourfile *f)
{
	return sqlite3_exec(f->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK
		   ? 0
		   : -1;
}

struct hourfile *hourfile_open(const char *dir, int64_t hour,
    enum hour_open how, struct error *err)
{
	char path[PATH_BYTES];
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
	char name[PATH_BYTES + 16];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

static int write_first(struct hourfile *f, const struct hour_state *st)
{
	sqlite3_stmt *s = NULL;
	int rc;

	f->state = *st;
	f->state.seq = 0;
	f->state.sealed = false;
	if (sqlite3_exec(f->db, setup, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(f->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) !=
		SQLITE_OK ||
	    sqlite3_exec(f->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(f->db, origin_table, NULL, NULL, NULL) !=
		SQLITE_OK ||
	    sqlite3_prepare_v2(f->db, "INSERT INTO state VALUES(1,?,?,?,?,0,0)",
		-1, &s, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int(s, 1, FORMAT);
	sqlite3_bind_int(s, 2, st->node);
	sqlite3_bind_int64(s, 3, (int64_t)st->cursor.generation);
	sqlite3_bind_int64(s, 4, (int64_t)st->cursor.offset);
	rc = sqlite3_step(s);
	sqlite3_finalize(s);
	if (rc != SQLITE_DONE)
		return -1;
	return sqlite3_exec(f->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK
		   ? 0
		   : -1;
}

struct hourfile *hourfile_create(const char *dir, int64_t hour,
    const struct hour_state *st, struct error *err)
{
	char path[PATH_BYTES];
	struct hourfile *f;

	if (path_of(dir, hour, path, err) != 0)
		return NULL;
	unlink_all(path);
	f = open_db(path, hour, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	    err);
	if (f == NULL)
		return NULL;
	if (write_first(f, st) == 0 && chmod(path, 0640) == 0)
		return f;
	fail(f, path, err);
	unlink_all(path);
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

/* ---- rows -------------------------------------------------------------- */

/* Binds in order; a NULL statement stays NULL until row_done(). */
struct row {
	sqlite3_stmt *s;
	int i;
};

static void row_int(struct row *r, int64_t v)
{
	sqlite3_bind_int64(r->s, ++r->i, v);
}

static void row_text(struct row *r, struct slice v)
{
	sqlite3_bind_text(r->s, ++r->i, v.p == NULL ? "" : v.p, (int)v.n,
	    SQLITE_STATIC);
}

static void row_str(struct row *r, const char *v)
{
	row_text(r, slice_str(v));
}

static void row_hash(struct row *r, int64_t hash)
{
	if (hash != 0)
		row_int(r, hash);
	else
		sqlite3_bind_null(r->s, ++r->i);
}

static int run(struct hourfile *f, enum hour_sql which)
{
	sqlite3_stmt *s = hourfile_stmt(f, which);
	int rc = s == NULL ? SQLITE_ERROR : sqlite3_step(s);

	if (s != NULL)
		sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int row_begin(struct hourfile *f, enum hour_sql which, struct row *r)
{
	if (!f->in_tx && run(f, SQL_BEGIN) != 0)
		return -1;
	f->in_tx = true;
	*r = (struct row){hourfile_stmt(f, which), 0};
	return r->s == NULL ? -1 : 0;
}

static int row_done(struct row *r)
{
	int rc = sqlite3_step(r->s);

	sqlite3_reset(r->s);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int put_origin(struct hourfile *f, const struct envelope *e)
{
	struct row r;

	if (!envelope_came_back(e))
		return 0;
	if (row_begin(f, SQL_PUT_ORIGIN, &r) != 0)
		return -1;
	row_int(&r, (int64_t)e->id);
	row_str(&r, e->came_from);
	row_int(&r, (int64_t)e->parent);
	return row_done(&r);
}

int hourfile_put_message(struct hourfile *f, const struct envelope *e)
{
	struct row r;

	if (put_origin(f, e) != 0)
		return -1;
	if (row_begin(f, SQL_PUT_MESSAGE, &r) != 0)
		return -1;
	row_int(&r, (int64_t)e->id);
	row_int(&r, e->accepted_us);
	row_str(&r, e->client);
	row_str(&r, e->client_name);
	row_str(&r, e->listen);
	row_str(&r, e->helo);
	row_str(&r, e->tls);
	row_str(&r, e->from);
	row_str(&r, e->message_id);
	row_int(&r, (int64_t)e->size);
	row_int(&r, e->rcpts);
	row_str(&r, e->spf);
	row_hash(&r, hour_hash(e->client));
	row_hash(&r, hour_hash(e->from));
	row_hash(&r, hour_hash_message_id(e->message_id));
	return row_done(&r);
}

int hourfile_put_recipient(struct hourfile *f, uint64_t id, uint32_t rcpt,
    const char *address, struct slice legs)
{
	struct row r;

	if (row_begin(f, SQL_PUT_RECIPIENT, &r) != 0)
		return -1;
	row_int(&r, (int64_t)id);
	row_int(&r, rcpt);
	row_str(&r, address);
	row_hash(&r, hour_hash(address));
	row_text(&r, legs);
	return row_done(&r);
}

int hourfile_put_move(struct hourfile *f, const struct move *m)
{
	struct row r;

	if (row_begin(f, SQL_PUT_MOVE, &r) != 0)
		return -1;
	row_int(&r, (int64_t)m->id);
	row_int(&r, ++f->state.seq);
	row_int(&r, m->time_us);
	row_int(&r, m->kind);
	row_int(&r, m->rcpt);
	row_str(&r, m->leg);
	row_int(&r, m->role);
	row_int(&r, m->why);
	row_int(&r, m->uncertain);
	row_int(&r, m->attempt);
	row_int(&r, (int64_t)m->change);
	sqlite3_bind_blob(r.s, ++r.i, m->detail.p, (int)m->detail.n,
	    SQLITE_STATIC);
	return row_done(&r);
}

int hourfile_put_note(struct hourfile *f, const struct note_row *n)
{
	struct row r;

	if (row_begin(f, SQL_PUT_NOTE, &r) != 0)
		return -1;
	row_int(&r, ++f->state.seq);
	row_int(&r, n->time_us);
	row_text(&r, n->event);
	row_hash(&r, (int64_t)n->id);
	row_hash(&r, hour_hash(n->client));
	row_hash(&r, hour_hash(n->from));
	row_hash(&r, hour_hash(n->to));
	row_text(&r, n->fields);
	return row_done(&r);
}

int hourfile_put_total(struct hourfile *f, const char *leg,
    const int64_t add[TOTALS])
{
	struct row r;

	if (row_begin(f, SQL_PUT_TOTAL, &r) != 0)
		return -1;
	row_str(&r, leg);
	for (int i = 0; i < TOTALS; i++)
		row_int(&r, add[i]);
	return row_done(&r);
}

int hourfile_commit(struct hourfile *f, struct spool_pos cursor)
{
	struct row r;

	if (row_begin(f, SQL_CURSOR, &r) != 0)
		return -1;
	row_int(&r, (int64_t)cursor.generation);
	row_int(&r, (int64_t)cursor.offset);
	row_int(&r, f->state.seq);
	if (row_done(&r) != 0 || run(f, SQL_COMMIT) != 0)
		return -1;
	f->in_tx = false;
	f->state.cursor = cursor;
	return 0;
}

void hourfile_rollback(struct hourfile *f)
{
	if (f->in_tx && f->db != NULL && !sqlite3_get_autocommit(f->db))
		run(f, SQL_ROLLBACK);
	f->in_tx = false;
}

/* ---- sealing ----------------------------------------------------------- */

/* What was removed must stay away before the mode says that all is done: a
 * reader could do nothing about a log that a power cut brings back. */
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
 * sector, and a journal that a crash left could be rolled back by nobody who
 * may only read. */
int hourfile_seal(struct hourfile *f, const char *dir, struct error *err)
{
	char path[PATH_BYTES];

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
