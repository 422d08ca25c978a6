/* SPDX-License-Identifier: ISC
 *
 * Shared by the stages of stages.c and transact.c. One worker's loop.
 */
#include "relay/client/client_int.h"

bool stages_offers(const struct dialog *d, unsigned ext)
{
	return (d->ehlo.ext & ext) == ext;
}

bool stages_introduces(const struct dialog *d)
{
	return dialog_leg(d)->xclient && stages_offers(d, EXT_XCLIENT) &&
	       (d->ehlo.xclient & XCLIENT_ADDR) != 0 && !d->introduced &&
	       (!d->tx->req->ask || d->stands_in);
}

bool stages_stale(const struct dialog *d)
{
	return d->stands_in && !d->introduced && !stages_introduces(d);
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

	if (stages_introduces(d))
		return STAGE_XCLIENT;
	if (c->learned != NULL && !dialog_leg(d)->direct)
		c->learned(c->arg, d->leg, &d->ehlo);
	return NEXT_READY;
}

enum stage stages_refused(struct dialog *d, enum reply_class class)
{
	result_refused(d, class);
	return NEXT_LOST;
}
