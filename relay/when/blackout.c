/* SPDX-License-Identifier: ISC
 *
 * Questions to blackouts. A weekly one is looked for on each day of the week
 * around: none is longer than a week.
 */
#include "relay/when/blackout.h"

#include "relay/base/clock.h"
#include "relay/base/civil.h"

/* The longest blackout and the largest jump of a clock. */
enum { DAYS_AROUND = WEEK_DAYS + 2 };
/* Blackouts that follow one another without a gap, before it is taken for
 * granted that there is none. */
enum { CHAIN_MAX = 500 };

struct occurrence {
	int64_t begin, end; /* UTC */
};

/* The one that begins on this day; false: none does. */
static bool occurs(const struct blackout *b, int64_t day, struct occurrence *o)
{
	int64_t begin = b->begin_s;

	if (b->days != 0) {
		if ((b->days & 1u << civil_weekday(day)) == 0)
			return false;
		begin += day * DAY_S;
	} else if (civil_day_of(begin) != day) {
		return false;
	}
	o->begin = zone_span_begin(b->zone, begin);
	o->end = zone_span_end(b->zone, begin + b->length_s);
	return true;
}

/* The days on which an occurrence may begin that matters at `utc_s`. */
static void days_around(
    const struct blackout *b, int64_t utc_s, int64_t *first, int64_t *last)
{
	int64_t day = civil_day_of(zone_local(b->zone, utc_s));

	*first = day - DAYS_AROUND;
	*last = day + DAYS_AROUND;
	if (b->days == 0)
		*first = *last = civil_day_of(b->begin_s);
}

/* Until when it holds; INT64_MIN: it does not hold now. */
static int64_t holds_until(const struct blackout *b, int64_t utc_s)
{
	int64_t first, last, until = INT64_MIN;
	struct occurrence o;

	days_around(b, utc_s, &first, &last);
	for (int64_t day = first; day <= last; day++)
		if (occurs(b, day, &o) && o.begin <= utc_s && utc_s < o.end &&
		    o.end > until)
			until = o.end;
	return until;
}

static int64_t begins_after(const struct blackout *b, int64_t utc_s)
{
	int64_t first, last, next = INT64_MAX;
	struct occurrence o;

	days_around(b, utc_s, &first, &last);
	for (int64_t day = first; day <= last; day++)
		if (occurs(b, day, &o) && o.begin > utc_s && o.begin < next)
			next = o.begin;
	return next;
}

static const struct blackout *holding(
    const struct blackouts *b, int64_t utc_s, int64_t *until_out)
{
	for (int i = 0; i < b->count; i++) {
		*until_out = holds_until(&b->item[i], utc_s);
		if (*until_out != INT64_MIN)
			return &b->item[i];
	}
	return NULL;
}

const struct blackout *blackouts_at(
    const struct blackouts *b, int64_t utc_s, int64_t *free_out)
{
	int64_t until;
	const struct blackout *first = holding(b, utc_s, &until);

	*free_out = utc_s;
	if (first == NULL)
		return NULL;
	*free_out = until;
	for (int i = 0; i < CHAIN_MAX; i++) {
		if (holding(b, *free_out, &until) == NULL)
			return first;
		*free_out = until;
	}
	*free_out = INT64_MAX;
	return first;
}

int64_t blackouts_next(const struct blackouts *b, int64_t utc_s)
{
	int64_t next = INT64_MAX;

	for (int i = 0; i < b->count; i++) {
		int64_t t = begins_after(&b->item[i], utc_s);

		if (t < next)
			next = t;
	}
	return next;
}
