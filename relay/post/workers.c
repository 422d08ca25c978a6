/* SPDX-License-Identifier: ISC
 *
 * Letters to workers about the connections of a leg.
 */
#include "relay/post/workers.h"

#include "relay/base/mem.h"
#include "relay/post/worker_letters.h"

struct workers *workers_new(int n)
{
	struct workers *w = NEW(struct workers);

	w->n = n;
	w->door = NEW_ARRAY(struct worker_door, (size_t)n);
	return w;
}

void workers_free(struct workers *w)
{
	if (w == NULL)
		return;
	mem_free(w->door);
	mem_free(w);
}

static void post(struct worker_door *d, enum worker_letter kind, int leg)
{
	struct leg_letter *l = NEW(struct leg_letter);

	l->letter.kind = kind;
	l->leg = leg;
	mailbox_post(d->box, &l->letter);
}

void workers_yield(struct workers *w, int leg, int but_worker)
{
	for (int i = 0; i < w->n; i++)
		if (i != but_worker &&
		    atomic_fetch_add(&w->door[i].yield[leg], 1) == 0)
			post(&w->door[i], W_YIELD, leg);
}

unsigned workers_yielded(struct workers *w, int worker, int leg)
{
	return atomic_exchange(&w->door[worker].yield[leg], 0);
}

void workers_offer(struct workers *w, int leg)
{
	for (int i = 0; i < w->n; i++)
		post(&w->door[i], W_OFFER, leg);
}
