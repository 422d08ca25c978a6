/* SPDX-License-Identifier: ISC
 *
 * Computes the tags and addresses of a row after an undo. Pure.
 */
#ifndef POLICY_CHANGE_ROW_UNDO_H
#define POLICY_CHANGE_ROW_UNDO_H

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

#endif
