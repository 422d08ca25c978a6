/* SPDX-License-Identifier: ISC
 *
 * Writes the line of a change into the history, behind the hash of the line
 * before it and with a digest of its rows, which are in the log by then.
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

/* The three hashes that a line holds, and their bytes. */
struct line_hashes {
	unsigned char previous[CHAIN_BYTES], rows[CHAIN_BYTES];
	unsigned char decided[CHAIN_BYTES];
	int previous_n, decided_n;
};

static int hash_log(struct change *ch, const struct change_line *line,
    unsigned char digest[CHAIN_BYTES], struct error *err)
{
	sqlite3_stmt *st = db_stmt(&ch->db, CS_CHAIN_LOG, err);
	uint64_t rows;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)line->number);
	return chain_log(st, digest, &rows) < 0 ? db_error(&ch->db, err) : 0;
}

static int make_hashes(struct change *ch, const struct change_line *line,
    struct line_hashes *h, struct error *err)
{
	h->previous_n = hash_newest(ch, h->previous, err);
	if (h->previous_n < 0 || hash_log(ch, line, h->rows, err) < 0)
		return -1;
	h->decided_n = chain_newest_decision(&ch->db, h->decided, err);
	return h->decided_n < 0 ? -1 : 0;
}

static void bind_said(sqlite3_stmt *st, const struct change_by *by)
{
	db_bind_str(st, 3, by->who);
	db_bind_str(st, 4, by->host);
	db_bind_str(st, 5, by->command);
	db_bind_str(st, 6, by->note == NULL ? "" : by->note);
	db_bind_str(st, 10, by->wave == NULL ? "" : by->wave);
}

int change_write_line(struct change *ch, const struct change_line *line,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&ch->db, CS_CHANGE, err);
	struct line_hashes h;

	if (st == NULL || make_hashes(ch, line, &h, err) < 0 ||
	    change_touch(&ch->db, err) < 0)
		return -1;
	bind_said(st, line->by);
	sqlite3_bind_int64(st, 1, (sqlite3_int64)line->number);
	sqlite3_bind_int64(st, 2, clock_wall_us(&clock_system));
	sqlite3_bind_int64(st, 7, (sqlite3_int64)line->recipients);
	sqlite3_bind_int(st, 8, ch->conf->node);
	db_bind_str(st, 9, line->kind);
	sqlite3_bind_blob(st, 11, h.previous, h.previous_n, SQLITE_STATIC);
	sqlite3_bind_blob(st, 12, h.rows, CHAIN_BYTES, SQLITE_STATIC);
	sqlite3_bind_blob(st, 13, h.decided, h.decided_n, SQLITE_STATIC);
	return db_run(&ch->db, st, err);
}
