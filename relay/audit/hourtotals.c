/* SPDX-License-Identifier: ISC
 *
 * One hour of the audit index: its cursor, and the totals of each leg beside
 * it. The flow is counted from the moves of this file. The journal's own
 * figures stand in each of its batches, so they are known exactly where the
 * cursor is at the end of one; what they were at the beginning of the file
 * follows from the first that is known and the flow until then.
 */
#include "relay/audit/hourfile_int.h"

static int put(struct hourfile *f, enum hour_sql which, const char *leg,
    const int64_t total[TOTALS])
{
	struct row_bind r;

	if (hourfile_row(f, which, &r) != 0)
		return -1;
	hourfile_row_text(&r, slice_str(leg));
	for (int i = 0; i < TOTALS; i++)
		hourfile_row_int(&r, total[i]);
	return hourfile_row_done(&r);
}

int hourfile_put_total(struct hourfile *f, const char *leg,
    const int64_t add[TOTALS])
{
	return put(f, SQL_PUT_TOTAL, leg, add);
}

int hourfile_put_journal(struct hourfile *f, const char *leg,
    const int64_t total[TOTALS])
{
	return put(f, SQL_PUT_JOURNAL, leg, total);
}

static int put_base(struct hourfile *f)
{
	struct row_bind r;

	return hourfile_row(f, SQL_PUT_BASE, &r) == 0 ? hourfile_row_done(&r)
						      : -1;
}

int hourfile_commit(struct hourfile *f, struct spool_pos cursor, bool known,
    bool base)
{
	struct hour_state *st = &f->state;
	bool based = st->based || (known && base);
	struct row_bind r;

	if (based && !st->based && put_base(f) != 0)
		return -1;
	if (hourfile_row(f, SQL_CURSOR, &r) != 0)
		return -1;
	hourfile_row_int(&r, (int64_t)cursor.generation);
	hourfile_row_int(&r, (int64_t)cursor.offset);
	hourfile_row_int(&r, st->seq);
	hourfile_row_int(&r, known);
	hourfile_row_int(&r, based);
	if (hourfile_row_done(&r) != 0 || hourfile_run(f, SQL_COMMIT) != 0)
		return -1;
	f->in_tx = false;
	st->cursor = cursor;
	st->known = known;
	st->based = based;
	return 0;
}

/* ---- from hour to hour ------------------------------------------------- */

struct following {
	struct hourfile *to;
	int rc;
};

static void on_leg(void *arg, const char *leg, const int64_t total[TOTALS])
{
	struct following *w = arg;

	if (w->rc == 0)
		w->rc = hourfile_put_journal(w->to, leg, total);
}

int hourfile_follow(struct hourfile *f, struct hourfile *from)
{
	struct following w = {f, 0};
	struct era_owed owed;

	if (from != NULL && (hourfile_owed(from, &owed) != 0 ||
				hourfile_put_owed(f, &owed) != 0))
		return -1;
	if (from == NULL || !from->state.known)
		return hourfile_commit(f, f->state.cursor, false, false);
	if (hourfile_totals(from, HOUR_JOURNAL, on_leg, &w) < 0 || w.rc != 0)
		return -1;
	return hourfile_commit(f, f->state.cursor, true, from->state.based);
}

int hourfile_totals(struct hourfile *f, enum hour_totals which,
    void (*fn)(void *arg, const char *leg, const int64_t total[TOTALS]),
    void *arg)
{
	static const enum hour_sql of[] = {[HOUR_FLOW] = SQL_FLOW,
	    [HOUR_JOURNAL] = SQL_JOURNAL, [HOUR_BASE] = SQL_BASE};
	sqlite3_stmt *s = hourfile_stmt(f, of[which]);
	int rc, rows = 0;

	if (s == NULL)
		return -1;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const unsigned char *leg = sqlite3_column_text(s, 0);
		int64_t total[TOTALS];

		for (int i = 0; i < TOTALS; i++)
			total[i] = sqlite3_column_int64(s, i + 1);
		fn(arg, leg == NULL ? "" : (const char *)leg, total);
		rows = 1;
	}
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? rows : -1;
}
