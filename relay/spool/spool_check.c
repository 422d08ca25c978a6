/* SPDX-License-Identifier: ISC
 *
 * Recounts the spool's memory: each live message by itself, then what the
 * segments and the spool have as sums of them.
 */
#include "relay/spool/spool_check.h"

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

static bool listed(const struct live *m)
{
	const struct list *n = &m->node;

	return n->next != n && n->prev->next == n && n->next->prev == n;
}

static const char *bulk_wrong(const struct spool *s, const struct version *v)
{
	for (unsigned i = 0; i < v->bulks; i++) {
		if (!in_table(s, v->bulk[i]) || v->bulk[i]->state != SEG_BULK)
			return "its body is in a segment that was given back";
		if (v->bulk[i]->refs == 0)
			return "its body is in a segment that may be given "
			       "back";
	}
	return NULL;
}

static const char *version_wrong(const struct spool *s, const struct live *m)
{
	const struct version *v = m->now;
	bool any = false;

	if (!in_table(s, v->seg) || v->seg->state != SEG_MAIN)
		return "it is in a segment that was given back";
	if ((uint64_t)v->rec + v->rec_bytes > v->seg->end)
		return "it is behind the end of its segment";
	if (!listed(m))
		return "its segment does not know it";
	for (unsigned i = 0; i < v->n; i++) {
		const struct spool_delivery *d = &v->d[i].d;

		if (d->state == D_NONE || d->state >= D_STATES ||
		    d->leg >= NAMES_MAX)
			return "a state or a leg that does not exist";
		any = any || dstate_live(d->state);
	}
	if (!any || v->dead)
		return "it is over, and still there";
	return bulk_wrong(s, v);
}

static void recount(struct spool_recount *r, const struct version *v)
{
	uint64_t bytes = (uint64_t)v->rec_bytes + v->body_bytes;

	r->messages++;
	r->bytes += bytes;
	r->slot[v->seg->slot].messages++;
	r->slot[v->seg->slot].bytes += bytes;
	for (unsigned i = 0; i < v->bulks; i++)
		r->slot[v->bulk[i]->slot].refs++;
	for (unsigned i = 0; i < v->n; i++)
		if (dstate_live(v->d[i].d.state))
			r->total[v->d[i].d.leg]
				[dstate_total(v->d[i].d.state)]++;
}

/* Up to `max` messages from c->at on, which goes back to 0 at the end. */
static const char *walk(struct spool *s, struct spool_checker *c,
    struct spool_recount *r, uint64_t max)
{
	struct live *m = NULL;

	for (uint64_t i = 0; i < max; i++) {
		const char *why;

		m = map_next(&s->index.map, &c->at, NULL);
		if (m == NULL)
			break;
		if (m->now == NULL) /* its batch is not synced yet */
			continue;
		why = version_wrong(s, m);
		if (why != NULL)
			return wrong(c, "message %" PRIu64 ": %s", m->id, why);
		if (r != NULL)
			recount(r, m->now);
	}
	if (m == NULL)
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

static const char *segment_wrong(struct spool *s, const struct segment *seg,
    const struct slot_recount *r)
{
	bool holds = seg->state == SEG_MAIN || seg->state == SEG_BULK;

	if (seg->live_bytes != r->bytes)
		return "its live bytes";
	if (seg->refs != r->refs)
		return "its references";
	if (list_count(&seg->live, s->index.messages + 1) != r->messages)
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

	if (r->messages != s->index.messages || r->bytes != s->index.live_bytes)
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
