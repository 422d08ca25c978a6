/* SPDX-License-Identifier: ISC
 *
 * Staged rows, sorted in memory: the first bytes of an address stand beside
 * its row as a number, so that most comparisons touch nothing else.
 */
#include "policy/change/heap.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

struct heap_row {
	struct staged s;
	size_t order; /* of its coming */
};

struct heap_entry {
	uint64_t prefix;
	struct heap_row *row;
};

struct heap {
	struct arena *a;
	struct heap_entry *entry;
	size_t n, cap;
	size_t at; /* behind the row that the feed is at */
	struct rows_feed feed;
};

static bool on_next(void *arg)
{
	struct heap *h = arg;

	return h->at++ < h->n;
}

static void give(sqlite3_context *ctx, struct slice text)
{
	if (text.p == NULL)
		sqlite3_result_null(ctx);
	else
		sqlite3_result_text(ctx, text.p, (int)text.n, SQLITE_STATIC);
}

static void on_column(void *arg, sqlite3_context *ctx, int column)
{
	const struct heap *h = arg;
	const struct staged *s = &h->entry[h->at - 1].row->s;
	const struct slice text[] = {s->key, {0}, {0}, s->route, {0},
	    s->mailbox, s->tags, s->patch, {0}, {0}};

	if (column == 1)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->line);
	else if (column == 2)
		sqlite3_result_int(ctx, s->gone);
	else if (column == 8)
		sqlite3_result_int(ctx, s->tag_patch);
	else if (column == 9)
		sqlite3_result_int(ctx, s->new_route);
	else if (column == 4 && s->held >= 0)
		sqlite3_result_int(ctx, s->held);
	else
		give(ctx, text[column]);
}

struct heap *heap_new(void)
{
	struct heap *h = NEW(struct heap);

	h->a = arena_new();
	h->feed = (struct rows_feed){on_next, on_column, h};
	return h;
}

void heap_free(struct heap *h)
{
	if (h == NULL)
		return;
	arena_free(h->a);
	mem_free(h->entry);
	mem_free(h);
}

static uint64_t prefix_of(struct slice key)
{
	uint64_t prefix = 0;

	for (size_t i = 0; i < sizeof(prefix); i++)
		prefix = prefix << 8 |
			 (i < key.n ? (unsigned char)key.p[i] : 0);
	return prefix;
}

static struct slice keep(char **at, struct slice text)
{
	struct slice kept = slice_of(text.p == NULL ? NULL : *at, text.n);

	if (text.p != NULL && text.n > 0)
		memcpy(*at, text.p, text.n);
	*at += text.n;
	return kept;
}

void heap_add(struct heap *h, const struct staged *s)
{
	size_t texts = s->key.n + s->route.n + s->mailbox.n + s->tags.n +
	    s->patch.n;
	struct heap_row *row = arena_alloc(h->a, sizeof(*row) + texts);
	char *at = (char *)(row + 1);

	row->s = *s;
	row->s.key = keep(&at, s->key);
	row->s.route = keep(&at, s->route);
	row->s.mailbox = keep(&at, s->mailbox);
	row->s.tags = keep(&at, s->tags);
	row->s.patch = keep(&at, s->patch);
	row->order = h->n;
	if (h->n == h->cap) {
		h->cap = h->cap == 0 ? 1024 : h->cap * 2;
		h->entry = mem_resize(h->entry, h->cap * sizeof(*h->entry));
	}
	h->entry[h->n++] = (struct heap_entry){prefix_of(s->key), row};
}

static int compare_keys(const struct heap_entry *a,
    const struct heap_entry *b)
{
	struct slice x = a->row->s.key, y = b->row->s.key;
	int c;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	c = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
	return c != 0 ? c : x.n < y.n ? -1 : x.n > y.n;
}

static int by_key(const void *p, const void *q)
{
	const struct heap_entry *a = p, *b = q;
	int c = compare_keys(a, b);

	return c != 0 ? c : a->row->order < b->row->order ? -1 : 1;
}

/* A row that is given once more. */
struct repeated {
	const struct heap_row *row, *first;
};

static int by_order(const void *p, const void *q)
{
	const struct repeated *a = p, *b = q;

	return a->row->order < b->row->order ? -1 : 1;
}

size_t heap_count(const struct heap *h)
{
	return h->n;
}

void heap_sort(struct heap *h)
{
	if (h->n > 1)
		qsort(h->entry, h->n, sizeof(*h->entry), by_key);
}

/* The rows that stay move to the front. */
void heap_unique(struct heap *h,
    void (*twice)(void *arg, const struct staged *s,
	const struct staged *first), void *arg)
{
	struct repeated *more = NEW_ARRAY(struct repeated, h->n + 1);
	size_t n = 0, again = 0;

	for (size_t i = 0; i < h->n; i++) {
		const struct heap_entry *e = &h->entry[i];

		if (n == 0 || compare_keys(e, &h->entry[n - 1]) != 0)
			h->entry[n++] = *e;
		else
			more[again++] = (struct repeated){e->row,
			    h->entry[n - 1].row};
	}
	qsort(more, again, sizeof(*more), by_order);
	for (size_t i = 0; twice != NULL && i < again; i++)
		twice(arg, &more[i].row->s, &more[i].first->s);
	mem_free(more);
	h->n = n;
}

struct rows_feed *heap_feed(struct heap *h)
{
	h->at = 0;
	return &h->feed;
}
