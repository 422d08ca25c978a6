/* SPDX-License-Identifier: ISC
 *
 * The start of an attempt's dialog.
 */
#ifndef RELAY_DELIVERY_ATTEMPT_START_H
#define RELAY_DELIVERY_ATTEMPT_START_H

#include "relay/delivery/attempt.h"

/* With a connection in sight: route, then talk. True: the attempt is on its
 * way or over, and in no list; false: there is no connection. */
bool attempt_start(struct attempt *at);

#endif
