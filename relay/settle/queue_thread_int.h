/* SPDX-License-Identifier: ISC
 *
 * Inside of the queue thread: shared by settle.c (letters), moves.c (the
 * record of new states), outcome.c (what attempts brought), reroute.c (changed
 * routes) and act.c (what an administrator decides).
 */
#ifndef RELAY_SETTLE_QUEUE_THREAD_INT_H
#define RELAY_SETTLE_QUEUE_THREAD_INT_H

#include "relay/base/list.h"
#include "relay/settle/queue_thread.h"
#include "relay/daemon/worker.h"

struct settle {
	struct app *app;
	struct queue *queue;
	struct legs *legs;
	struct mailbox box;
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	unsigned turn; /* of the workers */
	uint64_t oldest_change;
	struct queue_row *rows;
	unsigned row_cap;
	struct list bounces; /* act.c: those that somebody waits for */
	/* act.c: bounces of one message that were asked for in this turn; they
	 * become one job, and share a notice. */
	struct {
		uint64_t id;
		int leg;
		enum role role;
		char *who, *reason;
		uint32_t *number;
		unsigned n, cap;
	} bouncing;
	struct list resolving; /* reroute.c: wait for the journal */
};

/* The new states of some deliveries of one message: written as one record,
 * then given to the queue. */
struct move {
	struct queue_item item;
	size_t detail_at, detail_n; /* in moves.details */
};
struct moves {
	uint64_t id;
	int64_t time_us;
	uint32_t next_number;
	struct move *move;
	unsigned n, cap;
	unsigned planned; /* the first ones follow from a route */
	struct strbuf details;
};
void settle_moves_init(struct moves *m, uint64_t id, int64_t time_us);
void settle_moves_fini(struct moves *m);
/* The item is copied; the pointer lives until the next move. */
struct move *settle_move(struct moves *m, const struct queue_item *item);
/* All of them as one record. Stamps what ends here, and marks what may be a
 * duplicate: the moves are what is written, and what is applied. */
struct spool_op *settle_op(struct settle *s, struct moves *m);
void settle_apply(struct settle *s, const struct moves *m);

/* What waits for the journal begins with whom to call when it has answered;
 * `op` is the called one's. */
struct written {
	void (*fn)(struct settle *s, struct spool_op *op);
};
/* Posts moves that no caller waits for: they ride in the next batch and are
 * never refused. What a plan moved is not started before it is written. */
void settle_write(struct settle *s, struct moves *m);
/* Posts `op`, synced, on behalf of `w`. */
void settle_post(struct settle *s, struct spool_op *op, struct written *w);

/* Waiting for the journal with a notice and the moves that it speaks of. */
struct group {
	struct written written;
	struct outcome_notice notice;
	enum why why;
	struct moves moves;
};

struct spool_delivery settle_delivery(const struct queue_item *i);
struct queue_row *settle_rows(struct settle *s, uint64_t id, unsigned *n_out);
struct job_letter *settle_job(struct settle *s, uint64_t id,
    const uint32_t *number, unsigned n);
void settle_outcome(struct settle *s, struct outcome_letter *o);  /* takes */
void settle_resolved(struct settle *s, struct resolved_letter *l); /* takes */
/* What was parked for too long ends (queue_ops.over). */
void settle_over(void *arg, uint64_t id, const uint32_t *number, unsigned n,
    bool space);
/* act.c: tells of bounces that came to an end. */
void settle_bounces_look(struct settle *s);
void settle_bounces_free(struct settle *s);
/* A failure under a route that has changed since is none. */
void settle_unsettle(struct settle *s, struct outcome_letter *o);
/* What the routes that an attempt was made under, and has ended under, add to
 * its message, as moves; and whether its results may bear their change. */
void settle_plan(struct settle *s, struct outcome_letter *o, struct moves *m);
/* Will this row be on record? */
bool settle_said(const struct outcome_letter *o, unsigned k);
/* True: taken, it comes back when the message's plan is written. */
bool settle_outcome_waits(struct settle *s, struct outcome_letter *o);
/* Nothing waits any more: the thread is over. */
void settle_resolving_end(struct settle *s);
void settle_send_job(struct settle *s, int worker, struct job_letter *j);
int settle_step(struct settle *s);

#endif
