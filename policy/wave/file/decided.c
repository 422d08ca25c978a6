/* SPDX-License-Identifier: ISC
 *
 * The rows of `decision`.
 */
#include "policy/wave/file/decided.h"

#include "policy/change_chain.h"
#include "policy/wave/file/wave_file_int.h"

int decided_add(struct wave_file *f, const struct decided *d,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_DECIDE, err);
	unsigned char hash[CHAIN_BYTES];
	int n = st == NULL ? -1 : chain_newest_decision(&f->db, hash, err);

	if (n < 0)
		return -1;
	sqlite3_bind_int64(st, 1, d->time_us);
	db_bind_str(st, 2, d->who);
	db_bind_str(st, 3, d->host);
	db_bind_str(st, 4, d->command);
	db_bind_str(st, 5, d->about);
	db_bind_str(st, 6, d->detail);
	db_bind_str(st, 7, d->note);
	sqlite3_bind_blob(st, 8, hash, n, SQLITE_STATIC);
	return wave_do(f, st, NULL, err);
}

int decided_start(struct wave_file *f, const char *wave,
    struct decided_start *out, struct error *err)
{
	int rc = wave_absent(f, err);
	sqlite3_stmt *st;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_STARTED, err);
	if (st == NULL)
		return -1;
	db_bind_str(st, 1, wave);
	rc = wave_step(f, st, err);
	if (rc > 0)
		*out = (struct decided_start){
		    arena_strdup(f->texts, db_str(st, 0)),
		    arena_strdup(f->texts, db_str(st, 1))};
	sqlite3_reset(st);
	return rc;
}

int decided_newest(struct wave_file *f, uint64_t *number_out,
    struct error *err)
{
	int rc = wave_absent(f, err);
	sqlite3_stmt *st;

	*number_out = 0;
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_DECIDED_NEWEST, err);
	if (st == NULL || wave_step(f, st, err) < 0)
		return -1;
	*number_out = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

int decided_each(struct wave_file *f, const struct decided_page *page,
    struct error *err)
{
	int rc = wave_absent(f, err);
	unsigned char hash[CHAIN_BYTES];
	char head[CHAIN_TEXT];
	sqlite3_stmt *st;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, page->about == NULL ? WS_DECIDED : WS_DECIDED_ABOUT,
	    err);
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)page->after);
	if (page->about != NULL)
		db_bind_str(st, 2, page->about);
	while ((rc = wave_step(f, st, err)) > 0) {
		const struct decided d = {
		    .number = (uint64_t)sqlite3_column_int64(st, 0),
		    .time_us = sqlite3_column_int64(st, 1),
		    .who = db_str(st, 2),
		    .host = db_str(st, 3),
		    .command = db_str(st, 4),
		    .about = db_str(st, 5),
		    .detail = db_str(st, 6),
		    .note = db_str(st, 7),
		    .head = head,
		};

		chain_decision(st, hash);
		chain_text(hash, head);
		page->fn(page->arg, &d);
	}
	return rc;
}

int wave_heads(struct wave_file *f, struct chain_heads *out,
    struct error *err)
{
	return chain_heads(&f->db, out, err);
}
