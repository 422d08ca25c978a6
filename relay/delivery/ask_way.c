/* SPDX-License-Identifier: ISC
 *
 * The way of a question to its leg: a slot, the client, and what the leg's
 * answer says at first sight; for a session's question its share of the
 * connections, too. A worker's loop.
 */
#include "relay/base/assert.h"
#include "relay/delivery/ask_int.h"
#include "relay/delivery/outgoing.h"

/* ---- any question ---- */

void ask_way_init(struct ask_way *y, struct worker *w, int leg)
{
	y->w = w;
	y->leg = leg;
	y->snapshot = snapshot_ref(w->snapshot);
	y->arena = arena_new();
}

void ask_way_fini(struct ask_way *y)
{
	snapshot_unref(y->snapshot);
	arena_free(y->arena);
}

void ask_way_fill(struct ask_way *y, const char *from, const char *to,
    bool utf8)
{
	struct client_request *r = &y->req;

	y->rcpt = (struct client_rcpt){.address = to, .orcpt = ""};
	r->conf = y->snapshot->conf;
	r->leg = conf_leg_by_id(r->conf, y->leg);
	r->from = from;
	r->envid = "";
	r->ask = true;
	r->utf8 = utf8;
	r->rcpt = &y->rcpt;
	r->rcpts = 1;
	r->arena = y->arena;
}

bool ask_way_put(struct ask_way *y, bool (*take)(struct ledger *l, int leg))
{
	struct ledger *l = y->w->shared->ledger;
	bool slot = false;

	PH_ASSERT(y->req.done != NULL);
	if (y->req.leg == NULL)
		return false;
	if (y->req.apart || !client_has_idle(y->w->client, y->leg)) {
		slot = take(l, y->leg);
		if (!slot)
			return false;
	}
	if (!client_send(y->w->client, &y->req, slot)) {
		if (slot)
			ledger_give(l, y->leg);
		return false;
	}
	y->w->asking++;
	dialogs_count(y->w);
	return true;
}

void ask_way_over(struct ask_way *y)
{
	PH_ASSERT(y->w->asking > 0);
	y->w->asking--;
	dialogs_count(y->w);
}

const struct conf_reply *ask_way_classify(struct ask_way *y)
{
	return reply_classify(y->req.leg->replies, &y->rcpt.result);
}

bool ask_way_came_to_rcpt(const struct ask_way *y)
{
	return y->rcpt.result.stage == STAGE_RCPT && y->rcpt.result.code != 0;
}

bool ask_way_spare(struct ledger *l, int leg)
{
	int limit = ledger_limit(l, leg);

	return ledger_used(l, leg) < limit - limit / 4 &&
	       !ledger_wanted(l, leg) && ledger_take_spare(l, leg);
}

/* ---- a session's ---- */

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

bool ask_start(struct question *q)
{
	if (!take_share(q))
		return false;
	if (!ask_way_put(&q->way, ask_way_spare)) {
		ask_give_share(q);
		return false;
	}
	list_remove(&q->node);
	list_push_back(&q->asker->sent, &q->node);
	return true;
}
