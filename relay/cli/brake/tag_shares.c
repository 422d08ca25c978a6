/* SPDX-License-Identifier: ISC
 *
 * Shares by tag.
 */
#include "relay/cli/brake/tag_shares.h"

#include <stdlib.h>

#include "relay/base/hashtable.h"

struct tag_row {
	UT_hash_handle hh;
	struct tag_share share;
	char tag[];
};

struct tag_shares {
	struct tag_row *table;
	struct tag_share all;
};

struct tag_shares *tag_shares_new(void)
{
	return NEW(struct tag_shares);
}

void tag_shares_free(struct tag_shares *t)
{
	struct tag_row *row, *next;

	if (t == NULL)
		return;
	HASH_ITER(hh, t->table, row, next) {
		HASH_DEL(t->table, row);
		mem_free(row);
	}
	mem_free(t);
}

/* ---- adding ------------------------------------------------------------ */

static void add(struct tag_share *s, const struct tag_met *met)
{
	s->recipients++;
	s->met.share.tried += met->share.tried;
	s->met.share.failed += met->share.failed;
	s->met.complaints += met->complaints;
}

static struct tag_row *row_of(struct tag_shares *t, struct slice tag)
{
	struct tag_row *row = NULL;

	HASH_FIND(hh, t->table, tag.p, tag.n, row);
	if (row != NULL || HASH_COUNT(t->table) >= TAG_SHARES_MAX)
		return row;
	row = mem_new(sizeof(*row) + tag.n + 1);
	memset(row, 0, sizeof(*row));
	memcpy(row->tag, tag.p, tag.n);
	row->tag[tag.n] = '\0';
	row->share.tag = row->tag;
	HASH_ADD_KEYPTR(hh, t->table, row->tag, tag.n, row);
	return row;
}

void tag_shares_add(struct tag_shares *t, struct slice tags,
    const struct tag_met *met)
{
	struct slice tag;

	add(&t->all, met);
	while (slice_next(&tags, ' ', &tag)) {
		struct tag_row *row = tag.n == 0 ? NULL : row_of(t, tag);

		if (row != NULL)
			add(&row->share, met);
	}
}

/* ---- what they say ----------------------------------------------------- */

static double part(struct brake_share s)
{
	return s.tried == 0 ? 0 : (double)s.failed / (double)s.tried;
}

static void judge(struct tag_share *s, const struct tag_share *all)
{
	struct brake_share others = {
	    all->met.share.tried - s->met.share.tried,
	    all->met.share.failed - s->met.share.failed};

	s->interval = brake_difference(s->met.share, others);
	s->times = others.failed == 0 || s->met.share.tried == 0
		       ? -1 : part(s->met.share) / part(others);
}

/* Equal ones by name. */
static int order(const struct tag_row *x, const struct tag_row *y)
{
	double a = x->share.interval.lower, b = y->share.interval.lower;

	return a > b ? -1 : a < b ? 1 : strcmp(x->tag, y->tag);
}

void tag_shares_each(struct tag_shares *t,
    void (*fn)(void *arg, const struct tag_share *s), void *arg)
{
	struct tag_row *row, *next;

	t->all.times = -1;
	HASH_ITER(hh, t->table, row, next)
		judge(&row->share, &t->all);
	HASH_SORT(t->table, order);
	fn(arg, &t->all);
	HASH_ITER(hh, t->table, row, next)
		fn(arg, &row->share);
}
