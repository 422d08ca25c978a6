/* SPDX-License-Identifier: ISC
 *
 * Remembers where each key of the single sections stands, so that a fault
 * that shows only on this machine can still be reported as FILE:LINE.
 */
#include "conf/place.h"

/* A place for each key of each section that exists once, written or not. */
static int count_keys(void)
{
	int n = 0;

	for (int kind = SEC_TOP; kind < SECTIONS; kind++) {
		const struct conf_param *p = NULL;

		if (section_table[kind].size != 0)
			continue;
		while ((p = param_next((enum section)kind, p)) != NULL)
			n++;
	}
	return n;
}

void conf_places_note(struct conf *c, const struct doc *doc)
{
	int n = 0;

	c->place = arena_alloc(c->arena,
	    sizeof(*c->place) * (size_t)(count_keys() + 1));
	for (int kind = SEC_TOP; kind < SECTIONS; kind++) {
		const struct conf_param *p = NULL;

		if (section_table[kind].size != 0)
			continue;
		while ((p = param_next((enum section)kind, p)) != NULL) {
			struct doc_place at =
			    doc_place(doc, (enum section)kind, p->name);

			c->place[n++] = (struct conf_place){
			    section_table[kind].name, p->name, at.file,
			    at.line};
		}
	}
	c->places = n;
}

struct conf_place conf_place(const struct conf *c, const char *section,
    const char *key)
{
	for (int i = 0; i < c->places; i++)
		if (strcmp(c->place[i].section, section) == 0 &&
		    strcmp(c->place[i].key, key) == 0)
			return c->place[i];
	return (struct conf_place){section, key, c->file, 1};
}
