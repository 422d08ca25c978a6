/* SPDX-License-Identifier: ISC
 *
 * Reads first outcomes out of ledger.db, for the brake and for complaints. They
 * are counted by days (UTC); what was delivered at once for 31 of them. What is
 * not yet committed is not to be seen. One thread a reader.
 */
#ifndef RELAY_AUDIT_DELIVERED_OUTCOME_READER_H
#define RELAY_AUDIT_DELIVERED_OUTCOME_READER_H

#include "conf/conf.h"
#include "relay/base/error.h"

struct outcome_reader;

/* ledger.db in the folder audit.path of `c`, which is only read in the call.
 * NULL and err. */
struct outcome_reader *outcome_reader_open(const struct conf *c,
    struct error *err) PH_CHECK;
void outcome_reader_close(struct outcome_reader *r); /* NULL is fine */

/* All from then on are counted, wall us. */
int64_t outcome_reader_since(const struct outcome_reader *r);
/* The number of a leg in this file; -1: it had nothing yet. */
int outcome_reader_leg(struct outcome_reader *r, const char *name);
/* The recipient of a base address, in lookup form. */
int64_t outcome_reader_key(const struct outcome_reader *r,
    struct slice address);

struct outcome_of {
	int64_t recipient;
	int leg;	  /* -1: all legs */
	int64_t from, to; /* days since 1970; both count */
	int64_t since_us; /* of outcome_sum.lately */
};
struct outcome_sum {
	uint64_t delivered, failed, trouble; /* enum first_outcome */
	bool lately; /* one failed at since_us or later */
};
/* Adds those of a recipient. 0 or -1. */
int outcome_reader_add(struct outcome_reader *r, const struct outcome_of *of,
    struct outcome_sum *sum, struct error *err) PH_CHECK;
/* Adds those of all recipients at a leg; of->recipient means nothing. */
int outcome_reader_add_leg(struct outcome_reader *r,
    const struct outcome_of *of, struct outcome_sum *sum,
    struct error *err) PH_CHECK;

#endif
