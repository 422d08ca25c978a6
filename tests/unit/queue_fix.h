/* SPDX-License-Identifier: ISC
 *
 * A queue under a clock that the test owns, with a log of what it started.
 */
#ifndef TESTS_UNIT_QUEUE_FIX_H
#define TESTS_UNIT_QUEUE_FIX_H

#include "relay/base/clock.h"
#include "relay/queue/queue.h"

enum { LOG_MAX = 4096, NUMBERS_MAX = 64, LEGACY = 0, CLOUD = 1,
	WAY = 2 /* a direct egress */ };
#define SECOND INT64_C(1000000)
#define WALL (INT64_C(1790000000) * SECOND)

struct started {
	uint64_t id;
	int leg, worker;
	enum role role;
	bool expired, slot, late;
	uint64_t change;
	struct permit permit;
	unsigned n;
	uint32_t number[NUMBERS_MAX];
};

struct fixture {
	char *dir;
	struct names *names;
	struct conf *conf;
	struct clock_fake clock;
	struct rng_seeded rng;
	struct ledger *ledger;
	struct queue *q;
	struct started started[LOG_MAX];
	unsigned starts;
	uint64_t resolve[LOG_MAX];
	unsigned resolves;
	unsigned wants[3], downs[3];
	/* Deliveries that were parked for too long; the fixture ends them. */
	struct {
		uint64_t id;
		uint32_t number;
		bool space;
	} over[LOG_MAX];
	unsigned overs;
};

int fix_setup(void **state);
int fix_teardown(void **state);
/* A queued delivery; its hash is 1000 + number. */
struct delivery_ref fix_item(const struct fixture *f, uint32_t number, int leg);
/* The queue is recounted after each step; here at once. */
void fix_check(const struct fixture *f);
/* Message `id` with one delivery. */
void fix_put(struct fixture *f, uint64_t id, int leg, uint64_t hash);
/* Steps until there is nothing more to do now; ms until the next. */
int fix_settle(struct fixture *f);
void fix_later(struct fixture *f, int64_t s);
struct queue_row fix_row(const struct fixture *f, uint64_t id,
    uint32_t number);
/* The worker reports: the new state, one attempt more. */
void fix_outcome(struct fixture *f, uint64_t id, uint32_t number,
    enum dstate state);

#endif
