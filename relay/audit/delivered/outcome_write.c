/* SPDX-License-Identifier: ISC
 *
 * First outcomes are written, in the transaction that writes the last
 * deliveries and the cursor, so each counts once whatever is killed. What was
 * delivered at once is counted in the row of the last delivery, whose page is
 * written anyway; failures are few and have rows of their own.
 */
#include "relay/audit/delivered/day_counts.h"
#include "relay/audit/delivered/last_file_int.h"
#include "relay/base/clock.h"

/* days_add(days, day, n): the counts with n more on that day. */
static void days_add(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct day_counts c;
	uint8_t bytes[DAY_COUNTS_BYTES];
	const void *had = sqlite3_value_blob(argv[0]);

	(void)argc;
	day_counts_parse(slice_of(had == NULL ? "" : had,
			     (size_t)sqlite3_value_bytes(argv[0])), &c);
	day_counts_add(&c, sqlite3_value_int64(argv[1]),
	    (uint32_t)sqlite3_value_int64(argv[2]));
	sqlite3_result_blob(ctx, bytes, (int)day_counts_print(&c, bytes),
	    SQLITE_TRANSIENT);
}

bool outcome_functions(sqlite3 *db)
{
	return sqlite3_create_function(db, "days_add", 3,
		   SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, days_add, NULL,
		   NULL) == SQLITE_OK;
}

static int run(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int put_failure(struct last_file *f, const struct outcome_row *r)
{
	sqlite3_stmt *s = f->stmt[LAST_PUT_FAILURE];

	sqlite3_bind_int64(s, 1, r->recipient);
	sqlite3_bind_int(s, 2, r->leg);
	sqlite3_bind_int64(s, 3, r->day);
	sqlite3_bind_int64(s, 4, r->failed);
	sqlite3_bind_int64(s, 5, r->trouble);
	sqlite3_bind_int64(s, 6, r->last_us);
	return run(s);
}

static int put_leg_day(struct last_file *f, const struct outcome_leg *r)
{
	sqlite3_stmt *s = f->stmt[LAST_PUT_LEG_DAY];

	sqlite3_bind_int(s, 1, r->leg);
	sqlite3_bind_int64(s, 2, r->day);
	for (int i = 0; i < FIRST_OUTCOMES; i++)
		sqlite3_bind_int64(s, 3 + i, (int64_t)r->n[i]);
	return run(s);
}

int outcome_write(struct last_file *f, const struct outcome_fold *o)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < o->n && rc == SQLITE_OK; i++)
		rc = put_failure(f, &o->row[i]);
	for (size_t i = 0; i < o->legs && rc == SQLITE_OK; i++)
		rc = put_leg_day(f, &o->leg[i]);
	return rc;
}

int outcome_prune(struct last_file *f, int64_t today)
{
	static const enum last_sql each[] = {LAST_DROP_FAILURE,
	    LAST_DROP_LEG_DAY};
	int rc = SQLITE_OK;

	for (size_t i = 0; i < ARRAY_LEN(each) && rc == SQLITE_OK; i++) {
		sqlite3_bind_int64(f->stmt[each[i]], 1, today - DAY_COUNTS);
		rc = run(f->stmt[each[i]]);
	}
	return rc;
}
