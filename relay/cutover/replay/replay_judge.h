/* SPDX-License-Identifier: ISC
 *
 * Decides what is replayed: a recipient that one leg has a message for, and the
 * other has not. Pure.
 */
#ifndef RELAY_CUTOVER_REPLAY_REPLAY_JUDGE_H
#define RELAY_CUTOVER_REPLAY_REPLAY_JUDGE_H

#include "relay/base/delivery.h"
#include "relay/spool/format/journal_types.h"

enum replay_verdict {
	REPLAY_NOT,	/* the one leg did not get it in that time */
	REPLAY_GO,	/* the other leg is to get it */
	REPLAY_THERE,	/* the other leg had it, or will */
	REPLAY_OURS,	/* this replay queued it there before */
	REPLAY_WAITS,	/* its route may still bring it there by itself */
};

struct replay_asked {
	int from_leg, to_leg;	    /* numbers in names */
	int64_t since_us, until_us; /* of the delivery: [since, until) */
	int64_t started_us; /* of the replay: what it made is not older */
};

/* The deliveries of one recipient so far; added in any order. */
struct replay_case {
	bool had;	   /* the one leg, in time */
	bool there;	   /* the other leg */
	bool ours;
	uint32_t number;   /* of ours */
	uint8_t state;	   /* of ours: enum dstate */
	bool primary_over; /* no change of the table makes a delivery more */
	bool open;	   /* some delivery of the route is live */
};
void replay_case_add(struct replay_case *c, const struct replay_asked *q,
    uint32_t number, const struct spool_delivery *d);
enum replay_verdict replay_judge(const struct replay_case *c);

#endif
