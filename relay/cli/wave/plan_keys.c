/* SPDX-License-Identifier: ISC
 *
 * Keys in an array; equal ones are kept once. Two texts with one key would be
 * taken for the same: among a million mailboxes that is one chance in tens of
 * millions, and it would join two groups.
 */
#include "relay/cli/wave/plan_keys.h"

#include <stdlib.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

enum { GROW_FROM = 1024 };

uint64_t plan_key(enum plan_key_kind kind, struct slice text)
{
	const uint64_t key[2] = {0, kind};

	return hash_siphash(key, text.p, text.n);
}

void plan_keys_add(struct plan_keys *k, uint64_t key)
{
	if (k->n == k->cap) {
		k->cap = k->cap == 0 ? GROW_FROM : k->cap + k->cap / 2;
		k->key = mem_resize(k->key, k->cap * sizeof(k->key[0]));
	}
	k->key[k->n++] = key;
}

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void plan_keys_sort(struct plan_keys *k)
{
	size_t kept = 0;

	if (k->n == 0)
		return;
	qsort(k->key, k->n, sizeof(k->key[0]), by_key);
	for (size_t i = 1; i < k->n; i++)
		if (k->key[i] != k->key[kept])
			k->key[++kept] = k->key[i];
	k->n = kept + 1;
}

bool plan_keys_have(const struct plan_keys *k, uint64_t key)
{
	return k->n > 0 &&
	       bsearch(&key, k->key, k->n, sizeof(k->key[0]), by_key) != NULL;
}

void plan_keys_fini(struct plan_keys *k)
{
	mem_free(k->key);
	*k = (struct plan_keys){0};
}
