/* SPDX-License-Identifier: ISC
 *
 * Keeps what people state of a change of a domain's MX, in the file of the
 * cutover table: when it was made, and the TTL of before. The table
 * `propagation`, a row a domain, the latest decision. It is no part of the
 * table's format: a program that does not know it leaves it alone.
 *
 * Both calls open the file for themselves and block, up to ten seconds for
 * another writer.
 */
#ifndef POLICY_PROPAGATION_FILE_STATED_H
#define POLICY_PROPAGATION_FILE_STATED_H

#include "policy/propagation/spread.h"
#include "relay/base/error.h"
#include "relay/base/mem.h"

struct stated {
	const char *domain; /* in normal form */
	struct spread_stated what;
	int64_t time_us; /* wall clock, of the decision */
	const char *who, *host, *command, *note;
};

/* In one transaction, with its row of `decision`; synced when 0 is returned. */
int stated_put(const char *path, const struct stated *s,
    struct error *err) PH_CHECK;
/* 1 and *out, with its texts in the arena; 0 nothing is stated of it; -1. */
int stated_get(const char *path, const char *domain, struct arena *a,
    struct stated *out, struct error *err) PH_CHECK;

#endif
