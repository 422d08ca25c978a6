/* SPDX-License-Identifier: ISC
 *
 * The daemon recounts itself while it works: a slice of the queue and of the
 * spool a second. Queue thread.
 *
 * A difference is a program error, and the state in memory cannot be trusted: a
 * delivery that is in no list would never be tried. The journal is right, and a
 * start reads it, so the process logs `check.failed` and ends, as by a failed
 * assertion. But a wrong number loses no mail, and a checker may be wrong, too:
 * so that no daemon ends every few seconds, it does so only when it has run for
 * SELF_CHECK_END_US; before that the error is logged once.
 */
#ifndef RELAY_SETTLE_SELF_CHECK_H
#define RELAY_SETTLE_SELF_CHECK_H

#include "relay/base/clock.h"
#include "relay/queue/queue_check.h"
#include "relay/spool/check/spool_check.h"

#define SELF_CHECK_EVERY_US INT64_C(1000000)
#define SELF_CHECK_END_US HOUR_US

struct self_check {
	int64_t begun_us, next_us; /* monotonic; 0: not yet */
	bool told;
	struct queue_checker queue, ledger;
	struct spool_checker spool;
};

/* Zeroed memory is one that has not begun. Ends the process, or returns. */
void self_check_step(struct self_check *c, const struct queue *q,
    struct spool *s, const struct ledger *l, int64_t now_us);

#endif
