/* SPDX-License-Identifier: ISC
 *
 * See spf_ledger.h.
 */
#include "relay/audit/delivered/spf_ledger.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/base/mem.h"

enum { READ_WAIT_MS = 2000 };

struct spf_ledger {
	sqlite3 *db;
};

struct spf_ledger *spf_ledger_open(const char *dir, struct error *err)
{
	struct spf_ledger *l;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/ledger.db", dir) >= PATH_MAX) {
		error_set(err, "%s: the path is too long", dir);
		return NULL;
	}
	if (access(path, R_OK) != 0) {
		error_sys(err, errno, "%s", path);
		return NULL;
	}
	l = NEW(struct spf_ledger);
	if (sqlite3_open_v2(path, &l->db, SQLITE_OPEN_READONLY |
		SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
	    sqlite3_busy_timeout(l->db, READ_WAIT_MS) == SQLITE_OK &&
	    sqlite3_exec(l->db, "SELECT 1 FROM spf_since", NULL, NULL, NULL) ==
		SQLITE_OK)
		return l;
	error_set(err, "%s: %s", path, sqlite3_errmsg(l->db));
	spf_ledger_close(l);
	return NULL;
}

void spf_ledger_close(struct spf_ledger *l)
{
	if (l == NULL)
		return;
	sqlite3_close(l->db);
	mem_free(l);
}

const char *spf_ledger_error(struct spf_ledger *l)
{
	return sqlite3_errmsg(l->db);
}

static sqlite3_stmt *ask(struct spf_ledger *l, const char *sql, int64_t day)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(l->db, sql, -1, &s, NULL) == SQLITE_OK)
		sqlite3_bind_int64(s, 1, day);
	return s;
}

static int64_t number(struct spf_ledger *l, const char *sql, int64_t day)
{
	sqlite3_stmt *s = ask(l, sql, day);
	int64_t n = 0;

	if (sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

static const char *text(sqlite3_stmt *s, int column)
{
	const char *t = (const char *)sqlite3_column_text(s, column);

	return t == NULL ? "" : t;
}

/* 0, or -1: `rc` is not the end of all rows. */
static int end(sqlite3_stmt *s, int rc)
{
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

int64_t spf_ledger_since(struct spf_ledger *l)
{
	return number(l, "SELECT since FROM spf_since", 0);
}

int spf_ledger_clients(struct spf_ledger *l, const char *domain, int64_t day,
    void (*each)(void *arg, const char *client, uint64_t messages),
    void *arg)
{
	sqlite3_stmt *s = ask(l, "SELECT client, sum(messages) FROM spf_client"
	    " WHERE day >= ?1 AND domain = ?2 AND client <> ''"
	    " GROUP BY client ORDER BY 2 DESC, 1", day);
	int rc;

	sqlite3_bind_text(s, 2, domain, -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		each(arg, text(s, 0), (uint64_t)sqlite3_column_int64(s, 1));
	return end(s, rc);
}

uint64_t spf_ledger_more_clients(struct spf_ledger *l, int64_t day)
{
	return (uint64_t)number(l, "SELECT sum(messages) FROM spf_client"
	    " WHERE day >= ?1 AND client = ''", day);
}

int spf_ledger_forecast(struct spf_ledger *l, int64_t day,
    void (*each)(void *arg, const struct spf_forecast *f), void *arg)
{
	sqlite3_stmt *s = ask(l, "SELECT leg, domain, sum(by_spf),"
	    " sum(by_signature), sum(fail_none), sum(fail_quarantine),"
	    " sum(fail_reject), sum(unclear) FROM forecast WHERE day >= ?1"
	    " GROUP BY leg, domain ORDER BY leg, sum(by_spf + by_signature +"
	    " fail_none + fail_quarantine + fail_reject + unclear) DESC,"
	    " domain", day);
	struct spf_forecast f;
	int rc;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		f.leg = text(s, 0);
		f.domain = text(s, 1);
		for (int i = 0; i < SPF_SHARES; i++)
			f.n[i] = (uint64_t)sqlite3_column_int64(s, i + 2);
		each(arg, &f);
	}
	return end(s, rc);
}
