/* SPDX-License-Identifier: ISC
 *
 * A copy must cause no DSN (D3). Where a leg cannot be told so, or is not
 * believed to listen, the copy's sender is a return address of ours, and
 * relay/intake/copy_bounce.c takes what is sent there. A worker's loop.
 */
#ifndef RELAY_DELIVERY_COPY_SENDER_H
#define RELAY_DELIVERY_COPY_SENDER_H

#include "relay/delivery/attempt.h"

/* Sets the sender of the attempt's request. */
void copy_sender_set(struct attempt *at);

#endif
