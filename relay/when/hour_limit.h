/* SPDX-License-Identifier: ISC
 *
 * How many members may be flipped within a sliding hour: asked of the log of
 * slices, so that a restart resets nothing. Pure functions, any thread.
 */
#ifndef RELAY_WHEN_HOUR_LIMIT_H
#define RELAY_WHEN_HOUR_LIMIT_H

#include <stdint.h>

struct hour_slice {
	int64_t at_s; /* UTC; in ascending order in a log */
	uint64_t members;
};

/* How many more may be flipped at `now_s`: of `limit` (0: any number), less
 * what the slices of the hour before have. A slice counts until it is a whole
 * hour old, and one in the future (the clock was set back) counts too: see
 * hour_log_bound(). */
uint64_t hour_room(
    const struct hour_slice *log, int n, int64_t now_s, uint64_t limit);
/* Slices that are stamped later than `now_s` count as made at `as_s`, so that
 * they do not count until the clock is there again. Keeps the order. */
void hour_log_bound(struct hour_slice *log, int n, int64_t now_s,
    int64_t as_s);
/* The first moment, not before `now_s`, at which there is room for `members`;
 * INT64_MAX when they are more than the limit. */
int64_t hour_free_at(const struct hour_slice *log, int n, int64_t now_s,
    uint64_t limit, uint64_t members);

#endif
