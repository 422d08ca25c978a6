/* SPDX-License-Identifier: ISC
 *
 * The sender that a leg of the table is told (rewrite_sender, doc/spf.md): the
 * sender's domain is asked about the addresses that the leg sees, at each
 * attempt, before it takes a connection. A worker's loop.
 */
#ifndef RELAY_DELIVERY_ATTEMPT_SENDER_H
#define RELAY_DELIVERY_ATTEMPT_SENDER_H

#include "relay/delivery/attempt_egress.h"

/* For each attempt whose way is known; most go at once. `go_on` is called
 * where it says EGRESS_LATER. */
enum egress_step attempt_sender(struct attempt *at,
    void (*go_on)(struct attempt *at));
/* Says in the audit trail that the sender is another one, once the dialog is
 * begun. */
void attempt_sender_note(const struct attempt *at);
/* Sets the sender of the attempt's request. */
void attempt_sender_set(struct attempt *at);

#endif
