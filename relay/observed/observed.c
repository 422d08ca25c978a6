/* SPDX-License-Identifier: ISC
 *
 * observed.db: how it is made, opened and brought up to its format.
 *
 * synchronous=FULL: what a command has shown is not taken back by a power cut.
 */
#include "relay/observed/observed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"

enum {
	CHECKED_BYTES = 16 << 20, /* a larger file is checked as it is used */
	BUSY_MS = 2000,
	PATH_BYTES = 4096,
	TEXT_BYTES = 200,
};

enum observed_fault { FAULT_NONE, FAULT_PASSES, FAULT_DAMAGE, FAULT_NEWER };

struct observed {
	sqlite3 *db;
	enum observed_fault fault; /* of what went wrong in opening it */
	int format;
	int64_t since_us;
};

/* [N]: from format N. A new table is a step, and OBSERVED_FORMAT goes up. */
static const char *const steps[OBSERVED_FORMAT] = {
	[0] = "CREATE TABLE about(one INTEGER PRIMARY KEY CHECK(one = 1),"
	      " format INT NOT NULL, since INT NOT NULL);",
	/* watched.h: the evidence of verdicts. */
	[1] = "CREATE TABLE watched(listen TEXT, began INT, ended INT,"
	      " observed INT, PRIMARY KEY(listen, began)) WITHOUT ROWID;"
	      "CREATE TABLE came(leg TEXT, kind INT, domain TEXT, first INT,"
	      " last INT, messages INT, id INT, hop TEXT,"
	      " PRIMARY KEY(leg, kind, domain)) WITHOUT ROWID;",
	/* Looks at the name servers of domains (spread/spread_rows.h). */
	[2] = "CREATE TABLE spread_domain(domain TEXT PRIMARY KEY, zone TEXT,"
	      " looked INT, more INT) WITHOUT ROWID;"
	      "CREATE TABLE spread_server(domain TEXT, source INT, name TEXT,"
	      " address TEXT, kind INT, said INT, at INT, since INT, why TEXT,"
	      " serial INT, answer TEXT, ttl INT,"
	      " PRIMARY KEY(domain, source, name, address)) WITHOUT ROWID;"
	      "CREATE TABLE spread_target(domain TEXT, source INT, name TEXT,"
	      " address TEXT, way INT, target TEXT, first INT, last INT,"
	      " ended INT, ttl INT, PRIMARY KEY(domain, source, name, address,"
	      " way, target)) WITHOUT ROWID;",
	/* Legs that were asked about recipients (asked.h). */
	[3] = "CREATE TABLE asking(number INTEGER PRIMARY KEY AUTOINCREMENT,"
	      " kind INT NOT NULL, about TEXT NOT NULL, created INT NOT NULL,"
	      " route TEXT NOT NULL, old TEXT NOT NULL, who TEXT NOT NULL,"
	      " started INT NOT NULL, ended INT NOT NULL, stop INT NOT NULL,"
	      " reason TEXT NOT NULL, notes TEXT NOT NULL);"
	      "CREATE TABLE asking_row(asking INT NOT NULL,"
	      " leg TEXT NOT NULL, address TEXT NOT NULL,"
	      " said TEXT NOT NULL, kind INT NOT NULL, tag TEXT NOT NULL,"
	      " tries INT NOT NULL, again INT NOT NULL,"
	      " settled INT NOT NULL,"
	      " PRIMARY KEY(asking, leg, address)) WITHOUT ROWID;"
	      "CREATE INDEX asking_due ON asking_row(asking, leg, again,"
	      " address) WHERE settled = 0;"
	      "CREATE TABLE answer(leg TEXT NOT NULL, said TEXT NOT NULL,"
	      " at INT NOT NULL, class INT NOT NULL, code INT NOT NULL,"
	      " enh TEXT NOT NULL, reply TEXT NOT NULL,"
	      " PRIMARY KEY(leg, said)) WITHOUT ROWID;"
	      "CREATE TABLE asked_stop(leg TEXT PRIMARY KEY,"
	      " at INT NOT NULL, stop INT NOT NULL,"
	      " reason TEXT NOT NULL);",
};

static bool is_damage(const struct observed *o)
{
	int code = sqlite3_errcode(o->db) & 0xff; /* the rest is detail */

	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

int observed_error(const struct observed *o, struct error *err)
{
	return error_set(err, OBSERVED_NAME ": %s", sqlite3_errmsg(o->db));
}

/* The connection has failed in opening the file. */
static int failed(struct observed *o, struct error *err)
{
	o->fault = is_damage(o) ? FAULT_DAMAGE : FAULT_PASSES;
	return observed_error(o, err);
}

int observed_do(struct observed *o, const char *sql, struct error *err)
{
	if (sqlite3_exec(o->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return observed_error(o, err);
	return 0;
}

/* `o->format` 0: nothing was ever committed there. */
static int read_about(struct observed *o, struct error *err)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(o->db, "SELECT format, since FROM about",
	    -1, &s, NULL);

	o->format = 0;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		o->format = sqlite3_column_int(s, 0);
		o->since_us = sqlite3_column_int64(s, 1);
	}
	sqlite3_finalize(s);
	if (rc == SQLITE_ERROR) /* there is no such table */
		return 0;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return failed(o, err);
	if (o->format > OBSERVED_FORMAT) {
		o->fault = FAULT_NEWER;
		return error_set(err, OBSERVED_NAME ": its format is %d, this "
		    "version knows up to %d: a newer version wrote it",
		    o->format, OBSERVED_FORMAT);
	}
	if (o->format > 0)
		return 0;
	o->fault = FAULT_DAMAGE;
	return error_set(err, OBSERVED_NAME ": its header names no format");
}

/* A file that is short enough is checked whole: damage is better found now
 * than by a question. */
static int check(struct observed *o, const char *path, struct error *err)
{
	sqlite3_stmt *s = NULL;
	char said[TEXT_BYTES] = "";
	struct stat st;
	int rc;

	if (stat(path, &st) != 0 || st.st_size > CHECKED_BYTES)
		return 0;
	rc = sqlite3_prepare_v2(o->db, "PRAGMA quick_check(1)", -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		snprintf(said, sizeof(said), "%s",
		    (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW)
		return failed(o, err);
	if (strcmp(said, "ok") == 0)
		return 0;
	o->fault = FAULT_DAMAGE;
	return error_set(err, OBSERVED_NAME ": it is damaged: %s", said);
}

/* In a transaction, so that two threads that find no file make one. */
static int bring_up(struct observed *o, int64_t now_us, struct error *err)
{
	char text[TEXT_BYTES];
	int rc = read_about(o, err);

	for (int i = o->format; rc == 0 && i < OBSERVED_FORMAT; i++)
		if (sqlite3_exec(o->db, steps[i], NULL, NULL, NULL) !=
		    SQLITE_OK)
			rc = failed(o, err);
	if (rc != 0 || o->format == OBSERVED_FORMAT)
		return rc;
	if (o->format == 0)
		o->since_us = now_us;
	snprintf(text, sizeof(text), "INSERT OR REPLACE INTO about"
	    " VALUES(1, %d, %lld)", OBSERVED_FORMAT, (long long)o->since_us);
	o->format = OBSERVED_FORMAT;
	return sqlite3_exec(o->db, text, NULL, NULL, NULL) == SQLITE_OK
		   ? 0 : failed(o, err);
}

static int take_up(struct observed *o, int64_t now_us, struct error *err)
{
	char setup[TEXT_BYTES];

	snprintf(setup, sizeof(setup), "PRAGMA journal_mode = WAL;"
	    "PRAGMA synchronous = FULL; PRAGMA max_page_count = %d;"
	    "BEGIN IMMEDIATE;", OBSERVED_PAGES_MAX);
	if (sqlite3_exec(o->db, setup, NULL, NULL, NULL) != SQLITE_OK)
		return failed(o, err);
	if (bring_up(o, now_us, err) < 0)
		return -1; /* closing it rolls back */
	return sqlite3_exec(o->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK
		   ? 0 : failed(o, err);
}

static int path_in(const char *dir, char path[PATH_BYTES], struct error *err)
{
	if (snprintf(path, PATH_BYTES, "%s/" OBSERVED_NAME, dir) < PATH_BYTES)
		return 0;
	return error_set(err, "%s: the path is too long", dir);
}

/* The caller closes it in any case. */
static struct observed *connect_to(const char *path, int flags, int *rc_out,
    struct error *err)
{
	struct observed *o = NEW(struct observed);

	*rc_out = 0;
	if (sqlite3_open_v2(path, &o->db, flags | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		*rc_out = failed(o, err);
	else
		sqlite3_busy_timeout(o->db, BUSY_MS);
	return o;
}

static struct observed *open_path(const char *path, int64_t now_us,
    enum observed_fault *fault_out, struct error *err)
{
	bool there = access(path, F_OK) == 0;
	int rc;
	struct observed *o = connect_to(path,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &rc, err);

	if (rc == 0)
		rc = take_up(o, now_us, err);
	if (rc == 0 && !there && chmod(path, 0640) != 0) {
		o->fault = FAULT_PASSES;
		rc = error_sys(err, errno, "%s: chmod", path);
	}
	*fault_out = o->fault;
	if (rc == 0)
		return o;
	observed_close(o);
	return NULL;
}

struct observed *observed_open(const char *dir, int64_t now_us,
    struct error *err)
{
	char path[PATH_BYTES];
	enum observed_fault fault;

	if (path_in(dir, path, err) < 0)
		return NULL;
	return open_path(path, now_us, &fault, err);
}

struct observed *observed_read(const char *dir, struct error *err)
{
	char path[PATH_BYTES];
	struct observed *o;
	int rc;

	if (path_in(dir, path, err) < 0)
		return NULL;
	if (access(path, F_OK) != 0) {
		error_sys(err, errno, "%s", path);
		return NULL;
	}
	o = connect_to(path, SQLITE_OPEN_READONLY, &rc, err);
	if (rc == 0)
		rc = read_about(o, err);
	if (rc == 0 && o->format == OBSERVED_FORMAT)
		return o;
	if (rc == 0)
		error_set(err, OBSERVED_NAME ": its format is %d, this version "
		    "reads %d; start the daemon of this version", o->format,
		    OBSERVED_FORMAT);
	observed_close(o);
	return NULL;
}

void observed_close(struct observed *o)
{
	if (o == NULL)
		return;
	sqlite3_close(o->db);
	mem_free(o);
}

/* Out of the way, for a look at it: one of a kind is kept. */
static void set_aside(const char *path, const char *suffix,
    const struct error *err)
{
	static const char *const rest[] = {"-wal", "-shm", "-journal"};
	char name[PATH_BYTES];

	if (snprintf(name, sizeof(name), "%s.%s", path, suffix) >=
		PATH_BYTES || rename(path, name) != 0)
		unlink(path);
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		if (snprintf(name, sizeof(name), "%s%s", path, rest[i]) <
		    PATH_BYTES)
			unlink(name);
	log_warn("observed.lost", kv_str("file", path), kv_err(err),
	    kv_str("kept_as", suffix),
	    kv_str("effect", "what was seen so far is unknown"));
}

/* NULL: it cannot be used, for the reason that is in *fault_out. */
static struct observed *open_checked(const char *path, int64_t now_us,
    enum observed_fault *fault_out, struct error *err)
{
	struct observed *o = open_path(path, now_us, fault_out, err);

	if (o == NULL || check(o, path, err) == 0)
		return o;
	*fault_out = o->fault;
	observed_close(o);
	return NULL;
}

bool observed_prepare(const char *dir, int64_t now_us)
{
	enum observed_fault fault = FAULT_NONE;
	char path[PATH_BYTES];
	struct observed *o = NULL;
	struct error err;

	if (path_in(dir, path, &err) < 0)
		fault = FAULT_PASSES;
	/* Twice: what is damaged or newer is set aside once. */
	for (int i = 0; i < 2 && o == NULL && fault != FAULT_PASSES; i++) {
		o = open_checked(path, now_us, &fault, &err);
		if (o == NULL && fault != FAULT_PASSES)
			set_aside(path, fault == FAULT_NEWER ? "newer"
							     : "damaged", &err);
	}
	observed_close(o);
	if (o == NULL)
		log_warn("observed.off", kv_str("folder", dir), kv_err(&err),
		    kv_str("effect", "what is seen is not kept; it is tried "
			"again with each look"));
	return o != NULL;
}

sqlite3 *observed_db(struct observed *o)
{
	return o->db;
}

int64_t observed_since(const struct observed *o)
{
	return o->since_us;
}
