/* SPDX-License-Identifier: ISC
 *
 * Reads a calendar and walks through its days.
 */
#include "relay/when/calendar.h"

#include <stdlib.h>

#include "relay/base/clock.h"
#include "relay/base/civil.h"
#include "relay/when/when_parse.h"

enum { SHOWN = 80 };

struct calendar_walk {
	const struct calendar *calendar;
	const struct calendar_when *when;
	struct calendar_list *list;
};

static int malformed(struct slice part, struct error *err)
{
	return error_set(err,
	    "\"%.*s\" is not a part of a calendar; write days, a time and a "
	    "number of recipients, as in \"Tue-Thu 20:00 22000, Fri 20:00 "
	    "83000\"",
	    (int)slice_head(part, SHOWN).n, part.p);
}

/* "Tue" or "Tue-Thu" */
static unsigned read_days(struct slice s)
{
	int first = civil_weekday_find(slice_head(s, 3));
	int last = s.n == 3 ? first : -1;
	unsigned bits;

	if (s.n == 7 && s.p[3] == '-')
		last = civil_weekday_find(slice_from(s, 4));
	if (first < 0 || last < 0)
		return 0;
	bits = 1u << last;
	for (int d = first; d != last; d = (d + 1) % WEEK_DAYS)
		bits |= 1u << d;
	return bits;
}

/* The next word, whatever the number of blanks before it. */
static struct slice word(struct slice *s)
{
	struct slice w = {0};

	*s = slice_trim(*s);
	slice_next(s, ' ', &w);
	return w;
}

static int read_item(
    struct slice part, struct calendar_item *item, struct error *err)
{
	struct slice s = part;
	struct civil c;
	uint64_t size;

	item->days = read_days(word(&s));
	if (item->days == 0 || civil_read_time(word(&s), false, &c) != 0 ||
	    !slice_uint(word(&s), CALENDAR_SIZE_MAX, &size) || size == 0 ||
	    slice_trim(s).n > 0)
		return malformed(part, err);
	item->time_s = c.hour * HOUR_S + c.minute * MINUTE_S;
	item->size = (uint32_t)size;
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct calendar_item *x = a, *y = b;

	return x->time_s < y->time_s ? -1 : x->time_s > y->time_s;
}

static int check_doubles(const struct calendar *c, struct error *err)
{
	for (int i = 1; i < c->items; i++) {
		const struct calendar_item *x = &c->item[i - 1], *y = x + 1;
		int day = 0;

		if (x->time_s != y->time_s || (x->days & y->days) == 0)
			continue;
		while ((x->days & y->days & 1u << day) == 0)
			day++;
		return error_set(err,
		    "there are two waves on %s at %02d:%02d; write one with "
		    "the sum, or another time",
		    civil_weekday_name[day], x->time_s / HOUR_S,
		    x->time_s % HOUR_S / MINUTE_S);
	}
	return 0;
}

int calendar_parse(
    struct slice text, struct calendar *calendar_out, struct error *err)
{
	struct calendar c = {0};
	struct slice rest = slice_trim(text), part;

	if (rest.n == 0)
		return malformed(rest, err);
	while (slice_next(&rest, ',', &part)) {
		if (c.items == CALENDAR_ITEMS_MAX)
			return error_set(err,
			    "it has more than %d parts; put days of one time "
			    "together, as in \"Tue-Thu 20:00 22000\"",
			    CALENDAR_ITEMS_MAX);
		if (read_item(slice_trim(part), &c.item[c.items], err) != 0)
			return -1;
		c.items++;
	}
	qsort(c.item, (size_t)c.items, sizeof(c.item[0]), by_time);
	if (check_doubles(&c, err) != 0)
		return -1;
	*calendar_out = c;
	return 0;
}

static bool skipped(const struct calendar_when *when, int64_t day)
{
	for (int i = 0; i < when->skips; i++)
		if (when->skip[i] == day)
			return true;
	return false;
}

/* Says what is wrong with a date, and how to leave it out. */
static int leave_out(int64_t day, const char *why, struct error *err)
{
	char date[CIVIL_TEXT_MAX];

	civil_date_text(day, date);
	return error_set(
	    err, "%s; leave that date out with --skip %s", why, date);
}

static int check_blackout(const struct calendar_when *when, int64_t day,
    int64_t at_s, struct error *err)
{
	int64_t free_s;
	const struct blackout *b = blackouts_at(when->blackouts, at_s, &free_s);
	char text[ZONE_TEXT_MAX];
	struct error why;

	if (b == NULL)
		return 0;
	zone_text(when->zone, at_s, text);
	error_set(&why, "%s is inside the blackout \"%s\"", text, b->text);
	return leave_out(day, why.text, err);
}

/* The waves of one day, as long as there are members without one. */
static int walk_day(const struct calendar_walk *w, int64_t day,
    uint64_t *members, struct error *err)
{
	struct error why;
	int64_t at_s;

	for (int i = 0; i<w->calendar->items && * members> 0; i++) {
		const struct calendar_item *item = &w->calendar->item[i];

		if ((item->days & 1u << civil_weekday(day)) == 0)
			continue;
		if (w->list->count == w->list->max)
			return error_set(err,
			    "it makes more than %d waves; write larger ones",
			    w->list->max);
		if (when_moment(w->when->zone, day * DAY_S + item->time_s,
			&at_s, &why) != 0)
			return leave_out(day, why.text, err);
		if (check_blackout(w->when, day, at_s, err) != 0)
			return -1;
		w->list->wave[w->list->count++] =
		    (struct calendar_wave){at_s, day, item->size};
		*members -= *members < item->size ? *members : item->size;
	}
	return 0;
}

int calendar_waves(const struct calendar *c, const struct calendar_when *when,
    uint64_t members, struct calendar_list *list, struct error *err)
{
	struct calendar_walk w = {c, when, list};
	int64_t last = when->first_day + CALENDAR_YEARS_MAX * 366;

	list->count = 0;
	for (int64_t day = when->first_day; members > 0; day++) {
		if (day > last)
			return error_set(err,
			    "%d years of it do not take all recipients; write "
			    "more or larger waves",
			    CALENDAR_YEARS_MAX);
		if (!skipped(when, day) &&
		    walk_day(&w, day, &members, err) != 0)
			return -1;
	}
	return 0;
}
