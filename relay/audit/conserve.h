/* SPDX-License-Identifier: ISC
 *
 * The recount behind `audit verify` (promise A2), from the index alone: how
 * many deliveries were created is taken from the flow that the projector
 * counted from the moves, where they are now from the folded rows. The two
 * are written by different code from different parts of a record; when they
 * differ, something was lost.
 */
#ifndef RELAY_AUDIT_CONSERVE_H
#define RELAY_AUDIT_CONSERVE_H

#include "relay/base/delivery.h"
#include "relay/base/error.h"
#include "relay/base/names.h"

struct conserve_leg {
	int64_t total[TOTALS]; /* created: of the flow; the rest: of the rows */
	int64_t gap;	       /* created - all the rest */
};

struct conserve {
	/* Asked: is told of each (message, recipient) without a delivery
	 * that stands. */
	void (*on_lost)(void *arg, uint64_t id, const char *to);
	void *arg;
	const _Atomic bool *stop; /* true: it ends with -1 soon; may be NULL */
	/* Filled: */
	struct conserve_leg leg[NAMES_MAX]; /* by number in names */
	uint64_t messages, recipients;
	uint64_t skipped; /* audit.gap rows: records never came in */
	uint64_t lost;	  /* recipients without a delivery that stands */
};

/* 0, or -1 when the index cannot be read. */
int conserve_run(const char *dir, struct names *names, struct conserve *out,
    struct error *err) PH_CHECK;

#endif
