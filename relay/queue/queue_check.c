/* SPDX-License-Identifier: ISC
 *
 * Recounts the queue: first each message by itself, then, when all were seen,
 * the lists and the sums.
 */
#include "relay/queue/queue_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/queue/queue_int.h"

/* The counts of the walk over the messages. */
struct recount {
	struct queue_counts counts;
	uint64_t ready[NAMES_MAX], unproven[NAMES_MAX];
	uint64_t wheel, claimed, backlog;
	unsigned pending, asked;
};

static PH_PRINTF(2, 3) const char *wrong(struct queue_checker *c,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
	return c->text;
}

static const char *wrong_one(struct queue_checker *c, const struct queue *q,
    uint32_t n, const char *what)
{
	const struct delivery *d = delivery_at(q, n);

	return wrong(c, "message %" PRIu64 ", delivery %u, %s, place %d: %s",
	    message_at(q, d->msg)->id, (unsigned)d->number,
	    dstate_text((enum dstate)d->state), (int)d->place, what);
}

/* ---- one delivery ------------------------------------------------------ */

static bool is_entry(const struct queue *q, uint32_t n)
{
	return n >= HEADS && n <= q->deliveries.used;
}

/* A head of a list, or an entry. */
static bool is_node(const struct queue *q, uint32_t n)
{
	return n != 0 && n <= q->deliveries.used;
}

static bool linked(const struct queue *q, uint32_t n)
{
	const struct delivery *d = delivery_at(q, n);

	return is_node(q, d->prev) && is_node(q, d->next) &&
	       delivery_at(q, d->prev)->next == n &&
	       delivery_at(q, d->next)->prev == n;
}

/* In the chain of its hash, once. Buckets have different first entries. */
static bool chained(const struct queue *q, uint32_t n)
{
	const struct delivery *d = delivery_at(q, n);
	uint32_t before = d->chain_prev, after = d->chain_next, first;

	if (q->chains.later != 0)
		return before == 0 && after == 0; /* not yet */
	first = chain_newest(q, d->hash);
	if ((before == 0) != (first == n))
		return false;
	if (before != 0 &&
	    (!is_entry(q, before) ||
		delivery_at(q, before)->chain_next != n ||
		chain_newest(q, delivery_at(q, before)->hash) != first))
		return false;
	return after == 0 || (is_entry(q, after) &&
				 delivery_at(q, after)->chain_prev == n);
}

static const char *place_wrong(const struct queue *q, uint32_t n)
{
	const struct delivery *d = delivery_at(q, n);
	bool planned = message_at(q, d->msg)->resolve == RESOLVE_NONE;

	if (d->woken && d->place != PLACE_CLAIMED)
		return "a wake-up waits for the end of a claim that is none";
	if (d->place != PLACE_NONE && !linked(q, n))
		return "its neighbours do not know it";
	switch ((enum place)d->place) {
	case PLACE_NONE:
		return waits_for_time(d) && planned ? "nothing will start it"
						    : NULL;
	case PLACE_WHEEL:
		return waits_for_time(d) ? NULL : "it waits for no time";
	case PLACE_READY:
	case PLACE_NEW:
	case PLACE_DOUBTFUL:
	case PLACE_BACKLOG:
		if (!waits_for_time(d))
			return "it may not be started";
		return d->due_us <= q->now_us ? NULL : "it is not due";
	case PLACE_CLAIMED:
		break;
	}
	return NULL;
}

static void recount(struct recount *r, const struct delivery *d)
{
	r->counts.deliveries++;
	r->counts.leg[d->leg].state[d->state]++;
	r->counts.leg[d->leg].claimed += d->place == PLACE_CLAIMED;
	r->claimed += d->place == PLACE_CLAIMED;
	r->ready[d->leg] += d->place == PLACE_READY;
	r->wheel += d->place == PLACE_WHEEL;
	r->unproven[d->leg] += d->place == PLACE_NEW ||
			       d->place == PLACE_DOUBTFUL;
	r->backlog += d->place == PLACE_BACKLOG;
}

static const char *delivery_wrong(const struct queue *q,
    struct queue_checker *c, uint32_t n)
{
	const struct delivery *d = delivery_at(q, n);
	const char *why;

	if (d->state == D_NONE || d->state >= D_STATES)
		return wrong_one(c, q, n, "a state that does not exist");
	why = place_wrong(q, n);
	if (why == NULL && !chained(q, n))
		why = "it is not in the chain of its recipient";
	return why == NULL ? NULL : wrong_one(c, q, n, why);
}

/* ---- one message ------------------------------------------------------- */

static bool is_message(const struct queue *q, uint32_t msg)
{
	return msg != 0 && msg <= q->messages.used;
}

static const char *resolve_wrong(const struct queue *q, uint32_t msg)
{
	const struct message *m = message_at(q, msg);

	if (m->again && m->resolve != RESOLVE_ASKED)
		return "it is to be asked again, and was not";
	if (m->resolve == RESOLVE_PENDING &&
	    !(is_message(q, m->prev) && is_message(q, m->next) &&
		message_at(q, m->prev)->next == msg &&
		message_at(q, m->next)->prev == msg))
		return "its neighbours do not know it";
	return NULL;
}

static const char *message_wrong(const struct queue *q, uint32_t msg,
    uint32_t live, uint32_t last)
{
	const struct message *m = message_at(q, msg);

	if (id_tree_find(q, m->id) != msg)
		return "the index does not find it";
	if (m->live != live)
		return "it counts its live deliveries wrong";
	if (m->last != last)
		return "its last delivery is another";
	if (live == 0 && m->resolve != RESOLVE_ASKED)
		return "it is over, and still there";
	return resolve_wrong(q, msg);
}

/* Adds what it has to `r`, unless that is NULL. */
static const char *look_at(const struct queue *q, struct queue_checker *c,
    uint32_t msg, struct recount *r, unsigned *seen)
{
	const struct message *m = message_at(q, msg);
	uint32_t live = 0, last = 0;
	const char *why;

	for (uint32_t n = m->first; n != 0; n = delivery_at(q, n)->sibling) {
		const struct delivery *d = delivery_at(q, n);

		if (!is_entry(q, n) || d->msg != msg ||
		    (last != 0 && delivery_at(q, last)->number >= d->number))
			return wrong(c, "message %" PRIu64 ": its list has "
			    "what is not its own", m->id);
		why = delivery_wrong(q, c, n);
		if (why != NULL)
			return why;
		if (r != NULL)
			recount(r, d);
		live += dstate_live((enum dstate)d->state);
		last = n;
		++*seen;
	}
	why = message_wrong(q, msg, live, last);
	if (why != NULL)
		return wrong(c, "message %" PRIu64 ": %s", m->id, why);
	if (r != NULL) {
		r->counts.messages++;
		r->pending += m->resolve == RESOLVE_PENDING;
		r->asked += m->resolve == RESOLVE_ASKED;
	}
	return NULL;
}

/* ---- lists ------------------------------------------------------------- */

/* How many a list has, all in that place; more than `max`: it is none. */
static uint64_t list_count(const struct queue *q, uint32_t head,
    enum place place, uint64_t max)
{
	uint32_t at = head, n;
	uint64_t k = 0;

	for (n = delivery_at(q, head)->next; n != head && k <= max; k++) {
		if (!is_entry(q, n) || delivery_at(q, n)->prev != at ||
		    delivery_at(q, n)->place != place)
			return max + 1;
		at = n;
		n = delivery_at(q, n)->next;
	}
	return k;
}

static const char *ready_wrong(const struct queue *q, struct queue_checker *c,
    const struct recount *r)
{
	for (int leg = 0; leg < NAMES_MAX; leg++) {
		uint64_t most = r->counts.deliveries;
		uint64_t k = list_count(q, HEAD_READY + (uint32_t)leg,
			PLACE_READY, most) +
		    list_count(q, HEAD_BEHIND + (uint32_t)leg, PLACE_READY,
			most);

		if (k != r->ready[leg] || k != q->leg[leg].ready ||
		    k != ledger_ready(q->config.ledger, leg))
			return wrong(c, "leg %d: %" PRIu64 " ready in its "
			    "list, %" PRIu64 " in messages, %u counted, %u "
			    "in the ledger", leg, k, r->ready[leg],
			    q->leg[leg].ready,
			    ledger_ready(q->config.ledger, leg));
	}
	return NULL;
}

static const char *unproven_wrong(const struct queue *q,
    struct queue_checker *c, const struct recount *r)
{
	for (int leg = 0; leg < NAMES_MAX; leg++) {
		uint64_t most = r->counts.deliveries;
		uint64_t k = list_count(q, HEAD_NEW + (uint32_t)leg, PLACE_NEW,
				 most) +
		    list_count(q, HEAD_DOUBTFUL + (uint32_t)leg,
			PLACE_DOUBTFUL, most);

		if (k != r->unproven[leg] || k != q->leg[leg].unproven)
			return wrong(c, "leg %d: %" PRIu64 " of unproven "
			    "domains in its list, %" PRIu64 " in messages, "
			    "%u counted", leg, k, r->unproven[leg],
			    q->leg[leg].unproven);
	}
	return NULL;
}

/* All of one domain, in the bucket of its name. */
static bool is_backlog(const struct queue *q, uint32_t b, size_t bucket,
    uint64_t most)
{
	const struct backlog *l = backlog_at(q, b);
	uint32_t n;

	if (l->n == 0 || list_count(q, l->head, PLACE_BACKLOG, most) != l->n ||
	    ((l->name >> 8 ^ l->name) & (QUEUE_BACKLOGS - 1)) != bucket ||
	    delivery_at(q, l->timer)->sibling != b)
		return false;
	for (n = delivery_at(q, l->head)->next; n != l->head;
	     n = delivery_at(q, n)->next)
		if (backlog_name(delivery_at(q, n)) != l->name)
			return false;
	return true;
}

static const char *backlogs_wrong(const struct queue *q,
    struct queue_checker *c, const struct recount *r)
{
	uint64_t domains = 0, all = 0;

	for (size_t i = 0; i < QUEUE_BACKLOGS; i++)
		for (uint32_t b = q->backlog[i]; b != 0;
		     b = backlog_at(q, b)->next) {
			if (!is_backlog(q, b, i, r->counts.deliveries))
				return wrong(c, "backlog %u is none, or of "
				    "several domains", (unsigned)b);
			domains++;
			all += backlog_at(q, b)->n;
		}
	if (all != r->backlog || all != q->in_backlogs.deliveries ||
	    domains != q->in_backlogs.domains)
		return wrong(c, "%" PRIu64 " deliveries in %" PRIu64
		    " backlogs, %" PRIu64 " in messages; counted %" PRIu64
		    " in %" PRIu64, all, domains, r->backlog,
		    q->in_backlogs.deliveries, q->in_backlogs.domains);
	return NULL;
}

/* The slot of an entry is that of its time, seen from the wheel's present. */
static bool in_slot(const struct queue *q, uint32_t n, int level,
    unsigned slot)
{
	uint64_t us = (uint64_t)delivery_at(q, n)->due_us;
	uint64_t tick = (us + (1 << TICK_BITS) - 1) >> TICK_BITS;
	int above = SLOT_BITS * (level + 1);

	return tick >= q->wheel.now &&
	       tick >> above == q->wheel.now >> above &&
	       (tick >> SLOT_BITS * level) % WHEEL_SLOTS == slot;
}

static const char *slot_wrong(const struct queue *q, struct queue_checker *c,
    int level, unsigned slot, uint64_t *all)
{
	uint32_t head = HEAD_WHEEL + (uint32_t)level * WHEEL_SLOTS + slot, n;
	uint64_t most = q->counts.deliveries + q->in_backlogs.domains;
	uint64_t k = list_count(q, head, PLACE_WHEEL, most);

	if (k > most ||
	    (k > 0 && !(q->wheel.occupied[level] >> slot & 1)))
		return wrong(c, "the wheel's level %d, slot %u: a list that "
		    "is none, or that is not looked at", level, slot);
	for (n = delivery_at(q, head)->next; n != head;
	     n = delivery_at(q, n)->next) {
		if (!in_slot(q, n, level, slot))
			return wrong(c, "the wheel's level %d, slot %u: an "
			    "entry of another time", level, slot);
		*all += delivery_at(q, n)->msg != 0;
	}
	return NULL;
}

static const char *wheel_wrong(const struct queue *q, struct queue_checker *c,
    const struct recount *r)
{
	const char *why = NULL;
	uint64_t all = 0;

	for (int level = 0; level < WHEEL_LEVELS && why == NULL; level++)
		for (unsigned slot = 0; slot < WHEEL_SLOTS && why == NULL;
		     slot++)
			why = slot_wrong(q, c, level, slot, &all);
	if (why == NULL && all != r->wheel)
		why = wrong(c, "the wheel has %" PRIu64 " deliveries, messages "
		    "say %" PRIu64, all, r->wheel);
	return why;
}

static uint64_t pending_count(const struct queue *q, uint32_t head)
{
	uint64_t k = 0;

	for (uint32_t m = message_at(q, head)->next;
	     m != head && k <= q->counts.messages; k++)
		m = is_message(q, m) ? message_at(q, m)->next : 0;
	return k;
}

/* ---- sums -------------------------------------------------------------- */

static const char *leg_wrong(const struct queue *q, struct queue_checker *c,
    int leg)
{
	const struct leg *l = &q->leg[leg];
	bool half = l->breaker == BREAKER_HALF_OPEN;
	bool shut = (ledger_gates(q->config.ledger, leg) & GATE_BREAKER) != 0;

	if ((l->scout != 0) != half || shut != (l->breaker != BREAKER_CLOSED))
		return wrong(c, "leg %d: breaker %d, scout %u, gate %d", leg,
		    (int)l->breaker, (unsigned)l->scout, (int)shut);
	for (int i = 0; i < 2; i++) {
		uint32_t n = i == 0 ? l->scout : l->trial;

		if (n != 0 && (!is_entry(q, n) ||
				  delivery_at(q, n)->leg != (unsigned)leg ||
				  delivery_at(q, n)->place != PLACE_CLAIMED))
			return wrong(c, "leg %d: its %s is no attempt under "
			    "way", leg, i == 0 ? "scout" : "trial");
	}
	return NULL;
}

static const char *sums_wrong(const struct queue *q, struct queue_checker *c,
    const struct recount *r)
{
	uint64_t claimed = list_count(q, HEAD_CLAIMED, PLACE_CLAIMED,
	    r->counts.deliveries);
	uint64_t pending = pending_count(q, HEAD_PENDING) +
			   pending_count(q, HEAD_FAILED);
	const char *why = NULL;

	if (memcmp(&r->counts, &q->counts, sizeof(r->counts)) != 0)
		return wrong(c, "the counts: %" PRIu64 " messages and %" PRIu64
		    " deliveries, or how they divide; recounted %" PRIu64
		    " and %" PRIu64, q->counts.messages, q->counts.deliveries,
		    r->counts.messages, r->counts.deliveries);
	if (q->held != r->counts.deliveries ||
	    (q->chains.later == 0 &&
		q->chains.entries != r->counts.deliveries))
		return wrong(c, "%" PRIu64 " deliveries held and %u in "
		    "chains, of %" PRIu64, q->held, q->chains.entries,
		    r->counts.deliveries);
	if (claimed != r->claimed)
		return wrong(c, "%" PRIu64 " in the list of claims, %" PRIu64
		    " claimed", claimed, r->claimed);
	if (pending != r->pending || pending != q->to_resolve ||
	    r->asked != q->asked || q->asked > q->config.resolve_max)
		return wrong(c, "%u to be resolved and %u asked; recounted "
		    "%" PRIu64 " in lists, %u, and %u", q->to_resolve,
		    q->asked, pending, r->pending, r->asked);
	for (int leg = 0; leg < NAMES_MAX && why == NULL; leg++)
		why = leg_wrong(q, c, leg);
	return why;
}

/* ---- the walk ---------------------------------------------------------- */

const char *queue_check(const struct queue *q, struct queue_checker *c)
{
	struct recount *r = NEW(struct recount);
	const char *why = NULL;
	uint64_t id = 0;
	unsigned seen = 0;
	uint32_t msg;

	while (why == NULL && (msg = id_tree_after(q, id)) != 0) {
		why = look_at(q, c, msg, r, &seen);
		id = message_at(q, msg)->id;
	}
	if (why == NULL)
		why = sums_wrong(q, c, r);
	if (why == NULL)
		why = ready_wrong(q, c, r);
	if (why == NULL)
		why = unproven_wrong(q, c, r);
	if (why == NULL)
		why = backlogs_wrong(q, c, r);
	if (why == NULL)
		why = wheel_wrong(q, c, r);
	mem_free(r);
	return why;
}

const char *queue_check_some(const struct queue *q, struct queue_checker *c,
    unsigned max)
{
	const char *why = NULL;
	unsigned seen = 0;

	if (q->counts.deliveries <= max)
		return queue_check(q, c);
	while (why == NULL && seen < max) {
		uint32_t msg = id_tree_after(q, c->id);

		if (msg == 0) {
			c->id = 0;
			break;
		}
		why = look_at(q, c, msg, NULL, &seen);
		c->id = message_at(q, msg)->id;
		seen++;
	}
	return why;
}
