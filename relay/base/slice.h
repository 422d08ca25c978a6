/* SPDX-License-Identifier: ISC
 *
 * Borrowed bytes: cut, trim, compare. Pure functions, any thread.
 */
#ifndef RELAY_BASE_SLICE_H
#define RELAY_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed run of bytes. Owns nothing, has no final NUL, may hold NULs;
 * it dies with the buffer it points into. */
struct slice {
	const char *p;
	size_t n;
};

#define SLICE(lit) ((struct slice){(lit), sizeof(lit) - 1})

static inline struct slice slice_of(const void *p, size_t n)
{
	return (struct slice){p, n};
}

static inline struct slice slice_str(const char *s)
{
	return (struct slice){s, s == NULL ? 0 : strlen(s)};
}

bool slice_eq(struct slice a, struct slice b);
bool slice_case_eq(struct slice a, struct slice b); /* ASCII case folded */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_case_starts(struct slice s, struct slice prefix);
bool slice_case_ends(struct slice s, struct slice suffix);
/* Is `part` anywhere in it, ASCII case folded? The empty one is. */
bool slice_case_has(struct slice s, struct slice part);
/* Index of the first / last `c`, or -1. */
long slice_find(struct slice s, char c);
long slice_rfind(struct slice s, char c);
struct slice slice_from(struct slice s, size_t at); /* drop the first `at` */
struct slice slice_head(struct slice s, size_t n);  /* keep at most n      */
struct slice slice_trim(struct slice s);	    /* SP and TAB, both ends */
/* Cuts the next token off `s` at `sep` (without it); false at the end. */
bool slice_next(struct slice *s, char sep, struct slice *token_out);
/* Decimal digits only, whole slice, at most `max`; false otherwise. */
bool slice_uint(struct slice s, uint64_t max, uint64_t *value_out);

/* ASCII only, whatever the locale says. */
static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool ascii_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The bytes between the words of a folded header field. */
static inline bool ascii_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline bool ascii_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

#endif
