/* SPDX-License-Identifier: ISC
 *
 * The queue thread with all that it writes to, on one thread: the real
 * settle, queue and spool over a disk in memory, and a worker that is only a
 * mailbox. The test is the worker, the table and the clock.
 */
#ifndef TESTS_UNIT_DAEMON_RIG_H
#define TESTS_UNIT_DAEMON_RIG_H

#include "relay/post/worker.h"
#include "relay/settle/act.h"
#include "relay/settle/queue_thread.h"
#include "relay/settle/queue_thread_int.h"
#include "relay/watch/alarm.h"
#include "tests/fault/fakedisk.h"

enum { DRIG_JOBS = 4096, DRIG_MESSAGES = 4096, DRIG_RCPTS = 4,
	DRIG_ACTS = 4096, DRIG_CHANGES = 4096 };

struct drig_message {
	uint64_t id;
	unsigned rcpts;
	const char *from;
	unsigned notify;
	bool stored;
};

struct drig {
	void *dir;
	struct fakedisk *disk;
	struct clock_fake clock;
	struct rng_seeded rng;
	struct shared shared;
	struct conf_snapshot *snapshot;
	struct queue_thread *queue_thread;
	struct alarms *alarms;
	struct loophints *hints;
	struct worker worker;
	struct spool_start start;
	int legacy, cloud, outside;
	struct drig_message m[DRIG_MESSAGES];
	unsigned n;
	struct worker_job *job[DRIG_JOBS]; /* not answered yet */
	struct table_word word[DRIG_JOBS]; /* the table's, when it came */
	unsigned jobs;
	int idle[NAMES_MAX]; /* slots that the test took: free connections */
	/* The table's route for every recipient; asked when `answers`. */
	struct route route;
	bool held, answers, fails;
	/* The table's word when the next report's attempt began; not known:
	 * its word now. */
	struct table_word began;
	struct table_word taken; /* drig_job(): what it said when that came */
	struct table_word said[DRIG_CHANGES]; /* by number of the change */
	bool loops; /* the route has no leg because all had it */
	bool on, mailbox, stranger; /* fields of a report, see outcome_letter */
	uint64_t change;
	unsigned asked; /* resolves that were not answered */
	unsigned calls; /* of the worker, about connections */
	unsigned questions; /* of those */
	char asked_about[ADDR_MAX + 1]; /* by the last: a recipient */
	bool read; /* the test reads the journal: it waits for that */
	/* Fields of reports besides their results. */
	uint64_t sender;
	const char *good, *faulted, *help;
	bool known, unreached, slows, maybe_forged, forged;
	struct drig_act_seen {
		bool called, ok;
	} act[DRIG_ACTS]; /* in the order of asking */
	unsigned acts;
	const char *act_said; /* of the last: why it was not taken; NULL */
};

struct drig *drig_new(void);
void drig_free(struct drig *r);
/* The daemon ends, in order or by a kill, and starts again. */
void drig_restart(struct drig *r, bool kill);
void drig_stop(struct drig *r, bool kill);
void drig_start(struct drig *r);
void drig_letters(struct drig *r); /* of the worker, alone */
/* Recounts the queue and the ledger; after each step of the rig. */
void drig_recount(const struct drig *r);
/* Until nothing moves. */
void drig_pump(struct drig *r);
void drig_later(struct drig *r, int64_t s); /* and pumps */

struct route drig_route(const struct drig *r, const char *text);
struct table_word drig_word(const struct drig *r); /* of now */
/* The table changes for every recipient; the queue is told of all changes so
 * far; both. */
void drig_flip(struct drig *r, const char *route, bool held);
void drig_tell(struct drig *r);
void drig_change(struct drig *r, const char *route, bool held);

/* A message with these deliveries is stored and the queue has it. Recipient k
 * is user<k>@example.com. Returns its id. */
uint64_t drig_accept(struct drig *r, const char *from, unsigned rcpts,
    const struct spool_delivery *d, unsigned n);
struct spool_delivery drig_delivery(const struct drig *r, uint32_t rcpt,
    int leg, enum role role, enum dstate state);
struct drig_message *drig_message(struct drig *r, uint64_t id);

/* Takes the next job away; NULL: none. */
struct worker_job *drig_job(struct drig *r);
struct result drig_result(enum outcome outcome, int code, const char *text);
/* Reports a job as a worker does: one result for each row (`n` of them, the
 * last counts on), with the DSN that is due. Takes `j`. */
void drig_report(struct drig *r, struct worker_job *j, enum why why,
    const struct result *result, unsigned n);
/* Gives it back. Takes `j`. */
void drig_unclaim(struct drig *r, struct worker_job *j, bool stale,
    bool trouble);

/* As the queue and as the journal have it; they must be equal. D_NONE: over
 * with all of its message. */
struct delivery_ref drig_item(struct drig *r, uint64_t id, uint32_t number);
enum dstate drig_state(struct drig *r, uint64_t id, uint32_t number);
/* An administrator; whether it was taken, and what came of it. Of a bounce
 * that is told in r->act when its job was reported. */
bool drig_act(struct drig *r, enum act what, uint64_t id, uint32_t number,
    bool *ok_out);
/* Queue and journal agree on everything, and nothing is claimed. */
void drig_check(struct drig *r);

#endif
