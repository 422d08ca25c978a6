/* SPDX-License-Identifier: ISC
 *
 * Recounts the spool's memory: each live message by itself, then what the
 * segments and the spool have as sums of them.
 */
#include "relay/spool/check/spool_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "relay/spool/spool_int.h"

/* The counts of a walk over the live messages. */
struct spool_recount {
	struct slot_recount {
		uint64_t bytes, refs, messages;
	} *slot;
	uint64_t bytes, messages;
	uint64_t total[NAMES_MAX][TOTALS]; /* open and parked ones */
};

static PH_PRINTF(2, 3) const char *wrong(struct spool_checker *c,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
	return c->text;
}

/* ---- one message ------------------------------------------------------- */

static bool in_table(const struct spool *s, const struct segment *seg)
{
	return seg->slot < s->segs && s->seg[seg->slot] == seg;
}

static bool listed(const struct spool *s, uint32_t number)
{
	const struct live_table *t = &s->index.table;
	const struct live *m = live_at(t, number);
	const struct live_list *l = &s->seg[m->slot]->live;

	return (m->prev == 0 ? l->first == number
			     : live_at(t, m->prev)->next == number) &&
	    (m->next == 0 ? l->last == number
			  : live_at(t, m->next)->prev == number);
}

static const char *bulk_wrong(const struct spool *s, uint64_t id)
{
	unsigned n;
	struct segment **bulk = index_bulk(s, id, &n);

	for (unsigned i = 0; i < n; i++) {
		if (!in_table(s, bulk[i]) || bulk[i]->state != SEG_BULK)
			return "its body is in a segment that was given back";
		if (bulk[i]->refs == 0)
			return "its body is in a segment that may be given "
			       "back";
	}
	return NULL;
}

static const char *states_wrong(const struct live_table *t,
    const struct live *m)
{
	bool any = false;

	for (uint32_t i = m->first; i != 0;
	     i = live_delivery_at(t, i)->next) {
		unsigned state = live_delivery_at(t, i)->state;

		if (state == D_NONE || state >= D_STATES)
			return "a state that does not exist";
		any = any || dstate_live(state);
	}
	return any ? NULL : "it is over, and still there";
}

static const char *message_wrong(const struct spool *s, uint32_t number)
{
	const struct live *m = live_at(&s->index.table, number);
	const struct segment *seg = m->slot < s->segs ? s->seg[m->slot] : NULL;
	const char *why;

	if (seg == NULL || seg->state != SEG_MAIN)
		return "it is in a segment that was given back";
	if ((uint64_t)m->rec + m->rec_bytes > seg->end)
		return "it is behind the end of its segment";
	if (live_find(&s->index.table, m->id) != number)
		return "it is not found by its id";
	if (!listed(s, number))
		return "its segment does not know it";
	why = states_wrong(&s->index.table, m);
	return why != NULL ? why : bulk_wrong(s, m->id);
}

static void recount(const struct spool *s, struct spool_recount *r,
    const struct live *m)
{
	const struct live_table *t = &s->index.table;
	uint64_t bytes = (uint64_t)m->rec_bytes + m->body_bytes;
	unsigned n;
	struct segment **bulk = index_bulk(s, m->id, &n);

	r->messages++;
	r->bytes += bytes;
	r->slot[m->slot].messages++;
	r->slot[m->slot].bytes += bytes;
	for (unsigned i = 0; i < n; i++)
		r->slot[bulk[i]->slot].refs++;
	for (uint32_t i = m->first; i != 0;
	     i = live_delivery_at(t, i)->next) {
		const struct live_delivery *d = live_delivery_at(t, i);

		if (dstate_live(d->state))
			r->total[d->leg][dstate_total(d->state)]++;
	}
}

/* Up to `max` messages from c->at on, which goes back to 0 at the end. */
static const char *walk(struct spool *s, struct spool_checker *c,
    struct spool_recount *r, uint64_t max)
{
	const struct live_table *t = &s->index.table;
	uint32_t number = 1;

	for (uint64_t i = 0; i < max; i++) {
		const char *why;

		number = live_next(t, &c->at);
		if (number == 0)
			break;
		why = message_wrong(s, number);
		if (why != NULL)
			return wrong(c, "message %" PRIu64 ": %s",
			    live_at(t, number)->id, why);
		if (r != NULL)
			recount(s, r, live_at(t, number));
	}
	if (number == 0)
		c->at = 0;
	return NULL;
}

/* ---- segments ---------------------------------------------------------- */

static uint64_t list_count(const struct list *head, uint64_t max)
{
	uint64_t k = 0;

	list_each(n, head)
		if (k++ >= max)
			break;
	return k;
}

static uint64_t live_list_count(const struct spool *s, uint32_t first)
{
	uint64_t k = 0;

	for (uint32_t n = first; n != 0 && k <= s->index.messages;
	     n = live_at(&s->index.table, n)->next)
		k++;
	return k;
}

static const char *segment_wrong(struct spool *s, const struct segment *seg,
    const struct slot_recount *r)
{
	bool holds = seg->state == SEG_MAIN || seg->state == SEG_BULK;

	if (seg->live_bytes != r->bytes)
		return "its live bytes";
	if (seg->refs != r->refs)
		return "its references";
	if (live_list_count(s, seg->live.first) != r->messages)
		return "its list of messages";
	if (seg->current && !holds)
		return "a writer is at work in it";
	if (seg->end > s->key.segment_bytes)
		return "its end";
	return NULL;
}

static const char *segments_wrong(struct spool *s, struct spool_checker *c,
    const struct spool_recount *r)
{
	static const struct slot_recount none;
	unsigned spares = 0, mains = 0;

	for (unsigned i = 0; i < s->segs; i++) {
		const struct segment *seg = s->seg[i];
		const char *why;

		if (seg == NULL) {
			if (memcmp(&r->slot[i], &none, sizeof(none)) != 0)
				return wrong(c, "seg.%04u has mail and is not "
				    "there", i);
			continue;
		}
		spares += seg->state == SEG_SPARE;
		mains += seg->state == SEG_MAIN;
		why = segment_wrong(s, seg, &r->slot[i]);
		if (why != NULL)
			return wrong(c, "seg.%04u, state %d: %s", i,
			    (int)seg->state, why);
	}
	if (spares != atomic_load(&s->spares))
		return wrong(c, "%u spares counted, %u there",
		    atomic_load(&s->spares), spares);
	if (mains != list_count(&s->mains, s->segs + 1))
		return wrong(c, "%u segments of the main lane, and another "
		    "number in its list", mains);
	return NULL;
}

/* Recycling goes from the oldest on. */
static const char *order_wrong(struct spool *s, struct spool_checker *c)
{
	uint64_t before = 0;

	list_each(n, &s->mains) {
		const struct segment *seg =
		    LIST_ENTRY(n, struct segment, node);

		if (seg->state != SEG_MAIN || seg->generation <= before)
			return wrong(c, "seg.%04u: its place in the main lane",
			    seg->slot);
		before = seg->generation;
	}
	return NULL;
}

static const char *descriptors_wrong(struct spool *s, struct spool_checker *c)
{
	unsigned open = 0, listed_ones;

	pthread_mutex_lock(&s->fd_lock);
	for (unsigned i = 0; i < s->segs; i++)
		open += s->seg[i] != NULL && s->seg[i]->fd >= 0;
	listed_ones = (unsigned)list_count(&s->fds, s->segs + 1);
	if (open != s->fds_open || open != listed_ones)
		wrong(c, "%u descriptors counted, %u open, %u in the list",
		    s->fds_open, open, listed_ones);
	else
		c->text[0] = '\0';
	pthread_mutex_unlock(&s->fd_lock);
	return c->text[0] == '\0' ? NULL : c->text;
}

/* ---- memory ------------------------------------------------------------ */

/* Of what others hold (bodies on their way out, drafts that the lane is to
 * free) nothing is known here: the sums have at least what drafts say. */
static const char *memory_wrong(struct spool *s, struct spool_checker *c)
{
	uint64_t counted = 0, pool = 0;

	pthread_mutex_lock(&s->drafts_lock);
	list_each(n, &s->drafts) {
		struct spool_draft *d =
		    LIST_ENTRY(n, struct spool_draft, node);

		pthread_mutex_lock(&d->lock);
		counted += d->counted;
		pool += d->body->pool;
		pthread_mutex_unlock(&d->lock);
	}
	pthread_mutex_unlock(&s->drafts_lock);
	if (atomic_load(&s->reserved) < counted ||
	    atomic_load(&s->reserved) > INT64_MAX)
		return wrong(c, "%" PRIu64 " bytes reserved, drafts have %"
		    PRIu64, atomic_load(&s->reserved), counted);
	if (atomic_load(&s->pool_used) < pool ||
	    atomic_load(&s->pool_used) > INT64_MAX)
		return wrong(c, "%" PRIu64 " bytes in the pool, drafts have %"
		    PRIu64, atomic_load(&s->pool_used), pool);
	if (atomic_load(&s->window_used) > INT64_MAX)
		return wrong(c, "less than no bytes on their way out");
	return NULL;
}

/* ---- all of it --------------------------------------------------------- */

static const char *sums_wrong(struct spool *s, struct spool_checker *c,
    const struct spool_recount *r)
{
	const char *why;

	if (s->index.messages != s->index.table.used ||
	    r->messages != s->index.messages || r->bytes != s->index.live_bytes)
		return wrong(c, "%" PRIu64 " messages of %" PRIu64 " bytes "
		    "counted, %" PRIu64 " of %" PRIu64 " there",
		    s->index.messages, s->index.live_bytes, r->messages,
		    r->bytes);
	why = segments_wrong(s, c, r);
	if (why == NULL)
		why = order_wrong(s, c);
	if (why == NULL)
		why = descriptors_wrong(s, c);
	return why;
}

/* Per leg: what was created is somewhere, and what is live is here. */
static const char *totals_wrong(struct spool *s, struct spool_checker *c,
    const struct spool_recount *r)
{
	for (int leg = 0; leg < NAMES_MAX; leg++) {
		const uint64_t *t = s->index.total[leg];
		const uint64_t *live = r->total[leg];
		uint64_t sum = 0;

		for (int i = T_CREATED + 1; i < TOTALS; i++)
			sum += t[i];
		if (t[T_CREATED] != sum)
			return wrong(c, "leg %d: %" PRIu64 " created, %" PRIu64
			    " accounted for", leg, t[T_CREATED], sum);
		if (t[T_OPEN] != live[T_OPEN] ||
		    t[T_PARKED] != live[T_PARKED])
			return wrong(c, "leg %d: %" PRIu64 " open and %" PRIu64
			    " parked, live messages have %" PRIu64 " and %"
			    PRIu64, leg, t[T_OPEN], t[T_PARKED], live[T_OPEN],
			    live[T_PARKED]);
	}
	return NULL;
}

/* Under the lock. */
static const char *look_at_all(struct spool *s, struct spool_checker *c,
    const char *(*then)(struct spool *s, struct spool_checker *c,
	const struct spool_recount *r))
{
	struct spool_recount *r = NEW(struct spool_recount);
	const char *why;

	r->slot = NEW_ARRAY(struct slot_recount, s->segs);
	c->at = 0;
	why = walk(s, c, r, UINT64_MAX);
	if (why == NULL)
		why = then(s, c, r);
	mem_free(r->slot);
	mem_free(r);
	return why;
}

const char *spool_check_some(struct spool *s, struct spool_checker *c,
    unsigned max)
{
	const char *why;

	pthread_mutex_lock(&s->lock);
	why = s->index.messages <= max ? look_at_all(s, c, sums_wrong)
				       : walk(s, c, NULL, max);
	pthread_mutex_unlock(&s->lock);
	return why;
}

const char *spool_check(struct spool *s, struct spool_checker *c)
{
	const char *why;

	pthread_mutex_lock(&s->lock);
	why = look_at_all(s, c, sums_wrong);
	pthread_mutex_unlock(&s->lock);
	return why != NULL ? why : memory_wrong(s, c);
}

const char *spool_conserved(struct spool *s, struct spool_checker *c)
{
	const char *why;

	pthread_mutex_lock(&s->lock);
	why = look_at_all(s, c, totals_wrong);
	pthread_mutex_unlock(&s->lock);
	return why;
}
