/* SPDX-License-Identifier: ISC
 *
 * Stragglers that wait to be written to ledger.db: what was counted of each
 * since then. One thread.
 */
#ifndef RELAY_AUDIT_STRAGGLER_STRAGGLER_FOLD_H
#define RELAY_AUDIT_STRAGGLER_STRAGGLER_FOLD_H

#include "relay/audit/straggler/straggler_row.h"
#include "relay/base/hashtable.h"

enum { STRAGGLER_FOLD_MAX = 65536 };

struct straggler_entry {
	UT_hash_handle hh;
	struct straggler_key key; /* its texts are in the entry's memory */
	struct straggler_row row;
	char bytes[];
};

struct straggler_fold {
	struct straggler_entry *table;
	size_t n;
};

/* Its row, made where it is missing; NULL: there are STRAGGLER_FOLD_MAX, or the
 * key is too long. */
struct straggler_row *straggler_fold_row(struct straggler_fold *f,
    const struct straggler_key *k);
/* Moves all of `more`, which came later, into `f`. False: not all found room,
 * and some are lost. */
bool straggler_fold_merge(struct straggler_fold *f,
    struct straggler_fold *more);
void straggler_fold_clear(struct straggler_fold *f);

#endif
