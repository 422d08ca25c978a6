/* SPDX-License-Identifier: ISC
 *
 * Rows of ledger.db that wait to be written: the newest delivery of each
 * recipient on each leg. One thread changes it; the caller locks.
 */
#ifndef RELAY_AUDIT_DELIVERED_LAST_FOLD_H
#define RELAY_AUDIT_DELIVERED_LAST_FOLD_H

#include "relay/audit/delivered/last_file.h"
#include "relay/base/map.h"

struct last_fold {
	struct last_row *row;
	size_t n, cap;
	struct map at; /* of a mix of the key: place in `row`, plus 1 */
};

void last_fold_init(struct last_fold *f);
void last_fold_fini(struct last_fold *f);
void last_fold_clear(struct last_fold *f);
/* The newer of two rows of one key stays. `base`: the base address, copied. */
void last_fold_put(struct last_fold *f, const struct last_row *r,
    struct slice base);
/* The row of the key of `r`; NULL: none. */
const struct last_row *last_fold_find(const struct last_fold *f,
    const struct last_row *r);
/* A sorted copy, to be freed; NULL when it is empty. Its texts are those of the
 * fold. */
struct last_row *last_fold_sorted(const struct last_fold *f);

#endif
