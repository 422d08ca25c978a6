/* SPDX-License-Identifier: ISC
 *
 * The table's change log, read for watermarks from the place that ledger.db
 * has. A row tells which legs its recipient had; whether they are named is
 * asked of the table as it is, so reading a change twice changes nothing.
 */
#include "relay/cutover/watermark/watermarks_int.h"

#include "policy/row.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"

enum { LOG_ROWS = 1000 };

static void add_legs(struct mark_legs *to, const struct route *r)
{
	for (unsigned i = 0; r->kind == ROUTE_LEGS && i < r->legs; i++) {
		unsigned k = 0;

		while (k < to->n && to->leg[k] != r->leg[i])
			k++;
		if (k == to->n && to->n < ARRAY_LEN(to->leg))
			to->leg[to->n++] = r->leg[i];
	}
}

/* The rows of a page are taken after it was read: some ask the table. */
struct log_page {
	struct watermarks *w;
	struct arena *a;
	uint64_t newest; /* change of the table, which is read at one moment */
	struct slice domain; /* of the row that was looked up last … */
	struct route by_domain; /* … and its route; ROUTE_NONE: no row */
	struct log_row {
		struct log_row *next;
		uint64_t change;
		struct slice key;
		struct mark_legs legs;
		struct route now; /* of the table, where `known` */
		bool held, known;
	} *first, **end;
	bool full; /* a domain's row ends it */
};

/* A row that was not there: its recipient went by the domain's. An import is
 * of many such rows and few domains. */
static void add_domain(struct log_page *p, struct slice key,
    struct mark_legs *to)
{
	struct watermarks *w = p->w;
	struct table_row row;
	struct error err;
	long at = slice_rfind(key, '@');
	struct slice domain;

	if (at <= 0)
		return;
	domain = slice_from(key, (size_t)at);
	if (p->domain.n == 0 || !slice_eq(domain, p->domain)) {
		if (table_get(w->table, domain, w->arena, &row, &err) < 0)
			return;
		p->domain = slice_str(arena_slicedup(p->a, domain));
		p->by_domain = row.route;
	}
	add_legs(to, &p->by_domain);
}

static void add_value(struct log_page *p, struct slice key,
    const struct table_value *v, struct mark_legs *to)
{
	struct route r;

	if (!v->row) {
		add_domain(p, key, to);
		return;
	}
	row_route(slice_str(v->route), p->w->shared->names, &r);
	add_legs(to, &r);
}

static bool same_way(const struct table_value *a, const struct table_value *b)
{
	return a->row && b->row && a->held == b->held &&
	       strcmp(a->route, b->route) == 0;
}

/* False: its route cannot be read. */
static bool take_recipient(struct watermarks *w, const struct log_row *r)
{
	const struct mark_legs *legs = &r->legs;
	struct route now = r->now;
	bool held = r->held;
	struct decision d;

	if (!r->known && legs->n > 0) {
		if (!marks_route(w, r->key, &d))
			return !marks_unread(w);
		now = d.route;
		held = d.held;
	}
	for (unsigned i = 0; i < legs->n; i++)
		marks_event(w, marks_named(&now, held, legs->leg[i])
				    ? WATERMARK_NAMED : WATERMARK_LEFT,
		    &(struct watermark_op){.address = r->key,
			.change = r->change,
			.leg = names_text(w->shared->names, legs->leg[i])});
	return true;
}

static void mark_told(struct watermarks *w, uint64_t change)
{
	if (change <= w->log.told)
		return;
	w->log.told = change;
	marks_hooks_due(w); /* a hold or a release: for the other program */
	watermark_post(w->last, &(struct watermark_op){.what = DO_MARKED,
	    .change = change});
}

static bool is_domain(struct slice key)
{
	return key.n > 0 && key.p[0] == '@';
}

/* The newest change gave its rows the values that the table has. */
static void give_now(struct log_page *p, struct log_row *r,
    const struct table_value *given)
{
	if (r->change != p->newest || !given->row)
		return;
	row_route(slice_str(given->route), p->w->shared->names, &r->now);
	r->held = given->held;
	r->known = route_own_row(p->w->snapshot->conf, r->key, &r->now);
}

static void on_row(void *arg, uint64_t change, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	struct log_page *p = arg;
	struct log_row *r;

	if (p->full)
		return;
	r = arena_alloc(p->a, sizeof(*r));
	r->change = change;
	r->key = slice_str(arena_slicedup(p->a, key));
	if (!same_way(before, after)) {
		add_value(p, key, before, &r->legs);
		add_value(p, key, after, &r->legs);
		give_now(p, r, after);
	}
	p->full = is_domain(key);
	*p->end = r;
	p->end = &r->next;
}

static void keep_key(struct log_follow *f, struct slice key)
{
	size_t n = key.n < sizeof(f->key) - 1 ? key.n : sizeof(f->key) - 1;

	memcpy(f->key, key.p, n);
	f->key[n] = '\0';
}

/* Up to a row that cannot be taken now: -1. */
static int take_page(struct watermarks *w, struct log_page *p,
    struct error *err)
{
	struct log_follow *f = &w->log;

	for (const struct log_row *r = p->first; r != NULL; r = r->next) {
		if (r->change != f->change && f->change != 0)
			mark_told(w, f->change);
		if (!is_domain(r->key) && !take_recipient(w, r))
			return error_set(err, "the route of %.*s cannot be "
			    "read", (int)r->key.n, r->key.p);
		f->change = r->change;
		keep_key(f, r->key);
		if (is_domain(r->key))
			marks_walk_begin(w, r->key, &r->legs, r->change);
	}
	return 0;
}

/* Takes a page, and reads the newest change of the same moment. -1: it failed,
 * and what was not taken comes again. */
static int follow_page(struct watermarks *w, struct log_page *p,
    int64_t *newest_out, struct error *err)
{
	const struct table_log_values page = {.after = w->log.change,
	    .after_key = w->log.key[0] == '\0' ? NULL : w->log.key,
	    .limit = LOG_ROWS, .fn = on_row, .arg = p};
	int n;

	if (table_begin(w->table, err) < 0)
		return -1;
	*newest_out = table_change(w->table, err);
	p->newest = *newest_out < 0 ? 0 : (uint64_t)*newest_out;
	n = *newest_out < 0 ? -1 : table_log_rows(w->table, &page, err);
	if (n > 0 && take_page(w, p, err) < 0)
		n = -1;
	table_end(w->table);
	return n;
}

/* At the start, and when ledger.db was made anew: from the place that it has.
 */
static void begin_there(struct watermarks *w)
{
	uint64_t marked = watermark_marked(w->last);

	if (w->log.began && marked >= w->log.told)
		return;
	marks_walk_end(w);
	w->log = (struct log_follow){.began = true, .change = marked,
	    .told = marked};
}

bool marks_follow(struct watermarks *w)
{
	int64_t version = table_data_version(w->table), newest = 0;
	struct log_page p = {.w = w};
	struct error err;
	int n;

	begin_there(w);
	if (w->log.walk.on)
		return marks_walk(w);
	if (version == w->log.version)
		return false;
	p.a = arena_new();
	p.end = &p.first;
	n = follow_page(w, &p, &newest, &err);
	if (n < 0)
		marks_trouble(w, &err);
	arena_free(p.a);
	if (n < 0 || p.full || n == LOG_ROWS)
		return n > 0;
	/* A table that went back waits to be accepted. */
	if ((uint64_t)newest >= w->log.change) {
		w->log.change = (uint64_t)newest;
		w->log.key[0] = '\0';
		mark_told(w, w->log.change);
	}
	w->log.version = version;
	return false;
}
