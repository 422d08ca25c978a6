/* SPDX-License-Identifier: ISC
 *
 * Counts the clients that send in the names of our domains, for spf what-if.
 * A worker's loop.
 */
#ifndef RELAY_INTAKE_CLIENT_COUNT_H
#define RELAY_INTAKE_CLIENT_COUNT_H

#include "relay/post/mail.h"
#include "relay/post/worker.h"

/* Of a message that was stored. Clients that SPF does not judge (a leg, an
 * outbound client) are not counted. */
void client_count(struct worker *w, const struct mail *m);

#endif
