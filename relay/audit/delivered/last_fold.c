/* SPDX-License-Identifier: ISC
 *
 * Rows that wait to be written.
 */
#include "relay/audit/delivered/last_fold.h"

#include <stdlib.h>

#include "relay/base/mem.h"

enum { FIRST_ROWS = 256 };

void last_fold_init(struct last_fold *f)
{
	*f = (struct last_fold){.n = 0};
	map_init(&f->at);
}

void last_fold_fini(struct last_fold *f)
{
	last_fold_clear(f);
	map_fini(&f->at);
	mem_free(f->row);
}

void last_fold_clear(struct last_fold *f)
{
	while (f->n > 0)
		mem_free(f->row[--f->n].base);
	map_fini(&f->at);
	map_init(&f->at);
}

static uint64_t mix(const struct last_row *r)
{
	uint64_t leg = (r->leg + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);

	return ((uint64_t)r->to.base ^ (uint64_t)r->to.detail ^ leg) | 1;
}

static size_t place(const struct last_fold *f, const struct last_row *r)
{
	uintptr_t at = (uintptr_t)map_get(&f->at, mix(r));

	return at != 0 && last_row_order(&f->row[at - 1], r) == 0 ? at : 0;
}

const struct last_row *last_fold_find(const struct last_fold *f,
    const struct last_row *r)
{
	size_t at = place(f, r);

	return at == 0 ? NULL : &f->row[at - 1];
}

/* Of two keys with one mix only the second is found, and both are written. */
void last_fold_put(struct last_fold *f, const struct last_row *r,
    struct slice base)
{
	size_t at = place(f, r);

	if (at != 0) {
		struct last_row *to = &f->row[at - 1];
		uint32_t firsts = to->firsts + r->firsts;
		char *had = to->base;

		if (r->time_us >= to->time_us)
			*to = *r;
		to->base = had;
		to->firsts = firsts;
		return;
	}
	if (f->n == f->cap) {
		f->cap = f->cap == 0 ? FIRST_ROWS : f->cap * 2;
		f->row = mem_resize(f->row, f->cap * sizeof(*f->row));
	}
	f->row[f->n] = *r;
	f->row[f->n++].base = mem_slicedup(base);
	map_put(&f->at, mix(r), (void *)(uintptr_t)f->n);
}

struct last_row *last_fold_sorted(const struct last_fold *f)
{
	struct last_row *rows;

	if (f->n == 0)
		return NULL;
	rows = mem_dup(f->row, f->n * sizeof(*f->row));
	qsort(rows, f->n, sizeof(*rows), last_row_order);
	return rows;
}
