/* SPDX-License-Identifier: ISC
 *
 * A row that is taken back through the flips that it had, the newest first,
 * each column by column as an undo does. Pure.
 */
#ifndef POLICY_CHANGE_BACK_ROW_BACK_H
#define POLICY_CHANGE_BACK_ROW_BACK_H

#include "policy/change/change.h"

/* The row as it is now, and as it becomes. */
struct row_back {
	bool row;  /* it is there */
	bool gone; /* the flip that made it is taken back */
	bool altered; /* something was taken back */
	bool held;
	struct strbuf route, mailbox, tags, addresses;
	struct strbuf work;
};

void row_back_init(struct row_back *b);
void row_back_fini(struct row_back *b);
void row_back_begin(struct row_back *b, const struct table_value *now);

/* A flip: the row before it and as it gave it (there is one). */
struct row_back_step {
	struct slice key;
	const struct table_value *old, *given;
	change_left_fn *left; /* called for each column that stays */
	void *arg;
};
/* -1: the tags or addresses would be too long. */
int row_back_step(struct row_back *b, const struct row_back_step *step,
    struct error *err) PH_CHECK;

#endif
