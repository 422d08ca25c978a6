/* SPDX-License-Identifier: ISC
 *
 * Times of log lines, and how lines are cut.
 */
#include "relay/oldlog/oldlog.h"

#include "relay/base/clock.h"
#include "relay/base/civil.h"

#define SECOND_US INT64_C(1000000)
enum { LEAP_YEARS = 8 }; /* at most between two leap days */

bool oldlog_cut(struct slice *line, struct slice sep, struct slice *head_out)
{
	const char *at = line->n == 0 ? NULL
	    : memmem(line->p, line->n, sep.p, sep.n);

	if (at == NULL)
		return false;
	*head_out = slice_head(*line, (size_t)(at - line->p));
	*line = slice_from(*line, head_out->n + sep.n);
	return true;
}

struct slice oldlog_value(struct slice line, struct slice key,
    const char *ends)
{
	struct slice before;
	size_t n = 0;

	if (!oldlog_cut(&line, key, &before))
		return slice_of("", 0);
	while (n < line.n && strchr(ends, line.p[n]) == NULL)
		n++;
	return slice_head(line, n);
}

/* ---- times --------------------------------------------------------------- */

/* Where a time comes twice, the later: a delivery must not seem older. */
static int64_t to_utc(const struct oldlog_clock *c, int64_t local_s)
{
	int64_t utc_s[2];

	return zone_moments(c->zone, local_s, utc_s) == ZONE_ONCE ? utc_s[0]
								  : utc_s[1];
}

static bool valid(int64_t utc_s)
{
	return utc_s > 0 && utc_s < INT64_MAX / SECOND_US;
}

static int month_of(struct slice word)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (slice_eq(word, slice_of(names + 3 * i, 3)))
			return i + 1;
	return 0;
}

/* The latest year in which the time has been, a day ahead of our clock at
 * most; of a 29 February the last leap year. */
static int64_t guess_year(struct oldlog_clock *c, struct civil *t)
{
	int now = civil_of_seconds(c->now_us / SECOND_US).year;

	for (t->year = now + 1; t->year > now - LEAP_YEARS; t->year--) {
		int64_t utc_s;

		if (t->day > civil_month_days(t->year, t->month))
			continue;
		utc_s = to_utc(c, civil_seconds(t));
		if (utc_s > c->now_us / SECOND_US + DAY_S)
			continue;
		c->year = t->year;
		return utc_s;
	}
	return 0;
}

/* Months that begin anew are another year; a line that is late by a moment at
 * the turn of a year is of the old one. */
static int64_t with_year(struct oldlog_clock *c, struct civil *t)
{
	if (c->year == 0)
		return guess_year(c, t);
	if (c->month - t->month > 6)
		c->year++;
	t->year = c->month != 0 && t->month - c->month > 6 ? c->year - 1
							    : c->year;
	if (t->year < CIVIL_YEAR_MIN || t->year > CIVIL_YEAR_MAX ||
	    t->day > civil_month_days(t->year, t->month))
		return 0;
	return to_utc(c, civil_seconds(t));
}

/* "Nov 30 12:00:01 ", "Nov  3 12:00:01 ". */
static bool bsd_time(struct slice *line, struct oldlog_clock *c,
    int64_t *us_out)
{
	struct civil t = {.year = 0};
	struct slice s = *line;
	uint64_t day;
	int64_t utc_s;

	if (s.n < sizeof("Nov 30 12:00:01 ") - 1 || s.p[3] != ' ' ||
	    s.p[6] != ' ' || s.p[15] != ' ')
		return false;
	t.month = month_of(slice_head(s, 3));
	if (t.month == 0 ||
	    !slice_uint(slice_trim(slice_of(s.p + 4, 2)), 31, &day) ||
	    day == 0 ||
	    civil_read_time(slice_of(s.p + 7, 8), true, &t) != 0)
		return false;
	t.day = (int)day;
	if (t.day > civil_month_days(2000, t.month))
		return false;
	utc_s = with_year(c, &t);
	if (!valid(utc_s))
		return false;
	if (t.year == c->year)
		c->month = t.month;
	*us_out = utc_s * SECOND_US;
	*line = slice_from(s, 16);
	return true;
}

bool oldlog_syslog_time(struct slice *line, struct oldlog_clock *c,
    int64_t *us_out)
{
	struct slice rest = *line, word;

	if (bsd_time(line, c, us_out))
		return true;
	if (!oldlog_cut(&rest, SLICE(" "), &word) || word.n < 20 ||
	    word.p[10] != 'T' ||
	    clock_parse(word, c->now_us, us_out) != 0 || *us_out <= 0)
		return false;
	*line = rest;
	return true;
}

/* "+0100" at the head, with its blank; else nothing is cut. */
static bool cut_offset(struct slice *s, int64_t *offset_s)
{
	uint64_t hhmm;

	if (s->n < 6 || (s->p[0] != '+' && s->p[0] != '-') || s->p[5] != ' ' ||
	    !slice_uint(slice_of(s->p + 1, 4), 1400, &hhmm) || hhmm % 100 > 59)
		return false;
	*offset_s = (int64_t)(hhmm / 100 * 3600 + hhmm % 100 * 60);
	if (s->p[0] == '-')
		*offset_s = -*offset_s;
	*s = slice_from(*s, 6);
	return true;
}

bool oldlog_plain_time(struct slice *line, const struct oldlog_clock *c,
    int64_t *us_out)
{
	struct civil t = {.year = 0};
	struct slice rest = *line, date, time, second;
	int64_t local_s, offset_s, utc_s;

	if (!oldlog_cut(&rest, SLICE(" "), &date) ||
	    !oldlog_cut(&rest, SLICE(" "), &time) ||
	    civil_read_date(date, &t) != 0)
		return false;
	second = slice_head(time, 8); /* a fraction is left out */
	if (civil_read_time(second, true, &t) != 0)
		return false;
	local_s = civil_seconds(&t);
	utc_s = cut_offset(&rest, &offset_s) ? local_s - offset_s
					     : to_utc(c, local_s);
	if (!valid(utc_s))
		return false;
	*us_out = utc_s * SECOND_US;
	*line = rest;
	return true;
}
