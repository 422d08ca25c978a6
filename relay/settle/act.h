/* SPDX-License-Identifier: ISC
 *
 * The decisions of administrators about deliveries. Queue thread.
 */
#ifndef RELAY_SETTLE_ACT_H
#define RELAY_SETTLE_ACT_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/slice.h"

struct queue_thread;

/* An administrator's decision about one delivery. */
enum act { ACT_RETRY, ACT_FREEZE, ACT_THAW, ACT_PARK, ACT_BOUNCE, ACT_DELETE };
struct act_request {
	enum act what;
	const char *who, *reason;
	/* Called once on the queue's thread, maybe at once, when it is on
	 * disk or could not be written, and act_apply() took it. */
	void (*done)(void *arg, bool ok);
	void *arg;
};
int act_parse(struct slice name); /* enum act, or -1 */
/* Queue thread. NULL: taken; else why that delivery cannot take it in its
 * state, in words for people, and `done` is not called. */
const char *act_apply(struct queue_thread *s, const struct act_request *act,
    uint64_t id, uint32_t number);

#endif
