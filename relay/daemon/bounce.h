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

/* Prepares the DSN for the failed rows of `o` (result OUT_FAILED, wanted) and
 * puts it into o->dsn and o->dsn_items. False: none can be made now (no
 * space, the table cannot be read): the outcome is to be tried later. */
bool bounce_prepare(struct worker *w, struct mail *m,
    struct outcome_letter *o);

#endif
