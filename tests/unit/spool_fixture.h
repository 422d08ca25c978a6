/* SPDX-License-Identifier: ISC
 *
 * A spool that the last program of format 1 wrote (tests/data/spool-1): mail
 * that is queued, deferred, held, parked, frozen, superseded, bounced with its
 * notice, and delivered and kept, in both lanes; stopped in order. The file is
 * a run of: name (u32 length, bytes), size u32, number u32 of runs of bytes,
 * and each run: offset u32, bytes (u32 length, bytes); between them zeros.
 */
#ifndef TESTS_UNIT_SPOOL_FIXTURE_H
#define TESTS_UNIT_SPOOL_FIXTURE_H

#include "tests/unit/spool_rig.h"

enum fixture_at { FIX_LIVE, FIX_RETAINED, FIX_GONE };

struct fixture_message {
	uint64_t id;
	enum fixture_at at;
	size_t body;
	unsigned deliveries;
	const char *leg; /* of the first delivery */
	enum dstate state;
	unsigned flags, attempts;
	const char *detail;
};

extern const struct fixture_message fixture_messages[];
extern const unsigned fixture_count;

/* A rig over it, not opened yet. */
struct rig *fixture_rig(void);
/* Fetches the message: NULL when all is as it was written, or what is not. */
const char *fixture_differs(struct rig *r, const struct fixture_message *m);

#endif
