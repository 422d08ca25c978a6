/* SPDX-License-Identifier: ISC
 *
 * The forms of a blackout, read from the left.
 */
#include "relay/when/blackout.h"

#include "relay/base/clock.h"
#include "relay/base/civil.h"
#include "relay/when/zone_file.h"

enum { DATE_CHARS = 10, TIME_CHARS = 5, WEEKDAY_CHARS = 3 };
enum { WEEK_S = WEEK_DAYS * DAY_S };

static bool eat(struct slice *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = slice_from(*s, 1);
	return true;
}

static bool eat_weekday(struct slice *s, int *day_out)
{
	*day_out = civil_weekday_find(slice_head(*s, WEEKDAY_CHARS));
	*s = slice_from(*s, WEEKDAY_CHARS);
	return *day_out >= 0;
}

static bool eat_date(struct slice *s, int64_t *days_out)
{
	struct civil c;

	if (civil_read_date(slice_head(*s, DATE_CHARS), &c) != 0)
		return false;
	*days_out = civil_days(c.year, c.month, c.day);
	*s = slice_from(*s, DATE_CHARS);
	return true;
}

/* "07:00" */
static bool eat_time(struct slice *s, int64_t *second_out)
{
	struct civil c;

	if (civil_read_time(slice_head(*s, TIME_CHARS), false, &c) != 0)
		return false;
	*second_out = c.hour * HOUR_S + c.minute * MINUTE_S;
	*s = slice_from(*s, TIME_CHARS);
	return true;
}

/* Is a blank and a digit next: a time, not a zone? */
static bool time_follows(struct slice s)
{
	return s.n > 1 && s.p[0] == ' ' && ascii_digit(s.p[1]);
}

static bool parse_dates(struct slice *s, struct blackout *b)
{
	int64_t day, last, from = 0, to = DAY_S; /* whole days */
	bool timed;

	if (!eat_date(s, &day))
		return false;
	last = day;
	timed = time_follows(*s);
	if (timed && (!eat(s, ' ') || !eat_time(s, &from)))
		return false;
	if (eat(s, '-') ? !eat_date(s, &last) : timed)
		return false;
	if (timed && (!eat(s, ' ') || !eat_time(s, &to)))
		return false;
	b->days = 0;
	b->begin_s = day * DAY_S + from;
	b->length_s = last * DAY_S + to - b->begin_s;
	return true;
}

static unsigned day_bits(int first, int last)
{
	unsigned bits = 1u << last;

	for (int d = first; d != last; d = (d + 1) % WEEK_DAYS)
		bits |= 1u << d;
	return bits;
}

/* "07:00-19:00", on each of the days; past midnight where it ends earlier. */
static bool parse_each(struct slice *s, struct blackout *b)
{
	int64_t to;

	if (!eat_time(s, &b->begin_s) || !eat(s, '-') || !eat_time(s, &to))
		return false;
	b->length_s = to - b->begin_s;
	if (b->length_s < 0)
		b->length_s += DAY_S;
	return true;
}

/* "07:00-Fri 19:00", from `first` on. */
static bool parse_span(struct slice *s, int first, struct blackout *b)
{
	int64_t to;
	int last;

	if (!eat_time(s, &b->begin_s) || !eat(s, '-') ||
	    !eat_weekday(s, &last) || !eat(s, ' ') || !eat_time(s, &to))
		return false;
	b->length_s =
	    (last - first + WEEK_DAYS) % WEEK_DAYS * DAY_S + to - b->begin_s;
	if (b->length_s < 0)
		b->length_s += WEEK_S;
	return true;
}

static bool parse_week(struct slice *s, struct blackout *b)
{
	int first, last;

	if (!eat_weekday(s, &first))
		return false;
	last = first;
	if (eat(s, '-') && !eat_weekday(s, &last))
		return false;
	b->days = day_bits(first, last);
	if (!time_follows(*s)) { /* whole days, as one span */
		b->days = 1u << first;
		b->length_s = ((last - first + WEEK_DAYS) % WEEK_DAYS + 1) *
			      (int64_t)DAY_S;
		return true;
	}
	eat(s, ' ');
	if (first == last && s->n > TIME_CHARS + 1 &&
	    ascii_alpha(s->p[TIME_CHARS + 1]))
		return parse_span(s, first, b);
	return parse_each(s, b);
}

int blackout_parse(struct slice text, struct blackout *blackout_out,
    struct slice *zone_out, struct error *err)
{
	struct slice s = slice_trim(text);
	struct blackout b = {0};
	bool dates = s.n > 0 && ascii_digit(s.p[0]), ok;

	ok = text.n < BLACKOUT_TEXT_MAX &&
	     (dates ? parse_dates(&s, &b) : parse_week(&s, &b));
	if (!ok || (s.n > 0 && (!eat(&s, ' ') || !zone_name_ok(slice_trim(s)))))
		return error_set(err,
		    "is not a time of the week or between dates; write it as "
		    "\"Mon-Fri 07:00-19:00 Europe/London\" (each day), "
		    "\"Fri 19:00-Mon 07:00\" (one span) or "
		    "\"2026-12-24-2027-01-02\"");
	if (b.length_s <= 0)
		return error_set(
		    err, "ends when it begins or before; write a later end");
	*zone_out = slice_trim(s);
	*blackout_out = b;
	return 0;
}
