/* SPDX-License-Identifier: ISC
 *
 * Members whose mail a wave holds while each has a move of its own
 * (`wave start --hold`): held by a slice, then flipped, then released.
 */
#ifndef POLICY_WAVE_FILE_WAVE_HELD_H
#define POLICY_WAVE_FILE_WAVE_HELD_H

#include "policy/wave/file/wave_file.h"

/* Those in one of the two states, mailboxes together: members of one mailbox
 * have the same `seat`. The texts live until `fn` returns, which may write
 * nothing. */
struct wave_held {
	int64_t id; /* of the wave */
	enum member_state state; /* MEMBER_HELD, MEMBER_FLIPPED */
	void (*fn)(void *arg, const struct member *m, int64_t seat);
	void *arg;
};
int wave_held(struct wave_file *f, const struct wave_held *held,
    struct error *err) PH_CHECK;

/* Inside the transaction of the change that flips the held members that it
 * staged: they are MEMBER_FLIPPED; those that were held before are
 * MEMBER_DONE, and stay held. -1 also where (without `force`) another change
 * moved one since it was looked at. */
int wave_held_flipped(struct wave_file *f, const struct wave *w,
    uint64_t change, uint64_t *members_out, struct error *err) PH_CHECK;
/* Inside the transaction of the change that releases them: all that are
 * MEMBER_FLIPPED are MEMBER_DONE. */
int wave_held_released(struct wave_file *f, const struct wave *w,
    uint64_t *members_out, struct error *err) PH_CHECK;

#endif
