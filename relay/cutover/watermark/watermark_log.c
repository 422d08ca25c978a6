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

/* A row that was not there: its recipient went by the domain's. */
static void add_domain(struct watermarks *w, struct slice key,
    struct mark_legs *to)
{
	struct table_row row;
	struct error err;
	long at = slice_rfind(key, '@');

	if (at > 0 && table_get(w->table, slice_from(key, (size_t)at),
		w->arena, &row, &err) == 1)
		add_legs(to, &row.route);
}

static void add_value(struct watermarks *w, struct slice key,
    const struct table_value *v, struct mark_legs *to)
{
	struct route r;

	if (!v->row) {
		add_domain(w, key, to);
		return;
	}
	row_route(slice_str(v->route), w->shared->names, &r);
	add_legs(to, &r);
}

static bool same_way(const struct table_value *a, const struct table_value *b)
{
	return a->row && b->row && a->held == b->held &&
	       strcmp(a->route, b->route) == 0;
}

/* False: its route cannot be read. */
static bool take_recipient(struct watermarks *w, struct slice key,
    const struct mark_legs *legs, uint64_t change)
{
	struct decision d;

	if (!marks_route(w, key, &d))
		return !marks_unread(w);
	for (unsigned i = 0; i < legs->n; i++)
		marks_event(w, marks_named(&d, legs->leg[i])
				    ? WATERMARK_NAMED : WATERMARK_LEFT,
		    &(struct watermark_op){.address = key, .change = change,
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

/* The rows of a page are taken after it was read: each asks the table. */
struct log_page {
	struct watermarks *w;
	struct arena *a;
	struct log_row {
		struct log_row *next;
		uint64_t change;
		struct slice key;
		struct mark_legs legs;
	} *first, **end;
	bool full; /* a domain's row ends it */
};

static bool is_domain(struct slice key)
{
	return key.n > 0 && key.p[0] == '@';
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
		add_value(p->w, key, before, &r->legs);
		add_value(p->w, key, after, &r->legs);
	}
	p->full = is_domain(key);
	*p->end = r;
	p->end = &r->next;
}

/* Up to a row that cannot be taken now: -1. */
static int take_page(struct watermarks *w, struct log_page *p,
    struct error *err)
{
	struct log_follow *f = &w->log;

	for (const struct log_row *r = p->first; r != NULL; r = r->next) {
		if (r->change != f->change && f->change != 0)
			mark_told(w, f->change);
		if (!is_domain(r->key) &&
		    !take_recipient(w, r->key, &r->legs, r->change))
			return error_set(err, "the route of %.*s cannot be "
			    "read", (int)r->key.n, r->key.p);
		f->change = r->change;
		snprintf(f->key, sizeof(f->key), "%.*s", (int)r->key.n,
		    r->key.p);
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
