/* SPDX-License-Identifier: ISC
 *
 * Askings: the preflight of a wave, a comparison of two legs.
 */
#include "relay/observed/asked_int.h"

int64_t asking_add(struct observed *o, const struct asking *a,
    struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "INSERT INTO asking(kind, about, "
	    "created, route, old, who, started, ended, stop, reason, notes) "
	    "VALUES(?1, ?2, ?3, ?4, '', ?5, ?6, 0, 0, '', '')", err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int(st, 1, (int)a->kind);
	asked_text(st, 2, a->about);
	sqlite3_bind_int64(st, 3, a->created_us);
	asked_text(st, 4, a->route);
	asked_text(st, 5, a->who);
	sqlite3_bind_int64(st, 6, a->started_us);
	if (asked_run(o, st, err) < 0)
		return -1;
	return sqlite3_last_insert_rowid(observed_db(o));
}

int asking_end(struct observed *o, const struct asking *a, struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "UPDATE asking SET ended = ?2, "
	    "stop = ?3, reason = ?4, notes = ?5 WHERE number = ?1", err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, a->number);
	sqlite3_bind_int64(st, 2, a->ended_us);
	sqlite3_bind_int(st, 3, a->stop);
	asked_text(st, 4, a->reason);
	asked_text(st, 5, a->notes);
	return asked_run(o, st, err);
}

int asking_old(struct observed *o, int64_t number, const char *old,
    struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "UPDATE asking SET old = ?2 "
	    "WHERE number = ?1", err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, number);
	asked_text(st, 2, old);
	return asked_run(o, st, err);
}

#define COLUMNS "number, kind, about, created, route, old, who, started, " \
	"ended, stop, reason, notes"

/* As asked_step(), of a statement that is asked for one row. */
static int take(struct observed *o, sqlite3_stmt *st, struct arena *a,
    struct asking *out, struct error *err)
{
	int rc = asked_step(o, st, err);

	if (rc <= 0)
		return rc;
	*out = (struct asking){
	    .number = sqlite3_column_int64(st, 0),
	    .kind = (enum asking_kind)sqlite3_column_int(st, 1),
	    .about = arena_strdup(a, asked_str(st, 2)),
	    .created_us = sqlite3_column_int64(st, 3),
	    .route = arena_strdup(a, asked_str(st, 4)),
	    .old = arena_strdup(a, asked_str(st, 5)),
	    .who = arena_strdup(a, asked_str(st, 6)),
	    .started_us = sqlite3_column_int64(st, 7),
	    .ended_us = sqlite3_column_int64(st, 8),
	    .stop = sqlite3_column_int(st, 9),
	    .reason = arena_strdup(a, asked_str(st, 10)),
	    .notes = arena_strdup(a, asked_str(st, 11)),
	};
	sqlite3_finalize(st);
	return 1;
}

int asking_get(struct observed *o, const struct asking_which *w,
    struct arena *a, struct asking *asking_out, struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "SELECT " COLUMNS " FROM asking "
	    "WHERE (?1 <> 0 AND number = ?1 OR ?1 = 0 AND kind = ?2 "
	    "AND about = ?3) ORDER BY number DESC LIMIT 1", err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, w->number);
	sqlite3_bind_int(st, 2, (int)w->kind);
	asked_text(st, 3, w->about);
	return take(o, st, a, asking_out, err);
}

int asking_next(struct observed *o, int64_t after, struct arena *a,
    struct asking *asking_out, struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "SELECT " COLUMNS " FROM asking "
	    "WHERE number > ?1 AND ended = 0 ORDER BY number LIMIT 1", err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, after);
	return take(o, st, a, asking_out, err);
}

int asking_count(struct observed *o, int64_t number,
    struct asking_counts *out, struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, "SELECT count(*), "
	    "coalesce(sum(settled), 0) FROM asking_row WHERE asking = ?1 "
	    "AND kind <> 2", err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, number);
	if (asked_step(o, st, err) < 0)
		return -1;
	out->rows = (uint64_t)sqlite3_column_int64(st, 0);
	out->settled = (uint64_t)sqlite3_column_int64(st, 1);
	sqlite3_finalize(st);
	return 0;
}

static int prune_step(struct observed *o, const char *sql, int64_t before_us,
    struct error *err)
{
	sqlite3_stmt *st = asked_stmt(o, sql, err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, before_us);
	return asked_run(o, st, err);
}

int asked_prune(struct observed *o, int64_t before_us, struct error *err)
{
	static const char *const steps[] = {
	    ("DELETE FROM asking_row WHERE asking IN (SELECT number "
	     "FROM asking WHERE ended > 0 AND ended < ?1)"),
	    "DELETE FROM asking WHERE ended > 0 AND ended < ?1",
	    "DELETE FROM answer WHERE at < ?1",
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (prune_step(o, steps[i], before_us, err) < 0)
			return -1;
	return 0;
}
