/* SPDX-License-Identifier: ISC
 *
 * A worker: one thread with its loop, server, client, resolver and its own
 * read-only handle of the cutover table. Nothing in it blocks.
 */
#ifndef RELAY_DAEMON_WORKER_H
#define RELAY_DAEMON_WORKER_H

#include "policy/table.h"
#include "relay/client/client.h"
#include "relay/daemon/app.h"
#include "relay/server/server.h"

enum worker_letter {
	W_ACCEPTED = 1, /* struct accepted                              */
	W_STORED,	/* struct spool_draft_letter: a commit's answer */
	W_ROOM,		/* struct spool_draft_letter: go on adding      */
	W_JOB,		/* struct job_letter                            */
	W_RESOLVE,	/* struct job_letter, without deliveries        */
	W_FETCHED,	/* struct spool_fetch                           */
	W_CALL,		/* struct call                                  */
	W_OURS,		/* struct spool_draft_letter: for ours.c        */
	W_PARENT,	/* struct lookup                                */
};

/* Why a job was handed out. */
enum job_kind {
	JOB_ATTEMPT, /* send it                                          */
	JOB_EXPIRED, /* its lifetime is over: tell the sender, park      */
	JOB_BOUNCE,  /* an administrator said so: tell the sender        */
	JOB_LATE,    /* it waits for long: tell the sender, and go on    */
};

/* A delivery in a worker's hand. */
struct job_row {
	uint32_t number, rcpt;
	uint8_t flags; /* enum delivery_flags */
	uint16_t leg;
	bool stranger; /* the table has no row of the recipient's own; known
			* after an attempt has asked it */
	int64_t until_us; /* of JOB_LATE: when it will be given up; wall */
};

/* Deliveries of one message to one leg in one role, from the queue; of
 * JOB_LATE all its primaries, whatever their legs. */
struct job_letter {
	struct letter letter;
	enum job_kind kind;
	uint64_t id;
	int leg;
	enum role role;
	uint64_t change; /* as in struct queue_job */
	bool slot; /* a slot of the ledger comes along */
	bool trial; /* it goes in spite of shut gates */
	const char *who, *reason; /* of JOB_BOUNCE; owned by the letter */
	unsigned n;
	struct job_row row[];
};

enum { LIVES_MAX = 4, LOOPS_TOLD = 64 };

struct refusals;
struct asker;

struct worker {
	struct app *app;
	int index;
	pthread_t thread;
	bool running;
	struct loop *loop;
	struct mailbox box;
	struct stream_scratch *scratch;
	struct server *server;
	struct client *client;
	struct dns *dns;
	struct table *table; /* NULL while it cannot be opened */
	int64_t looked_ms; /* whether it is still the file of that name */
	uint64_t table_floor; /* what it says may not be older than this */
	struct arena *lookup; /* of one read transaction of the table */
	struct live *live;
	struct live *old[LIVES_MAX - 1]; /* sessions may still stand on them */
	/* struct attempt by leg, oldest first: many that wait for one leg are
	 * none of the other's business (D2) */
	struct list waiting[NAMES_MAX];
	struct list reading; /* … those that read a head for a DSN */
	struct timer handover;
	_Atomic unsigned yield[NAMES_MAX]; /* idle connections asked for */
	struct refusals *refusals;
	struct { /* addresses whose loop was told of, by their hash */
		uint64_t hash;
		int64_t at_ms;
	} loop_told[LOOPS_TOLD];
	struct asker *ask;
	_Atomic int sessions, dialogs; /* shown in status, watched at stop */
	_Atomic bool drained;
};

struct worker *worker_new(struct app *a, int index, struct error *err);
int worker_run(struct worker *w, struct error *err); /* starts the thread */
/* The end, in this order; all but the first when no thread runs any more.
 * worker_end() cuts sessions and dialogs short and reports what they leave;
 * worker_turn() takes the letters that the spool's stop sent back. NULL, and
 * a worker that never ran, are fine. */
void worker_join(struct worker *w);
void worker_end(struct worker *w);
void worker_turn(struct worker *w);
void worker_free(struct worker *w);

/* Any thread: a new snapshot; no new work; is all work done; give up idle
 * connections of a leg. */
void worker_configure(struct worker *w, struct live *l);
void worker_drain(struct worker *w);
bool worker_quiet(const struct worker *w);
/* One idle connection of `leg` is to be given up for another worker; and:
 * the queue has mail for idle connections. Any thread. */
void worker_yield(struct worker *w, int leg);
void worker_offer(struct worker *w, int leg);

/* The table, inside a read transaction; opened anew when it was lost. NULL
 * and err when it cannot be read. End with table_end(). */
struct table *worker_table(struct worker *w, struct error *err);
struct live *worker_live(struct worker *w, const struct conf *c);
/* Those of deliveries: a stop does not wait for a question. */
void worker_count_dialogs(struct worker *w);

#endif
