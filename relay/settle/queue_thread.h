/* SPDX-License-Identifier: ISC
 *
 * The queue thread: what workers, the table's follower and administrators
 * report becomes a state in the queue and a record in the journal. The only
 * place where the state of a delivery changes.
 */
#ifndef RELAY_SETTLE_QUEUE_THREAD_H
#define RELAY_SETTLE_QUEUE_THREAD_H

#include "relay/daemon/worker.h"
#include "relay/mail/result.h"
#include "relay/queue/queue.h"
#include "policy/route.h"

enum settle_letter {
	S_ACCEPTED = 1, /* struct accepted_letter */
	S_OUTCOME,	/* struct outcome_letter  */
	S_UNCLAIM,	/* struct unclaim_letter  */
	S_RESOLVED,	/* struct resolved_letter */
	S_PULL,		/* struct pull_letter     */
	S_WAKE,		/* struct wake_letter     */
	S_WRITTEN,	/* struct spool_op        */
	S_CALL,		/* struct call            */
};

/* A message was stored; its queued deliveries are in the worker's hand when
 * `claimed`. */
struct accepted_letter {
	struct letter letter;
	uint64_t id, size, sender; /* mail_sender() */
	bool claimed;
	unsigned n;
	struct queue_item item[];
};

/* What a notice tells of its recipients. */
enum told { TOLD_NOTHING, TOLD_FAILED, TOLD_DELAYED, TOLD_PASSED };

/* A notice to the sender, prepared; accepted in one record with the moves of
 * the rows that it speaks of. */
struct outcome_notice {
	enum told what;
	bool guarded; /* it is parked: the sender may be forged */
	struct spool_draft *draft;
	struct accepted_letter *items;
};

/* What the table says of a recipient of a message. */
struct table_word {
	bool known;	    /* false: it was not asked, or cannot be read */
	bool held;
	struct route route; /* without the legs that handed the message back */
	uint64_t change;    /* the table's number at the look-up */
};

/* An attempt is over (or a lifetime, or an administrator's bounce). */
struct outcome_letter {
	struct letter letter;
	uint64_t id;
	int leg;
	enum role role;
	uint64_t change; /* the table's, at the attempt */
	int64_t time_us; /* wall */
	bool reached;	 /* the leg spoke: for the breaker */
	bool tried;	 /* a dialog was begun */
	bool mailbox;	 /* delivered is into the mailbox itself (LMTP) */
	enum why why;
	uint64_t sender; /* hash of the sender's domain */
	bool slows; /* the leg slows that domain; never of the null sender */
	/* The final address of one that was delivered, and what to do about a
	 * fault of the leg, by its profile; in the arena, or NULL. */
	const char *good, *help;
	const char *faulted; /* … and of one that met the fault */
	const char *who, *reason; /* WHY_ADMIN */
	struct outcome_notice *notice;
	unsigned notices;
	struct arena *arena; /* of the results' strings; freed by settle */
	unsigned n;
	struct {
		struct job_row delivery;
		unsigned told; /* notice[told - 1] speaks of it; 0: none */
		bool silent; /* the sender asked not to be told of this */
		bool on;     /* delivered: the leg will tell the sender */
		/* "Unknown" of a recipient that this leg took lately (D5). */
		bool known;
		/* The table's word when the attempt began, and when its
		 * result was there: of a failed one always, of others when
		 * the table has changed in between. */
		struct table_word began, ended;
		bool bears; /* set by settle: the record says `change` */
		struct result result;
	} row[];
};

struct unclaim_letter {
	struct letter letter;
	uint64_t id;
	bool stale; /* its route is another now: resolve the message */
	bool trouble; /* table or journal could not be read: not at once */
	unsigned n;
	uint32_t number[];
};

struct resolved_letter {
	struct letter letter;
	uint64_t id, change;
	bool failed; /* the table or the message could not be read */
	unsigned n;  /* recipients */
	struct {
		struct route route;
		bool held;
		bool pinned; /* the route is for what stands on no leg */
		bool loops; /* the route names legs, but all had it (D6) */
		uint64_t hash;
	} rcpt[];
};

struct pull_letter {
	struct letter letter;
	int worker, leg;
};

/* Recipients that changes up to `change` touched; `applied`: that was all. */
struct wake_letter {
	struct letter letter;
	uint64_t change;
	bool all, applied;
	unsigned n;
	uint64_t hash[];
};

struct settle *settle_new(struct app *a);
struct mailbox *settle_box(struct settle *s);
struct queue *settle_queue(struct settle *s); /* on its thread only */
/* During recovery, before the thread runs. */
void settle_recovered(void *arg, uint64_t id, struct slice envelope,
    const struct spool_delivery *d, unsigned n);
/* The lowest change a recovered delivery was resolved at; UINT64_MAX: none. */
uint64_t settle_oldest_change(const struct settle *s);
int settle_run(struct settle *s, struct error *err);
void settle_stop(struct settle *s); /* joins the thread; NULL is fine */
/* When no thread runs any more: takes what was posted and starts nothing. */
void settle_drain(struct settle *s);
void settle_free(struct settle *s);
void settle_configure(struct settle *s, struct conf *c); /* its thread */

/* An administrator's decision about one delivery. */
enum act { ACT_RETRY, ACT_FREEZE, ACT_THAW, ACT_PARK, ACT_BOUNCE, ACT_DELETE };
struct settle_act {
	enum act what;
	const char *who, *reason;
	/* Called once on the queue's thread, maybe at once, when it is on
	 * disk or could not be written, and settle_act() took it. */
	void (*done)(void *arg, bool ok);
	void *arg;
};
int settle_act_parse(struct slice name); /* enum act, or -1 */
/* Queue thread. NULL: taken; else why that delivery cannot take it in its
 * state, in words for people, and `done` is not called. */
const char *settle_act(struct settle *s, const struct settle_act *act,
    uint64_t id, uint32_t number);

#endif
