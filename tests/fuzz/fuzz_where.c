/* SPDX-License-Identifier: ISC
 *
 * An expression of --where and, behind the first NUL, the columns of a row
 * that it is asked about. Of the tags that a match is said to need the row must
 * have one.
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

static bool has_one(struct slice words, const struct where *w)
{
	struct slice tag[WHERE_NODES];
	unsigned n = where_tags(w, tag);

	for (unsigned i = 0; i < n; i++)
		if (has_word(words, tag[i]))
			return true;
	return n == 0;
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
	row.customer = cut(&rest);
	row.waves = cut(&rest);
	row.change = rest.n;
	if (where_match(w, &row))
		must(has_one(row.tags, w));
	where_free(w);
	return 0;
}
