/* SPDX-License-Identifier: ISC
 *
 * The C library's allocator for a program whose libraries do not check it
 * (libConfuse crashes, jansson gives half a value): what cannot be allocated
 * ends the program with one sentence, wherever it was asked for. Linked into
 * the command line alone; the daemon's libraries may go on without.
 *
 * A sanitizer has an allocator of its own.
 */
#include "relay/base/mem.h"

#include <dlfcn.h>
#include <stdlib.h>

#if !PH_SANITIZED

/* The next one in the order of loading. dlsym() allocates nothing when it
 * finds what it is asked for. */
static void find(void *next, const char *name)
{
	*(void **)next = dlsym(RTLD_NEXT, name);
}

void *malloc(size_t n)
{
	static void *(*next)(size_t n);
	void *p;

	if (next == NULL)
		find(&next, "malloc");
	p = next(n);
	if (p == NULL)
		mem_exhausted(n);
	return p;
}

void *calloc(size_t n, size_t each)
{
	static void *(*next)(size_t n, size_t each);
	void *p;

	if (next == NULL)
		find(&next, "calloc");
	p = next(n, each);
	if (p == NULL)
		mem_exhausted(n * each);
	return p;
}

/* Of no bytes it may give NULL: then it was freed. */
void *realloc(void *old, size_t n)
{
	static void *(*next)(void *old, size_t n);
	void *p;

	if (next == NULL)
		find(&next, "realloc");
	p = next(old, n);
	if (p == NULL && n != 0)
		mem_exhausted(n);
	return p;
}

#endif
