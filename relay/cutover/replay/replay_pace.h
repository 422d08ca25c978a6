/* SPDX-License-Identifier: ISC
 *
 * How fast a mailbox gets what is replayed: half of what its platform lets one
 * take in an hour, so that the other half is there for new mail. Pure; the
 * clock is the caller's.
 */
#ifndef RELAY_CUTOVER_REPLAY_REPLAY_PACE_H
#define RELAY_CUTOVER_REPLAY_REPLAY_PACE_H

#include "relay/base/map.h"

struct replay_pace {
	struct map at; /* of each mailbox: when the next would be in step, us */
	int64_t step_us, ahead_us; /* 0: no limit */
};

/* `mailbox_hour`: messages that a mailbox takes in an hour; 0: no limit. */
void replay_pace_init(struct replay_pace *p, int mailbox_hour);
void replay_pace_fini(struct replay_pace *p);
/* May one go to that mailbox (a hash, not 0) now? Monotonic, us. */
bool replay_pace_may(const struct replay_pace *p, uint64_t mailbox,
    int64_t now_us);
/* One goes, or went. */
void replay_pace_add(struct replay_pace *p, uint64_t mailbox, int64_t now_us);

#endif
