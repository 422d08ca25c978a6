/* SPDX-License-Identifier: ISC
 *
 * Pins the segments of a backup, as a reader pins the one that it reads.
 */
#include "relay/spool/backup/hold.h"

#include "relay/base/assert.h"
#include "relay/spool/spool_int.h"

struct spool_hold {
	struct spool *spool;
	bool holds; /* counted in spool.holds */
	struct segment **pin;
	struct spool_slot *slot; /* of each */
	unsigned n;
};

struct spool_hold *spool_hold_new(struct spool *s)
{
	struct spool_hold *h = NEW(struct spool_hold);

	h->spool = s;
	h->holds = true;
	pthread_mutex_lock(&s->lock);
	s->holds++;
	pthread_mutex_unlock(&s->lock);
	return h;
}

/* Under the lock. */
static void let_go(struct spool_hold *h)
{
	PH_ASSERT(!h->holds || h->spool->holds > 0);
	h->spool->holds -= h->holds;
	h->holds = false;
}

static void pin(struct spool_hold *h, struct segment *seg)
{
	struct spool *s = h->spool;

	seg->pins++;
	h->pin[h->n] = seg;
	h->slot[h->n++] = (struct spool_slot){.slot = seg->slot,
	    .bulk = seg->state == SEG_BULK, .generation = seg->generation,
	    .bytes = seg->state == SEG_BULK ? s->key.segment_bytes
					    : seg->end};
}

struct spool_pos spool_hold_take(struct spool_hold *h)
{
	struct spool *s = h->spool;
	struct spool_pos end = {0, 0};

	PH_ASSERT(h->pin == NULL);
	pthread_mutex_lock(&s->lock);
	h->pin = NEW_ARRAY(struct segment *, s->segs);
	h->slot = NEW_ARRAY(struct spool_slot, s->segs);
	list_each(n, &s->mains) {
		struct segment *seg = LIST_ENTRY(n, struct segment, node);

		if (seg->end == 0)
			continue; /* opened, and no batch is synced yet */
		pin(h, seg);
		end = (struct spool_pos){seg->generation, seg->end};
	}
	for (unsigned i = 0; i < s->segs; i++)
		if (s->seg[i] != NULL && s->seg[i]->state == SEG_BULK)
			pin(h, s->seg[i]);
	let_go(h);
	pthread_mutex_unlock(&s->lock);
	return end;
}

const struct spool_slot *spool_hold_slots(const struct spool_hold *h,
    unsigned *n_out)
{
	*n_out = h->n;
	return h->slot;
}

void spool_hold_free(struct spool_hold *h)
{
	struct spool *s;

	if (h == NULL)
		return;
	s = h->spool;
	pthread_mutex_lock(&s->lock);
	let_go(h);
	for (unsigned i = 0; i < h->n; i++) {
		PH_ASSERT(h->pin[i]->pins > 0);
		h->pin[i]->pins--;
	}
	pthread_mutex_unlock(&s->lock);
	space_wake(s);
	mem_free(h->pin);
	mem_free(h->slot);
	mem_free(h);
}
