/* SPDX-License-Identifier: ISC
 *
 * Lists what dialogs leave for their client to report later: requests that are
 * answered, connections that are idle, dialogs that are over. One worker's
 * loop.
 */
#include "relay/base/assert.h"
#include "relay/client/client_int.h"

static void report_later(struct client *c)
{
	loop_defer(c->cfg.loop, &c->report);
}

void client_finished(struct client *c, struct client_request *r)
{
	PH_ASSERT(c->busy > 0);
	list_push_back(&c->finished, &r->node);
	report_later(c);
}

void client_parked(struct client *c, struct dialog *d)
{
	list_push_back(&c->parked, &d->parked);
	report_later(c);
}

void client_dead(struct client *c, struct dialog *d)
{
	PH_ASSERT(!d->over && d->tx == NULL && d->stream == NULL);
	PH_ASSERT(c->connections[d->leg] > 0);
	d->over = true;
	list_remove(&d->node);
	list_push_back(&c->dead, &d->node);
	c->connections[d->leg]--;
	c->cfg.slots->give(c->cfg.slots_arg, d->leg);
	report_later(c);
}
