/* SPDX-License-Identifier: ISC
 *
 * A transport map of Postfix (transport(5)): rows of addresses and of domains.
 */
#include "policy/import/import_hop.h"
#include "policy/import/import_int.h"
#include "policy/import/map_line.h"
#include "policy/row.h"

struct transport {
	struct import_run *run;
	struct map_lines map;
};

/* The name of a domain of ours below ".example.com"; NULL: there is none. */
static const char *below(const struct transport *t, struct slice suffix)
{
	const struct conf *c = t->run->how->conf;

	for (int i = 0; i < c->domains; i++)
		if (slice_case_ends(slice_str(c->domain[i].name), suffix))
			return c->domain[i].name;
	return NULL;
}

/* "*" and ".example.com" have no rows of their own. 1: there is nothing to be
 * made of it. */
static int pass_pattern(struct transport *t, struct error *err)
{
	struct slice key = t->map.key;
	const char *ours = NULL;

	if (map_refuse_pattern(&t->map, err) < 0)
		return -1;
	if (!slice_eq(key, SLICE("*")) && key.p[0] != '.')
		return 0;
	if (key.p[0] == '.')
		ours = below(t, key);
	if (ours != NULL)
		return error_set(err, "'%.*s' is about %.150s too: give each "
		    "domain a line", (int)slice_head(key, 100).n, key.p, ours);
	t->run->counts->passed++;
	return 1;
}

/* A domain stands there without an '@'. */
static int key_of(struct slice name, char key[ADDR_MAX], struct error *err)
{
	return slice_find(name, '@') >= 0
		   ? row_key_text(name, key, err)
		   : import_key_at(SLICE(""), name, key, err);
}

static int take_line(struct transport *t, struct error *err)
{
	const struct import_how *how = t->run->how;
	char key[ADDR_MAX];
	struct import_row row = {.line = t->map.line, .key = key};
	int rc = pass_pattern(t, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (key_of(t->map.key, key, err) < 0)
		return -1;
	if (!import_is_ours(t->run, key)) {
		import_foreign(t->run, key);
		return 0;
	}
	row.route = import_hop_route(how->conf, t->map.value, err);
	if (row.route == NULL)
		return -1;
	if (row.route[0] == '\0' && how->route == NULL)
		return -1;
	if (row.route[0] == '\0')
		row.route = NULL;
	return import_give(t->run, &row, err);
}

void transport_read(struct import_run *r, int fd)
{
	struct transport t = {.run = r};
	struct error err = {0};
	int rc;

	map_lines_init(&t.map, fd);
	while ((rc = map_lines_next(&t.map, &err)) != CSV_END) {
		if (rc < 0 || take_line(&t, &err) < 0)
			import_fault(r, t.map.line, err.text);
		if (rc == CSV_FAILED)
			break;
		import_progress(r, &t.map.csv);
	}
	map_lines_fini(&t.map);
}
