/* SPDX-License-Identifier: ISC
 *
 * Inside of the queue: entries and the structures that they are in at the
 * same time. A delivery is in the chain of its recipient's hash (chain.c), in
 * the list of its message, and in at most one place: the wheel while it
 * waits for its time (wheel.c), the ready list of its leg, the backlog of its
 * recipient's domain (backlog.c), or the list of those in a worker's hand. A
 * message is in the tree of ids (id_tree.c) and, while its routes are to be
 * resolved, in the list of those.
 *
 * Everything is named by its number in a slab. Times are monotonic, in us;
 * wall clock only goes in and out (changes.c, entry.c). One thread.
 *
 * Calls go downward alone: queue_step; candidates, changes, wake, sweep,
 * notice; start;
 * entry, breaker, retry; pending, down; backlog_look; queue_place; backlog;
 * wheel, chain, id_tree; queue_state.
 */
#ifndef RELAY_QUEUE_QUEUE_INT_H
#define RELAY_QUEUE_QUEUE_INT_H

#include "relay/base/clock.h"
#include "relay/base/slab.h"
#include "relay/queue/queue.h"

enum place {
	PLACE_NONE, PLACE_WHEEL, PLACE_READY, PLACE_CLAIMED,
	PLACE_BACKLOG, /* due; its recipient domain gets no permit */
	/* due; the unproven domains have all permits that they may have */
	PLACE_NEW, PLACE_DOUBTFUL,
};
enum resolve { RESOLVE_NONE, RESOLVE_PENDING, RESOLVE_ASKED };

enum {
	TICK_BITS = 14, /* of microseconds: a tick is 16 ms */
	WHEEL_LEVELS = 6, /* of 6 bits: more than the 33 of a tick */
	SLOT_BITS = 6,
	WHEEL_SLOTS = 1 << SLOT_BITS, /* a level */
	/* Heads of lists are the first entries of the slabs. */
	HEAD_READY = 1, /* + leg */
	HEAD_BEHIND = HEAD_READY + NAMES_MAX, /* + leg: replayed, ready */
	HEAD_NEW = HEAD_BEHIND + NAMES_MAX, /* + leg */
	HEAD_DOUBTFUL = HEAD_NEW + NAMES_MAX, /* + leg */
	HEAD_CLAIMED = HEAD_DOUBTFUL + NAMES_MAX,
	HEAD_WHEEL, /* + level * WHEEL_SLOTS + slot */
	HEADS = HEAD_WHEEL + WHEEL_LEVELS * WHEEL_SLOTS,
	HEAD_PENDING = 1, /* of messages */
	HEAD_FAILED,
	MESSAGE_HEADS,
};

struct delivery {
	uint32_t prev, next;	   /* of its place */
	uint32_t chain_prev, chain_next; /* next: older */
	uint32_t msg, sibling;	   /* sibling: the next number of msg */
	uint64_t hash;
	uint64_t change : 40, domain : 24; /* domain: 0: not known */
	uint64_t number : 22, rcpt : 20, role : 1, state : 4, uncertain : 2,
	    place : 3, woken : 1, leg : 8;
	int64_t created_us : 50;
	uint64_t reason : 6, flags : 8;
	int64_t due_us : 48;
	uint64_t attempts : 15, tried : 1; /* tried: since the start */
};

struct message {
	uint64_t id;
	uint64_t size : 40, from : 24; /* from: of its sender; 0: not known */
	uint32_t left, right; /* id_tree.c */
	uint32_t prev, next;  /* of the list of those to be resolved */
	uint32_t first, last; /* its deliveries */
	uint32_t live;	      /* how many are not over */
	uint32_t resolve : 2, again : 1;
	uint32_t sender : 29; /* of its domain's hash; 0: not known */
};

_Static_assert(sizeof(struct delivery) == 64, "320 MB for 5 million");
_Static_assert(sizeof(struct message) == 48, "240 MB for 5 million");
_Static_assert(NAMES_MAX <= 256 && D_STATES <= 16, "they fit their bits");

struct wheel {
	uint64_t now; /* ticks; all slots up to it are empty */
	uint64_t occupied[WHEEL_LEVELS]; /* a bit a slot; may be stale */
};

/* Linear hashing: grows by one bucket at a time, so no insert is slow. */
struct chains {
	uint32_t **block;
	uint32_t blocks, buckets, entries;
	uint32_t later; /* from this delivery on none is in a chain yet; 0: all
			 * are */
};

/* Of a recipient domain at a leg. Its head and its timer are entries of no
 * message; the timer's `sibling` is the number of the backlog. */
struct backlog {
	uint32_t name; /* backlog_name() */
	uint32_t next; /* of its bucket */
	uint32_t head, timer;
	uint32_t n;
};

enum { QUEUE_BACKLOGS = 4096 }; /* buckets */
/* So many are moved to where they wait, about a millisecond. */
enum { ASIDE_A_TURN = 20000 };

struct span {
	int64_t from, to; /* us; to: INT64_MAX while it lasts */
	int64_t counts;	  /* of the time between, when it is over */
};

struct leg {
	unsigned ready;
	unsigned unproven; /* new and doubtful */
	enum breaker breaker;
	unsigned failures; /* in a row */
	int64_t scout_us;
	uint32_t scout; /* the delivery that scouts, or 0 */
	bool trial_wanted;
	int64_t trial_us; /* … not before */
	uint32_t trial;	  /* the delivery on trial, or 0 */
	uint32_t shun[QUEUE_SHUN]; /* senders that it is not to be of */
	unsigned shuns;		   /* so many were added */
	struct span down[QUEUE_SPANS]; /* oldest first */
	unsigned downs;
	int64_t wanted_us; /* when wants_slot may be said again */
};

struct queue {
	struct queue_config config;
	struct conf *conf;
	struct slab deliveries, messages, backlogs;
	uint32_t backlog[QUEUE_BACKLOGS];
	struct {
		uint64_t domains, deliveries;
	} in_backlogs;
	uint32_t root; /* of the tree of messages */
	uint64_t highest_id; /* that ever was in it */
	struct wheel wheel;
	struct chains chains;
	struct leg leg[NAMES_MAX];
	unsigned turn; /* the leg that is served first */

	uint64_t applied; /* the newest change whose recipients were woken */
	uint64_t reading; /* … are being woken */
	unsigned asked;	  /* resolves under way */
	unsigned to_resolve; /* messages that wait for one */
	int64_t failed_us;   /* when failed ones are tried again */
	bool walking; /* wake_all: messages above walk_id are left */
	uint64_t walk_id;
	uint64_t sweep_id; /* of the walk for what is too old: those above
			    * are next */
	int64_t sweep_us;
	unsigned ends; /* lifetimes that ended since ends_us */
	int64_t ends_us;
	bool pressed; /* space is short */
	unsigned char *served; /* a bit a recipient, of one message */
	uint32_t served_bytes;
	uint64_t late_id; /* notices of delay: those above are next */
	int64_t late_us;

	int64_t stop_from_us, stop_to_us; /* it did not run: queue_stopped() */
	int64_t now_us;	 /* monotonic, of this call */
	int64_t wall_us; /* wall minus monotonic */
	uint32_t hint;	 /* the delivery found last */
	struct queue_counts counts;
	struct live_flow flow[NAMES_MAX]; /* since the queue was made */
	_Atomic uint64_t held;	/* deliveries in memory */
	_Atomic uint64_t limit; /* queue.max */
	uint32_t *job;		/* numbers of the job being started */
	unsigned job_cap;
};

static inline struct delivery *delivery_at(const struct queue *q, uint32_t n)
{
	return slab_at(&q->deliveries, n);
}

static inline struct message *message_at(const struct queue *q, uint32_t n)
{
	return slab_at(&q->messages, n);
}

/* The ready list of its leg. What is replayed was delivered once, elsewhere: it
 * goes behind all that was not. */
static inline uint32_t ready_head(const struct delivery *d)
{
	return ((d->flags & DF_REPLAYED) != 0 ? HEAD_BEHIND : HEAD_READY) +
	       (uint32_t)d->leg;
}

static inline struct backlog *backlog_at(const struct queue *q, uint32_t b)
{
	return slab_at(&q->backlogs, b);
}

static inline uint32_t backlog_name(const struct delivery *d)
{
	return (uint32_t)d->domain << 8 | (uint32_t)d->leg;
}

/* It could be started, but for permits. */
static inline bool is_due(const struct delivery *d)
{
	return d->place == PLACE_READY || d->place >= PLACE_BACKLOG;
}

static inline bool waits_for_time(const struct delivery *d)
{
	return d->state == D_QUEUED || d->state == D_DEFERRED;
}

/* ---- queue_state.c: time and lists -------------------------------------- */

#define DUE_MAX ((INT64_C(1) << 47) - 1)

/* Reads the clocks; the first thing every entry to the queue does. */
void queue_tick(struct queue *q);
/* `v`, not beyond -max and max. */
int64_t queue_bounded(int64_t v, int64_t max);
void list_insert(struct queue *q, uint32_t after, uint32_t n);
void list_append(struct queue *q, uint32_t head, uint32_t n);
void list_take(struct queue *q, uint32_t n);

/* ---- queue_place.c ---------------------------------------------------- */

void place_take(struct queue *q, uint32_t n); /* out of where it is */
/* To where its state, its time and its message say. */
void place_put(struct queue *q, uint32_t n);
void place_again(struct queue *q, uint32_t n); /* both */
void place_claim(struct queue *q, uint32_t n);
void place_ready(struct queue *q, uint32_t n);

/* ---- backlog.c: domains without a permit -------------------------------- */

uint32_t backlog_find(struct queue *q, uint32_t name); /* 0: none */
/* `n` is in no place and goes where the answer says. */
void backlog_add(struct queue *q, uint32_t n, const struct permit_word *w);
/* It was taken out of the list that it was in. */
void backlog_left(struct queue *q, uint32_t n);
void backlog_timer(struct queue *q, struct backlog *l, int64_t until_us);
void backlog_timer_stop(struct queue *q, uint32_t timer);

/* ---- backlog_look.c ----------------------------------------------------- */

/* Makes ready as many as permits allow: of the domain of `n`, of the one whose
 * timer is due, of all domains. */
void backlog_look(struct queue *q, uint32_t n);
void backlog_due(struct queue *q, uint32_t timer);
void backlog_look_all(struct queue *q);
/* The first of an unproven domain that gets a permit, of the new ones before
 * the doubtful ones; 0: none. */
uint32_t backlog_unproven(struct queue *q, int leg);

/* ---- entry.c ----------------------------------------------------------- */

/* The delivery of that number; 0: none. */
uint32_t entry_find(struct queue *q, uint32_t msg, uint32_t number);
uint32_t entry_new(struct queue *q, uint32_t msg, const struct delivery_ref *i);
/* Takes over all that `i` says. The place does not change. */
void entry_fill(struct queue *q, struct delivery *d,
    const struct delivery_ref *i);
/* Into the counts, or out of them. */
void entry_count(struct queue *q, const struct delivery *d, bool in);
uint32_t message_new(struct queue *q, uint64_t id, uint64_t size);
void message_forget_if_over(struct queue *q, uint32_t msg);

/* `sender`: as queue_sender() has it. */
void message_from(struct queue *q, uint32_t msg, uint64_t sender);

/* ---- id_tree.c: messages by id ------------------------------------------- */

uint32_t id_tree_find(const struct queue *q, uint64_t id); /* 0: none */
uint32_t id_tree_after(const struct queue *q, uint64_t id); /* the next above */
/* The next ones above, up to `max`; quicker than one by one. */
unsigned id_tree_run(const struct queue *q, uint64_t id, uint32_t *out,
    unsigned max);
void id_tree_add(struct queue *q, uint32_t msg);
void id_tree_remove(struct queue *q, uint32_t msg);

/* ---- wheel.c: by time -------------------------------------------------- */

void wheel_init(struct queue *q);
void wheel_add(struct queue *q, uint32_t n); /* due_us lies ahead */
/* Gives what is due to `again`, which takes it out; at most `max`. True: there
 * is more. */
typedef void (*wheel_again_fn)(struct queue *q, uint32_t n);
bool wheel_turn(struct queue *q, unsigned max, wheel_again_fn again);
int64_t wheel_next_us(const struct queue *q); /* INT64_MAX: nothing waits */

/* ---- chain.c: by recipient --------------------------------------------- */

void chain_add(struct queue *q, uint32_t n);
void chain_remove(struct queue *q, uint32_t n);
void chain_fini(struct queue *q);
uint32_t chain_newest(const struct queue *q, uint64_t hash);
/* Is mail for the same recipient and leg, older than this, to be resolved? */
bool older_waits(const struct queue *q, uint32_t n);

/* ---- pending.c: messages to be resolved -------------------------------- */

/* `head`: HEAD_PENDING or HEAD_FAILED. */
void pending_add(struct queue *q, uint32_t head, uint32_t msg);
void pending_remove(struct queue *q, uint32_t msg);
/* Its route may be another: now, or when its claim ends. */
void wake_delivery(struct queue *q, uint32_t n);
void wake_message(struct queue *q, uint32_t msg);
void wake_forget(struct queue *q, uint32_t msg); /* it is over */

/* ---- wake.c ------------------------------------------------------------ */

/* A slice of what wake-ups left to do; true: there is more. */
bool wake_step(struct queue *q);

/* ---- breaker.c, down.c, retry.c ---------------------------------------- */

/* Its claim has ended; was it the scout? */
void breaker_unclaimed(struct queue *q, uint32_t n);
/* May the closed leg be tried with one delivery? */
bool breaker_may_scout(const struct queue *q, int leg);
void breaker_hurry(struct queue *q, int leg);
void breaker_scout(struct queue *q, int leg, uint32_t n);
/* The same for a leg that is suspended or in doubt. */
bool breaker_may_try(const struct queue *q, int leg);
void breaker_try(struct queue *q, int leg, uint32_t n);
bool breaker_shuns(const struct queue *q, int leg, const struct message *m);
/* A gate of the leg was opened or shut: does its time count? */
void down_mark(struct queue *q, int leg);
/* How long the leg was down since then. */
int64_t down_us(const struct queue *q, int leg, int64_t since_us);
bool retry_expired(const struct queue *q, const struct delivery *d);
/* When it will be, as things are; INT64_MAX: never. */
int64_t retry_end_us(const struct queue *q, const struct delivery *d);

/* ---- start.c: what is ready -------------------------------------------- */

/* Gives ready deliveries to workers while there are slots; true: there is
 * more that could go now. */
bool start_ready(struct queue *q);
/* Entry `i` of the numbers of a job. */
void job_add(struct queue *q, unsigned i, uint32_t number);
/* Lifetimes end in parts: may another one now? And: is this one over, too? */
bool start_may_end(struct queue *q);
bool start_ends(struct queue *q, const struct delivery *d);
/* How a job goes: to which worker (-1: any), and what goes along. */
struct how {
	int worker;
	bool slot;
	struct permit permit;
};
/* Delivery `n` and what else of its message goes the same way. */
void start_job(struct queue *q, uint32_t n, const struct how *how);

/* ---- sweep.c: what is too old ------------------------------------------ */

void sweep(struct queue *q); /* a slice a second */

/* ---- notice.c: what waits for long ------------------------------------- */

/* Hands out what its sender is to be told of, a slice a second. */
void notice_sweep(struct queue *q);

#endif
