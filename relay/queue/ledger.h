/* SPDX-License-Identifier: ISC
 *
 * Slots and state of each leg, shared by all workers and the queue thread:
 * one slot per open connection; and the permits of its direct egresses. Atomics
 * but for these; any thread.
 */
#ifndef RELAY_QUEUE_LEDGER_H
#define RELAY_QUEUE_LEDGER_H

#include <stdbool.h>

#include "conf/conf.h"
#include "relay/queue/permits.h"

struct ledger;

struct ledger *ledger_new(void);
void ledger_free(struct ledger *l);
/* Limits of all legs from a snapshot; a leg that left has 0. One that was
 * throttled keeps its lower limit. */
void ledger_configure(struct ledger *l, const struct conf *c);

/* False: all taken, or the leg is closed (suspended, breaker open, limit 0);
 * then, when it is only full, `wanted` is set until the next give. */
bool ledger_take(struct ledger *l, int leg) PH_CHECK;
/* The same without asking others for theirs. */
bool ledger_take_spare(struct ledger *l, int leg) PH_CHECK;
void ledger_give(struct ledger *l, int leg);
bool ledger_wanted(const struct ledger *l, int leg);
/* How many deliveries are ready in the queue: a worker with a free
 * connection pulls only when there are. Kept by the queue thread. */
void ledger_set_ready(struct ledger *l, int leg, unsigned n);
unsigned ledger_ready(const struct ledger *l, int leg);

enum ledger_gate {
	GATE_OPEN = 0,
	GATE_SUSPENDED = 1, /* by an administrator or a configuration fault */
	GATE_BREAKER = 2,   /* unreachable: only scouts of the queue */
	GATE_STOP = 4,	    /* the daemon stops: no attempt begins */
	GATE_DOUBT = 8,	    /* faults of its set-up in a row: one at a time */
};
void ledger_gate(struct ledger *l, int leg, enum ledger_gate gate, bool shut);
unsigned ledger_gates(const struct ledger *l, int leg); /* bits */
/* A slot in spite of the breaker, for its one scout. */
bool ledger_take_scout(struct ledger *l, int leg) PH_CHECK;
/* Bytes of accepted messages that wait in memory for that leg; false: with
 * these it would have more than `limit`, and it has none of them. */
bool ledger_memory_take(struct ledger *l, int leg, uint64_t bytes,
    uint64_t limit) PH_CHECK;
void ledger_memory_give(struct ledger *l, int leg, uint64_t bytes);
/* More connections than the limit allows: one that is free is closed. */
bool ledger_over(const struct ledger *l, int leg);
/* A slot whatever the gates say, but for the end of the daemon: for the one
 * question or trial that may open them. */
bool ledger_take_trial(struct ledger *l, int leg) PH_CHECK;
/* A message met a fault of the leg's set-up; so many in a row, and the leg is
 * in doubt: what is behind them waits until one has shown whether it is the
 * leg. A delivery clears it. */
void ledger_fault(struct ledger *l, int leg);
void ledger_sound(struct ledger *l, int leg);
/* The leg asks for less: its limit is halved, and grows by one each time that
 * so many deliveries as it allows were made with no throttle between. One
 * thread at a time: the queue's. */
void ledger_throttle(struct ledger *l, int leg);
void ledger_delivered(struct ledger *l, int leg, unsigned n);
/* A sender domain whose mail a leg slows: how often it said so with no delivery
 * between, and until when the domain waits there, monotonic. */
struct ledger_slow {
	unsigned times;
	int64_t until_us;
};
/* `sender` is a keyed hash of the domain, of which 29 bits count; 0: it is not
 * known, and never slowed. All 0: it is not slowed. */
enum { QUEUE_SENDER_MASK = (1 << 29) - 1 };
struct ledger_slow ledger_slowed(const struct ledger *l, int leg,
    uint64_t sender);
/* For the queue's thread. There are some hundred places for all legs: without
 * room the one whose wait ends first makes way. */
void ledger_slow(struct ledger *l, int leg, uint64_t sender,
    struct ledger_slow slow);
void ledger_slow_end(struct ledger *l, int leg, uint64_t sender);
/* Of recipient domains (permits.h). */
struct permits *ledger_permits(const struct ledger *l);
int ledger_limit(const struct ledger *l, int leg);
int ledger_configured(const struct ledger *l, int leg);
int ledger_used(const struct ledger *l, int leg);

#endif
