/* SPDX-License-Identifier: ISC
 *
 * Reads a TZ string from the left, a part at a time.
 */
#include "relay/when/tz_rule.h"

#include "relay/base/clock.h"
#include "relay/base/civil.h"

enum { ABBR_MIN = 3, ABBR_MAX = 16 };
enum { OFFSET_HOURS = 24, TIME_HOURS = 167 };

static bool eat(struct slice *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = slice_from(*s, 1);
	return true;
}

/* "GMT", or "<+0330>". */
static bool eat_abbr(struct slice *s, struct slice *abbr_out)
{
	bool quoted = eat(s, '<');
	size_t n = 0;

	while (
	    n < s->n && (ascii_alpha(s->p[n]) ||
			    (quoted && (ascii_digit(s->p[n]) ||
					   s->p[n] == '+' || s->p[n] == '-'))))
		n++;
	if (n < ABBR_MIN || n > ABBR_MAX)
		return false;
	*abbr_out = slice_head(*s, n);
	*s = slice_from(*s, n);
	return !quoted || eat(s, '>');
}

static bool eat_number(struct slice *s, int min, int max, int *out)
{
	int v = 0;
	size_t n = 0;

	while (n < s->n && n < 3 && ascii_digit(s->p[n]))
		v = v * 10 + (s->p[n++] - '0');
	*s = slice_from(*s, n);
	*out = v;
	return n > 0 && v >= min && v <= max;
}

/* "[+-]hh[:mm[:ss]]" */
static bool eat_time(struct slice *s, int hours, int32_t *seconds_out)
{
	bool minus = eat(s, '-');
	int h, m = 0, sec = 0;

	if (!minus)
		eat(s, '+');
	if (!eat_number(s, 0, hours, &h))
		return false;
	if (eat(s, ':') && (!eat_number(s, 0, 59, &m) ||
			       (eat(s, ':') && !eat_number(s, 0, 59, &sec))))
		return false;
	*seconds_out = (minus ? -1 : 1) * (h * HOUR_S + m * MINUTE_S + sec);
	return true;
}

static bool eat_date(struct slice *s, struct tz_day *d)
{
	if (eat(s, 'J')) {
		d->kind = TZ_DAY_JULIAN;
		return eat_number(s, 1, 365, &d->day);
	}
	if (!eat(s, 'M')) {
		d->kind = TZ_DAY_ZERO;
		return eat_number(s, 0, 365, &d->day);
	}
	d->kind = TZ_DAY_MONTH;
	return eat_number(s, 1, 12, &d->month) && eat(s, '.') &&
	       eat_number(s, 1, 5, &d->week) && eat(s, '.') &&
	       eat_number(s, 0, WEEK_DAYS - 1, &d->day);
}

/* ",M3.5.0/1" */
static bool eat_day(struct slice *s, struct tz_day *d)
{
	d->time_s = 2 * HOUR_S;
	return eat(s, ',') && eat_date(s, d) &&
	       (!eat(s, '/') || eat_time(s, TIME_HOURS, &d->time_s));
}

/* In a TZ string offsets count to the west. */
static bool eat_offset(struct slice *s, int32_t *offset_out)
{
	int32_t west;

	if (!eat_time(s, OFFSET_HOURS, &west))
		return false;
	*offset_out = -west;
	return true;
}

int tz_rule_parse(struct slice text, struct tz_rule *rule_out)
{
	struct tz_rule r = {0};
	struct slice s = text;

	if (!eat_abbr(&s, &r.standard) || !eat_offset(&s, &r.standard_s))
		return -1;
	if (s.n > 0) {
		r.has_daylight = true;
		r.daylight_s = r.standard_s + HOUR_S;
		if (!eat_abbr(&s, &r.daylight) ||
		    (s.n > 0 && s.p[0] != ',' &&
			!eat_offset(&s, &r.daylight_s)) ||
		    !eat_day(&s, &r.begin) || !eat_day(&s, &r.end) || s.n > 0)
			return -1;
	}
	*rule_out = r;
	return 0;
}

static int64_t month_day(const struct tz_day *d, int year)
{
	int64_t first = civil_days(year, d->month, 1);
	int ahead = (d->day - civil_weekday(first) + WEEK_DAYS) % WEEK_DAYS;
	int day = ahead + (d->week - 1) * WEEK_DAYS;

	while (day >= civil_month_days(year, d->month))
		day -= WEEK_DAYS;
	return first + day;
}

/* Local seconds, on the clock that is about to be changed. */
static int64_t day_local(const struct tz_day *d, int year)
{
	int64_t day = civil_days(year, 1, 1) + d->day;

	if (d->kind == TZ_DAY_MONTH)
		day = month_day(d, year);
	else if (d->kind == TZ_DAY_JULIAN)
		day -= d->day < 60 || civil_month_days(year, 2) == 28;
	return day * DAY_S + d->time_s;
}

void tz_rule_year(
    const struct tz_rule *r, int year, int64_t *begin_out, int64_t *end_out)
{
	*begin_out = day_local(&r->begin, year) - r->standard_s;
	*end_out = day_local(&r->end, year) - r->daylight_s;
}
