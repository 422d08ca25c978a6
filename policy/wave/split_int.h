/* SPDX-License-Identifier: ISC
 *
 * Inside split: members, groups, and the way from one file to the other.
 */
#ifndef POLICY_WAVE_SPLIT_INT_H
#define POLICY_WAVE_SPLIT_INT_H

#include "policy/wave/split.h"

struct part { /* a member */
	uint64_t id;
	uint32_t in;	/* another one of its group, or itself */
	uint32_t group; /* when all are joined */
	uint16_t value;
	uint8_t rank;
};

struct shared_key {
	uint64_t key;
	uint32_t member;
};

struct split_group {
	uint64_t order;
	uint32_t size;
	uint16_t value, wave;
	uint8_t rank;
};

struct split {
	struct part *part;
	uint32_t parts, part_cap;
	struct shared_key *key;
	uint32_t keys, key_cap;
	struct split_group *group; /* NULL until all are joined */
	uint32_t groups;
};

/* Gives each group its wave. */
void split_deal(struct split *s, const struct split_how *how);

#endif
