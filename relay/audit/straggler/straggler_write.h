/* SPDX-License-Identifier: ISC
 *
 * Writes stragglers into ledger.db, in transactions of the caller, so that a
 * crash neither loses nor doubles what the file's cursor covers. One thread.
 */
#ifndef RELAY_AUDIT_STRAGGLER_STRAGGLER_WRITE_H
#define RELAY_AUDIT_STRAGGLER_STRAGGLER_WRITE_H

#include <sqlite3.h>

#include "relay/audit/straggler/straggler_fold.h"

enum { STRAGGLER_ROWS_MAX = 1000000 };

/* The step of ledger.db's schema that makes the tables (last_schema.c). */
extern const char straggler_schema[];

struct straggler_writer;
/* NULL: a statement cannot be prepared, see sqlite3_errmsg(). */
struct straggler_writer *straggler_writer_new(sqlite3 *db);
void straggler_writer_free(struct straggler_writer *w); /* NULL is fine */

struct straggler_batch {
	const struct straggler_fold *fold;
	int64_t now_us;
	int64_t gap_us; /* nothing of before counts as known; 0: no gap */
	int64_t rows_max;
};
/* Adds them to the rows that there are. Past rows_max the oldest go: first
 * those that no leg took mail of, then those whose mail nothing spoke for.
 * SQLITE_OK, or what went wrong. */
int straggler_write(struct straggler_writer *w,
    const struct straggler_batch *b);
/* Days before that one go, of one of `parts` parts of the rows. */
int straggler_prune(struct straggler_writer *w, unsigned part, unsigned parts,
    int64_t before_day);

#endif
