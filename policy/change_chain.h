/* SPDX-License-Identifier: ISC
 *
 * The chain of the table's history: each line of `change` holds the SHA-256
 * of the line before it (`previous`), so that a line that was altered, taken
 * out or put in later is found. The newest line is covered by the next one.
 */
#ifndef POLICY_CHANGE_CHAIN_H
#define POLICY_CHANGE_CHAIN_H

#include "policy/db.h"

enum { CHAIN_BYTES = 32 };

/* A line as it is hashed, in this order; `chain_line()` reads them. */
#define CHAIN_COLUMNS "change, time, who, host, command, note, recipients, " \
	"node, kind, wave, previous"

/* Hashes the line that `st` stands on, whose columns are CHAIN_COLUMNS. */
void chain_line(sqlite3_stmt *st, unsigned char hash_out[CHAIN_BYTES]);
/* Does the line say that `hash` is that of the line before? The first line
 * says nothing (n 0). */
bool chain_follows(sqlite3_stmt *st, struct slice hash);

struct chain_state {
	uint64_t lines;
	uint64_t broken; /* the first line that does not follow; 0: none */
	uint64_t before; /* the line before it, which is not as it was */
};

/* Walks the whole history. -1: it cannot be read. Any thread with a handle of
 * its own. */
int chain_verify(struct db *db, struct chain_state *state_out,
    struct error *err) PH_CHECK;

#endif
