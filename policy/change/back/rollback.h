/* SPDX-License-Identifier: ISC
 *
 * Rollback (R2): recipients that still have what a flip gave get back what
 * they had before it, each from its own flip on, whatever change that was. As
 * with an undo, each column stands for itself; what was written since stays
 * and is named. A part of a change (change.h), which it is staged by.
 *
 *   rollback_new -> rollback_since | rollback_add … -> change_commit with
 *   rollback_stage -> rollback_left -> rollback_free
 *
 * The thread of the change.
 */
#ifndef POLICY_CHANGE_BACK_ROLLBACK_H
#define POLICY_CHANGE_BACK_ROLLBACK_H

#include "policy/change/change.h"

struct rollback;

struct rollback *rollback_new(void);
void rollback_free(struct rollback *rb);

/* Every flip since then, of the rows that `where` selects as they are now:
 * changes that gave a row another route, or `flip --create` that made it.
 * Undos, rollbacks and seeds are none. A row that was flipped several times
 * gets back what it had before the first. */
struct rollback_since {
	int64_t since_us; /* wall clock */
	const struct where *where; /* outlives the rollback */
	bool only_address; /* not the other addresses of their mailboxes */
};
void rollback_since(struct rollback *rb, const struct rollback_since *what);
/* The flip of one recipient by one change: those of a wave. */
void rollback_add(struct rollback *rb, struct slice key, uint64_t change);
/* Of those that were added, only rows that `where`, which outlives the
 * rollback, selects as they are now, with their mailboxes. */
void rollback_narrow(struct rollback *rb, const struct where *where);

/* As the `stage` of a change_part, with the rollback for its `arg`: stages the
 * rows as they were. done->left counts recipients of which something stays. */
int rollback_stage(void *rb, struct change *ch, struct change_done *done,
    struct error *err) PH_CHECK;

/* After staging: a column that stays, with its value; of very many the first
 * 100,000. */
struct rollback_stays {
	void (*fn)(void *arg, struct slice key, const char *column,
	    const char *value);
	void *arg;
};
void rollback_left(const struct rollback *rb,
    const struct rollback_stays *stays);
/* After staging: a recipient that keeps all that it has, and why. Also those of
 * which nothing stays: they have their old values already. */
struct rollback_keeps {
	void (*fn)(void *arg, struct slice key, const char *why);
	void *arg;
};
void rollback_kept(const struct rollback *rb,
    const struct rollback_keeps *keeps);

#endif
