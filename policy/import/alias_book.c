/* SPDX-License-Identifier: ISC
 *
 * Aliases, sorted by key at the end and followed by binary search.
 */
#include "policy/import/alias_book.h"

#include <inttypes.h>
#include <stdlib.h>

#include "relay/base/mem.h"

struct alias_book {
	struct arena *a;
	struct alias *alias;
	size_t n, cap;
};

struct alias_book *alias_book_new(void)
{
	struct alias_book *b = NEW(struct alias_book);

	b->a = arena_new();
	return b;
}

void alias_book_free(struct alias_book *b)
{
	arena_free(b->a);
	mem_free(b->alias);
	mem_free(b);
}

static const char *keep(struct alias_book *b, const char *text)
{
	return text == NULL ? NULL : arena_strdup(b->a, text);
}

int alias_book_add(struct alias_book *b, const struct alias *a,
    struct error *err)
{
	struct alias *to;

	if (b->n == ALIAS_BOOK_MAX)
		return error_set(err, "more than %d aliases: cut the file in "
		    "two", ALIAS_BOOK_MAX);
	if (b->n == b->cap) {
		b->cap = b->cap == 0 ? 256 : b->cap * 2;
		b->alias = mem_resize(b->alias, b->cap * sizeof(*b->alias));
	}
	to = &b->alias[b->n++];
	*to = *a;
	to->key = keep(b, a->key);
	to->to = keep(b, a->to);
	to->at_leg = keep(b, a->at_leg);
	to->meant = false;
	to->end = NULL;
	to->mailbox = NULL;
	return 0;
}

/* ---- in order ----------------------------------------------------------- */

static int by_key(const void *p, const void *q)
{
	const struct alias *a = p, *b = q;
	int c = strcmp(a->key, b->key);

	return c != 0 ? c : a->line < b->line ? -1 : a->line > b->line;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool say_the_same(const struct alias *a, const struct alias *b)
{
	return same(a->to, b->to) && same(a->kind, b->kind) &&
	       same(a->leg, b->leg) && same(a->at_leg, b->at_leg);
}

/* Leaves one alias of each key. */
static void sort_out(struct alias_book *b, const struct alias_book_visit *v)
{
	struct error why;
	size_t n = 0;

	if (b->n > 1)
		qsort(b->alias, b->n, sizeof(*b->alias), by_key);
	for (size_t i = 0; i < b->n; i++) {
		const struct alias *a = &b->alias[i];

		if (n == 0 || strcmp(a->key, b->alias[n - 1].key) != 0) {
			b->alias[n++] = *a;
			continue;
		}
		if (say_the_same(a, &b->alias[n - 1]))
			continue;
		error_set(&why, "%.150s leads elsewhere than on line %" PRIu64
		    "; one of them is wrong", a->key, b->alias[n - 1].line);
		v->fault(v->arg, a->line, why.text);
	}
	b->n = n;
}

/* ---- followed ----------------------------------------------------------- */

static int by_name(const void *name, const void *q)
{
	return strcmp(name, ((const struct alias *)q)->key);
}

static struct alias *find(const struct alias_book *b, const char *key)
{
	return b->n == 0 ? NULL
			 : bsearch(key, b->alias, b->n, sizeof(*b->alias),
			       by_name);
}

/* False: it leads in a circle, or too far. */
static bool follow(const struct alias_book *b, struct alias *a)
{
	struct alias *at = a;

	for (int i = 0; i < ALIAS_STEPS_MAX; i++) {
		struct alias *next = at->to == NULL ? NULL : find(b, at->to);

		if (next == NULL) {
			a->mailbox = at->to != NULL ? at->to : at->key;
			a->end = at->to != NULL ? NULL : at;
			at->meant = at->meant || at != a;
			return true;
		}
		at = next;
	}
	return false;
}

void alias_book_resolve(struct alias_book *b, const struct alias_book_visit *v)
{
	struct error why;

	sort_out(b, v);
	for (size_t i = 0; i < b->n; i++) {
		struct alias *a = &b->alias[i];

		if (follow(b, a))
			continue;
		error_set(&why, "%.150s leads to itself, or over more than %d "
		    "other aliases", a->key, ALIAS_STEPS_MAX);
		v->fault(v->arg, a->line, why.text);
		a->mailbox = NULL;
	}
	for (size_t i = 0; i < b->n; i++)
		if (b->alias[i].mailbox != NULL)
			v->each(v->arg, &b->alias[i]);
}
