/* SPDX-License-Identifier: ISC
 *
 * Judges a slice by the first outcomes of its deliveries: is the share that
 * failed larger than it was before? The difference of two shares by Newcombe's
 * interval from two Wilson intervals (Newcombe 1998, method 10), at 90 %. Pure:
 * no clock, no file.
 */
#ifndef POLICY_BRAKE_BRAKE_H
#define POLICY_BRAKE_BRAKE_H

#include <stdint.h>

/* Deliveries by their first outcome; `failed` is at most `tried`. */
struct brake_share {
	uint64_t tried, failed;
};

/* A difference of two shares and its interval, each from -1 to 1. */
struct brake_interval {
	double difference, lower, upper;
};

/* a less b. Of a share that nothing was tried of, all is possible: its
 * interval is 0 to 1. */
struct brake_interval brake_difference(struct brake_share a,
    struct brake_share b);

enum brake_verdict {
	BRAKE_INCONCLUSIVE, /* never good by silence */
	BRAKE_GOOD,
	BRAKE_BAD,
	BRAKE_VERDICTS
};

enum {
	BRAKE_MIN = 50,	   /* deliveries, for a verdict of good              */
	BRAKE_FAILED = 3,  /* that many failed, of as many users, for bad    */
	BRAKE_MORE = 5,	   /* points by which more may fail than before      */
	BRAKE_MORE_FEW = 20, /* the same of fewer than BRAKE_MIN deliveries  */
	BRAKE_BASELINE = 200, /* deliveries that the members' own past needs */
};

/* `users`: how many different recipients had a failed delivery. */
struct brake_judged {
	enum brake_verdict verdict;
	struct brake_interval interval;
};
struct brake_judged brake_judge(struct brake_share slice, uint64_t users,
    struct brake_share before);

/* "inconclusive", "good", "bad" */
const char *brake_verdict_text(enum brake_verdict v);

#endif
