/* SPDX-License-Identifier: ISC
 *
 * The way of a question to its leg: its share of the connections, a slot, the
 * client. A worker's loop.
 */
#include "relay/delivery/ask_int.h"
#include "relay/delivery/outgoing.h"

/* Deliveries keep the last quarter of a leg's slots. */
static bool take_slot(struct asker *a, int leg)
{
	struct ledger *l = a->w->shared->ledger;
	int limit = ledger_limit(l, leg);

	return ledger_used(l, leg) < limit - limit / 4 &&
	       !ledger_wanted(l, leg) && ledger_take_spare(l, leg);
}

/* One client gets half of the connections that questions may use: a leg that
 * lets its questions wait answers those of the others. */
static bool take_share(struct question *q)
{
	struct asker *a = q->asker;
	int limit = ledger_limit(a->w->shared->ledger, q->key.leg);
	int share = (limit - limit / 4) / 2;

	q->held_share = q->of_domain ||
			ask_cache_take(a->cache, q->key.leg, q->client,
			    share > 0 ? (unsigned)share : 1);
	return q->held_share;
}

void ask_give_share(struct question *q)
{
	if (q->held_share && !q->of_domain)
		ask_cache_give(q->asker->cache, q->key.leg, q->client);
	q->held_share = false;
}

static bool put(struct question *q)
{
	struct asker *a = q->asker;
	bool slot = false;

	if (!client_has_idle(a->w->client, q->key.leg)) {
		slot = take_slot(a, q->key.leg);
		if (!slot)
			return false;
	}
	if (client_send(a->w->client, &q->req, slot))
		return true;
	if (slot)
		ledger_give(a->w->shared->ledger, q->key.leg);
	return false;
}

bool ask_start(struct question *q)
{
	struct asker *a = q->asker;

	if (!take_share(q))
		return false;
	if (!put(q)) {
		ask_give_share(q);
		return false;
	}
	list_remove(&q->node);
	list_push_back(&a->sent, &q->node);
	a->w->asking++;
	dialogs_count(a->w);
	return true;
}
