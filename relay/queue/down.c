/* SPDX-License-Identifier: ISC
 *
 * Counts how long a leg could not be delivered to: the time in which it was
 * suspended or its breaker open does not count against lifetimes (D10). A few
 * spans a leg, in order; when there are too many, the two with the least
 * between them become one that still knows how much of it counts. The owner of
 * the queue is told of each beginning and end and writes them down; after a
 * restart it gives them back.
 */
#include "relay/queue/queue_int.h"

/* No delivery that still lives can be older than this. */
static int64_t horizon_us(const struct queue *q)
{
	return q->now_us - (q->conf->retry.lifetime_ms +
			       q->conf->retry.suspended_ms) * 1000;
}

static void drop(struct leg *l, unsigned at)
{
	l->downs--;
	memmove(&l->down[at], &l->down[at + 1],
	    sizeof(l->down[0]) * (l->downs - at));
}

static void merge_nearest(struct leg *l)
{
	unsigned best = 0;
	int64_t least = INT64_MAX;

	for (unsigned i = 0; i + 1 < l->downs; i++) {
		int64_t gap = l->down[i + 1].from - l->down[i].to;

		if (gap < least) {
			least = gap;
			best = i;
		}
	}
	l->down[best].to = l->down[best + 1].to;
	l->down[best].counts += l->down[best + 1].counts;
	drop(l, best + 1);
}

static bool lasts(const struct leg *l)
{
	return l->downs > 0 && l->down[l->downs - 1].to == INT64_MAX;
}

static void begin(struct queue *q, struct leg *l)
{
	while (l->downs > 0 && l->down[0].to < horizon_us(q))
		drop(l, 0);
	if (l->downs == QUEUE_SPANS)
		merge_nearest(l);
	l->down[l->downs++] = (struct span){q->now_us, INT64_MAX, 0};
}

static void end(struct queue *q, struct leg *l)
{
	struct span *s = &l->down[l->downs - 1];

	s->to = q->now_us > s->from ? q->now_us : s->from;
	s->counts = s->to - s->from;
}

void down_mark(struct queue *q, int leg)
{
	struct leg *l = &q->leg[leg];
	bool shut = (ledger_gates(q->config.ledger, leg) &
			(GATE_SUSPENDED | GATE_BREAKER)) != 0;

	if (shut == lasts(l))
		return;
	if (shut)
		begin(q, l);
	else
		end(q, l);
	if (q->config.ops->down != NULL)
		q->config.ops->down(q->config.arg, leg);
}

/* Of a span that was several, a part of its length counts in proportion. */
static int64_t counts_since(const struct span *s, int64_t since_us)
{
	if (since_us <= s->from)
		return s->counts;
	if (since_us >= s->to)
		return 0;
	return (int64_t)((double)s->counts * (double)(s->to - since_us) /
			 (double)(s->to - s->from));
}

int64_t down_us(const struct queue *q, int leg, int64_t since_us)
{
	const struct leg *l = &q->leg[leg];
	int64_t sum = 0;

	for (unsigned i = 0; i < l->downs; i++) {
		struct span s = l->down[i];

		if (s.to == INT64_MAX) {
			s.to = q->now_us;
			s.counts = s.to - s.from;
		}
		sum += counts_since(&s, since_us);
	}
	return sum;
}

unsigned queue_leg_downs(const struct queue *q, int leg,
    struct queue_span out[QUEUE_SPANS])
{
	const struct leg *l = &q->leg[leg];

	for (unsigned i = 0; i < l->downs; i++) {
		const struct span *s = &l->down[i];
		bool open = s->to == INT64_MAX;

		out[i] = (struct queue_span){s->from + q->wall_us,
		    open ? INT64_MAX : s->to + q->wall_us, s->counts};
	}
	return l->downs;
}

void queue_leg_downs_restore(struct queue *q, int leg,
    const struct queue_span *spans, unsigned n)
{
	struct leg *l = &q->leg[leg];

	queue_tick(q);
	for (l->downs = 0; l->downs < n && l->downs < QUEUE_SPANS; l->downs++) {
		const struct queue_span *s = &spans[l->downs];
		bool open = s->to_us == INT64_MAX;

		l->down[l->downs] = (struct span){s->from_us - q->wall_us,
		    open ? INT64_MAX : s->to_us - q->wall_us, s->counts_us};
	}
}

int64_t queue_leg_down_since(const struct queue *q, int leg)
{
	const struct leg *l = &q->leg[leg];

	return lasts(l) ? l->down[l->downs - 1].from + q->wall_us : 0;
}
