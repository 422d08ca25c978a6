/* SPDX-License-Identifier: ISC
 *
 * One moment a mailbox says it all: each message moves it on by a step, and
 * it may be ahead of the clock by what a minute allows.
 */
#include "relay/cutover/replay/replay_pace.h"

#define HOUR_US INT64_C(3600000000)

void replay_pace_init(struct replay_pace *p, int mailbox_hour)
{
	int half = mailbox_hour / 2, burst = half / 60;

	*p = (struct replay_pace){.step_us = 0};
	map_init(&p->at);
	if (mailbox_hour <= 0)
		return;
	if (half < 1)
		half = 1;
	if (burst < 1)
		burst = 1;
	/* The burst is part of the hour. */
	p->step_us = HOUR_US / (half > burst ? half - burst : half);
	p->ahead_us = p->step_us * (burst - 1);
}

void replay_pace_fini(struct replay_pace *p)
{
	map_fini(&p->at);
}

static int64_t next_us(const struct replay_pace *p, uint64_t mailbox)
{
	return (int64_t)(uintptr_t)map_get(&p->at, mailbox);
}

bool replay_pace_may(const struct replay_pace *p, uint64_t mailbox,
    int64_t now_us)
{
	return p->step_us == 0 || next_us(p, mailbox) <= now_us + p->ahead_us;
}

void replay_pace_add(struct replay_pace *p, uint64_t mailbox, int64_t now_us)
{
	int64_t next = next_us(p, mailbox);

	if (p->step_us == 0)
		return;
	if (next < now_us)
		next = now_us;
	map_put(&p->at, mailbox, (void *)(uintptr_t)(next + p->step_us));
}
