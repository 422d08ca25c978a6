/* SPDX-License-Identifier: ISC
 *
 * Counts how delivered mail fares when the leg asks for DMARC (RFC 9989): by
 * SPF of the sender that the leg was told, over the address that the leg
 * judges, and by the signatures of the message. The result is shown by
 * spf forecast. In the background: no mail waits for it. A worker's loop.
 */
#ifndef RELAY_DELIVERY_FORECAST_H
#define RELAY_DELIVERY_FORECAST_H

#include "relay/egress/egress_judge.h"
#include "relay/post/worker.h"

/* At once; what comes beyond them is counted as unclear. */
enum { FORECASTS_MAX = 256 };

struct forecast; /* a worker's */

/* Borrows both. */
struct forecast *forecast_new(struct worker *w, struct egress_judge *judge);
/* Those under way are counted as unclear. NULL is fine. */
void forecast_free(struct forecast *f);

/* All of it is borrowed for the call. */
struct forecast_subject {
	const struct conf *conf; /* counted (conf_ref()) */
	const struct conf_leg *leg; /* of the table */
	const struct envelope *envelope;
	const char *told; /* the sender that it was told; "": the null one */
};
/* Counts that message for that leg, now or later. Nothing is counted of one
 * whose SPF is fail, nor with spf.check = false. */
void forecast_count(struct forecast *f, const struct forecast_subject *s);

#endif
