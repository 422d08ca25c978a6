/* SPDX-License-Identifier: ISC
 *
 * A mail comes in: the answers to what the server asks.
 */
#ifndef RELAY_INTAKE_INTAKE_H
#define RELAY_INTAKE_INTAKE_H

#include "relay/post/worker.h"
#include "relay/server/server.h"

struct leg_offers;
struct loophints;
struct lookup;
struct oldtls;
struct refusals;
struct tokens;

/* Handles that a worker's transactions share; any thread may use them. */
struct intake_config {
	struct stream_scratch *scratch; /* the worker's server's */
	struct loophints *hints;  /* what may be going round      */
	struct leg_offers *offers; /* what the legs offer         */
	struct oldtls *oldtls;
	struct tokens *tokens;
};

/* Sets w->intake; before the server. */
void intake_open(struct worker *w, const struct intake_config *c);
/* After the server: what is kept of refusals is written. Closed is fine. */
void intake_close(struct worker *w);

extern const struct server_ops intake_ops; /* arg: struct worker */

void intake_stored(struct worker *w, struct spool_draft_letter *l);
void intake_room(struct spool_draft_letter *l);
/* Takes the record of an earlier message that came back. Takes `l`. */
void intake_parent(struct lookup *l);

/* Takes a report of the server, for the audit trail. */
void intake_report(struct worker *w, const struct session *s,
    const struct server_report *r);

#endif
