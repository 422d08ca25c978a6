/* SPDX-License-Identifier: ISC
 *
 * The time in which listeners were open and mail was taken, and the mail that
 * came from legs, in observed.db: the evidence of a verdict. The owner of the
 * handle is the thread; 0 or -1 and `err` is returned.
 */
#ifndef RELAY_OBSERVED_WATCHED_H
#define RELAY_OBSERVED_WATCHED_H

#include "relay/observed/observed.h"

/* A span of a listener, an hour at most: `observed_us` of it by the monotonic
 * clock, its ends by the wall clock. */
struct watched_row {
	const char *listen;
	int64_t from_us, to_us, observed_us;
};
/* The row of that listener and beginning is made or replaced. */
int watched_put(struct observed *o, const struct watched_row *row,
    struct error *err) PH_CHECK;
/* All, by listener and beginning; texts live until `fn` returns. */
int watched_each(struct observed *o,
    void (*fn)(void *arg, const struct watched_row *row), void *arg,
    struct error *err) PH_CHECK;
int watched_prune(struct observed *o, int64_t before_us,
    struct error *err) PH_CHECK;

/* Messages of a leg, of a kind (enum from_leg_kind) about a domain of ours. */
struct came_row {
	const char *leg, *domain, *hop;
	int kind;
	int64_t first_us, last_us;
	uint64_t messages, id; /* id: of the last */
};
/* Added to what stands there. */
int came_add(struct observed *o, const struct came_row *row,
    struct error *err) PH_CHECK;
int came_each(struct observed *o,
    void (*fn)(void *arg, const struct came_row *row), void *arg,
    struct error *err) PH_CHECK;

#endif
