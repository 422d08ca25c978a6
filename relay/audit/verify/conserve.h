/* SPDX-License-Identifier: ISC
 *
 * The recount behind `audit verify` (promise A2). All deliveries are counted
 * from the folded rows of the index, each row by itself, up to the cursor of
 * one snapshot; the projector has left there what the journal counts at that
 * very place. Besides, what was created is counted from the moves, by other
 * code. A difference means that something was lost or altered.
 */
#ifndef RELAY_AUDIT_VERIFY_CONSERVE_H
#define RELAY_AUDIT_VERIFY_CONSERVE_H

#include "relay/audit/hourfile.h"
#include "relay/base/error.h"
#include "relay/base/names.h"

struct conserve_leg {
	int64_t total[TOTALS]; /* created: of the flow; the rest: of the rows */
	int64_t gap;	       /* created - all the rest */
	int64_t rows;	       /* created, of the rows alone */
	int64_t journal[TOTALS];
};

/* A delivery that is open by the index, and that the journal does not hold. */
struct conserve_missing {
	uint64_t id;
	uint32_t number, rcpt;
	const char *to, *leg, *from; /* from: "" also when it is not known */
	enum dstate state;
};

struct conserve {
	/* Asked: is told of each (message, recipient) without a delivery
	 * that stands; may be NULL. */
	void (*on_lost)(void *arg, uint64_t id, const char *to);
	/* Is told of each missing delivery, in order of id and leg; may be
	 * NULL. */
	void (*on_missing)(void *arg, const struct conserve_missing *m);
	/* Does the journal hold this live delivery? NULL: it holds all that
	 * have a row of the present era. */
	bool (*holds)(void *arg, uint64_t id, uint32_t number);
	void *arg;
	const _Atomic bool *stop; /* true: it ends with -1 soon; may be NULL */
	/* Nothing is counted before the cursor is there and the journal's
	 * totals at it are known; {0,0}: in any case. */
	struct spool_pos want;
	/* Filled: */
	bool reached;	     /* else only `at` and `spool` say something */
	bool based;	     /* the figures begin with the journal's: all
			      * of a leg are counted, not those since alone */
	bool known;	     /* .journal is what the journal counts at `at` */
	struct spool_pos at; /* the cursor of the snapshot */
	uint64_t spool;	     /* of which spool; 0: not known */
	struct conserve_leg leg[NAMES_MAX]; /* by number in names */
	uint64_t messages, recipients; /* accepted in the files that are kept */
	uint64_t skipped; /* audit.gap rows: records never came in */
	uint64_t lost;	  /* recipients without a delivery that stands */
	uint64_t missing; /* deliveries */
};

/* 0, or -1 when the index cannot be read. */
int conserve_run(const char *dir, struct names *names, struct conserve *out,
    struct error *err) PH_CHECK;

/* Do all seven figures of this leg agree, and the two that count what was
 * created? */
bool conserve_agrees(const struct conserve_leg *l);

#endif
