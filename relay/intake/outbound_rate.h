/* SPDX-License-Identifier: ISC
 *
 * How many recipients at the outside each client and each user had in this
 * hour of its own, over all workers. Any thread; monotonic ms.
 */
#ifndef RELAY_INTAKE_OUTBOUND_RATE_H
#define RELAY_INTAKE_OUTBOUND_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct outbound_rate;

enum rate_answer {
	RATE_TAKEN,
	RATE_OVER_FIRST, /* the first in this hour that is too many */
	RATE_OVER,
};

struct outbound_rate *outbound_rate_new(void);
void outbound_rate_free(struct outbound_rate *r); /* NULL is fine */

/* One more recipient of the client or user with that keyed hash. An hour
 * begins with its first recipient. `limit` 0: any number. */
enum rate_answer outbound_rate_take(struct outbound_rate *r, uint64_t key,
    int limit, int64_t now_ms);

#endif
