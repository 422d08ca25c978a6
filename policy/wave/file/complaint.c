/* SPDX-License-Identifier: ISC
 *
 * The rows of `complaint`.
 */
#include "policy/wave/file/complaint.h"

#include <stdio.h>

#include "policy/wave/file/decided.h"
#include "policy/wave/file/wave_file_int.h"

int complaint_add(struct wave_file *f, const struct complaint *c,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_COMPLAINT_ADD, err);
	char about[ADDR_MAX];
	const struct decided d = {.time_us = c->time_us, .who = c->who,
	    .host = c->host, .command = "complaints add", .about = about,
	    .detail = "a complaint", .note = c->note};

	if (st == NULL)
		return -1;
	snprintf(about, sizeof(about), "%.*s", (int)c->address.n,
	    c->address.p);
	db_bind(st, 1, c->address);
	sqlite3_bind_int64(st, 2, c->time_us);
	db_bind_str(st, 3, c->who);
	db_bind_str(st, 4, c->host);
	db_bind_str(st, 5, c->note);
	return wave_do(f, st, NULL, err) < 0 ? -1 : decided_add(f, &d, err);
}

int complaint_each(struct wave_file *f, const struct complaint_page *page,
    struct error *err)
{
	int rc = wave_unwatched(f, err);
	sqlite3_stmt *st;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_COMPLAINTS, err);
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, page->since_us);
	while ((rc = wave_step(f, st, err)) > 0) {
		const struct complaint c = {
		    .number = (uint64_t)sqlite3_column_int64(st, 0),
		    .address = db_text(st, 1),
		    .time_us = sqlite3_column_int64(st, 2),
		    .who = db_str(st, 3),
		    .host = db_str(st, 4),
		    .note = db_str(st, 5),
		};

		page->fn(page->arg, &c);
	}
	return rc;
}

int complaint_count(struct wave_file *f, const struct wave *w,
    int64_t after_us, uint64_t *n_out, struct error *err)
{
	int rc = wave_unwatched(f, err);
	sqlite3_stmt *st;

	*n_out = 0;
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_COMPLAINED, err);
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, w->id);
	sqlite3_bind_int64(st, 2, w->run);
	sqlite3_bind_int64(st, 3, after_us);
	rc = wave_step(f, st, err);
	if (rc > 0)
		*n_out = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}
