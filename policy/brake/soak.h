/* SPDX-License-Identifier: ISC
 *
 * The course of a slice that soaks: it waits, it has passed, or its wave is
 * stopped, for which cause. Pure.
 */
#ifndef POLICY_BRAKE_SOAK_H
#define POLICY_BRAKE_SOAK_H

#include <stdbool.h>

#include "policy/brake/brake.h"
#include "relay/base/slice.h"

enum { SOAK_TIMES = 4 }; /* soaks that an inconclusive slice is waited for */

/* Why a wave is stopped, and how a soak ended. Names are kept in the table's
 * file. */
enum soak_end {
	SOAK_OPEN,	   /* it has not ended */
	SOAK_GOOD,
	SOAK_ACCEPTED,	   /* a person went on, whatever it was */
	SOAK_BAD,	   /* more failed than before */
	SOAK_LEG,	   /* the leg's own trouble */
	SOAK_INCONCLUSIVE, /* for SOAK_TIMES soaks */
	SOAK_COMPLAINTS,   /* as many as `--complaints` allows */
	SOAK_ENDS
};

struct soak_moment {
	int64_t now_us, began_us; /* wall clock */
	int64_t soak_us;	  /* 0: only complaints count */
	enum brake_verdict mail;  /* of what the messages met */
	enum brake_verdict leg;	  /* the same of the leg's own trouble */
	bool shut; /* a new leg is suspended, or cannot be reached */
	uint64_t complaints, complaints_max; /* max 0: they stop nothing */
};

struct soak_due {
	enum soak_end end; /* SOAK_OPEN: it waits */
	int64_t until_us;  /* of a wait */
};

/* A clock that was set back begins the wait anew. */
struct soak_due soak_due(const struct soak_moment *m);

/* Does a wave stand still after that end? */
static inline bool soak_stops(enum soak_end e)
{
	return e >= SOAK_BAD;
}

/* "open", "good", "accepted", "bad", "leg", "inconclusive", "complaints" */
const char *soak_end_text(enum soak_end e);
int soak_end_named(struct slice text); /* -1: none */

#endif
