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
/* Keeps at most the first `n`. */
static inline struct slice slice_head(struct slice s, size_t n)
{
	return slice_of(s.p, n < s.n ? n : s.n);
}

/* Drops the first `at`. */
static inline struct slice slice_from(struct slice s, size_t at)
{
	size_t n = at < s.n ? at : s.n;

	return n == 0 ? s : slice_of(s.p + n, s.n - n);
}

/* Copies what fits into `out` of `room` bytes, with a final NUL. */
static inline void slice_copy(struct slice s, char *out, size_t room)
{
	size_t n = s.n < room ? s.n : room - 1;

	if (n > 0)
		memcpy(out, s.p, n);
	out[n] = '\0';
}
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
