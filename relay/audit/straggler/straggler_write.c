/* SPDX-License-Identifier: ISC
 *
 * The statements that write stragglers.
 */
#include "relay/audit/straggler/straggler_write.h"

#include "relay/base/clock.h"

/* `delivered = 0`: no leg took mail of it, as of most that send spam. */
const char straggler_schema[] =
    "CREATE TABLE IF NOT EXISTS straggler_since("
    " one INTEGER PRIMARY KEY CHECK(one = 1), since INT);"
    "CREATE TABLE IF NOT EXISTS straggler(id INTEGER PRIMARY KEY,"
    " client TEXT, listen TEXT, customer TEXT, name TEXT, helo TEXT,"
    " tls TEXT, senders TEXT, first INT, last INT, gap INT, messages INT,"
    " recipients INT, refused INT, judged INT, passed INT, delivered INT,"
    " proven INT, wants INT, wants_at INT,"
    " UNIQUE(client, listen, customer));"
    "CREATE INDEX IF NOT EXISTS straggler_refused ON straggler(last)"
    " WHERE delivered = 0;"
    "CREATE INDEX IF NOT EXISTS straggler_delivered ON straggler(last)"
    " WHERE delivered > 0;"
    "CREATE INDEX IF NOT EXISTS straggler_wants ON straggler(wants_at)"
    " WHERE wants > 0;"
    "CREATE TABLE IF NOT EXISTS straggler_day(straggler INT, day INT,"
    " messages INT, recipients INT, refused INT,"
    " PRIMARY KEY(straggler, day)) WITHOUT ROWID;";

enum straggler_sql { FIND, INSERT, UPDATE, ADD_DAY, SINCE, GAP, COUNT, NEWEST,
	OLD_REFUSED, OLD_DOUBTFUL, OLD_ANY, DROP_DAYS, DROP, PRUNE,
	STRAGGLER_SQLS };

/* Of INSERT and UPDATE: the key, texts, the new senders and times; from 11 on
 * counts that are added. */
static const char *const sql[STRAGGLER_SQLS] = {
	[FIND] = "SELECT id, senders, first, last, gap FROM straggler"
		 " WHERE client = ?1 AND listen = ?2 AND customer = ?3",
	[INSERT] = "INSERT INTO straggler VALUES(NULL, ?1, ?2, ?3,"
		   " ifnull(?4, ''), ifnull(?5, ''), ifnull(?6, ''), ?7, ?8,"
		   " ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
	[UPDATE] = "UPDATE straggler SET name = ifnull(?4, name),"
		   " helo = ifnull(?5, helo), tls = ifnull(?6, tls),"
		   " senders = ?7, first = ?8, last = ?9, gap = ?10,"
		   " messages = messages + ?11, recipients = recipients + ?12,"
		   " refused = refused + ?13, judged = judged + ?14,"
		   " passed = passed + ?15, delivered = delivered + ?16,"
		   " proven = proven + ?17, wants = wants + ?18,"
		   " wants_at = max(wants_at, ?19) WHERE id = ?20",
	[ADD_DAY] = "INSERT INTO straggler_day VALUES(?1, ?2, ?3, ?4, ?5)"
		    " ON CONFLICT(straggler, day) DO UPDATE SET"
		    " messages = messages + excluded.messages,"
		    " recipients = recipients + excluded.recipients,"
		    " refused = refused + excluded.refused",
	[SINCE] = "INSERT OR IGNORE INTO straggler_since VALUES(1, ?1)",
	[GAP] = "INSERT OR REPLACE INTO straggler_since VALUES(1, ?1)",
	[COUNT] = "SELECT count(*) FROM straggler",
	[NEWEST] = "SELECT ifnull(max(id), 0) FROM straggler",
	[OLD_REFUSED] = "SELECT id FROM straggler WHERE delivered = 0"
			" ORDER BY last LIMIT ?1",
	[OLD_DOUBTFUL] = "SELECT id FROM straggler WHERE delivered > 0"
			 " AND proven = 0 ORDER BY last LIMIT ?1",
	[OLD_ANY] = "SELECT id FROM straggler ORDER BY last LIMIT ?1",
	[DROP_DAYS] = "DELETE FROM straggler_day WHERE straggler = ?1",
	[DROP] = "DELETE FROM straggler WHERE id = ?1",
	[PRUNE] = "DELETE FROM straggler_day WHERE straggler BETWEEN ?1 AND ?2"
		  " AND day < ?3",
};

enum { DROP_MORE = 1000 /* than there are too many, for some peace */ };

struct straggler_writer {
	sqlite3 *db;
	int64_t rows; /* that the file has; -1: not counted yet */
	sqlite3_stmt *stmt[STRAGGLER_SQLS];
};

struct straggler_writer *straggler_writer_new(sqlite3 *db)
{
	struct straggler_writer *w = NEW(struct straggler_writer);

	w->db = db;
	w->rows = -1;
	for (int i = 0; i < STRAGGLER_SQLS; i++)
		if (sqlite3_prepare_v3(db, sql[i], -1,
			SQLITE_PREPARE_PERSISTENT, &w->stmt[i], NULL) !=
		    SQLITE_OK) {
			straggler_writer_free(w);
			return NULL;
		}
	return w;
}

void straggler_writer_free(struct straggler_writer *w)
{
	if (w == NULL)
		return;
	for (int i = 0; i < STRAGGLER_SQLS; i++)
		sqlite3_finalize(w->stmt[i]);
	mem_free(w);
}

static int run(struct straggler_writer *w, enum straggler_sql which)
{
	int rc = sqlite3_step(w->stmt[which]);

	sqlite3_reset(w->stmt[which]);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run_with(struct straggler_writer *w, enum straggler_sql which,
    int64_t value)
{
	sqlite3_bind_int64(w->stmt[which], 1, value);
	return run(w, which);
}

static int number(struct straggler_writer *w, enum straggler_sql which,
    int64_t *out)
{
	int rc = sqlite3_step(w->stmt[which]);

	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(w->stmt[which], 0);
	sqlite3_reset(w->stmt[which]);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC); /* NULL: NULL */
}

static void bind_key(sqlite3_stmt *s, const struct straggler_key *k)
{
	bind_text(s, 1, k->client);
	bind_text(s, 2, k->listen);
	bind_text(s, 3, k->customer);
}

/* `all`: what the file had of times and senders, with `r` added. */
static void bind_row(sqlite3_stmt *s, const struct straggler_row *r,
    const struct straggler_row *all, struct strbuf *senders)
{
	const uint64_t more[] = {r->messages, r->recipients, r->refused,
	    r->judged, r->passed, r->delivered, r->proven, r->wants};

	bind_text(s, 4, r->name);
	bind_text(s, 5, r->helo);
	bind_text(s, 6, r->tls);
	straggler_senders_print(&all->senders, senders);
	bind_text(s, 7, strbuf_cstr(senders));
	sqlite3_bind_int64(s, 8, all->first_us);
	sqlite3_bind_int64(s, 9, all->last_us);
	sqlite3_bind_int64(s, 10, all->gap_us);
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		sqlite3_bind_int64(s, 11 + (int)i, (int64_t)more[i]);
	sqlite3_bind_int64(s, 19, r->wants_us);
}

/* SQLITE_ROW, its id, and what it has of times and senders; SQLITE_DONE: there
 * is none. */
static int find(struct straggler_writer *w, const struct straggler_key *k,
    struct straggler_row *had, int64_t *id_out)
{
	sqlite3_stmt *s = w->stmt[FIND];
	int rc;

	bind_key(s, k);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		*id_out = sqlite3_column_int64(s, 0);
		straggler_senders_parse(&had->senders, slice_of(
		    sqlite3_column_text(s, 1),
		    (size_t)sqlite3_column_bytes(s, 1)));
		had->first_us = sqlite3_column_int64(s, 2);
		had->last_us = sqlite3_column_int64(s, 3);
		had->gap_us = sqlite3_column_int64(s, 4);
	}
	sqlite3_reset(s);
	return rc;
}

static int put_days(struct straggler_writer *w, int64_t id,
    const struct straggler_row *r)
{
	sqlite3_stmt *s = w->stmt[ADD_DAY];
	int rc = SQLITE_OK;

	for (unsigned i = 0; i < r->days && rc == SQLITE_OK; i++) {
		const struct straggler_day *d = &r->day[i];

		sqlite3_bind_int64(s, 1, id);
		sqlite3_bind_int64(s, 2, d->day);
		sqlite3_bind_int64(s, 3, (int64_t)d->messages);
		sqlite3_bind_int64(s, 4, (int64_t)d->recipients);
		sqlite3_bind_int64(s, 5, (int64_t)d->refused);
		rc = run(w, ADD_DAY);
	}
	return rc;
}

static int put_with(struct straggler_writer *w,
    const struct straggler_entry *e, struct straggler_row *all,
    int64_t id)
{
	enum straggler_sql which = id == 0 ? INSERT : UPDATE;
	struct strbuf senders;
	int rc;

	strbuf_init(&senders, STRAGGLER_SENDERS_TEXT);
	straggler_row_merge(all, &e->row);
	bind_key(w->stmt[which], &e->key);
	bind_row(w->stmt[which], &e->row, all, &senders);
	if (id != 0)
		sqlite3_bind_int64(w->stmt[which], 20, id);
	rc = run(w, which);
	if (rc == SQLITE_OK && id == 0) {
		id = sqlite3_last_insert_rowid(w->db);
		w->rows += w->rows >= 0;
	}
	strbuf_fini(&senders);
	return rc == SQLITE_OK ? put_days(w, id, &e->row) : rc;
}

/* A delivery alone makes no row: its message came from a client that is none,
 * or whose row was dropped. */
static int put(struct straggler_writer *w, const struct straggler_entry *e)
{
	struct straggler_row all = {.name = NULL};
	int64_t id = 0;
	int rc = find(w, &e->key, &all, &id);

	if (rc == SQLITE_ROW || (rc == SQLITE_DONE &&
		(e->row.last_us != 0 || e->row.wants > 0)))
		rc = put_with(w, e, &all, id);
	else if (rc == SQLITE_DONE)
		rc = SQLITE_OK;
	straggler_row_fini(&all);
	return rc;
}

/* ---- the ceiling --------------------------------------------------------- */

/* At most `n` rows that `which` finds. */
static int drop(struct straggler_writer *w, enum straggler_sql which,
    int64_t n)
{
	sqlite3_stmt *s = w->stmt[which];
	int rc;

	sqlite3_bind_int64(s, 1, n);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(s, 0);

		rc = run_with(w, DROP_DAYS, id);
		if (rc == SQLITE_OK)
			rc = run_with(w, DROP, id);
		if (rc != SQLITE_OK)
			break;
		w->rows--;
	}
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* One that mail spoke for is missed: nothing of before counts as known. */
static int keep_to(struct straggler_writer *w, const struct straggler_batch *b)
{
	int64_t keep = b->rows_max - (b->rows_max > DROP_MORE ? DROP_MORE : 0);
	int rc = SQLITE_OK;

	if (w->rows < 0)
		rc = number(w, COUNT, &w->rows);
	if (rc != SQLITE_OK || w->rows <= b->rows_max)
		return rc;
	rc = drop(w, OLD_REFUSED, w->rows - keep);
	if (rc == SQLITE_OK && w->rows > b->rows_max)
		rc = drop(w, OLD_DOUBTFUL, w->rows - keep);
	if (rc == SQLITE_OK && w->rows > b->rows_max) {
		rc = drop(w, OLD_ANY, w->rows - keep);
		if (rc == SQLITE_OK)
			rc = run_with(w, GAP, b->now_us);
	}
	return rc;
}

int straggler_write(struct straggler_writer *w,
    const struct straggler_batch *b)
{
	struct straggler_entry *e, *next;
	int rc = b->gap_us != 0 ? run_with(w, GAP, b->gap_us)
				: run_with(w, SINCE, b->now_us);

	HASH_ITER(hh, b->fold->table, e, next)
		if (rc == SQLITE_OK)
			rc = put(w, e);
	if (rc == SQLITE_OK)
		rc = keep_to(w, b);
	if (rc != SQLITE_OK)
		w->rows = -1; /* what was done is undone */
	return rc;
}

int straggler_prune(struct straggler_writer *w, unsigned part, unsigned parts,
    int64_t before_day)
{
	sqlite3_stmt *s = w->stmt[PRUNE];
	int64_t newest = 0, width;
	int rc = number(w, NEWEST, &newest);

	if (rc != SQLITE_OK)
		return rc;
	width = newest / parts + 1;
	sqlite3_bind_int64(s, 1, part * width);
	sqlite3_bind_int64(s, 2, (part + 1) * width - 1);
	sqlite3_bind_int64(s, 3, before_day);
	return run(w, PRUNE);
}
