/* SPDX-License-Identifier: ISC
 *
 * Staged rows in the order in which they come, and then in order of their
 * addresses. In memory: some 150 bytes a row. One thread.
 */
#ifndef POLICY_CHANGE_HEAP_H
#define POLICY_CHANGE_HEAP_H

#include "policy/change/rows_feed.h"
#include "relay/base/slice.h"

/* A row in canonical form; p NULL (held: -1) keeps what is there. */
struct staged {
	struct slice key;
	uint64_t line;
	bool gone;
	int held;
	struct slice route, mailbox, tags, patch;
	bool tag_patch; /* `tags`: those to add, those to drop, keys to drop,
			 * a line end between */
	bool new_route; /* `route` is of a new row */
};

struct heap;

struct heap *heap_new(void);
void heap_free(struct heap *h);
void heap_add(struct heap *h, const struct staged *s); /* copied */
size_t heap_count(const struct heap *h);
/* By address, then in the order of their coming. */
void heap_sort(struct heap *h);
/* After that: of the rows of one address the first stays. Each of the others
 * is given to `twice` (NULL: none is) with the first, in order of its line. */
void heap_unique(struct heap *h,
    void (*twice)(void *arg, const struct staged *s,
	const struct staged *first), void *arg);
/* The rows, once, in order: columns address, line, gone, route, held, mailbox,
 * tags, patch, tag_patch, new_route. */
struct rows_feed *heap_feed(struct heap *h);

#endif
