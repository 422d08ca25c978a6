/* SPDX-License-Identifier: ISC
 *
 * See spf_rows.h. A row's key is made of bytes, so that one table has both
 * kinds.
 */
#include "relay/audit/delivered/spf_rows.h"

#include <string.h>

#include "relay/base/strbuf.h"

enum { KEY_MAX = 1024 };

static void make_key(const struct spf_row_key *k, struct strbuf *out)
{
	strbuf_addc(out, (char)k->kind);
	strbuf_add(out, &k->day, sizeof(k->day));
	strbuf_add(out, k->first, strlen(k->first) + 1);
	strbuf_add(out, k->second, strlen(k->second) + 1);
}

static struct spf_row *row_new(struct spf_rows *r, const struct spf_row_key *k,
    struct slice key)
{
	struct spf_row *row = mem_new(sizeof(*row) + key.n);

	memset(row, 0, sizeof(*row));
	memcpy(row->bytes, key.p, key.n);
	row->key = *k;
	row->key.second = row->bytes + key.n - strlen(k->second) - 1;
	row->key.first = row->key.second - strlen(k->first) - 1;
	HASH_ADD_KEYPTR(hh, r->table, row->bytes, key.n, row);
	r->n++;
	return row;
}

bool spf_rows_add(struct spf_rows *r, const struct spf_row_key *k, unsigned at,
    size_t max)
{
	struct spf_row *row = NULL;
	struct strbuf key;

	strbuf_init(&key, KEY_MAX);
	make_key(k, &key);
	if (strbuf_ok(&key)) {
		HASH_FIND(hh, r->table, key.p, key.n, row);
		if (row == NULL && r->n < max)
			row = row_new(r, k, strbuf_view(&key));
	}
	strbuf_fini(&key);
	if (row != NULL)
		row->n[at]++;
	return row != NULL;
}

void spf_rows_clear(struct spf_rows *r)
{
	struct spf_row *row, *next;

	HASH_ITER(hh, r->table, row, next) {
		HASH_DEL(r->table, row);
		mem_free(row);
	}
	r->n = 0;
}
