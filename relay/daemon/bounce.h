/* SPDX-License-Identifier: ISC
 *
 * When a sender is told, and the DSN as a draft of its own.
 */
#ifndef RELAY_DAEMON_BOUNCE_H
#define RELAY_DAEMON_BOUNCE_H

#include "relay/daemon/settle.h"
#include "relay/daemon/mail.h"
#include "relay/daemon/worker.h"

/* Does this failure of this recipient go to the sender (RFC 3461 4.1)? */
bool bounce_wanted(const struct envelope *e, unsigned rcpt);

/* Is there a failed row that the sender would have to be told of? */
bool bounce_due(const struct mail *m, const struct outcome_letter *o);

/* Prepares one DSN for all of those rows, puts it into o->dsn and
 * o->dsn_items and marks them told; marks those the sender does not want to
 * hear of silent. `header` is the head of the original message. False: it
 * cannot be made now (no space, the table cannot be read): try later. */
bool bounce_prepare(struct worker *w, const struct mail *m,
    struct slice header, struct outcome_letter *o);

#endif
