/* SPDX-License-Identifier: ISC
 *
 * An expression of --where and, behind the first NUL, the columns of a row
 * that it is asked about. A tag that every match is said to bear must be one
 * that the row has.
 */
#include "policy/where.h"
#include "tests/fuzz/fuzz.h"

static struct slice cut(struct slice *rest)
{
	size_t n = 0;
	struct slice part;

	while (n < rest->n && rest->p[n] != '\0')
		n++;
	part = slice_head(*rest, n);
	*rest = slice_from(*rest, n < rest->n ? n + 1 : n);
	return part;
}

static bool has_word(struct slice words, struct slice word)
{
	for (size_t i = 0; i + word.n <= words.n; i++)
		if (memcmp(words.p + i, word.p, word.n) == 0)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of(data, size), text = cut(&rest);
	struct where_row row = {.held = size % 2 != 0};
	struct error err = {0};
	struct where *w = where_parse(text, &err);

	must((w == NULL) == (err.text[0] != '\0'));
	if (w == NULL)
		return 0;
	row.address = cut(&rest);
	row.route = cut(&rest);
	row.mailbox = cut(&rest);
	row.tags = cut(&rest);
	if (where_match(w, &row) && where_tag(w).n > 0)
		must(has_word(row.tags, where_tag(w)));
	where_free(w);
	return 0;
}
