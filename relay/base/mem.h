/* SPDX-License-Identifier: ISC
 *
 * Allocation that cannot fail, and arenas.
 *
 * Out of memory ends the process: the journal makes that safe, and every
 * input has a ceiling, so a peer cannot cause it. Any thread.
 */
#ifndef RELAY_BASE_MEM_H
#define RELAY_BASE_MEM_H

#include "relay/base/attr.h"
#include "relay/base/slice.h"

/* Says that `n` bytes (0: it is not known how many) could not be had, and ends
 * the process with 1. */
PH_NORETURN void mem_exhausted(size_t n);
void *mem_new(size_t n);	    /* zeroed, never NULL            */
void *mem_resize(void *p, size_t n); /* new bytes are not zeroed      */
void *mem_dup(const void *p, size_t n);
char *mem_strdup(const char *s);     /* NULL gives NULL               */
char *mem_slicedup(struct slice s);  /* adds a final NUL              */
void mem_free(void *p);		     /* NULL is fine                  */

#define NEW(type) ((type *)mem_new(sizeof(type)))
#define NEW_ARRAY(type, n) ((type *)mem_new(sizeof(type) * (size_t)(n)))

/* Memory that lives and dies together: one arena per mail transaction. */
struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);
/* As new, with its largest block kept for what comes next. */
void arena_reset(struct arena *a);
void *arena_alloc(struct arena *a, size_t n); /* zeroed, 16-byte aligned */
char *arena_strdup(struct arena *a, const char *s);
char *arena_slicedup(struct arena *a, struct slice s);
size_t arena_bytes(const struct arena *a);

#endif
