/* SPDX-License-Identifier: ISC
 *
 * Finds the recipients that an asking is about, and what each leg would be told
 * of them, as the table is now.
 */
#include "relay/cutover/preflight/preflight_rows.h"

#include <stdio.h>

#include "policy/row.h"

enum { TEXTS_MAX = 1 << 20 };

/* ---- one row ------------------------------------------------------------- */

static void fail(struct preflight_rows *r)
{
	r->failed = true;
}

/* "@domain" of what the leg is told, which is asked once. */
static void put_random(struct preflight_rows *r, const char *leg,
    const char *said)
{
	const char *at = strrchr(said, '@');
	const struct asked_row row = {.leg = leg, .address = at, .said = at,
	    .kind = ASKED_RANDOM, .tag = ""};

	if (at == NULL || (r->last_leg == leg && strcmp(r->last, at) == 0))
		return;
	r->last_leg = leg;
	snprintf(r->last, sizeof(r->last), "%s", at);
	if (asking_put_row(r->writer, &row, r->err) < 0)
		fail(r);
}

void preflight_put(struct preflight_rows *r, const struct preflight_who *w,
    int leg)
{
	const struct conf *c = r->p->snapshot->conf;
	const char *name = names_text(r->p->shared->names, leg);
	struct strbuf said;
	struct asked_row row = {.leg = name, .address = w->key,
	    .kind = w->kind, .tag = w->tag};

	strbuf_init(&said, 2 * ADDR_MAX);
	route_address(w->decision, leg, w->addr, c, &said);
	row.said = strbuf_cstr(&said);
	put_random(r, name, row.said);
	if (!r->failed &&
	    asking_put_row(r->writer, &row, r->err) < 0)
		fail(r);
	strbuf_fini(&said);
}

bool preflight_names(const struct route *route, int leg)
{
	for (unsigned i = 0; i < route->legs; i++)
		if (route->leg[i] == leg)
			return true;
	return false;
}

void preflight_next_row(struct preflight_rows *r)
{
	if (arena_bytes(r->texts) <= TEXTS_MAX)
		return;
	arena_free(r->texts);
	r->texts = arena_new();
}

bool preflight_decide(struct preflight_rows *r, struct slice key,
    struct addr *addr, struct decision *d)
{
	const char *why;

	if (r->failed)
		return false;
	memset(d, 0, sizeof(*d));
	if (addr_parse(key, true, addr, &why) != 0)
		return false;
	if (route_resolve(r->p->snapshot->conf, r->table, addr, r->texts, d))
		return true;
	error_set(r->err, "the cutover table cannot be read");
	fail(r);
	return false;
}

/* ---- a wave -------------------------------------------------------------- */

/* The value of the tag `kind`: groups and rooms are told apart. */
static const char *kind_of(struct preflight_rows *r, const char *tags)
{
	struct slice rest = slice_str(tags), tag, key, value;

	while (slice_next(&rest, ' ', &tag)) {
		row_tag_parts(tag, &key, &value);
		if (slice_eq(key, slice_str("kind")))
			return arena_slicedup(r->texts, value);
	}
	return "";
}

static void note_old(struct preflight_rows *r, const struct route *had)
{
	for (unsigned i = 0; i < had->legs; i++)
		r->old[had->leg[i]] = true;
}

static void put_member(struct preflight_rows *r, struct slice key,
    enum asked_kind kind)
{
	const struct conf *c = r->p->snapshot->conf;
	const char *text;
	struct error ignored;
	struct decision d;
	struct route to;
	struct addr addr;
	struct preflight_who w = {NULL, kind, "", &addr, &d};

	preflight_next_row(r);
	w.key = text = arena_slicedup(r->texts, key);
	if (!preflight_decide(r, slice_str(text), &addr, &d) ||
	    route_parse(slice_str(r->route), c,
		conf_domain(c, row_domain(key)), &to, &ignored) < 0)
		return;
	w.tag = kind_of(r, d.row.found && d.row.tags != NULL ? d.row.tags
							     : "");
	note_old(r, &d.route);
	for (unsigned i = 0; i < to.legs && !r->failed; i++)
		if (!preflight_names(&d.route, to.leg[i]))
			preflight_put(r, &w, to.leg[i]);
}

/* Those that are done have moved; those left out by a rule stay. */
static void on_member(void *arg, const struct member *m)
{
	if (m->state != MEMBER_DONE && m->state != MEMBER_EXCLUDED)
		put_member(arg, m->address, ASKED_MEMBER);
}

static void on_alias(void *arg, struct slice address)
{
	put_member(arg, address, ASKED_ALIAS);
}

static int say_old(struct preflight_rows *r)
{
	struct strbuf names;
	int rc;

	strbuf_init(&names, 4096);
	for (int leg = 0; leg < names_count(r->p->shared->names); leg++)
		if (r->old[leg])
			strbuf_addf(&names, "%s%s", names.n > 0 ? " " : "",
			    names_text(r->p->shared->names, leg));
	rc = asking_old(r->p->o, r->number, strbuf_cstr(&names), r->err);
	strbuf_fini(&names);
	return rc;
}

bool preflight_begin(struct preflight_rows *r, const struct asking *a)
{
	r->number = asking_add(r->p->o, a, r->err);
	if (r->number >= 0)
		r->writer = asking_writer_new(r->p->o, r->number, r->err);
	return r->writer != NULL;
}

/* `both` is another route in each domain. */
static bool check_route(struct preflight_rows *r)
{
	struct route to;

	return strcmp(r->route, "both") == 0 ||
	       route_parse(slice_str(r->route), r->p->snapshot->conf, NULL,
		   &to, r->err) == 0;
}

static int wave_rows(struct preflight_rows *r,
    const struct preflight_order *o)
{
	struct asking a = {.kind = ASKING_WAVE, .about = o->wave,
	    .who = o->who, .started_us = preflights_wall_us(r->p)};
	struct member_page page = {.state = -1, .fn = on_member, .arg = r};
	struct wave w;

	if (wave_need(r->waves, o->wave, &w, r->err) < 0)
		return -1;
	r->route = o->route != NULL ? o->route : w.route;
	if (r->route[0] == '\0')
		return error_set(r->err, "wave %s has no route yet; name the "
		    "one that it is to get: posthouse wave preflight %s cloud",
		    o->wave, o->wave);
	a.route = r->route;
	a.created_us = w.created_us;
	page.id = w.id;
	if (!check_route(r) || !preflight_begin(r, &a) ||
	    wave_members(r->waves, &page, r->err) < 0 ||
	    wave_aliases(r->waves, w.id, on_alias, r, r->err) < 0 ||
	    r->failed)
		return -1;
	return say_old(r);
}

/* ---- all of them --------------------------------------------------------- */

static int in_transaction(struct preflight_rows *r,
    const struct preflight_order *o)
{
	int rc = observed_do(r->p->o, "BEGIN IMMEDIATE", r->err);

	if (rc < 0)
		return -1;
	rc = o->kind == ASKING_WAVE ? wave_rows(r, o) : compare_rows(r, o);
	if (rc == 0 && o->by_hand)
		rc = asked_stop_forgive(r->p->o, r->number, r->err);
	asking_writer_free(r->writer);
	r->writer = NULL;
	return observed_do(r->p->o, rc == 0 ? "COMMIT" : "ROLLBACK",
		   r->err) < 0 ? -1 : rc;
}

static int with_table(struct preflight_rows *r,
    const struct preflight_order *o)
{
	const char *path = r->p->shared->table_path;
	int rc;

	r->table = table_open(path, r->p->shared->names, r->err);
	r->waves = r->table == NULL ? NULL
				    : wave_file_open(path, false, r->err);
	rc = r->waves == NULL ? -1 : table_begin(r->table, r->err);
	if (rc == 0) {
		rc = in_transaction(r, o);
		table_end(r->table);
	}
	wave_file_close(r->waves);
	table_close(r->table);
	return rc;
}

int64_t preflight_rows(struct preflights *p, const struct preflight_order *o,
    struct error *err)
{
	struct preflight_rows *r = NEW(struct preflight_rows);
	int64_t number;

	r->p = p;
	r->err = err;
	r->texts = arena_new();
	number = with_table(r, o) < 0 ? -1 : r->number;
	arena_free(r->texts);
	mem_free(r);
	return number;
}
