/* SPDX-License-Identifier: ISC
 *
 * The handle of the tables of waves, its transactions, and waves as they are
 * read.
 */
#include "policy/wave/file/wave_file_int.h"
#include "policy/wave/file/wave_schema.h"

/* ---- the handle ------------------------------------------------------- */

sqlite3_stmt *wave_stmt(struct wave_file *f, enum wave_statement which,
    struct error *err)
{
	return db_stmt(&f->db, (int)which, err);
}

int wave_step(struct wave_file *f, sqlite3_stmt *st, struct error *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		db_error(&f->db, err);
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

int wave_do(struct wave_file *f, sqlite3_stmt *st, uint64_t *rows_out,
    struct error *err)
{
	if (db_run(&f->db, st, err) < 0)
		return -1;
	if (rows_out != NULL)
		*rows_out = (uint64_t)sqlite3_changes64(f->db.handle);
	return 0;
}

int wave_touch(struct wave_file *f, struct error *err)
{
	return db_do(&f->db, WS_TOUCH, err) < 0
		   ? -1 : db_do(&f->db, WS_TOUCH_HEAD, err);
}

int wave_absent(struct wave_file *f, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (!f->absent)
		return 0;
	st = wave_stmt(f, WS_TABLES, err);
	rc = st == NULL ? -1 : wave_step(f, st, err);
	if (rc < 0)
		return -1;
	sqlite3_reset(st);
	f->absent = rc == 0;
	return f->absent;
}

int wave_unwatched(struct wave_file *f, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (!f->unwatched)
		return 0;
	st = wave_stmt(f, WS_SOAK_TABLES, err);
	rc = st == NULL ? -1 : wave_step(f, st, err);
	if (rc < 0)
		return -1;
	sqlite3_reset(st);
	f->unwatched = rc == 0;
	return f->unwatched;
}

/* On a handle of another, only where its transaction writes already: nothing
 * else is to take the lock of writers. */
static int make_tables(struct wave_file *f, bool write, struct error *err)
{
	bool own = !f->borrowed;
	int rc = wave_absent(f, err);

	if (rc == 0)
		rc = wave_unwatched(f, err);
	if (rc <= 0 || !write)
		return rc < 0 ? -1 : 0;
	if (own && wave_begin(f, err) < 0)
		return -1;
	rc = db_script(&f->db, wave_schema, err);
	if (own)
		rc = wave_end(f, rc, err);
	else if (rc == 0)
		rc = wave_touch(f, err);
	f->absent = f->unwatched = rc < 0;
	return rc;
}

static struct wave_file *ready(struct wave_file *f, bool write,
    struct error *err)
{
	f->absent = f->unwatched = true;
	f->texts = arena_new();
	if (make_tables(f, write, err) == 0)
		return f;
	wave_file_close(f);
	return NULL;
}

struct wave_file *wave_file_open(const char *path, bool write,
    struct error *err)
{
	struct wave_file *f = NEW(struct wave_file);

	if (db_open(&f->db, path, write ? DB_WRITE : DB_READ, wave_sql,
		err) < 0) {
		mem_free(f);
		return NULL;
	}
	return ready(f, write, err);
}

struct wave_file *wave_file_on(struct db *db, struct error *err)
{
	struct wave_file *f = NEW(struct wave_file);

	f->db = (struct db){.handle = db->handle, .path = db->path,
	    .wait = {.limit_ms = db->wait.limit_ms}, .sql = wave_sql};
	f->borrowed = true;
	return ready(f, sqlite3_txn_state(db->handle, "main") ==
		SQLITE_TXN_WRITE, err);
}

void wave_file_close(struct wave_file *f)
{
	if (f == NULL)
		return;
	if (f->borrowed)
		for (int i = 0; i < DB_STATEMENTS; i++)
			sqlite3_finalize(f->db.stmt[i]);
	else
		db_close(&f->db);
	arena_free(f->texts);
	mem_free(f);
}

void wave_forget(struct wave_file *f)
{
	arena_free(f->texts);
	f->texts = arena_new();
}

int wave_begin(struct wave_file *f, struct error *err)
{
	struct error ignored;

	if (db_do(&f->db, WS_BEGIN, err) < 0)
		return -1;
	if (wave_touch(f, err) == 0)
		return 0;
	if (db_do(&f->db, WS_ROLLBACK, &ignored) < 0)
		return -1; /* closing takes it back */
	return -1;
}

int wave_end(struct wave_file *f, int rc, struct error *err)
{
	struct error ignored;

	if (rc == 0)
		rc = db_do(&f->db, WS_COMMIT, err);
	if (rc < 0 && !sqlite3_get_autocommit(f->db.handle) &&
	    db_do(&f->db, WS_ROLLBACK, &ignored) < 0)
		return -1; /* closing takes it back */
	return rc;
}

/* ---- a wave as it is read --------------------------------------------- */

int wave_at(const struct wave_file *f, sqlite3_stmt *st, struct wave *w,
    struct error *err)
{
	int state = wave_state_named(db_text(st, 2));

	if (state < 0)
		return error_set(err, "%s: wave %s has the state '%s', which "
		    "this version does not know", f->db.path, db_str(st, 1),
		    db_str(st, 2));
	*w = (struct wave){
	    .id = sqlite3_column_int64(st, 0),
	    .name = db_str(st, 1),
	    .state = (enum wave_state)state,
	    .run = (unsigned)sqlite3_column_int(st, 3),
	    .begun = sqlite3_column_int(st, 4) != 0,
	    .route = db_str(st, 5),
	    .at_us = sqlite3_column_int64(st, 7),
	    .reason = db_str(st, 8),
	    .created_us = sqlite3_column_int64(st, 9),
	    .moved_us = sqlite3_column_int64(st, 10),
	    .who = db_str(st, 11),
	    .host = db_str(st, 12),
	    .note = db_str(st, 13),
	};
	wave_options_parse(db_text(st, 6), &w->options);
	return 0;
}

int wave_keep(struct wave_file *f, sqlite3_stmt *st, struct wave *w,
    struct error *err)
{
	if (wave_at(f, st, w, err) < 0)
		return -1;
	w->name = arena_strdup(f->texts, w->name);
	w->route = arena_strdup(f->texts, w->route);
	w->reason = arena_strdup(f->texts, w->reason);
	w->who = arena_strdup(f->texts, w->who);
	w->host = arena_strdup(f->texts, w->host);
	w->note = arena_strdup(f->texts, w->note);
	return 0;
}

int wave_get(struct wave_file *f, const char *name, struct wave *wave_out,
    struct error *err)
{
	int rc = wave_absent(f, err);
	sqlite3_stmt *st;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_GET, err);
	if (st == NULL)
		return -1;
	db_bind_str(st, 1, name);
	rc = wave_step(f, st, err);
	if (rc > 0 && wave_keep(f, st, wave_out, err) < 0)
		rc = -1;
	sqlite3_reset(st);
	return rc;
}

int wave_need(struct wave_file *f, const char *name, struct wave *wave_out,
    struct error *err)
{
	int rc = wave_get(f, name, wave_out, err);

	if (rc == 0)
		return error_set(err, "there is no wave %.64s; posthouse wave "
		    "list shows all", name);
	return rc < 0 ? -1 : 0;
}

int wave_each(struct wave_file *f,
    void (*fn)(void *arg, const struct wave *w), void *arg,
    struct error *err)
{
	int rc = wave_absent(f, err);
	sqlite3_stmt *st;
	struct wave w;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_EACH, err);
	if (st == NULL)
		return -1;
	while ((rc = wave_step(f, st, err)) > 0) {
		if (wave_at(f, st, &w, err) < 0) {
			rc = -1;
			break;
		}
		fn(arg, &w);
	}
	sqlite3_reset(st);
	return rc;
}

/* ---- counts ----------------------------------------------------------- */

int wave_count(struct wave_file *f, int64_t id, struct wave_counts *out,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_COUNT, err);
	int rc;

	*out = (struct wave_counts){0};
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	while ((rc = wave_step(f, st, err)) > 0) {
		int64_t state = sqlite3_column_int64(st, 0);

		out->members++;
		if (state >= 0 && state < MEMBER_STATES)
			out->state[state]++;
	}
	return rc;
}

int wave_count_now(struct wave_file *f, const struct wave *w,
    struct wave_counts *out, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_COUNT_THERE, err);
	uint64_t given;

	if (st == NULL || wave_count(f, w->id, out, err) < 0)
		return -1;
	sqlite3_bind_int64(st, 1, w->id);
	if (wave_step(f, st, err) < 0)
		return -1;
	out->there = (uint64_t)sqlite3_column_int64(st, 0);
	given = out->state[MEMBER_DONE] + out->state[MEMBER_FLIPPED];
	out->moved_on = given > out->there ? given - out->there : 0;
	sqlite3_reset(st);
	return 0;
}
