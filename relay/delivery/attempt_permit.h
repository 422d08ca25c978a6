/* SPDX-License-Identifier: ISC
 *
 * The permit that an attempt by a direct egress needs (relay/queue/permits.h).
 * A worker's loop.
 */
#ifndef RELAY_DELIVERY_ATTEMPT_PERMIT_H
#define RELAY_DELIVERY_ATTEMPT_PERMIT_H

#include "relay/delivery/attempt.h"

/* The domains of its recipients, which the queue learns when it gets them
 * back. Nothing for other legs. */
void attempt_know_domains(struct attempt *at);
/* It has one, or needs none. False: it is not to be had now. */
bool attempt_permit(struct attempt *at);
/* The end of the permit by the results of an attempt. */
enum permit_end attempt_permit_met(const struct outcome_letter *o);

#endif
