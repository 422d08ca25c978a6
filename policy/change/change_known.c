/* SPDX-License-Identifier: ISC
 *
 * Completes rows of a directory by what the table has. A file of yesterday must
 * not undo what was flipped today, and a new address of a mailbox that has
 * moved must not lead mail back to where the mailbox was.
 */
#include "policy/change/change_int.h"

static const char *text_or_null(sqlite3_stmt *st, int column)
{
	return sqlite3_column_type(st, column) == SQLITE_NULL
		   ? NULL : db_str(st, column);
}

static int count_kept(struct change *ch, const struct change_how *how,
    struct change_done *done, struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, CS_KEPT, 0, &st, err);

	for (; rc > 0; rc = change_next(ch, st, err)) {
		done->kept++;
		ch->unaltered += !sqlite3_column_int(st, 3);
		if (how->kept != NULL)
			how->kept->fn(how->kept->arg, db_text(st, 0),
			    text_or_null(st, 1), text_or_null(st, 2));
	}
	sqlite3_reset(st);
	return rc;
}

/* Nothing can be joined in a table that has rows of domains alone, and a first
 * import has millions of rows. */
static int has_people(struct change *ch, struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, CS_PEOPLE, 0, &st, err);

	sqlite3_reset(st);
	return rc;
}

static int join_mailboxes(struct change *ch, struct error *err)
{
	int rc = has_people(ch, err);

	if (rc <= 0)
		return rc;
	if (change_run(ch, CS_NEWCOMERS, 0, err) < 0)
		return -1;
	if (sqlite3_changes64(ch->db.handle) == 0)
		return 0;
	if (change_run(ch, CS_SEATS, 0, err) < 0 ||
	    change_run(ch, CS_SEATS_OTHER, 0, err) < 0)
		return -1;
	return change_run(ch, CS_JOIN, 0, err);
}

/* Rows that were rerouted, made or deleted after the file was written. */
static int keep_later(struct change *ch, int64_t as_of, struct error *err)
{
	if (change_run(ch, CS_LATER, as_of, err) < 0 ||
	    change_run(ch, CS_LATER_GONE, 0, err) < 0)
		return -1;
	return change_run(ch, CS_LATER_DELETED, as_of, err);
}

int change_complete_known(struct change *ch, const struct change_how *how,
    struct change_done *done, struct error *err)
{
	if (how->mailbox_of && change_run(ch, CS_MAILBOX_OF, 0, err) < 0)
		return -1;
	if (how->keep && how->as_of >= 0 &&
	    keep_later(ch, how->as_of, err) < 0)
		return -1;
	if (how->keep && count_kept(ch, how, done, err) < 0)
		return -1;
	return how->join ? join_mailboxes(ch, err) : 0;
}

int change_at(struct change *ch, int64_t time_us, uint64_t *number_out,
    struct error *err)
{
	return change_number(ch, CS_AT, time_us, number_out, err) < 0 ? -1 : 0;
}
