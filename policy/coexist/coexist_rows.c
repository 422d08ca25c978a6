/* SPDX-License-Identifier: ISC
 *
 * Walks the table, or what its change log names.
 */
#include "policy/coexist/coexist_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "policy/row.h"
#include "relay/base/mem.h"

enum { PAGE = 1000 };

struct coexist_walking {
	struct coexist_walk *w;
	struct table *t;
	bool *away; /* of each domain of the configuration: its row is */
	bool all;   /* a change concerned every recipient */
	char after[2 * ADDR_MAX];
	struct coexist_entry e;
	int rc;
	struct error *err;
	/* Of the change log: the keys of a page. */
	char (*key)[ADDR_MAX];
	unsigned keys;
	uint64_t change;
};

static bool domain_away(const struct coexist_walking *k, struct slice key)
{
	const struct conf *c = k->w->how->conf;
	const struct conf_domain *d = conf_domain(c, row_domain(key));

	return d != NULL && k->away[d - c->domain];
}

static void count(struct coexist_counts *n, const struct coexist_entry *e)
{
	bool domain = e->key.n > 0 && e->key.p[0] == '@';

	n->away += e->where == COEXIST_AWAY && !domain;
	n->domains += e->where == COEXIST_AWAY && domain;
	n->nowhere += e->where == COEXIST_NOWHERE;
	n->odd += e->where == COEXIST_ODD;
}

static void take(struct coexist_walking *k, struct slice key,
    const struct table_row *row)
{
	if (k->rc < 0)
		return;
	k->e.domain_away = domain_away(k, key);
	coexist_judge(k->w->how, key, row, &k->e);
	count(&k->w->counts, &k->e);
	k->rc = k->w->entry(k->w->arg, &k->e, k->err);
}

static int look_at_domains(struct coexist_walking *k)
{
	const struct conf *c = k->w->how->conf;
	char key[ADDR_MAX];
	int rc = 0;

	for (int i = 0; i < c->domains && rc >= 0; i++) {
		struct arena *a = arena_new();
		struct table_row row = {.found = false};

		snprintf(key, sizeof(key), "@%s", c->domain[i].name);
		rc = table_get(k->t, slice_str(key), a, &row, k->err);
		if (rc > 0) {
			coexist_judge(k->w->how, slice_str(key), &row, &k->e);
			k->away[i] = k->e.where == COEXIST_AWAY;
		}
		arena_free(a);
	}
	return rc < 0 ? -1 : 0;
}

/* ---- all ----------------------------------------------------------------- */

static void on_row(void *arg, struct slice key, const struct table_row *row)
{
	struct coexist_walking *k = arg;

	snprintf(k->after, sizeof(k->after), "%.*s", (int)key.n, key.p);
	take(k, key, row);
}

static int walk_all(struct coexist_walking *k)
{
	int n = PAGE;

	k->after[0] = '\0';
	while (n == PAGE && k->rc == 0) {
		struct arena *a = arena_new();
		const struct table_page page = {.after = slice_str(k->after),
		    .limit = PAGE, .a = a, .fn = on_row, .arg = k};

		n = table_rows(k->t, &page, k->err);
		arena_free(a);
	}
	return n < 0 ? -1 : k->rc;
}

/* ---- since a change ------------------------------------------------------ */

static void on_log(void *arg, uint64_t change, struct slice key)
{
	struct coexist_walking *k = arg;

	k->change = change;
	snprintf(k->after, sizeof(k->after), "%.*s", (int)key.n, key.p);
	k->all = k->all || slice_eq(key, SLICE("@"));
	snprintf(k->key[k->keys++], ADDR_MAX, "%.*s", (int)key.n, key.p);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* All keys of the log above the change. */
static int read_log(struct coexist_walking *k)
{
	unsigned room = 0;
	int n = PAGE;

	k->change = (uint64_t)k->w->since;
	k->after[0] = '\0';
	while (n == PAGE && !k->all) {
		const struct table_log_page page = {.after = k->change,
		    .after_key = k->after[0] == '\0' ? NULL : k->after,
		    .limit = PAGE, .fn = on_log, .arg = k};

		if (k->keys + PAGE > room) {
			room = room * 2 + PAGE;
			k->key = mem_resize(k->key, room * sizeof(*k->key));
		}
		n = table_log(k->t, &page, k->err);
	}
	if (n >= 0 && k->keys > 0)
		qsort(k->key, k->keys, sizeof(*k->key), by_text);
	return n < 0 ? -1 : 0;
}

static int look_up(struct coexist_walking *k, struct slice key)
{
	struct arena *a = arena_new();
	struct table_row row = {.found = false};
	int rc = table_get(k->t, key, a, &row, k->err);

	if (rc >= 0)
		take(k, key, &row);
	arena_free(a);
	return rc < 0 ? -1 : k->rc;
}

static int walk_keys(struct coexist_walking *k)
{
	int rc = 0;

	for (unsigned i = 0; i < k->keys && rc == 0; i++)
		if (i == 0 || strcmp(k->key[i - 1], k->key[i]) != 0)
			rc = look_up(k, slice_str(k->key[i]));
	return rc;
}

static int walk(struct coexist_walking *k)
{
	int64_t now = table_change(k->t, k->err);

	if (now < 0 || look_at_domains(k) < 0)
		return -1;
	k->w->how->change = (uint64_t)now;
	if (k->w->since >= 0 && read_log(k) < 0)
		return -1;
	k->all = k->all || k->w->since < 0;
	k->w->how->part = !k->all;
	if (k->w->begin(k->w->arg, k->err) < 0)
		return -1;
	return k->all ? walk_all(k) : walk_keys(k);
}

int coexist_rows(struct coexist_walk *w, struct table *t, struct error *err)
{
	struct coexist_walking k = {.w = w, .t = t, .err = err};
	int rc;

	w->counts = (struct coexist_counts){.away = 0};
	if (table_begin(t, err) < 0)
		return -1;
	k.away = NEW_ARRAY(bool, w->how->conf->domains + 1);
	rc = walk(&k);
	table_end(t);
	mem_free(k.away);
	mem_free(k.key);
	return rc;
}
