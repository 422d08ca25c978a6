/* SPDX-License-Identifier: ISC
 *
 * One hour of the audit index: the era of its rows, and what is still owed
 * of one that began: it is committed before its consequences are.
 */
#include <stdio.h>

#include "relay/audit/hourfile_int.h"

static int put_era(struct hourfile *f, const struct hour_state *s)
{
	struct row_bind r;

	if (hourfile_row(f, SQL_ERA, &r) != 0)
		return -1;
	hourfile_row_int(&r, (int64_t)s->spool);
	hourfile_row_int(&r, s->era);
	hourfile_row_int(&r, (int64_t)s->until.generation);
	hourfile_row_int(&r, (int64_t)s->until.offset);
	hourfile_row_int(&r, s->told.generation != 0);
	return hourfile_row_done(&r) != 0
		   ? -1 : hourfile_put_told(f, s->told);
}

int hourfile_put_told(struct hourfile *f, struct spool_pos told)
{
	struct row_bind r;

	if (hourfile_row(f, SQL_PUT_TOLD, &r) != 0)
		return -1;
	hourfile_row_int(&r, (int64_t)told.generation);
	hourfile_row_int(&r, (int64_t)told.offset);
	return hourfile_row_done(&r);
}

/* A file of before this table keeps what its `again` means: all of before the
 * era. */
int hourfile_take_told(struct hourfile *f)
{
	sqlite3_stmt *s;
	int rc;

	if (f->state.told.generation == 0)
		return 0;
	s = hourfile_stmt(f, SQL_TOLD);
	if (s == NULL) /* no such table? */
		return sqlite3_errcode(f->db) == SQLITE_ERROR ? 0 : -1;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		f->state.told = (struct spool_pos){
		    (uint64_t)sqlite3_column_int64(s, 0),
		    (uint64_t)sqlite3_column_int64(s, 1)};
	sqlite3_reset(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

int hourfile_put_owed(struct hourfile *f, const struct era_owed *o)
{
	struct row_bind r;

	if (hourfile_row(f, SQL_PUT_OWED, &r) != 0)
		return -1;
	hourfile_row_text(&r, slice_str(o->why));
	hourfile_row_int(&r, (int64_t)o->open);
	hourfile_row_int(&r, o->note);
	hourfile_row_int(&r, o->ledger);
	return hourfile_row_done(&r);
}

int hourfile_owed(struct hourfile *f, struct era_owed *out)
{
	sqlite3_stmt *s = hourfile_stmt(f, SQL_OWED);
	int rc;

	*out = (struct era_owed){.open = 0};
	if (s == NULL) /* no such table? */
		return sqlite3_errcode(f->db) == SQLITE_ERROR ? 0 : -1;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		const unsigned char *why = sqlite3_column_text(s, 0);

		snprintf(out->why, sizeof(out->why), "%s",
		    why == NULL ? "" : (const char *)why);
		out->open = (uint64_t)sqlite3_column_int64(s, 1);
		out->note = sqlite3_column_int(s, 2) != 0;
		out->ledger = sqlite3_column_int(s, 3) != 0;
	}
	sqlite3_reset(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

static int commit_as_it_is(struct hourfile *f)
{
	const struct hour_state *st = &f->state;

	return hourfile_commit(f, st->cursor, st->known, st->based);
}

int hourfile_owe(struct hourfile *f, const struct era_owed *o)
{
	if (hourfile_put_owed(f, o) == 0 && commit_as_it_is(f) == 0)
		return 0;
	hourfile_rollback(f);
	return -1;
}

static int clear_totals(struct hourfile *f)
{
	return sqlite3_exec(f->db, "DELETE FROM total; DELETE FROM journal;"
	    " DELETE FROM base", NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

int hourfile_begin_era(struct hourfile *f, const struct hour_state *s,
    const struct era_owed *o)
{
	struct hour_state *st = &f->state;

	if (put_era(f, s) != 0 || hourfile_put_owed(f, o) != 0 ||
	    clear_totals(f) != 0) {
		hourfile_rollback(f);
		return -1;
	}
	st->based = false;
	if (hourfile_commit(f, s->cursor, false, false) != 0) {
		hourfile_rollback(f);
		return -1;
	}
	st->spool = s->spool;
	st->era = s->era;
	st->until = s->until;
	st->told = s->told;
	return 0;
}

int hourfile_put_spool(struct hourfile *f, uint64_t spool)
{
	struct hour_state st = f->state;

	st.spool = spool;
	if (put_era(f, &st) != 0 || commit_as_it_is(f) != 0) {
		hourfile_rollback(f);
		return -1;
	}
	f->state.spool = spool;
	return 0;
}
