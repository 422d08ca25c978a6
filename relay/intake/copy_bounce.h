/* SPDX-License-Identifier: ISC
 *
 * Bounces of copies. Where a leg cannot be told to send no DSN, the copy's
 * sender is a return address of ours (relay/delivery/copy_sender.c); what is
 * sent there is stored, attached to the copy's message in the audit trail, and
 * ends. A worker's loop.
 */
#ifndef RELAY_INTAKE_COPY_BOUNCE_H
#define RELAY_INTAKE_COPY_BOUNCE_H

#include "relay/intake/intake_int.h"

/* At RCPT. False: it is an ordinary recipient. True: *r is the answer. */
bool copy_bounce_rcpt(struct intake *in, const struct rcpt_to *t,
    struct reply *r);
/* When the content is there: what it says, into the envelope. */
void copy_bounce_read(struct intake *in);

#endif
