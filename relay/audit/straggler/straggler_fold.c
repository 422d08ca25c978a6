/* SPDX-License-Identifier: ISC
 *
 * The rows that wait, by a key made of bytes.
 */
#include "relay/audit/straggler/straggler_fold.h"

enum { KEY_MAX = 1024 };

static struct straggler_entry *entry_new(struct straggler_fold *f,
    const struct straggler_key *k, struct slice key)
{
	struct straggler_entry *e = mem_new(sizeof(*e) + key.n);

	memcpy(e->bytes, key.p, key.n);
	e->key.client = e->bytes;
	e->key.listen = e->key.client + strlen(k->client) + 1;
	e->key.customer = e->key.listen + strlen(k->listen) + 1;
	HASH_ADD_KEYPTR(hh, f->table, e->bytes, key.n, e);
	f->n++;
	return e;
}

struct straggler_row *straggler_fold_row(struct straggler_fold *f,
    const struct straggler_key *k)
{
	struct straggler_entry *e = NULL;
	struct strbuf key;

	strbuf_init(&key, KEY_MAX);
	strbuf_add(&key, k->client, strlen(k->client) + 1);
	strbuf_add(&key, k->listen, strlen(k->listen) + 1);
	strbuf_add(&key, k->customer, strlen(k->customer) + 1);
	if (strbuf_ok(&key)) {
		HASH_FIND(hh, f->table, key.p, key.n, e);
		if (e == NULL && f->n < STRAGGLER_FOLD_MAX)
			e = entry_new(f, k, strbuf_view(&key));
	}
	strbuf_fini(&key);
	return e == NULL ? NULL : &e->row;
}

bool straggler_fold_merge(struct straggler_fold *f,
    struct straggler_fold *more)
{
	struct straggler_entry *e, *next;
	bool all = true;

	if (f->n == 0) {
		*f = *more;
		*more = (struct straggler_fold){.table = NULL};
		return true;
	}
	HASH_ITER(hh, more->table, e, next) {
		struct straggler_row *r = straggler_fold_row(f, &e->key);

		if (r != NULL)
			straggler_row_merge(r, &e->row);
		all = all && r != NULL;
	}
	straggler_fold_clear(more);
	return all;
}

void straggler_fold_clear(struct straggler_fold *f)
{
	struct straggler_entry *e, *next;

	HASH_ITER(hh, f->table, e, next) {
		HASH_DEL(f->table, e);
		straggler_row_fini(&e->row);
		mem_free(e);
	}
	f->n = 0;
}
