/* SPDX-License-Identifier: ISC
 *
 * Patterns of enhanced codes (RFC 3463) in a profile: "5.1.1", "5.7.*", "none".
 */
#include "conf/profile.h"

#include <string.h>

bool conf_number_range(struct slice s, uint64_t max, uint64_t *low,
    uint64_t *high)
{
	long dash = slice_find(s, '-');

	if (dash < 0)
		dash = (long)s.n;
	if (!slice_uint(slice_head(s, (size_t)dash), max, low))
		return false;
	*high = *low;
	return (size_t)dash == s.n ||
	       (slice_uint(slice_from(s, (size_t)dash + 1), max, high) &&
		   *low <= *high);
}

bool conf_enhanced_ok(const char *text)
{
	struct slice rest = slice_str(text), part;
	uint64_t low, high;
	int parts = 0;

	if (strcmp(text, "none") == 0)
		return true;
	for (; slice_next(&rest, '.', &part); parts++)
		if (!slice_eq(part, SLICE("*")) &&
		    !conf_number_range(part, 999, &low, &high))
			return false;
	return parts == 3;
}

bool conf_enhanced_fits(const char *pattern, const char *enh)
{
	struct slice p = slice_str(pattern), e = slice_str(enh), a, b;
	uint64_t low, high, n;

	if (strcmp(pattern, "none") == 0 || e.n == 0)
		return strcmp(pattern, "none") == 0 && e.n == 0;
	while (slice_next(&p, '.', &a)) {
		if (!slice_next(&e, '.', &b) || !slice_uint(b, 999, &n))
			return false;
		if (!slice_eq(a, SLICE("*")) &&
		    (!conf_number_range(a, 999, &low, &high) || n < low ||
			n > high))
			return false;
	}
	return e.p == NULL;
}
