/* SPDX-License-Identifier: ISC
 *
 * The live messages, packed. The table of ids is open addressing with
 * backward-shift deletion, as map.c, with 4 bytes a place.
 */
#include "relay/spool/live/live_table.h"

#include "relay/base/assert.h"
#include "relay/base/delivery.h"
#include "relay/base/mem.h"

enum { TABLE_FIRST = 16 };

void live_table_init(struct live_table *t)
{
	*t = (struct live_table){0};
	slab_init(&t->messages, sizeof(struct live));
	slab_init(&t->deliveries, sizeof(struct live_delivery));
}

void live_table_fini(struct live_table *t)
{
	slab_fini(&t->messages);
	slab_fini(&t->deliveries);
	mem_free(t->number);
	live_table_init(t);
}

static uint32_t home_of(const struct live_table *t, uint64_t id)
{
	id ^= id >> 32;
	id *= UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(id >> 20) & (t->cap - 1);
}

/* Where the id is, or would be. */
static uint32_t place_of(const struct live_table *t, uint64_t id)
{
	uint32_t i = home_of(t, id);

	while (t->number[i] != 0 && live_at(t, t->number[i])->id != id)
		i = (i + 1) & (t->cap - 1);
	return i;
}

uint32_t live_find(const struct live_table *t, uint64_t id)
{
	return t->cap == 0 ? 0 : t->number[place_of(t, id)];
}

static void resize(struct live_table *t, uint32_t cap)
{
	uint32_t *old = t->number, n = t->cap;

	t->number = NEW_ARRAY(uint32_t, cap);
	t->cap = cap;
	for (uint32_t i = 0; i < n; i++)
		if (old[i] != 0)
			t->number[place_of(t, live_at(t, old[i])->id)] =
			    old[i];
	mem_free(old);
}

void live_table_reserve(struct live_table *t, uint32_t messages)
{
	uint32_t cap = t->cap == 0 ? TABLE_FIRST : t->cap;

	while (cap / 4 * 3 < messages && cap < UINT32_C(1) << 31)
		cap *= 2;
	if (cap > t->cap)
		resize(t, cap);
}

void live_soon(const struct live_table *t, uint64_t id)
{
	if (t->cap > 0)
		__builtin_prefetch(&t->number[home_of(t, id)], 1);
}

uint32_t live_add(struct live_table *t, uint64_t id)
{
	uint32_t n, at;

	PH_ASSERT(id != 0);
	live_table_reserve(t, t->used + 1);
	/* No other has its id, so none is looked at. */
	at = home_of(t, id);
	while (t->number[at] != 0)
		at = (at + 1) & (t->cap - 1);
	n = slab_new(&t->messages);
	live_at(t, n)->id = id;
	t->number[at] = n;
	t->used++;
	return n;
}

/* May the entry at `i` move back into the hole? Only if its home does not lie
 * between the two. */
static void unlink_id(struct live_table *t, uint64_t id)
{
	uint32_t mask = t->cap - 1, hole = place_of(t, id);

	for (uint32_t i = (hole + 1) & mask; t->number[i] != 0;
	     i = (i + 1) & mask) {
		uint32_t home = home_of(t, live_at(t, t->number[i])->id);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		t->number[hole] = t->number[i];
		hole = i;
	}
	t->number[hole] = 0;
}

void live_remove(struct live_table *t, uint32_t number)
{
	struct live *m = live_at(t, number);
	uint32_t next;

	PH_ASSERT(t->used > 0 && m->prev == 0 && m->next == 0);
	unlink_id(t, m->id);
	t->used--;
	for (uint32_t d = m->first; d != 0; d = next) {
		next = live_delivery_at(t, d)->next;
		slab_free(&t->deliveries, d);
	}
	m->id = 0;
	m->first = 0;
	slab_free(&t->messages, number);
}

uint32_t live_next(const struct live_table *t, uint32_t *at)
{
	while (*at < t->cap) {
		uint32_t n = t->number[(*at)++];

		if (n != 0)
			return n;
	}
	return 0;
}

void live_state_put(struct live_delivery *d, const struct live_state *s)
{
	uint64_t ms = s->due_us > 0 ? (uint64_t)s->due_us / 1000 : 0;

	PH_ASSERT(s->state > D_NONE && s->state < D_STATES);
	PH_ASSERT(s->rcpt >> RCPT_BITS == 0);
	d->rec = s->rec;
	d->slot = s->slot;
	d->leg = s->leg & 0xff;
	d->state = s->state & 0xf;
	d->uncertain = s->uncertain & 3;
	d->tried = s->tried;
	d->rcpt = s->rcpt;
	d->role = s->role & 1;
	d->due_high = (uint32_t)(ms >> 32) & 0x7ff;
	d->due_low = (uint32_t)ms;
}

struct live_state live_state_of(const struct live_delivery *d)
{
	uint64_t ms = (uint64_t)d->due_high << 32 | d->due_low;

	return (struct live_state){.slot = d->slot, .rec = d->rec,
	    .rcpt = d->rcpt, .leg = d->leg, .role = d->role,
	    .state = d->state, .uncertain = d->uncertain,
	    .tried = d->tried, .due_us = (int64_t)(ms * 1000)};
}

/* Only a damaged journal says fewer than before. */
static void cut_after(struct live_table *t, uint32_t number, uint32_t last)
{
	uint32_t *link = last == 0 ? &live_at(t, number)->first :
				     &live_delivery_at(t, last)->next;
	uint32_t d = *link, next;

	*link = 0;
	for (; d != 0; d = next) {
		next = live_delivery_at(t, d)->next;
		slab_free(&t->deliveries, d);
	}
}

uint32_t live_more(struct live_table *t, uint32_t number, uint32_t last,
    const struct live_state *state)
{
	uint32_t at = slab_new(&t->deliveries);

	if (last == 0)
		live_at(t, number)->first = at;
	else
		live_delivery_at(t, last)->next = at;
	live_state_put(live_delivery_at(t, at), state);
	return at;
}

void live_put(struct live_table *t, uint32_t number,
    const struct live_state *state, unsigned n)
{
	uint32_t at = live_at(t, number)->first, last = 0;

	for (unsigned i = 0; i < n; i++) {
		if (at == 0)
			at = live_more(t, number, last, &state[i]);
		else
			live_state_put(live_delivery_at(t, at), &state[i]);
		last = at;
		at = live_delivery_at(t, at)->next;
	}
	cut_after(t, number, last);
}

unsigned live_count(const struct live_table *t, uint32_t number)
{
	unsigned n = 0;

	for (uint32_t d = live_at(t, number)->first; d != 0;
	     d = live_delivery_at(t, d)->next)
		n++;
	return n;
}

void live_get(const struct live_table *t, uint32_t number,
    struct live_state *out)
{
	for (uint32_t d = live_at(t, number)->first; d != 0;
	     d = live_delivery_at(t, d)->next)
		*out++ = live_state_of(live_delivery_at(t, d));
}

void live_list_push(struct live_table *t, struct live_list *l, uint32_t n)
{
	struct live *m = live_at(t, n);

	m->prev = l->last;
	m->next = 0;
	if (l->last != 0)
		live_at(t, l->last)->next = n;
	else
		l->first = n;
	l->last = n;
}

void live_list_drop(struct live_table *t, struct live_list *l, uint32_t n)
{
	struct live *m = live_at(t, n);

	PH_ASSERT((m->prev == 0) == (l->first == n));
	PH_ASSERT((m->next == 0) == (l->last == n));
	if (m->prev != 0)
		live_at(t, m->prev)->next = m->next;
	else
		l->first = m->next;
	if (m->next != 0)
		live_at(t, m->next)->prev = m->prev;
	else
		l->last = m->prev;
	m->prev = m->next = 0;
}
