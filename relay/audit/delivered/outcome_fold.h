/* SPDX-License-Identifier: ISC
 *
 * First outcomes of deliveries that wait to be written to ledger.db, folded by
 * recipient, leg and day; what was delivered at once is in the fold of the last
 * deliveries (last_fold.h), but for the sums of a leg. One thread.
 */
#ifndef RELAY_AUDIT_DELIVERED_OUTCOME_FOLD_H
#define RELAY_AUDIT_DELIVERED_OUTCOME_FOLD_H

#include <stddef.h>
#include <stdint.h>

#include "relay/base/map.h"

/* How the first attempt at a delivery went. */
enum first_outcome {
	FIRST_DELIVERED,
	/* Refused or deferred for the message, the recipient, the mailbox. */
	FIRST_FAILED,
	/* The leg's own: throttled, not reached, misconfigured. */
	FIRST_TROUBLE,
	FIRST_OUTCOMES
};

struct outcome_row {
	int64_t recipient, day; /* days since 1970, UTC */
	uint16_t leg;
	uint32_t failed, trouble;
	int64_t last_us; /* of the newest that failed; 0: none */
};

/* Of all recipients. */
struct outcome_leg {
	int64_t day;
	uint16_t leg;
	uint64_t n[FIRST_OUTCOMES];
};

struct outcome_fold {
	struct outcome_row *row;
	size_t n, cap;
	struct map at; /* of a mix of the key: place in `row`, plus 1 */
	struct outcome_leg *leg;
	size_t legs, leg_cap;
};

void outcome_fold_init(struct outcome_fold *f);
void outcome_fold_fini(struct outcome_fold *f);
void outcome_fold_clear(struct outcome_fold *f);

struct first_attempt {
	int64_t recipient; /* not wanted where it was delivered */
	uint16_t leg;
	int64_t time_us;
	enum first_outcome how;
};
void outcome_fold_put(struct outcome_fold *f, const struct first_attempt *o);

#endif
