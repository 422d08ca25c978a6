/* SPDX-License-Identifier: ISC
 *
 * First outcomes that wait to be written.
 */
#include "relay/audit/delivered/outcome_fold.h"

#include "relay/base/clock.h"
#include "relay/base/mem.h"

enum { FIRST_ROWS = 64, FIRST_LEGS = 16 };

void outcome_fold_init(struct outcome_fold *f)
{
	*f = (struct outcome_fold){.n = 0};
	map_init(&f->at);
}

void outcome_fold_fini(struct outcome_fold *f)
{
	map_fini(&f->at);
	mem_free(f->row);
	mem_free(f->leg);
}

void outcome_fold_clear(struct outcome_fold *f)
{
	f->n = 0;
	f->legs = 0;
	map_fini(&f->at);
	map_init(&f->at);
}

/* ---- of a leg ---------------------------------------------------------- */

/* There are few legs, and one day or two: the newest row stands last. */
static struct outcome_leg *leg_row(struct outcome_fold *f, uint16_t leg,
    int64_t day)
{
	for (size_t i = f->legs; i > 0; i--)
		if (f->leg[i - 1].leg == leg && f->leg[i - 1].day == day)
			return &f->leg[i - 1];
	if (f->legs == f->leg_cap) {
		f->leg_cap = f->leg_cap == 0 ? FIRST_LEGS : 2 * f->leg_cap;
		f->leg = mem_resize(f->leg, f->leg_cap * sizeof(*f->leg));
	}
	f->leg[f->legs] = (struct outcome_leg){.day = day, .leg = leg};
	return &f->leg[f->legs++];
}

/* ---- of a recipient ---------------------------------------------------- */

static uint64_t mix(const struct first_attempt *o, int64_t day)
{
	uint64_t of = (uint64_t)o->leg << 32 ^ (uint64_t)day;

	return ((uint64_t)o->recipient ^
		   (of + 1) * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

static bool is_of(const struct outcome_row *r, const struct first_attempt *o,
    int64_t day)
{
	return r->recipient == o->recipient && r->leg == o->leg &&
	       r->day == day;
}

/* Of two keys with one mix only the second is found, and both are written. */
static struct outcome_row *row_of(struct outcome_fold *f,
    const struct first_attempt *o, int64_t day)
{
	uint64_t key = mix(o, day);
	uintptr_t at = (uintptr_t)map_get(&f->at, key);

	if (at != 0 && is_of(&f->row[at - 1], o, day))
		return &f->row[at - 1];
	if (f->n == f->cap) {
		f->cap = f->cap == 0 ? FIRST_ROWS : 2 * f->cap;
		f->row = mem_resize(f->row, f->cap * sizeof(*f->row));
	}
	f->row[f->n] = (struct outcome_row){.recipient = o->recipient,
	    .day = day, .leg = o->leg};
	map_put(&f->at, key, (void *)(uintptr_t)(f->n + 1));
	return &f->row[f->n++];
}

void outcome_fold_put(struct outcome_fold *f, const struct first_attempt *o)
{
	int64_t day = o->time_us / DAY_US;
	struct outcome_row *r;

	leg_row(f, o->leg, day)->n[o->how]++;
	if (o->how == FIRST_DELIVERED)
		return;
	r = row_of(f, o, day);
	if (o->how == FIRST_TROUBLE) {
		r->trouble++;
		return;
	}
	r->failed++;
	if (o->time_us > r->last_us)
		r->last_us = o->time_us;
}
