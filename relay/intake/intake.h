/* SPDX-License-Identifier: ISC
 *
 * A mail comes in: the answers to what the server asks.
 */
#ifndef RELAY_INTAKE_INTAKE_H
#define RELAY_INTAKE_INTAKE_H

#include "relay/daemon/worker.h"

extern const struct server_ops intake_ops; /* arg: struct worker */

void intake_stored(struct worker *w, struct spool_draft_letter *l);
void intake_room(struct worker *w, struct spool_draft_letter *l);
/* What is on record of a message that came back. Takes `l`. */
struct lookup;
void intake_parent(struct worker *w, struct lookup *l);

/* What the server reports, for the audit trail. */
void intake_report(struct worker *w, const struct session *s,
    const struct server_report *r);

#endif
