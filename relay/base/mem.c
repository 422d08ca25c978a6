/* SPDX-License-Identifier: ISC
 *
 * Allocation that cannot fail, and arenas. The only file that may call the
 * C library's allocator.
 */
#include "relay/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/assert.h"

/* The C library keeps freed pieces of up to so many bytes by thread, and hands
 * them out again without a lock; but calloc() does not ask there before glibc
 * 2.41. */
enum { QUICK = 1032, ARENA_ALIGN = 16 };

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	_Alignas(ARENA_ALIGN) char data[];
};

static const size_t ARENA_FIRST = 1024 - sizeof(struct arena_block);

struct arena {
	struct arena_block *head;
	size_t total;
};

/* Without the help of the allocator, and of what runs at exit. */
void mem_exhausted(size_t n)
{
	char line[160];
	int len = n == 0
		? snprintf(line, sizeof(line), "%s: out of memory\n",
		    program_invocation_short_name)
		: snprintf(line, sizeof(line),
		    "%s: out of memory (%zu bytes)\n",
		    program_invocation_short_name, n);

	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		_exit(2);
	_exit(1);
}

/* Not zeroed. */
static void *get(size_t n)
{
	void *p = malloc(n != 0 ? n : 1);

	if (p == NULL)
		mem_exhausted(n);
	return p;
}

void *mem_new(size_t n)
{
	void *p;

	if (n <= QUICK)
		return memset(get(n), 0, n);
	p = calloc(1, n);
	if (p == NULL)
		mem_exhausted(n);
	return p;
}

void *mem_resize(void *p, size_t n)
{
	void *q = realloc(p, n != 0 ? n : 1);

	if (q == NULL)
		mem_exhausted(n);
	return q;
}

void *mem_dup(const void *p, size_t n)
{
	void *q = get(n);

	if (n != 0)
		memcpy(q, p, n);
	return q;
}

char *mem_strdup(const char *s)
{
	return s == NULL ? NULL : mem_dup(s, strlen(s) + 1);
}

char *mem_slicedup(struct slice s)
{
	char *p = get(s.n + 1);

	if (s.n != 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

void mem_free(void *p)
{
	free(p);
}

struct arena *arena_new(void)
{
	return NEW(struct arena);
}

static void free_blocks(struct arena_block *b)
{
	struct arena_block *next;

	for (; b != NULL; b = next) {
		next = b->next;
		mem_free(b);
	}
}

void arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	free_blocks(a->head);
	mem_free(a);
}

/* Each block is larger than those before it, or made for one large piece. */
void arena_reset(struct arena *a)
{
	struct arena_block *b = a->head;

	if (b == NULL)
		return;
	if (PH_SANITIZED) { /* what is used too long is to be found */
		free_blocks(b);
		*a = (struct arena){.head = NULL};
		return;
	}
	free_blocks(b->next);
	b->next = NULL;
	b->used = 0;
	a->total = b->cap;
}

static void *piece(struct arena *a, size_t n)
{
	struct arena_block *b = a->head;
	void *p;

	PH_ASSERT(n <= PTRDIFF_MAX);
	n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (b == NULL || b->cap - b->used < n) {
		size_t cap = b == NULL ? ARENA_FIRST : b->cap * 2;

		if (cap < n)
			cap = n;
		b = get(sizeof(*b) + cap);
		b->used = 0;
		b->cap = cap;
		b->next = a->head;
		a->head = b;
		a->total += cap;
	}
	p = b->data + b->used;
	b->used += n;
	PH_ASSERT(b->used <= b->cap);
	return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
	return memset(piece(a, n), 0, n);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s == NULL ? NULL : arena_slicedup(a, slice_str(s));
}

char *arena_slicedup(struct arena *a, struct slice s)
{
	char *p = piece(a, s.n + 1);

	if (s.n != 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

size_t arena_bytes(const struct arena *a)
{
	return a->total;
}
