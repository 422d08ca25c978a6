/* SPDX-License-Identifier: ISC
 *
 * Decides when a sender is told, and of what: that its mail failed, that it is
 * late, that it went where no more notices come from.
 */
#ifndef RELAY_DELIVERY_BOUNCE_H
#define RELAY_DELIVERY_BOUNCE_H

#include "relay/post/mail.h"
#include "relay/post/queue_letters.h"
#include "relay/post/worker.h"

/* Does this recipient's sender want to hear of this (RFC 3461 4.1)? */
bool bounce_wanted(const struct envelope *e, unsigned rcpt, enum told what);

/* Marks rows silent whose sender is not to hear of them, and gives the others
 * a notice: o->notice is made, its drafts are not. Whether there is one. For
 * the primary's rows only (D3). */
bool bounce_due(const struct conf *c, const struct mail *m,
    struct outcome_letter *o);

/* Prepares those notices. `head` is the original, or 64 KiB of it. Those that
 * cannot be made now (no space, the table cannot be read) are forgotten: what
 * failed is then deferred, what was delivered stays delivered, what waits is
 * asked for again. */
void bounce_prepare(struct worker *w, const struct mail *m,
    struct slice head, struct outcome_letter *o);
/* None of them is made. */
void bounce_forget(struct outcome_letter *o);

#endif
