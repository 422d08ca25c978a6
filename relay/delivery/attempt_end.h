/* SPDX-License-Identifier: ISC
 *
 * The end of an attempt.
 */
#ifndef RELAY_DELIVERY_ATTEMPT_END_H
#define RELAY_DELIVERY_ATTEMPT_END_H

#include "relay/delivery/attempt.h"

/* Makes the DSN when one is due, then reports. Takes both. */
void attempt_finish(struct attempt *at, struct outcome_letter *o);
/* The same at a stop: the notice that its head was being read for can wait,
 * one of success is not made. */
void attempt_untold(struct attempt *at);

#endif
