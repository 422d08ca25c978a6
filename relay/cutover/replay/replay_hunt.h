/* SPDX-License-Identifier: ISC
 *
 * Looks for the messages that are to be replayed, by what the journal's
 * summaries say: a hint for each, until the message itself is read.
 */
#ifndef RELAY_CUTOVER_REPLAY_REPLAY_HUNT_H
#define RELAY_CUTOVER_REPLAY_REPLAY_HUNT_H

#include "relay/base/error.h"
#include "relay/cutover/replay/replay_judge.h"
#include "relay/spool/spool.h"

/* The most deliveries that one replay looks at; some 400 MB. */
enum { REPLAY_HINTS_MAX = 10000000 };

struct replay_hint;
struct replay_hunt {
	struct spool *spool;
	struct replay_asked asked;
	uint64_t *hash; /* ascending; 0 is one of them */
	size_t hashes;
	uint64_t generation, first; /* the next segment; the first there is */
	unsigned unread; /* segments of which a part cannot be read */
	struct replay_hint *hint;
	size_t n, cap;
	bool full;
};

/* `hash`: of n recipients, in any order; copied. */
void replay_hunt_init(struct replay_hunt *h, struct spool *s,
    const uint64_t *hash, size_t n);
void replay_hunt_fini(struct replay_hunt *h);
/* A segment. 1: there may be more; 0: that was all; -1 and err: too many. */
int replay_hunt_step(struct replay_hunt *h, struct error *err) PH_CHECK;
/* Did the journal ever give a segment back? */
bool replay_hunt_gave_back(const struct replay_hunt *h);

/* The judgement of each recipient, ordered by message and recipient; what is
 * not in time is left out. */
struct replay_lead {
	uint64_t id, hash;
	uint32_t rcpt;
	enum replay_verdict verdict;
};
void replay_hunt_judge(struct replay_hunt *h,
    void (*fn)(void *arg, const struct replay_lead *lead), void *arg);

/* For tests: as if a segment had said so. */
void replay_hunt_add(struct replay_hunt *h, uint64_t id, uint32_t number,
    const struct spool_delivery *d);

#endif
