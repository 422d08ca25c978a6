/* SPDX-License-Identifier: ISC
 *
 * Does the configuration still have what the table names? The table remembers
 * which domains and legs configurations had ("seeded", a leg with a '+'
 * before its name), so that the rows, which may be millions, are looked at
 * only when one of them is missing.
 */
#include <inttypes.h>

#include "conf/conf.h"
#include "policy/db.h"
#include "policy/row.h"
#include "policy/table.h"
#include "relay/base/mem.h"

enum gone_statement { ST_SEEDED, ST_ROWS };

static const char *const sql[] = {
	[ST_SEEDED] = "SELECT domain FROM seeded",
	[ST_ROWS] = "SELECT address, route FROM route",
};

enum { GONE_MAX = 64, MARK = '+' };

/* A leg or a domain that an earlier configuration had and this one has not. */
struct missing {
	char *name;
	bool leg;
	uint64_t rows;
};

struct gone_search {
	const struct conf *c;
	struct missing missing[GONE_MAX];
	int missings;
	bool marked; /* the table knows legs */
};

static bool has_leg(const struct conf *c, struct slice name)
{
	const struct conf_leg *leg = conf_leg_by_name(c, name);

	return leg != NULL && !leg->egress;
}

static void add_missing(struct gone_search *l, struct slice name, bool leg)
{
	struct missing *m = &l->missing[l->missings];

	for (int i = 0; i < l->missings; i++)
		if (l->missing[i].leg == leg &&
		    slice_eq(name, slice_str(l->missing[i].name)))
			return;
	if (l->missings == GONE_MAX)
		return;
	m->name = mem_new(name.n + 1);
	memcpy(m->name, name.p, name.n);
	m->name[name.n] = '\0';
	m->leg = leg;
	l->missings++;
}

static int find_missing(struct gone_search *l, struct db *db, struct error *err)
{
	sqlite3_stmt *st = db_stmt(db, ST_SEEDED, err);
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct slice name = db_text(st, 0);
		bool leg = name.n > 0 && name.p[0] == MARK;

		l->marked = l->marked || leg;
		if (leg)
			name = slice_from(name, 1);
		if (leg ? !has_leg(l->c, name)
			: conf_domain(l->c, name) == NULL)
			add_missing(l, name, leg);
	}
	if (rc != SQLITE_DONE)
		db_error(db, err);
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

static void count(struct gone_search *l, bool leg, struct slice name)
{
	for (int i = 0; i < l->missings; i++)
		if (l->missing[i].leg == leg &&
		    slice_eq(name, slice_str(l->missing[i].name)))
			l->missing[i].rows++;
}

/* The row of a domain that is gone was the configuration's own doing. A row
 * of such a domain counts there and not for its legs. */
static void count_row(struct gone_search *l, struct slice key,
    struct slice route)
{
	struct slice leg;

	if (conf_domain(l->c, row_domain(key)) == NULL) {
		if (key.n > 0 && key.p[0] != '@')
			count(l, false, row_domain(key));
		return;
	}
	if (slice_eq(route, SLICE("defer")) ||
	    slice_eq(route, SLICE("reject")) || slice_eq(route, SLICE("gone")))
		return;
	while (slice_next(&route, '+', &leg)) {
		/* A table of an older version has no marks. */
		if (!l->marked && !has_leg(l->c, leg))
			add_missing(l, leg, true);
		count(l, true, leg);
	}
}

static int count_rows(struct gone_search *l, struct db *db, struct error *err)
{
	sqlite3_stmt *st = db_stmt(db, ST_ROWS, err);
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		count_row(l, db_text(st, 0), db_text(st, 1));
	if (rc != SQLITE_DONE)
		db_error(db, err);
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

int table_gone(const char *path, const struct conf *c,
    void (*fn)(void *arg, bool leg, const char *name, uint64_t rows),
    void *arg, struct error *err)
{
	struct gone_search l = {.c = c};
	struct db db;
	int rc, named = 0;

	if (db_open(&db, path, DB_LOOK, sql, err) < 0)
		return -1;
	rc = find_missing(&l, &db, err);
	if (rc == 0 && (l.missings > 0 || !l.marked))
		rc = count_rows(&l, &db, err);
	db_close(&db);
	for (int i = 0; i < l.missings; i++) {
		if (rc == 0 && l.missing[i].rows > 0) {
			named++;
			fn(arg, l.missing[i].leg, l.missing[i].name,
			    l.missing[i].rows);
		}
		mem_free(l.missing[i].name);
	}
	return rc < 0 ? -1 : named;
}

void table_gone_text(bool leg, const char *name, uint64_t rows,
    struct strbuf *out)
{
	strbuf_addf(out, "the configuration has no %s \"%s\" any more, but "
	    "%" PRIu64 " row%s of the cutover table %s it; add it again, or "
	    "%s them first: %s", leg ? "leg" : "domain", name, rows,
	    rows == 1 ? "" : "s", rows == 1 ? "names" : "name",
	    leg ? "move" : "remove",
	    leg ? "posthouse flip ROUTE --where 'leg = " : "posthouse route "
		  "list --domain ");
	strbuf_addf(out, "%s%s", name, leg ? "'" : "");
}
