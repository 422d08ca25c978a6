/* SPDX-License-Identifier: ISC
 *
 * Undo, column by column: what the change altered and is still as it gave it
 * becomes what it was; what was written since stays and is named. A row that
 * the change made goes only if it is as it was made; one that it deleted
 * comes back only if there is none.
 */
#include <inttypes.h>
#include <stdio.h>

#include "policy/change/change_int.h"
#include "policy/change/row_undo.h"
#include "policy/route.h"
#include "policy/table_int.h"

/* ---- staging ---------------------------------------------------------- */

/* An old value may name a leg that the configuration has lost. */
int change_check_legs(struct change *ch, struct error *err)
{
	sqlite3_stmt *st;
	struct error why;
	struct route r;
	int rc = change_ask(ch, CS_ROUTES, 0, &st, err);

	while (rc > 0) {
		if (route_parse(db_text(st, 0), ch->conf, NULL, &r, &why) < 0)
			rc = error_set(err, "it can not be undone: %s",
			    why.text);
		else
			rc = change_next(ch, st, err);
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

int change_stage_undo(struct change *ch, uint64_t undo,
    struct change_done *done, struct error *err)
{
	uint64_t known;
	int rc = change_number(ch, CS_UNDO_KNOWN, (int64_t)undo, &known, err);

	if (rc == 0)
		return error_set(err, "there is no change %" PRIu64, undo);
	if (rc < 0 || change_number(ch, CS_UNDO_COUNT, (int64_t)undo,
			  &done->left, err) < 0 ||
	    change_run(ch, CS_UNDO, (int64_t)undo, err) < 0)
		return -1;
	ch->staged = (uint64_t)sqlite3_changes64(ch->db.handle);
	return change_check_legs(ch, err);
}

/* ---- what stays ------------------------------------------------------- */

int change_left(struct change *ch, uint64_t undo, change_left_fn *fn,
    void *arg, struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, CS_UNDO_LEFT, (int64_t)undo, &st, err);

	while (rc > 0) {
		struct table_value old = table_value_at(st, 1);
		struct table_value given = table_value_at(st, 6);
		struct table_value now = table_value_at(st, 11);
		const struct row_left l = {fn, arg, db_text(st, 0), &old,
		    &given, &now};

		row_name_left(&l);
		rc = change_next(ch, st, err);
	}
	sqlite3_reset(st);
	return rc;
}
