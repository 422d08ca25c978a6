/* SPDX-License-Identifier: ISC
 *
 * First outcomes as they stand in ledger.db.
 */
#include "relay/audit/delivered/outcome_reader.h"

#include "relay/audit/delivered/day_counts.h"
#include "relay/audit/delivered/ledger_read.h"
#include "relay/base/mem.h"

enum outcome_sql { READ_LEG, READ_DAYS, READ_FAILURES, READ_LEG_DAYS,
	OUTCOME_SQLS };

#define OF_LEG "recipient = ?1 AND (?2 < 0 OR leg = ?2)"

static const char *const sql[OUTCOME_SQLS] = {
	[READ_LEG] = "SELECT number FROM leg WHERE name = ?1",
	[READ_DAYS] = "SELECT days FROM delivery WHERE " OF_LEG,
	[READ_FAILURES] = "SELECT failed, trouble, last FROM failure WHERE "
			  OF_LEG " AND day BETWEEN ?3 AND ?4",
	[READ_LEG_DAYS] = "SELECT sum(delivered), sum(failed), sum(trouble)"
	    " FROM leg_day WHERE leg = ?1 AND day BETWEEN ?2 AND ?3",
};

struct outcome_reader {
	struct ledger_read ledger;
	sqlite3_stmt *stmt[OUTCOME_SQLS];
};

struct outcome_reader *outcome_reader_open(const struct conf *c,
    struct error *err)
{
	struct outcome_reader *r = NEW(struct outcome_reader);

	if (ledger_read_open(c, &r->ledger, err) == 0 &&
	    ledger_read_prepare(&r->ledger, sql, r->stmt, OUTCOME_SQLS,
		err) == 0)
		return r;
	outcome_reader_close(r);
	return NULL;
}

void outcome_reader_close(struct outcome_reader *r)
{
	if (r == NULL)
		return;
	for (int i = 0; i < OUTCOME_SQLS; i++)
		sqlite3_finalize(r->stmt[i]);
	ledger_read_close(&r->ledger);
	mem_free(r);
}

int64_t outcome_reader_since(const struct outcome_reader *r)
{
	return r->ledger.outcomes_us;
}

int outcome_reader_leg(struct outcome_reader *r, const char *name)
{
	sqlite3_stmt *s = r->stmt[READ_LEG];
	int leg = -1;

	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(s) == SQLITE_ROW)
		leg = sqlite3_column_int(s, 0);
	sqlite3_reset(s);
	return leg;
}

int64_t outcome_reader_key(const struct outcome_reader *r,
    struct slice address)
{
	return ledger_read_key(&r->ledger, address);
}

/* ---- sums -------------------------------------------------------------- */

static int end(struct outcome_reader *r, sqlite3_stmt *s, int rc,
    struct error *err)
{
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : ledger_read_fail(&r->ledger, err);
}

/* A number that the file may not hold counts as none. */
static uint64_t count_at(sqlite3_stmt *s, int column)
{
	int64_t n = sqlite3_column_int64(s, column);

	return n > 0 ? (uint64_t)n : 0;
}

static sqlite3_stmt *bound(struct outcome_reader *r, enum outcome_sql which,
    const struct outcome_of *of)
{
	sqlite3_stmt *s = r->stmt[which];

	sqlite3_bind_int64(s, 1, of->recipient);
	sqlite3_bind_int(s, 2, of->leg);
	return s;
}

static int add_days(struct outcome_reader *r, const struct outcome_of *of,
    struct outcome_sum *sum, struct error *err)
{
	sqlite3_stmt *s = bound(r, READ_DAYS, of);
	struct day_counts c;
	int rc;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const void *days = sqlite3_column_blob(s, 0);

		day_counts_parse(slice_of(days == NULL ? "" : days,
			(size_t)sqlite3_column_bytes(s, 0)), &c);
		sum->delivered += day_counts_sum(&c, of->from, of->to);
	}
	return end(r, s, rc, err);
}

int outcome_reader_add(struct outcome_reader *r, const struct outcome_of *of,
    struct outcome_sum *sum, struct error *err)
{
	sqlite3_stmt *s = bound(r, READ_FAILURES, of);
	int rc;

	sqlite3_bind_int64(s, 3, of->from);
	sqlite3_bind_int64(s, 4, of->to);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		uint64_t failed = count_at(s, 0);

		sum->failed += failed;
		sum->trouble += count_at(s, 1);
		if (failed > 0 && sqlite3_column_int64(s, 2) >= of->since_us)
			sum->lately = true;
	}
	if (end(r, s, rc, err) < 0)
		return -1;
	return add_days(r, of, sum, err);
}

int outcome_reader_add_leg(struct outcome_reader *r,
    const struct outcome_of *of, struct outcome_sum *sum, struct error *err)
{
	sqlite3_stmt *s = r->stmt[READ_LEG_DAYS];
	int rc;

	sqlite3_bind_int(s, 1, of->leg);
	sqlite3_bind_int64(s, 2, of->from);
	sqlite3_bind_int64(s, 3, of->to);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		sum->delivered += count_at(s, 0);
		sum->failed += count_at(s, 1);
		sum->trouble += count_at(s, 2);
	}
	return end(r, s, rc, err);
}
