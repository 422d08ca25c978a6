/* SPDX-License-Identifier: ISC
 *
 * A binary heap of deadlines.
 */
#include "relay/base/deadline.h"

#include <stdbool.h>

#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum { ROOM_FIRST = 64 };

void deadlines_fini(struct deadlines *h)
{
	mem_free(h->heap);
	*h = (struct deadlines){0};
}

static bool earlier(const struct deadline *a, const struct deadline *b)
{
	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms;
	return a->nth < b->nth;
}

static void put(struct deadlines *h, size_t place, struct deadline *d)
{
	h->heap[place] = d;
	d->place = place;
}

static void sift_up(struct deadlines *h, size_t place, struct deadline *d)
{
	while (place > 1 && earlier(d, h->heap[place / 2])) {
		put(h, place, h->heap[place / 2]);
		place /= 2;
	}
	put(h, place, d);
}

static void sift_down(struct deadlines *h, size_t place, struct deadline *d)
{
	size_t child;

	while ((child = 2 * place) <= h->count) {
		if (child < h->count &&
		    earlier(h->heap[child + 1], h->heap[child]))
			child++;
		if (!earlier(h->heap[child], d))
			break;
		put(h, place, h->heap[child]);
		place = child;
	}
	put(h, place, d);
}

void deadlines_add(struct deadlines *h, struct deadline *d, int64_t at_ms)
{
	PH_ASSERT(d->place == 0);
	if (h->count + 1 >= h->room) {
		h->room = h->room == 0 ? ROOM_FIRST : 2 * h->room;
		h->heap = mem_resize(
		    h->heap, h->room * sizeof(struct deadline *));
	}
	d->at_ms = at_ms;
	d->nth = ++h->added;
	sift_up(h, ++h->count, d);
}

void deadlines_remove(struct deadlines *h, struct deadline *d)
{
	size_t place = d->place;
	struct deadline *last;

	if (place == 0)
		return;
	PH_ASSERT(place <= h->count && h->heap[place] == d);
	d->place = 0;
	last = h->heap[h->count--];
	if (last == d)
		return;
	if (place > 1 && earlier(last, h->heap[place / 2]))
		sift_up(h, place, last);
	else
		sift_down(h, place, last);
}

struct deadline *deadlines_first(const struct deadlines *h)
{
	return h->count == 0 ? NULL : h->heap[1];
}
