/* SPDX-License-Identifier: ISC
 *
 * Replay (R4): what one leg got through Posthouse in a period, and the other
 * did not, is queued for the other. A thread of its own looks for it, reads
 * each message, and has the queue thread revive it. Replays begin in the order
 * of asking; one that has nothing to queue now steps aside, and goes on when it
 * has, in turns with the others.
 *
 * The journal has the deliveries that were queued; ledger.db has the order and
 * the report. A replay that had not ended there goes on at the next start.
 */
#ifndef RELAY_CUTOVER_REPLAY_REPLAY_H
#define RELAY_CUTOVER_REPLAY_REPLAY_H

#include "relay/cutover/replay/replay_file.h"
#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct last_delivery;
struct queue_thread;
struct replay;

struct replay_config {
	struct shared *shared;
	struct queue_thread *queue_thread;
	struct conf_snapshot *snapshot; /* counted */
	struct last_delivery *last;
};

struct replay *replay_new(const struct replay_config *c);
int replay_run(struct replay *r, struct error *err);
/* Its thread, or a test: ms until it wants to be called again. */
int replay_step(struct replay *r);
/* Any thread. */
void replay_configure(struct replay *r, struct conf_snapshot *l);
/* Joins the thread. NULL is fine, also below. */
void replay_stop(struct replay *r);
/* When no thread runs any more: answers what was asked. */
void replay_drain(struct replay *r);
/* When the spool has stopped. */
void replay_free(struct replay *r);

/* An administrator's order. Owner: who asks, until `done`. */
struct replay_order {
	struct replay_row row; /* who to until_us, in `arena` */
	struct replay_user *user;
	size_t users;
	bool dry_run; /* only counts; nothing is written */
	struct arena *arena;
	/* On the thread of the replay, once: row.number, or an error; of a dry
	 * run `go` pairs of message and recipient in so many messages, and
	 * which users lack mail. */
	void (*done)(struct replay_order *o);
	void *arg;
	struct error err; /* "": it was taken */
	int64_t go, messages;
	uint64_t last_id; /* its own */
};
void replay_ask(struct replay *r, struct replay_order *o);

/* Ends one that has not ended: it queues no more. Owner: who asks, until
 * `done`. */
struct replay_cancel {
	int64_t number;
	const char *reason; /* for the report and the event */
	/* On the thread of the replay, once. */
	void (*done)(struct replay_cancel *c);
	void *arg;
	struct error err; /* "": it is cancelled, synced */
};
void replay_cancel(struct replay *r, struct replay_cancel *c);

/* The path of ledger.db, for replay_file_read(). Any thread. */
const char *replay_path(const struct replay *r);

#endif
