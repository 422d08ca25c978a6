/* SPDX-License-Identifier: ISC
 *
 * The door: requests come in and are given an idle or a new connection;
 * finished ones are reported, all from one deferred call, so that `done` and
 * `idle` may send the next message without meeting a dialog half way through
 * its own. One worker's loop.
 */
#include "relay/base/assert.h"
#include "relay/base/mem.h"
#include "relay/client/client_int.h"

static void report_finished(struct client *c)
{
	while (!list_empty(&c->finished)) {
		struct client_request *r =
		    LIST_FIRST(&c->finished, struct client_request, node);

		PH_ASSERT(c->busy > 0);
		list_remove(&r->node);
		PH_ASSERT(c->busy > 0);
		c->busy--;
		r->done(r->arg, r);
	}
}

/* An idle connection that has no use here gives its slot to those that wait
 * for one. A connection is dear: one whose next message is on its way
 * stays. */
static void report_parked(struct client *c)
{
	while (!list_empty(&c->parked)) {
		struct dialog *d =
		    LIST_FIRST(&c->parked, struct dialog, parked);
		int leg = d->leg;
		bool more;

		list_remove(&d->parked);
		more = c->cfg.idle != NULL && c->cfg.idle(c->cfg.arg, leg);
		if (!more && d->stage == STAGE_IDLE &&
		    c->cfg.slots->wanted(c->cfg.slots_arg, leg))
			dialog_quit(d);
	}
}

static void free_dead(struct client *c)
{
	while (!list_empty(&c->dead)) {
		struct dialog *d = LIST_FIRST(&c->dead, struct dialog, node);

		list_remove(&d->node);
		dialog_free(d);
	}
}

static void on_report(void *arg)
{
	struct client *c = arg;

	report_finished(c);
	report_parked(c);
	free_dead(c);
}

struct client *client_new(const struct client_config *cfg)
{
	struct client *c = NEW(struct client);

	c->cfg = *cfg;
	list_init(&c->dialogs);
	list_init(&c->finished);
	list_init(&c->parked);
	list_init(&c->dead);
	list_init(&c->probes);
	defer_init(&c->report, on_report, c);
	pool_init(c, dialog_quit);
	return c;
}

void client_free(struct client *c)
{
	if (c == NULL)
		return;
	c->draining = true;
	probe_stop_all(c);
	while (!list_empty(&c->dialogs))
		dialog_abort(LIST_FIRST(&c->dialogs, struct dialog, node));
	report_finished(c);
	free_dead(c);
	defer_cancel(&c->report);
	pool_fini(c);
	mem_free(c);
}

/* An egress has connections by domain; one that is idle for another domain
 * is given up when there is no slot for this one. */
static struct dialog *new_connection(
    struct client *c, const struct client_request *r, bool have_slot)
{
	const struct client_slots *slots = c->cfg.slots;
	int leg = r->leg->id;

	if (!have_slot && !slots->take(c->cfg.slots_arg, leg)) {
		struct dialog *old = pool_oldest(c, leg);

		if (old == NULL)
			return NULL;
		dialog_abort(old);
		if (!slots->take(c->cfg.slots_arg, leg))
			return NULL;
	}
	return dialog_new(c, r);
}

bool client_send(struct client *c, struct client_request *r, bool have_slot)
{
	struct dialog *d;

	if (c->draining)
		return false;
	d = pool_take(c, r);
	if (d != NULL) {
		list_remove(&d->parked);
		if (have_slot)
			c->cfg.slots->give(c->cfg.slots_arg, r->leg->id);
	} else {
		d = new_connection(c, r, have_slot);
	}
	if (d == NULL)
		return false;
	list_node_init(&r->node);
	c->busy++;
	dialog_send(d, r);
	return true;
}

bool client_has_idle(const struct client *c, int leg)
{
	return !list_empty(&c->pool.idle[leg]);
}

unsigned client_connections(const struct client *c, int leg)
{
	return c->connections[leg];
}

uint64_t client_eightbit(const struct client *c, int leg)
{
	return atomic_load(&c->eightbit[leg]);
}

void client_yield(struct client *c, int leg, unsigned n)
{
	struct dialog *d;

	while (n-- > 0 && (d = pool_oldest(c, leg)) != NULL)
		dialog_quit(d);
}

void client_drain(struct client *c)
{
	c->draining = true;
	pool_close_all(c);
}

unsigned client_busy(const struct client *c)
{
	return c->busy;
}

void client_reload(struct client *c)
{
	c->generation++;
	pool_close_all(c);
}
