/* SPDX-License-Identifier: ISC
 *
 * All that a start of the spool tells and knows, and whether another finds the
 * same.
 */
#ifndef TESTS_UNIT_SPOOL_SAME_H
#define TESTS_UNIT_SPOOL_SAME_H

#include "tests/unit/spool_rig.h"

enum { TOLD_SLOTS = 40, TOLD_MAX = 4000 };

/* Everything that a start tells and knows. */
struct told_state {
	struct spool_told told[TOLD_MAX];
	struct spool_delivery d[TOLD_MAX];
	unsigned n, ds;
	uint64_t total[NAMES_MAX][TOTALS];
	uint64_t live_bytes, highest;
	/* Of each segment: until when, and its end. The last may be sealed by a
	 * start that knows all of it, and can write its summary. */
	uint64_t kept[TOLD_SLOTS];
	char fact[64];
	unsigned damaged, spoilt;
	bool used; /* a checkpoint */
};

/* Opens the spool of the rig. */
void told_look(struct rig *q, struct told_state *k);
void told_same(const struct told_state *a, const struct told_state *b);

#endif
