/* SPDX-License-Identifier: ISC
 *
 * Finds the rows that an expression selects, and stages them.
 */
#include "policy/change/change_int.h"

/* One selection: what it is given to, and what is made for each row. */
struct choosing {
	struct change *ch;
	const struct where *w;
	const struct change_each *each;
	bool customer, wave; /* columns that it asks for */
};

static bool may_be(const struct choosing *c, struct slice key)
{
	return key.n == 0 || key.p[0] != '@' || where_takes_domains(c->w);
}

static struct where_row row_at(const struct choosing *c, sqlite3_stmt *st)
{
	struct where_row row = {
	    .address = db_text(st, 0),
	    .route = db_text(st, 1),
	    .held = sqlite3_column_int(st, 2) != 0,
	    .mailbox = db_text(st, 3),
	    .tags = db_text(st, 4),
	    .change = (uint64_t)sqlite3_column_int64(st, 5),
	};

	if (c->customer)
		row.customer = change_customer(c->ch->conf, row.address);
	return row;
}

/* 1 it is selected, 0, -1. */
static int is_selected(const struct choosing *c, struct where_row *row,
    struct error *err)
{
	const struct where_waves *waves = &c->ch->waves;
	struct strbuf names;
	int rc = 0;

	if (!may_be(c, row->address))
		return 0;
	if (!c->wave)
		return where_match(c->w, row);
	strbuf_init(&names, WHERE_WAVES_TEXT);
	if (waves->of(waves->arg, row->address, &names, err) < 0)
		rc = -1;
	row->waves = strbuf_view(&names);
	if (rc == 0)
		rc = where_match(c->w, row);
	row->waves = SLICE("");
	strbuf_fini(&names);
	return rc;
}

/* The rows that `st` gives, bound by the caller. */
static int each_selected(const struct choosing *c, sqlite3_stmt *st,
    struct error *err)
{
	int rc, fits = 0;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct where_row row = row_at(c, st);

		fits = is_selected(c, &row, err);
		if (fits > 0)
			fits = c->each->fn(c->each->arg, &row, err);
		if (fits < 0)
			break;
	}
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		db_error(&c->ch->db, err);
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* ---- by what rows are found -------------------------------------------- */

static int each_of_address(const struct choosing *c, struct slice address,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&c->ch->db, CS_SCAN_ADDRESS, err);

	if (st == NULL)
		return -1;
	db_bind(st, 1, address);
	return each_selected(c, st, err);
}

static int on_member(void *arg, struct slice address, struct error *err)
{
	return each_of_address(arg, address, err);
}

static int each_of_key(struct choosing *c, const struct where_key *key,
    struct error *err)
{
	const struct where_waves *waves = &c->ch->waves;
	sqlite3_stmt *st;

	if (key->field == WHERE_ADDRESS)
		return each_of_address(c, key->text, err);
	if (key->field == WHERE_WAVE)
		return waves->members(waves->arg, key->text, on_member, c,
		    err);
	st = db_stmt(&c->ch->db, CS_SCAN_TAG, err);
	if (st == NULL)
		return -1;
	change_bind_tag(st, key->text);
	return each_selected(c, st, err);
}

void change_take_waves(struct change *ch, const struct where_waves *waves)
{
	if (ch->waves.end != NULL)
		ch->waves.end(ch->waves.arg);
	ch->waves = *waves;
}

int change_each(struct change *ch, const struct where *w,
    const struct change_each *each, struct error *err)
{
	struct choosing c = {ch, w, each, where_asks(w, WHERE_CUSTOMER),
	    where_asks(w, WHERE_WAVE)};
	struct where_key key[WHERE_NODES];
	unsigned keys = where_keys(w, key);
	sqlite3_stmt *st;

	if (c.wave && ch->waves.of == NULL)
		return error_set(err, "the column wave can not be asked for "
		    "here");
	if (c.wave && ch->waves.known(ch->waves.arg, w, err) < 0)
		return -1;
	change_phase(ch, "selecting");
	if (keys == 0) {
		st = db_stmt(&ch->db, CS_SCAN, err);
		return st == NULL ? -1 : each_selected(&c, st, err);
	}
	for (unsigned i = 0; i < keys; i++)
		if (each_of_key(&c, &key[i], err) < 0)
			return -1;
	return 0;
}

struct selection {
	struct change *ch;
	const struct change_row *row; /* NULL: it is to go */
};

static int stage_one(void *arg, const struct where_row *row,
    struct error *err)
{
	const struct selection *s = arg;
	const struct staged gone = {.key = row->address, .gone = true,
	    .held = -1};

	if (s->row != NULL)
		return change_stage_row(s->ch, row->address, s->row, err);
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
	unsigned tags = where_named(w, WHERE_TAG, tag);
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
