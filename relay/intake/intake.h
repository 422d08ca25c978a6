/* SPDX-License-Identifier: ISC
 *
 * A mail comes in: the answers to what the server asks.
 */
#ifndef RELAY_INTAKE_INTAKE_H
#define RELAY_INTAKE_INTAKE_H

#include "relay/intake/intake_config.h"
#include "relay/post/worker.h"
#include "relay/server/server.h"

struct lookup;

/* Sets w->intake; before the server. */
void intake_open(struct worker *w, const struct intake_config *c);
/* After the server: what is kept of refusals is written. Closed is fine. */
void intake_close(struct worker *w);

extern const struct server_ops intake_ops; /* arg: struct worker */

void intake_stored(struct worker *w, struct spool_draft_letter *l);
void intake_room(struct spool_draft_letter *l);
void intake_login_done(struct worker *w, struct letter *l); /* takes it */
/* The record of an earlier message, by intake_look_up(). Takes `l`. */
void intake_found(struct lookup *l);


#endif
