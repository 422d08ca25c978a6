/* SPDX-License-Identifier: ISC
 *
 * Looks the routes of a message up anew for the queue, which plans what
 * follows from them (doc/routing.md). A worker's loop.
 */
#ifndef RELAY_DELIVERY_RESOLVE_H
#define RELAY_DELIVERY_RESOLVE_H

#include "relay/post/mail.h"
#include "relay/post/worker.h"
#include "relay/post/worker_letters.h"

/* A job of JOB_RESOLVE, with its message; NULL: it could not be read. Takes
 * the job. The answer is a letter of S_RESOLVED, at once or, where a way out
 * is asked about, later. */
void resolve_routes(struct worker *w, struct worker_job *j, struct mail *m);
/* Those that wait are answered now: it failed. */
void resolve_stop(struct worker *w);

#endif
