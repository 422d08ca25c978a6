/* SPDX-License-Identifier: ISC
 *
 * Shared by the stages of stages.c and transact.c. One worker's loop.
 */
#include "relay/client/client_int.h"

bool stages_offers(const struct dialog *d, unsigned ext)
{
	return (d->ehlo.ext & ext) == ext;
}

enum stage stages_senseless(struct dialog *d)
{
	result_fault(
	    d, CLASS_NETWORK, "4.5.0", "%d is no answer here", d->reply.code);
	return NEXT_LOST;
}

/* The offers of the leg are known now, and hold for all its hosts. The MX
 * hosts of a direct egress serve a domain each. */
enum stage stages_open(struct dialog *d)
{
	const struct client_config *c = &d->client->cfg;

	if (c->learned != NULL && !dialog_leg(d)->direct)
		c->learned(c->arg, d->leg, &d->ehlo);
	return NEXT_READY;
}

enum stage stages_refused(struct dialog *d, enum reply_class class)
{
	result_refused(d, class);
	return NEXT_LOST;
}
