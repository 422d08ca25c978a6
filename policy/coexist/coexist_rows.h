/* SPDX-License-Identifier: ISC
 *
 * All rows of the table as entries of coexist.h, read in one transaction. One
 * thread; it blocks.
 */
#ifndef POLICY_COEXIST_COEXIST_ROWS_H
#define POLICY_COEXIST_COEXIST_ROWS_H

#include "policy/coexist/coexist.h"

struct coexist_counts {
	uint64_t away, nowhere, odd, domains; /* domains: away, of their rows */
};

struct coexist_walk {
	struct coexist_how *how; /* its change is set */
	int64_t since; /* only what changes above it touched; -1: all */
	/* Before the first entry, and then for each. -1 and err: stop. */
	int (*begin)(void *arg, struct error *err);
	int (*entry)(void *arg, const struct coexist_entry *e,
	    struct error *err);
	void *arg;
	struct coexist_counts counts; /* out */
};
/* 0, or -1 and err. */
int coexist_rows(struct coexist_walk *w, struct table *t, struct error *err)
    PH_CHECK;

#endif
