/* SPDX-License-Identifier: ISC
 *
 * Deadlines, the earliest first; those of one moment in the order in which
 * they were added. A binary heap of nodes that their owners hold. What time it
 * is, the owner says: the heap reads no clock.
 */
#ifndef RELAY_BASE_DEADLINE_H
#define RELAY_BASE_DEADLINE_H

#include <stddef.h>
#include <stdint.h>

struct deadline {
	int64_t at_ms;
	uint64_t nth;  /* added as the n-th */
	size_t place;  /* in the heap, from 1; 0: in none */
};

struct deadlines {
	struct deadline **heap; /* heap[0] is not used */
	size_t count, room;
	uint64_t added;
};

/* Storage of zeros is an empty heap. */
void deadlines_fini(struct deadlines *h);
/* `d` must be in no heap, and stays where it is until it is removed. */
void deadlines_add(struct deadlines *h, struct deadline *d, int64_t at_ms);
/* One that is in no heap is fine. */
void deadlines_remove(struct deadlines *h, struct deadline *d);
/* NULL when there is none. */
struct deadline *deadlines_first(const struct deadlines *h);

#endif
