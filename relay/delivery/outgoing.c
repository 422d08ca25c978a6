/* SPDX-License-Identifier: ISC
 *
 * A worker's outgoing side: what attempts wait in, and the slots that its
 * client takes for connections. A worker's loop.
 */
#include "relay/delivery/outgoing.h"

#include "relay/base/mem.h"
#include "relay/client/client.h"
#include "relay/delivery/forecast.h"
#include "relay/egress/egress_judge.h"

struct outgoing *outgoing_new(struct worker *w,
    void (*handover)(void *arg))
{
	struct outgoing *o = NEW(struct outgoing);

	for (int leg = 0; leg < NAMES_MAX; leg++)
		list_init(&o->waiting[leg]);
	list_init(&o->judging);
	list_init(&o->resolving);
	list_init(&o->reading);
	timer_init(&o->handover, w->loop, handover, w);
	o->egress = egress_judge_new(w->loop, w->dns, w->spf);
	o->forecast = forecast_new(w, o->egress);
	return o;
}

void outgoing_free(struct outgoing *o)
{
	if (o == NULL)
		return;
	forecast_free(o->forecast);
	egress_judge_free(o->egress);
	timer_fini(&o->handover);
	mem_free(o);
}

void job_free(struct worker_job *j)
{
	mem_free((char *)j->who);
	mem_free((char *)j->reason);
	mem_free(j);
}

void dialogs_count(struct worker *w)
{
	atomic_store(&w->dialogs, (int)(client_busy(w->client) - w->asking));
}

static bool slots_take(void *arg, int leg)
{
	struct worker *w = arg;

	return ledger_take(w->shared->ledger, leg);
}

static void slots_give(void *arg, int leg)
{
	struct worker *w = arg;

	ledger_give(w->shared->ledger, leg);
}

static bool slots_wanted(void *arg, int leg)
{
	struct worker *w = arg;

	return ledger_wanted(w->shared->ledger, leg) ||
	       ledger_over(w->shared->ledger, leg);
}

const struct client_slots outgoing_slots = {
	slots_take, slots_give, slots_wanted};
