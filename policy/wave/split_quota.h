/* SPDX-License-Identifier: ISC
 *
 * How many members of each value go into each wave: whole numbers, each of them
 * the exact share rounded up or down. Pure.
 */
#ifndef POLICY_WAVE_SPLIT_QUOTA_H
#define POLICY_WAVE_SPLIT_QUOTA_H

#include <stdint.h>

struct split_quota {
	const uint32_t *wave;  /* members of each wave; together as many … */
	const uint32_t *value; /* … as members of each value */
	unsigned waves, values;
};

/* Fills quota_out[wave * values + value]; the sums of rows and columns are
 * those above. Where a share is whole the number may be one more, never
 * less. */
void split_quota(const struct split_quota *in, int32_t *quota_out);

#endif
