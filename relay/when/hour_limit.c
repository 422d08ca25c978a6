/* SPDX-License-Identifier: ISC
 *
 * Room comes back only at the moments when a slice becomes an hour old, so
 * these are all that have to be looked at.
 */
#include "relay/when/hour_limit.h"

#include <stdbool.h>
#include <stdlib.h>

#include "relay/base/clock.h"

uint64_t hour_room(
    const struct hour_slice *log, int n, int64_t now_s, uint64_t limit)
{
	uint64_t used = 0;

	if (limit == 0)
		return UINT64_MAX;
	for (int i = n; i-- > 0 && log[i].at_s > now_s - HOUR_S;) {
		if (log[i].members >= limit - used)
			return 0;
		used += log[i].members;
	}
	return limit - used;
}

static int by_time(const void *a, const void *b)
{
	const struct hour_slice *x = a, *y = b;

	return (x->at_s > y->at_s) - (x->at_s < y->at_s);
}

void hour_log_bound(struct hour_slice *log, int n, int64_t now_s,
    int64_t as_s)
{
	bool any = false;

	for (int i = 0; i < n; i++)
		if (log[i].at_s > now_s) {
			log[i].at_s = as_s;
			any = true;
		}
	if (any)
		qsort(log, (size_t)n, sizeof(log[0]), by_time);
}

int64_t hour_free_at(const struct hour_slice *log, int n, int64_t now_s,
    uint64_t limit, uint64_t members)
{
	if (limit != 0 && members > limit)
		return INT64_MAX;
	if (hour_room(log, n, now_s, limit) >= members)
		return now_s;
	for (int i = 0; i < n; i++) {
		int64_t t = log[i].at_s + HOUR_S;

		if (t > now_s && hour_room(log, n, t, limit) >= members)
			return t;
	}
	return INT64_MAX; /* not reached: an hour after the last all is free */
}
