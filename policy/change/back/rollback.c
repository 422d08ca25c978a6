/* SPDX-License-Identifier: ISC
 *
 * Stages a rollback. The flips to be taken back are picked, as pairs of
 * recipient and change, into a temporary table; then each recipient is taken
 * back through its own, newest first.
 */
#include "policy/change/back/rollback.h"

#include "policy/change/back/row_back.h"
#include "policy/change/change_int.h"
#include "policy/table_int.h"
#include "relay/base/mem.h"

enum { LEFT_MAX = 100000, WHY_MAX = 400 };

struct pick {
	struct pick *next;
	uint64_t change;
	const char *key;
};

struct stays {
	struct stays *next;
	const char *key, *column, *value;
};

struct keeps {
	struct keeps *next;
	const char *key, *why;
};

struct rollback {
	struct arena *a; /* of the picks */
	struct rollback_since since;
	const struct where *narrow;
	struct pick *picks;
	struct arena *found; /* what follows, by the last staging */
	struct stays *left, **left_end;
	uint64_t lefts;
	struct keeps *kept, **kept_end;
	/* While it is staged. */
	struct db *db;
	struct heap *chosen;
	struct row_back row;
	bool row_left; /* something of the row at hand stays … */
	struct strbuf why; /* … the first column of it */
};

static void forget_found(struct rollback *rb)
{
	arena_free(rb->found);
	rb->found = arena_new();
	rb->left = NULL;
	rb->left_end = &rb->left;
	rb->lefts = 0;
	rb->kept = NULL;
	rb->kept_end = &rb->kept;
}

struct rollback *rollback_new(void)
{
	struct rollback *rb = NEW(struct rollback);

	rb->a = arena_new();
	strbuf_init(&rb->why, WHY_MAX);
	row_back_init(&rb->row);
	forget_found(rb);
	return rb;
}

void rollback_free(struct rollback *rb)
{
	if (rb == NULL)
		return;
	row_back_fini(&rb->row);
	arena_free(rb->a);
	arena_free(rb->found);
	strbuf_fini(&rb->why);
	mem_free(rb);
}

void rollback_since(struct rollback *rb, const struct rollback_since *what)
{
	rb->since = *what;
}

void rollback_narrow(struct rollback *rb, const struct where *where)
{
	rb->narrow = where;
}

void rollback_add(struct rollback *rb, struct slice key, uint64_t change)
{
	struct pick *p = arena_alloc(rb->a, sizeof(*p));

	*p = (struct pick){rb->picks, change, arena_slicedup(rb->a, key)};
	rb->picks = p;
}

/* ---- statements ------------------------------------------------------- */

static const char tables[] =
    "CREATE TEMP TABLE IF NOT EXISTS flips(change INTEGER PRIMARY KEY,"
    " recipients INTEGER NOT NULL, makes INTEGER NOT NULL);"
    "CREATE TEMP TABLE IF NOT EXISTS chosen(address TEXT NOT NULL"
    " PRIMARY KEY, mailbox TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TEMP TABLE IF NOT EXISTS picked(address TEXT NOT NULL,"
    " change INTEGER NOT NULL, PRIMARY KEY(address, change DESC))"
    " WITHOUT ROWID;"
    "DELETE FROM flips; DELETE FROM chosen; DELETE FROM picked;";

/* A row that was set or imported for the first time was not flipped. */
static const char sql_flips[] = "INSERT INTO flips SELECT change, "
    "recipients, command = 'flip' FROM main.change WHERE time >= ?1 "
    "AND kind NOT IN ('undo', 'rollback', 'seed', 'accept')";
static const char sql_choose[] = "INSERT INTO chosen SELECT c0, c5 FROM feed";
static const char sql_mailboxes[] = "INSERT OR IGNORE INTO chosen "
    "SELECT b.address, b.mailbox FROM chosen c "
    "CROSS JOIN main.route b ON b.mailbox = c.mailbox "
    "WHERE c.mailbox <> '' AND b.mailbox <> ''";
/* Is it less to look every chosen row up in every change than to read all
 * rows of the changes? A look-up costs as much as four rows read on. */
static const char sql_few[] = "SELECT 4 * (SELECT count(*) FROM chosen) * "
    "(SELECT count(*) FROM flips) < (SELECT total(recipients) FROM flips)";

#define PICK "INSERT INTO picked SELECT l.address, l.change "
#define FLIPPED "WHERE l.new_route IS NOT NULL " \
	"AND l.old_route IS NOT l.new_route " \
	"AND (f.makes OR l.old_route IS NOT NULL)"
static const char sql_pick_few[] = PICK "FROM chosen c CROSS JOIN flips f "
    "CROSS JOIN main.log l ON l.change = f.change "
    "AND l.address = c.address " FLIPPED;
static const char sql_pick_many[] = PICK "FROM flips f "
    "CROSS JOIN main.log l ON l.change = f.change "
    "CROSS JOIN chosen c ON c.address = l.address " FLIPPED;
static const char sql_narrow[] = "DELETE FROM picked "
    "WHERE address NOT IN (SELECT address FROM chosen)";
static const char sql_pick[] = "INSERT OR IGNORE INTO picked "
    "SELECT c0, c1 FROM feed";
/* Other addresses of a mailbox that the same change moved: it may have got them
 * since the wave was made. */
static const char sql_pick_mailboxes[] = "INSERT OR IGNORE INTO picked "
    "SELECT b.address, p.change FROM picked p "
    "CROSS JOIN main.route a ON a.address = p.address "
    "CROSS JOIN main.route b ON b.mailbox = a.mailbox "
    "CROSS JOIN main.log l ON l.change = p.change "
    "AND l.address = b.address WHERE a.mailbox <> '' AND b.mailbox <> ''";

static const char sql_rows[] = "SELECT p.address, "
    "l.old_route, l.old_held, l.old_mailbox, l.old_tags, l.old_addresses, "
    "l.new_route, l.new_held, l.new_mailbox, l.new_tags, l.new_addresses, "
    "r.route, r.held, r.mailbox, r.tags, r.addresses "
    "FROM picked p CROSS JOIN main.log l ON l.change = p.change "
    "AND l.address = p.address LEFT JOIN main.route r "
    "ON r.address = p.address WHERE l.new_route IS NOT NULL "
    "ORDER BY p.address, p.change DESC";
static const char sql_stage[] = "INSERT OR REPLACE INTO stage(address, gone, "
    "route, held, mailbox, tags, whole) "
    "SELECT c0, c1, c2, c3, c4, c5, c6 FROM feed";

static int prepare(struct db *db, const char *sql, sqlite3_stmt **st_out,
    struct error *err)
{
	if (sqlite3_prepare_v2(db->handle, sql, -1, st_out, NULL) == SQLITE_OK)
		return 0;
	return db_error(db, err);
}

static int run(struct db *db, const char *sql, int64_t parameter,
    struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (prepare(db, sql, &st, err) < 0)
		return -1;
	if (sqlite3_bind_parameter_count(st) > 0)
		sqlite3_bind_int64(st, 1, parameter);
	rc = db_run(db, st, err);
	sqlite3_finalize(st);
	return rc;
}

/* ---- which ------------------------------------------------------------ */

static int choose(void *arg, const struct where_row *row, struct error *err)
{
	struct rollback *rb = arg;
	const struct staged s = {.key = row->address,
	    .mailbox = slice_of(row->mailbox.p == NULL ? "" : row->mailbox.p,
		row->mailbox.n)};

	(void)err;
	heap_add(rb->chosen, &s);
	return 0;
}

static int feed_chosen(struct rollback *rb, struct change *ch,
    struct error *err)
{
	int rc;

	heap_sort(rb->chosen);
	heap_unique(rb->chosen, NULL, NULL);
	ch->feed = heap_feed(rb->chosen);
	rc = run(rb->db, sql_choose, 0, err);
	ch->feed = NULL;
	return rc;
}

static int choose_rows(struct rollback *rb, struct change *ch,
    const struct where *where, struct error *err)
{
	const struct change_each each = {choose, rb};
	int rc;

	rb->chosen = heap_new();
	rc = change_each(ch, where, &each, err);
	if (rc == 0)
		rc = feed_chosen(rb, ch, err);
	heap_free(rb->chosen);
	if (rc == 0 && !rb->since.only_address)
		rc = run(rb->db, sql_mailboxes, 0, err);
	change_phase(ch, "comparing");
	return rc;
}

static int pick_since(struct rollback *rb, struct change *ch,
    struct error *err)
{
	int64_t few;

	if (run(rb->db, sql_flips, rb->since.since_us, err) < 0 ||
	    choose_rows(rb, ch, rb->since.where, err) < 0 ||
	    db_int(rb->db, sql_few, &few, err) < 0)
		return -1;
	return run(rb->db, few ? sql_pick_few : sql_pick_many, 0, err);
}

/* In the order of their addresses; `line` holds the number of the change here.
 */
static int feed_picks(struct rollback *rb, struct change *ch,
    struct error *err)
{
	struct heap *h = heap_new();
	int rc;

	for (const struct pick *p = rb->picks; p != NULL; p = p->next)
		heap_add(h, &(struct staged){.key = slice_str(p->key),
				.line = p->change});
	heap_sort(h);
	ch->feed = heap_feed(h);
	rc = run(rb->db, sql_pick, 0, err);
	ch->feed = NULL;
	heap_free(h);
	return rc;
}

static int pick_mailboxes(struct rollback *rb, struct change *ch,
    struct error *err)
{
	uint64_t any = 0;

	if (change_number(ch, CS_ANY_MAILBOX, 0, &any, err) < 0)
		return -1;
	return any == 0 ? 0 : run(rb->db, sql_pick_mailboxes, 0, err);
}

static int pick_given(struct rollback *rb, struct change *ch,
    struct error *err)
{
	int rc = 0;

	if (rb->picks != NULL &&
	    (feed_picks(rb, ch, err) < 0 || pick_mailboxes(rb, ch, err) < 0))
		return -1;
	if (rb->narrow != NULL)
		rc = choose_rows(rb, ch, rb->narrow, err);
	if (rc == 0 && rb->narrow != NULL)
		rc = run(rb->db, sql_narrow, 0, err);
	return rc;
}

/* ---- the rows --------------------------------------------------------- */

static void keep_left(void *arg, struct slice key, const char *column,
    const char *value, const struct table_value *now)
{
	struct rollback *rb = arg;
	struct arena *a = rb->found;
	struct stays *s;

	(void)now;
	if (!rb->row_left)
		strbuf_addf(&rb->why, "%s is %.200s by now", column, value);
	rb->row_left = true;
	if (rb->lefts++ >= LEFT_MAX)
		return;
	s = arena_alloc(a, sizeof(*s));
	*s = (struct stays){NULL, arena_slicedup(a, key),
	    arena_strdup(a, column), arena_strdup(a, value)};
	*rb->left_end = s;
	rb->left_end = &s->next;
}

static void keep_row(struct rollback *rb, struct slice key)
{
	struct keeps *k = arena_alloc(rb->found, sizeof(*k));

	*k = (struct keeps){NULL, arena_slicedup(rb->found, key),
	    rb->row_left ? arena_strdup(rb->found, strbuf_cstr(&rb->why))
			 : "it has its old values already"};
	*rb->kept_end = k;
	rb->kept_end = &k->next;
}

/* All flips of the row that `rows` stands on; `rows` is behind them then. */
static int take_row(struct rollback *rb, struct change *ch,
    sqlite3_stmt *rows, struct strbuf *key, struct error *err)
{
	struct table_value now = table_value_at(rows, 11);
	int rc = 1;

	strbuf_reset(key);
	strbuf_addsl(key, db_text(rows, 0));
	rb->row_left = false;
	strbuf_reset(&rb->why);
	row_back_begin(&rb->row, &now);
	while (rc > 0 && slice_eq(db_text(rows, 0), strbuf_view(key))) {
		struct table_value old = table_value_at(rows, 1);
		struct table_value given = table_value_at(rows, 6);
		const struct row_back_step step = {strbuf_view(key), &old,
		    &given, keep_left, rb};

		if (row_back_step(&rb->row, &step, err) < 0)
			return -1;
		rc = change_next(ch, rows, err);
	}
	return rc;
}

/* The rows that `rows` gives, taken back one by one, as a feed. */
struct taking_back {
	struct rollback *rb;
	struct change *ch;
	struct change_done *done;
	sqlite3_stmt *rows;
	struct strbuf key;
	int rc; /* 1: `rows` stands on a row, 0: no more, -1: `err` */
	struct error *err;
};

static bool next_staged(void *arg)
{
	struct taking_back *s = arg;

	while (s->rc > 0) {
		s->rc = take_row(s->rb, s->ch, s->rows, &s->key, s->err);
		if (s->rc < 0)
			return false;
		s->done->left += s->rb->row_left;
		if (s->rb->row.altered) {
			s->ch->staged++;
			return true;
		}
		keep_row(s->rb, strbuf_view(&s->key));
	}
	return false;
}

static void staged_column(void *arg, sqlite3_context *ctx, int column)
{
	const struct taking_back *s = arg;
	const struct row_back *b = &s->rb->row;
	const struct strbuf *text[] = {&s->key, NULL, &b->route, NULL,
	    &b->mailbox, &b->tags, &b->addresses};

	if (text[column] == NULL)
		sqlite3_result_int(ctx, column == 1 ? b->gone : b->held);
	else
		sqlite3_result_text(ctx, text[column]->n == 0
			? "" : text[column]->p, (int)text[column]->n,
		    SQLITE_STATIC);
}

static int stage_rows(struct rollback *rb, struct change *ch,
    struct change_done *done, sqlite3_stmt *rows, struct error *err)
{
	struct taking_back s = {rb, ch, done, .rows = rows, .err = err};
	struct rows_feed feed = {next_staged, staged_column, &s};
	int rc;

	s.rc = change_next(ch, rows, err);
	if (s.rc < 0)
		return -1;
	strbuf_init(&s.key, ADDR_MAX);
	ch->feed = &feed;
	rc = run(rb->db, sql_stage, 0, err);
	ch->feed = NULL;
	strbuf_fini(&s.key);
	return rc < 0 || s.rc < 0 ? -1 : 0;
}

int rollback_stage(void *arg, struct change *ch, struct change_done *done,
    struct error *err)
{
	struct rollback *rb = arg;
	sqlite3_stmt *rows;
	int rc;

	rb->db = &ch->db;
	forget_found(rb);
	ch->staged = 0;
	if (db_script(rb->db, tables, err) < 0 ||
	    (rb->since.where != NULL && pick_since(rb, ch, err) < 0) ||
	    pick_given(rb, ch, err) < 0)
		return -1;
	if (prepare(rb->db, sql_rows, &rows, err) < 0)
		return -1;
	rc = stage_rows(rb, ch, done, rows, err);
	sqlite3_finalize(rows);
	return rc < 0 ? -1 : change_check_legs(ch, err);
}

void rollback_left(const struct rollback *rb,
    const struct rollback_stays *stays)
{
	for (const struct stays *s = rb->left; s != NULL; s = s->next)
		stays->fn(stays->arg, slice_str(s->key), s->column, s->value);
}

void rollback_kept(const struct rollback *rb,
    const struct rollback_keeps *keeps)
{
	for (const struct keeps *k = rb->kept; k != NULL; k = k->next)
		keeps->fn(keeps->arg, slice_str(k->key), k->why);
}
