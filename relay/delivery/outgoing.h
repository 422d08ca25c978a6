/* SPDX-License-Identifier: ISC
 *
 * The lists in which a worker's attempts wait, and the number of its dialogs.
 * A worker's loop.
 */
#ifndef RELAY_DELIVERY_OUTGOING_H
#define RELAY_DELIVERY_OUTGOING_H

#include "relay/post/worker.h"
#include "relay/post/worker_letters.h"

struct outgoing {
	/* struct attempt by leg, oldest first: many that wait for one leg do
	 * not delay those of another (D2). */
	struct list waiting[NAMES_MAX];
	struct list judging; /* … those whose way out is asked about */
	unsigned judgings;
	struct list resolving; /* struct resolve_wait */
	struct list reading; /* those that read a head for a DSN */
	struct timer handover;
	struct egress_judge *egress;
	struct forecast *forecast;
};

/* `handover`, called with `w`, gives back what has waited for too long. */
struct outgoing *outgoing_new(struct worker *w,
    void (*handover)(void *arg));
void outgoing_free(struct outgoing *o); /* nothing waits; NULL is fine */

void job_free(struct worker_job *j);

/* The slots of the ledger, for the client; arg: struct worker. */
extern const struct client_slots outgoing_slots;

/* Shows the client's dialogs without those of questions in w->dialogs: a
 * stop does not wait for a question. */
void dialogs_count(struct worker *w);

#endif
