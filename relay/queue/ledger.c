/* SPDX-License-Identifier: ISC
 *
 * Slots and state of each leg. Each number is an atomic of its own: a take
 * that races a gate may slip through once, which the leg's limit still
 * bounds.
 */
#include "relay/queue/ledger.h"

#include <stdatomic.h>

#include "relay/base/mem.h"

struct ledger {
	struct {
		_Atomic int limit, used;
		_Atomic unsigned gates, ready;
		_Atomic bool wanted;
		_Atomic uint64_t memory;
	} leg[NAMES_MAX];
};

struct ledger *ledger_new(void)
{
	return NEW(struct ledger);
}

void ledger_free(struct ledger *l)
{
	mem_free(l);
}

void ledger_configure(struct ledger *l, const struct conf *c)
{
	for (int i = 0; i < NAMES_MAX; i++) {
		const struct conf_leg *leg = conf_leg_by_id(c, i);

		atomic_store(&l->leg[i].limit, leg == NULL ? 0 :
							    leg->connections);
	}
}

static bool take(struct ledger *l, int leg)
{
	int used = atomic_load(&l->leg[leg].used);

	do {
		if (used >= atomic_load(&l->leg[leg].limit))
			return false;
	} while (!atomic_compare_exchange_weak(&l->leg[leg].used, &used,
	    used + 1));
	return true;
}

bool ledger_take_spare(struct ledger *l, int leg)
{
	return ledger_gates(l, leg) == 0 && take(l, leg);
}

bool ledger_take(struct ledger *l, int leg)
{
	if (ledger_gates(l, leg) != 0)
		return false;
	if (take(l, leg))
		return true;
	if (ledger_limit(l, leg) == 0)
		return false;
	atomic_store(&l->leg[leg].wanted, true);
	/* A slot given back just before `wanted` was set. */
	return take(l, leg);
}

bool ledger_take_probe(struct ledger *l, int leg)
{
	return (ledger_gates(l, leg) & ~(unsigned)GATE_BREAKER) == 0 &&
	       take(l, leg);
}

void ledger_give(struct ledger *l, int leg)
{
	atomic_store(&l->leg[leg].wanted, false);
	atomic_fetch_sub(&l->leg[leg].used, 1);
}

bool ledger_wanted(const struct ledger *l, int leg)
{
	return atomic_load(&l->leg[leg].wanted);
}

void ledger_set_ready(struct ledger *l, int leg, unsigned n)
{
	atomic_store(&l->leg[leg].ready, n);
}

unsigned ledger_ready(const struct ledger *l, int leg)
{
	return atomic_load(&l->leg[leg].ready);
}

void ledger_gate(struct ledger *l, int leg, enum ledger_gate gate, bool shut)
{
	if (shut)
		atomic_fetch_or(&l->leg[leg].gates, (unsigned)gate);
	else
		atomic_fetch_and(&l->leg[leg].gates, ~(unsigned)gate);
}

unsigned ledger_gates(const struct ledger *l, int leg)
{
	return atomic_load(&l->leg[leg].gates);
}

bool ledger_memory_take(struct ledger *l, int leg, uint64_t bytes,
    uint64_t limit)
{
	if (atomic_fetch_add(&l->leg[leg].memory, bytes) + bytes <= limit)
		return true;
	ledger_memory_give(l, leg, bytes);
	return false;
}

void ledger_memory_give(struct ledger *l, int leg, uint64_t bytes)
{
	atomic_fetch_sub(&l->leg[leg].memory, bytes);
}

int ledger_limit(const struct ledger *l, int leg)
{
	return atomic_load(&l->leg[leg].limit);
}

int ledger_used(const struct ledger *l, int leg)
{
	return atomic_load(&l->leg[leg].used);
}
