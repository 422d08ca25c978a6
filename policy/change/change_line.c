/* SPDX-License-Identifier: ISC
 *
 * Writes the line of a change into the history, behind the hash of the line
 * before it.
 */
#include "policy/change_chain.h"
#include "policy/change/change_int.h"
#include "relay/base/clock.h"

/* Bytes of the hash of the newest line; 0: there is none. -1. */
static int hash_newest(struct change *ch, unsigned char hash[CHAIN_BYTES],
    struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, CS_LAST_LINE, 0, &st, err);

	if (rc > 0)
		chain_line(st, hash);
	sqlite3_reset(st);
	return rc < 0 ? -1 : rc * CHAIN_BYTES;
}

int change_touch(struct db *db, struct error *err)
{
	return db_do(db, CS_TOUCH, err) < 0 ? -1
					    : db_do(db, CS_TOUCH_HEAD, err);
}

int change_write_line(struct change *ch, const struct change_line *line,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&ch->db, CS_CHANGE, err);
	unsigned char hash[CHAIN_BYTES];
	const struct change_by *by = line->by;
	int n = st == NULL ? -1 : hash_newest(ch, hash, err);

	if (n < 0 || change_touch(&ch->db, err) < 0)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)line->number);
	sqlite3_bind_int64(st, 2, clock_wall_us(&clock_system));
	db_bind_str(st, 3, by->who);
	db_bind_str(st, 4, by->host);
	db_bind_str(st, 5, by->command);
	db_bind_str(st, 6, by->note == NULL ? "" : by->note);
	sqlite3_bind_int64(st, 7, (sqlite3_int64)line->recipients);
	sqlite3_bind_int(st, 8, ch->conf->node);
	db_bind_str(st, 9, line->kind);
	db_bind_str(st, 10, by->wave == NULL ? "" : by->wave);
	sqlite3_bind_blob(st, 11, hash, n, SQLITE_STATIC);
	return db_run(&ch->db, st, err);
}
