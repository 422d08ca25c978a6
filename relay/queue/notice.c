/* SPDX-License-Identifier: ISC
 *
 * Finds mail that waits for so long that its sender is to be told (dsn.delay),
 * by a walk over all messages, a slice a second, and hands it out once. The
 * cause of the wait makes no difference to a sender, be it a suspended leg;
 * but mail that an administrator holds or froze is left out. It goes on
 * waiting where it is: the notice counts as no attempt.
 */
#include "relay/queue/queue_int.h"

enum {
	SLICE = 2000,	/* messages looked at */
	NOTICES = 200,	/* … of which so many are handed out */
};
#define SLICE_US INT64_C(1000000)

/* A recipient that was told of the end of a lifetime, and is tried again by
 * an administrator, has had the last word already. */
static bool is_late(const struct queue *q, const struct delivery *d)
{
	int64_t late = d->created_us + q->conf->dsn.delay_ms * 1000;

	return d->role == ROLE_PRIMARY && waits_for_time(d) &&
	       d->place != PLACE_CLAIMED && q->now_us >= late &&
	       (d->flags & (DF_DELAY_SENT | DF_DSN_SENT)) == 0 &&
	       !retry_expired(q, d);
}

/* One notice tells of all that are late. Returns how many jobs: 0 or 1. */
static unsigned hand_out(struct queue *q, const struct message *m)
{
	struct queue_job job = {.id = m->id, .role = ROLE_PRIMARY,
	    .late = true, .change = q->applied};

	for (uint32_t n = m->first; n != 0; n = delivery_at(q, n)->sibling) {
		const struct delivery *d = delivery_at(q, n);

		if (!is_late(q, d))
			continue;
		if (job.n == 0)
			job.leg = (int)d->leg;
		job_add(q, job.n++, d->number);
		place_claim(q, n);
	}
	job.number = q->job;
	if (job.n != 0)
		q->config.ops->start(q->config.arg, -1, &job);
	return job.n != 0;
}

void notice_sweep(struct queue *q)
{
	unsigned notices = 0;
	uint32_t msg = 0;

	if (q->conf->dsn.delay_ms == 0 || q->now_us < q->late_us)
		return;
	q->late_us = q->now_us + SLICE_US;
	for (int i = 0; i < SLICE && notices < NOTICES; i++) {
		msg = id_tree_after(q, q->late_id);
		if (msg == 0) {
			q->late_id = 0;
			return;
		}
		q->late_id = message_at(q, msg)->id;
		if (message_at(q, msg)->resolve == RESOLVE_NONE)
			notices += hand_out(q, message_at(q, msg));
	}
}

int64_t queue_gives_up_us(struct queue *q, uint64_t id, uint32_t number)
{
	uint32_t msg = id_tree_find(q, id), n;
	int64_t end;

	queue_tick(q);
	n = msg == 0 ? 0 : message_at(q, msg)->first;
	while (n != 0 && delivery_at(q, n)->number != number)
		n = delivery_at(q, n)->sibling;
	end = n == 0 ? INT64_MAX : retry_end_us(q, delivery_at(q, n));
	return end == INT64_MAX ? 0 : end + q->wall_us;
}
