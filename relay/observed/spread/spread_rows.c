/* SPDX-License-Identifier: ISC
 *
 * The rows of looks at name servers. What the file holds counts as outside:
 * a number that has no meaning is read as "nothing is known".
 */
#include "relay/observed/spread/spread_rows.h"

enum {
	/* The part of a key that outlives a server's change of kind: one that
	 * is retired keeps what it has said. */
	SOURCE_RESOLVER, SOURCE_SERVER, SOURCE_PARENT
};

enum rows_sql {
	ROWS_DOMAIN, ROWS_SERVER, ROWS_TARGET, ROWS_ENDED, ROWS_GONE,
	ROWS_GONE_TARGETS, ROWS_GET_DOMAIN, ROWS_GET_SERVERS,
	ROWS_GET_TARGETS, ROWS_SQLS
};

#define KEY "domain = ?1 AND source = ?2 AND name = ?3 AND address = ?4"

static const char *const sql[ROWS_SQLS] = {
	[ROWS_DOMAIN] = "INSERT OR REPLACE INTO spread_domain"
	    " VALUES(?1, ?2, ?3, ?4)",
	[ROWS_SERVER] = "INSERT INTO spread_server VALUES(?1, ?2, ?3, ?4, ?5,"
	    " ?6, ?7, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO UPDATE SET"
	    " since = CASE said WHEN excluded.said THEN since ELSE"
	    " excluded.at END, kind = excluded.kind, said = excluded.said,"
	    " at = excluded.at, why = excluded.why, serial = excluded.serial,"
	    " answer = excluded.answer, ttl = excluded.ttl",
	/* One that comes again has not ended. */
	[ROWS_TARGET] = "INSERT INTO spread_target SELECT ?1, ?2, ?3, ?4, ?5,"
	    " ?6, ?7, ?7, 0, ?8 WHERE ?9 > (SELECT count(*) FROM spread_target"
	    " WHERE " KEY ") ON CONFLICT DO UPDATE SET last = excluded.last,"
	    " ended = 0, ttl = max(ttl, excluded.ttl)",
	[ROWS_ENDED] = "UPDATE spread_target SET ended = ?5 WHERE " KEY
	    " AND ended = 0 AND last < ?5",
	/* Resolvers that are not configured any more, and names that have an
	 * address by now; with a zone also another one above it. */
	[ROWS_GONE] = "DELETE FROM spread_server WHERE domain = ?1 AND"
	    " at < ?2 AND (source = ?3 OR (address = '' AND ?4))",
	[ROWS_GONE_TARGETS] = "DELETE FROM spread_target AS t WHERE"
	    " domain = ?1 AND NOT EXISTS (SELECT 1 FROM spread_server AS s"
	    " WHERE s.domain = t.domain AND s.source = t.source AND"
	    " s.name = t.name AND s.address = t.address)",
	[ROWS_GET_DOMAIN] = "SELECT zone, looked, more FROM spread_domain"
	    " WHERE domain = ?1",
	[ROWS_GET_SERVERS] = "SELECT kind, name, address, said, at, since,"
	    " why, serial, answer, ttl, source FROM spread_server"
	    " WHERE domain = ?1 ORDER BY kind, name, address LIMIT ?2",
	[ROWS_GET_TARGETS] = "SELECT way, target, first, last, ended, ttl"
	    " FROM spread_target WHERE " KEY " ORDER BY first LIMIT ?5",
};

static int source_of(enum spread_kind k)
{
	return k == SPREAD_RESOLVER ? SOURCE_RESOLVER
	     : k == SPREAD_PARENT   ? SOURCE_PARENT
				    : SOURCE_SERVER;
}

static void bind(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

struct spread_key {
	const char *domain, *name, *address;
	int source;
};

static void bind_key(sqlite3_stmt *s, const struct spread_key *k)
{
	bind(s, 1, k->domain);
	sqlite3_bind_int(s, 2, k->source);
	bind(s, 3, k->name);
	bind(s, 4, k->address);
}

static struct spread_key key_of(const struct spread_look *l,
    const struct spread_seen *e)
{
	return (struct spread_key){l->domain, e->name, e->address,
	    source_of(e->kind)};
}

/* ---- writing ------------------------------------------------------------ */

struct spread_write {
	struct observed *o;
	const struct spread_look *look;
	sqlite3_stmt *stmt[ROWS_SQLS];
	struct error *err;
};

static int step(struct spread_write *w, enum rows_sql which)
{
	int rc = sqlite3_step(w->stmt[which]);

	sqlite3_reset(w->stmt[which]);
	return rc == SQLITE_DONE ? 0 : observed_error(w->o, w->err);
}

static int put_domain(struct spread_write *w)
{
	sqlite3_stmt *s = w->stmt[ROWS_DOMAIN];

	bind(s, 1, w->look->domain);
	bind(s, 2, w->look->zone);
	sqlite3_bind_int64(s, 3, w->look->at_us);
	sqlite3_bind_int(s, 4, w->look->more);
	return step(w, ROWS_DOMAIN);
}

static int put_server(struct spread_write *w, const struct spread_seen *e)
{
	sqlite3_stmt *s = w->stmt[ROWS_SERVER];
	struct spread_key k = key_of(w->look, e);

	bind_key(s, &k);
	sqlite3_bind_int(s, 5, (int)e->kind);
	sqlite3_bind_int(s, 6, (int)e->said);
	sqlite3_bind_int64(s, 7, w->look->at_us);
	bind(s, 8, e->why);
	sqlite3_bind_int64(s, 9, e->serial);
	bind(s, 10, e->answer);
	sqlite3_bind_int64(s, 11, e->ttl_s);
	return step(w, ROWS_SERVER);
}

static int put_targets(struct spread_write *w, const struct spread_seen *e)
{
	struct spread_key k = key_of(w->look, e);
	sqlite3_stmt *s = w->stmt[ROWS_TARGET];
	int rc = 0;

	for (size_t i = 0; i < e->n && rc == 0; i++) {
		bind_key(s, &k);
		sqlite3_bind_int(s, 5, (int)e->heard[i].way);
		bind(s, 6, e->heard[i].name);
		sqlite3_bind_int64(s, 7, w->look->at_us);
		sqlite3_bind_int64(s, 8, e->heard[i].ttl_s);
		sqlite3_bind_int(s, 9, SPREAD_TARGETS_MAX);
		rc = step(w, ROWS_TARGET);
	}
	if (rc != 0)
		return rc;
	s = w->stmt[ROWS_ENDED];
	bind_key(s, &k);
	sqlite3_bind_int64(s, 5, w->look->at_us);
	return step(w, ROWS_ENDED);
}

static int drop_gone(struct spread_write *w)
{
	sqlite3_stmt *s = w->stmt[ROWS_GONE];

	bind(s, 1, w->look->domain);
	sqlite3_bind_int64(s, 2, w->look->at_us);
	sqlite3_bind_int(s, 3, SOURCE_RESOLVER);
	sqlite3_bind_int(s, 4, w->look->zone[0] != '\0');
	if (step(w, ROWS_GONE) != 0)
		return -1;
	bind(w->stmt[ROWS_GONE_TARGETS], 1, w->look->domain);
	return step(w, ROWS_GONE_TARGETS);
}

static int put_all(struct spread_write *w)
{
	int rc = put_domain(w);

	for (size_t i = 0; i < w->look->n && rc == 0; i++) {
		const struct spread_seen *e = &w->look->seen[i];

		rc = put_server(w, e);
		if (rc == 0 && e->said == SAID_ANSWER)
			rc = put_targets(w, e);
	}
	return rc == 0 ? drop_gone(w) : rc;
}

static int prepare(struct observed *o, sqlite3_stmt *stmt[ROWS_SQLS],
    struct error *err)
{
	for (int i = 0; i < ROWS_SQLS; i++)
		if (sqlite3_prepare_v2(observed_db(o), sql[i], -1, &stmt[i],
			NULL) != SQLITE_OK)
			return observed_error(o, err);
	return 0;
}

static void finalize(sqlite3_stmt *stmt[ROWS_SQLS])
{
	for (int i = 0; i < ROWS_SQLS; i++)
		sqlite3_finalize(stmt[i]);
}

int spread_put(struct observed *o, const struct spread_look *l,
    struct error *err)
{
	struct spread_write w = {.o = o, .look = l, .err = err};
	struct error ignored;
	int rc = prepare(o, w.stmt, err);

	if (rc == 0)
		rc = observed_do(o, "BEGIN IMMEDIATE", err);
	if (rc == 0) {
		rc = put_all(&w);
		if (rc == 0)
			rc = observed_do(o, "COMMIT", err);
		/* A failed commit has ended it. */
		if (rc != 0 && observed_do(o, "ROLLBACK", &ignored) != 0)
			ignored.no = 0;
	}
	finalize(w.stmt);
	return rc;
}

/* ---- reading ------------------------------------------------------------ */

static const char *text_at(sqlite3_stmt *s, int column, struct arena *a)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return text == NULL ? "" : arena_strdup(a, text);
}

static uint32_t ttl_at(sqlite3_stmt *s, int column)
{
	int64_t ttl_s = sqlite3_column_int64(s, column);

	return ttl_s < 0 || ttl_s > SPREAD_TTL_MAX_S ? SPREAD_TTL_MAX_S
						     : (uint32_t)ttl_s;
}

static struct spread_target target_at(sqlite3_stmt *s, struct arena *a)
{
	int way = sqlite3_column_int(s, 0);

	return (struct spread_target){
		.way = way >= 0 && way < WAY_COUNT ? (enum spread_way)way
						   : WAY_ELSEWHERE,
		.name = text_at(s, 1, a),
		.first_us = sqlite3_column_int64(s, 2),
		.last_us = sqlite3_column_int64(s, 3),
		.ended_us = sqlite3_column_int64(s, 4),
		.ttl_s = ttl_at(s, 5)};
}

static int get_targets(sqlite3_stmt *s, const struct spread_key *k,
    struct arena *a, struct spread_server *out)
{
	struct spread_target *t =
	    arena_alloc(a, SPREAD_TARGETS_MAX * sizeof(*t));
	int rc;

	bind_key(s, k);
	sqlite3_bind_int(s, 5, SPREAD_TARGETS_MAX);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW &&
	       out->targets < SPREAD_TARGETS_MAX)
		t[out->targets++] = target_at(s, a);
	sqlite3_reset(s);
	out->target = t;
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : -1;
}

static void server_at(sqlite3_stmt *s, struct arena *a,
    struct spread_server *out, struct spread_detail *detail)
{
	int kind = sqlite3_column_int(s, 0), said = sqlite3_column_int(s, 3);

	*out = (struct spread_server){
	    .kind = kind >= 0 && kind < SPREAD_KINDS ? (enum spread_kind)kind
						     : SPREAD_AUTHORITATIVE,
	    .name = text_at(s, 1, a),
	    .address = text_at(s, 2, a),
	    .said = said >= 0 && said < SAID_COUNT ? (enum spread_said)said
						   : SAID_NOTHING,
	    .at_us = sqlite3_column_int64(s, 4),
	    .since_us = sqlite3_column_int64(s, 5)};
	*detail = (struct spread_detail){.why = text_at(s, 6, a),
	    .serial = sqlite3_column_int64(s, 7),
	    .answer = text_at(s, 8, a),
	    .ttl_s = ttl_at(s, 9)};
}

static int get_servers(sqlite3_stmt *const stmt[ROWS_SQLS],
    const char *domain, struct arena *a, struct spread_rows *out)
{
	sqlite3_stmt *s = stmt[ROWS_GET_SERVERS];
	int rc, bad = 0;

	bind(s, 1, domain);
	sqlite3_bind_int(s, 2, SPREAD_SERVERS_MAX + 1);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW && bad == 0) {
		struct spread_server *to = &out->server[out->n];

		if (out->n == SPREAD_SERVERS_MAX) {
			out->more = true;
			break;
		}
		server_at(s, a, to, &out->detail[out->n]);
		bad = get_targets(stmt[ROWS_GET_TARGETS],
		    &(struct spread_key){domain, to->name, to->address,
			sqlite3_column_int(s, 10)}, a, to);
		out->n++;
	}
	sqlite3_reset(s);
	return bad == 0 && (rc == SQLITE_DONE || rc == SQLITE_ROW) ? 0 : -1;
}

static int get_domain(sqlite3_stmt *s, const char *domain, struct arena *a,
    struct spread_rows *out)
{
	int rc;

	bind(s, 1, domain);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		out->zone = text_at(s, 0, a);
		out->looked_us = sqlite3_column_int64(s, 1);
		out->more = sqlite3_column_int(s, 2) != 0;
	}
	sqlite3_reset(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

int spread_get(struct observed *o, const char *domain, struct arena *a,
    struct spread_rows *out, struct error *err)
{
	sqlite3_stmt *stmt[ROWS_SQLS] = {NULL};
	int rc = prepare(o, stmt, err);

	*out = (struct spread_rows){.zone = ""};
	/* Of one moment. */
	if (rc == 0)
		rc = observed_do(o, "BEGIN", err);
	if (rc == 0 && (get_domain(stmt[ROWS_GET_DOMAIN], domain, a, out) < 0 ||
			   get_servers(stmt, domain, a, out) < 0))
		rc = observed_error(o, err);
	if (rc == 0)
		rc = observed_do(o, "COMMIT", err);
	finalize(stmt);
	return rc;
}
