/* SPDX-License-Identifier: ISC
 *
 * Shared by asking.c and asked.c: statements of observed.db.
 */
#ifndef RELAY_OBSERVED_ASKED_INT_H
#define RELAY_OBSERVED_ASKED_INT_H

#include "relay/observed/asked.h"

/* NULL and `err`; the caller finalizes it. */
sqlite3_stmt *asked_stmt(struct observed *o, const char *sql,
    struct error *err);
/* Runs a statement that gives no row, and finalizes it. */
int asked_run(struct observed *o, sqlite3_stmt *st, struct error *err);
/* One step: 1 a row, 0 the end (it is finalized), -1 (it is, too). */
int asked_step(struct observed *o, sqlite3_stmt *st, struct error *err);
void asked_text(sqlite3_stmt *st, int at, const char *text);
const char *asked_str(sqlite3_stmt *st, int column); /* never NULL */

#endif
