/* SPDX-License-Identifier: ISC
 *
 * Stragglers: clients that still deliver by the old MX. Decides which of them
 * are legitimate, and from when on one counts as quiet, from what was counted
 * of it. Pure; any thread.
 */
#ifndef POLICY_STRAGGLER_STRAGGLER_H
#define POLICY_STRAGGLER_STRAGGLER_H

#include <stdbool.h>
#include <stdint.h>

enum { STRAGGLER_DAYS = 62 }; /* a client is waited for at most */

/* A person's decision about a client. */
enum straggler_mark { STRAGGLER_UNMARKED, STRAGGLER_KEEP, STRAGGLER_IGNORE,
	STRAGGLER_MARKS };
/* "", "keep", "ignore". */
const char *straggler_mark_text(enum straggler_mark mark);

/* Counted of a client, and decided; wall clock, us. */
struct straggler_facts {
	int64_t first_us, last_us; /* it was seen, refused or not */
	int64_t gap_us;		   /* the longest between two times */
	/* Deliveries of its mail that a leg took, and those of them whose
	 * sender passed SPF, or was not judged at all. */
	uint64_t delivered, proven;
	bool listed; /* in a private network, or in spf.exempt */
	enum straggler_mark mark;
};

/* A leg took mail of it for a recipient, and SPF or its network speaks for it;
 * or it is to be kept. Never one that is to be ignored. */
bool straggler_legitimate(const struct straggler_facts *f);
/* From then on it is quiet: `quiet_us` behind the last time it was seen, or
 * twice its longest gap where that is more, STRAGGLER_DAYS at most. A device
 * that reports once a month is waited for. */
int64_t straggler_quiet_at(const struct straggler_facts *f, int64_t quiet_us);
bool straggler_quiet(const struct straggler_facts *f, int64_t quiet_us,
    int64_t now_us);
/* Was it first seen when old answers of the DNS had ended (`ended_us`; 0: that
 * is not known, and none is late)? It never asked for the old MX: spammers
 * find old servers for months. */
bool straggler_late(const struct straggler_facts *f, int64_t ended_us);

#endif
