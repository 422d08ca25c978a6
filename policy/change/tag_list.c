/* SPDX-License-Identifier: ISC
 *
 * A list of addresses a tag. Rows come in order of their addresses, so each
 * list is sorted as it is, and only the tags have to be.
 */
#include "policy/change/tag_list.h"

#include <stdlib.h>
#include <string.h>

#include "policy/row.h"
#include "relay/base/hash.h"
#include "relay/base/map.h"
#include "relay/base/mem.h"

struct tagged {
	struct slice tag, key, value;
	struct tagged *same_hash;
	struct slice *address;
	size_t n, cap;
};

struct tag_list {
	struct arena *a;
	struct map by_hash;
	struct tagged **list; /* all, in no order until the feed */
	size_t lists, cap, pairs;
	struct slice address; /* of those that are added */
	size_t at_list, at; /* of the feed: behind the pair at hand */
	struct rows_feed feed;
};

static bool on_next(void *arg)
{
	struct tag_list *l = arg;

	while (l->at_list < l->lists && l->at == l->list[l->at_list]->n) {
		l->at_list++;
		l->at = 0;
	}
	l->at++;
	return l->at_list < l->lists;
}

static void on_column(void *arg, sqlite3_context *ctx, int column)
{
	const struct tag_list *l = arg;
	const struct tagged *t = l->list[l->at_list];
	struct slice text = column == 0   ? t->key
			    : column == 1 ? t->value
					  : t->address[l->at - 1];

	sqlite3_result_text(ctx, text.p == NULL ? "" : text.p, (int)text.n,
	    SQLITE_STATIC);
}

struct tag_list *tag_list_new(void)
{
	struct tag_list *l = NEW(struct tag_list);

	l->a = arena_new();
	map_init(&l->by_hash);
	l->feed = (struct rows_feed){on_next, on_column, l};
	return l;
}

void tag_list_free(struct tag_list *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->lists; i++)
		mem_free(l->list[i]->address);
	mem_free(l->list);
	map_fini(&l->by_hash);
	arena_free(l->a);
	mem_free(l);
}

void tag_list_address(struct tag_list *l, struct slice address)
{
	l->address = slice_of(arena_slicedup(l->a, address), address.n);
}

static struct tagged *add_list(struct tag_list *l, uint64_t hash,
    struct slice tag)
{
	struct tagged *t = arena_alloc(l->a, sizeof(*t));

	t->tag = slice_of(arena_slicedup(l->a, tag), tag.n);
	row_tag_parts(t->tag, &t->key, &t->value);
	t->same_hash = map_put(&l->by_hash, hash, t);
	if (l->lists == l->cap) {
		l->cap = l->cap == 0 ? 64 : l->cap * 2;
		l->list = mem_resize(l->list, l->cap * sizeof(l->list[0]));
	}
	l->list[l->lists++] = t;
	return t;
}

static struct tagged *list_of(struct tag_list *l, struct slice tag)
{
	uint64_t hash = hash_slice(tag);
	struct tagged *t;

	hash += hash == 0;
	for (t = map_get(&l->by_hash, hash); t != NULL; t = t->same_hash)
		if (slice_eq(t->tag, tag))
			return t;
	return add_list(l, hash, tag);
}

void tag_list_add(struct tag_list *l, struct slice tag)
{
	struct tagged *t = list_of(l, tag);

	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 4 : t->cap * 2;
		t->address = mem_resize(t->address,
		    t->cap * sizeof(t->address[0]));
	}
	t->address[t->n++] = l->address;
	l->pairs++;
}

size_t tag_list_count(const struct tag_list *l)
{
	return l->pairs;
}

static int compare(struct slice a, struct slice b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int by_tag(const void *p, const void *q)
{
	const struct tagged *a = *(struct tagged *const *)p;
	const struct tagged *b = *(struct tagged *const *)q;
	int c = compare(a->key, b->key);

	return c != 0 ? c : compare(a->value, b->value);
}

struct rows_feed *tag_list_feed(struct tag_list *l)
{
	if (l->lists > 1)
		qsort(l->list, l->lists, sizeof(l->list[0]), by_tag);
	l->at_list = l->at = 0;
	return &l->feed;
}
