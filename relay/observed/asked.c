/* SPDX-License-Identifier: ISC
 *
 * Rows of askings, and what legs answered.
 */
#include "relay/observed/asked_int.h"

#include <string.h>

/* ---- statements ---------------------------------------------------------- */

sqlite3_stmt *asked_stmt(struct observed *o, const char *sql,
    struct error *err)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(observed_db(o), sql, -1, &st, NULL) ==
	    SQLITE_OK)
		return st;
	observed_error(o, err);
	return NULL;
}

int asked_step(struct observed *o, sqlite3_stmt *st, struct error *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		observed_error(o, err);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

int asked_run(struct observed *o, sqlite3_stmt *st, struct error *err)
{
	return st == NULL || asked_step(o, st, err) < 0 ? -1 : 0;
}

void asked_text(sqlite3_stmt *st, int at, const char *text)
{
	sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

const char *asked_str(sqlite3_stmt *st, int column)
{
	const unsigned char *text = sqlite3_column_text(st, column);

	return text == NULL ? "" : (const char *)text;
}

/* ---- rows ---------------------------------------------------------------- */

/* The random name of a row's domain is asked as "@domain". */
#define RANDOM_OF(said) "substr(" said ", instr(" said ", '@'))"
#define COLUMNS "r.leg, r.address, r.said, r.kind, r.tag, r.tries, " \
	"r.settled, a.at, a.class, a.code, a.enh, a.reply, d.class"
#define ROWS " FROM asking_row r LEFT JOIN answer a ON a.leg = r.leg " \
	"AND a.said = r.said LEFT JOIN answer d ON d.leg = r.leg " \
	"AND d.said = " RANDOM_OF("r.said") " WHERE r.asking = ?1"

static const char due_rows[] = "SELECT " COLUMNS ROWS " AND r.leg = ?2 "
    "AND r.settled = 0 AND r.again <= ?3 ORDER BY r.again, r.address "
    "LIMIT ?4";
/* Classes 2 and 3 are PREFLIGHT_UNKNOWN and _REFUSED. */
static const char all_rows[] = "SELECT " COLUMNS ROWS
    " AND (?2 = 0 OR a.class IN (2, 3)) ORDER BY r.address, r.leg";

static struct asked_row row_at(sqlite3_stmt *st)
{
	return (struct asked_row){
	    .leg = asked_str(st, 0),
	    .address = asked_str(st, 1),
	    .said = asked_str(st, 2),
	    .kind = (enum asked_kind)sqlite3_column_int(st, 3),
	    .tag = asked_str(st, 4),
	    .tries = (unsigned)sqlite3_column_int(st, 5),
	    .settled = sqlite3_column_int(st, 6) != 0,
	    .at_us = sqlite3_column_int64(st, 7),
	    .class = sqlite3_column_int(st, 8),
	    .code = sqlite3_column_int(st, 9),
	    .enh = asked_str(st, 10),
	    .reply = asked_str(st, 11),
	    .random_class = sqlite3_column_int(st, 12),
	};
}

int asked_rows(struct observed *o, const struct asked_page *page,
    struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o,
	    page->leg != NULL ? due_rows : all_rows, err);
	int n = 0, rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, page->number);
	if (page->leg != NULL) {
		asked_text(st, 2, page->leg);
		sqlite3_bind_int64(st, 3, page->due_us);
		sqlite3_bind_int64(st, 4, page->limit);
	} else {
		sqlite3_bind_int(st, 2, page->fails);
	}
	while ((rc = asked_step(o, st, err)) > 0) {
		const struct asked_row row = row_at(st);

		page->fn(page->arg, &row);
		n++;
	}
	return rc < 0 ? -1 : n;
}

int asked_next_due(struct observed *o, int64_t number, const char *leg,
    int64_t *due_us_out, struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "SELECT coalesce(min(again), "
	    "9223372036854775807) FROM asking_row WHERE asking = ?1 "
	    "AND leg = ?2 AND settled = 0", err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, number);
	asked_text(st, 2, leg);
	if (asked_step(o, st, err) < 0)
		return -1;
	*due_us_out = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return 0;
}

struct asking_writer {
	struct observed *o;
	sqlite3_stmt *st;
	int64_t number;
};

struct asking_writer *asking_writer_new(struct observed *o, int64_t number,
    struct error *err)
{
	struct asking_writer *w = NEW(struct asking_writer);

	w->o = o;
	w->number = number;
	w->st = asked_stmt(o, "INSERT OR IGNORE INTO asking_row "
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, 0)", err);
	if (w->st != NULL)
		return w;
	mem_free(w);
	return NULL;
}

void asking_writer_free(struct asking_writer *w)
{
	if (w == NULL)
		return;
	sqlite3_finalize(w->st);
	mem_free(w);
}

/* Random names are first: the answers about others count by theirs. */
int asking_put_row(struct asking_writer *w, const struct asked_row *row,
    struct error *err)
{
	sqlite3_stmt *st = w->st;
	int rc;

	sqlite3_bind_int64(st, 1, w->number);
	asked_text(st, 2, row->leg);
	asked_text(st, 3, row->address);
	asked_text(st, 4, row->said);
	sqlite3_bind_int(st, 5, (int)row->kind);
	asked_text(st, 6, row->tag);
	sqlite3_bind_int(st, 7, row->kind == ASKED_RANDOM ? 0 : 1);
	rc = sqlite3_step(st) == SQLITE_DONE ? 0 : observed_error(w->o, err);
	sqlite3_reset(st);
	return rc;
}

int asked_mark(struct observed *o, int64_t number,
    const struct asked_row *row, int64_t again_us, struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "UPDATE asking_row SET tries = ?4, "
	    "again = ?5, settled = ?6 WHERE asking = ?1 AND leg = ?2 "
	    "AND address = ?3", err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, number);
	asked_text(st, 2, row->leg);
	asked_text(st, 3, row->address);
	sqlite3_bind_int64(st, 4, row->tries);
	sqlite3_bind_int64(st, 5, again_us);
	sqlite3_bind_int(st, 6, row->settled);
	return asked_run(o, st, err);
}

/* ---- answers ------------------------------------------------------------- */

int asked_answer(struct observed *o, const struct asked_row *row,
    struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "INSERT OR REPLACE INTO answer "
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)", err);

	if (st == NULL)
		return -1;
	asked_text(st, 1, row->leg);
	asked_text(st, 2, row->said);
	sqlite3_bind_int64(st, 3, row->at_us);
	sqlite3_bind_int(st, 4, row->class);
	sqlite3_bind_int(st, 5, row->code);
	asked_text(st, 6, row->enh);
	asked_text(st, 7, row->reply);
	return asked_run(o, st, err);
}

int asked_find(struct observed *o, struct asked_row *row, struct arena *a,
    struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "SELECT a.at, a.class, a.code, "
	    "a.enh, a.reply, d.class FROM answer a LEFT JOIN answer d "
	    "ON d.leg = a.leg AND d.said = " RANDOM_OF("a.said")
	    " WHERE a.leg = ?1 AND a.said = ?2", err);
	int rc;

	if (st == NULL)
		return -1;
	asked_text(st, 1, row->leg);
	asked_text(st, 2, row->said);
	rc = asked_step(o, st, err);
	if (rc <= 0)
		return rc;
	row->at_us = sqlite3_column_int64(st, 0);
	row->class = sqlite3_column_int(st, 1);
	row->code = sqlite3_column_int(st, 2);
	row->enh = arena_strdup(a, asked_str(st, 3));
	row->reply = arena_strdup(a, asked_str(st, 4));
	row->random_class = sqlite3_column_int(st, 5);
	sqlite3_finalize(st);
	return 1;
}

/* ---- legs that are asked no more ----------------------------------------- */

int asked_stop_put(struct observed *o, const char *leg,
    const struct asked_stop *stop, struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "INSERT OR REPLACE INTO asked_stop "
	    "VALUES(?1, ?2, ?3, ?4)", err);

	if (st == NULL)
		return -1;
	asked_text(st, 1, leg);
	sqlite3_bind_int64(st, 2, stop->at_us);
	sqlite3_bind_int(st, 3, stop->stop);
	asked_text(st, 4, stop->reason);
	return asked_run(o, st, err);
}

int asked_stop_forgive(struct observed *o, int64_t number, struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "DELETE FROM asked_stop WHERE leg IN "
	    "(SELECT r.leg FROM asking_row r WHERE r.asking = ?1)", err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, number);
	return asked_run(o, st, err);
}

int asked_stop_get(struct observed *o, const char *leg, struct arena *a,
    struct asked_stop *out, struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "SELECT at, stop, reason "
	    "FROM asked_stop WHERE leg = ?1", err);
	int rc;

	if (st == NULL)
		return -1;
	asked_text(st, 1, leg);
	rc = asked_step(o, st, err);
	if (rc <= 0)
		return rc;
	*out = (struct asked_stop){sqlite3_column_int64(st, 0),
	    sqlite3_column_int(st, 1), arena_strdup(a, asked_str(st, 2))};
	sqlite3_finalize(st);
	return 1;
}
