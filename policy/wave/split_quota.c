/* SPDX-License-Identifier: ISC
 *
 * Shares are rounded down first. What is left over is at most one for each wave
 * and value; it is dealt out wave by wave, to the values that have most left.
 * This way it comes out even (the construction of Gale and Ryser for matrices
 * of 0 and 1 with given sums), which rounding each wave by itself does not.
 */
#include "policy/wave/split_quota.h"

#include <stdlib.h>

#include "relay/base/assert.h"
#include "relay/base/mem.h"

/* A value, while it waits for what was rounded off. */
struct rest {
	unsigned value;
	uint32_t left; /* over all waves */
	uint64_t part; /* what was cut off its share of this wave */
	unsigned turn; /* so that equals take turns */
};

static int by_rest(const void *a, const void *b)
{
	const struct rest *x = a, *y = b;

	if (x->left != y->left)
		return x->left > y->left ? -1 : 1;
	if (x->part != y->part)
		return x->part > y->part ? -1 : 1;
	return x->turn < y->turn ? -1 : x->turn > y->turn;
}

static uint64_t sum(const uint32_t *n, unsigned count)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < count; i++)
		total += n[i];
	return total;
}

/* Rounds the shares of a wave down; returns how many it lacks then. */
static uint32_t round_down(
    const struct split_quota *in, unsigned wave, uint64_t total, int32_t *row)
{
	uint32_t lacks = in->wave[wave];

	for (unsigned v = 0; v < in->values; v++) {
		uint64_t share = (uint64_t)in->wave[wave] * in->value[v];

		row[v] = (int32_t)(share / total);
		lacks -= (uint32_t)row[v];
	}
	return lacks;
}

/* Deals `lacks` members out to the values with most left. */
static void deal(const struct split_quota *in, unsigned wave, uint32_t lacks,
    struct rest *rest, int32_t *row)
{
	uint64_t total = sum(in->value, in->values);

	for (unsigned i = 0; i < in->values; i++) {
		struct rest *r = &rest[i];

		r->part =
		    (uint64_t)in->wave[wave] * in->value[r->value] % total;
		r->turn =
		    (r->value + in->values - wave % in->values) % in->values;
	}
	qsort(rest, in->values, sizeof(*rest), by_rest);
	for (uint32_t i = 0; i < lacks; i++) {
		PH_ASSERT(rest[i].left > 0);
		row[rest[i].value]++;
		rest[i].left--;
	}
}

void split_quota(const struct split_quota *in, int32_t *quota_out)
{
	struct rest *rest = NEW_ARRAY(struct rest, in->values);
	uint32_t *lacks = NEW_ARRAY(uint32_t, in->waves);
	uint64_t total = sum(in->value, in->values);

	for (unsigned v = 0; v < in->values; v++)
		rest[v] = (struct rest){.value = v, .left = in->value[v]};
	for (unsigned w = 0; w < in->waves && total > 0; w++) {
		int32_t *row = quota_out + (size_t)w * in->values;

		lacks[w] = round_down(in, w, total, row);
		for (unsigned v = 0; v < in->values; v++)
			rest[v].left -= (uint32_t)row[v];
	}
	for (unsigned w = 0; w < in->waves && total > 0; w++)
		deal(in, w, lacks[w], rest, quota_out + (size_t)w * in->values);
	mem_free(lacks);
	mem_free(rest);
}
