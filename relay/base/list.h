/* SPDX-License-Identifier: ISC
 *
 * Intrusive doubly linked list. A node may be in one list at a time; a node
 * that is in none points to itself, so list_remove() is always safe once
 * list_node_init() was called. Zeroed memory is a node that is in none, too,
 * until it was in one.
 */
#ifndef RELAY_BASE_LIST_H
#define RELAY_BASE_LIST_H

#include <stdbool.h>

#include "relay/base/assert.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

#define list_node_init list_init

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_remove(struct list *node)
{
	PH_ASSERT(node->prev->next == node && node->next->prev == node);
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline void list_insert_before(struct list *at, struct list *node)
{
	PH_ASSERT(node->next == NULL || node->next == node);
	node->prev = at->prev;
	node->next = at;
	at->prev->next = node;
	at->prev = node;
}

static inline void list_push_back(struct list *l, struct list *node)
{
	list_insert_before(l, node);
}

static inline void list_push_front(struct list *l, struct list *node)
{
	list_insert_before(l->next, node);
}

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)
#define LIST_FIRST(l, type, member) \
	(list_empty(l) ? NULL : LIST_ENTRY((l)->next, type, member))

/* `n` walks the nodes; the safe form allows removing `n`. */
#define list_each(n, l) \
	for (struct list *n = (l)->next; n != (l); n = n->next)
#define list_each_safe(n, l)                                          \
	for (struct list *n = (l)->next, *n##_next = n->next; n != (l); \
	     n = n##_next, n##_next = n->next)

#endif
