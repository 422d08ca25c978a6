/* SPDX-License-Identifier: ISC
 *
 * Compares recorded changes with the lines of the table.
 */
#include "policy/check/history.h"

#include <string.h>

#include "relay/base/mem.h"

enum history_statement { H_LINE, H_DECISION };

static const char *const sql[] = {
	/* The line itself, or the one that comes behind its number. */
	[H_LINE] = "SELECT " CHAIN_COLUMNS " FROM main.change "
	    "WHERE change >= ?1 ORDER BY change LIMIT 1",
	[H_DECISION] = "SELECT " CHAIN_DECISION_COLUMNS " FROM main.decision "
	    "WHERE decision = ?1",
};

struct history_view {
	struct db db;
};

struct history_view *history_open(const char *path, struct error *err)
{
	struct history_view *h = NEW(struct history_view);

	if (db_open(&h->db, path, DB_READ, sql, err) < 0) {
		mem_free(h);
		return NULL;
	}
	if (db_script(&h->db, "BEGIN", err) < 0) {
		history_close(h);
		return NULL;
	}
	return h;
}

void history_close(struct history_view *h)
{
	if (h == NULL)
		return;
	db_close(&h->db);
	mem_free(h);
}

int history_verify(struct history_view *h, struct chain_state *state_out,
    struct error *err)
{
	return chain_verify(&h->db, true, state_out, err);
}

static enum history_fit fit(sqlite3_stmt *st, uint64_t change,
    const char *head)
{
	unsigned char hash[CHAIN_BYTES];
	char text[CHAIN_TEXT];

	if ((uint64_t)sqlite3_column_int64(st, 0) != change)
		return strcmp(db_str(st, 8), "accept") == 0 ? HISTORY_GIVEN_UP
							     : HISTORY_GONE;
	chain_line(st, hash);
	chain_text(hash, text);
	return strcmp(text, head) == 0 ? HISTORY_SAME : HISTORY_OTHER;
}

static enum history_fit decision_fit(sqlite3_stmt *st, const char *head)
{
	unsigned char hash[CHAIN_BYTES];
	char text[CHAIN_TEXT];

	chain_decision(st, hash);
	chain_text(hash, text);
	return strcmp(text, head) == 0 ? HISTORY_SAME : HISTORY_OTHER;
}

int history_compare_decision(struct history_view *h, uint64_t decision,
    const char *head, enum history_fit *fit_out, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&h->db, H_DECISION, err);
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)decision);
	rc = sqlite3_step(st);
	*fit_out = rc == SQLITE_ROW ? decision_fit(st, head) : HISTORY_GONE;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		db_error(&h->db, err);
	sqlite3_reset(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

int history_compare(struct history_view *h, uint64_t change, const char *head,
    enum history_fit *fit_out, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&h->db, H_LINE, err);
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)change);
	rc = sqlite3_step(st);
	*fit_out = HISTORY_GONE;
	if (rc == SQLITE_ROW)
		*fit_out = fit(st, change, head);
	else if (rc != SQLITE_DONE)
		db_error(&h->db, err);
	sqlite3_reset(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}
