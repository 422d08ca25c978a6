/* SPDX-License-Identifier: ISC
 *
 * Control commands: status and leg list. The ops loop; what the queue knows
 * is asked on its thread.
 */
#include "relay/control/control_int.h"

#include <stdio.h>

#include "conf/profile.h"
#include "relay/base/mem.h"
#include "relay/delivery/ask_cache.h"
#include "relay/settle/leg_health.h"
#include "relay/post/worker.h"
#include "relay/client/client.h"
#include "relay/net/listen.h"
#include "relay/post/workers.h"

enum {
	STATUS_TRIES = 100,
	WALK_SLICE = 20000, /* deliveries looked at in one go, some ms */
	WALK_SLICES = 250,
};

/* The journal's totals and the queue's count, each of one moment. What is on
 * its way between the two makes them differ, so neither is held against the
 * other: it is waited for until each knows of all moves that the other knew of
 * then. A move that never comes is the gap. */
struct status {
	struct control *c;
	struct ctl_request *r;
	struct spool_stats spool;
	struct queue_counts queue;
	struct live_flow queued[NAMES_MAX]; /* the queue's, of that moment */
	uint64_t behind[NAMES_MAX]; /* moves that one of them does not know */
	enum breaker breaker[NAMES_MAX];
	int64_t since_us[NAMES_MAX]; /* suspended or down; 0: neither */
	uint64_t oldest[NAMES_MAX];  /* the message that waits longest */
	struct queue_at at;	     /* of the walk for it */
	int slices;
	struct leg_view view[NAMES_MAX];
	int tries;
	bool legs_only;
	struct timer again;
};

static uint64_t open_of(const struct queue_counts *q, int leg)
{
	uint64_t n = 0;

	for (int s = 0; s < D_STATES; s++)
		if (dstate_open(s))
			n += q->leg[leg].state[s];
	return n;
}

static int64_t gap_of(const struct status *st, int leg)
{
	const uint64_t *t = st->spool.leg[leg].total;

	return (int64_t)(t[T_CREATED] - t[T_DELIVERED] - t[T_OPEN] -
			 t[T_PARKED] - t[T_BOUNCED] - t[T_SUPERSEDED] -
			 t[T_DELETED]) +
	       (int64_t)st->behind[leg];
}

/* Moves since the start that `then` has and `now` has not. */
static uint64_t lacks(const struct live_flow *now,
    const struct live_flow *now0, const struct live_flow *then,
    const struct live_flow *then0)
{
	uint64_t entered = then->entered - then0->entered;
	uint64_t left = then->left - then0->left;
	uint64_t have_entered = now->entered - now0->entered;
	uint64_t have_left = now->left - now0->left;

	return (entered > have_entered ? entered - have_entered : 0) +
	       (left > have_left ? left - have_left : 0);
}

static void on_status_back(void *arg);

/* How far the journal and the queue are by now. */
static void status_follow(void *arg)
{
	struct status *st = arg;
	const struct control *c = st->c;
	const struct control_config *cfg = &c->cfg;
	const struct live_flow *queue =
	    queue_flow(queue_thread_queue(cfg->queue_thread));
	struct spool_stats *now = NEW(struct spool_stats);

	spool_stats(cfg->shared->spool, now);
	for (int i = 0; i < NAMES_MAX; i++)
		st->behind[i] = lacks(&queue[i], &c->flow0[i].queue,
				    &st->spool.leg[i].flow,
				    &c->flow0[i].journal) +
				lacks(&now->leg[i].flow,
				    &c->flow0[i].journal, &st->queued[i],
				    &c->flow0[i].queue);
	mem_free(now);
	control_come_back(st->c, on_status_back, st);
}

static void status_look(void *arg)
{
	struct status *st = arg;
	const struct control_config *cfg = &st->c->cfg;
	struct queue *q = queue_thread_queue(cfg->queue_thread);

	spool_stats(cfg->shared->spool, &st->spool);
	queue_count(q, &st->queue);
	memcpy(st->queued, queue_flow(q), sizeof(st->queued));
	for (int i = 0; i < names_count(cfg->shared->names); i++) {
		st->breaker[i] = queue_leg_breaker(q, i);
		st->since_us[i] = queue_leg_down_since(q, i);
		st->view[i] = leg_look(cfg->queue_thread, i);
	}
	status_follow(st);
}

void control_flow_begin(struct control *c)
{
	const struct live_flow *queue =
	    queue_flow(queue_thread_queue(c->cfg.queue_thread));
	struct spool_stats *now = NEW(struct spool_stats);

	spool_stats(c->cfg.shared->spool, now);
	for (int i = 0; i < NAMES_MAX; i++) {
		c->flow0[i].queue = queue[i];
		c->flow0[i].journal = now->leg[i].flow;
	}
	mem_free(now);
}

/* Of the configuration; others are shown for the mail that they had. */
static bool leg_configured(const struct status *st, int leg)
{
	return conf_leg_by_id(st->c->snapshot->conf, leg) != NULL;
}

static bool is_egress(const struct status *st, int leg)
{
	const struct conf_leg *l = conf_leg_by_id(st->c->snapshot->conf, leg);

	return l != NULL && l->egress;
}

static const char *leg_state(const struct status *st, int leg)
{
	unsigned gates = ledger_gates(st->c->cfg.shared->ledger, leg);

	if (!leg_configured(st, leg))
		return "absent";
	if (gates & GATE_SUSPENDED)
		return "suspended";
	if (st->breaker[leg] == BREAKER_OPEN)
		return "down";
	return st->breaker[leg] == BREAKER_HALF_OPEN ? "probing" : "up";
}

/* Says what is unusual about a leg that is not suspended. */
static void leg_remark(const struct status *st, int leg, struct strbuf *out)
{
	const struct control_config *cfg = &st->c->cfg;
	struct ledger *ledger = cfg->shared->ledger;
	int limit = ledger_limit(ledger, leg);
	int configured = ledger_configured(ledger, leg);

	if (st->breaker[leg] != BREAKER_CLOSED)
		strbuf_adds(out, st->view[leg].down);
	else if (ledger_gates(ledger, leg) & GATE_DOUBT)
		strbuf_adds(out, "refuses for its set-up, message after "
				 "message: one goes at a time");
	else if (limit < configured)
		strbuf_addf(out, "asked for less: gets %d of %d connections",
		    limit, configured);
	else if (ask_cache_everybody(cfg->asked, leg))
		strbuf_adds(out, "takes everybody: unknown recipients are "
				 "not found out by asking it");
}

static void leg_reason(struct status *st, int leg, struct strbuf *out)
{
	char key[NAME_BYTES + 8];
	const char *name = names_text(st->c->cfg.shared->names, leg);

	if (!leg_configured(st, leg)) {
		strbuf_adds(out, strcmp(name, "none") == 0 ?
		    "what goes to no leg: notices without a way, returned "
		    "mail" : "the configuration has no such leg");
		return;
	}
	snprintf(key, sizeof(key), "leg.%s", name);
	if (!spool_fact(st->c->cfg.shared->spool, key, out))
		strbuf_reset(out);
	if (out->n == 0)
		leg_remark(st, leg, out);
}

/* The profile that classifies its replies, and its date. */
static void row_profile(const struct status *st, int leg, struct jout *j)
{
	const struct conf_leg *c = conf_leg_by_id(st->c->snapshot->conf, leg);

	if (c == NULL)
		return;
	jout_str(j, "profile", c->replies->name);
	jout_str(j, "profile_date", c->replies->date);
}

/* Since the start: what a leg that offers no 8BITMIME got all the same. */
static int64_t eightbit_of(const struct control *c, int leg)
{
	uint64_t n = 0;

	for (int i = 0; i < c->cfg.shared->workers->n; i++)
		n += client_eightbit(c->cfg.worker[i]->client, leg);
	return (int64_t)n;
}

/* How long it has been as it is; how long the oldest waits. */
static void row_since(const struct status *st, int leg, struct jout *j)
{
	int64_t now_ms = clock_wall_us(st->c->cfg.shared->clock) / 1000;

	if (st->since_us[leg] != 0)
		jout_time(j, "since", st->since_us[leg]);
	else
		jout_str(j, "since", NULL);
	if (st->oldest[leg] != 0)
		jout_int(j, "oldest_s",
		    (now_ms - id_wall_ms(st->oldest[leg])) / 1000);
	else
		jout_str(j, "oldest_s", NULL);
}

/* Open deliveries are held, under way, or wait for their time or the leg. */
static void row_open(const struct status *st, int leg, struct jout *j)
{
	uint64_t held = st->queue.leg[leg].state[D_HELD];
	uint64_t in_flight = st->queue.leg[leg].claimed;
	uint64_t open = open_of(&st->queue, leg);

	jout_int(j, "held", (int64_t)held);
	jout_int(j, "in_flight", (int64_t)in_flight);
	jout_int(j, "waiting", open > held + in_flight
				   ? (int64_t)(open - held - in_flight) : 0);
}

static void row_leg(struct status *st, int leg)
{
	struct jout *j = ctl_row(st->r);
	const struct control_config *cfg = &st->c->cfg;
	struct ledger *ledger = cfg->shared->ledger;
	struct strbuf reason;

	strbuf_init(&reason, 1024);
	leg_reason(st, leg, &reason);
	if (!st->legs_only)
		jout_str(j, "section", "leg");
	jout_str(j, "leg", names_text(cfg->shared->names, leg));
	jout_bool(j, "egress", is_egress(st, leg));
	jout_str(j, "state", leg_state(st, leg));
	jout_slice(j, "reason", leg_fact_reason(strbuf_view(&reason)));
	jout_bool(j, "everybody", ask_cache_everybody(cfg->asked, leg));
	row_since(st, leg, j);
	row_profile(st, leg, j);
	jout_int(j, "concurrency", ledger_used(ledger, leg));
	jout_int(j, "limit", ledger_limit(ledger, leg));
	jout_int(j, "configured", ledger_configured(ledger, leg));
	jout_int(j, "authentication", (int64_t)st->view[leg].disbelieved);
	jout_bool(j, "by_fault", st->view[leg].by_fault);
	jout_int(j, "eightbit_sent", eightbit_of(st->c, leg));
	for (int t = 0; t < TOTALS; t++)
		jout_int(j, total_text(t),
		    (int64_t)st->spool.leg[leg].total[t]);
	jout_int(j, "gap", gap_of(st, leg));
	row_open(st, leg, j);
	ctl_row_end(st->r);
	strbuf_fini(&reason);
}

/* Legs of the configuration, and others that ever had a delivery. */
static bool leg_shown(const struct status *st, int leg)
{
	return leg_configured(st, leg) ||
	       st->spool.leg[leg].total[T_CREATED] != 0;
}

static void on_look_again(void *arg)
{
	struct status *st = arg;

	control_ask_queue(st->c, status_follow, st);
}

/* Mail to the outside, of all egresses; each has a row among the legs. */
static void row_outbound(struct status *st)
{
	const struct conf *c = st->c->snapshot->conf;
	struct strbuf use;
	struct jout *j;
	uint64_t total[TOTALS] = {0};

	strbuf_init(&use, 4096);
	for (int i = 0; i < c->outbound.ways; i++)
		strbuf_addf(&use, "%s%s", i == 0 ? "" : " ",
		    c->leg[c->outbound.way[i]].name);
	for (int i = 0; i < names_count(st->c->cfg.shared->names); i++)
		for (int t = 0; t < TOTALS && is_egress(st, i); t++)
			total[t] += st->spool.leg[i].total[t];
	j = ctl_row(st->r);
	jout_str(j, "section", "outbound");
	jout_slice(j, "use", strbuf_view(&use));
	jout_int(j, "delivered", (int64_t)total[T_DELIVERED]);
	jout_int(j, "open", (int64_t)total[T_OPEN]);
	jout_int(j, "parked", (int64_t)total[T_PARKED]);
	jout_int(j, "bounced", (int64_t)total[T_BOUNCED]);
	ctl_row_end(st->r);
	strbuf_fini(&use);
}

static void print_rows(struct status *st)
{
	if (!st->legs_only) {
		control_rows_node(st->c, st->r, &st->spool, &st->queue);
		if (st->c->snapshot->conf->outbound.ways > 0)
			row_outbound(st);
	}
	for (int i = 0; i < names_count(st->c->cfg.shared->names); i++)
		if (leg_shown(st, i))
			row_leg(st, i);
}

/* For a client that is gone nothing is looked up: at the end of the daemon
 * the workers have given up what the rows are about. */
static void print_status(struct status *st)
{
	if (!ctl_gone(st->r))
		print_rows(st);
	ctl_end(st->r, 0, "%s", "");
	timer_fini(&st->again);
	st->c->busy--;
	mem_free(st);
}

/* Messages in their order: the first that waits for a leg is the oldest. */
static void walk_back(void *arg);

static void walk(void *arg)
{
	struct status *st = arg;

	if (!queue_oldest(queue_thread_queue(st->c->cfg.queue_thread), &st->at,
		st->oldest, WALK_SLICE))
		st->slices = WALK_SLICES;
	control_come_back(st->c, walk_back, st);
}

static void walk_back(void *arg)
{
	struct status *st = arg;

	if (++st->slices < WALK_SLICES && !ctl_gone(st->r))
		control_ask_queue(st->c, walk, st);
	else
		print_status(st);
}

static bool is_behind(const struct status *st)
{
	for (int i = 0; i < NAMES_MAX; i++)
		if (st->behind[i] != 0)
			return true;
	return false;
}

static void on_status_back(void *arg)
{
	struct status *st = arg;

	if (is_behind(st) && ++st->tries < STATUS_TRIES && !ctl_gone(st->r))
		timer_set(&st->again, LOOK_AGAIN_MS);
	else
		control_ask_queue(st->c, walk, st);
}

static void begin_status(struct control *c, struct ctl_request *r, bool legs)
{
	struct status *st = NEW(struct status);

	st->c = c;
	st->r = r;
	st->legs_only = legs;
	c->busy++;
	timer_init(&st->again, c->cfg.ops, on_look_again, st);
	control_ask_queue(c, status_look, st);
}

void control_status(void *arg, struct ctl_request *r, const json_t *args)
{
	(void)args;
	begin_status(arg, r, false);
}

void control_leg_list(void *arg, struct ctl_request *r,
    const json_t *args)
{
	(void)args;
	begin_status(arg, r, true);
}
