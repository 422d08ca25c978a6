/* SPDX-License-Identifier: ISC
 *
 * Finds the rows that an expression selects, and stages them.
 */
#include "policy/change/change_int.h"

static bool selected(const struct change *ch, const struct where *w,
    sqlite3_stmt *st)
{
	struct where_row row = {
	    .address = db_text(st, 0),
	    .route = db_text(st, 1),
	    .held = sqlite3_column_int(st, 2) != 0,
	    .mailbox = db_text(st, 3),
	    .tags = db_text(st, 4),
	    .change = (uint64_t)sqlite3_column_int64(st, 5),
	};

	if (row.address.n > 0 && row.address.p[0] == '@' &&
	    !where_takes_domains(w))
		return false;
	if (where_asks(w, WHERE_CUSTOMER))
		row.customer = change_customer(ch->conf, row.address);
	return where_match(w, &row);
}

/* The rows that `st` gives, bound by the caller. */
static int each_selected(struct change *ch, const struct where *w,
    const struct change_each *each, sqlite3_stmt *st, struct error *err)
{
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		if (selected(ch, w, st) &&
		    each->fn(each->arg, db_text(st, 0), err) < 0)
			break;
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		db_error(&ch->db, err);
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

int change_each(struct change *ch, const struct where *w,
    const struct change_each *each, struct error *err)
{
	struct slice tag[WHERE_NODES];
	unsigned tags = where_tags(w, tag);
	sqlite3_stmt *st = db_stmt(&ch->db, tags > 0 ? CS_SCAN_TAG : CS_SCAN,
	    err);

	if (st == NULL)
		return -1;
	change_phase(ch, "selecting");
	if (tags == 0)
		return each_selected(ch, w, each, st, err);
	for (unsigned i = 0; i < tags; i++) {
		change_bind_tag(st, tag[i]);
		if (each_selected(ch, w, each, st, err) < 0)
			return -1;
	}
	return 0;
}

struct selection {
	struct change *ch;
	const struct change_row *row; /* NULL: it is to go */
};

static int stage_one(void *arg, struct slice key, struct error *err)
{
	const struct selection *s = arg;
	const struct staged gone = {.key = key, .gone = true, .held = -1};

	if (s->row != NULL)
		return change_stage_row(s->ch, key, s->row, err);
	change_stage(s->ch, &gone);
	return 0;
}

/* A row with two of the tags is staged twice, which sorting makes one. */
int change_where(struct change *ch, const struct where *w,
    const struct change_row *row, struct error *err)
{
	struct selection s = {ch, row};
	const struct change_each each = {stage_one, &s};

	return change_each(ch, w, &each, err);
}

int change_delete_where(struct change *ch, struct where *w, struct error *err)
{
	where_take_domains(w);
	return change_where(ch, w, NULL, err);
}

const char *change_no_such_tag(struct change *ch, const struct where *w,
    struct arena *a)
{
	struct slice tag[WHERE_NODES];
	unsigned tags = where_named(w, tag);
	struct error ignored;
	sqlite3_stmt *st = db_stmt(&ch->db, CS_HAS_TAG, &ignored);
	const char *none = NULL;

	for (unsigned i = 0; st != NULL && none == NULL && i < tags; i++) {
		change_bind_tag(st, tag[i]);
		if (sqlite3_step(st) == SQLITE_DONE)
			none = arena_slicedup(a, tag[i]);
		sqlite3_reset(st);
	}
	return none;
}
