/* SPDX-License-Identifier: ISC
 *
 * Copies and their bounces: a copy must cause no DSN (D3). Where a leg cannot
 * be told so, or is not believed to listen, the copy's sender is a return
 * address of ours; what is sent there is stored, attached to the copy's
 * message in the audit trail, and ends. A worker's loop.
 */
#ifndef RELAY_INTAKE_COPY_BOUNCE_H
#define RELAY_INTAKE_COPY_BOUNCE_H

#include "relay/delivery/attempt.h"
#include "relay/intake/intake_int.h"

/* The sender that the attempt's request says. */
void returns_sender(struct attempt *at);

/* At RCPT. False: it is an ordinary recipient. True: *r is the answer. */
bool returns_rcpt(struct intake *in, const struct rcpt_to *t,
    struct reply *r);
/* When the content is there: what it says, into the envelope. */
void returns_read(struct intake *in);

#endif
