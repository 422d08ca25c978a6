/* SPDX-License-Identifier: ISC
 *
 * Texts into blackouts.
 */
#include "relay/when/blackout_load.h"

#include "relay/when/zone_file.h"

static int load_one(struct arena *a, const struct blackout_texts *texts,
    const char *text, struct blackout *b, struct error *err)
{
	struct slice name;
	struct error why;

	if (blackout_parse(slice_str(text), b, &name, &why) != 0)
		return error_set(err, "the blackout \"%s\" %s", text, why.text);
	b->text = text;
	b->zone = texts->zone;
	if (name.n > 0)
		b->zone = zone_load(a, name, &why);
	else if (b->zone == NULL)
		b->zone = zone_load_system(a, &why);
	if (b->zone == NULL)
		return error_set(
		    err, "the blackout \"%s\": %s", text, why.text);
	return 0;
}

int blackouts_load(struct arena *a, const struct blackout_texts *texts,
    struct blackouts *blackouts_out, struct error *err)
{
	size_t n = (size_t)texts->count;
	struct blackout *item = arena_alloc(a, (n + 1) * sizeof(*item));
	int64_t free_s;

	for (size_t i = 0; i < n; i++)
		if (load_one(a, texts, texts->s[i], &item[i], err) != 0)
			return -1;
	*blackouts_out = (struct blackouts){item, texts->count};
	/* Those of dates end; those of the week are the same in any year. */
	blackouts_at(blackouts_out, 0, &free_s);
	if (free_s == INT64_MAX)
		return error_set(err, "the blackouts leave no moment without "
				      "one; leave a gap in the week");
	return 0;
}
