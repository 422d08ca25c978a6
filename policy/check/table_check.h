/* SPDX-License-Identifier: ISC
 *
 * Is the table whole? Its pages, its format, the chain of its history, and
 * the tables by which rows are found. Reads only.
 */
#ifndef POLICY_CHECK_TABLE_CHECK_H
#define POLICY_CHECK_TABLE_CHECK_H

#include <stdint.h>

#include "relay/base/error.h"

struct table_checked {
	int64_t format;	 /* an older one has no chain and is not searched */
	uint64_t change; /* the newest */
	uint64_t lines;	 /* of the history */
	uint64_t decisions;
	uint64_t rows;	 /* 0: not counted */
	/* A fault, as a sentence; "": none. */
	struct error wrong;
};

/* `deep` reads every page and row (seconds at millions of rows). -1: the table
 * cannot be opened or read. Any thread without a handle of the table. */
int table_check(const char *path, bool deep, struct table_checked *out,
    struct error *err) PH_CHECK;
/* -1 and the fault, 0 there is none. */
int table_checked_say(const struct table_checked *c, struct error *err)
    PH_CHECK;

#endif
