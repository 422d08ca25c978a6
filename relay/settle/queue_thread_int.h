/* SPDX-License-Identifier: ISC
 *
 * Inside of the queue thread. From below to above: moves.c (the record of new
 * states), jobs.c (letters to workers), plan.c (what routes make of a
 * message's deliveries), leg_*.c (the state of the legs), outcome.c (what
 * attempts brought), reroute.c (changed routes), act.c (an administrator's
 * acts), revive.c (mail that was over), expire.c, and queue_thread.c (the
 * letters).
 */
#ifndef RELAY_SETTLE_QUEUE_THREAD_INT_H
#define RELAY_SETTLE_QUEUE_THREAD_INT_H

#include <pthread.h>

#include "relay/base/list.h"
#include "conf/conf.h"
#include "relay/post/queue_letters.h"
#include "relay/post/shared.h"
#include "relay/post/workers.h"
#include "relay/settle/self_check.h"

struct queue_thread {
	struct shared *shared;
	struct conf *conf;
	struct alarms *alarms;
	struct loophints *hints;
	struct queue *queue;
	struct leg_health *health;
	struct mailbox box;
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	unsigned turn; /* of the workers */
	uint64_t oldest_change;
	struct delivery_ref *items; /* of a message at the start */
	unsigned items_cap;
	struct queue_row *rows;
	unsigned row_cap;
	struct list bounces; /* act.c: those whose end is waited for */
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
	/* Outcomes that waited for one of those, in their order. */
	struct letter *ready, **ready_tail;
	struct self_check check;
};

/* The new states of some deliveries of one message: written as one record,
 * then given to the queue. */
struct move {
	struct delivery_ref item;
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
void moves_init(struct moves *m, uint64_t id, int64_t time_us);
void moves_fini(struct moves *m);
/* The item is copied; the pointer lives until the next move. */
struct move *moves_add(struct moves *m, const struct delivery_ref *item);
/* All of them as one record. Stamps what ends here, and marks what may be a
 * duplicate: the moves are what is written, and what is applied. */
struct spool_op *moves_op(struct queue_thread *s, struct moves *m);
void moves_apply(struct queue_thread *s, const struct moves *m);

/* Begins each structure that waits for the journal: the function to call when
 * it has answered, which owns `op`. */
struct written {
	void (*fn)(struct queue_thread *s, struct spool_op *op);
};
/* Posts moves that no caller waits for: they ride in the next batch and are
 * never refused. What a plan moved is not started before it is written. */
void moves_write(struct queue_thread *s, struct moves *m);
/* Posts `op`, synced, on behalf of `w`. */
void moves_post(struct queue_thread *s, struct spool_op *op, struct written *w);

/* Waiting for the journal with a notice and the moves that it speaks of. */
struct group {
	struct written written;
	struct outcome_notice notice;
	enum why why;
	struct moves moves;
};

/* The deliveries that take part in a plan: the rows of a message as the queue
 * has them, with the moves of an earlier plan of the same record. */
struct plan_view {
	const struct queue_row *rows;
	unsigned n;
	struct moves *m;
};

/* The plan that one recipient needs. */
struct plan_wanted {
	uint32_t rcpt;
	uint64_t hash;
	struct table_word word;
	bool loops;  /* the route names legs, but all had the message */
	bool pinned; /* the leg was chosen once: doc/routing.md, 9 */
};

/* ---- plan.c ---- */

struct plan_view plan_view_of(struct queue_thread *s, struct moves *m);
void plan_rcpt(const struct plan_view *v, const struct plan_wanted *w);
/* A failure under a route that has changed since is none. */
void plan_unsettle(struct queue_thread *s, struct outcome_letter *o);
/* Plans the moves that follow from the routes under which an attempt was made
 * and has ended, and whether its results may bear their change. */
void plan_outcome(struct queue_thread *s, struct outcome_letter *o,
    struct moves *m);
/* Will this row be on record? */
bool plan_records(const struct outcome_letter *o, unsigned k);

struct queue_row *moves_rows(struct queue_thread *s, uint64_t id,
    unsigned *n_out);
struct worker_job *jobs_make(struct queue_thread *s, uint64_t id,
    const uint32_t *number, unsigned n);
/* Takes. */
void outcome_take(struct queue_thread *s, struct outcome_letter *o);
/* Takes. */
void reroute_resolved(struct queue_thread *s, struct resolved_letter *l);
/* Ends deliveries that were parked for too long (queue_ops.over). */
void expire_parked(void *arg, uint64_t id, const uint32_t *number, unsigned n,
    bool space);
/* act.c: tells of bounces that came to an end. */
void act_bounces_look(struct queue_thread *s);
void act_bounces_free(struct queue_thread *s);
/* True: taken, it comes back when the message's plan is written. */
bool reroute_outcome_waits(struct queue_thread *s, struct outcome_letter *o);
/* Does a message wait for the record of its new routes? */
bool reroute_waits(struct queue_thread *s, uint64_t id);
/* Nothing waits any more: the thread is over. */
void reroute_end(struct queue_thread *s);
/* `worker`: -1 for each in turn. Takes `j`. */
void jobs_send(struct queue_thread *s, int worker, struct worker_job *j);
/* struct queue_ops. */
void jobs_start(void *arg, int worker, const struct queue_job *job);
void jobs_resolve(void *arg, uint64_t id);
void jobs_offer(void *arg, int leg);

#endif
