/* SPDX-License-Identifier: ISC
 *
 * The chain of the table's history. Each line of `change` holds the SHA-256 of
 * the line before it (`previous`), a digest of its own rows of `log` (`rows`)
 * and the hash of the newest decision at that time (`decided`); each decision
 * holds the hash of the decision before. So what was edited, taken out or put
 * in later is found. The newest line and decision are covered by the next
 * line; until then, and should the whole chain be computed anew, by their hash
 * in the journal (event `change`).
 */
#ifndef POLICY_CHANGE_CHAIN_H
#define POLICY_CHANGE_CHAIN_H

#include "policy/db.h"

enum { CHAIN_BYTES = 32, CHAIN_TEXT = 2 * CHAIN_BYTES + 1 };

/* A line as it is hashed, in this order; `c` is "" or the name of the table and
 * a dot. Statements that chain_line() and its kin read begin with them. */
#define CHAIN_COLUMNS_OF(c) c "change, " c "time, " c "who, " c "host, " \
	c "command, " c "note, " c "recipients, " c "node, " c "kind, " \
	c "wave, " c "previous, " c "rows, " c "decided"
#define CHAIN_COLUMNS CHAIN_COLUMNS_OF("")
enum { CHAIN_COLUMN_COUNT = 13 };
/* A row of the log, ordered by address. */
#define CHAIN_LOG_COLUMNS "address, old_route, old_held, old_mailbox, " \
	"old_tags, old_addresses, new_route, new_held, new_mailbox, " \
	"new_tags, new_addresses"
/* A decision. */
#define CHAIN_DECISION_COLUMNS "decision, time, who, host, command, about, " \
	"detail, note, previous"

/* Hashes the line that `st` stands on. One without a digest of its rows, of a
 * table that was upgraded, is hashed as it was then. */
void chain_line(sqlite3_stmt *st, unsigned char hash_out[CHAIN_BYTES]);
void chain_text(const unsigned char hash[CHAIN_BYTES],
    char text_out[CHAIN_TEXT]);
/* The three hashes that the line holds; n 0: none. Borrowed. */
struct slice chain_previous(sqlite3_stmt *st);
struct slice chain_rows(sqlite3_stmt *st);
struct slice chain_decided(sqlite3_stmt *st);

/* Called for each row of the log when it was hashed; -1 ends the reading. */
struct chain_each {
	int (*fn)(void *arg, sqlite3_stmt *row);
	void *arg;
};
/* The digest of all rows that `st` gives, whose columns are CHAIN_LOG_COLUMNS;
 * resets it. Each column as its length (4 bytes, little endian) and its text;
 * NULL is the length 0xffffffff. -1: it cannot be read, or `each` (NULL: none)
 * ended it. */
int chain_log(sqlite3_stmt *st, const struct chain_each *each,
    unsigned char digest_out[CHAIN_BYTES], uint64_t *rows_out) PH_CHECK;

/* Hashes the decision that `st` stands on: CHAIN_DECISION_COLUMNS. */
void chain_decision(sqlite3_stmt *st, unsigned char hash_out[CHAIN_BYTES]);
/* The hash that the decision holds; n 0: it is the first. Borrowed. */
struct slice chain_decision_previous(sqlite3_stmt *st);
/* The hash of the newest decision: what the next one, and the next line,
 * holds. How many bytes; 0: there is none; -1 and `err`. */
int chain_newest_decision(struct db *db, unsigned char hash_out[CHAIN_BYTES],
    struct error *err) PH_CHECK;

/* Numbers and hashes by which a report can be found again: the newest change
 * and decision. 0 and "" where there is none. */
struct chain_heads {
	uint64_t change, decision;
	char change_head[CHAIN_TEXT], decision_head[CHAIN_TEXT];
};
int chain_heads(struct db *db, struct chain_heads *out,
    struct error *err) PH_CHECK;

#endif
