/* SPDX-License-Identifier: ISC
 *
 * Computes the tags and addresses of a row after an undo, and names what
 * stays. Pure.
 */
#ifndef POLICY_CHANGE_ROW_UNDO_H
#define POLICY_CHANGE_ROW_UNDO_H

#include "policy/change/change.h"
#include "policy/row.h"

/* A value as it was before a change, as the change gave it, and as it is. */
struct row_undo {
	struct slice old, given, now;
};
/* Tags without those that the change added, with those that it took. */
int row_undo_tags(const struct row_undo *u, struct strbuf *out,
    struct error *err) PH_CHECK;
/* Addresses with the old one of each leg that still has the given one. */
void row_undo_addresses(const struct row_undo *u, struct strbuf *out);
/* Those, as lines, of legs that the change altered and that have a third one
 * by now. */
void row_left_addresses(const struct row_undo *u, struct strbuf *out);

/* A row before a change, as the change gave it, and as it is. */
struct row_left {
	change_left_fn *fn; /* called for each column that stays */
	void *arg;
	struct slice key;
	const struct table_value *old, *given, *now;
};
void row_name_left(const struct row_left *l);

#endif
