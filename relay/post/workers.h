/* SPDX-License-Identifier: ISC
 *
 * The way to each worker, for other threads and for one another: a worker is
 * its box. Any thread; the boxes are set before the threads start.
 */
#ifndef RELAY_POST_WORKERS_H
#define RELAY_POST_WORKERS_H

#include <stdatomic.h>

#include "relay/base/mailbox.h"
#include "relay/base/names.h"

struct worker_door {
	struct mailbox *box;
	/* Idle connections that others ask for, by leg: one letter tells of
	 * all that were asked for until it is taken. */
	_Atomic unsigned yield[NAMES_MAX];
};

struct workers {
	int n;
	struct worker_door *door;
};

struct workers *workers_new(int n); /* without boxes */
void workers_free(struct workers *w); /* NULL is fine */

/* The calling worker waits for a slot of `leg`: the others give up an idle
 * connection (W_YIELD). */
void workers_yield(struct workers *w, int leg, int but_worker);
/* A worker took its W_YIELD: how many connections are asked for. */
unsigned workers_yielded(struct workers *w, int worker, int leg);
/* The queue found no slot: a worker with an idle connection of `leg` is to
 * pull (W_OFFER). */
void workers_offer(struct workers *w, int leg);

#endif
