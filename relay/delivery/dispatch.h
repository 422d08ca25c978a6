/* SPDX-License-Identifier: ISC
 *
 * A mail goes out: a worker's part. The route is resolved at each attempt.
 */
#ifndef RELAY_DELIVERY_DISPATCH_H
#define RELAY_DELIVERY_DISPATCH_H

#include "relay/post/mail.h"
#include "relay/post/worker.h"
#include "relay/post/worker_letters.h"

/* Attempts from memory for every delivery of a message that was accepted a
 * moment ago; what finds no connection soon goes to the queue. */
void dispatch_fresh(struct worker *w, struct mail *m);
/* W_FETCHED: a job and its message. Takes `f`. */
void dispatch_fetched(struct worker *w, struct spool_fetch *f);
/* A connection of that leg is free (client's callback). */
bool dispatch_idle(void *arg, int leg);
/* The timer of what has waited for too long; arg: struct worker. */
void dispatch_handover(void *arg);
/* Attempts that have not begun go back to the queue; those that only read for
 * a DSN are reported without it. */
void dispatch_stop(struct worker *w);

#endif
