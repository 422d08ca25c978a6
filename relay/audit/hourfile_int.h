/* SPDX-License-Identifier: ISC
 *
 * Shared by hourfile.c (writing) and hourread.c (reading).
 */
#ifndef RELAY_AUDIT_HOURFILE_INT_H
#define RELAY_AUDIT_HOURFILE_INT_H

#include "relay/audit/hourfile.h"

/* One prepared statement each, made when first used. */
enum hour_sql {
	SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_CURSOR,
	SQL_PUT_MESSAGE, SQL_PUT_RECIPIENT, SQL_PUT_MOVE, SQL_PUT_NOTE,
	SQL_PUT_TOTAL,
	SQL_MESSAGE, SQL_COUNT, SQL_SIZES, SQL_RECIPIENTS, SQL_ALL_RECIPIENTS,
	SQL_MOVES,
	SQL_BY_MESSAGE_ID, SQL_BY_TO, SQL_BY_FROM, SQL_BY_CLIENT, SQL_BY_TIME,
	SQL_BY_MOVE, SQL_BY_DOMAIN, SQL_BY_SUBJECT,
	SQL_NOTES_ID, SQL_NOTES_TO, SQL_NOTES_FROM, SQL_NOTES_CLIENT,
	SQL_NOTES_TIME, SQL_DELIVERED, SQL_GAPS,
	SQL_FLOW, SQL_JOURNAL, SQL_BASE,
	SQL_PUT_ORIGIN, SQL_ORIGIN, SQL_PUT_JOURNAL, SQL_PUT_BASE, SQL_ERA,
	SQL_PUT_OWED, SQL_OWED, SQL_PUT_STRIPPED, SQL_STRIPPED,
	SQL_PUT_TOLD, SQL_TOLD,
	SQLS
};

struct hourfile {
	sqlite3 *db;
	sqlite3_stmt *stmt[SQLS];
	int64_t hour;
	struct hour_state state;
	bool in_tx;
};

/* Binds in order; the row is written by hourfile_row_done(). */
struct row_bind {
	sqlite3_stmt *s;
	int i;
};
/* Begins the transaction, if need be. 0 or -1; so does the end of a row. */
int hourfile_row(struct hourfile *f, enum hour_sql which, struct row_bind *r);
void hourfile_row_int(struct row_bind *r, int64_t v);
void hourfile_row_text(struct row_bind *r, struct slice v);
int hourfile_row_done(struct row_bind *r);
/* hourtotals.c: the end of `from` is the beginning of `f`, which is new; NULL:
 * there is none before it. Commits. 0 or -1. */
int hourfile_follow(struct hourfile *f, struct hourfile *from);
/* hourera.c: hourfile_owe() as a part of a transaction. 0 or -1. */
int hourfile_put_owed(struct hourfile *f, const struct era_owed *o);
/* ... f->state.told: written as a part of a transaction; read, where the
 * column `again` alone says whether there is such a place. 0 or -1. */
int hourfile_put_told(struct hourfile *f, struct spool_pos told);
int hourfile_take_told(struct hourfile *f);
/* One without parameters. */
int hourfile_run(struct hourfile *f, enum hour_sql which);

/* Reset and ready to bind; NULL when it cannot be prepared. */
sqlite3_stmt *hourfile_stmt(struct hourfile *f, enum hour_sql which);
/* The functions that statements of a search call, on this connection. */
bool hourfile_functions(struct hourfile *f);

#endif
