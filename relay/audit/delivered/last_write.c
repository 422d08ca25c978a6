/* SPDX-License-Identifier: ISC
 *
 * ledger.db: rows and header are written.
 *
 * The key is a hash, so rows come in at random places and a transaction
 * changes about a page a row while the file is large: the caller gathers.
 */
#include <errno.h>

#include "relay/audit/delivered/last_file_int.h"
#include "relay/audit/straggler/straggler_write.h"
#include "relay/base/clock.h"

enum {
	SLICE_ROWS = 4096, /* are looked at together for the oldest */
	SLICE_SHARE = 8,   /* ... of which one in so many goes      */
};

#define IN_SLICE "recipient BETWEEN ?1 AND ?2"
#define IS_MARK "recipient = ?1 AND leg = ?2"

static const char *const sql[LAST_SQLS] = {
	[LAST_BEGIN] = "BEGIN IMMEDIATE",
	[LAST_COMMIT] = "COMMIT",
	[LAST_ROLLBACK] = "ROLLBACK",
	[LAST_PUT_STATE] = "UPDATE state SET spool = ?1, generation = ?2,"
			   " offset = ?3, since = ?4, refill = ?5, hole = ?6,"
			   " deliveries = ?7, marked = ?8, outcomes = ?9",
	[LAST_PUT_LEG] = "INSERT INTO leg VALUES(?1, ?2)",
	[LAST_UPDATE] = "UPDATE delivery SET time = ?4, id = ?5,"
			" uncertain = ?6, days = iif(?8 > 0, days_add(days,"
			" ?9, ?8), days) WHERE recipient = ?1 AND leg = ?2"
			" AND detail = ?3 AND (time <= ?4 OR time > ?7)",
	[LAST_INSERT] =
	    "INSERT OR IGNORE INTO delivery VALUES(?1, ?2, ?3, ?4, ?5, ?6,"
	    " iif(?8 > 0, days_add(NULL, ?9, ?8), NULL))",
	[LAST_OLDEST] = "SELECT time FROM delivery WHERE " IN_SLICE
			" ORDER BY time LIMIT 1 OFFSET ?3",
	[LAST_DROP] = "DELETE FROM delivery WHERE " IN_SLICE " AND time <= ?3",
	[LAST_COUNT] = "SELECT count(*) FROM delivery",
	[LAST_DROP_KNOWN] =
	    "DELETE FROM known WHERE (hash BETWEEN ?1 AND ?2) AND day < ?3",
	[LAST_PUT_ADDRESS] = "INSERT OR IGNORE INTO address VALUES(?1, ?2)",
	[LAST_DROP_ADDRESS] =
	    "DELETE FROM address WHERE " IN_SLICE " AND NOT EXISTS (SELECT 1"
	    " FROM delivery d WHERE d.recipient = address.recipient)",
	[LAST_MARK_GET] = "SELECT state, change, time, at FROM watermark"
			  " WHERE " IS_MARK,
	[LAST_MARK_PUT] = "INSERT INTO watermark VALUES(?1, ?2, ?3, ?4, ?5, 0,"
			  " 0, ?6, 0, ?5, 0, 0, '')",
	[LAST_MARK_END] = "DELETE FROM watermark WHERE " IS_MARK,
	[LAST_MARK_STATE] = "UPDATE watermark SET state = ?3, at = ?4,"
			    " open = 0 WHERE " IS_MARK,
	[LAST_MARK_LAST] =
	    "UPDATE watermark SET time = ?3, id = ?4 WHERE " IS_MARK,
	[LAST_MARK_TOLD] = "UPDATE watermark SET told = ?3, hook = iif(?4 > 0,"
			   " ?4, hook) WHERE " IS_MARK " AND state = ?3",
	[LAST_MARK_HOOK] =
	    "UPDATE watermark SET hook = ?3, note = ?4 WHERE " IS_MARK
	    " AND ?5 IN (0, at)",
	[LAST_MARK_OPEN] = "UPDATE watermark SET open = ?3 WHERE " IS_MARK,
	[LAST_MARK_WAIVE] = "UPDATE watermark SET waived = 1 WHERE " IS_MARK,
	[LAST_MARK_NEWEST] = "SELECT time, id FROM delivery WHERE " IS_MARK
			     " ORDER BY time DESC LIMIT 1",
	[LAST_MARK_ANY] = "SELECT 1 FROM watermark LIMIT 1",
	[LAST_PUT_FAILURE] =
	    "INSERT INTO failure VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT"
	    " DO UPDATE SET failed = failed + ?4, trouble = trouble + ?5,"
	    " last = max(last, ?6)",
	[LAST_PUT_LEG_DAY] =
	    "INSERT INTO leg_day VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT"
	    " DO UPDATE SET delivered = delivered + ?3, failed = failed + ?4,"
	    " trouble = trouble + ?5",
	[LAST_DROP_FAILURE] = "DELETE FROM failure WHERE day <= ?1",
	[LAST_DROP_LEG_DAY] = "DELETE FROM leg_day WHERE day <= ?1",
};

bool last_file_prepare(struct last_file *f)
{
	if (!outcome_functions(f->db))
		return false;
	for (int i = 0; i < LAST_SQLS; i++)
		if (sqlite3_prepare_v3(f->db, sql[i], -1,
			SQLITE_PREPARE_PERSISTENT, &f->stmt[i], NULL) !=
		    SQLITE_OK)
			return false;
	f->stragglers = straggler_writer_new(f->db);
	f->marks = sqlite3_step(f->stmt[LAST_MARK_ANY]) == SQLITE_ROW;
	sqlite3_reset(f->stmt[LAST_MARK_ANY]);
	return f->stragglers != NULL;
}

static int run(struct last_file *f, enum last_sql which)
{
	int rc = sqlite3_step(f->stmt[which]);

	sqlite3_reset(f->stmt[which]);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int fail(struct last_file *f, struct error *err)
{
	int code = sqlite3_errcode(f->db);

	error_set(err, "%s", sqlite3_errmsg(f->db));
	if (!sqlite3_get_autocommit(f->db))
		run(f, LAST_ROLLBACK);
	err->no = last_is_damage(code) ? EBADMSG : 0;
	return -1;
}

int last_row_order(const void *a, const void *b)
{
	const struct last_row *x = a, *y = b;

	if (x->to.base != y->to.base)
		return x->to.base < y->to.base ? -1 : 1;
	if (x->leg != y->leg)
		return x->leg < y->leg ? -1 : 1;
	return (x->to.detail > y->to.detail) - (x->to.detail < y->to.detail);
}

static void bind_row(sqlite3_stmt *s, const struct last_row *r)
{
	sqlite3_bind_int64(s, 1, r->to.base);
	sqlite3_bind_int(s, 2, r->leg);
	sqlite3_bind_int64(s, 3, r->to.detail);
	sqlite3_bind_int64(s, 4, r->time_us);
	sqlite3_bind_int64(s, 5, (int64_t)r->id);
	sqlite3_bind_int(s, 6, r->uncertain);
	sqlite3_bind_int64(s, 8, r->firsts);
	sqlite3_bind_int64(s, 9, r->time_us / DAY_US);
}

/* The text of its address, for those that a watermark of a whole domain is to
 * find. */
static int put_address(struct last_file *f, const struct last_row *r)
{
	sqlite3_stmt *s = f->stmt[LAST_PUT_ADDRESS];

	if (r->base == NULL)
		return SQLITE_OK;
	sqlite3_bind_int64(s, 1, r->to.base);
	sqlite3_bind_text(s, 2, r->base, -1, SQLITE_STATIC);
	return run(f, LAST_PUT_ADDRESS);
}

/* Most recipients have a row already. */
static int put_row(struct last_file *f, const struct last_row *r,
    int64_t now_us, int64_t *rows)
{
	int rc;

	bind_row(f->stmt[LAST_UPDATE], r);
	sqlite3_bind_int64(f->stmt[LAST_UPDATE], 7, now_us);
	rc = run(f, LAST_UPDATE);
	if (rc != SQLITE_OK || (sqlite3_changes(f->db) > 0 && !r->again))
		return rc;
	bind_row(f->stmt[LAST_INSERT], r);
	rc = run(f, LAST_INSERT);
	*rows += rc == SQLITE_OK ? sqlite3_changes(f->db) : 0;
	return rc == SQLITE_OK ? put_address(f, r) : rc;
}

static int put_rows(struct last_file *f, const struct last_batch *b,
    int64_t *rows)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < b->n && rc == SQLITE_OK; i++) {
		rc = put_row(f, &b->row[i], b->now_us, rows);
		if (rc == SQLITE_OK && f->marks)
			rc = watermark_delivered(f, &b->row[i]);
	}
	return rc;
}

static int put_stragglers(struct last_file *f, const struct last_batch *b)
{
	return b->stragglers == NULL ? SQLITE_OK
	    : straggler_write(f->stragglers, &(struct straggler_batch){
		.fold = b->stragglers, .now_us = b->now_us,
		.gap_us = b->straggler_gap_us,
		.rows_max = STRAGGLER_ROWS_MAX});
}

static int put_legs(struct last_file *f, int *legs)
{
	sqlite3_stmt *s = f->stmt[LAST_PUT_LEG];
	int rc = SQLITE_OK;

	for (; *legs < names_count(f->names) && rc == SQLITE_OK; (*legs)++) {
		sqlite3_bind_int(s, 1, *legs);
		sqlite3_bind_text(s, 2, names_text(f->names, *legs), -1,
		    SQLITE_TRANSIENT);
		rc = run(f, LAST_PUT_LEG);
	}
	return rc;
}

/* Hashes are spread evenly: of `of` parts this is one. */
static void bind_part(sqlite3_stmt *s, uint64_t part, uint64_t of)
{
	uint64_t width = UINT64_MAX / of;
	uint64_t from = (uint64_t)INT64_MIN + part * width;

	sqlite3_bind_int64(s, 1, (int64_t)from);
	sqlite3_bind_int64(s, 2, part == of - 1 ? INT64_MAX
						: (int64_t)(from + width - 1));
}

/* The oldest of one slice, which is a sample of all. */
static int drop_oldest(struct last_file *f, struct last_header *h,
    int64_t rows_max)
{
	uint64_t slices = (uint64_t)rows_max / SLICE_ROWS + 1;
	int64_t share = rows_max / (int64_t)slices / SLICE_SHARE;
	int64_t over = h->rows - rows_max, until;
	sqlite3_stmt *s = f->stmt[LAST_OLDEST];
	int rc;

	f->slice = (f->slice + 1) % slices;
	bind_part(s, f->slice, slices);
	sqlite3_bind_int64(s, 3, (over < share ? over : share) - 1);
	rc = sqlite3_step(s);
	until = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_reset(s);
	if (rc == SQLITE_DONE)
		return SQLITE_OK; /* so few are in this one */
	if (rc != SQLITE_ROW)
		return rc;
	bind_part(f->stmt[LAST_DROP], f->slice, slices);
	sqlite3_bind_int64(f->stmt[LAST_DROP], 3, until);
	rc = run(f, LAST_DROP);
	if (rc == SQLITE_OK)
		h->rows -= sqlite3_changes(f->db);
	if (rc == SQLITE_OK && until >= h->since_us)
		h->since_us = until + 1;
	h->hole = true; /* what is read again does not bring them back */
	return rc;
}

/* The header's count comes from the disk: no row goes for one that is wrong. */
static int count_rows(struct last_file *f, int64_t *rows)
{
	sqlite3_stmt *s = f->stmt[LAST_COUNT];
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW)
		*rows = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	f->counted = rc == SQLITE_ROW;
	return f->counted ? SQLITE_OK : rc;
}

/* Some slice has its share at least, so once through all always drops. */
static int keep_to(struct last_file *f, struct last_header *h,
    int64_t rows_max)
{
	int rc = SQLITE_OK;

	if (h->rows > rows_max && !f->counted)
		rc = count_rows(f, &h->rows);
	while (rc == SQLITE_OK && h->rows > rows_max)
		rc = drop_oldest(f, h, rows_max);
	return rc;
}

static int put_state(struct last_file *f, const struct last_header *h)
{
	sqlite3_stmt *s = f->stmt[LAST_PUT_STATE];

	sqlite3_bind_int64(s, 1, (int64_t)h->cursor.spool);
	sqlite3_bind_int64(s, 2, (int64_t)h->cursor.pos.generation);
	sqlite3_bind_int64(s, 3, (int64_t)h->cursor.pos.offset);
	sqlite3_bind_int64(s, 4, h->since_us);
	sqlite3_bind_int64(s, 5, h->refill);
	sqlite3_bind_int(s, 6, h->hole);
	sqlite3_bind_int64(s, 7, h->rows);
	sqlite3_bind_int64(s, 8, (int64_t)h->marked);
	sqlite3_bind_int64(s, 9, h->outcomes_us);
	return run(f, LAST_PUT_STATE);
}

/* Ends the transaction, in which all went well so far if `rc` says so. 0, or
 * -1: it is undone. */
static int end(struct last_file *f, int rc, const struct last_header *h,
    struct error *err)
{
	if (rc == SQLITE_OK)
		rc = put_state(f, h);
	if (rc == SQLITE_OK)
		rc = run(f, LAST_COMMIT);
	return rc == SQLITE_OK ? 0 : fail(f, err);
}

int last_file_write(struct last_file *f, const struct last_batch *b,
    struct last_header *h, struct error *err)
{
	struct last_header next = *h;
	int rc = run(f, LAST_BEGIN), legs = f->legs;

	if (rc == SQLITE_OK)
		rc = put_legs(f, &legs);
	if (rc == SQLITE_OK)
		rc = put_rows(f, b, &next.rows);
	if (rc == SQLITE_OK && b->ops > 0)
		rc = watermark_apply(f, b);
	if (rc == SQLITE_OK && b->outcomes != NULL)
		rc = outcome_write(f, b->outcomes);
	if (rc == SQLITE_OK)
		rc = keep_to(f, &next, b->rows_max);
	if (rc == SQLITE_OK)
		rc = put_stragglers(f, b);
	if (end(f, rc, &next, err) != 0)
		return -1;
	f->legs = legs;
	*h = next;
	return 0;
}

int last_file_prune(struct last_file *f, const struct last_age *age,
    struct last_header *h, struct error *err)
{
	struct last_header next = *h;
	int rc = run(f, LAST_BEGIN);

	bind_part(f->stmt[LAST_DROP], age->part, LAST_PARTS);
	sqlite3_bind_int64(f->stmt[LAST_DROP], 3, age->before_us - 1);
	bind_part(f->stmt[LAST_DROP_KNOWN], age->part, LAST_PARTS);
	sqlite3_bind_int64(f->stmt[LAST_DROP_KNOWN], 3, age->before_day);
	if (rc == SQLITE_OK)
		rc = run(f, LAST_DROP);
	if (rc == SQLITE_OK)
		next.rows -= sqlite3_changes(f->db);
	if (next.since_us < age->before_us)
		next.since_us = age->before_us;
	bind_part(f->stmt[LAST_DROP_ADDRESS], age->part, LAST_PARTS);
	if (rc == SQLITE_OK)
		rc = run(f, LAST_DROP_KNOWN);
	if (rc == SQLITE_OK)
		rc = run(f, LAST_DROP_ADDRESS);
	if (rc == SQLITE_OK)
		rc = outcome_prune(f, age->today);
	if (rc == SQLITE_OK)
		rc = straggler_prune(f->stragglers, age->part, LAST_PARTS,
		    age->today - STRAGGLER_DAYS_KEPT);
	if (end(f, rc, &next, err) != 0)
		return -1;
	*h = next;
	return 0;
}
