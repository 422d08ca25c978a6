/* SPDX-License-Identifier: ISC
 *
 * The cutover table on SQLite, the reader's side. A lookup is two steps of
 * prepared statements and no allocation but in the caller's arena. What is
 * read back is input: a route that can not be read is ROUTE_NONE.
 */
#include "policy/table.h"

#include "policy/change_chain.h"
#include "policy/row.h"
#include "policy/table_int.h"

enum table_statement {
	ST_BEGIN, ST_END, ST_GET, ST_REVERSE, ST_ROWS, ST_NEWEST, ST_VERSION,
	ST_LOG, ST_CHANGES, ST_CHANGE, ST_HISTORY, ST_CHANGE_ROWS,
	ST_FLIPPED, ST_LOG_ROWS, ST_ROUTED,
};

#define COLUMNS TABLE_COLUMNS("")
#define CHANGE CHAIN_COLUMNS_OF("c.")
#define VALUES "l.old_route, l.old_held, l.old_mailbox, l.old_tags, " \
	"l.old_addresses, l.new_route, l.new_held, l.new_mailbox, " \
	"l.new_tags, l.new_addresses"

static const char *const sql[] = {
	[ST_BEGIN] = "BEGIN",
	[ST_END] = "COMMIT",
	[ST_GET] = "SELECT " COLUMNS " FROM route WHERE address = ?1",
	[ST_REVERSE] = "SELECT " COLUMNS " FROM route WHERE address = "
	    "(SELECT address FROM rewrite WHERE key = ?1 AND leg = ?2 "
	    "ORDER BY address LIMIT 1)",
	[ST_ROWS] = "SELECT " COLUMNS " FROM route WHERE address > ?1 "
	    "ORDER BY address LIMIT ?2",
	[ST_NEWEST] = "SELECT coalesce(max(change), 0) FROM change",
	[ST_VERSION] = "PRAGMA data_version",
	[ST_LOG] = "SELECT change, address FROM log "
	    "WHERE (change, address) > (?1, ?2) "
	    "ORDER BY change, address LIMIT ?3",
	[ST_LOG_ROWS] = "SELECT l.change, l.address, " VALUES " FROM log l "
	    "WHERE (l.change, l.address) > (?1, ?2) "
	    "ORDER BY l.change, l.address LIMIT ?3",
	[ST_CHANGES] = "SELECT " CHANGE " FROM change c WHERE c.change > ?1 "
	    "ORDER BY c.change LIMIT ?2",
	[ST_CHANGE] = "SELECT " CHANGE " FROM change c WHERE c.change = ?1",
	/* CROSS JOIN keeps the order of the loops: one look into the log per
	 * change, and no index of the log by address to be kept. */
	[ST_HISTORY] = "SELECT " CHANGE ", " VALUES " FROM change c "
	    "CROSS JOIN log l ON l.change = c.change AND l.address = ?1 "
	    "ORDER BY c.change",
	[ST_CHANGE_ROWS] = "SELECT l.address, " VALUES " FROM log l "
	    "WHERE l.change = ?1 ORDER BY l.address",
	/* As a rule it is the change that wrote the row last, ?2. */
	[ST_ROUTED] = "SELECT " CHANGE " FROM change c CROSS JOIN log l "
	    "ON l.change = c.change AND l.address = ?1 "
	    "WHERE c.change <= ?2 AND (l.old_route IS NOT l.new_route "
	    "OR l.old_held IS NOT l.new_held) "
	    "ORDER BY c.change DESC LIMIT 1",
	/* ?3 is the change that wrote the row last: if that one is too old,
	 * no other is looked at, and as a rule it is the flip itself. */
	[ST_FLIPPED] = "SELECT 1 FROM change c CROSS JOIN log l "
	    "ON l.change = c.change AND l.address = ?1 "
	    "WHERE (SELECT time FROM change WHERE change = ?3) >= ?2 "
	    "AND c.change <= ?3 AND c.time >= ?2 "
	    "AND l.new_route IS NOT NULL "
	    "AND l.old_route IS NOT l.new_route "
	    "AND (l.old_route IS NOT NULL OR c.command = 'flip') "
	    "ORDER BY c.change DESC LIMIT 1",
};

/* Room for the upper pages of a table of millions, so that a lookup reads
 * one page. */
static const char cache[] = "PRAGMA cache_size = -8192;";

static struct table *open_as(const char *path, enum db_mode mode,
    struct names *names, struct error *err)
{
	struct table *t = NEW(struct table);

	t->names = names;
	if (db_open(&t->db, path, mode, sql, err) < 0) {
		mem_free(t);
		return NULL;
	}
	if (db_script(&t->db, cache, err) < 0) {
		table_close(t);
		return NULL;
	}
	return t;
}

struct table *table_open(const char *path, struct names *names,
    struct error *err)
{
	return open_as(path, DB_READ, names, err);
}

struct table *table_open_old(const char *path, struct names *names,
    struct error *err)
{
	return open_as(path, DB_LOOK, names, err);
}

void table_close(struct table *t)
{
	if (t == NULL)
		return;
	db_close(&t->db);
	mem_free(t);
}

int table_begin(struct table *t, struct error *err)
{
	t->newest = -1;
	t->reading = db_do(&t->db, ST_BEGIN, err) == 0;
	return t->reading ? 0 : -1;
}

void table_end(struct table *t)
{
	struct error ignored;

	t->reading = false;
	/* Ending a read changes nothing, so a failure loses nothing. */
	if (db_do(&t->db, ST_END, &ignored) < 0)
		return;
}

static const char *keep(struct arena *a, sqlite3_stmt *st, int column)
{
	return arena_slicedup(a, db_text(st, column));
}

static void take_addresses(struct table *t, struct arena *a,
    struct slice text, struct table_row *row)
{
	struct slice leg, address;

	while (row->addresses < ROUTE_LEGS_MAX &&
	       row_next_address(&text, &leg, &address)) {
		int id = names_id(t->names, leg);

		if (id < 0)
			continue;
		row->address[row->addresses].leg = (uint16_t)id;
		row->address[row->addresses++].address =
		    arena_slicedup(a, address);
	}
}

void table_take_row(struct table *t, sqlite3_stmt *st, struct arena *a,
    struct table_row *row)
{
	*row = (struct table_row){
	    .found = true,
	    .route_text = keep(a, st, 0),
	    .held = sqlite3_column_int(st, 1) != 0,
	    .mailbox = keep(a, st, 2),
	    .tags = keep(a, st, 3),
	    .change = (uint64_t)sqlite3_column_int64(st, 5),
	};
	row_route(slice_str(row->route_text), t->names, &row->route);
	take_addresses(t, a, db_text(st, 4), row);
}

/* Steps to the one row that may be there. */
static int one(struct table *t, sqlite3_stmt *st, struct error *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return db_error(&t->db, err);
}

int table_get(struct table *t, struct slice key, struct arena *a,
    struct table_row *row_out, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, ST_GET, err);
	int rc;

	*row_out = (struct table_row){.route_text = ""};
	if (st == NULL)
		return -1;
	db_bind(st, 1, key);
	rc = one(t, st, err);
	if (rc == 1)
		table_take_row(t, st, a, row_out);
	sqlite3_reset(st);
	return rc;
}

int table_reverse(struct table *t, struct leg_address of, struct arena *a,
    struct table_row *row_out, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, ST_REVERSE, err);
	int rc;

	*row_out = (struct table_row){.route_text = ""};
	if (st == NULL)
		return -1;
	db_bind(st, 1, of.key);
	db_bind_str(st, 2, names_text(t->names, of.leg));
	rc = one(t, st, err);
	if (rc == 1) {
		table_take_row(t, st, a, row_out);
		row_out->key = keep(a, st, 6);
	}
	sqlite3_reset(st);
	return rc;
}

static int all_rows(struct table *t, const struct table_page *page,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, ST_ROWS, err);
	struct table_row row;
	int n = 0, rc;

	if (st == NULL)
		return -1;
	db_bind(st, 1, page->after);
	sqlite3_bind_int(st, 2, (int)page->limit);
	while ((rc = one(t, st, err)) == 1) {
		table_take_row(t, st, page->a, &row);
		page->fn(page->arg, db_text(st, 6), &row);
		n++;
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : n;
}

int table_rows(struct table *t, const struct table_page *page,
    struct error *err)
{
	return page->tags > 0 ? table_tagged(t, page, err)
			      : all_rows(t, page, err);
}

static int64_t number(struct table *t, enum table_statement which,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, which, err);
	int64_t value = -1;

	if (st == NULL)
		return -1;
	if (one(t, st, err) == 1)
		value = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return value;
}

int64_t table_change(struct table *t, struct error *err)
{
	if (!t->reading)
		return number(t, ST_NEWEST, err);
	if (t->newest < 0)
		t->newest = number(t, ST_NEWEST, err);
	return t->newest;
}

int64_t table_data_version(struct table *t)
{
	return number(t, ST_VERSION, NULL);
}

bool table_moved(struct table *t)
{
	int moved = 0;

	sqlite3_file_control(t->db.handle, "main", SQLITE_FCNTL_HAS_MOVED,
	    &moved);
	return moved != 0;
}

/* ---- the log ---------------------------------------------------------- */

/* A blob sorts behind every text, so behind every key. */
static void bind_place(sqlite3_stmt *st, uint64_t after, const char *key,
    unsigned limit)
{
	sqlite3_bind_int64(st, 1, (sqlite3_int64)after);
	if (key == NULL)
		sqlite3_bind_zeroblob(st, 2, 0);
	else
		db_bind_str(st, 2, key);
	sqlite3_bind_int(st, 3, (int)limit);
}

int table_log(struct table *t, const struct table_log_page *page,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, ST_LOG, err);
	int n = 0, rc;

	if (st == NULL)
		return -1;
	bind_place(st, page->after, page->after_key, page->limit);
	while ((rc = one(t, st, err)) == 1) {
		page->fn(page->arg, (uint64_t)sqlite3_column_int64(st, 0),
		    db_text(st, 1));
		n++;
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : n;
}

/* "undo 41" comes apart; changes of older versions say "undo" alone. */
static void take_undid(struct table_change *c)
{
	struct slice text = slice_str(c->command);

	if (slice_starts(text, SLICE(TABLE_UNDO)) &&
	    slice_uint(slice_from(text, strlen(TABLE_UNDO)), INT64_MAX,
		&c->undid))
		c->command = "undo";
}

/* Borrowed from the table_statement. */
static void borrow_change(sqlite3_stmt *st, struct table_change *c)
{
	unsigned char hash[CHAIN_BYTES];

	*c = (struct table_change){
	    .change = (uint64_t)sqlite3_column_int64(st, 0),
	    .time_us = sqlite3_column_int64(st, 1),
	    .who = db_str(st, 2),
	    .host = db_str(st, 3),
	    .command = db_str(st, 4),
	    .note = db_str(st, 5),
	    .recipients = (uint64_t)sqlite3_column_int64(st, 6),
	    .node = sqlite3_column_int(st, 7),
	    .kind = db_str(st, 8),
	    .wave = db_str(st, 9),
	};
	take_undid(c);
	chain_line(st, hash);
	chain_text(hash, c->head);
}

struct table_value table_value_at(sqlite3_stmt *st, int at)
{
	return (struct table_value){
	    .row = sqlite3_column_type(st, at) != SQLITE_NULL,
	    .route = db_str(st, at),
	    .held = sqlite3_column_int(st, at + 1) != 0,
	    .mailbox = db_str(st, at + 2),
	    .tags = db_str(st, at + 3),
	    .addresses = db_str(st, at + 4),
	};
}

int table_changes(struct table *t, const struct table_changes_page *page,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, ST_CHANGES, err);
	struct table_change c;
	int n = 0, rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)page->after);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)page->limit);
	while ((rc = one(t, st, err)) == 1) {
		borrow_change(st, &c);
		page->fn(page->arg, &c);
		n++;
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : n;
}

/* The change that `st` gives, if any, with texts in `a`. */
static int keep_change(struct table *t, sqlite3_stmt *st, struct arena *a,
    struct table_change *change_out, struct error *err)
{
	int rc = one(t, st, err);

	if (rc == 1) {
		borrow_change(st, change_out);
		change_out->who = keep(a, st, 2);
		change_out->host = keep(a, st, 3);
		change_out->command = arena_strdup(a, change_out->command);
		change_out->note = keep(a, st, 5);
		change_out->kind = keep(a, st, 8);
		change_out->wave = keep(a, st, 9);
	}
	sqlite3_reset(st);
	return rc;
}

int table_change_get(struct table *t, uint64_t change, struct arena *a,
    struct table_change *change_out, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, ST_CHANGE, err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)change);
	return keep_change(t, st, a, change_out, err);
}

int table_routed(struct table *t, const struct table_at *row, struct arena *a,
    struct table_change *change_out, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, ST_ROUTED, err);

	if (st == NULL)
		return -1;
	db_bind(st, 1, row->key);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)row->change);
	return keep_change(t, st, a, change_out, err);
}

int table_log_rows(struct table *t, const struct table_log_values *page,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, ST_LOG_ROWS, err);
	struct table_value before, after;
	int n = 0, rc;

	if (st == NULL)
		return -1;
	bind_place(st, page->after, page->after_key, page->limit);
	while ((rc = one(t, st, err)) == 1) {
		before = table_value_at(st, 2);
		after = table_value_at(st, 7);
		page->fn(page->arg, (uint64_t)sqlite3_column_int64(st, 0),
		    db_text(st, 1), &before, &after);
		n++;
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : n;
}

int table_history(struct table *t, struct slice key,
    void (*fn)(void *arg, const struct table_change *c,
	const struct table_value *before, const struct table_value *after),
    void *arg, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, ST_HISTORY, err);
	struct table_value before, after;
	struct table_change c;
	int n = 0, rc;

	if (st == NULL)
		return -1;
	db_bind(st, 1, key);
	while ((rc = one(t, st, err)) == 1) {
		borrow_change(st, &c);
		before = table_value_at(st, CHAIN_COLUMN_COUNT);
		after = table_value_at(st, CHAIN_COLUMN_COUNT + 5);
		fn(arg, &c, &before, &after);
		n++;
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : n;
}

int table_change_rows(struct table *t, uint64_t change,
    void (*fn)(void *arg, struct slice key, const struct table_value *before,
	const struct table_value *after),
    void *arg, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, ST_CHANGE_ROWS, err);
	struct table_value before, after;
	int n = 0, rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)change);
	while ((rc = one(t, st, err)) == 1) {
		before = table_value_at(st, 1);
		after = table_value_at(st, 6);
		fn(arg, db_text(st, 0), &before, &after);
		n++;
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : n;
}

int table_flipped(struct table *t, const struct table_row *row,
    struct slice key, int64_t since_us, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&t->db, ST_FLIPPED, err);
	int rc;

	if (st == NULL || !row->found)
		return st == NULL ? -1 : 0;
	db_bind(st, 1, key);
	sqlite3_bind_int64(st, 2, since_us);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)row->change);
	rc = one(t, st, err);
	sqlite3_reset(st);
	return rc;
}
