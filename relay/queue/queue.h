/* SPDX-License-Identifier: ISC
 *
 * When: the entries of all live deliveries, their retry clocks, ready lists
 * per leg, wake-ups by changes of the table, breaker. Knows neither routes
 * nor what mail is. Owned by the queue thread; queue_step() never waits.
 *
 * The daemon's glue (relay/settle/queue_thread.c) sits on the same thread: it
 * is told by queue_ops what to start, writes the journal, and tells the queue
 * the new state of each delivery by queue_set().
 */
#ifndef RELAY_QUEUE_QUEUE_H
#define RELAY_QUEUE_QUEUE_H

#include "relay/base/delivery.h"
#include "relay/base/rng.h"
#include "relay/queue/ledger.h"

struct queue;

/* The queue keeps 64 bytes of a struct delivery_ref: `rcpt` below 2^20,
 * `number` below 2^22 and ascending in a message, `change` below 2^40,
 * `attempts` up to 32767, `reason` below 64, `flags` below 256. due_us 0: now;
 * of one that is parked or delivered it is the moment when that came about, 0:
 * when it was created.
 * Times are given and shown by the wall clock and kept by the monotonic one, so
 * that a clock that is set moves the stamps. */

/* The hash of a recipient for which it is not known (read again from the
 * journal with no table at hand): every change may concern it. */
enum { QUEUE_ANYBODY = 1 };

/* The holder of a claim, during which a delivery is not started. */
enum { CLAIM_NONE = -1 };

/* Deliveries of one message to one leg in one role that are due. */
struct queue_job {
	uint64_t id;
	int leg;
	enum role role;
	const uint32_t *number;
	unsigned n;
	uint64_t change; /* all their routes are those of it, or later ones */
	bool expired; /* over its lifetime: no attempt, to be ended (D10) */
	bool late; /* no attempt: its sender is to be told that it waits. All
		    * primaries of the message, whatever their legs */
	bool slot;    /* a slot was taken for it and goes along */
	struct permit permit; /* … and a permit, if it needs one */
	bool trial;   /* it goes in spite of shut gates */
};

struct queue_ops {
	/* Start this on that worker (-1: on any). The deliveries are claimed
	 * until queue_set() or queue_unclaim(). */
	void (*start)(void *arg, int worker, const struct queue_job *job);
	/* A change concerns these messages: resolve their routes anew. One
	 * call per message; claimed until queue_resolved(). At most
	 * `resolve_max` at a time. */
	void (*resolve)(void *arg, uint64_t id);
	/* Ready deliveries of that leg find no slot: who has an idle
	 * connection is to pull. */
	void (*wants_slot)(void *arg, int leg);
	/* A time of being down began or ended: queue_leg_downs() is to be
	 * written down. NULL: it is not. */
	void (*down)(void *arg, int leg);
	/* These were parked for as long as they are kept (`space`: they are
	 * copies that have to go because it is short): they end by queue_set().
	 * Not claimed. NULL: they stay. */
	void (*over)(void *arg, uint64_t id, const uint32_t *number,
	    unsigned n, bool space);
};

struct queue_config {
	const struct clock *clock;
	struct rng *rng;
	struct ledger *ledger;
	const struct queue_ops *ops;
	void *arg;
	unsigned resolve_max; /* 64 */
};

struct queue *queue_new(const struct queue_config *c, struct conf *conf);
void queue_free(struct queue *q);
void queue_configure(struct queue *q, struct conf *conf); /* reload */

/* A new or recovered message with all its deliveries. `claimed`: those in
 * state D_QUEUED are in a worker's hand already (delivery from memory).
 * Deliveries that are over are kept until all of the message are. A wake-up
 * that meets a claimed delivery is remembered until its claim ends. False:
 * queue.max reached (recovered ones are always taken: `force`). An item
 * resolved at a change older than the one being read is resolved anew. */
struct queue_arrival {
	uint64_t id, size; /* size: below 2^40 */
	const struct delivery_ref *items;
	unsigned n;
	bool claimed, force;
	uint64_t sender; /* as queue_sender() has it; 0: not known */
};
bool queue_insert(struct queue *q, const struct queue_arrival *a);
/* About so many deliveries will be inserted at once; before the first. Until
 * queue_loaded() nothing else may be asked of the queue: a wake-up would not
 * find them. */
void queue_expect(struct queue *q, uint64_t deliveries);
/* They were. Without queue_expect() nothing happens. */
void queue_loaded(struct queue *q);
bool queue_full(const struct queue *q); /* any thread */
/* In the low 29 bits a keyed hash of the sender's domain, for queue_leg_shun()
 * and queue_leg_slow(); from QUEUE_FROM_SHIFT on one of its address, for
 * queue_candidates(); 0: not known. */
enum { QUEUE_FROM_SHIFT = 40 };
void queue_sender(struct queue *q, uint64_t id, uint64_t sender);
/* The new state of a delivery (creates it when the number is new); ends its
 * claim. A message whose deliveries are all over is forgotten. */
void queue_set(struct queue *q, uint64_t id, const struct delivery_ref *item);
/* The recipient domain of a claimed delivery, as struct delivery_ref has it. */
void queue_domain(struct queue *q, uint64_t id, uint32_t number,
    uint32_t domain);
/* The attempt did not happen: ready again at once, or (`later`) after the
 * first retry step. */
void queue_unclaim(struct queue *q, uint64_t id, uint32_t number, bool later);
/* Its route is another by now: resolve the message. */
void queue_stale(struct queue *q, uint64_t id);
/* A resolve has ended; `change`: the table's number it was done at; 0: it could
 * not be done, and is asked for again after a while. Where the change log is
 * further it is asked for again at once: a table that stays behind the log is
 * one that could not be read. */
void queue_resolved(struct queue *q, uint64_t id, uint64_t change);
bool queue_claimed(const struct queue *q, uint64_t id, uint32_t number);
/* Something else than an attempt takes it in hand (a decision that waits for
 * the journal), whatever its state; ends as a worker's claim does. False:
 * there is none, or it is in a hand already. */
bool queue_claim(struct queue *q, uint64_t id, uint32_t number);

/* A worker has a free connection to `leg`: start up to `max` jobs there.
 * Returns how many. */
unsigned queue_pull(struct queue *q, int worker, int leg, unsigned max);
/* How the leg answered, for the breaker: reachable or not. */
void queue_leg_result(struct queue *q, int leg, bool reached);
void queue_leg_suspend(struct queue *q, int leg, bool suspended);
/* One delivery of a leg that is suspended or in doubt goes out, now or as
 * soon as one is ready; `queue_leg_tried`: was it one of these? The answer is
 * yes once. */
void queue_leg_trial(struct queue *q, int leg);
bool queue_leg_tried(struct queue *q, int leg, uint64_t id, uint32_t number);
/* Trials take a message of another sender domain if there is one among the
 * first few thousand that are ready, until queue_leg_shun_none(). The last
 * QUEUE_SHUN domains count. */
enum { QUEUE_SHUN = 64 };
void queue_leg_shun(struct queue *q, int leg, uint64_t sender);
void queue_leg_shun_none(struct queue *q, int leg);
/* The leg slows the mail of that sender domain: what waits for it there is not
 * tried before the retry step that suits how often it said so with no delivery
 * between. That is no attempt, moves no lifetime and is not in the journal; an
 * answer that comes while the domain waits changes nothing. */
void queue_leg_slow(struct queue *q, int leg, uint64_t sender);
/* It took some of it; and: an administrator wants that message to go. What
 * waits already keeps its time. */
void queue_leg_slow_end(struct queue *q, int leg, uint64_t sender);
void queue_hurry(struct queue *q, uint64_t id, int leg);
enum breaker { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
enum breaker queue_leg_breaker(const struct queue *q, int leg);

/* When a leg was suspended or unreachable (D10), wall clock, oldest first.
 * `to_us` INT64_MAX: it is. One that was several counts for less than it is
 * long. Given back at a start, before the leg is suspended or not: that ends
 * what lasts, or does not. */
enum { QUEUE_SPANS = 16 };
struct queue_span {
	int64_t from_us, to_us, counts_us;
};
unsigned queue_leg_downs(const struct queue *q, int leg,
    struct queue_span out[QUEUE_SPANS]);
void queue_leg_downs_restore(struct queue *q, int leg,
    const struct queue_span *spans, unsigned n);
int64_t queue_leg_down_since(const struct queue *q, int leg); /* 0: it is up */

/* The change log: "reading" `change`, the recipients touched by it, then
 * "applied". What is inserted between the first and the last and was resolved
 * at an older change is resolved anew: its recipient may have been told
 * already. */
void queue_reading(struct queue *q, uint64_t change);
void queue_wake(struct queue *q, uint64_t hash);
void queue_wake_all(struct queue *q); /* a domain row; walked in slices */
void queue_applied(struct queue *q, uint64_t change);
/* Attempts under way that were begun under a change below `change`, for which
 * `--wait` waits: of these recipients; NULL: of all. Takes as long as there are
 * attempts, not recipients. */
struct queue_people;
unsigned queue_older_attempts(const struct queue *q,
    const struct queue_people *people, uint64_t change);

/* Deliveries of that recipient (QUEUE_ANYBODY: of those that are not known) to
 * that leg that wait for their time or are under way. */
unsigned queue_open_at(const struct queue *q, uint64_t hash, int leg);
/* The live deliveries of the recipients of a hash, whatever the leg: by state,
 * and how many attempts are under way. Takes as long as there are such. */
struct queue_recipient {
	uint64_t state[D_STATES];
	uint64_t in_flight;
};
void queue_recipient(struct queue *q, uint64_t hash,
    struct queue_recipient *out);

/* The daemon did not run from then (wall us) until now. A lifetime that ended
 * meanwhile ends when the delivery was tried once more, at the latest another
 * lifetime from now. */
void queue_stopped(struct queue *q, int64_t since_us);

/* When it will have been given up if nothing changes, wall us; 0: unknown. */
int64_t queue_gives_up_us(struct queue *q, uint64_t id, uint32_t number);

/* Space is short: copies that are parked although their primary was delivered
 * end, oldest first, until it is not. */
void queue_pressed(struct queue *q, bool pressed);

/* An administrator: due now. */
void queue_retry(struct queue *q, uint64_t id, uint32_t number);

/* Does what is due; returns ms until it wants to be called again (at most
 * 1000), 0 when there is more to do at once. */
int queue_step(struct queue *q);

/* When is the next attempt after `attempts` of them? Wall us; pure but for
 * the jitter. */
int64_t queue_next_due(struct queue *q, unsigned attempts, int64_t now_us);

/* Walks all entries in order of id and number, in slices: fills up to `max`
 * rows from `at` on, which moves behind the last; returns how many, 0 at the
 * end. {0, 0} is the beginning, {ID, 0} the first of a message or what comes
 * after it. */
struct queue_row {
	uint64_t id, size;
	struct delivery_ref item;
	bool claimed;
};
struct queue_at {
	uint64_t id;
	uint32_t number;
};
unsigned queue_walk(struct queue *q, struct queue_at *at,
    struct queue_row *rows, unsigned max);
/* The same of the message at->id alone; less than `max`: these were the last,
 * or it is no longer there. */
unsigned queue_walk_message(struct queue *q, struct queue_at *at,
    struct queue_row *rows, unsigned max);
/* Messages with a delivery to a recipient of these hashes, or to one that is
 * not known, and of a sender of this hash (queue_sender(), shifted down), or of
 * one that is not known. */
struct queue_wanted {
	const uint64_t *to;
	unsigned to_n; /* 0: any recipient; then `from` is not 0 */
	uint32_t from; /* 0: any sender */
};
struct queue_ids {
	uint64_t *id; /* in no order, some twice; the caller's to free */
	size_t n, cap;
};
/* Looks at some of the entries from `at` on, which moves; 0 is the beginning.
 * False: those were the last. What is there all the time is found. */
bool queue_candidates(const struct queue *q, const struct queue_wanted *w,
    uint32_t *at, struct queue_ids *out);
/* The oldest message of which something waits for its time, by leg, into what
 * is 0 so far: looks at about `max` deliveries from `at` on, which moves.
 * False: that was all, or there is one for each leg that has any. */
bool queue_oldest(struct queue *q, struct queue_at *at,
    uint64_t oldest[NAMES_MAX], unsigned max);
/* All deliveries of one message, in order of number. */
unsigned queue_message(const struct queue *q, uint64_t id,
    struct queue_row *rows, unsigned max);
/* One delivery; false when there is none of that number. */
bool queue_get(const struct queue *q, uint64_t id, uint32_t number,
    struct delivery_ref *out);

struct queue_counts {
	uint64_t messages, deliveries;
	struct {
		uint64_t state[D_STATES];
		uint64_t claimed;
	} leg[NAMES_MAX];
};
void queue_count(const struct queue *q, struct queue_counts *out);
/* By leg; read it before the thread runs or on it. */
const struct live_flow *queue_flow(const struct queue *q);

#endif
