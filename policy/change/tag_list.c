/* SPDX-License-Identifier: ISC
 *
 * A list of addresses a tag. Rows come in order of their addresses, so each
 * list is sorted as it is, and only the tags have to be.
 */
#include "policy/change/tag_list.h"

#include <stdlib.h>
#include <string.h>

#include "policy/row.h"
#include "relay/base/assert.h"
#include "relay/base/hash.h"
#include "relay/base/map.h"
#include "relay/base/mem.h"

/* The addresses stand one behind the other, each behind its length. */
struct tagged {
	struct slice tag, key, value;
	struct tagged *same_hash;
	char *bytes;
	size_t n, cap; /* of bytes */
};

enum { LONG_BYTES = 4096 }; /* a list that is a part by itself */

/* The lists of a row's tags: so each row costs one look, not one a tag. */
enum { SETS = 1024, SET_TEXT = 96, SET_TAGS = 8 };
struct tag_set {
	unsigned char text_n, tags; /* 0: empty */
	char text[SET_TEXT];
	struct tagged *list[SET_TAGS];
};

struct tag_list {
	struct arena *a;
	struct map by_hash;
	struct tagged **list; /* all, in no order until the feed */
	size_t lists, cap, pairs;
	struct tag_set set[SETS];
	size_t at_list, at; /* of the feed: behind the pair at hand */
	size_t end_list;    /* ... which ends before this one       */
	struct slice address; /* ... and its address */
	struct rows_feed feed;
};

/* ---- the feed ---------------------------------------------------------- */

static bool on_next(void *arg)
{
	struct tag_list *l = arg;
	const struct tagged *t;
	uint16_t n;

	while (l->at_list < l->end_list && l->at == l->list[l->at_list]->n) {
		l->at_list++;
		l->at = 0;
	}
	if (l->at_list == l->end_list)
		return false;
	t = l->list[l->at_list];
	memcpy(&n, t->bytes + l->at, sizeof(n));
	l->address = slice_of(t->bytes + l->at + sizeof(n), n);
	l->at += sizeof(n) + n;
	return true;
}

static void on_column(void *arg, sqlite3_context *ctx, int column)
{
	const struct tag_list *l = arg;
	const struct tagged *t = l->list[l->at_list];
	struct slice text = column == 0   ? t->key
			    : column == 1 ? t->value
					  : l->address;

	sqlite3_result_text(ctx, text.p == NULL ? "" : text.p, (int)text.n,
	    SQLITE_STATIC);
}

/* ---- gathering --------------------------------------------------------- */

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
		mem_free(l->list[i]->bytes);
	mem_free(l->list);
	map_fini(&l->by_hash);
	arena_free(l->a);
	mem_free(l);
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

static void add(struct tag_list *l, struct tagged *t, struct slice address)
{
	uint16_t n = (uint16_t)address.n;

	PH_ASSERT(address.n <= UINT16_MAX);
	while (t->n + sizeof(n) + n > t->cap) {
		t->cap = t->cap == 0 ? 64 : t->cap * 2;
		t->bytes = mem_resize(t->bytes, t->cap);
	}
	memcpy(t->bytes + t->n, &n, sizeof(n));
	memcpy(t->bytes + t->n + sizeof(n), address.p, n);
	t->n += sizeof(n) + n;
	l->pairs++;
}

void tag_list_add(struct tag_list *l, struct slice address, struct slice tag)
{
	add(l, list_of(l, tag), address);
}

/* Makes `s` the set of these tags; false: they are too many or too long. */
static bool learn(struct tag_list *l, struct tag_set *s, struct slice tags)
{
	struct slice rest = tags, tag;

	s->tags = 0;
	if (tags.n > SET_TEXT)
		return false;
	while (slice_next(&rest, ' ', &tag)) {
		if (s->tags == SET_TAGS) {
			s->tags = 0;
			return false;
		}
		s->list[s->tags++] = list_of(l, tag);
	}
	memcpy(s->text, tags.p, tags.n);
	s->text_n = (unsigned char)tags.n;
	return true;
}

void tag_list_add_all(struct tag_list *l, struct slice address,
    struct slice tags)
{
	struct tag_set *s = &l->set[hash_fnv(tags) % SETS];
	struct slice tag;

	if (tags.n == 0)
		return;
	if ((s->tags > 0 && slice_eq(slice_of(s->text, s->text_n), tags)) ||
	    learn(l, s, tags)) {
		for (unsigned i = 0; i < s->tags; i++)
			add(l, s->list[i], address);
		return;
	}
	while (slice_next(&tags, ' ', &tag))
		tag_list_add(l, address, tag);
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

void tag_list_sort(struct tag_list *l)
{
	if (l->lists > 1)
		qsort(l->list, l->lists, sizeof(l->list[0]), by_tag);
	l->at_list = l->end_list = l->at = 0;
}

bool tag_list_next(struct tag_list *l, struct tag_part *part_out)
{
	size_t first = l->end_list, end = first;

	while (end < l->lists && l->list[end]->n < LONG_BYTES)
		end++;
	*part_out = (struct tag_part){.feed = &l->feed};
	if (end == first && end < l->lists)
		part_out->tag = l->list[end++]->tag;
	l->at_list = first;
	l->end_list = end;
	l->at = 0;
	return end > first;
}
