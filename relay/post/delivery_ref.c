/* SPDX-License-Identifier: ISC
 *
 * The two forms of a delivery outside of the queue, side by side: a field that
 * one of them gains is missed here first.
 */
#include "relay/post/delivery_ref.h"

#include "relay/queue/queue.h"

struct delivery_ref delivery_ref_read(const struct spool_delivery *d,
    uint32_t number)
{
	return (struct delivery_ref){.number = number, .rcpt = d->rcpt,
	    .leg = d->leg, .role = d->role, .state = d->state,
	    .uncertain = d->uncertain, .reason = d->reason,
	    .flags = d->flags, .attempts = d->attempts,
	    .hash = d->hash != 0 ? d->hash : QUEUE_ANYBODY,
	    .change = d->change, .created_us = d->created_us,
	    .due_us = d->due_us};
}

struct spool_delivery delivery_ref_written(const struct delivery_ref *r)
{
	return (struct spool_delivery){.rcpt = r->rcpt, .leg = r->leg,
	    .role = r->role, .state = r->state, .uncertain = r->uncertain,
	    .reason = r->reason, .flags = r->flags, .attempts = r->attempts,
	    .created_us = r->created_us, .due_us = r->due_us,
	    .change = r->change,
	    .hash = r->hash != QUEUE_ANYBODY ? r->hash : 0};
}
