/* SPDX-License-Identifier: ISC
 *
 * Rules that leave recipients out of waves.
 */
#include "policy/wave/file/exclude.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/wave/file/decided.h"
#include "policy/wave/file/wave_file_int.h"
#include "relay/base/mem.h"

int exclude_each(struct wave_file *f,
    void (*fn)(void *arg, const struct exclude *e), void *arg,
    struct error *err)
{
	int rc = wave_absent(f, err);
	sqlite3_stmt *st;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_EXCLUDES, err);
	if (st == NULL)
		return -1;
	while ((rc = wave_step(f, st, err)) > 0) {
		const struct exclude e = {
		    .number = (uint64_t)sqlite3_column_int64(st, 0),
		    .time_us = sqlite3_column_int64(st, 1),
		    .where = db_str(st, 2),
		    .who = db_str(st, 3),
		    .note = db_str(st, 4),
		};

		fn(arg, &e);
	}
	return rc;
}

int exclude_mark(struct wave_file *f, int64_t *mark_out, struct error *err)
{
	sqlite3_stmt *st;
	int rc = wave_absent(f, err);

	*mark_out = 0;
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_EXCLUDE_MARK, err);
	if (st == NULL || wave_step(f, st, err) < 0)
		return -1;
	*mark_out = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

/* ---- asked for a row -------------------------------------------------- */

struct exclude_rules {
	struct {
		uint64_t number;
		struct where *where;
	} *rule;
	size_t n;
	struct error bad; /* the first expression that can not be read */
};

static void add_rule(void *arg, const struct exclude *e)
{
	struct exclude_rules *r = arg;
	struct where *where;
	struct error err;

	where = where_parse(slice_str(e->where), &err);
	if (where == NULL) {
		if (r->bad.text[0] == '\0')
			error_set(&r->bad, "rule %" PRIu64 " of wave exclude "
			    "can not be read (%.200s); take it away by wave "
			    "include %" PRIu64, e->number, err.text,
			    e->number);
		return;
	}
	r->rule = mem_resize(r->rule, (r->n + 1) * sizeof(*r->rule));
	r->rule[r->n].number = e->number;
	r->rule[r->n++].where = where;
}

struct exclude_rules *exclude_rules_load(struct wave_file *f,
    struct error *err)
{
	struct exclude_rules *r = NEW(struct exclude_rules);

	if (exclude_each(f, add_rule, r, err) == 0) {
		if (r->bad.text[0] == '\0')
			return r;
		*err = r->bad;
	}
	exclude_rules_free(r);
	return NULL;
}

void exclude_rules_free(struct exclude_rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		where_free(r->rule[i].where);
	mem_free(r->rule);
	mem_free(r);
}

bool exclude_rules_ask_wave(const struct exclude_rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (where_asks(r->rule[i].where, WHERE_WAVE))
			return true;
	return false;
}

uint64_t exclude_rules_match(const struct exclude_rules *r,
    const struct where_row *row)
{
	for (size_t i = 0; i < r->n; i++)
		if (where_match(r->rule[i].where, row))
			return r->rule[i].number;
	return 0;
}

/* ---- put up and taken away -------------------------------------------- */

static int decide(struct wave_file *f, const struct exclude_said *said,
    const char *where, uint64_t number, struct error *err)
{
	const struct change_by *by = said->by;
	struct decided d = {.time_us = said->now_us, .who = by->who,
	    .host = by->host, .command = by->command, .about = where,
	    .note = by->note == NULL ? "" : by->note};
	char detail[40];

	snprintf(detail, sizeof(detail), "rule %" PRIu64, number);
	d.detail = detail;
	return decided_add(f, &d, err);
}

/* 1 with the rule, 0, -1. */
static int find(struct wave_file *f, const struct exclude_said *said,
    uint64_t *number_out, const char **where_out, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_EXCLUDE_FIND, err);
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)said->number);
	db_bind_str(st, 2, said->where == NULL ? "" : said->where);
	rc = wave_step(f, st, err);
	if (rc > 0) {
		*number_out = (uint64_t)sqlite3_column_int64(st, 0);
		*where_out = arena_strdup(f->texts, db_str(st, 1));
	}
	sqlite3_reset(st);
	return rc;
}

int exclude_add(struct wave_file *f, const struct exclude_said *said,
    uint64_t *number_out, struct error *err)
{
	const struct change_by *by = said->by;
	struct exclude_said text = {.where = said->where};
	const char *ignored;
	sqlite3_stmt *st;
	int rc = find(f, &text, number_out, &ignored, err);

	if (rc > 0)
		return error_set(err, "rule %" PRIu64 " has that expression "
		    "already", *number_out);
	st = rc < 0 ? NULL : wave_stmt(f, WS_EXCLUDE_ADD, err);
	if (st == NULL)
		return -1;
	db_bind_str(st, 1, said->where);
	sqlite3_bind_int64(st, 2, said->now_us);
	db_bind_str(st, 3, by->who);
	db_bind_str(st, 4, by->host);
	db_bind_str(st, 5, by->note == NULL ? "" : by->note);
	if (wave_do(f, st, NULL, err) < 0)
		return -1;
	*number_out = (uint64_t)sqlite3_last_insert_rowid(f->db.handle);
	return decide(f, said, said->where, *number_out, err);
}

int exclude_remove(struct wave_file *f, const struct exclude_said *said,
    struct error *err)
{
	const char *where = "";
	uint64_t number = 0;
	sqlite3_stmt *st;
	int rc = find(f, said, &number, &where, err);

	if (rc <= 0)
		return rc;
	st = wave_stmt(f, WS_EXCLUDE_DROP, err);
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)number);
	if (wave_do(f, st, NULL, err) < 0)
		return -1;
	if (db_do(&f->db, WS_EXCLUDED_BACK, err) < 0)
		return -1;
	return decide(f, said, where, number, err) < 0 ? -1 : 1;
}
