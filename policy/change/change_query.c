/* SPDX-License-Identifier: ISC
 *
 * Statements of a change with at most one parameter, a number; and columns.
 */
#include "policy/change/change_int.h"

int change_run(struct change *ch, enum change_statement which,
    int64_t parameter, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&ch->db, which, err);

	if (st == NULL)
		return -1;
	if (sqlite3_bind_parameter_count(st) > 0)
		sqlite3_bind_int64(st, 1, parameter);
	return db_run(&ch->db, st, err);
}

int change_ask(struct change *ch, enum change_statement which,
    int64_t parameter, sqlite3_stmt **st_out, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&ch->db, which, err);
	int rc;

	*st_out = st;
	if (st == NULL)
		return -1;
	if (sqlite3_bind_parameter_count(st) > 0)
		sqlite3_bind_int64(st, 1, parameter);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_error(&ch->db, err);
}

int change_next(struct change *ch, sqlite3_stmt *st, struct error *err)
{
	int rc = sqlite3_step(st);

	return rc == SQLITE_ROW    ? 1
	       : rc == SQLITE_DONE ? 0
				   : db_error(&ch->db, err);
}

int change_number(struct change *ch, enum change_statement which,
    int64_t parameter, uint64_t *value_out, struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, which, parameter, &st, err);

	if (rc > 0)
		*value_out = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return rc;
}

void change_bind_tag(sqlite3_stmt *st, struct slice tag)
{
	struct slice key, value;

	row_tag_parts(tag, &key, &value);
	db_bind(st, 1, key);
	db_bind(st, 2, value);
}
