/* SPDX-License-Identifier: ISC
 *
 * ledger.db: how it is opened, and what is taken over from the
 * file that versions before had.
 *
 * synchronous=FULL, because the journal gives back what lies before the
 * cursor.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/audit/delivered/last_file_int.h"
#include "relay/audit/straggler/straggler_write.h"
#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum {
	CHECKED_BYTES = 16 << 20, /* a larger file is checked as it is used */
	BUSY_MS = 200,
	PATH_BYTES = 4096,
};

static const char setup[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -8000;";

/* ---- opening ----------------------------------------------------------- */

bool last_is_damage(int code)
{
	code &= 0xff; /* the rest is detail */
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

bool last_file_damaged(const struct last_file *f)
{
	return last_is_damage(sqlite3_errcode(f->db));
}

void last_file_close(struct last_file *f)
{
	if (f == NULL)
		return;
	for (int i = 0; i < LAST_SQLS; i++)
		sqlite3_finalize(f->stmt[i]);
	straggler_writer_free(f->stragglers);
	sqlite3_close(f->db);
	mem_free(f);
}

/* The last call on the file failed: is that damage? */
static enum last_opened failed(const struct last_file *f, struct error *err)
{
	error_set(err, "%s", sqlite3_errmsg(f->db));
	return last_file_damaged(f) ? LAST_DAMAGED : LAST_FAILED;
}

/* SQLITE_ROW: the one that `text` finds is in *s_out, to be finalized in any
 * case. */
static int first_row(struct last_file *f, const char *text,
    sqlite3_stmt **s_out)
{
	int rc = sqlite3_prepare_v2(f->db, text, -1, s_out, NULL);

	return rc == SQLITE_OK ? sqlite3_step(*s_out) : rc;
}

static enum last_opened read_header(struct last_file *f,
    struct last_header *h, struct error *err)
{
	sqlite3_stmt *s = NULL;
	int rc = first_row(f, "SELECT secret, spool, generation, offset,"
	    " since, refill, hole, deliveries, marked, outcomes FROM state",
	    &s);
	enum last_opened how = LAST_OPEN;

	if (rc != SQLITE_ROW) {
		how = failed(f, err);
	} else if (sqlite3_column_bytes(s, 0) != sizeof(h->secret)) {
		error_set(err, "its key is not of %zu bytes",
		    sizeof(h->secret));
		how = LAST_DAMAGED;
	} else {
		memcpy(h->secret, sqlite3_column_blob(s, 0),
		    sizeof(h->secret));
		h->cursor.spool = (uint64_t)sqlite3_column_int64(s, 1);
		h->cursor.pos.generation =
		    (uint64_t)sqlite3_column_int64(s, 2);
		h->cursor.pos.offset = (uint64_t)sqlite3_column_int64(s, 3);
		h->since_us = sqlite3_column_int64(s, 4);
		h->refill = sqlite3_column_int64(s, 5);
		h->hole = sqlite3_column_int(s, 6) != 0;
		h->rows = sqlite3_column_int64(s, 7);
		h->marked = (uint64_t)sqlite3_column_int64(s, 8);
		h->outcomes_us = sqlite3_column_int64(s, 9);
	}
	sqlite3_finalize(s);
	return how;
}

static bool exec(struct last_file *f, const char *text)
{
	return sqlite3_exec(f->db, text, NULL, NULL, NULL) == SQLITE_OK;
}

/* LAST_MADE: nothing was ever committed there. */
static enum last_opened read_format(struct last_file *f, struct error *err)
{
	sqlite3_stmt *s = NULL;
	int rc = first_row(f, "SELECT format FROM state", &s);
	int format = rc == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
	enum last_opened how;

	if (rc == SQLITE_ERROR) { /* no such table */
		how = LAST_MADE;
	} else if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		how = failed(f, err);
	} else if (format > 0 && format <= LAST_FORMAT) {
		f->format = format;
		how = LAST_OPEN;
	} else if (format > LAST_FORMAT) {
		error_set(err, "its format is %d, this version knows up to %d: "
		    "a newer version wrote it", format, LAST_FORMAT);
		how = LAST_NEWER;
	} else {
		error_set(err, "its header names no format");
		how = LAST_DAMAGED;
	}
	sqlite3_finalize(s);
	return how;
}

/* Numbers are those of `names`, which may have them from before. */
static enum last_opened read_legs(struct last_file *f, struct error *err)
{
	sqlite3_stmt *s = NULL;
	int rc = first_row(f, "SELECT number, name FROM leg ORDER BY number",
	    &s);

	for (; rc == SQLITE_ROW; rc = sqlite3_step(s), f->legs++) {
		const char *name = (const char *)sqlite3_column_text(s, 1);

		if (sqlite3_column_int(s, 0) == f->legs && name != NULL &&
		    names_id(f->names, slice_str(name)) == f->legs)
			continue;
		error_set(err, "leg %d of it has another number", f->legs);
		sqlite3_finalize(s);
		return LAST_DAMAGED;
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? LAST_OPEN : failed(f, err);
}

/* A file that is short enough is checked whole: damage is better found now
 * than by the first mail. */
static enum last_opened check(struct last_file *f, const char *path,
    struct error *err)
{
	enum last_opened how = LAST_OPEN;
	sqlite3_stmt *s = NULL;
	const char *said;
	struct stat st;
	int rc;

	if (stat(path, &st) != 0 || st.st_size > CHECKED_BYTES)
		return LAST_OPEN;
	rc = first_row(f, "PRAGMA quick_check(1)", &s);
	said = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0)
				: NULL;
	if (rc != SQLITE_ROW) {
		how = failed(f, err);
	} else if (said == NULL || strcmp(said, "ok") != 0) {
		error_set(err, "it is damaged: %s", said == NULL ? "" : said);
		how = LAST_DAMAGED;
	}
	sqlite3_finalize(s);
	return how;
}

static bool put_header(struct last_file *f, const struct last_header *h)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(f->db, "INSERT INTO state VALUES(1, ?1, ?2,"
	    " ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, ?9)", -1, &s, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_int(s, 1, LAST_FORMAT);
		sqlite3_bind_blob(s, 2, h->secret, sizeof(h->secret),
		    SQLITE_STATIC);
		sqlite3_bind_int64(s, 3, (int64_t)h->cursor.spool);
		sqlite3_bind_int64(s, 4, (int64_t)h->cursor.pos.generation);
		sqlite3_bind_int64(s, 5, (int64_t)h->cursor.pos.offset);
		sqlite3_bind_int64(s, 6, h->since_us);
		sqlite3_bind_int64(s, 7, h->refill);
		sqlite3_bind_int(s, 8, h->hole);
		sqlite3_bind_int64(s, 9, h->outcomes_us);
		rc = sqlite3_step(s);
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE;
}

static enum last_opened create(struct last_file *f, const char *path,
    const struct last_header *h, struct error *err)
{
	PH_ASSERT(h->rows == 0);
	if (!exec(f, setup) || !exec(f, "BEGIN IMMEDIATE") ||
	    !last_schema_steps(f, 0) || !put_header(f, h) || !exec(f, "COMMIT"))
		return failed(f, err);
	if (chmod(path, 0640) == 0)
		return LAST_MADE;
	error_sys(err, errno, "chmod");
	return LAST_FAILED;
}

/* A descriptor that could not be had when the file or its log was opened
 * leaves a connection that may only read: it must not pass for one. */
static enum last_opened take_up(struct last_file *f, const char *path,
    struct last_header *h, struct error *err)
{
	enum last_opened how;

	if (!exec(f, setup) || !exec(f, "BEGIN IMMEDIATE; ROLLBACK;"))
		return failed(f, err);
	how = check(f, path, err);
	if (how == LAST_OPEN && f->format < LAST_FORMAT &&
	    !last_schema_upgrade(f, f->format))
		return failed(f, err);
	if (how == LAST_OPEN)
		how = read_header(f, h, err);
	return how == LAST_OPEN ? read_legs(f, err) : how;
}

struct last_file *last_file_open(const char *path, struct last_header *h,
    struct names *names, enum last_opened *how_out, struct error *err)
{
	struct last_file *f = NEW(struct last_file);
	enum last_opened how;

	f->names = names;
	how = sqlite3_open_v2(path, &f->db, SQLITE_OPEN_READWRITE |
		  SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK
		  ? LAST_OPEN : failed(f, err);
	if (how == LAST_OPEN) {
		sqlite3_busy_timeout(f->db, BUSY_MS);
		how = read_format(f, err);
	}
	if (how == LAST_OPEN)
		how = take_up(f, path, h, err);
	else if (how == LAST_MADE)
		how = create(f, path, h, err);
	if ((how == LAST_OPEN || how == LAST_MADE) && !last_file_prepare(f))
		how = failed(f, err);
	*how_out = how;
	if (how == LAST_OPEN || how == LAST_MADE)
		return f;
	last_file_close(f);
	return NULL;
}

/* ---- what versions before had ------------------------------------------- */

static void unlink_all(const char *path)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	char name[PATH_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (snprintf(name, sizeof(name), "%s%s", path, suffixes[i]) <
		    PATH_BYTES)
			unlink(name);
}

static bool attach(struct last_file *f, const char *path)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(f->db, "ATTACH DATABASE ?1 AS old", -1, &s,
	    NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_text(s, 1, path, -1, SQLITE_STATIC);
		rc = sqlite3_step(s);
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE;
}

/* One that is no such file is worth nothing, and goes. */
int last_file_take_over(struct last_file *f, const char *known_path,
    struct error *err)
{
	int rc = 0;

	if (access(known_path, F_OK) != 0)
		return 0;
	if (!attach(f, known_path))
		rc = error_set(err, "%s", sqlite3_errmsg(f->db));
	else if (!exec(f, "INSERT INTO main.known SELECT hash, day FROM"
		     " old.known WHERE true ON CONFLICT(hash) DO UPDATE"
		     " SET day = max(day, excluded.day)"))
		rc = error_set(err, "%s", sqlite3_errmsg(f->db));
	err->no = rc != 0 && last_file_damaged(f) ? EBADMSG : 0;
	sqlite3_exec(f->db, "DETACH DATABASE old", NULL, NULL, NULL);
	if (rc == 0 || err->no == EBADMSG)
		unlink_all(known_path);
	return rc;
}

/* ---- the header -------------------------------------------------------- */

void last_header_anew(struct last_header *h, struct last_place cursor,
    int64_t now_us)
{
	h->cursor = cursor;
	h->since_us = now_us;
	h->outcomes_us = now_us;
	h->refill = LAST_REFILL_ALL;
	h->hole = false;
}

void last_header_gap(struct last_header *h, int64_t gap_us)
{
	if (gap_us == 0)
		return;
	h->hole = true;
	if (h->since_us < gap_us)
		h->since_us = gap_us;
	if (h->outcomes_us < gap_us)
		h->outcomes_us = gap_us;
}
