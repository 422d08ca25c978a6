/* SPDX-License-Identifier: ISC
 *
 * Splits the members of a plan over its waves. Pure but for memory: some forty
 * bytes a member while they are added, under a hundred while they are split.
 * One thread.
 *
 * Members that share a key (a mailbox, a `together=` tag) are a group, which is
 * never split, also where they share it through others. The order of groups is
 * random and follows from the seed and the ids of their members alone, so it is
 * the same however the members are added.
 *
 * Each value (of `--spread KEY`; without it all have one) has its share of each
 * wave: of a wave with a tenth of the members it has a tenth, give or take one
 * member. Groups make it harder; the bound that is kept then:
 * - a wave differs from the share of a value by at most the value's largest
 *   group and one more member;
 * - a wave has more members than its size only when it has nothing but groups
 *   of two or more, and then by less than the largest group.
 * Groups that go first fill the first waves and those that go last the last;
 * shares are kept among each of the three kinds.
 */
#ifndef POLICY_WAVE_SPLIT_H
#define POLICY_WAVE_SPLIT_H

#include <stdint.h>

#include "relay/base/attr.h"
#include "relay/base/error.h"

enum { SPLIT_VALUES_MAX = 4096, SPLIT_CELLS_MAX = 4000000 };

/* One of a group that goes first makes the group go first, else one that goes
 * last makes it go last. */
enum split_rank { SPLIT_FIRST, SPLIT_MIDDLE, SPLIT_LAST, SPLIT_RANKS };

struct split;

struct split *split_new(void);
void split_free(struct split *s); /* NULL is fine */

/* Returns the number of the member, from 0. `id` says which it is (a hash of
 * its address); `value` is below split_how.values. */
uint32_t split_add(
    struct split *s, uint64_t id, enum split_rank rank, unsigned value);
void split_together(struct split *s, uint32_t member, uint64_t key);

struct split_how {
	uint64_t seed;
	const uint32_t *size; /* of each wave, in order */
	unsigned waves;	      /* their sizes have room for all members */
	unsigned values;      /* at least 1 */
};

/* Once. -1 and err->text: more than SPLIT_CELLS_MAX values in waves, or a group
 * that no wave has room for; *member_out is one of it then. */
int split_run(struct split *s, const struct split_how *how,
    uint32_t *member_out, struct error *err) PH_CHECK;
/* After that: the member's wave; a number that its group alone has, by which
 * groups move within the wave: those that go first in front, else in the order
 * in which their first members were added, so that a table that is filled in
 * that order grows at its end; the size of its group. */
unsigned split_wave(const struct split *s, uint32_t member);
uint64_t split_seat(const struct split *s, uint32_t member);
uint32_t split_group_size(const struct split *s, uint32_t member);

#endif
