/* SPDX-License-Identifier: ISC
 *
 * Slots and state of each leg, shared by all workers and the queue thread:
 * one slot per open connection. Atomics only; any thread.
 */
#ifndef RELAY_QUEUE_LEDGER_H
#define RELAY_QUEUE_LEDGER_H

#include <stdbool.h>

#include "conf/conf.h"

struct ledger;

struct ledger *ledger_new(void);
void ledger_free(struct ledger *l);
/* Limits of all legs from a snapshot; a leg that left has 0. */
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
	GATE_BREAKER = 2,   /* unreachable: only probes of the queue */
	GATE_STOP = 4,	    /* the daemon stops: no attempt begins */
};
void ledger_gate(struct ledger *l, int leg, enum ledger_gate gate, bool shut);
unsigned ledger_gates(const struct ledger *l, int leg); /* bits */
/* A slot in spite of the breaker, for its one probe. */
bool ledger_take_probe(struct ledger *l, int leg) PH_CHECK;
/* Bytes of accepted messages that wait in memory for that leg; false: with
 * these it would have more than `limit`, and it has none of them. */
bool ledger_memory_take(struct ledger *l, int leg, uint64_t bytes,
    uint64_t limit) PH_CHECK;
void ledger_memory_give(struct ledger *l, int leg, uint64_t bytes);
int ledger_limit(const struct ledger *l, int leg);
int ledger_used(const struct ledger *l, int leg);

#endif
