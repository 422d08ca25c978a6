/* SPDX-License-Identifier: ISC
 *
 * The verdicts of SPF that all workers of a process know: what one has found
 * out, another does not ask for. Mail of a client may be delivered by another
 * worker than the one that took it, and is judged there over our address.
 *
 * Any thread; a call holds one of several locks, for a lookup and a copy.
 * Bounded in bytes, the least used goes first.
 */
#ifndef RELAY_SPF_SHARED_VERDICTS_H
#define RELAY_SPF_SHARED_VERDICTS_H

#include "relay/base/strbuf.h"
#include "relay/spf/verdict_cache.h"

struct shared_verdicts; /* one of a process */

/* The asker's epoch and time. `epoch` grows with each change of the resolver's
 * settings, which the askers come to know of one after the other: a verdict of
 * another epoch is not known, and the first call of a new one forgets what was
 * found before. */
struct verdict_now {
	uint64_t epoch;
	int64_t ms; /* of the loop's clock, which all have */
};

/* A verdict and its texts; the asker's, zeroed before its first use. */
struct verdict_copy {
	struct spf_verdict verdict;
	struct strbuf text;
};

struct shared_verdicts *shared_verdicts_new(size_t max_bytes);
void shared_verdicts_free(struct shared_verdicts *s); /* NULL is fine */
/* False: it is not known. `explain`: as verdict_cache_find(). `copy_out`: the
 * verdict without its explanation, which is not kept; NULL: none is wanted. */
bool shared_verdicts_find(struct shared_verdicts *s,
    const struct verdict_now *now, const struct spf_identity *i, bool explain,
    struct verdict_copy *copy_out) PH_CHECK;
/* Replaces. */
void shared_verdicts_put(struct shared_verdicts *s,
    const struct verdict_now *now, const struct spf_identity *i,
    const struct verdict_found *found);
size_t shared_verdicts_bytes(struct shared_verdicts *s);
void verdict_copy_fini(struct verdict_copy *c);

#endif
