/* SPDX-License-Identifier: ISC
 *
 * doc/routing.md as data: walks every cell of its tables, so that what is
 * written there can be held against the plan and against the queue.
 */
#ifndef TESTS_UNIT_ROUTING_PAGE_H
#define TESTS_UNIT_ROUTING_PAGE_H

#include "policy/route.h"

enum { PAGE_LEGACY, PAGE_CLOUD, PAGE_STATES = 4, PAGE_CELLS = 90 + 250 };

/* The states of a delivery that a word of the page stands for; number and
 * role are 0 of the primary, 1 of the copy. */
struct page_states {
	struct plan_have have[PAGE_STATES];
	unsigned n; /* 0: there is no such delivery */
};
struct page_cell {
	struct slice to, text; /* the new route; what follows */
	struct page_states primary, copy;
};

/* "legacy+cloud", or "defer, reject, gone"; returns how many. */
unsigned page_routes(struct slice name, struct route out[3]);
/* Fails the test when the page cannot be read. Returns how many cells. */
unsigned page_walk(void (*fn)(void *arg, const struct page_cell *c),
    void *arg);

#endif
