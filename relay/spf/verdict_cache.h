/* SPDX-License-Identifier: ISC
 *
 * Verdicts of SPF as long as the records that led to them may be believed.
 *
 * A verdict is of a client and a domain; where a record that was read has a
 * macro of the HELO name or of the local part, it is of these as well: another
 * sender of the domain may have another one. Bounded in bytes; the least used
 * goes first. One thread; time is given.
 */
#ifndef RELAY_SPF_VERDICT_CACHE_H
#define RELAY_SPF_VERDICT_CACHE_H

#include "relay/mail/spf_result.h"
#include "relay/spf/spf_identity.h"

struct verdict_cache;

/* A verdict, and what it is worth. */
struct verdict_found {
	const struct spf_verdict *verdict;
	unsigned used; /* of enum spf_used, of all records that were read */
	int64_t ttl_ms;
	bool unasked; /* it has an explanation that was not asked for */
};

struct verdict_cache *verdict_cache_new(size_t max_bytes);
void verdict_cache_free(struct verdict_cache *c); /* NULL is fine */

/* NULL: it is not known. Borrowed until the next put. `explain`: a fail whose
 * domain explains it is not known either, since that text is not kept: it may
 * have anything of the message in it. */
const struct spf_verdict *verdict_cache_find(struct verdict_cache *c,
    const struct spf_identity *i, bool explain, int64_t now_ms);
/* Replaces. */
void verdict_cache_put(struct verdict_cache *c, const struct spf_identity *i,
    const struct verdict_found *found, int64_t now_ms);
size_t verdict_cache_bytes(const struct verdict_cache *c);

#endif
