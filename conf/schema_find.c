/* SPDX-License-Identifier: ISC
 *
 * Finds sections and parameters by name, and the nearest name to a mistyped
 * one.
 */
#include "conf/schema.h"

int section_find(const char *name)
{
	for (int s = SEC_TOP + 1; s < SECTIONS; s++)
		if (strcmp(section_table[s].name, name) == 0)
			return s;
	return -1;
}

const struct conf_param *param_next(enum section s, const struct conf_param *p)
{
	for (p = p == NULL ? param_table : p + 1;
	     p < param_table + param_count; p++)
		if (p->in & (1u << s))
			return p;
	return NULL;
}

const struct conf_param *param_find(enum section s, const char *name)
{
	const struct conf_param *p = NULL;

	while ((p = param_next(s, p)) != NULL)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

const char *effect_text(enum effect e)
{
	static const char *const text[] = {
		[LIVE] = "applies at once",
		[NEW_SESSIONS] = "applies to new sessions",
		[RESTART] = "needs a restart",
	};

	return text[e];
}

/* Levenshtein's distance, one row at a time; NAME_BYTES is enough for every
 * name of ours. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_BYTES + 1], n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static void nearer(const char *name, const char *candidate, size_t *least,
    const char **best)
{
	size_t d = distance(name, candidate);

	if (d >= *least)
		return;
	*least = d;
	*best = candidate;
}

const char *schema_nearest(enum section s, const char *name)
{
	size_t least = 2 + strlen(name) / 4;
	const char *best = NULL;
	const struct conf_param *p = NULL;

	if (strlen(name) > NAME_BYTES)
		return NULL;
	while ((p = param_next(s, p)) != NULL)
		nearer(name, p->name, &least, &best);
	if (s == SEC_TOP)
		for (int i = SEC_TOP + 1; i < SECTIONS; i++)
			nearer(name, section_table[i].name, &least, &best);
	return best;
}
