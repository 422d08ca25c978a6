/* SPDX-License-Identifier: ISC
 *
 * A virtual alias map of Postfix (virtual(5)). An alias with one target of ours
 * is another address of the target's mailbox; with several it is a group.
 */
#include "policy/import/alias_book.h"
#include "policy/import/import_int.h"
#include "policy/import/map_line.h"
#include "policy/row.h"

static const char kind_group[] = "kind=group", kind_forward[] = "kind=forward";

struct virtual_map {
	struct import_run *run;
	struct map_lines map;
	struct alias_book *book;
};

/* A name without a domain is one at the domain that is said. */
static int full_key(const struct virtual_map *m, struct slice name,
    char key[ADDR_MAX], struct error *err)
{
	if (slice_find(name, '@') >= 0)
		return row_key_text(name, key, err);
	if (m->run->how->domain == NULL)
		return error_set(err, "'%.*s' has no domain: say by --domain "
		    "at which it is", (int)slice_head(name, 100).n, name.p);
	return import_key_at(name, slice_str(m->run->how->domain), key, err);
}

/* "example.com anything" says that the map has that domain; "ann.lee bob" looks
 * the same. 1: it is a domain of ours. -1: it may be either. */
static int names_domain(const struct virtual_map *m, struct error *err)
{
	struct slice key = m->map.key;
	char domain[ADDR_MAX];
	struct error none;

	if (slice_find(key, '@') >= 0 || slice_find(m->map.value, '@') >= 0)
		return 0;
	if (import_key_at(SLICE(""), key, domain, &none) == 0 &&
	    import_is_ours(m->run, domain))
		return 1;
	if (slice_find(key, '.') <= 0)
		return 0;
	return error_set(err, "'%.*s' is no domain of the configuration: if "
	    "it is a name, write its domain behind an @, else leave the line "
	    "out", (int)slice_head(key, 100).n, key.p);
}

/* "x@example.com @b.example" leads to x@b.example. */
static int same_name(const char *key, char target[ADDR_MAX],
    struct error *err)
{
	char domain[ADDR_MAX];
	long at = slice_rfind(slice_str(key), '@');

	if (target[0] != '@' || at <= 0)
		return 0;
	memcpy(domain, target + 1, strlen(target));
	return import_key_at(slice_of(key, (size_t)at), slice_str(domain),
	    target, err);
}

/* Notes of the key that it leads to one target. A domain's row says where all
 * its other addresses are, so a catch-all, which leads them to one address,
 * makes none. */
static void take_target(struct virtual_map *m, struct alias *a,
    const char *target)
{
	const struct conf_leg *leg = import_leg_of(m->run, target);
	bool domain = a->key[0] == '@';

	if (strcmp(target, a->key) == 0 || domain != (target[0] == '@'))
		return;
	if (leg != NULL) {
		a->leg = leg->name;
		a->at_leg = target;
	} else if (domain) {
		return;
	} else if (import_is_ours(m->run, target)) {
		a->to = target;
	} else {
		a->kind = kind_forward;
	}
}

static int take_targets(struct virtual_map *m, struct alias *a,
    char target[ADDR_MAX], struct error *err)
{
	struct slice rest = m->map.value, one;
	unsigned n = 0;

	while (map_next_target(&rest, &one)) {
		if (full_key(m, one, target, err) < 0 ||
		    same_name(a->key, target, err) < 0)
			return -1;
		n++;
	}
	if (n == 0)
		return error_set(err, "there is no target");
	if (n == 1)
		take_target(m, a, target);
	else if (a->key[0] != '@')
		a->kind = kind_group;
	return 0;
}

static int take_alias(struct virtual_map *m, struct error *err)
{
	char key[ADDR_MAX], target[ADDR_MAX];
	struct alias a = {.key = key, .line = m->map.line};

	if (full_key(m, m->map.key, key, err) < 0)
		return -1;
	if (!import_is_ours(m->run, key)) {
		import_foreign(m->run, key);
		return 0;
	}
	if (take_targets(m, &a, target, err) < 0)
		return -1;
	if (key[0] != '@' || a.leg != NULL)
		return alias_book_add(m->book, &a, err);
	m->run->counts->passed++;
	return 0;
}

static int take_line(struct virtual_map *m, struct error *err)
{
	int rc = map_refuse_pattern(&m->map, err);

	if (rc == 0)
		rc = names_domain(m, err);
	if (rc == 0)
		return take_alias(m, err);
	m->run->counts->passed += rc > 0;
	return rc < 0 ? -1 : 0;
}

/* ---- rows --------------------------------------------------------------- */

static void give(struct virtual_map *m, const struct import_row *row)
{
	struct error err = {0};

	if (import_give(m->run, row, &err) < 0)
		import_fault(m->run, row->line, err.text);
}

/* An alias has what the address that it ends at has. */
static void give_alias(void *arg, const struct alias *a)
{
	struct virtual_map *m = arg;
	const struct alias *end = a->end;
	struct import_row row = {.line = a->line, .key = a->key};
	struct strbuf at_leg;

	strbuf_init(&at_leg, IMPORT_TEXT);
	if (end != NULL && end->leg != NULL) {
		strbuf_addf(&at_leg, "%s=%s", end->leg, end->at_leg);
		row.route = end->leg;
		row.addresses = strbuf_cstr(&at_leg);
	}
	if (end != NULL && end->kind != NULL) {
		row.tags = end->kind;
		row.keys = "kind";
	}
	if (a->key[0] != '@' && (a->to != NULL || a->meant))
		row.mailbox = a->mailbox;
	give(m, &row);
	if (end == NULL) {
		row.key = a->mailbox; /* no line of its own says more of it */
		give(m, &row);
	}
	strbuf_fini(&at_leg);
}

static void on_fault(void *arg, uint64_t line, const char *why)
{
	struct virtual_map *m = arg;

	import_fault(m->run, line, why);
}

void virtual_read(struct import_run *r, int fd)
{
	struct virtual_map m = {.run = r, .book = alias_book_new()};
	const struct alias_book_visit visit = {give_alias, on_fault, &m};
	struct error err = {0};
	int rc;

	map_lines_init(&m.map, fd);
	while ((rc = map_lines_next(&m.map, &err)) != CSV_END) {
		if (rc < 0 || take_line(&m, &err) < 0)
			import_fault(r, m.map.line, err.text);
		if (rc == CSV_FAILED)
			break;
		import_progress(r, &m.map.csv);
	}
	alias_book_resolve(m.book, &visit);
	alias_book_free(m.book);
	map_lines_fini(&m.map);
}
