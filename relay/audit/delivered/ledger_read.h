/* SPDX-License-Identifier: ISC
 *
 * A connection that reads ledger.db beside the projector that writes it: what
 * its readers share. One thread each; it holds no transaction between two
 * statements.
 */
#ifndef RELAY_AUDIT_DELIVERED_LEDGER_READ_H
#define RELAY_AUDIT_DELIVERED_LEDGER_READ_H

#include <sqlite3.h>

#include "relay/audit/delivered/recipient_key.h"
#include "relay/base/error.h"

struct ledger_read {
	sqlite3 *db;
	struct separators *separators;
	uint64_t secret[2];
	int64_t since_us;    /* deliveries from then on are known */
	int64_t outcomes_us; /* first outcomes from then on are counted */
};

/* ledger.db in the folder audit.path of `c`, which is only read in the call.
 * -1: it is not there, of another format, or cannot be read; nothing is open
 * then. */
int ledger_read_open(const struct conf *c, struct ledger_read *r_out,
    struct error *err) PH_CHECK;
/* The same of the file at `path`. */
int ledger_read_open_at(const char *path, const struct conf *c,
    struct ledger_read *r_out, struct error *err) PH_CHECK;
void ledger_read_close(struct ledger_read *r);
/* `n` statements; the caller finalizes them, also those of a failure. */
int ledger_read_prepare(struct ledger_read *r, const char *const *sql,
    sqlite3_stmt **stmt_out, int n, struct error *err) PH_CHECK;
/* -1 with what the last call on it met. */
int ledger_read_fail(const struct ledger_read *r, struct error *err);
/* The hash of a base address, in its lookup form. */
int64_t ledger_read_key(const struct ledger_read *r, struct slice address);

#endif
