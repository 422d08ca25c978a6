/* SPDX-License-Identifier: ISC
 *
 * All SQL of replays. The projector writes the same file; each waits for the
 * other's transaction.
 */
#include "relay/cutover/replay/replay_file.h"

#include <sqlite3.h>

enum { WAIT_MS = 5000 };

static const char *const states[] = {
	[REPLAY_SEARCHES] = "searching", [REPLAY_RUNS] = "running",
	[REPLAY_DONE] = "done", [REPLAY_FAILED] = "failed",
	[REPLAY_CANCELLED] = "cancelled",
};

const char *replay_state_text(enum replay_state s)
{
	return s >= REPLAY_SEARCHES && s <= REPLAY_CANCELLED ? states[s] : "?";
}

/* ---- a connection ------------------------------------------------------ */

static int say(sqlite3 *db, struct error *err)
{
	return error_set(err, "ledger.db: %s", sqlite3_errmsg(db));
}

static sqlite3 *open_file(const char *path, struct error *err)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE |
		SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
	    sqlite3_busy_timeout(db, WAIT_MS) == SQLITE_OK &&
	    sqlite3_exec(db, "PRAGMA synchronous = FULL", NULL, NULL, NULL) ==
		SQLITE_OK)
		return db;
	say(db, err);
	sqlite3_close(db);
	return NULL;
}

static int run(sqlite3 *db, const char *text, struct error *err)
{
	return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK
		   ? 0 : say(db, err);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text, struct error *err)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(db, text, -1, &s, NULL) != SQLITE_OK)
		say(db, err);
	return s;
}

static int end(sqlite3 *db, int rc, struct error *err)
{
	if (rc == 0)
		rc = run(db, "COMMIT", err);
	sqlite3_close(db); /* what is not committed is undone */
	return rc;
}

static void put_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text == NULL ? "" : text, -1, SQLITE_STATIC);
}

static const char *text(sqlite3_stmt *s, int at, struct arena *a)
{
	const char *t = (const char *)sqlite3_column_text(s, at);

	return arena_strdup(a, t == NULL ? "" : t);
}

/* ---- writing ----------------------------------------------------------- */

static int put_row(sqlite3 *db, struct replay_row *row, struct error *err)
{
	sqlite3_stmt *s = prepare(db, "INSERT INTO replay(started, who,"
	    " command, note, wave, from_leg, to_leg, since, until, state,"
	    " users, covered) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
	    " ?11, ?12)", err);
	const char *const texts[] = {row->who, row->command, row->note,
	    row->wave, row->from_leg, row->to_leg};
	int rc = 0;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, row->started_us);
	for (int i = 0; i < (int)ARRAY_LEN(texts); i++)
		put_text(s, 2 + i, texts[i]);
	sqlite3_bind_int64(s, 8, row->since_us);
	sqlite3_bind_int64(s, 9, row->until_us);
	sqlite3_bind_int(s, 10, (int)row->state);
	sqlite3_bind_int64(s, 11, row->users);
	sqlite3_bind_int64(s, 12, row->covered_us);
	if (sqlite3_step(s) != SQLITE_DONE)
		rc = say(db, err);
	row->number = sqlite3_last_insert_rowid(db);
	sqlite3_finalize(s);
	return rc;
}

static int put_users(sqlite3 *db, int64_t number,
    const struct replay_user *users, size_t n, struct error *err)
{
	sqlite3_stmt *s = prepare(db, "INSERT OR IGNORE INTO replay_user"
	    " VALUES(?1, ?2, ?3)", err);
	int rc = s == NULL ? -1 : 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		sqlite3_bind_int64(s, 1, number);
		put_text(s, 2, users[i].address);
		sqlite3_bind_int(s, 3, users[i].lacks);
		if (sqlite3_step(s) != SQLITE_DONE)
			rc = say(db, err);
		sqlite3_reset(s);
	}
	sqlite3_finalize(s);
	return rc;
}

int replay_file_add(const char *path, struct replay_row *row,
    const struct replay_user *users, size_t n, struct error *err)
{
	sqlite3 *db = open_file(path, err);
	int rc;

	if (db == NULL)
		return -1;
	rc = run(db, "BEGIN IMMEDIATE", err);
	if (rc == 0)
		rc = put_row(db, row, err);
	if (rc == 0)
		rc = put_users(db, row->number, users, n, err);
	return end(db, rc, err);
}

static int put_state(sqlite3 *db, const struct replay_row *row,
    struct error *err)
{
	sqlite3_stmt *s = prepare(db, "UPDATE replay SET state = ?2,"
	    " ended = ?3, reason = ?4, there = ?5, waits = ?6,"
	    " came_from = ?7, gone = ?8, unread = ?9 WHERE number = ?1", err);
	int rc = 0;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, row->number);
	sqlite3_bind_int(s, 2, (int)row->state);
	sqlite3_bind_int64(s, 3, row->ended_us);
	put_text(s, 4, row->reason);
	sqlite3_bind_int64(s, 5, row->there);
	sqlite3_bind_int64(s, 6, row->waits);
	sqlite3_bind_int64(s, 7, row->came_from);
	sqlite3_bind_int64(s, 8, row->gone);
	sqlite3_bind_int64(s, 9, row->unread);
	if (sqlite3_step(s) != SQLITE_DONE)
		rc = say(db, err);
	sqlite3_finalize(s);
	return rc;
}

static int put_mail(sqlite3 *db, const struct replay_progress *p,
    struct error *err)
{
	sqlite3_stmt *s = prepare(db, "INSERT OR REPLACE INTO replay_mail"
	    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)", err);
	int rc = s == NULL ? -1 : 0;

	for (size_t i = 0; i < p->n && rc == 0; i++) {
		const struct replay_mail *m = &p->mail[i];

		sqlite3_bind_int64(s, 1, p->row->number);
		sqlite3_bind_int64(s, 2, (int64_t)m->id);
		sqlite3_bind_int64(s, 3, m->rcpt);
		put_text(s, 4, m->address);
		sqlite3_bind_int64(s, 5, m->number);
		sqlite3_bind_int(s, 6, m->state);
		sqlite3_bind_int64(s, 7, m->time_us);
		if (sqlite3_step(s) != SQLITE_DONE)
			rc = say(db, err);
		sqlite3_reset(s);
	}
	sqlite3_finalize(s);
	return rc;
}

int replay_file_put(const char *path, const struct replay_progress *p,
    struct error *err)
{
	sqlite3 *db = open_file(path, err);
	int rc;

	if (db == NULL)
		return -1;
	rc = run(db, "BEGIN IMMEDIATE", err);
	if (rc == 0)
		rc = put_state(db, p->row, err);
	if (rc == 0)
		rc = put_mail(db, p, err);
	return end(db, rc, err);
}

/* Of the rows that `text`, with the number for ?1, counts. */
static int count_of(sqlite3 *db, const char *text, int64_t number,
    struct error *err)
{
	sqlite3_stmt *s = prepare(db, text, err);
	int n = -1;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, number);
	if (sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int(s, 0);
	else
		say(db, err);
	sqlite3_finalize(s);
	return n;
}

static int cancel(sqlite3 *db, const struct replay_row *row,
    struct error *err)
{
	sqlite3_stmt *s = prepare(db, "UPDATE replay SET state = ?2,"
	    " ended = ?3, reason = ?4 WHERE number = ?1 AND state < ?5", err);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, row->number);
	sqlite3_bind_int(s, 2, REPLAY_CANCELLED);
	sqlite3_bind_int64(s, 3, row->ended_us);
	put_text(s, 4, row->reason);
	sqlite3_bind_int(s, 5, REPLAY_DONE);
	rc = sqlite3_step(s) == SQLITE_DONE ? sqlite3_changes(db)
					    : say(db, err);
	sqlite3_finalize(s);
	return rc;
}

int replay_file_cancel(const char *path, const struct replay_row *row,
    struct error *err)
{
	sqlite3 *db = open_file(path, err);
	int rc;

	if (db == NULL)
		return -1;
	rc = cancel(db, row, err);
	if (rc == 0 && count_of(db, "SELECT count(*) FROM replay WHERE"
		" number = ?1", row->number, err) == 0)
		rc = error_set(err, "there is no replay %lld; see `posthouse "
		    "replay list`", (long long)row->number);
	sqlite3_close(db);
	return rc;
}

int replay_file_prune(const char *path, int64_t before_us, struct error *err)
{
	static const char *const texts[] = {
		"DELETE FROM replay WHERE ended > 0 AND ended < ?1",
		"DELETE FROM replay_user WHERE replay NOT IN"
		" (SELECT number FROM replay) AND ?1 > 0",
		"DELETE FROM replay_mail WHERE replay NOT IN"
		" (SELECT number FROM replay) AND ?1 > 0",
	};
	sqlite3 *db = open_file(path, err);
	int rc;

	if (db == NULL)
		return -1;
	rc = run(db, "BEGIN IMMEDIATE", err);
	for (size_t i = 0; i < ARRAY_LEN(texts) && rc == 0; i++) {
		sqlite3_stmt *s = prepare(db, texts[i], err);

		rc = s == NULL ? -1 : 0;
		sqlite3_bind_int64(s, 1, before_us);
		if (rc == 0 && sqlite3_step(s) != SQLITE_DONE)
			rc = say(db, err);
		sqlite3_finalize(s);
	}
	return end(db, rc, err);
}

/* ---- reading ----------------------------------------------------------- */

#define COLUMNS "SELECT number, started, ended, who, command, note, wave," \
	" from_leg, to_leg, since, until, state, reason, covered, users," \
	" there, waits, came_from, gone, unread FROM replay "

static void take_row(sqlite3_stmt *s, struct arena *a, struct replay_row *r)
{
	*r = (struct replay_row){.number = sqlite3_column_int64(s, 0),
	    .started_us = sqlite3_column_int64(s, 1),
	    .ended_us = sqlite3_column_int64(s, 2),
	    .who = text(s, 3, a), .command = text(s, 4, a),
	    .note = text(s, 5, a), .wave = text(s, 6, a),
	    .from_leg = text(s, 7, a), .to_leg = text(s, 8, a),
	    .since_us = sqlite3_column_int64(s, 9),
	    .until_us = sqlite3_column_int64(s, 10),
	    .state = (enum replay_state)sqlite3_column_int(s, 11),
	    .reason = text(s, 12, a),
	    .covered_us = sqlite3_column_int64(s, 13),
	    .users = sqlite3_column_int64(s, 14),
	    .there = sqlite3_column_int64(s, 15),
	    .waits = sqlite3_column_int64(s, 16),
	    .came_from = sqlite3_column_int64(s, 17),
	    .gone = sqlite3_column_int64(s, 18),
	    .unread = sqlite3_column_int64(s, 19)};
}

int replay_file_next(const char *path, int64_t after, struct arena *a,
    struct replay_row *row_out, struct error *err)
{
	sqlite3 *db = open_file(path, err);
	sqlite3_stmt *s;
	int rc = -1;

	if (db == NULL)
		return -1;
	s = prepare(db, COLUMNS "WHERE state < ?1 AND number > ?2"
	    " ORDER BY number LIMIT 1", err);
	if (s != NULL) {
		sqlite3_bind_int64(s, 2, after);
		sqlite3_bind_int(s, 1, REPLAY_DONE);
		rc = sqlite3_step(s);
		if (rc == SQLITE_ROW)
			take_row(s, a, row_out);
		rc = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0
							      : say(db, err);
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
	return rc;
}

/* One row of each table; `s` stands on it. */
static void give_row(const struct replay_reader *r, sqlite3_stmt *s)
{
	struct replay_row row;

	take_row(s, r->a, &row);
	r->row(r->arg, &row);
}

static void give_count(const struct replay_reader *r, sqlite3_stmt *s)
{
	r->count(r->arg, sqlite3_column_int64(s, 0),
	    (uint8_t)sqlite3_column_int(s, 1), sqlite3_column_int64(s, 2));
}

static void give_user(const struct replay_reader *r, sqlite3_stmt *s)
{
	struct replay_user u = {text(s, 0, r->a),
	    sqlite3_column_int(s, 1) != 0};

	r->user(r->arg, &u);
}

static void give_mail(const struct replay_reader *r, sqlite3_stmt *s)
{
	struct replay_mail m = {.id = (uint64_t)sqlite3_column_int64(s, 0),
	    .rcpt = (uint32_t)sqlite3_column_int64(s, 1),
	    .address = text(s, 2, r->a),
	    .number = (uint32_t)sqlite3_column_int64(s, 3),
	    .state = (uint8_t)sqlite3_column_int(s, 4),
	    .time_us = sqlite3_column_int64(s, 5)};

	r->mail(r->arg, &m);
}

struct replay_reading {
	bool wanted;
	const char *text;
	void (*give)(const struct replay_reader *r, sqlite3_stmt *s);
};

static int read_table(sqlite3 *db, const struct replay_reader *r,
    const struct replay_reading *how, struct error *err)
{
	sqlite3_stmt *s = prepare(db, how->text, err);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, r->number);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		how->give(r, s);
	rc = rc == SQLITE_DONE ? 0 : say(db, err);
	sqlite3_finalize(s);
	return rc;
}

int replay_file_read(const char *path, const struct replay_reader *r,
    struct error *err)
{
	const struct replay_reading tables[] = {
		{r->row != NULL, COLUMNS "WHERE ?1 IN (0, number)"
		    " ORDER BY number", give_row},
		{r->count != NULL, "SELECT replay, state, count(*) FROM"
		    " replay_mail WHERE ?1 IN (0, replay) GROUP BY 1, 2",
		    give_count},
		{r->user != NULL, "SELECT address, lacks FROM replay_user"
		    " WHERE replay = ?1 ORDER BY 1", give_user},
		{r->mail != NULL, "SELECT id, rcpt, address, number, state,"
		    " time FROM replay_mail WHERE replay = ?1 ORDER BY 1, 2",
		    give_mail},
	};
	sqlite3 *db = open_file(path, err);
	int rc = db == NULL ? -1 : 0;

	for (size_t i = 0; i < ARRAY_LEN(tables) && rc == 0; i++)
		if (tables[i].wanted)
			rc = read_table(db, r, &tables[i], err);
	sqlite3_close(db);
	return rc;
}
