/* SPDX-License-Identifier: ISC
 *
 * Gathers deliveries, segment by segment, and judges each recipient by the
 * last word on each of its deliveries.
 */
#include "relay/cutover/replay/replay_hunt.h"

#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/spool/find/find.h"

/* The word of a segment on a delivery; a later one counts. */
struct replay_hint {
	uint64_t id, hash;
	int64_t created_us, due_us;
	uint32_t number, rcpt, order;
	uint16_t leg, flags;
	uint8_t role, state;
};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void replay_hunt_init(struct replay_hunt *h, struct spool *s,
    const uint64_t *hash, size_t n)
{
	*h = (struct replay_hunt){.spool = s};
	h->hash = NEW_ARRAY(uint64_t, n + 1);
	for (size_t i = 0; i < n; i++)
		h->hash[i + 1] = hash[i];
	qsort(h->hash, n + 1, sizeof(h->hash[0]), by_value);
	h->hashes = n + 1;
}

void replay_hunt_fini(struct replay_hunt *h)
{
	mem_free(h->hash);
	mem_free(h->hint);
	*h = (struct replay_hunt){0};
}

void replay_hunt_add(struct replay_hunt *h, uint64_t id, uint32_t number,
    const struct spool_delivery *d)
{
	if (h->n == REPLAY_HINTS_MAX) {
		h->full = true;
		return;
	}
	if (h->n == h->cap) {
		h->cap = h->cap * 2 + 1024;
		h->hint = mem_resize(h->hint, h->cap * sizeof(*h->hint));
	}
	h->hint[h->n] = (struct replay_hint){.id = id, .hash = d->hash,
	    .created_us = d->created_us, .due_us = d->due_us,
	    .number = number, .rcpt = d->rcpt, .order = (uint32_t)h->n,
	    .leg = d->leg, .flags = d->flags, .role = d->role,
	    .state = d->state};
	h->n++;
}

static void on_found(void *arg, const struct spool_found *f)
{
	replay_hunt_add(arg, f->id, f->number, f->delivery);
}

int replay_hunt_step(struct replay_hunt *h, struct error *err)
{
	struct spool_find q = {h->hash, h->hashes, on_found, h};
	bool first = h->generation == 0;
	struct error unread;
	int rc = spool_find_segment(h->spool, &q, &h->generation, &unread);

	if (rc < 0)
		h->unread++;
	if (first && rc != 0)
		h->first = h->generation - 1;
	if (h->full)
		return error_set(err, "more than %d deliveries are found: name "
		    "fewer recipients at once", REPLAY_HINTS_MAX);
	return rc != 0;
}

bool replay_hunt_gave_back(const struct replay_hunt *h)
{
	return h->first > 1;
}

/* ---- judged ------------------------------------------------------------ */

static int by_place(const void *a, const void *b)
{
	const struct replay_hint *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->rcpt != y->rcpt)
		return x->rcpt < y->rcpt ? -1 : 1;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static struct spool_delivery delivery_of(const struct replay_hint *t)
{
	return (struct spool_delivery){.rcpt = t->rcpt, .leg = t->leg,
	    .role = t->role, .state = t->state, .flags = t->flags,
	    .created_us = t->created_us, .due_us = t->due_us};
}

/* Those of one recipient of one message, from `at` on; returns behind them. */
static size_t judge_one(const struct replay_hunt *h, size_t at,
    struct replay_lead *lead)
{
	const struct replay_hint *first = &h->hint[at];
	struct replay_case c = {0};

	*lead = (struct replay_lead){.id = first->id, .rcpt = first->rcpt};
	for (; at < h->n && h->hint[at].id == first->id &&
	     h->hint[at].rcpt == first->rcpt; at++) {
		const struct replay_hint *t = &h->hint[at];
		struct spool_delivery d = delivery_of(t);
		bool last = at + 1 == h->n || t[1].id != t->id ||
		    t[1].rcpt != t->rcpt || t[1].number != t->number;

		if (t->hash != 0)
			lead->hash = t->hash;
		if (last)
			replay_case_add(&c, &h->asked, t->number, &d);
	}
	lead->verdict = replay_judge(&c);
	return at;
}

void replay_hunt_judge(struct replay_hunt *h,
    void (*fn)(void *arg, const struct replay_lead *lead), void *arg)
{
	size_t at = 0;

	if (h->n > 1)
		qsort(h->hint, h->n, sizeof(*h->hint), by_place);
	while (at < h->n) {
		struct replay_lead lead;

		at = judge_one(h, at, &lead);
		if (lead.verdict != REPLAY_NOT)
			fn(arg, &lead);
	}
}
