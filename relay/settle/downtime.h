/* SPDX-License-Identifier: ISC
 *
 * When each leg was suspended or unreachable, kept in the journal as the
 * fact "down.LEG", so that a restart does not age the mail that waited for
 * it (D10). What of the time without a daemon counts as the leg's: all, if
 * the leg was down when it stopped; none, if it was not.
 */
#ifndef RELAY_SETTLE_DOWNTIME_H
#define RELAY_SETTLE_DOWNTIME_H

#include "conf/conf.h"
#include "relay/post/shared.h"
#include "relay/queue/queue.h"

/* "FROM+LENGTH:COUNTS " for each, in ms of the wall clock; the one that lasts
 * is "FROM+". */
void downtime_print(const struct queue_span *spans, unsigned n,
    struct strbuf *out);
/* Spans that cannot be read are left out. Returns how many there are. */
unsigned downtime_parse(struct slice text,
    struct queue_span out[QUEUE_SPANS]);

/* Queue thread: as the queue has it, to the journal. */
void downtime_write(struct shared *sh, struct queue *q, int leg);
/* At the start, before any leg is suspended. */
void downtime_restore(struct shared *sh, struct queue *q,
    const struct conf *c);

#endif
