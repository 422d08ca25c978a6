/* SPDX-License-Identifier: ISC
 *
 * Slots and state of each leg. Each number is an atomic of its own: a take
 * that races a gate may slip through once, which the leg's limit still
 * bounds.
 */
#include "relay/queue/ledger.h"

#include <stdatomic.h>

#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum { DOUBTS = 3, SLOW_SETS = 128, SLOW_WAYS = 4 };

/* A sender domain that a leg slows. A reader that races the writer may see the
 * name of one with the time of another; the writer decides, and never does. */
struct slow {
	_Atomic uint64_t name; /* of sender and leg; 0: empty */
	_Atomic unsigned times;
	_Atomic int64_t until_us;
};

struct ledger {
	struct {
		_Atomic int limit, most, used;
		unsigned delivered; /* since the limit was last moved */
		_Atomic unsigned gates, ready;
		_Atomic unsigned faults; /* in a row */
		_Atomic bool wanted;
		_Atomic uint64_t memory;
	} leg[NAMES_MAX];
	struct slow slow[SLOW_SETS][SLOW_WAYS];
	struct permits *permits;
};

_Static_assert(NAMES_MAX <= 256, "a leg is 8 bits of a name");

struct ledger *ledger_new(void)
{
	struct ledger *l = NEW(struct ledger);

	l->permits = permits_new();
	return l;
}

void ledger_free(struct ledger *l)
{
	if (l == NULL)
		return;
	permits_free(l->permits);
	mem_free(l);
}

void ledger_configure(struct ledger *l, const struct conf *c)
{
	for (int i = 0; i < NAMES_MAX; i++) {
		const struct conf_leg *leg = conf_leg_by_id(c, i);
		int most = leg == NULL ? 0 : leg->connections;
		int before = atomic_exchange(&l->leg[i].most, most);
		int limit = atomic_load(&l->leg[i].limit);

		if (limit == before || limit > most)
			atomic_store(&l->leg[i].limit, most);
	}
	permits_configure(l->permits, c);
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

bool ledger_take_scout(struct ledger *l, int leg)
{
	unsigned passed = GATE_BREAKER | GATE_DOUBT;

	return (ledger_gates(l, leg) & ~passed) == 0 && take(l, leg);
}

bool ledger_take_trial(struct ledger *l, int leg)
{
	return (ledger_gates(l, leg) & GATE_STOP) == 0 && take(l, leg);
}

bool ledger_over(const struct ledger *l, int leg)
{
	return ledger_used(l, leg) > ledger_limit(l, leg);
}

void ledger_fault(struct ledger *l, int leg)
{
	if (atomic_fetch_add(&l->leg[leg].faults, 1) + 1 >= DOUBTS)
		ledger_gate(l, leg, GATE_DOUBT, true);
}

void ledger_sound(struct ledger *l, int leg)
{
	if (atomic_exchange(&l->leg[leg].faults, 0) >= DOUBTS)
		ledger_gate(l, leg, GATE_DOUBT, false);
}

void ledger_throttle(struct ledger *l, int leg)
{
	int limit = ledger_limit(l, leg);

	l->leg[leg].delivered = 0;
	if (limit > 1)
		atomic_store(&l->leg[leg].limit, limit / 2);
}

void ledger_delivered(struct ledger *l, int leg, unsigned n)
{
	int limit = ledger_limit(l, leg);

	if (limit == ledger_configured(l, leg))
		return;
	l->leg[leg].delivered += n;
	if (l->leg[leg].delivered < (unsigned)limit)
		return;
	l->leg[leg].delivered = 0;
	atomic_store(&l->leg[leg].limit, limit + 1);
}

void ledger_give(struct ledger *l, int leg)
{
	int before;

	atomic_store(&l->leg[leg].wanted, false);
	before = atomic_fetch_sub(&l->leg[leg].used, 1);
	PH_ASSERT(before > 0);
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
	uint64_t before = atomic_fetch_sub(&l->leg[leg].memory, bytes);

	PH_ASSERT(before >= bytes);
}

struct permits *ledger_permits(const struct ledger *l)
{
	return l->permits;
}

int ledger_limit(const struct ledger *l, int leg)
{
	return atomic_load(&l->leg[leg].limit);
}

int ledger_configured(const struct ledger *l, int leg)
{
	return atomic_load(&l->leg[leg].most);
}

int ledger_used(const struct ledger *l, int leg)
{
	return atomic_load(&l->leg[leg].used);
}

/* ---- sender domains ---------------------------------------------------- */

static uint64_t slow_name(int leg, uint64_t sender)
{
	return (sender & QUEUE_SENDER_MASK) << 8 | (unsigned)leg;
}

/* The two lowest bits of the hash are the same in all. */
static size_t slow_set(uint64_t name)
{
	return (size_t)((name >> 10) + (name & 0xff) * 31) % SLOW_SETS;
}

/* Its place in the set; -1: none. */
static int slow_find(const struct ledger *l, uint64_t name)
{
	const struct slow *set = l->slow[slow_set(name)];

	for (int i = 0; i < SLOW_WAYS && name >> 8 != 0; i++)
		if (atomic_load(&set[i].name) == name)
			return i;
	return -1;
}

/* The one whose wait ends first, or has ended, or an empty one. */
static int slow_first(const struct slow *set)
{
	int first = 0;

	for (int i = 1; i < SLOW_WAYS; i++)
		if (atomic_load(&set[i].until_us) <
		    atomic_load(&set[first].until_us))
			first = i;
	return first;
}

struct ledger_slow ledger_slowed(const struct ledger *l, int leg,
    uint64_t sender)
{
	uint64_t name = slow_name(leg, sender);
	const struct slow *set = l->slow[slow_set(name)];
	int i = slow_find(l, name);

	if (i < 0)
		return (struct ledger_slow){0};
	return (struct ledger_slow){atomic_load(&set[i].times),
	    atomic_load(&set[i].until_us)};
}

void ledger_slow(struct ledger *l, int leg, uint64_t sender,
    struct ledger_slow slow)
{
	uint64_t name = slow_name(leg, sender);
	struct slow *set = l->slow[slow_set(name)];
	int at = slow_find(l, name);

	if (at < 0)
		at = slow_first(set);
	atomic_store(&set[at].name, name);
	atomic_store(&set[at].times, slow.times);
	atomic_store(&set[at].until_us, slow.until_us);
}

void ledger_slow_end(struct ledger *l, int leg, uint64_t sender)
{
	uint64_t name = slow_name(leg, sender);
	struct slow *set = l->slow[slow_set(name)];
	int i = slow_find(l, name);

	if (i < 0)
		return;
	atomic_store(&set[i].name, 0);
	atomic_store(&set[i].until_us, 0);
}
