/* SPDX-License-Identifier: ISC
 *
 * Borrowed bytes: cut, trim, compare.
 */
#include "relay/base/slice.h"

bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_case_eq(struct slice a, struct slice b)
{
	return a.n == b.n && slice_case_starts(a, b);
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return slice_eq(slice_head(s, prefix.n), prefix);
}

bool slice_case_starts(struct slice s, struct slice prefix)
{
	if (s.n < prefix.n)
		return false;
	for (size_t i = 0; i < prefix.n; i++)
		if (ascii_lower(s.p[i]) != ascii_lower(prefix.p[i]))
			return false;
	return true;
}

bool slice_case_ends(struct slice s, struct slice suffix)
{
	return s.n >= suffix.n &&
	       slice_case_eq(slice_from(s, s.n - suffix.n), suffix);
}

bool slice_case_has(struct slice s, struct slice part)
{
	for (; s.n >= part.n; s = slice_from(s, 1)) {
		if (slice_case_starts(s, part))
			return true;
		if (s.n == 0)
			break;
	}
	return false;
}

long slice_find(struct slice s, char c)
{
	const char *p = s.n == 0 ? NULL : memchr(s.p, c, s.n);

	return p == NULL ? -1 : (long)(p - s.p);
}

long slice_rfind(struct slice s, char c)
{
	const char *p = s.n == 0 ? NULL : memrchr(s.p, c, s.n);

	return p == NULL ? -1 : (long)(p - s.p);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = slice_from(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool slice_next(struct slice *s, char sep, struct slice *token_out)
{
	long at;

	if (s->p == NULL)
		return false;
	at = slice_find(*s, sep);
	if (at < 0) {
		*token_out = *s;
		*s = slice_of(NULL, 0);
		return true;
	}
	*token_out = slice_head(*s, (size_t)at);
	*s = slice_from(*s, (size_t)at + 1);
	return true;
}

bool slice_uint(struct slice s, uint64_t max, uint64_t *value_out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint64_t d = (uint64_t)(s.p[i] - '0');

		if (!ascii_digit(s.p[i]) || d > max || v > (max - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*value_out = v;
	return true;
}
