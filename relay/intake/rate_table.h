/* SPDX-License-Identifier: ISC
 *
 * Counts something (recipients, messages, forged addresses) for each client,
 * user or address, in a period of its own that begins with the first one; over
 * all workers. Any thread; monotonic ms.
 */
#ifndef RELAY_INTAKE_RATE_TABLE_H
#define RELAY_INTAKE_RATE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct rate_table;

enum rate_answer {
	RATE_TAKEN,
	RATE_OVER_FIRST, /* the first in this period that is too many */
	RATE_OVER,
};

struct rate_table *rate_table_new(int64_t period_ms);
void rate_table_free(struct rate_table *r); /* NULL is fine */

/* One more of that keyed hash. `limit` 0: any number. */
enum rate_answer rate_table_take(struct rate_table *r, uint64_t key,
    int limit, int64_t now_ms);
/* Would it be too many? Counts nothing. */
bool rate_table_is_over(struct rate_table *r, uint64_t key, int limit,
    int64_t now_ms);

#endif
