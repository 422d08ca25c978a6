/* SPDX-License-Identifier: ISC
 *
 * What the stages of stages.c and transact.c share. One worker's loop.
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

/* What the leg offers is known, and stands for every host of it. The MX of a
 * direct egress speak each for another domain. */
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
