/* SPDX-License-Identifier: ISC
 *
 * Reads which recipients a change concerns, as the hashes by which the queue
 * knows them. The table thread reads it in slices, so that the table's log is
 * followed meanwhile.
 */
#ifndef RELAY_CUTOVER_CHANGE_PEOPLE_H
#define RELAY_CUTOVER_CHANGE_PEOPLE_H

#include "relay/cutover/table_follow.h"
#include "relay/mail/addr.h"
#include "relay/queue/queue_people.h"

struct change_people {
	struct table_follow *follow;
	struct conf_snapshot *snapshot; /* how recipients are hashed */
	uint64_t change;
	/* Called once, on the table thread. */
	void (*done)(void *arg);
	void *arg;
	/* The answer; all, if the change has a domain's row or cannot be read.
	 * Of the caller, who begins and ends it. */
	struct queue_people people;
	char after[ADDR_MAX * 2]; /* the key that was read last */
};

/* `p` is the table thread's until `done`. Any thread. */
void change_people_read(struct change_people *p);

#endif
