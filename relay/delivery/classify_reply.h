/* SPDX-License-Identifier: ISC
 *
 * Classifies a leg's reply: which reply class it is, and whether the delivery
 * ends.
 */
#ifndef RELAY_DELIVERY_CLASSIFY_REPLY_H
#define RELAY_DELIVERY_CLASSIFY_REPLY_H

#include "relay/delivery/attempt.h"

/* Of row `i`: sets class and outcome of its result, and what the letter says
 * of the leg. */
void classify_result(const struct attempt *at, struct outcome_letter *o,
    unsigned i);

/* When all rows are judged: what the attempt says of the leg. */
void classify_attempt(const struct attempt *at, struct outcome_letter *o);

#endif
