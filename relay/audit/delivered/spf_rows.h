/* SPDX-License-Identifier: ISC
 *
 * Rows of the tables of SPF in ledger.db, in memory, and how they are added to
 * the file. One thread, or the caller locks.
 */
#ifndef RELAY_AUDIT_DELIVERED_SPF_ROWS_H
#define RELAY_AUDIT_DELIVERED_SPF_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/audit/delivered/spf_share.h"
#include "relay/base/error.h"
#include "relay/base/hashtable.h"

enum spf_row_kind { SPF_ROW_CLIENT, SPF_ROW_FORECAST };

struct spf_row_key {
	enum spf_row_kind kind;
	int64_t day;
	const char *first;  /* domain; leg    */
	const char *second; /* client; domain */
};

struct spf_row {
	UT_hash_handle hh;
	struct spf_row_key key; /* its texts are in the row's memory */
	uint64_t n[SPF_SHARES]; /* of a client: the first one */
	char bytes[];
};

struct spf_rows {
	struct spf_row *table;
	size_t n;
	int64_t since_us; /* all that came later is in it */
};

/* Counts one more in n[at]. False: the row would be new, and there are `max`
 * already. */
bool spf_rows_add(struct spf_rows *r, const struct spf_row_key *k, unsigned at,
    size_t max);
void spf_rows_clear(struct spf_rows *r);
/* Adds them to the file in one transaction, and drops the days that are too
 * old. 0; -1: it is as it was. */
int spf_rows_write(struct spf_rows *r, const char *path, int64_t now_us,
    struct error *err) PH_CHECK;

#endif
