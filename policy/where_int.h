/* SPDX-License-Identifier: ISC
 *
 * The tree of an expression: where_parse.c builds it, where.c walks it.
 */
#ifndef POLICY_WHERE_INT_H
#define POLICY_WHERE_INT_H

#include "policy/where.h"

enum node_kind {
	N_OR, N_AND, N_NOT,
	N_EQUAL, N_LIKE, N_LESS, N_MORE, N_HELD,
};

struct node {
	enum node_kind kind;
	enum where_field field;
	int left, right; /* indices */
	char *text;
	uint64_t number; /* WHERE_CHANGE */
};

struct where {
	struct node node[WHERE_NODES];
	int nodes, top; /* top -1: every row */
	bool domains;
};

#endif
