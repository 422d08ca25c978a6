/* SPDX-License-Identifier: ISC
 *
 * One hour of the audit index: writing rows.
 */
#include "relay/audit/hourfile_int.h"
#include "relay/mail/result.h"

/* ---- rows -------------------------------------------------------------- */

void hourfile_row_int(struct row_bind *r, int64_t v)
{
	sqlite3_bind_int64(r->s, ++r->i, v);
}

void hourfile_row_text(struct row_bind *r, struct slice v)
{
	sqlite3_bind_text(r->s, ++r->i, v.p == NULL ? "" : v.p, (int)v.n,
	    SQLITE_STATIC);
}

static void row_str(struct row_bind *r, const char *v)
{
	hourfile_row_text(r, slice_str(v));
}

static void row_hash(struct row_bind *r, int64_t hash)
{
	if (hash != 0)
		hourfile_row_int(r, hash);
	else
		sqlite3_bind_null(r->s, ++r->i);
}

int hourfile_run(struct hourfile *f, enum hour_sql which)
{
	sqlite3_stmt *s = hourfile_stmt(f, which);
	int rc = s == NULL ? SQLITE_ERROR : sqlite3_step(s);

	if (s != NULL)
		sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

int hourfile_row(struct hourfile *f, enum hour_sql which, struct row_bind *r)
{
	if (!f->in_tx && hourfile_run(f, SQL_BEGIN) != 0)
		return -1;
	f->in_tx = true;
	*r = (struct row_bind){hourfile_stmt(f, which), 0};
	return r->s == NULL ? -1 : 0;
}

int hourfile_row_done(struct row_bind *r)
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
	if (hourfile_row(f, SQL_PUT_ORIGIN, &r) != 0)
		return -1;
	hourfile_row_int(&r, (int64_t)e->id);
	row_str(&r, e->came_from);
	hourfile_row_int(&r, (int64_t)e->parent);
	return hourfile_row_done(&r);
}

static int put_stripped(struct hourfile *f, const struct envelope *e)
{
	struct row_bind r;

	if (e->stripped == NULL || e->stripped[0] == '\0')
		return 0;
	if (hourfile_row(f, SQL_PUT_STRIPPED, &r) != 0)
		return -1;
	hourfile_row_int(&r, (int64_t)e->id);
	row_str(&r, e->stripped);
	return hourfile_row_done(&r);
}

/* "pass ip4:192.0.2.0/24 example.org": nearly each message has a result, and a
 * row of its own for what led to it would cost as much as another table. */
static const char *spf_text(const struct envelope *e, struct strbuf *b)
{
	strbuf_adds(b, e->spf);
	if (e->spf_by != NULL && e->spf_by[0] != '\0')
		strbuf_addc(b, ' ');
	if (e->spf_by != NULL)
		strbuf_adds(b, e->spf_by);
	return strbuf_cstr(b);
}

static int put_message(struct hourfile *f, const struct envelope *e,
    const char *spf)
{
	struct row_bind r;

	if (hourfile_row(f, SQL_PUT_MESSAGE, &r) != 0)
		return -1;
	hourfile_row_int(&r, (int64_t)e->id);
	hourfile_row_int(&r, e->accepted_us);
	row_str(&r, e->client);
	row_str(&r, e->client_name);
	row_str(&r, e->listen);
	row_str(&r, e->helo);
	row_str(&r, e->tls);
	row_str(&r, e->from);
	row_str(&r, e->message_id);
	hourfile_row_int(&r, (int64_t)e->size);
	hourfile_row_int(&r, e->rcpts);
	row_str(&r, spf);
	row_hash(&r, hour_hash(e->client));
	row_hash(&r, hour_hash(e->from));
	row_hash(&r, hour_hash_message_id(e->message_id));
	row_str(&r, e->subject == NULL ? "" : e->subject);
	return hourfile_row_done(&r);
}

int hourfile_put_message(struct hourfile *f, const struct envelope *e)
{
	struct strbuf spf;
	int rc;

	if (put_origin(f, e) != 0 || put_stripped(f, e) != 0)
		return -1;
	strbuf_init(&spf, 4096);
	rc = put_message(f, e, spf_text(e, &spf));
	strbuf_fini(&spf);
	return rc;
}

int hourfile_put_recipient(struct hourfile *f, uint64_t id, uint32_t rcpt,
    const char *address, struct slice legs)
{
	struct row_bind r;

	if (hourfile_row(f, SQL_PUT_RECIPIENT, &r) != 0)
		return -1;
	hourfile_row_int(&r, (int64_t)id);
	hourfile_row_int(&r, rcpt);
	row_str(&r, address);
	row_hash(&r, hour_hash(address));
	hourfile_row_text(&r, legs);
	hourfile_row_int(&r, f->state.era);
	return hourfile_row_done(&r);
}

int hourfile_put_event(struct hourfile *f, const struct delivery_event *m)
{
	struct row_bind r;

	if (hourfile_row(f, SQL_PUT_MOVE, &r) != 0)
		return -1;
	hourfile_row_int(&r, (int64_t)m->id);
	hourfile_row_int(&r, ++f->state.seq);
	hourfile_row_int(&r, m->time_us);
	hourfile_row_int(&r, m->kind);
	hourfile_row_int(&r, m->rcpt);
	row_str(&r, m->leg);
	hourfile_row_int(&r, m->role);
	hourfile_row_int(&r, m->why);
	hourfile_row_int(&r, m->uncertain);
	hourfile_row_int(&r, m->attempt);
	hourfile_row_int(&r, (int64_t)m->change);
	sqlite3_bind_blob(r.s, ++r.i, m->detail.p, (int)m->detail.n,
	    SQLITE_STATIC);
	hourfile_row_int(&r,
	    why_has_result(m->why) ? result_code(m->detail) : 0);
	return hourfile_row_done(&r);
}

int hourfile_put_note(struct hourfile *f, const struct note_row *n)
{
	struct row_bind r;

	if (hourfile_row(f, SQL_PUT_NOTE, &r) != 0)
		return -1;
	hourfile_row_int(&r, ++f->state.seq);
	hourfile_row_int(&r, n->time_us);
	hourfile_row_text(&r, n->event);
	row_hash(&r, (int64_t)n->id);
	row_hash(&r, hour_hash(n->client));
	row_hash(&r, hour_hash(n->from));
	row_hash(&r, hour_hash(n->to));
	hourfile_row_text(&r, n->fields);
	return hourfile_row_done(&r);
}

void hourfile_rollback(struct hourfile *f)
{
	if (f->in_tx && f->db != NULL && !sqlite3_get_autocommit(f->db))
		hourfile_run(f, SQL_ROLLBACK);
	f->in_tx = false;
}
