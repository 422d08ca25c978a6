/* SPDX-License-Identifier: ISC
 *
 * Walks lines and decisions side by side: each line holds the hash of the
 * newest decision at its time, so the decisions are read on until there.
 */
#include "policy/check/chain_verify.h"

#include <inttypes.h>
#include <string.h>

#include "policy/change_chain.h"

enum chain_statement { W_LINES, W_DECISIONS, W_ROWS, W_STRAY, W_STATEMENTS };

static const char *const sql[W_STATEMENTS] = {
	[W_LINES] = "SELECT " CHAIN_COLUMNS " FROM main.change "
	    "ORDER BY change",
	[W_DECISIONS] = "SELECT " CHAIN_DECISION_COLUMNS
	    " FROM main.decision ORDER BY decision",
	[W_ROWS] = "SELECT " CHAIN_LOG_COLUMNS " FROM main.log "
	    "WHERE change = ?1 ORDER BY address",
	[W_STRAY] = "SELECT min(change) FROM main.log "
	    "WHERE change NOT IN "
	    "(SELECT change FROM main.change)",
};

/* The line or decision before the one at hand. */
struct chain_link {
	unsigned char hash[CHAIN_BYTES];
	uint64_t number; /* 0: none yet */
};

struct chain_walk {
	struct db *db;
	sqlite3_stmt *st[W_STATEMENTS];
	struct chain_state *s;
	struct chain_link line, decision;
	bool no_more; /* decisions */
};

static bool is_hash(struct slice s, const unsigned char hash[CHAIN_BYTES])
{
	return s.n == CHAIN_BYTES && memcmp(s.p, hash, CHAIN_BYTES) == 0;
}

static bool follows(const struct chain_link *l, struct slice previous)
{
	return l->number == 0 ? previous.n == 0 : is_hash(previous, l->hash);
}

static void fault(struct chain_walk *w, enum chain_fault what, uint64_t number,
    uint64_t before)
{
	if (w->s->fault != CHAIN_WHOLE)
		return;
	w->s->fault = what;
	w->s->number = number;
	w->s->before = before;
}

/* ---- decisions --------------------------------------------------------- */

/* The next decision becomes the one at hand: 1, 0 there is none, -1. */
static int next_decision(struct chain_walk *w)
{
	sqlite3_stmt *st = w->st[W_DECISIONS];
	int rc = w->no_more ? SQLITE_DONE : sqlite3_step(st);
	uint64_t number;

	if (rc != SQLITE_ROW) {
		w->no_more = rc == SQLITE_DONE; /* a step would begin anew */
		return rc == SQLITE_DONE ? 0 : -1;
	}
	number = (uint64_t)sqlite3_column_int64(st, 0);
	if (!follows(&w->decision, chain_decision_previous(st)))
		fault(w, CHAIN_DECISION, number, w->decision.number);
	chain_decision(st, w->decision.hash);
	w->decision.number = number;
	w->s->decisions++;
	return 1;
}

/* Reads decisions on to the one that a line holds. */
static int find_decided(struct chain_walk *w, uint64_t line,
    struct slice decided)
{
	int rc = 1;

	if (decided.n == 0 || w->s->fault != CHAIN_WHOLE)
		return 0;
	while (rc > 0 && (w->decision.number == 0 ||
			     !is_hash(decided, w->decision.hash)))
		rc = next_decision(w);
	if (rc == 0)
		fault(w, CHAIN_DECIDED, line, w->decision.number);
	return rc < 0 ? -1 : 0;
}

/* ---- lines ------------------------------------------------------------- */

static int look_at_rows(struct chain_walk *w, sqlite3_stmt *line)
{
	sqlite3_stmt *st = w->st[W_ROWS];
	unsigned char digest[CHAIN_BYTES];
	uint64_t rows;

	if (st == NULL || chain_rows(line).n == 0)
		return 0;
	sqlite3_bind_int64(st, 1, sqlite3_column_int64(line, 0));
	if (chain_log(st, NULL, digest, &rows) < 0)
		return -1;
	if (is_hash(chain_rows(line), digest) || w->s->fault != CHAIN_WHOLE)
		return 0;
	fault(w, CHAIN_ROWS, (uint64_t)sqlite3_column_int64(line, 0), 0);
	w->s->rows = rows;
	w->s->recipients = (uint64_t)sqlite3_column_int64(line, 6);
	return 0;
}

static int look_at_line(struct chain_walk *w, sqlite3_stmt *st)
{
	uint64_t number = (uint64_t)sqlite3_column_int64(st, 0);

	if (!follows(&w->line, chain_previous(st))) {
		w->s->gap = strcmp(db_str(st, 8), "accept") == 0;
		fault(w, CHAIN_LINE, number, w->line.number);
	}
	if (find_decided(w, number, chain_decided(st)) < 0 ||
	    look_at_rows(w, st) < 0)
		return -1;
	chain_line(st, w->line.hash);
	w->line.number = number;
	w->s->lines++;
	return 0;
}

static int walk_lines(struct chain_walk *w)
{
	int rc = SQLITE_ROW;

	while (rc == SQLITE_ROW) {
		rc = sqlite3_step(w->st[W_LINES]);
		if (rc == SQLITE_ROW && look_at_line(w, w->st[W_LINES]) < 0)
			return -1;
	}
	return rc == SQLITE_DONE ? 0 : -1;
}

static int look_for_strays(struct chain_walk *w)
{
	sqlite3_stmt *st = w->st[W_STRAY];

	if (st == NULL)
		return 0;
	if (sqlite3_step(st) != SQLITE_ROW)
		return -1;
	if (sqlite3_column_type(st, 0) != SQLITE_NULL)
		fault(w, CHAIN_STRAY,
		    (uint64_t)sqlite3_column_int64(st, 0), 0);
	return 0;
}

static int walk_all(struct chain_walk *w)
{
	int rc;

	if (walk_lines(w) < 0)
		return -1;
	while ((rc = next_decision(w)) > 0)
		;
	return rc < 0 ? -1 : look_for_strays(w);
}

int chain_verify(struct db *db, bool rows, struct chain_state *state_out,
    struct error *err)
{
	struct chain_walk w = {.db = db, .s = state_out};
	int rc = 0;

	*state_out = (struct chain_state){0};
	for (int i = 0; i < (rows ? W_STATEMENTS : W_ROWS); i++)
		if (rc == 0 && sqlite3_prepare_v2(db->handle, sql[i], -1,
				   &w.st[i], NULL) != SQLITE_OK)
			rc = -1;
	if (rc == 0)
		rc = walk_all(&w);
	if (rc < 0)
		db_error(db, err);
	for (int i = 0; i < W_STATEMENTS; i++)
		sqlite3_finalize(w.st[i]);
	return rc;
}

/* ---- words ------------------------------------------------------------- */

/* "changes 4 to 6 were taken out" where numbers are missing, else what the
 * line before may have met. Only `table accept` passes numbers over. */
static void add_unlinked(const struct chain_state *s, const char *what,
    struct strbuf *out)
{
	uint64_t first = s->before + 1, last = s->number - 1;

	if (!s->gap && first < last)
		strbuf_addf(out, "%ss %" PRIu64 " to %" PRIu64 " were taken "
		    "out", what, first, last);
	else if (!s->gap && first == last)
		strbuf_addf(out, "%s %" PRIu64 " was taken out", what, first);
	else if (s->before == 0)
		strbuf_addf(out, "%s %" PRIu64 ", the first, was edited or "
		    "put in", what, s->number);
	else
		strbuf_addf(out, "%s %" PRIu64 " was edited or put in%s: "
		    "%s %" PRIu64 " does not follow it", what, s->before,
		    s->gap ? ", or one behind it was taken out" : "", what,
		    s->number);
}

void chain_fault_text(const struct chain_state *s, struct strbuf *out)
{
	switch (s->fault) {
	case CHAIN_WHOLE:
		return;
	case CHAIN_LINE:
		add_unlinked(s, "change", out);
		return;
	case CHAIN_DECISION:
		add_unlinked(s, "decision", out);
		return;
	case CHAIN_ROWS:
		strbuf_addf(out, "the rows of change %" PRIu64 " were edited, "
		    "taken out or put in (%" PRIu64 " rows; its line says %"
		    PRIu64 " recipients)", s->number, s->rows, s->recipients);
		return;
	case CHAIN_STRAY:
		strbuf_addf(out, "the log has rows of change %" PRIu64
		    ", which has no line", s->number);
		return;
	case CHAIN_DECIDED:
		strbuf_addf(out, "a decision was edited or taken out: change %"
		    PRIu64 " holds the hash of one that is not there, behind "
		    "decision %" PRIu64, s->number, s->before);
		return;
	}
}
