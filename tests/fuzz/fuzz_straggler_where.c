/* SPDX-License-Identifier: ISC
 *
 * An expression of `stragglers set --where` and, behind the first NUL, the
 * texts of a straggler that it is asked about.
 */
#include "policy/straggler/straggler_where.h"
#include "relay/base/clock.h"
#include "tests/fuzz/fuzz.h"

static struct slice cut(struct slice *rest)
{
	struct slice part = *rest;
	long end = slice_find(*rest, '\0');

	if (end >= 0)
		part = slice_head(*rest, (size_t)end);
	*rest = slice_from(*rest, end >= 0 ? (size_t)end + 1 : rest->n);
	return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of(data, size), text = cut(&rest);
	struct straggler_values v = {.number[NUMBER_AFTER] = -1};
	struct error err = {0};
	struct straggler_where *w = straggler_where_parse(text,
	    20000 * DAY_US, &err);

	must((w == NULL) == (err.text[0] != '\0'));
	if (w == NULL)
		return 0;
	for (int i = 0; i < STRAGGLER_TEXTS; i++)
		v.text[i] = cut(&rest);
	for (int i = 0; i < NUMBER_AFTER; i++)
		v.number[i] = (int64_t)cut(&rest).n;
	straggler_where_match(w, &v);
	v.number[NUMBER_AFTER] = (int64_t)rest.n;
	straggler_where_match(w, &v);
	straggler_where_free(w);
	return 0;
}
