/* SPDX-License-Identifier: ISC
 *
 * A worker's thread: builds its server, client, resolver and rooms, and turns
 * letters into calls.
 */
#ifndef RELAY_DAEMON_WORKER_THREAD_H
#define RELAY_DAEMON_WORKER_THREAD_H

#include "relay/intake/intake.h"
#include "relay/post/worker.h"

struct acceptor;
struct ask_cache;
struct leg_offers;
struct shared_verdicts;
struct spf_blame;
struct spf_starter;
struct worker_thread;

struct worker_config {
	struct shared *shared;
	int index;
	struct conf_snapshot *snapshot; /* counted */
	struct alarms *alarms;
	struct projector *projector;
	struct acceptor *acceptor;
	struct ask_cache *asked;
	struct leg_offers *offers;
	const struct spf_starter *spf_starter; /* NULL: no such program */
	struct spf_blame *spf_blame;
	struct shared_verdicts *verdicts;
	struct intake_config intake; /* without its scratch */
};

struct worker_thread *worker_thread_new(const struct worker_config *c,
    struct error *err);
struct worker *worker_thread_view(struct worker_thread *t);
int worker_thread_run(struct worker_thread *t, struct error *err);
/* The end, in this order; all but the first when no thread runs any more.
 * worker_thread_end() cuts sessions and dialogs short and reports what they
 * leave; worker_thread_turn() takes the letters that the spool's stop sent
 * back. NULL, and a worker that
 * never ran, are fine. */
void worker_thread_join(struct worker_thread *t);
void worker_thread_end(struct worker_thread *t);
void worker_thread_turn(struct worker_thread *t);
void worker_thread_free(struct worker_thread *t);

/* Any thread: a new snapshot; no new work; is all work done? */
void worker_thread_configure(struct worker_thread *t,
    struct conf_snapshot *s);
void worker_thread_drain(struct worker_thread *t);
bool worker_thread_quiet(const struct worker_thread *t);

#endif
