/* SPDX-License-Identifier: ISC
 *
 * Stragglers are read. Those that a leg took mail of, and the others, have an
 * index each; both are walked at once where all are wanted.
 */
#include "relay/audit/straggler/straggler_reader.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/base/mem.h"

enum { READ_WAIT_MS = 2000 };

#define COLUMNS \
	"SELECT id, client, listen, customer, name, helo, tls, senders," \
	" first, last, gap, messages, recipients, refused, judged, passed," \
	" delivered, proven, wants, wants_at FROM straggler WHERE "
#define NEWEST " AND last >= ?1 ORDER BY last DESC"

enum straggler_select { SELECT_DELIVERED, SELECT_REFUSED, SELECT_WANTING,
	SELECT_DAYS, SELECT_HAS, SELECTS };

static const char *const sql[SELECTS] = {
	[SELECT_DELIVERED] = COLUMNS "delivered > 0" NEWEST,
	[SELECT_REFUSED] = COLUMNS "delivered = 0" NEWEST,
	[SELECT_WANTING] = COLUMNS "wants > 0 AND wants_at >= ?1"
	    " ORDER BY wants_at DESC",
	[SELECT_DAYS] = "SELECT day, messages, recipients, refused FROM"
	    " straggler_day WHERE straggler = ?1 AND day >= ?2 ORDER BY day",
	[SELECT_HAS] = "SELECT 1 FROM straggler WHERE client = ?1 AND"
	    " last > 0",
};

struct straggler_reader {
	sqlite3 *db;
	int64_t since_us;
	sqlite3_stmt *stmt[SELECTS];
};

static bool prepare(struct straggler_reader *r)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(r->db, "SELECT since FROM straggler_since",
	    -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		r->since_us = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return false;
	for (int i = 0; i < SELECTS; i++)
		if (sqlite3_prepare_v2(r->db, sql[i], -1, &r->stmt[i], NULL) !=
		    SQLITE_OK)
			return false;
	return true;
}

struct straggler_reader *straggler_reader_open(const char *dir,
    struct error *err)
{
	struct straggler_reader *r;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/ledger.db", dir) >= PATH_MAX) {
		error_set(err, "%s: the path is too long", dir);
		return NULL;
	}
	if (access(path, R_OK) != 0) {
		error_sys(err, errno, "%s", path);
		return NULL;
	}
	r = NEW(struct straggler_reader);
	if (sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READONLY |
		SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
	    sqlite3_busy_timeout(r->db, READ_WAIT_MS) == SQLITE_OK &&
	    prepare(r))
		return r;
	error_set(err, "%s: %s", path, sqlite3_errmsg(r->db));
	straggler_reader_close(r);
	return NULL;
}

void straggler_reader_close(struct straggler_reader *r)
{
	if (r == NULL)
		return;
	for (int i = 0; i < SELECTS; i++)
		sqlite3_finalize(r->stmt[i]);
	sqlite3_close(r->db);
	mem_free(r);
}

int64_t straggler_reader_since(const struct straggler_reader *r)
{
	return r->since_us;
}

/* ---- rows ---------------------------------------------------------------- */

static const char *text(sqlite3_stmt *s, int column)
{
	const char *t = (const char *)sqlite3_column_text(s, column);

	return t == NULL ? "" : t;
}

static uint64_t count(sqlite3_stmt *s, int column)
{
	int64_t n = sqlite3_column_int64(s, column);

	return n < 0 ? 0 : (uint64_t)n;
}

static void fill(struct straggler *out, sqlite3_stmt *s)
{
	*out = (struct straggler){
		.id = sqlite3_column_int64(s, 0),
		.key = {text(s, 1), text(s, 2), text(s, 3)},
		.name = text(s, 4),
		.helo = text(s, 5),
		.tls = text(s, 6),
		.senders = text(s, 7),
		.first_us = sqlite3_column_int64(s, 8),
		.last_us = sqlite3_column_int64(s, 9),
		.gap_us = sqlite3_column_int64(s, 10),
		.messages = count(s, 11),
		.recipients = count(s, 12),
		.refused = count(s, 13),
		.judged = count(s, 14),
		.passed = count(s, 15),
		.delivered = count(s, 16),
		.proven = count(s, 17),
		.wants = count(s, 18),
		.wants_us = sqlite3_column_int64(s, 19),
	};
}

static int begin(struct straggler_reader *r, enum straggler_select which,
    int64_t since_us)
{
	sqlite3_bind_int64(r->stmt[which], 1, since_us);
	return sqlite3_step(r->stmt[which]);
}

/* One list alone. */
static int walk(struct straggler_reader *r, enum straggler_select which,
    const struct straggler_look *look)
{
	int rc = begin(r, which, look->since_us);
	struct straggler s;

	for (; rc == SQLITE_ROW; rc = sqlite3_step(r->stmt[which])) {
		fill(&s, r->stmt[which]);
		if (!look->fn(look->arg, &s))
			rc = SQLITE_DONE;
		if (rc == SQLITE_DONE)
			break;
	}
	return rc;
}

/* The newer one of the two lists, each time. */
static int walk_both(struct straggler_reader *r,
    const struct straggler_look *look)
{
	sqlite3_stmt *a = r->stmt[SELECT_DELIVERED];
	sqlite3_stmt *b = r->stmt[SELECT_REFUSED];
	int64_t since_us = look->since_us > 0 ? look->since_us : 1;
	int one = begin(r, SELECT_DELIVERED, since_us);
	int two = begin(r, SELECT_REFUSED, since_us);
	struct straggler s;

	while (one == SQLITE_ROW || two == SQLITE_ROW) {
		bool first = two != SQLITE_ROW || (one == SQLITE_ROW &&
			sqlite3_column_int64(a, 9) >=
			    sqlite3_column_int64(b, 9));

		fill(&s, first ? a : b);
		if (!look->fn(look->arg, &s))
			return SQLITE_DONE;
		if (first)
			one = sqlite3_step(a);
		else
			two = sqlite3_step(b);
	}
	return one != SQLITE_DONE ? one : two;
}

int straggler_reader_each(struct straggler_reader *r,
    const struct straggler_look *look, struct error *err)
{
	int rc;

	if (look->which == STRAGGLERS_ALL)
		rc = walk_both(r, look);
	else
		rc = walk(r, look->which == STRAGGLERS_DELIVERED
		    ? SELECT_DELIVERED : SELECT_WANTING, look);
	if (rc != SQLITE_DONE)
		error_set(err, "ledger.db: %s", sqlite3_errmsg(r->db));
	for (int i = 0; i < SELECTS; i++)
		sqlite3_reset(r->stmt[i]);
	return rc == SQLITE_DONE ? 0 : -1;
}

int straggler_reader_days(struct straggler_reader *r, int64_t id, int64_t day,
    struct straggler_day out[STRAGGLER_DAYS_KEPT + 1], struct error *err)
{
	sqlite3_stmt *s = r->stmt[SELECT_DAYS];
	int n = 0, rc;

	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, day);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW &&
	       n <= STRAGGLER_DAYS_KEPT)
		out[n++] = (struct straggler_day){sqlite3_column_int64(s, 0),
		    count(s, 1), count(s, 2), count(s, 3)};
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		n = error_set(err, "ledger.db: %s", sqlite3_errmsg(r->db));
	sqlite3_reset(s);
	return n;
}

int straggler_reader_has(struct straggler_reader *r, const char *client,
    struct error *err)
{
	sqlite3_stmt *s = r->stmt[SELECT_HAS];
	int rc;

	sqlite3_bind_text(s, 1, client, -1, SQLITE_STATIC);
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		error_set(err, "ledger.db: %s", sqlite3_errmsg(r->db));
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}
