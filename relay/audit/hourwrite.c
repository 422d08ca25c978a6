/* SPDX-License-Identifier: ISC
 *
 * One hour of the audit index: writing rows.
 */
#include "relay/audit/hourfile_int.h"
#include "relay/mail/result.h"

/* ---- rows -------------------------------------------------------------- */

/* Binds in order; a NULL statement stays NULL until row_done(). */
struct row_bind {
	sqlite3_stmt *s;
	int i;
};

static void row_int(struct row_bind *r, int64_t v)
{
	sqlite3_bind_int64(r->s, ++r->i, v);
}

static void row_text(struct row_bind *r, struct slice v)
{
	sqlite3_bind_text(r->s, ++r->i, v.p == NULL ? "" : v.p, (int)v.n,
	    SQLITE_STATIC);
}

static void row_str(struct row_bind *r, const char *v)
{
	row_text(r, slice_str(v));
}

static void row_hash(struct row_bind *r, int64_t hash)
{
	if (hash != 0)
		row_int(r, hash);
	else
		sqlite3_bind_null(r->s, ++r->i);
}

static int run(struct hourfile *f, enum hour_sql which)
{
	sqlite3_stmt *s = hourfile_stmt(f, which);
	int rc = s == NULL ? SQLITE_ERROR : sqlite3_step(s);

	if (s != NULL)
		sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int row_begin(struct hourfile *f, enum hour_sql which,
    struct row_bind *r)
{
	if (!f->in_tx && run(f, SQL_BEGIN) != 0)
		return -1;
	f->in_tx = true;
	*r = (struct row_bind){hourfile_stmt(f, which), 0};
	return r->s == NULL ? -1 : 0;
}

static int row_done(struct row_bind *r)
{
	int rc = sqlite3_step(r->s);

	sqlite3_reset(r->s);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int put_origin(struct hourfile *f, const struct envelope *e)
{
	struct row_bind r;

	if (!envelope_came_back(e))
		return 0;
	if (row_begin(f, SQL_PUT_ORIGIN, &r) != 0)
		return -1;
	row_int(&r, (int64_t)e->id);
	row_str(&r, e->came_from);
	row_int(&r, (int64_t)e->parent);
	return row_done(&r);
}

int hourfile_put_message(struct hourfile *f, const struct envelope *e)
{
	struct row_bind r;

	if (put_origin(f, e) != 0)
		return -1;
	if (row_begin(f, SQL_PUT_MESSAGE, &r) != 0)
		return -1;
	row_int(&r, (int64_t)e->id);
	row_int(&r, e->accepted_us);
	row_str(&r, e->client);
	row_str(&r, e->client_name);
	row_str(&r, e->listen);
	row_str(&r, e->helo);
	row_str(&r, e->tls);
	row_str(&r, e->from);
	row_str(&r, e->message_id);
	row_int(&r, (int64_t)e->size);
	row_int(&r, e->rcpts);
	row_str(&r, e->spf);
	row_hash(&r, hour_hash(e->client));
	row_hash(&r, hour_hash(e->from));
	row_hash(&r, hour_hash_message_id(e->message_id));
	row_str(&r, e->subject == NULL ? "" : e->subject);
	return row_done(&r);
}

int hourfile_put_recipient(struct hourfile *f, uint64_t id, uint32_t rcpt,
    const char *address, struct slice legs)
{
	struct row_bind r;

	if (row_begin(f, SQL_PUT_RECIPIENT, &r) != 0)
		return -1;
	row_int(&r, (int64_t)id);
	row_int(&r, rcpt);
	row_str(&r, address);
	row_hash(&r, hour_hash(address));
	row_text(&r, legs);
	return row_done(&r);
}

int hourfile_put_event(struct hourfile *f, const struct delivery_event *m)
{
	struct row_bind r;

	if (row_begin(f, SQL_PUT_MOVE, &r) != 0)
		return -1;
	row_int(&r, (int64_t)m->id);
	row_int(&r, ++f->state.seq);
	row_int(&r, m->time_us);
	row_int(&r, m->kind);
	row_int(&r, m->rcpt);
	row_str(&r, m->leg);
	row_int(&r, m->role);
	row_int(&r, m->why);
	row_int(&r, m->uncertain);
	row_int(&r, m->attempt);
	row_int(&r, (int64_t)m->change);
	sqlite3_bind_blob(r.s, ++r.i, m->detail.p, (int)m->detail.n,
	    SQLITE_STATIC);
	row_int(&r, m->why == WHY_ATTEMPT ? result_code(m->detail) : 0);
	return row_done(&r);
}

int hourfile_put_note(struct hourfile *f, const struct note_row *n)
{
	struct row_bind r;

	if (row_begin(f, SQL_PUT_NOTE, &r) != 0)
		return -1;
	row_int(&r, ++f->state.seq);
	row_int(&r, n->time_us);
	row_text(&r, n->event);
	row_hash(&r, (int64_t)n->id);
	row_hash(&r, hour_hash(n->client));
	row_hash(&r, hour_hash(n->from));
	row_hash(&r, hour_hash(n->to));
	row_text(&r, n->fields);
	return row_done(&r);
}

int hourfile_put_total(struct hourfile *f, const char *leg,
    const int64_t add[TOTALS])
{
	struct row_bind r;

	if (row_begin(f, SQL_PUT_TOTAL, &r) != 0)
		return -1;
	row_str(&r, leg);
	for (int i = 0; i < TOTALS; i++)
		row_int(&r, add[i]);
	return row_done(&r);
}

int hourfile_commit(struct hourfile *f, struct spool_pos cursor)
{
	struct row_bind r;

	if (row_begin(f, SQL_CURSOR, &r) != 0)
		return -1;
	row_int(&r, (int64_t)cursor.generation);
	row_int(&r, (int64_t)cursor.offset);
	row_int(&r, f->state.seq);
	if (row_done(&r) != 0 || run(f, SQL_COMMIT) != 0)
		return -1;
	f->in_tx = false;
	f->state.cursor = cursor;
	return 0;
}

void hourfile_rollback(struct hourfile *f)
{
	if (f->in_tx && f->db != NULL && !sqlite3_get_autocommit(f->db))
		run(f, SQL_ROLLBACK);
	f->in_tx = false;
}
