/* SPDX-License-Identifier: ISC
 *
 * The letters that the queue thread's box takes, by kind. What workers, the
 * table's follower and administrators report becomes a state there.
 */
#ifndef RELAY_POST_QUEUE_LETTERS_H
#define RELAY_POST_QUEUE_LETTERS_H

#include "policy/route.h"
#include "relay/mail/result.h"
#include "relay/post/worker_letters.h"
#include "relay/queue/queue.h"

enum queue_letter {
	S_ACCEPTED = 1, /* struct accepted_letter */
	S_OUTCOME,	/* struct outcome_letter  */
	S_UNCLAIM,	/* struct unclaim_letter  */
	S_RESOLVED,	/* struct resolved_letter */
	S_PULL,		/* struct pull_letter     */
	S_WAKE,		/* struct wake_letter     */
	S_WRITTEN,	/* struct spool_op        */
	S_CALL,		/* struct call            */
	S_ANSWERED,	/* struct question_letter */
};

/* A message was stored; its queued deliveries are in the worker's hand when
 * `claimed`. */
struct accepted_letter {
	struct letter letter;
	uint64_t id, size, sender; /* mail_sender() */
	bool claimed;
	unsigned n;
	struct delivery_ref item[];
};

/* The news that a notice tells of its recipients. */
enum told { TOLD_NOTHING, TOLD_FAILED, TOLD_DELAYED, TOLD_PASSED };

/* A notice to the sender, prepared; accepted in one record with the moves of
 * the rows that it speaks of. */
struct outcome_notice {
	enum told what;
	bool guarded; /* it is parked: the sender may be forged */
	struct spool_draft *draft;
	struct accepted_letter *items;
};

/* The route of a recipient of a message, by the table. */
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
	bool maybe_forged; /* the sender: it says nothing against the leg */
	/* The final address of one that was delivered, and what to do about a
	 * fault of the leg, by its profile; in the arena, or NULL. */
	const char *good, *help;
	const char *faulted; /* … and of one that met the fault */
	const char *who, *reason; /* WHY_ADMIN */
	struct outcome_notice *notice;
	unsigned notices;
	/* Of the results' strings; freed by the queue thread. */
	struct arena *arena;
	unsigned n;
	struct {
		struct delivery_ref delivery;
		bool stranger;	  /* as in struct job_row */
		int64_t until_us; /* as there */
		unsigned told; /* notice[told - 1] speaks of it; 0: none */
		bool silent; /* the sender asked not to be told of this */
		bool forged; /* parked, as the leg believes SPF's fail too */
		bool on;     /* delivered: the leg will tell the sender */
		/* "Unknown" of a recipient that this leg took lately (D5). */
		bool known;
		/* The table's word when the attempt began, and when its
		 * result was there: of a failed one always, of others when
		 * the table has changed in between. */
		struct table_word began, ended;
		/* Set by the queue thread: the record says `change`. */
		bool bears;
		struct result result;
	} row[];
};

struct unclaim_letter {
	struct letter letter;
	uint64_t id;
	bool stale; /* its route is another now: resolve the message */
	bool trouble; /* table or journal could not be read: not at once */
	unsigned n;
	struct {
		uint32_t number, domain; /* as in struct delivery_ref */
	} row[];
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

#endif
